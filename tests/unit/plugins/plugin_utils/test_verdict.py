# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdicts on sensors whose path is not broken by a link, and the shape of the results."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from .fake_found import ENDPOINTS, HUB, STORE, TIME, Found, chain, client, probe

GraphOf = Callable[..., dict[str, Any]]

GONE = {"unreachable": True, "msg": "Failed to connect to the host via ssh."}
REFUSED = {"time": TIME, "endpoint": HUB, "port": 443, "result": "TCP_DENIED"}


@pytest.fixture
def found(graph_of: GraphOf) -> Found:
    """Two sensors at the site and one at the DMZ, with all well."""
    return Found(graph_of(*chain("site", "dmz", "edge", sensors=["site", "site", "dmz"])))


@pytest.fixture
def spare(graph_of: GraphOf) -> Found:
    """A sensor at a site that has two parents."""
    return Found(
        graph_of(
            {
                "site": {"ansible_host": "10.0.0.250", "squid_parents": ["dmz1", "dmz2"]},
                "dmz1": {"ansible_host": "10.0.1.1"},
                "dmz2": {"ansible_host": "10.0.1.2"},
            },
            {"sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_via": "site"}},
        )
    )


def _verdicts(found: Found) -> list[str]:
    return [sensor["verdict"] for sensor in found.judged()["sensors"]]


def _lose(found: Found, proxy: str) -> None:
    found.hostvars[proxy]["__chain_verify_walked"] = GONE


def _tells_nothing(found: Found, proxy: str) -> None:
    found.hostvars[proxy]["__chain_verify_walked"] |= {"clients": [], "clients_problem": "The log cannot be read."}


class TestResults:
    def test_of_a_chain_that_works(self, found: Found) -> None:
        results = found.judged()
        nothing: dict[str, Any] = {
            "since": None,
            "stage": None,
            "hop": None,
            "reason": None,
            "endpoints": [],
            "cloud": None,
        }
        assert results["sensors"][0] == {
            "name": "sensor1",
            "addresses": ["10.0.0.1"],
            "path": ["site", "dmz", "edge"],
            "verdict": "ok",
            "evidence": client("sensor1"),
            **nothing,
        }
        assert [sensor["path"] for sensor in results["sensors"][1:]] == [["site", "dmz", "edge"], ["dmz", "edge"]]
        assert results["counts"] == {"ok": 3, "degraded": 0, "unknown": 0, "broken": 0}
        keys = ("format", "time", "verdict", "changes", "previous")
        assert [results[key] for key in keys] == [1, TIME, "ok", [], None]
        listener = {"kind": "inventory", "tier": 2, "address": "10.0.0.250", "port": 3128}
        assert results["proxies"]["site"] == {**listener, "squid": "6.13", "config_sha256": "5e" * 32}
        assert json.loads(json.dumps(results)) == results

    def test_have_each_link_once(self, found: Found) -> None:
        found.cut("dmz", "edge", "tcp")
        results = found.judged()
        assert sorted(found.links()) == [
            ("dmz", "dmz", "self", "broken"),
            ("dmz", "edge", "parent", "broken"),
            ("edge", "", "direct", "ok"),
            ("edge", "edge", "self", "ok"),
            ("site", "dmz", "parent", "broken"),
            ("site", "site", "self", "broken"),
        ]
        for link in results["links"]:
            assert [one["endpoint"] for one in link["endpoints"]] == list(ENDPOINTS)
            assert (link["reason"] is None) == (link["verdict"] == "ok")

    def test_have_of_a_walk_what_the_module_returned(self, found: Found) -> None:
        assert all(link["endpoints"] == [probe(each) for each in ENDPOINTS] for link in found.judged()["links"])

    def test_tell_which_parent_is_preferred(self, spare: Found) -> None:
        preferred = {link["target"]: link["preferred"] for link in spare.judged()["links"] if link["kind"] == "parent"}
        assert preferred == {"dmz1": True, "dmz2": False}

    def test_know_an_external_parent(self, graph_of: GraphOf) -> None:
        corp = {"host": "proxy.corp.example", "port": 8080, "username": "u", "password": "s3cret"}
        found = Found(graph_of({"site": {"ansible_host": "10.0.0.1", "squid_parents": [corp]}}))
        results = found.judged()
        external = {"kind": "external", "tier": None, "address": "proxy.corp.example", "port": 8080}
        assert results["proxies"]["proxy.corp.example"] == external
        assert "s3cret" not in json.dumps(results)

    def test_have_both_links_to_a_parent_at_two_ports(self, graph_of: GraphOf) -> None:
        parents = [{"host": "192.0.2.1", "port": port} for port in (1, 2)]
        found = Found(
            graph_of(
                {"site": {"ansible_host": "10.0.0.250", "squid_parents": parents}}, {"s": {"ansible_host": "10.0.0.1"}}
            )
        )
        found.breaks("site", "192.0.2.1", "tcp", "192.0.2.1", nth=1)
        links = [(link["preferred"], link["verdict"]) for link in found.judged()["links"] if link["kind"] == "parent"]
        assert sorted(links) == [(False, "broken"), (True, "ok")]
        assert _verdicts(found) == ["degraded"]

    def test_carry_the_clouds_word(self, found: Found) -> None:
        word = {"status": "Disconnected", "time": TIME}
        results = found.judged({"name": "sensor2", **word}, {"name": "of another site", **word})
        assert [sensor["cloud"] for sensor in results["sensors"]] == [None, word, None]
        assert results["verdict"] == "ok"


