# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which walks prove a chain, and which sensors a proxy is asked about."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import hops
from ansible_collections.ot_security.proxy_chaining.plugins.modules import proxy_client_info
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import credentials
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._proof import walks
from hypothesis import given
from hypothesis import strategies as st

from .fake_found import chain

Graph = Any
GraphOf = Callable[..., Graph]

CORP = {"host": "proxy.corp.example", "port": 8080}


def _names(walk: Any) -> list[str]:
    return [hop["name"] for hop in walk["hops"]]


def _told(graph: Graph, proxy: str) -> list[tuple[str, str, bool, list[str]]]:
    return [(walk["kind"], walk["target"], walk["preferred"], _names(walk)) for walk in walks.walks_of(graph, proxy)]


def test_a_proxy_is_asked_itself_and_then_gone_around(graph_of: GraphOf) -> None:
    graph = graph_of(*chain("site", "dmz", "edge"))
    assert _told(graph, "site") == [
        ("self", "site", True, ["site", "dmz", "edge"]),
        ("parent", "dmz", True, ["dmz", "edge"]),
    ]
    assert _told(graph, "dmz") == [("self", "dmz", True, ["dmz", "edge"]), ("parent", "edge", True, ["edge"])]
    assert _told(graph, "edge") == [("self", "edge", True, ["edge"]), ("direct", "", True, [])]


def test_each_parent_has_a_walk_and_the_first_is_preferred(graph_of: GraphOf) -> None:
    graph = graph_of(
        {
            "site": {"ansible_host": "10.0.0.1", "squid_parents": ["b", CORP, "a"]},
            "a": {"ansible_host": "10.0.0.2", "squid_parents": [CORP]},
            "b": {"ansible_host": "10.0.0.3", "squid_parents": ["a"]},
        }
    )
    assert _told(graph, "site") == [
        ("self", "site", True, ["site", "b", "a", "proxy.corp.example"]),
        ("parent", "b", True, ["b", "a", "proxy.corp.example"]),
        ("parent", "proxy.corp.example", False, ["proxy.corp.example"]),
        ("parent", "a", False, ["a", "proxy.corp.example"]),
    ]


@pytest.mark.parametrize("count", [0, 1, 50])
def test_the_number_of_sensors_changes_no_walk(graph_of: GraphOf, count: int) -> None:
    proxies, sensors = chain("site", "dmz", sensors=["site"] * count)
    graph = graph_of(proxies, sensors)
    assert [walks.walks_of(graph, name) for name in proxies] == [
        walks.walks_of(graph_of(proxies), name) for name in proxies
    ]
    assert len(walks.sensors_of(graph, "site")) == count


@given(wanted=st.lists(st.lists(st.integers(0, 6), max_size=3, unique=True), min_size=1, max_size=7))
def test_every_link_is_walked_once(graph_of: GraphOf, wanted: list[list[int]]) -> None:
    proxies = {
        f"p{number}": {
            "ansible_host": f"10.0.0.{number + 1}",
            "squid_parents": [f"p{parent}" for parent in parents if parent < number],
        }
        for number, parents in enumerate(wanted)
    }
    graph = graph_of(proxies)
    links = [(name, parent) for name, host in proxies.items() for parent in host["squid_parents"] or [""]]
    walked = [(name, walk) for name in proxies for walk in walks.walks_of(graph, name)]
    assert Counter((name, walk["target"]) for name, walk in walked if walk["kind"] != "self") == Counter(links)
    assert [name for name, walk in walked if walk["kind"] == "self"] == list(proxies)


def test_hops_are_as_the_module_takes_them(graph_of: GraphOf) -> None:
    graph = graph_of(
        {
            "Site:A": {"ansible_host": "10.0.0.1", "squid_port": 3129, "squid_parents": [CORP]},
            "plain": {"ansible_host": "10.0.0.3", "squid_parents": ["Site:A"]},
        }
    )
    own, external = walks.walks_of(graph, "Site:A")[0]["hops"]
    assert own == {"name": "Site:A", "address": "127.0.0.1", "port": 3129, "hostname": "site_a"}
    assert external == {
        "name": "proxy.corp.example",
        "address": "proxy.corp.example",
        "port": 8080,
        "hostname": "proxy.corp.example",
    }
    (hop, _external) = walks.walks_of(graph, "plain")[1]["hops"]
    assert hop == {"name": "Site:A", "address": "10.0.0.1", "port": 3129, "hostname": "site_a"}


