# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ExpressRoute circuit, its private peering and its connection. Private to this collection.

With customer-managed routing both ends of the peering are the site's own; with an exchange provider the provider gets
a sheet with what it needs, and its routers do the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

from ..azure import names
from . import found as multicloud_found

Json = dict[str, Any]

PROVIDER = "expressroute_provider"

_REQUIRED = ("provider", "peering_location", "bandwidth", "vlan", "peer_asn", "primary_prefix", "secondary_prefix")
# As azure_rm_expressroute has them, which does not know the tier Local. The first one is what is taken if nothing is said.
_SKU = {"tier": ("standard", "premium"), "family": ("metereddata", "unlimiteddata")}
_BANDWIDTHS = (50, 100, 200, 500, 1000, 2000, 5000, 10000)
_ASN = (1, 4294967295)
_AZURES_OWN = range(65515, 65521)


def problems(settings: Mapping[str, Any], method: str) -> Iterator[tuple[str, object, str]]:
    """Yield variable, value and problem of each mistake.

    Args:
        settings: the role's variables.
        method: one of the two that use ExpressRoute.
    """
    if settings["proxy"] and settings["azure"]["gateway"] != "expressroute":
        problem = f"has azure_proxy_gateway {settings['azure']['gateway']!r}, and {method} needs 'expressroute'"
        yield "proxy", settings["proxy"], problem
    circuit = settings["expressroute"]
    for key in circuit:
        if key not in (*_REQUIRED, *_SKU):
            yield "expressroute", key, f"is no key of a circuit; known are {', '.join(_REQUIRED)}, tier and family"
    for key in _REQUIRED:
        if circuit.get(key) in (None, ""):
            yield f"expressroute.{key}", circuit.get(key), "is not set"
            return
    for key in ("provider", "peering_location"):
        if not isinstance(circuit[key], str):
            yield f"expressroute.{key}", circuit[key], "is not a text; put a number in quotes"
    for key, known in _SKU.items():
        if circuit.get(key, known[0]) not in known:
            yield f"expressroute.{key}", circuit[key], f"is none of {', '.join(known)}"
    yield from _number_problems(circuit)
    yield from _network_problems(circuit, settings)


def _number_problems(circuit: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    numbers = {key: _number(circuit[key]) for key in ("bandwidth", "vlan", "peer_asn")}
    if numbers["bandwidth"] not in _BANDWIDTHS:
        yield "expressroute.bandwidth", circuit["bandwidth"], f"is none of {', '.join(map(str, _BANDWIDTHS))} Mbit/s"
    if not 1 <= numbers["vlan"] <= 4094:
        yield "expressroute.vlan", circuit["vlan"], "is not a VLAN from 1 to 4094"
    if not _ASN[0] <= numbers["peer_asn"] <= _ASN[1] or numbers["peer_asn"] in _AZURES_OWN:
        yield (
            "expressroute.peer_asn",
            circuit["peer_asn"],
            "is not a number of an autonomous system that Azure leaves free",
        )


def _network_problems(circuit: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[tuple[str, object, str]]:
    """Each link has a /30 of its own, of which the first address is the site's and the second one Azure's."""
    found: dict[str, IPv4Network] = {}
    for key in ("primary_prefix", "secondary_prefix"):
        try:
            found[key] = IPv4Network(str(circuit[key]))
        except ValueError as error:
            yield f"expressroute.{key}", circuit[key], f"is not an IPv4 network: {error}"
            continue
        if found[key].prefixlen != 30:
            yield f"expressroute.{key}", circuit[key], "is not a /30"
    # What is wrong with the VNET's, the proxy's own plan says.
    with suppress(ValueError):
        found["address_prefix"] = IPv4Network(settings["azure"]["address_prefix"])
    for one, other in combinations(found, 2):
        if found[one].overlaps(found[other]):
            what = "the VNET" if other == "address_prefix" else other
            yield f"expressroute.{one}", circuit[one], f"overlaps {what} {found[other]}"


def plan_circuits(settings: Mapping[str, Any], method: str, ids: Mapping[str, str]) -> Json:
    """Return what is built in Azure, and in ``handover`` what an exchange provider is told.

    Args:
        settings: the role's variables, without mistakes.
        method: one of the two that use ExpressRoute.
        ids: those of what the role azure_proxy has built.
    """
    circuit = settings["expressroute"]
    name = settings["name"]
    peering = {
        "peeringType": "AzurePrivatePeering",
        "peerASN": _number(circuit["peer_asn"]),
        "vlanId": _number(circuit["vlan"]),
        "primaryPeerAddressPrefix": str(IPv4Network(circuit["primary_prefix"])),
        "secondaryPeerAddressPrefix": str(IPv4Network(circuit["secondary_prefix"])),
    }
    provider = {
        "service_provider_name": circuit["provider"],
        "peering_location": circuit["peering_location"],
        "bandwidth_in_mbps": str(_number(circuit["bandwidth"])),
    }
    sku = {key: circuit.get(key, known[0]) for key, known in _SKU.items()}
    near = {
        "location": names.region(settings["azure"]["location"]),
        "gateway": ids["gateway"],
        "circuit": f"{ids['network']}/expressRouteCircuits/{name}",
        "circuit_name": name,
        "connection": f"{ids['network']}/connections/{name}",
        "provider": provider,
        "sku": sku,
        # What cannot be changed once the circuit is there, in lower case, as it is compared.
        "declared": {
            "provider": provider["service_provider_name"].lower(),
            "peering_location": provider["peering_location"].lower(),
            "bandwidth": provider["bandwidth_in_mbps"],
            **sku,
        },
        "peering": peering,
        "tags": multicloud_found.tags(settings),
    }
    return {"azure": near, "handover": _handover(circuit, settings) if method == PROVIDER else {}}


def _handover(circuit: Mapping[str, Any], settings: Mapping[str, Any]) -> Json:
    links = {}
    for link in ("primary", "secondary"):
        network = IPv4Network(circuit[f"{link}_prefix"])
        theirs, azures = network.hosts()
        links[link] = {"prefix": str(network), "customer": str(theirs), "azure": str(azures)}
    return {
        "provider": circuit["provider"],
        "peering_location": circuit["peering_location"],
        "bandwidth": _number(circuit["bandwidth"]),
        "vlan": _number(circuit["vlan"]),
        "peer_asn": _number(circuit["peer_asn"]),
        "azure_asn": 12076,
        "network": settings["azure"]["address_prefix"],
        "links": links,
    }


def _number(value: object) -> int:
    text = str(value)
    return int(text) if re.fullmatch("[0-9]{1,10}", text) else 0
