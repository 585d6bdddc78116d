# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX gives a job, against what the repository says; AWX's inventories are made by the rules of its source (24.6.1)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import repository

from tests.unit.rendered import ROLE

PLANT = ROLE.parents[1] / "examples/site-repo/inventories/plant_a"
Json = Any


class Awx:
    """An AWX inventory with one source that overwrites, as awx/main/management/commands/inventory_import.py has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.off: set[str] = set()
        self._listed = copy.deepcopy(repository.listed([str(PLANT)]))
        self.variables: Json = self._listed["all"].setdefault("vars", {})
        self.hosts: Json = self._listed["_meta"]["hostvars"]
        for name in ("proxies", "sensors"):
            for host in self._listed[name]["hosts"]:
                self.hosts.setdefault(host, {})

    def group(self, name: str) -> Json:
        return self._listed[name]

    def add(self, host: str, group: str) -> None:
        """By hand: no update of the source removes it (line 320)."""
        self.hosts[host] = {"ansible_host": "10.10.0.99"}
        self._listed[group]["hosts"].append(host)

    def update(self, variables: Json) -> None:
        """Variables of all hosts are merged (line 458)."""
        self.variables |= variables

    def given(self, part: Callable[[str], bool] = lambda _host: True) -> str:
        """Return the inventory of a job: hosts that are on, with what AWX adds (awx/main/models/inventory.py, line 301)."""
        found = copy.deepcopy(self._listed)
        here = [host for host in found["_meta"]["hostvars"] if host not in self.off and part(host)]
        of_awx = {
            "remote_tower_enabled": "true",
            "remote_tower_id": 7,
            "remote_host_enabled": "true",
            "remote_host_id": 7,
        }
        found["_meta"]["hostvars"] = {host: {**found["_meta"]["hostvars"][host], **of_awx} for host in here}
        for group in found.values():
            if "hosts" in group:
                group["hosts"] = [host for host in group["hosts"] if host in here]
        script = self._folder / "hosts"
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(found)}\nEND\n")
        script.chmod(0o755)
        return str(script)


@pytest.fixture
def awx(tmp_path: Path) -> Awx:
    return Awx(tmp_path)


def _mistakes(given: str) -> list[str]:
    return [each.replace(str(PLANT), "REPO") for each in repository.mistakes(str(PLANT), [given])]


def test_what_awx_gives_and_nobody_has_touched_is_no_mistake(awx: Awx) -> None:
    assert _mistakes(awx.given()) == []


def test_what_was_changed_by_hand_is_named_without_its_value(awx: Awx) -> None:
    awx.add("by-hand", "sensors")
    awx.off.add("plant-a-line1-sensor")
    awx.update({"squid_extra_endpoints": ["secret.example"]})
    del awx.variables["vault_corp_proxy_password"]
    awx.group("sensors")["vars"]["sensor_proxy_via"] = "by-hand-proxy"
    awx.hosts["plant-a-proxy"]["squid_workers"] = 4
    awx.group("proxies")["hosts"].remove("plant-a-dmz-proxy")
    awx.group("sensors")["hosts"].append("plant-a-dmz-proxy")
    said = _mistakes(awx.given())
    assert [each.split(";")[0] for each in said] == [
        "by-hand: this run was given it, and REPO does not have it",
        "plant-a-line1-sensor: REPO has it, and this run was not given it",
        "plant-a-dmz-proxy: it is not in the group proxies, other than in REPO",
        "plant-a-dmz-proxy: it is in the group sensors, other than in REPO",
        "all hosts: squid_extra_endpoints is set in what this run was given, and not in REPO",
        "all hosts: vault_corp_proxy_password is set in REPO, and not in what this run was given",
        "the group sensors: sensor_proxy_via is another one in REPO than in what this run was given",
        "plant-a-proxy: squid_workers is set in what this run was given, and not in REPO",
    ]
    assert "secret.example" not in str(said)


def test_a_slice_is_named(awx: Awx) -> None:
    said = _mistakes(awx.given(lambda host: not host.endswith("packing-sensor")))
    assert said == [
        "plant-a-packing-sensor: REPO has it, and this run was not given it; in AWX, switch it on, and use no slices."
    ]


def test_a_path_that_is_wrong_or_unreadable_is_one_sentence(awx: Awx, tmp_path: Path) -> None:
    (wrong,) = repository.mistakes("inventories/nowhere", [awx.given()])
    assert wrong.startswith("topology_repository 'inventories/nowhere' is not in ")
    broken = tmp_path / "broken.yml"
    broken.write_text("all: [")
    assert len(repository.mistakes(str(broken), [awx.given()])) >= 1
