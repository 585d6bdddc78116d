# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the topology holds when the inventory has no mistake."""

from __future__ import annotations

import graphlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import inventory, topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._proof import walks
from hypothesis import given
from hypothesis import strategies as st

COLLECTION = Path(topology.__file__).parents[3]
Graph = Any
GraphOf = Callable[..., Graph]

CORP = {"host": "proxy.corp.example", "port": 8080}


def _sound(graph: Graph) -> Graph:
    assert graph["mistakes"] == []
    return graph


def _parent(graph: Graph, proxy: str) -> Graph:
    parent: Graph
    (parent,) = graph["proxies"][proxy]["parents"]
    return parent


def _clients(graph: Graph, proxy: str) -> dict[str, list[str]]:
    clients = graph["proxies"][proxy]["clients"]
    found = {client["name"]: client["addresses"] for client in clients}
    assert len(found) == len(clients), "a client is listed twice"
    return found


def test_the_chain_of_the_documentation(graph_of: GraphOf) -> None:
    graph = graph_of(
        {
            "plant-a-proxy": {"ansible_host": "10.100.100.250", "squid_parents": ["dmz-proxy"]},
            "dmz-proxy": {"ansible_host": "10.50.0.10", "squid_parents": [CORP]},
        },
        {"sensor1": {"ansible_host": "10.100.100.1", "sensor_proxy_via": "plant-a-proxy"}},
    )
    plain = {"username": None, "tls": False, "tls_ca": None}
    assert graph == {
        "proxies": {
            "plant-a-proxy": {
                "acl": "plant-a-proxy",
                "addresses": ["10.100.100.250"],
                "port": 3128,
                "kind": "host",
                "tls_port": None,
                "tier": 1,
                "after": ["dmz-proxy"],
                "parents": [
                    {
                        "name": "dmz-proxy",
                        "acl": "dmz-proxy",
                        "kind": "inventory",
                        "address": "10.50.0.10",
                        "port": 3128,
                    }
                    | {"tls_name": "dmz-proxy"}
                    | plain
                ],
                "clients": [
                    {
                        "name": "sensor1",
                        "acl": "sensor1",
                        "kind": "sensor",
                        "addresses": ["10.100.100.1"],
                        "username": None,
                        "previous_username": None,
                    }
                ],
            },
            "dmz-proxy": {
                "acl": "dmz-proxy",
                "addresses": ["10.50.0.10"],
                "port": 3128,
                "kind": "host",
                "tls_port": None,
                "tier": 0,
                "after": [],
                "parents": [
                    {
                        "name": "proxy.corp.example",
                        "acl": "proxy.corp.example",
                        "kind": "external",
                        "address": "proxy.corp.example",
                        "port": 8080,
                    }
                    | {"tls_name": "proxy.corp.example"}
                    | plain
                ],
                "clients": [
                    {
                        "name": "plant-a-proxy",
                        "acl": "plant-a-proxy",
                        "kind": "proxy",
                        "addresses": ["10.100.100.250"],
                        "username": None,
                        "previous_username": None,
                    }
                ],
            },
        },
        "sensors": {
            "sensor1": {
                "acl": "sensor1",
                "addresses": ["10.100.100.1"],
                "proxy": {"address": "10.100.100.250", "port": 3128},
                "path": ["plant-a-proxy", "dmz-proxy", "proxy.corp.example"],
            }
        },
        "pairs": {},
        "tiers": [["dmz-proxy"], ["plant-a-proxy"]],
        "tunnels": {},
        "mistakes": [],
    }


def test_an_empty_inventory(graph_of: GraphOf) -> None:
    nothing: Graph = {"proxies": {}, "pairs": {}, "sensors": {}, "tiers": [], "tunnels": {}, "mistakes": []}
    assert graph_of({}) == nothing


def test_the_roles_defaults_are_those_of_the_model(graph_of: GraphOf) -> None:
    defaults = yaml.safe_load((COLLECTION / "roles/squid/defaults/main.yml").read_text())
    host = {"ansible_host": "10.0.0.1"}
    assert graph_of({"site": defaults | host}) == _sound(graph_of({"site": host}))
    assert defaults["squid_port"] == inventory.DEFAULT_PORT


