# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages on tasks say that a diff has, the template writes: three lines, and no others."""

from __future__ import annotations

from typing import Any

from tests.unit.rendered import Hosts, squid_conf

from . import pages

SENSORS: Hosts = {"plant-a-line1-sensor": {"ansible_host": "192.0.2.1"}}


def _added(before: str, after: str) -> list[str]:
    assert set(before.splitlines()) <= set(after.splitlines())
    return [line for line in after.splitlines() if line not in before.splitlines()]


def test_a_sensor_is_three_lines_that_carry_its_name() -> None:
    more = {**SENSORS, "plant-a-line3-sensor": {"ansible_host": "192.0.2.4"}}
    added = _added(squid_conf(SENSORS), squid_conf(more))
    assert [line.split()[0] for line in added] == ["acl", "http_access", "note"]
    assert all("plant-a-line3-sensor" in line for line in added)


def test_a_plant_behind_a_shared_proxy_is_the_lines_of_its_page() -> None:
    child = {"plant-c-proxy": {"squid_addresses": ["10.50.0.23/24"], "squid_parents": ["site"]}}
    shared: dict[str, Any] = {"squid_addresses": ["10.50.0.10/24", "192.0.2.250/24"]}
    added = _added(squid_conf(SENSORS, **shared), squid_conf(SENSORS, child, **shared))
    page = pages.ROOT / "docs/tasks/add-a-plant.md"
    shown = next(block.lines for block in pages.blocks(page) if block.lines[0].startswith("+acl"))
    assert [f"+{line}" for line in added] == shown
