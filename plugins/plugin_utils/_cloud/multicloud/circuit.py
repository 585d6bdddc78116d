# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done with an ExpressRoute circuit. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .found import Json, Tally, merged, named


def steps(tally: Tally, planned: Mapping[str, Any], found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """Return the steps: ``remove`` or ``order``, ``tags``, ``peering`` and ``connection``; and ``circuit``, its properties."""
    near = planned["azure"]
    circuit, connection, gateway = (
        next(iter(named(found[each]).values()), {}) for each in ("circuit", "connection", "gateway")
    )
    name = near["circuit_name"]
    parts = {"connection": (f"the connection {name} in Azure", connection)}
    parts["circuit"] = (f"the ExpressRoute circuit {name} in Azure", circuit)
    there = {part: (what, one) for part, (what, one) in parts.items() if one}
    if wanted["state"] == "absent":
        remove = [str(one["id"]) for what, one in there.values() if tally.remove(what, one.get("tags"))]
        tally.stays.append("keep Azure's gateway")
        return {"near": {"remove": remove}}
    for what, one in there.values():
        tally.own(what, one.get("tags"))
    if gateway.get("properties", {}).get("gatewayType") != "ExpressRoute":
        # A circuit is billed from its order on.
        said = f"Azure has no ExpressRoute gateway at {near['gateway']}; build the proxy {wanted['proxy']} first"
        tally.refuse(f"{said}, with the playbook azure")
    if not circuit:
        tally.create(parts["circuit"][0])
    properties = circuit.get("properties", {})
    if circuit:
        _refuse_another(tally, near, circuit)
    return {"near": {"order": not circuit, "circuit": properties, **_writes(tally, planned, parts, properties)}}


def _writes(tally: Tally, planned: Mapping[str, Any], parts: Mapping[str, Any], properties: Json) -> Json:
    """Return the bodies of what is written, empty where nothing is; of tags a list."""
    near = planned["azure"]
    # As a circuit is written as a whole without its peerings, tags have a call of their own.
    done: Json = {"tags": [], "peering": {}, "connection": {}}
    for part, (what, one) in parts.items():
        tags = merged(one.get("tags"), near["tags"])
        if one and tags != one.get("tags"):
            done["tags"].append({"url": near[part], "body": {"tags": tags}})
            tally.change(f"the tags of {what}")
    done["provisioned"] = properties.get("serviceProviderProvisioningState") == "Provisioned"
    if not done["provisioned"]:
        return done
    peerings = {str(one.get("name")): one.get("properties", {}) for one in properties.get("peerings") or []}
    now = peerings.get("AzurePrivatePeering", {})
    # With an exchange provider the peering is the provider's.
    if not planned["handover"] and {**now, **near["peering"]} != now:
        done["peering"] = {"properties": near["peering"]}
        tally.change(f"the private peering of {parts['circuit'][0]}")
    what, connection = parts["connection"]
    if not connection:
        tally.create(what)
        ends = {"virtualNetworkGateway1": {"id": near["gateway"]}, "peer": {"id": near["circuit"]}}
        body = {"location": near["location"], "tags": near["tags"]}
        done["connection"] = {**body, "properties": {"connectionType": "ExpressRoute", **ends}}
    return done


def _refuse_another(tally: Tally, near: Mapping[str, Any], circuit: Json) -> None:
    """Refuse a circuit that is another one than declared; Azure compares words without case."""
    provider = circuit.get("properties", {}).get("serviceProviderProperties") or {}
    sku = circuit.get("sku") or {}
    has = {
        "provider": provider.get("serviceProviderName", ""),
        "peering_location": provider.get("peeringLocation", ""),
        "bandwidth": provider.get("bandwidthInMbps", ""),
        "tier": sku.get("tier", ""),
        "family": sku.get("family", ""),
    }
    seen = {key: str(value).lower() for key, value in has.items()}
    differs = sorted(key for key, value in near["declared"].items() if seen[key] != value)
    if differs:
        now, wanted = (", ".join(f"{key} {one[key]}" for key in differs) for one in (seen, near["declared"]))
        tally.refuse(
            f"the circuit {near['circuit_name']} in Azure has {now}, and multicloud_expressroute wants {wanted}; no module changes a "
            "circuit that is there, so correct one of the two"
        )