def test_the_only_proxy_needs_no_naming(graph_of: GraphOf) -> None:
    graph = _sound(graph_of({"site": {"ansible_host": "10.0.0.250"}}, {"sensor1": {"ansible_host": "10.0.0.1"}}))
    assert graph["sensors"]["sensor1"]["path"] == ["site"]
    assert _clients(graph, "site") == {"sensor1": ["10.0.0.1"]}


def test_names_become_acl_names(graph_of: GraphOf) -> None:
    graph = _sound(graph_of({"Site:A": {"ansible_host": "10.0.0.250"}}, {"Sensor@1": {"ansible_host": "10.0.0.1"}}))
    assert graph["proxies"]["Site:A"]["acl"] == "site_a"
    assert graph["proxies"]["Site:A"]["clients"][0]["acl"] == graph["sensors"]["Sensor@1"]["acl"] == "sensor_1"


class TestParents:
    def test_keep_their_order(self, graph_of: GraphOf) -> None:
        graph = _sound(
            graph_of(
                {
                    "site": {"ansible_host": "10.0.0.1", "squid_parents": ["b", CORP, "a"]},
                    "a": {"ansible_host": "10.0.0.2"},
                    "b": {"ansible_host": "10.0.0.3"},
                },
                {"sensor1": {"ansible_host": "10.0.0.9", "sensor_proxy_via": "site"}},
            )
        )
        assert [parent["name"] for parent in graph["proxies"]["site"]["parents"]] == ["b", "proxy.corp.example", "a"]
        assert graph["sensors"]["sensor1"]["path"] == ["site", "b"]

    @pytest.mark.parametrize("host", ["proxy.corp.example", "192.0.2.1", "2001:db8::1"])
    def test_outside_of_the_inventory(self, graph_of: GraphOf, host: str) -> None:
        given = {"host": host, "port": "8080", "username": "u", "password": "p", "tls": True, "tls_ca": "/etc/ca.pem"}
        parent = _parent(_sound(graph_of({"site": {"ansible_host": "10.0.0.1", "squid_parents": [given]}})), "site")
        assert parent == {
            "name": host,
            "acl": host.replace(":", "_"),
            "kind": "external",
            "address": host,
            "port": 8080,
            "username": "u",
            "tls": True,
            "tls_ca": "/etc/ca.pem",
            "tls_name": host,
        }

    def test_may_have_a_certificate_of_another_name(self, graph_of: GraphOf) -> None:
        given = {"host": "192.0.2.1", "port": 8443, "tls": True, "tls_name": "proxy.corp.example"}
        parent = _parent(_sound(graph_of({"site": {"ansible_host": "10.0.0.1", "squid_parents": [given]}})), "site")
        assert (parent["address"], parent["tls_name"]) == ("192.0.2.1", "proxy.corp.example")

    @pytest.mark.parametrize(
        ("entry", "port"),
        [
            ("dmz", 3129),
            ({"host": "dmz"}, 3129),
            ({"host": "dmz", "tls": True}, 3130),
            ({"host": "dmz", "tls": "false"}, 3129),
            ({"host": "dmz", "port": 8080}, 8080),
            ({"host": "dmz", "port": 8443, "tls": True}, 8443),
        ],
    )
    def test_are_reached_at_their_port(self, graph_of: GraphOf, entry: object, port: int) -> None:
        graph = graph_of(
            {
                "site": {"ansible_host": "10.0.0.1", "squid_parents": [entry]},
                "dmz": {"ansible_host": "10.0.0.2", "squid_port": 3129, "squid_tls_port": 3130},
            }
        )
        assert _parent(_sound(graph), "site")["port"] == port

    def test_may_be_reached_by_name(self, graph_of: GraphOf) -> None:
        graph = graph_of({"site": {"ansible_host": "10.0.0.1", "squid_parents": ["dmz"]}, "dmz": {}})
        assert _parent(_sound(graph), "site")["address"] == "dmz"

    def test_at_two_ports_have_names_of_their_own(self, graph_of: GraphOf) -> None:
        entries = [{"host": "192.0.2.1", "port": port} for port in (1, 2, 3)]
        graph = _sound(graph_of({"site": {"ansible_host": "10.0.0.1", "squid_parents": entries}}))
        assert len({parent["acl"] for parent in graph["proxies"]["site"]["parents"]}) == 3

    def test_at_two_ports_have_the_child_as_client_once(self, graph_of: GraphOf) -> None:
        graph = graph_of(
            {
                "site": {"ansible_host": "10.0.0.1", "squid_parents": ["dmz", {"host": "dmz", "port": 3129}]},
                "dmz": {"ansible_host": "10.0.0.2"},
            }
        )
        assert _clients(_sound(graph), "dmz") == {"site": ["10.0.0.1"]}

    def test_know_the_user_name_of_the_child(self, graph_of: GraphOf) -> None:
        entry = {"host": "dmz", "username": "site-a", "password": "p"}
        graph = _sound(
            graph_of(
                {
                    "site": {"ansible_host": "10.0.0.1", "squid_parents": [entry]},
                    "dmz": {"ansible_host": "10.0.0.2", "squid_auth_enabled": True},
                }
            )
        )
        assert _parent(graph, "site")["username"] == "site-a"
        assert graph["proxies"]["dmz"]["clients"][0]["username"] == "site-a"


