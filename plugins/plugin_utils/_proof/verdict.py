# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on every sensor's path, and the one link that is to blame, from what each proxy's host found.

Private to this collection. The shape of the result is documented in the module chain_report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from .._chain.model import Graph, members_of
from .model import (
    FORMAT,
    VERDICTS,
    CloudWord,
    Ended,
    Evidence,
    Judged,
    Link,
    LinkWalk,
    LogEntry,
    ProbeResult,
    ProxyResult,
    Results,
    SensorResult,
    Walked,
    Way,
    moment,
)
from .walks import walks_of

_CLOUD_SILENCE = timedelta(minutes=20)
"""A sensor is disconnected after 5 minutes, and Azure says so up to 15 minutes late (learn.microsoft.com, "Manage sensors")."""

_RECENT = timedelta(hours=1)
_LOG_ALONE = (
    "The path works and Azure hears {name}, but {first} knows of no connection of it: it goes another way, or with an address that is not "
    "that of the inventory."
)
_CLOUD_ALONE = (
    "The path works and {first} has tunnels of {name}, but Azure has not heard it since {time}: look at its activation, its clock and its "
    "sign-in to the cloud."
)
_NOT_SEEN = "The path works, but its first hop knows of no connection of the sensor's own."

_UNTRUSTED = ("tls-untrusted", "tls-inspected")


@dataclass(frozen=True)
class Report:
    """What one proxy's host found."""

    walks: list[Walked] = field(default_factory=list)

    clients: list[Evidence] = field(default_factory=list)
    """What it knows of its clients."""

    others: list[tuple[str, list[str]]] = field(default_factory=list)
    """ACL name and addresses of whom else it admits."""

    clients_problem: str | None = None
    """Why it could not say what it knows of them."""

    problem: str | None = None
    """Why the host could not be asked at all."""

    squid: str | None = None
    config_sha256: str | None = None
    holds: list[str] = field(default_factory=list)
    """Those of its pair's shared addresses that are at this host."""

    holds_since: datetime | None = None
    learns_until: str = ""
    """The last day on which its configuration lets clients reach any name."""


def overdue(reports: Mapping[str, Report], today: str) -> str:
    """Say which proxies still learn endpoints although their last day is over; empty where none does."""
    late = [
        f"{name} (until {report.learns_until})" for name, report in reports.items() if "" < report.learns_until < today
    ]
    said = "Longer than squid_learn_until says, clients may reach any name at"
    return f"{said} {', '.join(late)}; deploy them (proxies.yml)." if late else ""


def judge(
    graph: Graph, reports: Mapping[str, Report], time: str, cloud: Mapping[str, CloudWord] | None = None
) -> Results:
    """Judge every sensor's path.

    Args:
        graph: the topology.
        reports: what each proxy's host found, by the proxy's name.
        time: when, in UTC (ISO 8601).
        cloud: the cloud's word on a sensor, by the sensor's name.
    """
    judge_ = _Judge(graph, reports, time)
    sensors = [judge_.sensor(name, (cloud or {}).get(name)) for name in graph["sensors"]]
    counted = Counter(sensor["verdict"] for sensor in sensors)
    judged = [sensor["verdict"] for sensor in sensors] or [
        link["verdict"] for link in judge_.links.values() if link["kind"] == "self"
    ]
    return {
        "format": FORMAT,
        "time": time,
        "verdict": min(judged, key=VERDICTS.index, default="unknown"),
        "counts": {verdict: counted[verdict] for verdict in reversed(VERDICTS)},
        "never_seen": sum(_never_seen(sensor["evidence"]) for sensor in sensors),
        "proxies": dict(_proxies(graph, reports)),
        "links": list(judge_.links.values()),
        "sensors": sensors,
        "changes": [],
        "previous": None,
    }