def test_tls_and_a_sign_in_are_walked_as_the_proxy_would_but_no_password_is_told(graph_of: GraphOf) -> None:
    login = {"username": "dmz", "password": "s3cret"}
    corp = {**CORP, **login, "tls": True, "tls_ca": "/etc/ca.pem", "tls_name": "corp.example"}
    given = {"site": [{"host": "dmz", "tls": True}], "dmz": [corp, {"host": "192.0.2.1", "port": 8080}]}
    graph = graph_of(
        {
            "site": {"ansible_host": "10.0.0.1", "squid_parents": given["site"]},
            "dmz": {"ansible_host": "10.0.0.2", "squid_tls_port": 3130, "squid_parents": given["dmz"]},
        }
    )
    dmz, beyond = walks.walks_of(graph, "site")[1]["hops"]
    assert (dmz["port"], dmz["tls"], dmz["tls_name"], "tls_ca" in dmz) == (3130, True, "dmz", False)
    assert beyond["username"] == "dmz"
    assert {key: beyond[key] for key in ("tls", "tls_ca", "tls_name")} == {
        "tls": True,
        "tls_ca": "/etc/ca.pem",
        "tls_name": "corp.example",
    }
    made = {name: walks.walks_of(graph, name) for name in ("site", "dmz")}
    assert "s3cret" not in json.dumps(made)
    for name, listed in made.items():
        for walk in listed:
            for hop in walk["hops"]:
                options = set(hops.HOP)
                assert {"name", "address", "port"} <= set(hop) <= options - {"password"}
            hostvars = {name: {"squid_parents": given[name]}}
            passwords = credentials.parent_passwords(name, graph["proxies"][name]["parents"], hostvars)
            signs_in = walk["kind"] == "parent" and "username" in walk["hops"][0]
            assert (walk["parent"] in passwords) == signs_in
    assert [walk["target"] for walk in made["dmz"] if walk["parent"] == "proxy.corp.example"] == [CORP["host"]]


def test_a_parent_at_two_ports_is_two_links_with_a_password_each(graph_of: GraphOf) -> None:
    parents = [{"host": "192.0.2.1", "port": port, "username": "u", "password": f"pw{port}"} for port in (1, 2)]
    graph = graph_of({"site": {"ansible_host": "10.0.0.1", "squid_parents": parents}})
    passwords = credentials.parent_passwords(
        "site", graph["proxies"]["site"]["parents"], {"site": {"squid_parents": parents}}
    )
    made = walks.walks_of(graph, "site")[1:]
    assert [(walk["hops"][0]["port"], passwords[walk["parent"]]) for walk in made] == [
        (1, "pw1"),
        (2, "pw2"),
    ]
    # Its own name for itself is most likely the one by which it is reached.
    assert {walk["hops"][0]["hostname"] for walk in made} == {"192.0.2.1"}


@pytest.mark.parametrize("length", [2, 3])
def test_a_cycle_ends(graph_of: GraphOf, length: int) -> None:
    """It is a mistake that is reported elsewhere; here it must only not hang."""
    proxies = {
        f"p{number}": {"ansible_host": f"10.0.0.{number + 1}", "squid_parents": [f"p{(number + 1) % length}"]}
        for number in range(length)
    }
    graph = graph_of({**proxies, "in": {"ansible_host": "10.0.0.9", "squid_parents": ["p0"]}})
    assert len(graph["mistakes"]) == 1
    for name in [*proxies, "in"]:
        assert all(len(walk["hops"]) <= length + 1 for walk in walks.walks_of(graph, name))


def test_sensors_are_as_the_module_takes_them(graph_of: GraphOf) -> None:
    plain = {"sensor_proxy_via": "site"}
    graph = graph_of(
        {
            "site": {"ansible_host": "10.0.0.250", "squid_parents": ["dmz"]},
            "dmz": {"ansible_host": "10.0.1.250"},
        },
        {
            "s1": plain | {"sensor_proxy_src": ["10.0.0.1", "10.0.0.2"]},
            "s2": plain
            | {"ansible_host": "10.0.0.3", "sensor_proxy_username": "u2", "sensor_proxy_password": "s3cret"}
            | {"sensor_proxy_previous_username": "u1", "sensor_proxy_previous_password": "s3cret"},
            "s3": {"ansible_host": "10.0.1.3", "sensor_proxy_via": "dmz"},
        },
    )
    assert graph["mistakes"] == []
    sensors = walks.sensors_of(graph, "site")
    assert sensors == [
        {"name": "s1", "addresses": ["10.0.0.1", "10.0.0.2"]},
        {"name": "s2", "addresses": ["10.0.0.3"], "username": "u2", "previous_username": "u1"},
    ]
    assert all(set(sensor) <= set(proxy_client_info.CLIENT) for sensor in sensors)
    # The child proxy is a client as well, and no sensor.
    assert [sensor["name"] for sensor in walks.sensors_of(graph, "dmz")] == ["s3"]
