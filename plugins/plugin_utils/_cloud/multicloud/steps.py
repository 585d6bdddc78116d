# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role multicloud has to do, from the plan and from what the clouds answered. Private to this collection.

The role looks, takes these steps, and looks again: then there must be none left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import aws, circuit, google
from .found import TUNNEL, Json, Tally, merged, named

_FAR = {"aws": aws, "google": google}
# Azure shows them, and refuses a body that has them.
_READ_ONLY = frozenset(
    {
        "provisioningState",
        "resourceGuid",
        "connectionStatus",
        "ingressBytesTransferred",
        "egressBytesTransferred",
        "tunnelConnectionStatus",
    }
)


def steps(host: str, planned: Mapping[str, Any], found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """Return ``refusals``, ``lines`` of what changes, ``stays``, and what is done: ``near`` in Azure and ``far`` elsewhere.

    Args:
        host: name of the site in the inventory.
        planned: the plan, without mistakes.
        found: what the modules answered, ``near`` in Azure and ``far`` elsewhere, by what was asked.
        wanted: ``state``, ``cloud``, ``proxy``, ``key`` of tunnels to Google, ``rotate``; ``made`` holds the id of each tunnel that
            this run made, by its name, and ``only`` the tunnel that it is at.
    """
    tally = Tally(host, planned["azure"]["tags"])
    if planned["method"] != "vpn":
        return tally.told(circuit.steps(tally, planned, found["near"], wanted))
    azure = _Azure(tally, planned["azure"], found["near"])
    far = _FAR[wanted["cloud"]]
    if wanted["state"] == "absent":
        near: Json = {"remove": azure.removed()}
        return tally.told({"near": near, "far": far.removed(tally, planned["far"], found["far"])})
    if not azure.address:
        where, proxy = planned["azure"]["gateway"], wanted["proxy"]
        ours = f"build the proxy {proxy} first, with the playbook azure"
        remedy = ours if planned["azure"]["gateway_address"] else f"correct azure_proxy_gateway_id of {proxy}"
        tally.refuse(f"Azure has no VPN gateway with a public address at {where}; {remedy}")
        return tally.told({})
    end = far.steps(tally, planned["far"], found["far"], {**wanted, "azure": azure.known()})
    return tally.told({"near": azure.steps(end.pop("tunnels"), wanted["only"]), "far": end})


class _Azure:
    """A local network gateway and a connection for each tunnel."""

    def __init__(self, tally: Tally, near: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        self._tally = tally
        self._near = near
        # Azure compares names without case.
        self._gateways = {name.lower(): one for name, one in named(found["local_gateways"]).items()}
        self._connections = {name.lower(): one for name, one in named(found["connections"]).items()}
        answers = [one for one in found["keys"] if not one.get("skipped")]
        self._keys = {one["item"].lower(): str((one.get("response") or {}).get("value", "")) for one in answers}
        (address,) = named(found["gateway"]).values() or ({},)
        self.address = str(address.get("properties", {}).get("ipAddress", ""))

    def known(self) -> Json:
        """Return Azure's address, and the key and the far end's id of each tunnel that it has."""
        tunnels = {
            name: {"key": self._keys.get(name, ""), "id": str((one.get("tags") or {}).get(TUNNEL, ""))}
            for name, one in self._connections.items()
        }
        return {"address": self.address, "tunnels": tunnels}

    def removed(self) -> list[str]:
        """Return ids, in the order in which they can be removed."""
        kinds = (("connection", self._connections), ("local network gateway", self._gateways))
        return [
            str(found[name.lower()]["id"])
            for kind, found in kinds
            for name in self._near["tunnels"]
            if name.lower() in found
            and self._tally.remove(f"the {kind} {name} in Azure", found[name.lower()].get("tags"))
        ]

    def steps(self, tunnels: list[Json], only: str) -> Json:
        """Return what is written for the tunnels whose far ends are ready; the order is gateways, keys, connections."""
        for kind, found in (("local network gateway", self._gateways), ("connection", self._connections)):
            for name in self._near["tunnels"]:
                if name.lower() in found:
                    self._tally.own(f"the {kind} {name} in Azure", found[name.lower()].get("tags"))
        near: Json = {"gateways": [], "new_keys": [], "connections": []}
        for tunnel in tunnels:
            if only in ("", tunnel["name"]):
                self._gateway(tunnel, near)
                self._connection(tunnel, near)
        return near

    def _gateway(self, tunnel: Json, near: Json) -> None:
        name = tunnel["name"]
        now = self._gateways.get(name.lower(), {})
        ours = {
            "gatewayIpAddress": tunnel["address"],
            "localNetworkAddressSpace": {"addressPrefixes": self._near["remote"]},
        }
        prefixes = now.get("properties", {}).get("localNetworkAddressSpace", {}).get("addressPrefixes", [])
        seen = {**now.get("properties", {}), "localNetworkAddressSpace": {"addressPrefixes": sorted(prefixes)}}
        self._write(f"the local network gateway {name} in Azure", name, now, seen, ours, near["gateways"], {})

    def _connection(self, tunnel: Json, near: Json) -> None:
        name = tunnel["name"]
        now = self._connections.get(name.lower(), {})
        gateway = f"{self._near['local_gateways']}/{name}"
        ours = {
            "connectionType": "IPsec",
            "connectionProtocol": "IKEv2",
            "virtualNetworkGateway1": {"id": self._near["gateway"]},
            "localNetworkGateway2": {"id": gateway},
            "enableBgp": False,
            "usePolicyBasedTrafficSelectors": False,
            "ipsecPolicies": [self._near["policy"]],
        }
        seen = dict(now.get("properties", {}))
        for member in ("virtualNetworkGateway1", "localNetworkGateway2"):
            wanted = ours[member]["id"]  # type: ignore[index]
            if str((seen.get(member) or {}).get("id", "")).lower() == wanted.lower():
                seen[member] = {"id": wanted}
        peer = {TUNNEL: tunnel["id"]} if "id" in tunnel else {}
        # A PUT of a connection that is there ignores the key; its own call changes it.
        key = {} if now else {"sharedKey": tunnel["key"]}
        self._write(f"the connection {name} in Azure", name, now, seen, {**ours, **key}, near["connections"], peer)
        if now and self._keys.get(name.lower()) != tunnel["key"]:
            near["new_keys"].append({"name": name, "key": tunnel["key"]})
            self._tally.change(f"the key of the connection {name} in Azure")

    def _write(self, what: str, name: str, now: Json, seen: Json, ours: Json, items: list[Json], more: Json) -> None:
        """Write a resource as a whole where anything of ours differs, since that is how Azure takes it; what others set stays."""
        tags = merged(now.get("tags"), {**self._near["tags"], **more})
        done = seen.get("provisioningState") == "Succeeded"
        if now and done and tags == now.get("tags") and {**seen, **ours} == seen:
            return
        kept = {member: value for member, value in seen.items() if member not in _READ_ONLY}
        location = now.get("location", self._near["location"])
        items.append({"name": name, "body": {"location": location, "tags": tags, "properties": {**kept, **ours}}})
        if now:
            self._tally.change(what)
        else:
            self._tally.create(what)