def _columns(graph: Graph) -> dict[str, int]:
    """How far each proxy is from the outside, and each pair; that its members are changed one after the other does not count."""
    columns: dict[str, int] = {}
    for name in (name for tier in graph["tiers"] for name in tier):
        entry = graph["proxies"][name]
        behind = (columns[parent["name"]] + 1 for parent in entry["parents"] if parent["name"] in columns)
        columns[name] = max(behind, default=0)
        if "pair" in entry:
            columns[entry["pair"]] = max(columns.get(entry["pair"], 0), columns[name] + 1)
    return columns


def _proxies(graph: Graph, reports: Mapping[str, Report]) -> Iterator[tuple[str, ProxyResult]]:
    columns = _columns(graph)
    for name, pair in graph["pairs"].items():
        address, port = pair["addresses"][0]["address"], graph["proxies"][pair["members"][0]]["port"]
        yield name, {"kind": "pair", "tier": columns[name], "address": address, "port": port}
    for name, entry in graph["proxies"].items():
        report = reports.get(name, Report())
        own: ProxyResult = {
            "kind": "inventory",
            "tier": columns[name],
            "address": (entry["addresses"] or [""])[0],
            "port": entry["port"],
            "squid": report.squid,
            "config_sha256": report.config_sha256,
        }
        yield name, own
    for entry in graph["proxies"].values():
        for parent in entry["parents"]:
            if parent["kind"] == "external":
                found: ProxyResult = {
                    "kind": "external",
                    "tier": None,
                    "address": parent["address"],
                    "port": parent["port"],
                }
                yield parent["name"], found


