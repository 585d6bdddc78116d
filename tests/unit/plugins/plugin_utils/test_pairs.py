# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies that share addresses: their place in the topology, the mistakes in them, and the verdict on who serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.deployment import deployment
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._proof import walks
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.changes import changes
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.junit import junit
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.picture import picture
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.table import table
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.view import view
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import check

from .fake_found import Found

GraphOf = Callable[..., Any]
Vars = dict[str, Any]

SHARED = {"proxy_vip_name": "plant", "proxy_vip_addresses": ["10.0.0.250/24", "10.1.0.250/24"]}


def members(**more: Any) -> Vars:
    """Two members, a parent, and a child whose parent is the pair."""
    pair = SHARED | {"squid_parents": ["dmz"]} | more
    return {
        "a": {"squid_addresses": ["10.0.0.11/24", "10.1.0.11/24"], **pair},
        "b": {"squid_addresses": ["10.0.0.12/24", "10.1.0.12/24"], **pair},
        "dmz": {"squid_addresses": ["10.1.0.21/24"]},
        "child": {"squid_addresses": ["10.0.0.31/24"], "squid_parents": ["plant"]},
    }


def both(change: Vars) -> dict[str, Vars]:
    return {"a": change, "b": change}


SENSORS: Vars = {"s1": {"sensor_proxy_src": "10.0.0.1", "sensor_proxy_via": "plant"}}


def test_a_pair_stands_where_a_proxy_can(graph_of: GraphOf) -> None:
    graph = graph_of(members(), SENSORS)
    assert graph["mistakes"] == []
    assert graph["pairs"] == {
        "plant": {
            "members": ["a", "b"],
            "router_id": 51,
            "addresses": [
                {"address": "10.0.0.250", "prefix": 24, "own": {"a": "10.0.0.11", "b": "10.0.0.12"}},
                {"address": "10.1.0.250", "prefix": 24, "own": {"a": "10.1.0.11", "b": "10.1.0.12"}},
            ],
        }
    }
    assert graph["sensors"]["s1"]["proxy"] == {"address": "10.0.0.250", "port": 3128}
    assert graph["sensors"]["s1"]["path"] == ["plant", "dmz"]
    (parent,) = graph["proxies"]["child"]["parents"]
    assert (parent["name"], parent["kind"], parent["address"]) == ("plant", "pair", "10.0.0.250")
    for member in "ab":
        assert [client["name"] for client in graph["proxies"][member]["clients"]] == ["child", "s1"]
        assert graph["proxies"][member]["addresses"][-2:] == ["10.0.0.250", "10.1.0.250"]


def test_one_more_pair_takes_no_more_turns_than_two_more_proxies(graph_of: GraphOf) -> None:
    """All first members have their turn together, and then all second ones."""
    more = {"proxy_vip_name": "other", "proxy_vip_addresses": ["10.2.0.250/24"], "squid_parents": ["dmz"]}
    pair = {name: {"squid_addresses": [f"10.2.0.{place}/24"], **more} for place, name in ((11, "c"), (12, "d"))}
    assert graph_of(members() | pair, SENSORS)["tiers"] == [["dmz"], ["a", "c"], ["b", "d"], ["child"]]


def test_a_sensor_s_first_hop_are_all_members(graph_of: GraphOf) -> None:
    graph = graph_of(members(), SENSORS)
    typed = {"sensor_proxy_host": "", "sensor_proxy_port": 0}
    place = check.placed("sensor_proxy", typed, graph["sensors"]["s1"], graph["proxies"], graph["pairs"])
    assert (place["host"], place["first_hop"]) == ("10.0.0.250", ["a", "b"])


def test_no_two_members_are_changed_at_the_same_time(graph_of: GraphOf) -> None:
    graph = graph_of(members(), SENSORS)
    assert graph["tiers"] == [["dmz"], ["a"], ["b"], ["child"]]


@pytest.mark.parametrize(
    ("entry", "name"),
    [("plant", "plant"), ("10.0.0.250", "plant"), ("b", "b"), ("10.0.0.12", "b")],
)
def test_a_parent_is_the_pair_or_one_of_its_members(graph_of: GraphOf, entry: str, name: str) -> None:
    proxies = members()
    proxies["child"]["squid_parents"] = [{"host": entry, "port": 3128}]
    graph = graph_of(proxies, SENSORS)
    assert graph["mistakes"] == []
    assert [parent["name"] for parent in graph["proxies"]["child"]["parents"]] == [name]
    admitting = [each for each in "ab" if any(one["name"] == "child" for one in graph["proxies"][each]["clients"])]
    assert admitting == (["a", "b"] if name == "plant" else ["b"])