@pytest.mark.parametrize("off", [None, 0, "0"])
def test_no_tls_listener(graph_of: GraphOf, off: object) -> None:
    graph = _sound(graph_of({"site": {"ansible_host": "10.0.0.1", "squid_tls_port": off}}))
    assert graph["proxies"]["site"]["tls_port"] is None


@pytest.mark.parametrize("yes", [True, 1, "yes", "y", "on", "True", "t", "1"])
def test_what_ansible_takes_as_true_is_true(graph_of: GraphOf, yes: object) -> None:
    graph = graph_of(
        {"site": {"ansible_host": "10.0.0.2", "squid_auth_enabled": yes}}, {"s": {"ansible_host": "10.0.0.1"}}
    )
    assert len(graph["mistakes"]) == 1


def _networks(version: int) -> tuple[str, str]:
    return {4: ("10.100.100.{}", "10.50.0.{}"), 6: ("2001:db8:100::{}", "2001:db8:50::{}")}[version]


@pytest.mark.parametrize(("version", "prefix"), [(4, 24), (6, 64)], ids=["ipv4", "ipv6"])
class TestDualHomed:
    def test_each_client_gets_and_shows_the_address_in_its_own_network(
        self, graph_of: GraphOf, version: int, prefix: int
    ) -> None:
        ot, dmz = _networks(version)
        graph = _sound(
            graph_of(
                {
                    "site": {
                        "ansible_host": "management.example",
                        "squid_addresses": [f"{dmz.format(20)}/{prefix}", f"{ot.format(250)}/{prefix}"],
                        "squid_parents": ["dmz"],
                    },
                    "dmz": {
                        "ansible_host": "management.example",
                        "squid_addresses": [f"192.0.2.10/{24}", f"{dmz.format(10)}/{prefix}"],
                    },
                },
                {"sensor1": {"ansible_host": ot.format(1), "sensor_proxy_via": "site"}},
            )
        )
        assert graph["sensors"]["sensor1"]["proxy"]["address"] == ot.format(250)
        assert _parent(graph, "site")["address"] == dmz.format(10)
        assert _clients(graph, "dmz") == {"site": [dmz.format(20)]}

    def test_squid_src_is_what_the_parent_sees(self, graph_of: GraphOf, version: int, prefix: int) -> None:
        ot, dmz = _networks(version)
        graph = _sound(
            graph_of(
                {
                    "site": {
                        "squid_addresses": [f"{ot.format(250)}/{prefix}", f"{dmz.format(20)}/{prefix}"],
                        "squid_src": [dmz.format(77), dmz.format(78)],
                        "squid_parents": ["dmz"],
                    },
                    "dmz": {"squid_addresses": [f"{dmz.format(10)}/{prefix}"]},
                }
            )
        )
        assert _clients(graph, "dmz") == {"site": [dmz.format(77), dmz.format(78)]}
        assert _parent(graph, "site")["address"] == dmz.format(10)

    def test_squid_src_may_be_one_address(self, graph_of: GraphOf, version: int, prefix: int) -> None:
        ot, dmz = _networks(version)
        graph = graph_of(
            {
                "site": {"ansible_host": "site.example", "squid_src": dmz.format(77), "squid_parents": ["dmz"]},
                "dmz": {"squid_addresses": [f"{ot.format(10)}/{prefix}", f"{dmz.format(10)}/{prefix}"]},
            }
        )
        assert _clients(_sound(graph), "dmz") == {"site": [dmz.format(77)]}
        assert _parent(graph, "site")["address"] == dmz.format(10)

    def test_without_a_shared_network_the_first_address_and_all_sources_count(
        self, graph_of: GraphOf, version: int, prefix: int
    ) -> None:
        ot, dmz = _networks(version)
        graph = _sound(
            graph_of(
                {
                    "site": {"squid_addresses": [ot.format(250), dmz.format(20)], "squid_parents": ["dmz"]},
                    "dmz": {"squid_addresses": [f"192.0.2.10/{24}", f"198.51.100.10/{24}"]},
                },
                {"sensor1": {"ansible_host": dmz.format(1), "sensor_proxy_via": "site"}},
            )
        )
        assert _clients(graph, "dmz") == {"site": [ot.format(250), dmz.format(20)]}
        assert _parent(graph, "site")["address"] == "192.0.2.10"
        assert graph["sensors"]["sensor1"]["proxy"]["address"] == ot.format(250)

    def test_a_sensors_source_address_is_not_where_ansible_connects(
        self, graph_of: GraphOf, version: int, prefix: int
    ) -> None:
        ot, dmz = _networks(version)
        graph = _sound(
            graph_of(
                {"site": {"squid_addresses": [f"{dmz.format(20)}/{prefix}", f"{ot.format(250)}/{prefix}"]}},
                {"sensor1": {"ansible_host": "console.example", "sensor_proxy_src": [ot.format(1), ot.format(2)]}},
            )
        )
        assert _clients(graph, "site") == {"sensor1": [ot.format(1), ot.format(2)]}
        assert graph["sensors"]["sensor1"]["proxy"]["address"] == ot.format(250)