LATE, JUST_NOW = "2026-11-24T10:19:59Z", "2026-11-24T10:30:00Z"
SEEN = {"endpoint": "x", "port": 443, "status": 200, "result": "TCP_TUNNEL"}


class TestTheWitnesses:
    """The walk, the first hop's log, and the cloud."""

    @pytest.mark.parametrize(
        ("status", "time", "knows", "verdict", "stage"),
        [
            ("Ok", JUST_NOW, {}, "ok", None),
            # It may say so 15 minutes late, of what was 5 minutes ago.
            ("Disconnected", "2026-11-24T10:20:00Z", {}, "ok", None),
            ("Disconnected", LATE, {}, "degraded", "cloud-alone"),
            (
                "Disconnected",
                LATE,
                {"open": 0, "last_ok": {**SEEN, "time": "2026-11-24T10:00:00+00:00"}},
                "degraded",
                "cloud-alone",
            ),
            # Nothing of it for hours: the log does not contradict the cloud.
            ("Disconnected", LATE, {"open": 0, "last_ok": {**SEEN, "time": "2026-11-24T08:00:00+00:00"}}, "ok", None),
            ("Disconnected", LATE, {"open": 0}, "degraded", "not-seen"),
            ("Ok", JUST_NOW, {"open": 0}, "degraded", "log-alone"),
            ("Ok", LATE, {"open": 0}, "degraded", "not-seen"),
            ("Unavailable", "", {"open": 0}, "degraded", "not-seen"),
        ],
    )
    def test_who_stands_alone_is_named(
        self, found: Found, status: str, time: str, knows: dict[str, Any], verdict: str, stage: str | None
    ) -> None:
        known = found.client("site", "sensor1")
        known |= {"last": knows.get("last_ok"), **knows}
        sensor = found.judged({"name": "sensor1", "status": status, "time": time})["sensors"][0]
        assert (sensor["verdict"], sensor["stage"]) == (verdict, stage), sensor["reason"]

    def test_a_path_that_is_broken_is_broken_whatever_was_heard_before(self, found: Found) -> None:
        found.cut("site", "dmz", "tcp")
        sensor = found.judged({"name": "sensor1", "status": "Ok", "time": JUST_NOW})["sensors"][0]
        assert (sensor["verdict"], sensor["stage"]) == ("broken", "tcp")


class TestTheWorst:
    def test_counts(self, found: Found) -> None:
        """From good to bad: ok, degraded, unknown, broken."""
        assert found.judged()["verdict"] == "ok"
        found.breaks("dmz", "edge", "tcp", "edge")
        assert (found.judged()["verdict"], _verdicts(found)) == ("degraded", ["degraded"] * 3)
        _lose(found, "site")
        assert (found.judged()["verdict"], _verdicts(found)) == ("unknown", ["unknown", "unknown", "degraded"])
        found.client("dmz", "sensor3")["rule"]["action"] = "deny"
        results = found.judged()
        assert results["verdict"] == "broken"
        assert results["counts"] == {"ok": 0, "degraded": 0, "unknown": 2, "broken": 1}

    def test_who_was_never_seen_is_counted_beside_the_verdicts(self, found: Found) -> None:
        """Nobody looked where the proxy could not be asked."""
        assert found.judged()["never_seen"] == 0
        for name in ("sensor1", "sensor2"):
            found.client("site", name)["open"] = 0
        assert found.judged()["never_seen"] == 2
        assert found.judged()["counts"] == {"ok": 1, "degraded": 2, "unknown": 0, "broken": 0}
        (said,) = {(each["verdict"], each["stage"], each["hop"]) for each in found.judged()["sensors"][:2]}
        assert said == ("degraded", "not-seen", None)
        found.client("site", "sensor1")["last"] = {
            "time": TIME,
            "endpoint": HUB,
            "port": 443,
            "status": 403,
            "result": "TCP_DENIED",
        }
        assert found.judged()["never_seen"] == 1
        _lose(found, "site")
        assert found.judged()["never_seen"] == 0

    def test_of_a_site_without_sensors_is_that_of_its_proxies(self, graph_of: GraphOf) -> None:
        found = Found(graph_of(*chain("site", "dmz")))
        assert found.judged()["verdict"] == "ok"
        assert found.judged()["counts"] == {"ok": 0, "degraded": 0, "unknown": 0, "broken": 0}
        _lose(found, "dmz")
        assert found.judged()["verdict"] == "unknown"
        found.breaks("site", "site", "tcp", "site", STORE)
        assert found.judged()["verdict"] == "broken"

    def test_of_nothing_is_no_proof(self, graph_of: GraphOf) -> None:
        assert Found(graph_of({})).judged()["verdict"] == "unknown"


