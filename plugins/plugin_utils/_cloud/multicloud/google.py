# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done in Google Cloud. Private to this collection.

A classic VPN with static routes: the collection cannot make the gateway of an HA VPN. A gateway has one address, so that there are
two of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .found import OWNER, Json, Tally, lacking, named, owner

_PROTOCOLS = {"esp": ("ESP", ""), "udp500": ("UDP", "500"), "udp4500": ("UDP", "4500")}
_KINDS = {
    "addresses": "address",
    "gateways": "target VPN gateway",
    "rules": "forwarding rule",
    "tunnels": "VPN tunnel",
    "routes": "route",
}


# By the names that they have in the API; a route has no labels.
_LABELLED = {
    "addresses": "addresses",
    "gateways": "targetVpnGateways",
    "rules": "forwardingRules",
    "tunnels": "vpnTunnels",
}


def description(name: str) -> str:
    """Return what the role writes into all that it makes, in the same step, which its labels are not."""
    return f"{OWNER}={owner(name)}"


class _Found:
    """What is there, by kind and name."""

    def __init__(self, tally: Tally, far: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        self._tally = tally
        self._far = far
        self.of = {kind: named(found[kind]) for kind in _KINDS}
        self.wanted = {
            "addresses": far["tunnels"],
            "gateways": far["tunnels"],
            "rules": [f"{name}-{suffix}" for name in far["tunnels"] for suffix in _PROTOCOLS],
            "tunnels": far["tunnels"],
            "routes": [route["name"] for name in far["tunnels"] for route in self.routes(name)],
        }

    def routes(self, tunnel: str) -> list[Json]:
        """Return the routes into a tunnel that there have to be."""
        return [
            {"name": f"{tunnel}-{re.sub('[./]', '-', network)}", "network": network, "tunnel": tunnel}
            for network in self._far["remote"]
        ]

    def into(self, tunnel: str) -> Iterator[tuple[str, Json]]:
        """Yield the routes into a tunnel that there are."""
        end = f"/projects/{self._far['project']}/regions/{self._far['region']}/vpnTunnels/{tunnel}"
        for name, one in self.of["routes"].items():
            if str(one.get("nextHopVpnTunnel", "")).endswith(end):
                yield name, one

    def tags(self, one: Json) -> dict[str, str]:
        """Return the tag that says whose it is, as other clouds have it."""
        name, _equals, value = str(one.get("description", "")).partition("=")
        return {name: value}

    def what(self, kind: str, name: str) -> str:
        return f"the {_KINDS[kind]} {name} in Google Cloud"

    def missing(self, kind: str) -> list[str]:
        """Return names, and refuse what somebody else made."""
        there = self.of[kind]
        for name in self.wanted[kind]:
            if name in there:
                self._tally.own(self.what(kind, name), self.tags(there[name]))
        return [name for name in self.wanted[kind] if name not in there]


def steps(tally: Tally, far: Mapping[str, Any], found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """Return the steps, and in ``tunnels`` what Azure has to know."""
    there = _Found(tally, far, found)
    missing = {kind: there.missing(kind) for kind in _KINDS}
    for kind, names in missing.items():
        for name in names:
            tally.create(there.what(kind, name))
    for kind in _LABELLED:
        for name in there.wanted[kind]:
            if name in there.of[kind] and lacking(there.of[kind][name].get("labels", {}), far["labels"]):
                tally.change(f"the labels of {there.what(kind, name)}")
    networks = found["networks"]
    if missing["gateways"] and networks is not None and far["network"] not in named(networks):
        said = f"multicloud_google_network is {far['network']}, and the project {far['project']} has no such network"
        tally.refuse(said)
    renew, routes, gone, tunnels = [], [], [], []
    up = [name for name in far["tunnels"] if there.of["tunnels"].get(name, {}).get("status") == "ESTABLISHED"]
    for name in far["tunnels"]:
        ours: list[str] = []
        others: list[str] = []
        for route, one in there.into(name):
            (ours if tally.is_ours(there.tags(one)) else others).append(route)
        needed = there.routes(name)
        identity = _identity(there.of["tunnels"].get(name, {}), name, wanted)
        if identity:
            routes += [route for route in needed if route["name"] in missing["routes"]]
            old = [route for route in ours if route not in there.wanted["routes"]]
            tally.lines += [f"remove {there.what('routes', route)}" for route in old]
            gone += [{"name": route, "network": there.of["routes"][route]["destRange"]} for route in old]
            address = there.of["addresses"].get(name, {}).get("address", "")
            if address:
                tunnels.append({"name": name, "address": address, "key": wanted["key"], "id": identity})
            continue
        if name in there.of["tunnels"]:
            tally.lines.append(
                f"remove {there.what('tunnels', name)}, to make it anew with its key, there and in Azure"
            )
            if others:
                said = f"the route {others[0]} leads into the tunnel {name}, which has to be made anew, and this role did not make it"
                tally.refuse(f"{said}; remove it first")
        leading = [{"name": route, "network": there.of["routes"][route]["destRange"]} for route in ours]
        item = {"name": name, "remove": name in there.of["tunnels"], "is_up": name in up}
        renew.append({**item, "gone": leading, "routes": needed})
    return {
        "addresses": missing["addresses"],
        "gateways": missing["gateways"],
        "rules": list(_rules(there, missing["rules"])),
        "routes": routes,
        "gone": gone,
        # What is down already comes first.
        "renew": sorted(renew, key=lambda one: bool(one["is_up"])),
        "up": up,
        "labelled": [f"{api}/{name}" for kind, api in _LABELLED.items() for name in there.wanted[kind]],
        "tunnels": tunnels,
    }


def _identity(tunnel: Json, name: str, wanted: Mapping[str, Any]) -> str:
    """Return the id of a tunnel that has the right end and key, empty where nobody knows.

    Google never tells a key and never changes a tunnel's, so that an id stands for one key. Azure's connection has the id of the
    tunnel for which its key was set.
    """
    identity = str(tunnel.get("id", ""))
    azure = wanted["azure"]["tunnels"].get(name.lower(), {})
    if name in wanted["made"]:
        return str(wanted["made"][name])
    right = tunnel.get("peerIp") == wanted["azure"]["address"]
    return identity if right and azure == {"key": wanted["key"], "id": identity} else ""


def _rules(there: _Found, names: list[str]) -> Iterator[Json]:
    for name in names:
        gateway, _dash, suffix = name.rpartition("-")
        protocol, port = _PROTOCOLS[suffix]
        address = there.of["addresses"].get(gateway, {}).get("address", "")
        yield {"name": name, "gateway": gateway, "protocol": protocol, "port": port, "address": address}


def removed(tally: Tally, far: Mapping[str, Any], found: Mapping[str, Any]) -> Json:
    """Return names, from the outside in, since Google does not remove what is in use; of routes their networks, too."""
    there = _Found(tally, far, found)
    leading = {name: one for tunnel in far["tunnels"] for name, one in there.into(tunnel)}
    there.wanted["routes"] = [*leading, *(name for name in there.wanted["routes"] if name not in leading)]
    steps: Json = {}
    for kind in ("routes", "tunnels", "rules", "gateways", "addresses"):
        here = [name for name in there.wanted[kind] if name in there.of[kind]]
        steps[kind] = [name for name in here if tally.remove(there.what(kind, name), there.tags(there.of[kind][name]))]
    steps["routes"] = [{"name": name, "network": there.of["routes"][name]["destRange"]} for name in steps["routes"]]
    tally.stays.append(f"keep the network {far['network']} in Google Cloud")
    return steps