def test_a_sensor_with_both_families_uses_the_network_it_shares(graph_of: GraphOf) -> None:
    graph = _sound(
        graph_of(
            {"site": {"squid_addresses": ["192.0.2.250/24", "2001:db8:100::250/64"]}},
            {"sensor1": {"sensor_proxy_src": ["10.100.100.1", "2001:db8:100::1"]}},
        )
    )
    assert graph["sensors"]["sensor1"]["proxy"]["address"] == "2001:db8:100::250"


def test_proxies_without_order_between_them_share_a_tier(graph_of: GraphOf) -> None:
    proxies = {"a": ["top"], "b": ["top", "side"], "top": [], "side": ["top"], "alone": []}
    graph = graph_of(
        {
            name: {"ansible_host": f"10.0.0.{number}", "squid_parents": parents}
            for number, (name, parents) in enumerate(proxies.items(), 1)
        }
    )
    assert _sound(graph)["tiers"] == [["top", "alone"], ["a", "side"], ["b"]]
    assert {name: entry["tier"] for name, entry in graph["proxies"].items()} == {
        "a": 1,
        "b": 2,
        "top": 0,
        "side": 1,
        "alone": 0,
    }


NAMES = [f"p{number}" for number in range(6)]


@given(
    parents=st.dictionaries(
        st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), unique=True, max_size=3), min_size=1
    ),
    first_hops=st.lists(st.none() | st.sampled_from(NAMES), max_size=4),
)
def test_any_graph_is_refused_or_ordered_parents_first(
    graph_of: GraphOf, parents: dict[str, list[str]], first_hops: list[str | None]
) -> None:
    graph = graph_of(
        {name: {"ansible_host": f"10.0.0.{name[1:]}", "squid_parents": parents[name]} for name in parents},
        {f"s{n}": {"ansible_host": f"10.0.1.{n}", "sensor_proxy_via": via} for n, via in enumerate(first_hops)},
    )
    assert bool(graph["mistakes"]) is not _is_sound(parents, first_hops)
    if graph["mistakes"]:
        return
    tier = {name: number for number, names in enumerate(graph["tiers"]) for name in names}
    assert sum(map(len, graph["tiers"])) == len(tier) == len(parents)
    assert all(tier[parent] < tier[name] for name, above in parents.items() for parent in above)
    assert all(graph["proxies"][name]["tier"] == number for name, number in tier.items())
    for sensor in graph["sensors"].values():
        assert parents[sensor["path"][-1]] == []
        assert all(
            parents[hop][0] == following for hop, following in zip(sensor["path"], sensor["path"][1:], strict=False)
        )