class TestDegraded:
    @pytest.mark.parametrize("lost", ["dmz1", "dmz2"])
    def test_is_one_parent_that_is_lost(self, spare: Found, lost: str) -> None:
        spare.breaks("site", lost, "tcp", lost)
        sensor = spare.sensors()["sensor1"]
        assert (sensor["verdict"], sensor["stage"], sensor["hop"]) == ("degraded", "tcp", lost)
        assert sensor["reason"].startswith(f"From site: tcp at {lost}")
        assert sensor["endpoints"] == []

    def test_says_whether_the_lost_parent_is_the_one_in_use(self, spare: Found) -> None:
        spare.breaks("site", "dmz1", "tcp", "dmz1")
        preferred = spare.sensors()["sensor1"]["reason"]
        spare.breaks("site", "dmz2", "tcp", "dmz2")
        spare.finds("site", "dmz1", *map(probe, ENDPOINTS))
        backup = spare.sensors()["sensor1"]["reason"]
        assert (preferred.partition("; ")[2], backup.partition("; ")[2]) == (
            "traffic takes another way.",
            "it is not needed now.",
        )

    def test_is_a_backup_lost_farther_out(self, graph_of: GraphOf) -> None:
        proxies, sensors = chain("site", "dmz", "edge", sensors=["site", "edge"])
        proxies["dmz"]["squid_parents"].append({"host": "192.0.2.1", "port": 8080})
        found = Found(graph_of(proxies, sensors))
        found.breaks("dmz", "192.0.2.1", "timeout", "192.0.2.1", STORE)
        assert _verdicts(found) == ["degraded", "ok"]
        assert found.sensors()["sensor1"]["hop"] == "192.0.2.1"

    def test_is_a_first_hop_that_does_not_tell_of_its_sensors(self, found: Found) -> None:
        _tells_nothing(found, "site")
        assert _verdicts(found) == ["degraded", "degraded", "ok"]
        sensor = found.sensors()["sensor1"]
        assert (sensor["stage"], sensor["hop"], sensor["evidence"]) == (None, None, None)
        assert sensor["reason"].startswith("site did not say what it knows of its sensors")

    def test_is_not_a_broken_path_whose_first_hop_does_not_tell_either(self, found: Found) -> None:
        found.cut("dmz", "edge", "tcp")
        _tells_nothing(found, "site")
        assert _verdicts(found) == ["broken"] * 3

    def test_is_not_a_later_hop_that_does_not_tell_of_its_own(self, found: Found) -> None:
        _tells_nothing(found, "dmz")
        assert _verdicts(found) == ["ok", "ok", "degraded"]