def test_where_a_pair_is_all_there_is_sensors_need_not_name_it(graph_of: GraphOf) -> None:
    proxies = {name: entry for name, entry in members(squid_parents=[]).items() if name in "ab"}
    graph = graph_of(proxies, {"s1": {"sensor_proxy_src": "10.0.0.1"}})
    assert (graph["mistakes"], graph["sensors"]["s1"]["path"]) == ([], ["plant"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b": {"proxy_vip_name": ""}}, "a: proxy_vip_name 'plant' has no other member"),
        (both({"proxy_vip_state": "absent"}), "s1: sensor_proxy_via 'plant' is not in the group"),
        (both({"proxy_vip_state": "gone"}), "proxy_vip_state 'gone'"),
        ({"a": {"proxy_vip_addresses": []}}, "a: proxy_vip_addresses is empty"),
        ({"b": {"proxy_vip_addresses": ["10.0.0.250/24"]}}, "b: proxy_vip_addresses '10.0.0.250' is not that of a"),
        ({"b": {"proxy_vip_router_id": 52}}, "b: proxy_vip_router_id 52 is not that of a"),
        ({"b": {"proxy_vip_router_id": 256}}, "b: proxy_vip_router_id 256 is out of its range"),
        ({"b": {"squid_port": 3129}}, "b: squid_port 3129 is not that of a"),
        ({"b": {"squid_auth_enabled": True}}, "b: squid_auth_enabled True is not that of a"),
        ({"b": {"squid_extra_endpoints": ["x.example"]}}, "b: its squid_extra_endpoints is not that of a"),
        (both({"squid_listen_addresses": ["10.0.0.11"]}), "squid_listen_addresses is set in the pair"),
        ({"b": {"squid_kind": "azure"}}, "b: proxy_vip_name 'plant' is given to a proxy in Azure"),
        ({"b": {"squid_addresses": ["10.9.0.12/24", "10.1.0.12/24"]}}, "10.0.0.250' is in 10.0.0.0/24, where b has no"),
        ({"dmz": {"squid_addresses": ["10.1.0.250/24"]}}, "'10.1.0.250' is an address of dmz"),
        (both({"proxy_vip_addresses": ["10.0.0.250"]}), "'10.0.0.250' has no prefix"),
        (both({"proxy_vip_addresses": ["10.0.0.255/24"]}), "is not the address of one host"),
        (both({"proxy_vip_name": "dmz"}), "'dmz' is also the name of the host dmz"),
        (both({"proxy_vip_name": "all of it"}), "proxy_vip_name 'all of it'"),
        ({"a": {"squid_parents": ["plant"]}}, "a: squid_parents 'plant' is the proxy itself"),
    ],
)
def test_a_mistake_is_named(graph_of: GraphOf, change: dict[str, Vars], words: str) -> None:
    proxies = {name: entry | change.get(name, {}) for name, entry in members().items()}
    mistakes = graph_of(proxies, SENSORS)["mistakes"]
    assert any(words in mistake for mistake in mistakes), mistakes


def test_the_last_member_keeps_the_addresses_for_those_who_still_use_them(graph_of: GraphOf) -> None:
    proxies = members()
    proxies["a"]["proxy_vip_state"] = "absent"
    graph = graph_of(proxies, SENSORS)
    assert (graph["mistakes"], graph["pairs"]["plant"]["members"]) == ([], ["b"])
    # So that nothing changes at b, whoever leaves and comes back.
    assert [set(shared["own"]) for shared in graph["pairs"]["plant"]["addresses"]] == [{"a", "b"}] * 2
    assert [client["name"] for client in graph["proxies"]["a"]["clients"]] == []


def test_two_pairs_of_one_network_have_router_ids_of_their_own(graph_of: GraphOf) -> None:
    more = {"proxy_vip_name": "other", "proxy_vip_addresses": ["10.0.0.240/24"], "squid_parents": ["dmz"]}
    proxies = members() | {
        "c": {"squid_addresses": ["10.0.0.13/24", "10.1.0.13/24"], **more},
        "d": {"squid_addresses": ["10.0.0.14/24", "10.1.0.14/24"], **more},
    }
    (mistake,) = graph_of(proxies, SENSORS)["mistakes"]
    assert mistake.startswith("c: proxy_vip_router_id 51 is also that of plant, in the same network (10.0.0.0/24)")
    for name in "cd":
        proxies[name]["proxy_vip_router_id"] = 52
    assert graph_of(proxies, SENSORS)["mistakes"] == []


def test_what_comes_after_a_member_that_failed_is_not_touched(graph_of: GraphOf) -> None:
    begun: Vars = {"__squid_host": {"release": "Debian 12"}, "__squid_done": False}
    hostvars = {
        "dmz": begun | {"__squid_done": True},
        "a": begun | {"__squid_problem": "no"},
        "b": begun,
        "child": begun,
        "s1": {},
    }
    problems = deployment(graph_of(members(), SENSORS), hostvars, before_tier=2).problems
    assert problems == {
        "a": "a: no.",
        "b": "b: it was not touched, since a, of the same pair, was not brought to its state.",
        "child": "child: it was not touched, since its parent a was not brought to its state.",
    }