def _is_sound(parents: dict[str, list[str]], first_hops: list[str | None]) -> bool:
    known = {parent for above in parents.values() for parent in above} <= parents.keys()
    placed = all(via in parents if via else len(parents) == 1 for via in first_hops)
    try:
        graphlib.TopologicalSorter(parents).prepare()
    except graphlib.CycleError:
        return False
    return known and placed


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["site", "10.0.0.1", "s"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(inventory._PARENT_KEYS)) | st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(
    site=st.fixed_dictionaries({}, optional=dict.fromkeys(inventory._PROXY_VARIABLES, ANYTHING)),
    sensor=st.fixed_dictionaries({}, optional=dict.fromkeys(inventory._SENSOR_VARIABLES, ANYTHING)),
)
def test_any_value_of_any_variable_is_used_or_a_mistake(
    graph_of: GraphOf, site: dict[str, object], sensor: dict[str, object]
) -> None:
    graph = graph_of({"site": site, "other": {"ansible_host": "10.0.0.2", "squid_parents": ["site"]}}, {"s": sensor})
    json.dumps(graph)
    assert all(isinstance(mistake, str) for mistake in graph["mistakes"])


@pytest.mark.parametrize("auth", [{}, {"squid_auth_enabled": True, "squid_auth_accept_previous": False}])
def test_a_sensor_in_rotation_is_one_client_with_two_users_and_no_password(
    graph_of: GraphOf, auth: dict[str, bool]
) -> None:
    login = {
        "sensor_proxy_username": "plant-2",
        "sensor_proxy_password": "pl4nted-new",
        "sensor_proxy_previous_username": "plant-1",
        "sensor_proxy_previous_password": "pl4nted-old",
    }
    site = {"ansible_host": "10.0.0.250"} | auth
    graph = _sound(graph_of({"site": site}, {"s": {"ansible_host": "10.0.0.1"} | login}))
    (client,) = graph["proxies"]["site"]["clients"]
    assert (client["username"], client["previous_username"]) == ("plant-2", "plant-1")
    assert "pl4nted" not in json.dumps(graph)


AT_DMZ = {"host": "10.0.0.2", "port": 3128}


@pytest.mark.parametrize("host", ["10.0.0.2", "::ffff:10.0.0.2", "10.0.0.9"])
def test_a_parent_that_is_named_by_the_address_of_a_proxy_is_that_proxy(graph_of: GraphOf, host: str) -> None:
    login = {"username": "u", "password": "p"}
    graph = graph_of(
        {
            "site": {"ansible_host": "10.0.0.1", "squid_parents": [AT_DMZ | login | {"host": host}]},
            "dmz": {"squid_addresses": ["10.0.0.2", "10.0.0.9"], "squid_auth_enabled": True},
        },
        {"sensor1": {"ansible_host": "10.0.1.1", "sensor_proxy_via": "site"}},
    )
    assert graph["mistakes"] == []
    (parent,) = graph["proxies"]["site"]["parents"]
    assert (parent["name"], parent["kind"], parent["port"]) == ("dmz", "inventory", 3128)
    assert parent["address"] == host.removeprefix("::ffff:")
    assert [client["addresses"] for client in graph["proxies"]["dmz"]["clients"]] == [["10.0.0.1"]]
    assert graph["sensors"]["sensor1"]["path"] == ["site", "dmz"]