class TestUnknown:
    def test_is_a_first_hop_that_cannot_be_reached(self, found: Found) -> None:
        _lose(found, "site")
        assert _verdicts(found) == ["unknown", "unknown", "ok"]
        sensor = found.sensors()["sensor1"]
        assert (sensor["stage"], sensor["hop"], sensor["endpoints"]) == (None, None, [])
        assert sensor["reason"] == "site could not be asked: Failed to connect to the host via ssh."
        assert {verdict for source, _target, _kind, verdict in found.links() if source == "site"} == {"unknown"}

    def test_is_a_first_hop_in_azure(self, graph_of: GraphOf) -> None:
        """As a parent it is proven by the proxy before it."""
        proxies, sensors = chain("site", "cloud", sensors=["site", "cloud"])
        found = Found(graph_of({**proxies, "cloud": proxies["cloud"] | {"squid_kind": "azure"}}, sensors))
        assert _verdicts(found) == ["ok", "unknown"]
        assert found.sensors()["sensor2"]["reason"] == "cloud could not be asked: it is a scale set in Azure."

    def test_is_a_first_hop_whose_module_failed(self, found: Found) -> None:
        result = found.walk("site", "site")
        del result["endpoints"]
        result["msg"] = "/etc/squid/squid.conf has no rule for tests.\nmore"
        assert _verdicts(found) == ["unknown", "unknown", "ok"]
        reason = found.sensors()["sensor1"]["reason"]
        assert reason == "site could not be asked: /etc/squid/squid.conf has no rule for tests."
        assert ("site", "dmz", "parent", "ok") in found.links()

    def test_is_a_first_hop_that_was_not_asked(self, found: Found) -> None:
        found.hostvars["site"] = {"ansible_host": "10.0.0.250"}
        assert _verdicts(found) == ["unknown", "unknown", "ok"]
        assert "not asked" in found.sensors()["sensor1"]["reason"]

    @pytest.mark.parametrize("later", ["dmz", "edge"])
    def test_is_not_a_later_hop_since_its_neighbours_walk_proves_it(self, found: Found, later: str) -> None:
        _lose(found, later)
        assert _verdicts(found)[:2] == ["ok", "ok"]
        assert {verdict for source, _target, _kind, verdict in found.links() if source == later} == {"unknown"}

    def test_is_no_excuse_for_what_is_known_to_be_broken(self, found: Found) -> None:
        _lose(found, "edge")
        found.breaks("dmz", "edge", "tcp", "edge")
        found.breaks("dmz", "dmz", "parent-unreachable", "dmz")
        found.breaks("site", "dmz", "parent-unreachable", "dmz")
        found.breaks("site", "site", "parent-unreachable", "site")
        assert {(sensor["verdict"], sensor["stage"], sensor["hop"]) for sensor in found.judged()["sensors"]} == {
            ("broken", "tcp", "edge")
        }


class TestTheFirstHopsWordOnASensor:
    @pytest.mark.parametrize(("action", "stage"), [("deny", "proxy-denied"), ("challenge", "proxy-auth")])
    def test_that_a_rule_refuses_it_breaks_its_path_alone(self, found: Found, action: str, stage: str) -> None:
        found.client("site", "sensor2")["rule"] = {"action": action, "line": 44, "text": "http_access deny all"}
        assert _verdicts(found) == ["ok", "broken", "ok"]
        sensor = found.sensors()["sensor2"]
        assert (sensor["stage"], sensor["hop"]) == (stage, "site")
        assert "site refuses sensor2 by line 44 of its configuration, http_access deny all" in sensor["reason"]
        assert sensor["evidence"] == found.client("site", "sensor2")

    @pytest.mark.parametrize(("status", "stage"), [(403, "proxy-denied"), (407, "proxy-auth")])
    def test_that_it_was_refused_since_the_change_breaks_its_path(self, found: Found, status: int, stage: str) -> None:
        found.client("site", "sensor1")["refused_since_change"] = {**REFUSED, "status": status}
        assert _verdicts(found) == ["broken", "ok", "ok"]
        sensor = found.sensors()["sensor1"]
        assert (sensor["stage"], sensor["hop"], sensor["endpoints"]) == (stage, "site", [HUB])
        assert f"{HUB}:443 with {status} at {TIME}" in sensor["reason"]

    def test_that_it_once_failed_does_not(self, found: Found) -> None:
        """A CONNECT that failed otherwise, or before the change, is no refusal by the rules of today."""
        found.client("site", "sensor1").update(
            {"last": {**REFUSED, "status": 403}, "count": 3, "refused": 3, "open": 0}
        )
        assert _verdicts(found) == ["ok", "ok", "ok"]

    def test_that_no_rule_is_known_does_not(self, found: Found) -> None:
        found.client("site", "sensor1")["rule"] = None
        assert _verdicts(found) == ["ok", "ok", "ok"]

    def test_outweighs_a_backup_that_is_lost(self, spare: Found) -> None:
        spare.breaks("site", "dmz2", "tcp", "dmz2")
        spare.client("site", "sensor1")["rule"]["action"] = "deny"
        assert spare.sensors()["sensor1"]["stage"] == "proxy-denied"

    def test_does_not_hide_a_link_that_is_broken_for_all(self, found: Found) -> None:
        found.cut("dmz", "edge", "tcp")
        found.client("site", "sensor1")["rule"]["action"] = "deny"
        assert {(sensor["stage"], sensor["hop"]) for sensor in found.judged()["sensors"]} == {("tcp", "edge")}
