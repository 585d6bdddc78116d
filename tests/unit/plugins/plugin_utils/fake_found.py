# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role chain_verify registers on the proxies of a graph: all is well, until a test breaks something."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._proof import found, verdict, walks

TIME = "2026-11-24T10:40:00+00:00"
HUB, STORE = "hub.azure-devices.net", "store.blob.core.windows.net"
ENDPOINTS = (HUB, STORE)
AUTHORITY = "Example Trust"
SETUP = {
    "squid_version": "6.13",
    "config_sha256": "5e" * 32,
    "holds": [],
    "holds_since": "",
    "learns_until": "",
    "others": [],
}

Json = Any


def chain(*names: str, sensors: Sequence[str] = ()) -> tuple[Json, Json]:
    """The hosts of a chain, innermost proxy first, and a sensor behind each proxy that is named in ``sensors``."""
    proxies = {
        name: {"ansible_host": f"10.0.{number}.250", "squid_parents": list(names[number + 1 : number + 2])}
        for number, name in enumerate(names)
    }
    return proxies, {
        f"sensor{number}": {"ansible_host": f"10.0.{names.index(via)}.{number}", "sensor_proxy_via": via}
        for number, via in enumerate(sensors, 1)
    }


def probe(
    endpoint: str, stage: str | None = None, hop: str | None = None, authority: str = AUTHORITY, port: int = 443
) -> Json:
    """What chain_walk returns for an endpoint; broken where a stage is given."""
    reached = ["resolve"] if stage == "resolve" else ["resolve", "tcp", "connect", "tls"]
    shown = stage in (None, "tls-untrusted", "tls-inspected")
    certificate = {
        "issuer": f"CN=CA 1, O={authority}",
        "authority": authority,
        "subject": f"CN={endpoint}",
        "not_after": "2027-05-01T00:00:00+00:00",
    }
    return {
        "endpoint": endpoint,
        "port": port,
        "verdict": "broken" if stage else "ok",
        "stage": stage,
        "hop": hop,
        "reason": f"{stage} at {hop or 'the endpoint'} for {endpoint}." if stage else None,
        "times": dict.fromkeys(reached, 0.001),
        "certificate": certificate if shown else None,
    }


def client(name: str) -> Json:
    """What chain_walk returns for a sensor against which nothing speaks."""
    rule = {"action": "allow", "line": 30, "text": f"http_access allow {name}"}
    nothing = {"last": None, "last_ok": None, "refused_since_change": None, "count": 0, "refused": 0, "open": 1}
    return {"name": name, "rule": rule, **nothing}


class Found:
    """What was registered on each host of a graph."""

    def __init__(self, graph: Json, endpoints: Sequence[str] = ENDPOINTS) -> None:
        assert graph["mistakes"] == []
        self.graph = graph
        self.hostvars: Json = {}
        for proxy in graph["proxies"]:
            made = [{**walk, "endpoints": [probe(each) for each in endpoints]} for walk in walks.walks_of(graph, proxy)]
            clients = [client(sensor["name"]) for sensor in walks.sensors_of(graph, proxy)]
            walked = {"walks": made, "clients": clients, "clients_problem": None, **SETUP}
            self.hostvars[proxy] = {"__chain_verify_walked": walked}

    def walks(self, source: str) -> list[Json]:
        """The walks of a proxy."""
        results: list[Json] = self.hostvars[source]["__chain_verify_walked"]["walks"]
        return results

    def walk(self, source: str, target: str, nth: int = 0) -> Json:
        """One of them: to a parent, to the proxy itself, or straight to the endpoints where the target is empty."""
        return [result for result in self.walks(source) if result["target"] == target][nth]

    def finds(self, source: str, target: str, *probes: Json, nth: int = 0) -> None:
        """Let a walk find this of these endpoints, and of the others what it did."""
        result = self.walk(source, target, nth)
        told = {one["endpoint"]: one for one in probes}
        result["endpoints"] = [copy.deepcopy(told.get(one["endpoint"], one)) for one in result["endpoints"]]

    def breaks(self, source: str, target: str, stage: str, hop: str, *endpoints: str, nth: int = 0) -> None:
        """Let one walk end, for all endpoints unless some are named."""
        self.finds(source, target, *(probe(each, stage, hop) for each in endpoints or ENDPOINTS), nth=nth)

    def cut(self, source: str, target: str, stage: str, *endpoints: str) -> None:
        """Break a link, and with it all walks that lead over it; farther in they only tell that something behind fails."""
        for proxy in self.hostvars:
            for walk in self.walks(proxy):
                stops = [*([] if walk["kind"] == "self" else [proxy]), *(hop["name"] for hop in walk["hops"]), ""]
                if (source, target) not in pairwise(stops):
                    continue
                if walk["kind"] != "self" and proxy == source:
                    self.breaks(proxy, walk["target"], stage, target, *endpoints)
                else:
                    self.breaks(
                        proxy, walk["target"], "parent-unreachable", stops[0 if proxy == stops[0] else 1], *endpoints
                    )

    def client(self, proxy: str, sensor: str) -> Json:
        """What a proxy knows of one of its sensors."""
        clients: list[Json] = self.hostvars[proxy]["__chain_verify_walked"]["clients"]
        return next(one for one in clients if one["name"] == sensor)

    def judged(self, *cloud: Json) -> Json:
        """The results, with these rows of the cloud."""
        asked = {"__chain_verify_asked": {"results": [{"response": {"data": [row]}} for row in cloud]}}
        return verdict.judge(self.graph, found.reports_of(self.graph, self.hostvars), TIME, found.cloud_of(asked))

    def sensors(self) -> dict[str, Json]:
        """The results of the sensors by name."""
        return {sensor["name"]: sensor for sensor in self.judged()["sensors"]}

    def links(self) -> Iterator[tuple[str, str, str, str]]:
        """Source, target, kind and verdict of each link."""
        for link in self.judged()["links"]:
            yield link["source"], link["target"], link["kind"], link["verdict"]
