# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on every sensor's path, and the one link that is to blame, from what each proxy's host found.

Private to this collection. The shape of the result is documented in the module chain_report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from .walks import walks_of

FORMAT = 1
"""Number of the result's format; a report is compared with an earlier one of the same format only."""

VERDICTS = ("ok", "degraded", "unknown", "broken")
"""From good to bad."""

Json = dict[str, Any]
_UNTRUSTED = ("tls-untrusted", "tls-inspected")


@dataclass(frozen=True)
class Report:
    """What one proxy's host found."""

    walks: list[Json] = field(default_factory=list)
    """The walks that it made, each with the module's ``endpoints``, or with a ``problem``."""

    clients: list[Json] = field(default_factory=list)
    """What it knows of its clients."""

    clients_problem: str | None = None
    """Why it could not say what it knows of them."""

    problem: str | None = None
    """Why the host could not be asked at all."""


def judge(
    graph: Mapping[str, Any], reports: Mapping[str, Report], time: str, cloud: Mapping[str, Json] | None = None
) -> Json:
    """Judge every sensor's path.

    Args:
        graph: the topology.
        reports: what each proxy's host found, by the proxy's name.
        time: when, in UTC (ISO 8601).
        cloud: the cloud's word on a sensor, by the sensor's name.
    """
    judge_ = _Judge(graph, reports)
    sensors = [judge_.sensor(name, (cloud or {}).get(name)) for name in graph["sensors"]]
    counted = Counter(sensor["verdict"] for sensor in sensors)
    judged = [sensor["verdict"] for sensor in sensors] or [
        link["verdict"] for link in judge_.links.values() if link["kind"] == "self"
    ]
    return {
        "format": FORMAT,
        "time": time,
        "verdict": max(judged, key=VERDICTS.index, default="unknown"),
        "counts": {verdict: counted[verdict] for verdict in VERDICTS},
        "never_seen": sum(_never_seen(sensor["evidence"]) for sensor in sensors),
        "proxies": dict(_proxies(graph)),
        "links": list(judge_.links.values()),
        "sensors": sensors,
        "changes": [],
        "previous": None,
    }


