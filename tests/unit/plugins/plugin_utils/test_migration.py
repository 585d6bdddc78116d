# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an import opens and closes, and that this is said of what the role's template really renders."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.rules import Evaluator
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.endpoints import allow_list
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._plan.difference import Difference
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._plan.migration import proposed
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._plan.plan import evaluator
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import.convert import Config, convert

from tests.unit import imported
from tests.unit.rendered import squid_conf

ENDPOINTS = ["*.azure-devices.net", "download.microsoft.com"]
SENSORS = {"s1": {"sensor_proxy_src": "10.0.0.1"}, "s2": {"sensor_proxy_src": "10.0.0.2"}}
USERS = {
    name: {**host, "sensor_proxy_username": "Plant", "sensor_proxy_password": "x"} for name, host in SENSORS.items()
}
PARENTS = [{"host": "192.0.2.9", "port": 3128}]


@pytest.mark.parametrize(
    ("sensors", "user", "variables"),
    [
        (SENSORS, None, {}),
        (SENSORS, None, {"squid_parents": PARENTS}),
        (USERS, "Plant", {"squid_auth_enabled": True}),
        ({}, None, {}),
    ],
)
def test_what_is_compared_is_what_the_template_renders(
    sensors: dict[str, Any], user: str | None, variables: dict[str, Any]
) -> None:
    text = squid_conf(sensors, squid_endpoints=ENDPOINTS, **variables)
    clients = {host["sensor_proxy_src"]: name for name, host in sensors.items()}
    ours = proposed(clients, allow_list(ENDPOINTS), user, ["192.0.2.250"], direct="squid_parents" not in variables)
    difference = Difference(evaluator(text), Evaluator("", {"": ours}))
    assert difference.changes == []
    assert (
        Difference(evaluator(text), Evaluator("", {"": ours.replace("deny !https_port", "deny all")})).changes
        or not sensors
    )


def said(text: str) -> list[str]:
    return convert([Config("site", "squid.conf", {"squid.conf": text, **imported.FILES}, "192.0.2.1")]).access


def test_what_a_migration_closes_is_said() -> None:
    lines = "http_port 3128\nacl s src 10.0.0.1 10.0.0.2\nacl tls port 443\nhttp_access deny CONNECT !tls\nhttp_access allow s\n"
    found = said(lines + "http_access deny all\n")
    assert [each for each in found if " gain" in each] == []
    assert any("s-1 and s-2 lose any name that no line is about" in each and "any address" in each for each in found), (
        found
    )


def test_a_network_that_gets_no_hosts_is_closed_and_said() -> None:
    lines = "http_port 3128\nacl s src 10.0.0.0/8\nacl d dstdomain .azure-devices.net\nhttp_access allow s d\nhttp_access deny all\n"
    assert any(
        "nobody in the inventory owns (10.0.0.0-10.255.255.255) lose *.azure-devices.net" in each
        for each in said(lines)
    )


@pytest.mark.parametrize("name", imported.NAMES)
def test_no_sample_opens_what_is_sure(name: str) -> None:
    found = said((imported.SAMPLES / f"{name}.conf").read_text(encoding="utf-8"))
    assert found
    assert [each for each in found if " gain" in each and "may gain" not in each] == []