@pytest.mark.parametrize(
    ("parent", "others"),
    [
        # Another service on the host.
        (AT_DMZ | {"port": 8080}, {}),
        # Two plants with the same plan of addresses.
        (AT_DMZ, {"other": {"ansible_host": "10.0.0.2"}}),
    ],
)
def test_a_parent_that_may_be_another_is_external(graph_of: GraphOf, parent: Any, others: Any) -> None:
    proxies = {"site": {"ansible_host": "10.0.0.1", "squid_parents": [parent]}, "dmz": {"ansible_host": "10.0.0.2"}}
    graph = graph_of({**proxies, **others})
    assert graph["proxies"]["site"]["parents"][0]["kind"] == "external"
    assert graph["proxies"]["dmz"]["clients"] == []


@pytest.mark.parametrize("host", ["site", "10.0.0.1", "127.0.0.1", "::1", "localhost"])
def test_a_proxy_that_names_itself(graph_of: GraphOf, host: str) -> None:
    proxy = {"ansible_host": "10.0.0.1", "squid_parents": [{"host": host, "port": 3128}]}
    assert graph_of({"site": proxy})["mistakes"] == [f"site: squid_parents {host!r} is the proxy itself."]


@pytest.mark.parametrize(
    ("user", "escaped"),
    [("CORP\\svc-ot", "CORP%5Csvc-ot"), ("svc ot", "svc%20ot"), ("100%", "100%25"), ("a@b", "a@b"), ("-x", "-x")],
)
def test_the_user_at_an_external_parent_is_escaped_as_squid_reads_it(
    graph_of: GraphOf, user: str, escaped: str
) -> None:
    graph = graph_of(
        {"site": {"ansible_host": "10.0.0.1", "squid_parents": [CORP | {"username": user, "password": "p"}]}}
    )
    assert graph["mistakes"] == []
    assert graph["proxies"]["site"]["parents"][0]["username"] == escaped
    (walk,) = (walk for walk in walks.walks_of(graph, "site") if walk["kind"] == "parent")
    assert walk["hops"][0]["username"] == user


def test_the_user_at_a_proxy_of_the_inventory_is_one_that_its_acl_can_name(graph_of: GraphOf) -> None:
    parent = {"host": "dmz", "username": "a b", "password": "p"}
    proxies = {"site": {"ansible_host": "10.0.0.1", "squid_parents": [parent]}, "dmz": {"ansible_host": "10.0.0.2"}}
    (mistake,) = graph_of(proxies)["mistakes"]
    assert mistake.startswith("site: squid_parents.username 'a b' has a blank")


def test_ten_thousand_sensors_take_seconds_and_hold_no_password(graph_of: GraphOf) -> None:
    secret = "pl4nted-s3cret"
    login = {"username": "u", "password": secret}
    proxies: dict[str, dict[str, Any]] = {
        f"plant{n}": {
            "ansible_host": f"10.255.0.{n}",
            "squid_parents": [{"host": "dmz"} | login],
            "squid_auth_enabled": True,
        }
        for n in range(10)
    }
    proxies["dmz"] = {"ansible_host": "10.255.1.1", "squid_parents": [CORP | login], "squid_auth_enabled": True}
    sensors = {
        f"sensor{n}": {
            "ansible_host": f"10.{n % 10}.{n // 250}.{n % 250 + 1}",
            "sensor_proxy_via": f"plant{n % 10}",
            "sensor_proxy_username": f"user{n}",
            "sensor_proxy_password": secret,
            "sensor_proxy_previous_username": f"former{n}",
            "sensor_proxy_previous_password": secret,
            "ansible_password": secret,
        }
        for n in range(10_000)
    }
    started = time.process_time()
    graph = graph_of(proxies, sensors)
    assert time.process_time() - started < 15  # 1 to 2 where it was written
    assert sum(len(entry["clients"]) for entry in _sound(graph)["proxies"].values()) == 10_010
    assert secret not in json.dumps(graph)