class _Judge:
    def __init__(self, graph: Graph, reports: Mapping[str, Report], time: str) -> None:
        self._graph = graph
        self._now = moment(time)
        self._reports = reports
        self._clients = {
            name: {client["name"]: client for client in report.clients} for name, report in reports.items()
        }
        self._paths: dict[tuple[str, ...], Judged] = {}
        # By source, kind and target, outermost first, so that each link is compared with what lies behind it.
        self.links: dict[tuple[str, str, str], Link] = {}
        for tier in graph["tiers"]:
            for proxy in tier:
                for walk in reversed(walks_of(graph, proxy)):
                    self.links[_key(proxy, walk)] = self._link(proxy, walk)
        for pair, pair_entry in graph["pairs"].items():
            for member in pair_entry["members"]:
                self.links[pair, "pair", member] = self._membership(pair, member, pair_entry["members"])

    def sensor(self, name: str, cloud: CloudWord | None) -> SensorResult:
        """Judge one sensor."""
        entry = self._graph["sensors"][name]
        path = tuple(entry["path"])
        if path not in self._paths:
            self._paths[path] = self._judge_path(path)
        members = members_of(self._graph, path[0])
        first = self._serving(members)
        evidence = _together([said for member in members if (said := self._clients.get(member, {}).get(name))])
        verdict = self._paths[path]
        if verdict["verdict"] in ("ok", "degraded"):
            verdict = _judge_client(name, first, evidence) or verdict
        problem = self._reports.get(first, Report()).clients_problem
        if problem and verdict["verdict"] == "ok":
            verdict = _verdict("degraded", None, f"{first} did not say what it knows of its sensors: {problem}.", [])
        heard = _heard(cloud, self._now)
        if verdict["verdict"] == "ok" and _never_seen(evidence):
            verdict = _verdict("degraded", _at("not-seen", None), _NOT_SEEN, [])
            if heard:
                verdict = _verdict("degraded", _at("log-alone", first), _LOG_ALONE.format(name=name, first=first), [])
        elif verdict["verdict"] == "ok" and heard is False and cloud and _passes_now(evidence, self._now):
            reason = _CLOUD_ALONE.format(name=name, first=first, time=cloud["time"])
            verdict = _verdict("degraded", _at("cloud-alone", None), reason, [])
        found: SensorResult = {
            "name": name,
            "addresses": entry["addresses"],
            "path": list(path),
            "verdict": verdict["verdict"],
            "stage": verdict["stage"],
            "hop": verdict["hop"],
            "reason": verdict["reason"],
            "endpoints": verdict["endpoints"],
            "since": None,
            "evidence": evidence,
            "cloud": cloud,
        }
        if "tunnel" in entry:
            found["tunnel"] = entry["tunnel"]
        return found

    def _link(self, proxy: str, walk: LinkWalk) -> Link:
        link: Link = {
            "source": proxy,
            "target": walk["target"],
            "kind": walk["kind"],
            "preferred": walk["preferred"],
            "endpoints": [],
            "verdict": "unknown",
            "reason": None,
        }
        parents = self._graph["proxies"][proxy]["parents"]
        parent = next((parent for parent in parents if parent["name"] == walk["target"]), None)
        if parent and "tunnel" in parent:
            link["tunnel"] = parent["tunnel"]
        report = self._reports.get(proxy, Report(problem="it was not asked"))
        made = next((each for each in report.walks if _key(proxy, each) == _key(proxy, walk)), None)
        problem = report.problem or (made["problem"] if made else "no answer")
        if made is None or problem:
            link["reason"] = f"{proxy} could not be asked: {problem}."
            return link
        link["endpoints"] = [self._compared(walk, _placed(proxy, walk, probe)) for probe in made["endpoints"]]
        broken = next((probe for probe in link["endpoints"] if probe["verdict"] == "broken"), None)
        link["verdict"], link["reason"] = ("broken", broken["reason"]) if broken else ("ok", None)
        return link

    def _compared(self, walk: LinkWalk, probe: ProbeResult) -> ProbeResult:
        """Compare who signed the endpoint's certificate with who signs it one hop farther out."""
        members = members_of(self._graph, walk["target"])
        next_hop = self._serving(members) if members else ""
        following = self._outward(next_hop) if members else None
        outside = _find(following, probe) if following else None
        if outside is None or not probe["certificate"] or not outside["certificate"]:
            return probe
        shown, real = probe["certificate"]["authority"], outside["certificate"]["authority"]
        if probe["stage"] not in (None, *_UNTRUSTED):
            return probe
        if outside["stage"] == "tls-inspected" and shown == real:
            # Whoever trusts the inspector sees nothing wrong; the sensors behind do.
            return {**probe, **_end(outside)}
        if outside["verdict"] != "ok" or shown == real:
            return probe
        reason = (
            f"{next_hop} opens TLS: the certificate for {probe['endpoint']} is issued by {real} on its outer side, and by "
            f"{shown} on its inner side."
        )
        return {**probe, "verdict": "broken", "stage": "tls-inspected", "hop": next_hop, "reason": reason}

    def _outward(self, proxy: str) -> Link | None:
        """The link by which a proxy prefers to go on."""
        for walk in walks_of(self._graph, proxy)[1:]:
            if walk["preferred"]:
                return self.links.get(_key(proxy, walk))
        return None

    def _membership(self, pair: str, member: str, members: list[str]) -> Link:
        """Whether one member, and no other, has the addresses of its pair."""
        holders = [name for name in members if self._reports.get(name, Report()).holds]
        silent = [name for name in members if self._reports.get(name, Report(problem="it was not asked")).problem]
        verdict, reason = "ok", None
        if len(holders) > 1:
            addresses = ", ".join(dict.fromkeys(address for name in holders for address in self._reports[name].holds))
            verdict = "broken"
            reason = f"{' and '.join(holders)} have {addresses} at the same time: they do not hear each other (VRRP)."
        elif not holders and silent:
            verdict = "unknown"
            reason = (
                f"Nobody who could be asked has the addresses of {pair}, and {', '.join(silent)} could not be asked."
            )
        elif not holders:
            verdict, reason = "broken", f"Neither {' nor '.join(members)} has the addresses of {pair}."
        elif member in holders and (since := self._reports[member].holds_since):
            reason = f"It serves since {since:%Y-%m-%d %H:%M:%S} UTC."
        return {
            "source": pair,
            "target": member,
            "kind": "pair",
            "preferred": member in holders,
            "endpoints": [],
            "verdict": verdict,
            "reason": reason,
        }

    def _serving(self, members: list[str]) -> str:
        """The member that has the addresses; the first where nobody is known to have them."""
        return next((name for name in members if self._reports.get(name, Report()).holds), members[0])

    def _judge_path(self, path: tuple[str, ...]) -> Judged:
        members = members_of(self._graph, path[0])
        if path[0] not in self._graph["pairs"]:
            return self._judge_from(members[0])
        pair, serving = path[0], self._serving(members)
        shared = self.links[pair, "pair", serving]
        if not shared["preferred"]:
            stage = "pair-nobody" if shared["verdict"] == "broken" else None
            return _verdict(shared["verdict"], _at(stage, pair), shared["reason"], [])
        verdict = self._judge_from(serving)
        if verdict["verdict"] == "ok" and shared["verdict"] == "broken":
            return _verdict("degraded", _at("pair-split", pair), shared["reason"], [])
        for member in members if verdict["verdict"] == "ok" else ():
            other = self._judge_from(member)
            if other["verdict"] != "ok":
                reason = f"{serving} serves {pair}, and {member} could not take over: {other['reason']}"
                return _verdict("degraded", _at(other["stage"], other["hop"]), reason, [])
        return verdict

    def _judge_from(self, first: str) -> Judged:
        known = [first]
        while parents := self._graph["proxies"][known[-1]]["parents"]:
            members = members_of(self._graph, parents[0]["name"])
            if not members or self._serving(members) in known:
                break
            known.append(self._serving(members))
        itself = self.links[known[0], "self", known[0]]
        if itself["verdict"] == "unknown":
            return _verdict("unknown", None, itself["reason"], [])
        causes = {
            (probe["endpoint"], probe["port"]): _cause([*self._suspects(known, probe), itself], probe)
            for probe in itself["endpoints"]
            if probe["verdict"] == "broken"
        }
        if causes:
            blamed = Counter((cause["stage"], cause["hop"]) for cause in causes.values()).most_common(1)[0][0]
            cause = next(each for each in causes.values() if (each["stage"], each["hop"]) == blamed)
            return _verdict("broken", cause, cause["reason"], [endpoint for endpoint, _port in causes])
        return self._judge_redundancy(known)

    def _suspects(self, known: list[str], wanted: ProbeResult) -> Iterator[Link]:
        """From outside in: the first that is broken is to blame for all the others."""
        # A proxy that gets there itself is well with all that is behind it, whatever became of one of its links.
        inside = [known[0], *takewhile(lambda proxy: not self._passes(proxy, wanted), known[1:])]
        return (link for proxy in reversed(inside) if (link := self._outward(proxy)))

    def _passes(self, proxy: str, wanted: ProbeResult) -> bool:
        probe = _find(self.links[proxy, "self", proxy], wanted)
        return probe is not None and probe["verdict"] == "ok"

    def _judge_redundancy(self, known: list[str]) -> Judged:
        """What works may still work in spite of something."""
        for proxy in reversed(known):
            for walk in walks_of(self._graph, proxy)[1:]:
                link = self.links[_key(proxy, walk)]
                probe = next((each for each in link["endpoints"] if each["verdict"] == "broken"), None)
                if probe:
                    what = "traffic takes another way" if link["preferred"] else "it is not needed now"
                    return _verdict("degraded", probe, f"{(probe['reason'] or '').rstrip('.')}; {what}.", [])
        return _verdict("ok", None, None, [])


