"""STAND-IN for Azure: private addresses in a subnet."""

from __future__ import annotations

import ipaddress

from tests.cloud.arm.exchange import Json
from tests.cloud.arm.store import Store, elements

RESERVED = 4
"""The network's address and three of Azure's own, at the start of every subnet; the last one is reserved too."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def prefixes(subnet: Json) -> list[Network]:
    """Return a subnet's prefixes.

    Raises:
        ValueError: one is no network.
    """
    properties = subnet.get("properties", {})
    found = properties.get("addressPrefixes") or [properties.get("addressPrefix")]
    return [ipaddress.ip_network(text) for text in found if text]


def taken(subnet: str, store: Store, but: str = "") -> dict[str, str]:
    """Return the addresses that load balancers have in a subnet, with the id of each one's frontend."""
    return {
        str(frontend["properties"].get("privateIPAddress")): str(frontend["id"])
        for document in store.of_kind("Microsoft.Network/loadBalancers")
        for frontend in elements(document, "frontendIPConfigurations")
        if document["id"].lower() != but.lower()
        and str((frontend["properties"].get("subnet") or {}).get("id", "")).lower() == subnet.lower()
    }


def first_free(subnet: Json, store: Store) -> str | None:
    """Return the address that the service would give out next."""
    used = taken(str(subnet["id"]), store)
    for network in prefixes(subnet):
        for address in list(network.hosts())[RESERVED - 1 :]:
            if str(address) not in used:
                return str(address)
    return None
