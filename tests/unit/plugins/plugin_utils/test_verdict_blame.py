# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one link that is to blame: the outermost that is broken, since all farther in break with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .fake_found import AUTHORITY, ENDPOINTS, HUB, STORE, Found, chain, probe

GraphOf = Callable[..., dict[str, Any]]

INSPECTOR = "Plant Inspection"


@pytest.fixture
def found(graph_of: GraphOf) -> Found:
    """A sensor behind each of three proxies in a row."""
    return Found(graph_of(*chain("site", "dmz", "edge", sensors=["site", "dmz", "edge"])))


def _blamed(found: Found) -> list[tuple[str, str | None, str | None]]:
    return [(sensor["verdict"], sensor["stage"], sensor["hop"]) for sensor in found.judged()["sensors"]]


OK = ("ok", None, None)


@pytest.mark.parametrize(
    ("source", "target", "stage", "behind"),
    [
        ("edge", "", "endpoint-unreachable", 3),
        ("edge", "", "tls-untrusted", 3),
        ("dmz", "edge", "tcp", 2),
        ("dmz", "edge", "proxy-auth", 2),
        ("site", "dmz", "proxy-denied", 1),
        ("site", "dmz", "timeout", 1),
    ],
)
def test_a_broken_link_is_blamed_for_all_that_is_behind_it(
    found: Found, source: str, target: str, stage: str, behind: int
) -> None:
    found.cut(source, target, stage)
    assert _blamed(found) == [("broken", stage, target)] * behind + [OK] * (3 - behind)
    for sensor in found.judged()["sensors"][:behind]:
        assert sensor["reason"].startswith(f"From {source}: {stage} at {target}")
        assert sensor["endpoints"] == list(ENDPOINTS)


@given(data=st.data())
@settings(max_examples=60)
def test_one_broken_link_of_any_site_is_named(graph_of: GraphOf, data: st.DataObject) -> None:
    """Whatever hangs behind whatever: who is behind the link hears of that link, and all others are well."""
    size = data.draw(st.integers(1, 7), "proxies")
    parents = [data.draw(st.integers(-2, number - 1), f"parent of p{number}") for number in range(size)]
    external = {"host": "proxy.corp.example", "port": 8080}
    proxies: dict[str, dict[str, Any]] = {
        f"p{number}": {
            "ansible_host": f"10.0.0.{number + 1}",
            "squid_parents": [] if parent == -2 else [external if parent == -1 else f"p{parent}"],
        }
        for number, parent in enumerate(parents)
    }
    order = data.draw(st.permutations(range(size)), "order")
    sensors = {f"s{number}": {"ansible_host": f"10.0.1.{number + 1}"} for number in range(size)}
    for number in range(size):
        sensors[f"s{number}"]["sensor_proxy_via"] = f"p{number}"
    found = Found(graph_of({f"p{number}": proxies[f"p{number}"] for number in order}, sensors))

    at = data.draw(st.integers(0, size - 1), "broken link of")
    lost = data.draw(st.lists(st.sampled_from(ENDPOINTS), min_size=1, unique=True), "lost endpoints")
    target = {-2: "", -1: external["host"]}.get(parents[at], f"p{parents[at]}")
    stage = data.draw(st.sampled_from(["tcp", "timeout", "proxy-auth", "proxy-denied"] if target else ["resolve"]))
    found.cut(f"p{at}", str(target), stage, *lost)

    hop = f"p{at}" if stage == "resolve" else target
    for name, sensor in found.sensors().items():
        if f"p{at}" in sensor["path"]:
            assert (sensor["verdict"], sensor["stage"], sensor["hop"]) == ("broken", stage, hop), name
            assert sorted(sensor["endpoints"]) == sorted(lost)
            assert sensor["reason"].startswith(f"From p{at}: ")
        else:
            assert (sensor["verdict"], sensor["reason"]) == ("ok", None), name


def test_of_two_broken_links_the_outer_one_is_blamed(found: Found) -> None:
    found.cut("edge", "", "endpoint-unreachable")
    found.cut("site", "dmz", "proxy-denied")
    assert _blamed(found) == [("broken", "endpoint-unreachable", "")] * 3