def _at(stage: str | None, hop: str | None) -> Ended:
    return {"verdict": "", "stage": stage, "hop": hop, "reason": None}


def _together(said: list[Evidence]) -> Evidence | None:
    """What the members of a pair know of one client."""
    if len(said) < 2:
        return said[0] if said else None
    rule = next((each["rule"] for each in said if each["rule"] and each["rule"]["action"] != "allow"), said[0]["rule"])
    latest = max(said, key=lambda each: each["last"]["time"] if each["last"] else "")
    return {
        "name": said[0]["name"],
        "rule": rule,
        "last": _newest(each["last"] for each in said),
        "last_ok": _newest(each["last_ok"] for each in said),
        "refused_since_change": latest["refused_since_change"],
        "count": sum(each["count"] for each in said),
        "refused": sum(each["refused"] for each in said),
        "open": sum(each["open"] for each in said),
    }


def _newest(entries: Iterable[LogEntry | None]) -> LogEntry | None:
    return max(filter(None, entries), key=lambda entry: entry["time"], default=None)


def _never_seen(evidence: Evidence | None) -> bool:
    """Whether the first hop was asked, and has nothing of this sensor's own; its path may work all the same."""
    return evidence is not None and not evidence["open"] and evidence["last"] is None


def _heard(cloud: CloudWord | None, now: datetime | None) -> bool | None:
    """Whether the cloud hears the sensor; None where that is not known, as within the time by which it may be late."""
    said = moment(cloud["time"]) if cloud else None
    if cloud is None or said is None or now is None:
        return None
    if cloud["status"].lower() != "disconnected":
        return now - said <= _CLOUD_SILENCE or None
    return False if now - said > _CLOUD_SILENCE else None


