# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import hostvars as chain_hostvars
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.credentials import client_users
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.topology import derive

RENDERED = "rendered"


class CountingHostVars(Mapping[str, Any]):
    """Like Ansible's hostvars: raw values are cheap, and an item goes through a template engine."""

    def __init__(self, hosts: dict[str, dict[str, Any]]) -> None:
        self._hosts = hosts
        self.engines: list[str] = []

    def raw_get(self, host: str) -> dict[str, Any]:
        return self._hosts[host]

    def __getitem__(self, host: str) -> dict[str, Any]:
        self.engines.append(host)
        return dict.fromkeys(self._hosts[host], RENDERED)

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)


class Vaulted:
    """Stands for the types that ansible-core gives to values whose text it has yet to make."""

    def __init__(self, plaintext: str = "") -> None:
        self._plaintext = plaintext
        self.decrypted = 0

    def __repr__(self) -> str:
        return "Vaulted()"

    def __str__(self) -> str:
        self.decrypted += 1
        return self._plaintext


@pytest.mark.parametrize("value", ["10.0.0.1", "", "100 %", 3128, 1.5, True, None], ids=repr)
def test_a_plain_value_needs_no_engine(value: object) -> None:
    hostvars = CountingHostVars({"a": {"x": value}})
    assert chain_hostvars.read(hostvars, "a", ("x",)) == {"x": value}
    assert hostvars.engines == []


@pytest.mark.parametrize(
    "value", ["{{ y }}", "{% if y %}1{% endif %}", "a {{ y }}", ["{{ y }}"], {"k": "{{ y }}"}, Vaulted()], ids=repr
)
def test_a_value_that_may_hold_a_template_is_rendered(value: object) -> None:
    hostvars = CountingHostVars({"a": {"x": value}})
    assert chain_hostvars.read(hostvars, "a", ("x",)) == {"x": RENDERED}


def test_only_named_variables_are_rendered() -> None:
    hostvars = CountingHostVars({"a": {"x": 1, "other": "{{ y }}"}})
    assert chain_hostvars.read(hostvars, "a", ("x", "absent")) == {"x": 1}
    assert hostvars.engines == []


def test_a_plain_mapping_is_read_as_it_is() -> None:
    assert chain_hostvars.read({"a": {"x": "{{ y }}", "z": 1}}, "a", ("x",)) == {"x": "{{ y }}"}


def test_an_inventory_costs_engines_only_where_it_has_templates() -> None:
    sensors = {f"sensor{n}": {"ansible_host": f"10.0.0.{n}"} for n in range(1, 201)}
    hostvars = CountingHostVars({"site": {"ansible_host": "10.0.1.1"}, **sensors, "late": {"ansible_host": "{{ ip }}"}})
    derive(hostvars, ["site"], [*sensors, "late"])
    assert hostvars.engines == ["late"]


def _signed_in(password: object, count: int) -> CountingHostVars:
    sensors = {
        f"s{n}": {"ansible_host": f"10.0.0.{n}", "sensor_proxy_username": f"u{n}", "sensor_proxy_password": password}
        for n in range(1, count + 1)
    }
    return CountingHostVars({"site": {"ansible_host": "10.0.1.1", "squid_auth_enabled": True}, **sensors})


def test_a_groups_vaulted_password_is_decrypted_once() -> None:
    password = Vaulted("pw")
    hostvars = _signed_in(password, 200)
    graph = derive(hostvars, ["site"], [f"s{n}" for n in range(1, 201)])
    assert graph["mistakes"] == []
    assert (password.decrypted, hostvars.engines) == (1, [])
    users = client_users("site", graph["proxies"]["site"]["clients"], hostvars)
    assert (len(users), set(users.values())) == (200, {"pw"})
    assert (password.decrypted, hostvars.engines) == (2, [])


def test_a_groups_templated_password_is_rendered_for_each_host() -> None:
    hostvars = _signed_in("{{ passwords[inventory_hostname] }}", 2)
    graph = derive(hostvars, ["site"], ["s1", "s2"])
    assert graph["mistakes"] == []
    assert hostvars.engines == ["s1", "s2"]


