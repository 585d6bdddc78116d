# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters as Ansible finds and calls them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

NAMES = [
    "admissions",
    "azure_plan",
    "cloud_problem",
    "chain_sensors",
    "chain_walks",
    "client_users",
    "connectivity",
    "connectivity_table",
    "deployment",
    "endpoint_names",
    "endpoints",
    "explain",
    "parent_passwords",
    "shown",
    "topology",
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


def test_topology_reads_the_groups() -> None:
    graph = _filter("topology")(HOSTVARS, GROUPS)
    assert graph["mistakes"] == []
    assert graph["sensors"]["sensor1"]["path"] == ["site", "proxy.corp.example"]


def test_topology_takes_the_names_of_the_groups() -> None:
    groups = {"squids": ["site"], "probes": ["sensor1"], "proxies": ["nobody"]}
    graph = _filter("topology")(HOSTVARS, groups, proxies_group="squids", sensors_group="probes")
    assert (list(graph["proxies"]), list(graph["sensors"])) == (["site"], ["sensor1"])


def test_topology_names_the_given_group_in_its_sentences() -> None:
    hostvars = {"site": {"ansible_host": "10.0.0.250", "squid_parents": ["ghost"]}}
    (sentence,) = _filter("topology")(hostvars, {"squids": ["site"]}, "squids")["mistakes"]
    assert "'ghost' is not in the group 'squids'" in sentence


@pytest.mark.parametrize("groups", [{}, {"squids": []}])
def test_topology_without_proxies_is_a_mistake(groups: dict[str, list[str]]) -> None:
    graph = _filter("topology")({}, groups, proxies_group="squids")
    assert graph["mistakes"] == ["the inventory has no host in the group 'squids'; put the proxies there."]


def test_topology_returns_mistakes_and_raises_none() -> None:
    graph = _filter("topology")({"all": {"squid_port": 0}}, {"proxies": ["all"]})
    assert len(graph["mistakes"]) == 2


def test_client_users() -> None:
    clients = _filter("topology")(HOSTVARS, GROUPS)["proxies"]["site"]["clients"]
    assert _filter("client_users")(clients, HOSTVARS, "site") == [{"username": "plant", "password": "pw"}]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, {"plant", "former"}),
        ({"auth_enabled": True, "auth_accept_previous": True}, {"plant", "former"}),
        ({"auth_enabled": True, "auth_accept_previous": False}, {"plant"}),
        ({"auth_enabled": False, "auth_accept_previous": True}, set()),
    ],
)
def test_client_users_are_those_that_the_proxy_lets_sign_in(
    settings: dict[str, bool] | None, expected: set[str]
) -> None:
    previous = {"sensor_proxy_previous_username": "former", "sensor_proxy_previous_password": "pw1"}
    hostvars = HOSTVARS | {"sensor1": HOSTVARS["sensor1"] | previous}
    clients = _filter("topology")(hostvars, GROUPS)["proxies"]["site"]["clients"]
    users = _filter("client_users")(clients, hostvars, "site", settings)
    assert {user["username"]: user["password"] for user in users} == {
        name: password for name, password in {"plant": "pw", "former": "pw1"}.items() if name in expected
    }


def test_client_users_fails_with_a_sentence() -> None:
    hostvars = HOSTVARS | {"sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_username": "plant"}}
    clients = _filter("topology")(HOSTVARS, GROUPS)["proxies"]["site"]["clients"]
    with pytest.raises(AnsibleFilterError, match=r"sensor1: sensor_proxy_password is not set, .*; set both\.$"):
        _filter("client_users")(clients, hostvars, "site")


def test_admissions() -> None:
    graph = _filter("topology")(HOSTVARS, GROUPS)
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
    graph = _filter("topology")(HOSTVARS, GROUPS)
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


def test_parent_passwords_are_named_as_the_templates_placeholders() -> None:
    parents = _filter("topology")(HOSTVARS, GROUPS)["proxies"]["site"]["parents"]
    secrets = _filter("parent_passwords")(HOSTVARS["site"]["squid_parents"], parents)
    assert secrets == {"parent:proxy.corp.example": "s3cret"}


def test_endpoints() -> None:
    assert _filter("endpoints")(["*.azure-devices.net", "hub.azure-devices.net"]) == [".azure-devices.net"]


def test_endpoints_fails_with_a_sentence() -> None:
    with pytest.raises(AnsibleFilterError, match="not usable as endpoints: 'a b'; give host names"):
        _filter("endpoints")(["a b"])


@pytest.mark.parametrize("entries", ["hub.example.net", None, 42])
def test_endpoints_wants_a_list(entries: object) -> None:
    with pytest.raises(AnsibleFilterError, match="wants a list"):
        _filter("endpoints")(entries)


def test_endpoint_names() -> None:
    document = {"services": [{"url": "https://hub.azure-devices.net/"}, {"hosts": "a.blob.core.windows.net:443"}]}
    assert _filter("endpoint_names")(document) == ["a.blob.core.windows.net", "hub.azure-devices.net"]


@pytest.mark.parametrize("document", [{}, [], None, "", {"a": ["nothing here", 1]}])
def test_endpoint_names_fails_with_a_sentence(document: object) -> None:
    with pytest.raises(AnsibleFilterError, match="holds no host name and no URL; download it again from the portal"):
        _filter("endpoint_names")(document)
