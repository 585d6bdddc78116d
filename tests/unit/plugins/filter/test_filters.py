# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters as Ansible finds and calls them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import graph_file, topology

NAMES = [
    "admissions",
    "azure_plan",
    "cloud_problem",
    "connectivity",
    "deployment",
    "multicloud_plan",
    "passwords",
    "shown",
]
PACKAGE = "ansible_collections.ot_security.proxy_chaining.plugins.filter"

HOSTVARS: dict[str, dict[str, Any]] = {
    "site": {
        "ansible_host": "10.0.0.250",
        "squid_auth_enabled": True,
        "squid_parents": [{"host": "proxy.corp.example", "port": 8080, "username": "u", "password": "s3cret"}],
    },
    "sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_username": "plant", "sensor_proxy_password": "pw"},
}
GROUPS = {"proxies": ["site"], "sensors": ["sensor1"], "all": ["site", "sensor1"]}


def _filter(name: str) -> Callable[..., Any]:
    filters = importlib.import_module(f"{PACKAGE}.{name}").FilterModule().filters()
    assert list(filters) == [name]
    found: Callable[..., Any] = filters[name]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_each_file_gives_the_filter_of_its_name(name: str) -> None:
    assert callable(_filter(name))


@pytest.mark.parametrize("name", NAMES)
def test_no_parameter_has_a_name_of_ansibles_own(name: str) -> None:
    """ansible-core 2.19 and later calls each filter by a function with a parameter of its own."""
    assert "instance" not in inspect.signature(_filter(name)).parameters


def _topology(hostvars: dict[str, Any]) -> dict[str, str]:
    """Return what the module topology returns of the file."""
    return {"file": graph_file.keep(topology.of_groups(hostvars, GROUPS))}


def test_passwords_of_clients() -> None:
    assert _filter("passwords")(_topology(HOSTVARS), HOSTVARS, "site", of="clients") == [
        {"username": "plant", "password": "pw"}
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, {"plant", "former"}),
        ({"auth_enabled": True, "auth_accept_previous": True}, {"plant", "former"}),
        ({"auth_enabled": True, "auth_accept_previous": False}, {"plant"}),
        ({"auth_enabled": False, "auth_accept_previous": True}, set()),
    ],
)
def test_passwords_of_clients_are_those_that_the_proxy_lets_sign_in(
    settings: dict[str, bool] | None, expected: set[str]
) -> None:
    previous = {"sensor_proxy_previous_username": "former", "sensor_proxy_previous_password": "pw1"}
    hostvars = HOSTVARS | {"sensor1": HOSTVARS["sensor1"] | previous}
    users = _filter("passwords")(_topology(hostvars), hostvars, "site", of="clients", settings=settings)
    assert {user["username"]: user["password"] for user in users} == {
        name: password for name, password in {"plant": "pw", "former": "pw1"}.items() if name in expected
    }


def test_passwords_of_clients_fails_with_a_sentence() -> None:
    hostvars = HOSTVARS | {"sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_username": "plant"}}
    with pytest.raises(AnsibleFilterError, match=r"sensor1: sensor_proxy_password is not set, .*; set both\.$"):
        _filter("passwords")(_topology(HOSTVARS), hostvars, "site", of="clients")


def test_admissions() -> None:
    graph = _topology(HOSTVARS)
    wanted = {"auth_enabled": True, "auth_accept_previous": True, "acl_layout": "combined"}
    where = {"port": 3128, "tls_port": 3129, "listen_addresses": ["10.0.0.250"]}
    assert _filter("admissions")(graph, "site", wanted | where) == {
        "acls": [{"acl": "clients", "client": "sensor1", "addresses": ["10.0.0.1"], "users": ["plant"]}],
        "rules": [{"acl": "clients", "login": "users"}],
        "users": [],
        "addresses": ["10.0.0.1"],
        "ports": [3128, 3129],
        "leaving": [],
        "kept_users": [],
        "moving_users": [],
        "listeners": [],
    }


def test_deployment() -> None:
    graph = _topology(HOSTVARS)
    look = {"__squid_host": {"unreachable": True, "msg": "timed out"}}
    said = "site: it could not be reached, and was not touched: timed out."
    assert _filter("deployment")(graph, {"site": look, "sensor1": {}}, before_tier=0, sensors=True) == {
        "problems": {"site": said},
        "changed": [],
        "lost": {},
        "arrived": [],
        "finish": [],
        "left_over": [],
        "verdicts": {"site": said},
        "ready": [],
        "rotating": [],
        "left_behind": [],
    }


def test_passwords_of_parents_are_named_as_the_templates_placeholders() -> None:
    secrets = _filter("passwords")(_topology(HOSTVARS), HOSTVARS, "site", of="parents")
    assert secrets == {"parent:proxy.corp.example": "s3cret"}


def test_passwords_of_a_host_that_is_no_proxy() -> None:
    with pytest.raises(AnsibleFilterError, match="there is no proxy 'ghost' in the topology"):
        _filter("passwords")(_topology(HOSTVARS), HOSTVARS, "ghost", of="clients")


@pytest.mark.parametrize("result", [{}, {"file": "/nowhere"}, None, "text"])
def test_what_is_no_topology_of_this_run(result: object) -> None:
    with pytest.raises(AnsibleError, match="is not what the module topology returned in this run"):
        _filter("deployment")(result, {})