def test_a_password_that_nobody_asks_for_is_not_decrypted() -> None:
    password = Vaulted("pw")
    sensor = {"ansible_host": "10.0.0.1", "sensor_proxy_username": "u", "sensor_proxy_password": password}
    derive(CountingHostVars({"site": {"ansible_host": "10.0.1.1"}, "s": sensor}), ["site"], ["s"])
    assert password.decrypted == 0


def test_a_previous_password_is_not_decrypted_to_see_whether_it_is_there() -> None:
    previous = Vaulted("pw")
    sensor = {"ansible_host": "10.0.0.1", "sensor_proxy_previous_password": previous}
    hostvars = CountingHostVars({"site": {"ansible_host": "10.0.1.1"}, "s": sensor})
    (sentence,) = derive(hostvars, ["site"], ["s"])["mistakes"]
    assert sentence.startswith("s: sensor_proxy_previous_username is not set, ")
    assert previous.decrypted == 0


def test_a_templated_previous_password_is_not_rendered_where_nobody_signs_in() -> None:
    sensor = {"ansible_host": "10.0.0.1", "sensor_proxy_username": "u2", "sensor_proxy_previous_username": "u1"}
    sensor |= {"sensor_proxy_previous_password": "{{ vault_previous }}"}
    hostvars = CountingHostVars({"site": {"ansible_host": "10.0.1.1"}, "s": sensor})
    assert derive(hostvars, ["site"], ["s"])["mistakes"] == []
    assert hostvars.engines == []


def test_a_previous_password_that_the_proxy_leaves_out_is_not_decrypted() -> None:
    previous = Vaulted("pw")
    sensor = {
        "ansible_host": "10.0.0.1",
        "sensor_proxy_username": "u2",
        "sensor_proxy_password": "p2",
        "sensor_proxy_previous_username": "u1",
        "sensor_proxy_previous_password": previous,
    }
    site = {"ansible_host": "10.0.1.1", "squid_auth_enabled": True, "squid_auth_accept_previous": False}
    hostvars = CountingHostVars({"site": site, "s": sensor})
    graph = derive(hostvars, ["site"], ["s"])
    assert graph["mistakes"] == []
    assert client_users("site", graph["proxies"]["site"]["clients"], hostvars, previous=False) == {"u2": "p2"}
    assert previous.decrypted == 0


@pytest.mark.parametrize(("rendered", "mistakes"), [(RENDERED, 1), ("", 0), (None, 0)])
def test_a_previous_password_whose_template_is_empty_is_not_there(rendered: str | None, mistakes: int) -> None:
    class Rendering(CountingHostVars):
        def __getitem__(self, host: str) -> dict[str, Any]:
            return super().__getitem__(host) | {"sensor_proxy_previous_password": rendered}

    sensor = {"ansible_host": "10.0.0.1", "sensor_proxy_previous_password": "{{ vault_previous | default('') }}"}
    hostvars = Rendering({"site": {"ansible_host": "10.0.1.1"}, "s": sensor})
    assert len(derive(hostvars, ["site"], ["s"])["mistakes"]) == mistakes


def test_a_secret_does_not_show_itself() -> None:
    assert "pw" not in repr(chain_hostvars.read({"a": {"x": "pw"}}, "a", (), ("x",)))


def test_ansibles_own_hostvars_are_rendered(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        """
proxies:
  vars: {corp: proxy.corp.example, net: 10.0.0}
  hosts:
    site:
      ansible_host: "{{ net }}.250"
      squid_auth_enabled: "{{ false }}"
      squid_parents: [{host: "{{ corp }}", port: "{{ 8000 + 80 }}"}]
"""
    )
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(inventory)])
    hostvars = HostVars(manager, VariableManager(loader=loader, inventory=manager), loader)
    graph = derive(hostvars, ["site"], [])
    assert graph["mistakes"] == []
    assert graph["proxies"]["site"]["addresses"] == ["10.0.0.250"]
    parent = graph["proxies"]["site"]["parents"][0]
    assert (parent["address"], parent["port"]) == ("proxy.corp.example", 8080)