def _passes_now(evidence: Evidence | None, now: datetime | None) -> bool:
    """Whether the first hop has an open tunnel of the sensor, or one that ended not long ago."""
    last = moment(evidence["last_ok"]["time"]) if evidence and evidence["last_ok"] else None
    return bool(evidence and evidence["open"]) or bool(last and now and now - last <= _RECENT)


def _end(probe: ProbeResult) -> Ended:
    return {"verdict": probe["verdict"], "stage": probe["stage"], "hop": probe["hop"], "reason": probe["reason"]}


def _placed(proxy: str, walk: LinkWalk, probe: ProbeResult) -> ProbeResult:
    """Say of a walk's end where it was walked from; a name that this host cannot resolve is this host's fault."""
    if walk["kind"] == "self" or probe["verdict"] == "ok":
        return probe
    here = probe["stage"] == "resolve" and "tcp" not in probe["times"]
    return {**probe, "hop": proxy if here else probe["hop"], "reason": f"From {proxy}: {probe['reason']}"}


def _key(proxy: str, way: Way) -> tuple[str, str, str]:
    return proxy, way["kind"], way["parent"] or way["target"]


def _cause(links: list[Link], wanted: ProbeResult) -> ProbeResult:
    probes = (_find(link, wanted) for link in links)
    return next(probe for probe in probes if probe is not None and probe["verdict"] == "broken")


def _find(link: Link, wanted: ProbeResult) -> ProbeResult | None:
    """The walk of a link to the same endpoint."""
    where = wanted["endpoint"], wanted["port"]
    return next((probe for probe in link["endpoints"] if (probe["endpoint"], probe["port"]) == where), None)


def _verdict(verdict: str, end: Ended | None, reason: str | None, endpoints: list[str]) -> Judged:
    stage, hop = (end["stage"], end["hop"]) if end else (None, None)
    return {"verdict": verdict, "stage": stage, "hop": hop, "reason": reason, "endpoints": endpoints}


def _judge_client(name: str, proxy: str, client: Evidence | None) -> Judged | None:
    """Say what the first hop itself holds against this sensor; None when nothing is known against it."""
    if client is None:
        return None
    rule = client["rule"]
    if rule is not None and rule["action"] != "allow":
        stage = "proxy-denied" if rule["action"] == "deny" else "proxy-auth"
        reason = (
            f"{proxy} refuses {name} by line {rule['line']} of its configuration, {rule['text']}; deploy the proxy."
        )
        return _refused(stage, proxy, reason, [])
    refused = client["refused_since_change"]
    if refused is not None:
        stage = "proxy-auth" if refused["status"] == 407 else "proxy-denied"
        reason = (
            f"{proxy} refused {name}'s own CONNECT to {refused['endpoint']}:{refused['port']} with {refused['status']} at "
            f"{refused['time']}, and none has passed since."
        )
        return _refused(stage, proxy, reason, [refused["endpoint"]])
    return None


def _refused(stage: str, proxy: str, reason: str, endpoints: list[str]) -> Judged:
    return {"verdict": "broken", "stage": stage, "hop": proxy, "reason": reason, "endpoints": endpoints}