def _proxies(graph: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    for name, entry in graph["proxies"].items():
        address = (entry["addresses"] or [""])[0]
        yield name, {"kind": "inventory", "tier": entry["tier"], "address": address, "port": entry["port"]}
    for entry in graph["proxies"].values():
        for parent in entry["parents"]:
            if parent["kind"] == "external":
                where = {"address": parent["address"], "port": parent["port"]}
                yield parent["name"], {"kind": "external", "tier": None, **where}


class _Judge:
    def __init__(self, graph: Mapping[str, Any], reports: Mapping[str, Report]) -> None:
        self._graph = graph
        self._reports = reports
        self._clients = {
            name: {client["name"]: client for client in report.clients} for name, report in reports.items()
        }
        self._paths: dict[tuple[str, ...], Json] = {}
        # By source, kind and target, outermost first, so that each link is compared with what lies behind it.
        self.links: dict[tuple[str, str, str], Json] = {}
        for tier in graph["tiers"]:
            for proxy in tier:
                for walk in reversed(walks_of(graph, proxy)):
                    self.links[_key(proxy, walk)] = self._link(proxy, walk)

    def sensor(self, name: str, cloud: Json | None) -> Json:
        """Judge one sensor."""
        entry = self._graph["sensors"][name]
        path = tuple(entry["path"])
        if path not in self._paths:
            self._paths[path] = self._judge_path(path)
        evidence = self._clients.get(path[0], {}).get(name)
        verdict = self._paths[path]
        if verdict["verdict"] in ("ok", "degraded"):
            verdict = _judge_client(name, path[0], evidence) or verdict
        problem = self._reports.get(path[0], Report()).clients_problem
        if problem and verdict["verdict"] == "ok":
            verdict = _verdict("degraded", None, f"{path[0]} did not say what it knows of its sensors: {problem}.", [])
        where = {"name": name, "addresses": entry["addresses"], "path": list(path), **_tunnel(entry)}
        return {**where, **verdict, "since": None, "evidence": evidence, "cloud": cloud}

    def _link(self, proxy: str, walk: Json) -> Json:
        parents = (each for each in self._graph["proxies"][proxy]["parents"] if each["name"] == walk["target"])
        link: Json = {"source": proxy, **{key: walk[key] for key in ("target", "kind", "preferred")}, "endpoints": []}
        link |= _tunnel(next(parents, {}))
        report = self._reports.get(proxy, Report(problem="it was not asked"))
        made = next((w for w in report.walks if (w["kind"], w["secret"]) == (walk["kind"], walk["secret"])), None)
        problem = report.problem or (made or {}).get("problem")
        if made is None or problem:
            return {**link, "verdict": "unknown", "reason": f"{proxy} could not be asked: {problem or 'no answer'}."}
        for probe in made["endpoints"]:
            link["endpoints"].append(self._compared(walk, _placed(proxy, walk, probe)))
        broken = [probe for probe in link["endpoints"] if probe["verdict"] == "broken"]
        return {**link, "verdict": "broken" if broken else "ok", "reason": broken[0]["reason"] if broken else None}

    def _compared(self, walk: Json, probe: Json) -> Json:
        """Compare who signed the endpoint's certificate with who signs it one hop farther out."""
        next_hop = walk["target"]
        following = self._outward(next_hop) if next_hop in self._graph["proxies"] else None
        outside = _find(following, probe) if following else None
        shown = (probe["certificate"] or {}).get("authority")
        real = ((outside or {}).get("certificate") or {}).get("authority")
        if outside is None or shown is None or real is None or probe["stage"] not in (None, *_UNTRUSTED):
            return probe
        if outside["stage"] == "tls-inspected" and shown == real:
            # Whoever trusts the inspector sees nothing wrong; the sensors behind do.
            return {**probe, **{key: outside[key] for key in ("verdict", "stage", "hop", "reason")}}
        if outside["verdict"] != "ok" or shown == real:
            return probe
        reason = (
            f"{next_hop} opens TLS: the certificate for {probe['endpoint']} is issued by {real} on its outer side, and by "
            f"{shown} on its inner side."
        )
        return {**probe, "verdict": "broken", "stage": "tls-inspected", "hop": next_hop, "reason": reason}

    def _outward(self, proxy: str) -> Json | None:
        """The link by which a proxy prefers to go on."""
        for walk in walks_of(self._graph, proxy)[1:]:
            if walk["preferred"]:
                return self.links.get(_key(proxy, walk))
        return None

    def _judge_path(self, path: tuple[str, ...]) -> Json:
        known = [proxy for proxy in path if proxy in self._graph["proxies"]]
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

    def _suspects(self, known: list[str], wanted: Json) -> Iterator[Json]:
        """From outside in: the first that is broken is to blame for all the others."""
        # A proxy that gets there itself is well with all that is behind it, whatever became of one of its links.
        inside = [known[0], *takewhile(lambda proxy: not self._passes(proxy, wanted), known[1:])]
        return (link for proxy in reversed(inside) if (link := self._outward(proxy)))

    def _passes(self, proxy: str, wanted: Json) -> bool:
        probe = _find(self.links[proxy, "self", proxy], wanted)
        return probe is not None and probe["verdict"] == "ok"

    def _judge_redundancy(self, known: list[str]) -> Json:
        """What works may still work in spite of something."""
        for proxy in reversed(known):
            for walk in walks_of(self._graph, proxy)[1:]:
                link = self.links[_key(proxy, walk)]
                probe = next((each for each in link["endpoints"] if each["verdict"] == "broken"), None)
                if probe:
                    what = "traffic takes another way" if link["preferred"] else "it is not needed now"
                    return _verdict("degraded", probe, f"{probe['reason'].rstrip('.')}; {what}.", [])
        return _verdict("ok", None, None, [])


def _never_seen(evidence: Json | None) -> bool:
    """Whether the first hop was asked, and has nothing of this sensor's own; its path may work all the same."""
    return evidence is not None and not evidence["open"] and evidence["last"] is None


def _tunnel(entry: Json) -> Json:
    """Name the tunnel by which the next hop is reached, where there is one."""
    return {"tunnel": entry["tunnel"]} if entry.get("tunnel") else {}


def _placed(proxy: str, walk: Json, probe: Json) -> Json:
    """Say of a walk's end where it was walked from; a name that this host cannot resolve is this host's fault."""
    if walk["kind"] == "self" or probe["verdict"] == "ok":
        return probe
    here = probe["stage"] == "resolve" and "tcp" not in probe["times"]
    return {**probe, "hop": proxy if here else probe["hop"], "reason": f"From {proxy}: {probe['reason']}"}


def _key(proxy: str, walk: Json) -> tuple[str, str, str]:
    """A parent at two ports is two links."""
    return proxy, walk["kind"], walk["secret"] or walk["target"]


def _cause(links: list[Json], wanted: Json) -> Json:
    probes = (_find(link, wanted) for link in links)
    return next(probe for probe in probes if probe is not None and probe["verdict"] == "broken")


def _find(link: Json, wanted: Json) -> Json | None:
    """The walk of a link to the same endpoint."""
    where = wanted["endpoint"], wanted["port"]
    return next((probe for probe in link["endpoints"] if (probe["endpoint"], probe["port"]) == where), None)


def _verdict(verdict: str, probe: Json | None, reason: str | None, endpoints: list[str]) -> Json:
    where = {"stage": probe["stage"], "hop": probe["hop"]} if probe else {"stage": None, "hop": None}
    return {"verdict": verdict, **where, "reason": reason, "endpoints": endpoints}


def _judge_client(name: str, proxy: str, client: Json | None) -> Json | None:
    """Say what the first hop itself holds against this sensor; None when nothing is known against it."""
    if client is None:
        return None
    rule = client["rule"]
    if rule is not None and rule["action"] != "allow":
        stage = "proxy-denied" if rule["action"] == "deny" else "proxy-auth"
        reason = (
            f"{proxy} refuses {name} by line {rule['line']} of its configuration, {rule['text']}; deploy the proxy."
        )
        return _verdict("broken", {"stage": stage, "hop": proxy}, reason, [])
    refused = client["refused_since_change"]
    if refused is not None:
        stage = "proxy-auth" if refused["status"] == 407 else "proxy-denied"
        reason = (
            f"{proxy} refused {name}'s own CONNECT to {refused['endpoint']}:{refused['port']} with {refused['status']} at "
            f"{refused['time']}, and none has passed since."
        )
        return _verdict("broken", {"stage": stage, "hop": proxy}, reason, [refused["endpoint"]])
    return None