def test_two_endpoints_that_are_broken_by_two_links_both_count(found: Found) -> None:
    """The sensor has one cause; which one is told first may not change which endpoints fail."""
    found.cut("edge", "", "endpoint-unreachable", STORE)
    found.cut("dmz", "edge", "proxy-denied", HUB)
    site, dmz, edge = found.judged()["sensors"]
    for sensor in (site, dmz):
        assert (sensor["stage"], sensor["hop"]) in [("endpoint-unreachable", ""), ("proxy-denied", "edge")]
        assert sensor["reason"].split(": ")[1].startswith(sensor["stage"])
        assert sorted(sensor["endpoints"]) == sorted(ENDPOINTS)
    assert (edge["stage"], edge["endpoints"]) == ("endpoint-unreachable", [STORE])


def test_the_cause_of_most_endpoints_is_told(graph_of: GraphOf) -> None:
    more = [HUB, STORE, "download.microsoft.com"]
    found = Found(graph_of(*chain("site", "dmz", sensors=["site"])), more)
    found.cut("dmz", "", "endpoint-unreachable", HUB)
    found.cut("site", "dmz", "proxy-denied", *more[1:])
    (sensor,) = found.judged()["sensors"]
    assert (sensor["stage"], sensor["hop"], sensor["endpoints"]) == ("proxy-denied", "dmz", more)


@pytest.mark.parametrize("target", ["", "dmz"])
def test_a_host_that_cannot_resolve_a_name_is_blamed_itself(graph_of: GraphOf, target: str) -> None:
    source = "site" if target else "edge"
    found = Found(graph_of(*chain("site", "dmz", "edge", sensors=["site"])))
    found.cut(source, target, "resolve")
    (sensor,) = found.judged()["sensors"]
    assert (sensor["stage"], sensor["hop"]) == ("resolve", source)
    assert sensor["reason"].startswith(f"From {source}: resolve")


def test_a_proxy_that_says_it_cannot_resolve_a_name_is_blamed_not_the_host_that_asked_it(graph_of: GraphOf) -> None:
    corp: dict[str, Any] = {"host": "proxy.corp.example", "port": 8080}
    found = Found(
        graph_of(
            {"site": {"ansible_host": "10.0.0.250", "squid_parents": [corp]}}, {"sensor1": {"ansible_host": "10.0.0.1"}}
        )
    )
    told = [{**probe(each, "resolve", corp["host"]), "times": {"tcp": 0.001, "connect": 0.001}} for each in ENDPOINTS]
    found.finds("site", corp["host"], *told)
    found.breaks("site", "site", "parent-unreachable", "site")
    assert _blamed(found) == [("broken", "resolve", corp["host"])]


def test_a_proxy_that_alone_is_broken_is_blamed_itself(found: Found) -> None:
    """All links work, so it is what its own walk says."""
    found.breaks("site", "site", "tcp", "site")
    assert _blamed(found) == [("broken", "tcp", "site"), OK, OK]
    assert found.judged()["sensors"][0]["reason"] == f"tcp at site for {HUB}."


def test_each_port_of_an_endpoint_counts_for_itself(found: Found) -> None:
    for source, target, _kind, _verdict in list(found.links()):
        found.walk(source, target)["endpoints"] = [probe(HUB), probe(HUB, port=8883)]
    for source, target, stage, hop in (("site", "dmz", "proxy-denied", "dmz"), ("site", "site", "timeout", "site")):
        found.walk(source, target)["endpoints"][1] = probe(HUB, stage, hop, port=8883)
    assert _blamed(found) == [("broken", "proxy-denied", "dmz"), OK, OK]
    assert found.judged()["sensors"][0]["endpoints"] == [HUB]


@pytest.mark.parametrize("spare", [True, False])
def test_what_a_proxy_farther_out_gets_along_without_is_not_to_blame(graph_of: GraphOf, spare: bool) -> None:
    """The DMZ reaches the endpoints in spite of its link; what breaks the site's path is that the DMZ refuses it."""
    proxies, sensors = chain("site", "dmz", "edge", sensors=["site", "dmz"])
    if spare:
        proxies["dmz"]["squid_parents"].append({"host": "192.0.2.1", "port": 8080})
        source, target, stage, hop = "dmz", "edge", "tcp", "edge"
    else:
        # Its Squid asks other DNS servers than its host does.
        source, target, stage, hop = "edge", "", "resolve", "edge"
    found = Found(graph_of(proxies, sensors))
    found.cut("site", "dmz", "proxy-denied")
    found.breaks(source, target, stage, hop)
    assert _blamed(found) == [("broken", "proxy-denied", "dmz"), ("degraded", stage, hop)]