def test_the_walk_to_a_pair_knows_the_names_of_both(graph_of: GraphOf) -> None:
    _self, parent = walks.walks_of(graph_of(members(), SENSORS), "child")
    assert [(hop["name"], hop["address"], hop["hostname"]) for hop in parent["hops"]] == [
        ("plant", "10.0.0.250", "a b"),
        ("dmz", "10.1.0.21", "dmz"),
    ]


@pytest.fixture(name="found")
def _found(graph_of: GraphOf) -> Found:
    """All is well, and b serves."""
    found = Found(graph_of(members(), SENSORS))
    _holds(found, "b")
    return found


def _holds(found: Found, *holders: str) -> None:
    for member in "ab":
        found.hostvars[member]["__chain_verify_walked"]["holds"] = ["10.0.0.250"] if member in holders else []


def _judged(found: Found) -> tuple[Any, ...]:
    results = found.judged()
    (sensor,) = results["sensors"]
    return sensor["verdict"], sensor["stage"], sensor["hop"], sensor["reason"]


def test_a_pair_of_which_one_serves_is_well(found: Found) -> None:
    assert _judged(found) == ("ok", None, None, None)
    shares = [link for link in found.judged()["links"] if link["kind"] == "pair"]
    assert [(link["source"], link["target"], link["preferred"]) for link in shares] == [
        ("plant", "a", False),
        ("plant", "b", True),
    ]
    assert found.judged()["proxies"]["plant"] == {"kind": "pair", "tier": 2, "address": "10.0.0.250", "port": 3128}


def test_since_when_a_member_serves(found: Found) -> None:
    found.hostvars["b"]["__chain_verify_walked"]["holds_since"] = "2026-11-24T08:00:00+00:00"
    reasons = {link["target"]: link["reason"] for link in found.judged()["links"] if link["kind"] == "pair"}
    assert reasons == {"a": None, "b": "It serves since 2026-11-24 08:00:00 UTC."}
    assert "It serves since 2026-11-24 08:00:00 UTC." in str(view(changes(found.judged(), None)))


def test_both_or_none_with_the_addresses(found: Found) -> None:
    _holds(found, "a", "b")
    assert _judged(found)[:3] == ("degraded", "pair-split", "plant")
    _holds(found)
    assert _judged(found)[:3] == ("broken", "pair-nobody", "plant")


def test_a_standby_that_could_not_take_over_is_named(found: Found) -> None:
    found.breaks("a", "a", "tcp", "a")
    verdict, stage, hop, reason = _judged(found)
    assert (verdict, stage, hop) == ("degraded", "tcp", "a")
    assert reason.startswith("b serves plant, and a could not take over: ")


def test_the_member_that_serves_decides(found: Found) -> None:
    found.breaks("b", "b", "tcp", "b")
    assert _judged(found)[:3] == ("broken", "tcp", "b")


@pytest.mark.parametrize(("lost", "verdict"), [("a", "degraded"), ("b", "unknown")])
def test_a_member_that_cannot_be_asked(found: Found, lost: str, verdict: str) -> None:
    found.hostvars[lost]["__chain_verify_walked"] = {"unreachable": True, "msg": "No route."}
    assert _judged(found)[0] == verdict


def test_what_both_know_of_a_sensor_is_put_together(found: Found) -> None:
    for member, hour in (("a", 9), ("b", 8)):
        clients = found.hostvars[member]["__chain_verify_walked"]["clients"]
        (mine,) = (client for client in clients if client["name"] == "s1")
        mine["count"] = hour
        mine["last"] = {
            "time": f"2026-11-24T0{hour}:00:00+00:00",
            "endpoint": "x",
            "port": 443,
            "status": 200,
            "result": "T",
        }
    evidence = found.judged()["sensors"][0]["evidence"]
    assert (evidence["count"], evidence["last"]["time"]) == (17, "2026-11-24T09:00:00+00:00")


def test_page_picture_table_and_junit_have_the_pair(found: Found) -> None:
    _holds(found, "a", "b")
    results = changes(found.judged(), None)
    drawn = picture(results)
    (node,) = (node for layer in drawn.layers for node in layer.nodes if node.lines[0] == "plant")
    edges = [
        (edge.source, edge.preferred, edge.verdict) for edge in drawn.edges if node.key in (edge.source, edge.target)
    ]
    assert edges.count((node.key, True, "broken")) == 2
    assert any("plant" in line and "degraded" in line for line in table(results))
    assert "pair-split" in str(view(results))
    assert "plant" in junit(results)
