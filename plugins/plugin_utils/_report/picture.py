# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the chain, before it is written for a tool that draws. Private to this collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._proof.model import VERDICTS, Results
from .results import ENDPOINTS, clean, known, many, natural, rank, sensors_of, tunnel_of

SINGLE = 8
"""So many sensors of one first hop have a node each; more become one node."""

BEHIND = "fails further on"
"""What is said of a proxy or an arrow when the cause is behind it."""

NAMED = 6
"""So many endpoints are named."""


@dataclass
class Node:
    """What is drawn as a box.

    Attributes:
        key: its identity within the picture, free of anything that came from outside.
        kind: ``sensor``, ``sensors``, ``proxy``, ``external`` or ``endpoints``.
        lines: its text.
        verdict: one of VERDICTS, or ``plain`` for what was not judged.
        tip: more about it.
    """

    key: str
    kind: str
    lines: list[str]
    verdict: str
    tip: str


@dataclass
class Edge:
    """What is drawn as an arrow.

    Attributes:
        source: key of the node that asks.
        target: key of the node that is asked.
        verdict: one of VERDICTS, or ``plain``.
        here: whether what is wrong is at this arrow, and not somewhere behind it.
        label: the stage that fails here, or empty.
        tip: more about it.
        preferred: false for what is only used when another parent fails.
    """

    source: str
    target: str
    verdict: str
    here: bool
    label: str
    tip: str
    preferred: bool = True


@dataclass
class Layer:
    """What stands in one column, with its caption."""

    caption: str
    nodes: list[Node]


@dataclass
class Picture:
    """The columns from the sensors to the endpoints, and the arrows between them."""

    layers: list[Layer] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


def picture(results: Results) -> Picture:
    """Return what to draw."""
    return _Builder(results).build()