def _inspects(found: Found, inspector: str, inside: list[tuple[str, str]], trusted: bool) -> None:
    """Let a proxy sign anew what passes it, as these walks from inside see it."""
    for source, target in inside:
        stage, hop = (None, None) if trusted else ("tls-untrusted", "")
        found.finds(source, target, *(probe(each, stage, hop, authority=inspector) for each in ENDPOINTS))


@pytest.mark.parametrize("trusted", [False, True], ids=["untrusted", "trusted"])
class TestInspection:
    def test_by_the_first_hop_is_found_by_asking_around_it(self, found: Found, trusted: bool) -> None:
        _inspects(found, INSPECTOR, [("site", "site")], trusted)
        assert _blamed(found) == [("broken", "tls-inspected", "site"), OK, OK]
        reason = found.judged()["sensors"][0]["reason"]
        assert AUTHORITY in reason
        assert INSPECTOR in reason

    def test_by_a_parent_is_found_by_asking_it_itself(self, found: Found, trusted: bool) -> None:
        inside = [("site", "site"), ("site", "dmz"), ("dmz", "dmz")]
        _inspects(found, INSPECTOR, inside, trusted)
        assert _blamed(found) == [("broken", "tls-inspected", "dmz"), ("broken", "tls-inspected", "dmz"), OK]

    def test_by_the_outermost_is_its_own_for_all_behind_it(self, found: Found, trusted: bool) -> None:
        inside = [("site", "site"), ("site", "dmz"), ("dmz", "dmz"), ("dmz", "edge"), ("edge", "edge")]
        _inspects(found, INSPECTOR, inside, trusted)
        assert _blamed(found) == [("broken", "tls-inspected", "edge")] * 3
        sensor = found.judged()["sensors"][0]
        assert sensor["endpoints"] == list(ENDPOINTS)
        assert sensor["reason"].startswith(f"edge opens TLS: the certificate for {HUB} is issued by {AUTHORITY}")

    def test_behind_a_host_that_was_not_asked_is_not_made_up(self, found: Found, trusted: bool) -> None:
        """Without a walk from farther out there is nothing to compare with."""
        _inspects(found, INSPECTOR, [("site", "site"), ("site", "dmz")], trusted)
        del found.hostvars["dmz"]["__chain_verify_walked"]
        assert _blamed(found)[0] == (OK if trusted else ("broken", "tls-untrusted", ""))


def test_an_endpoints_own_bad_certificate_is_no_inspection(found: Found) -> None:
    """All hops see the same issuer."""
    for source, target in (
        ("site", "site"),
        ("site", "dmz"),
        ("dmz", "dmz"),
        ("dmz", "edge"),
        ("edge", "edge"),
        ("edge", ""),
    ):
        found.finds(source, target, probe(STORE, "tls-untrusted", "", authority="lab"))
    assert _blamed(found) == [("broken", "tls-untrusted", "")] * 3
    assert {tuple(sensor["endpoints"]) for sensor in found.judged()["sensors"]} == {(STORE,)}


def test_another_issuer_for_each_endpoint_is_no_inspection(found: Found) -> None:
    for source, target, _kind, _verdict in list(found.links()):
        found.finds(source, target, probe(STORE, authority="Another Trust"))
    assert _blamed(found) == [OK] * 3


@pytest.mark.parametrize("outside", [True, False])
def test_a_certificate_that_cannot_be_read_is_compared_with_nothing(found: Found, outside: bool) -> None:
    unread = [{**probe(each), "certificate": None} for each in ENDPOINTS]
    found.finds("edge", "" if outside else "edge", *unread)
    assert _blamed(found) == [OK] * 3


def test_a_parent_that_speaks_in_this_proxys_name_is_found_by_going_around_it(graph_of: GraphOf) -> None:
    found = Found(graph_of(*chain("site", "dmz", sensors=["site"])))
    found.breaks("site", "site", "proxy-denied", "site")
    found.breaks("site", "dmz", "proxy-denied", "dmz")
    (sensor,) = found.judged()["sensors"]
    assert (sensor["stage"], sensor["hop"]) == ("proxy-denied", "dmz")