class _Builder:
    def __init__(self, results: Results) -> None:
        self._results = results
        self._proxies: Mapping[str, Any] = results.get("proxies") or {}
        self._links: list[Mapping[str, Any]] = list(results.get("links") or [])
        self._keys = {name: f"p{place}" for place, name in enumerate(self._proxies)}
        self._edges: list[Edge] = []

    def build(self) -> Picture:
        own = {link.get("source"): link for link in self._links if link.get("kind") == "self"}
        tiers: dict[int, list[Node]] = {}
        external = []
        for name, proxy in self._proxies.items():
            node = self._proxy(name, proxy, own.get(name))
            if proxy.get("kind") == "external":
                external.append(node)
            else:
                tiers.setdefault(int(proxy.get("tier") or 0), []).append(node)
        layers = [Layer("Sensors", self._sensors())]
        layers += [Layer(f"Proxies, tier {tier}", tiers[tier]) for tier in sorted(tiers, reverse=True)]
        layers += [Layer("Other teams' proxies", external), Layer("Endpoints", [self._endpoints()])]
        for link in self._links:
            if link.get("kind") != "self":
                self._link(link)
        self._behind_external()
        return Picture([layer for layer in layers if layer.nodes], self._edges)

    def _sensors(self) -> list[Node]:
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for sensor in sensors_of(self._results):
            path = sensor.get("path") or []
            groups.setdefault(str(path[0]) if path else "", []).append(sensor)
        nodes: list[Node] = []
        # In the order of the proxies, so that arrows cross little.
        order = {name: place for place, name in enumerate(self._proxies)}
        for hop in sorted(groups, key=lambda name: (order.get(name, len(order)), name)):
            several = [groups[hop]] if len(groups[hop]) > SINGLE else [[one] for one in groups[hop]]
            if len(several) > 1:
                several.sort(key=lambda group: natural(group[0].get("name")))
            for group in several:
                node = _sensor_node(f"s{len(nodes)}", group)
                nodes.append(node)
                self._sensor_edge(node, hop, group)
        return nodes

    def _sensor_edge(self, node: Node, hop: str, group: list[Mapping[str, Any]]) -> None:
        target = self._keys.get(hop) if hop else ENDPOINTS
        if target is None:
            return
        failing = [one for one in group if known(one.get("verdict")) != "ok"]
        here = [one for one in failing if one.get("stage") and one.get("hop") == hop]
        stages = Counter(clean(one.get("stage")) for one in here)
        label = ", ".join(
            stage if len(group) == 1 else f"{stage} ({count:,})" for stage, count in sorted(stages.items())
        )
        tunnels = dict.fromkeys(filter(None, map(tunnel_of, group)))
        label = ", ".join(filter(None, [*tunnels, label]))
        verdict = _worst(one.get("verdict") for one in group)
        self._edges.append(
            Edge(node.key, target, verdict, bool(here), label, _reasons(here) or (BEHIND if failing else ""))
        )

    def _proxy(self, name: str, proxy: Mapping[str, Any], own: Mapping[str, Any] | None) -> Node:
        external = proxy.get("kind") == "external"
        lines = [clean(name)]
        where = f"{clean(proxy.get('address'))}:{clean(proxy.get('port'))}"
        lines.append(where if clean(proxy.get("address")) != clean(name) else f"port {clean(proxy.get('port'))}")
        verdict = known(own.get("verdict")) if own else "plain"
        faults = _faults(own, name) if own else []
        if faults or verdict not in ("ok", "plain"):
            lines.append(", ".join(faults) or (BEHIND if verdict == "broken" else verdict))
        tip = _probe_reasons(own) if own else ""
        return Node(self._keys[name], "external" if external else "proxy", lines, verdict, tip)

    def _link(self, link: Mapping[str, Any]) -> None:
        source = self._keys.get(str(link.get("source")))
        name = str(link.get("target") or "")
        target = self._keys.get(name) if name else ENDPOINTS
        if source is None or target is None:
            return
        faults = _faults(link, name)
        verdict = known(link.get("verdict"))
        # A hop that the picture does not have must not hide a fault.
        strays = [
            clean(probe.get("stage"))
            for probe in link.get("endpoints") or []
            if probe.get("stage") and probe.get("hop") and probe["hop"] not in self._proxies
        ]
        fault = ", ".join(dict.fromkeys([*faults, *strays])) or ("not asked" if verdict == "unknown" else "")
        self._edges.append(
            Edge(
                source,
                target,
                verdict,
                bool(fault) or verdict == "unknown",
                ", ".join(filter(None, [tunnel_of(link), fault])),
                _probe_reasons(link),
                link.get("preferred") is not False,
            )
        )

    def _behind_external(self) -> None:
        """Draw the way on from other teams' proxies, which is known only from what was asked through them."""
        for name, proxy in self._proxies.items():
            if proxy.get("kind") != "external":
                continue
            through = [
                probe
                for link in self._links
                if link.get("target") == name
                for probe in link.get("endpoints") or []
                if known(probe.get("verdict")) == "ok" or probe.get("hop") == ""
            ]
            failed = [probe for probe in through if known(probe.get("verdict")) != "ok"]
            verdict = "broken" if failed else "ok" if through else "plain"
            stages = dict.fromkeys(clean(probe.get("stage")) for probe in failed)
            self._edges.append(
                Edge(self._keys[name], ENDPOINTS, verdict, bool(failed), ", ".join(stages), _reasons(failed))
            )

    def _endpoints(self) -> Node:
        names = dict.fromkeys(
            clean(probe.get("endpoint")) for link in self._links for probe in link.get("endpoints") or []
        )
        for sensor in self._results.get("sensors") or []:
            names.update(dict.fromkeys(map(clean, sensor.get("endpoints") or [])))
        lines = list(names)[:NAMED]
        if len(names) > NAMED:
            lines.append(f"and {len(names) - NAMED:,} more")
        return Node(ENDPOINTS, "endpoints", lines or [ENDPOINTS], "plain", "\n".join(names))


def _sensor_node(key: str, group: list[Mapping[str, Any]]) -> Node:
    verdict = _worst(one.get("verdict") for one in group)
    if len(group) == 1:
        lines = [clean(group[0].get("name")), *([verdict] if verdict != "ok" else [])]
        return Node(key, "sensor", lines, verdict, _reasons(group))
    counts = Counter(known(one.get("verdict")) for one in group)
    said = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in reversed(VERDICTS) if counts[verdict])
    return Node(key, "sensors", [many(len(group), "sensor"), said], verdict, _reasons(group))


def _worst(verdicts: Iterable[object]) -> str:
    return min(map(known, verdicts), key=rank)


def _faults(link: Mapping[str, Any], hop: str) -> list[str]:
    """Return the stages at which a link fails at one hop."""
    return list(
        dict.fromkeys(
            clean(probe.get("stage"))
            for probe in link.get("endpoints") or []
            if probe.get("stage") and probe.get("hop") == hop and known(probe.get("verdict")) != "ok"
        )
    )


def _probe_reasons(link: Mapping[str, Any]) -> str:
    probes = [one for one in link.get("endpoints") or [] if known(one.get("verdict")) != "ok"]
    return _reasons(probes) or clean(link.get("reason"))


def _reasons(things: Iterable[Mapping[str, Any]], most: int = 3) -> str:
    reasons = [one for one in dict.fromkeys(clean(thing.get("reason")) for thing in things) if one]
    return "\n".join([*reasons[:most], *([f"and {len(reasons) - most:,} more"] if len(reasons) > most else [])])
