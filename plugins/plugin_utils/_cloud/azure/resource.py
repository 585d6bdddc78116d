# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A resource as Azure shows it: what it takes back of that, and whether it is what is wanted. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import names as azure_names

Json = dict[str, Any]

_READ_ONLY = ("etag", "provisioningState", "resourceGuid")
_READ_ONLY_OF = {
    "connections": ("connectionStatus", "tunnelConnectionStatus", "egressBytesTransferred", "ingressBytesTransferred"),
    "natGateways": ("subnets",),
    "networkSecurityGroups": ("defaultSecurityRules", "flowLogs", "networkInterfaces", "subnets"),
    "publicIPAddresses": ("ipConfiguration", "natGateway"),
    "workspaces": ("createdDate", "customerId", "modifiedDate"),
}
_READ_ONLY_OF_PART = {
    "subnets": (
        "ipConfigurations",
        "ipConfigurationProfiles",
        "privateEndpoints",
        "purpose",
        "resourceNavigationLinks",
        "serviceAssociationLinks",
    ),
    "frontendIPConfigurations": ("inboundNatPools", "inboundNatRules", "loadBalancingRules", "outboundRules"),
    "backendAddressPools": (
        "backendIPConfigurations",
        "inboundNatRules",
        "loadBalancingRules",
        "outboundRule",
        "outboundRules",
    ),
    "probes": ("loadBalancingRules",),
}
"""What Azure shows of a resource, or of a part of one, and does not take back; its reference calls it ReadOnly."""

_SETTABLE = ("location", "tags", "sku", "kind", "zones", "identity", "properties")


def settable(document: Mapping[str, Any]) -> Json:
    """Return what of a resource Azure takes back."""
    kind = str(document["id"]).split("/")[-2]
    kept = {key: value for key, value in document.items() if key in _SETTABLE and value is not None}
    properties: Json = {}
    for name, value in (kept.get("properties") or {}).items():
        if name not in _READ_ONLY_OF.get(kind, ()):
            properties[name] = _part(value, _READ_ONLY_OF_PART[name]) if name in _READ_ONLY_OF_PART else value
    found: Json = stripped({**kept, "properties": properties})
    return found


def _part(value: Any, read_only: tuple[str, ...]) -> Any:
    return [
        {**item, "properties": {name: inner for name, inner in item["properties"].items() if name not in read_only}}
        if isinstance(item, Mapping) and isinstance(item.get("properties"), Mapping)
        else item
        for item in value or []
    ]


def stripped(value: Any) -> Any:
    """Return a value without what Azure shows of each part and does not take back."""
    if isinstance(value, Mapping):
        read_only = (*_READ_ONLY, "type") if {"id", "name", "type"} <= value.keys() else _READ_ONLY
        return {key: stripped(inner) for key, inner in value.items() if key not in read_only}
    return [stripped(inner) for inner in value] if isinstance(value, list) else value


def literal(value: Any) -> Any:
    """Return a value that a template does not take for an expression of its own."""
    if isinstance(value, Mapping):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [literal(inner) for inner in value]
    return f"[{value}" if isinstance(value, str) and value.startswith("[") and value.endswith("]") else value


def within(wanted: Any, has: Any) -> bool:
    """Say whether Azure shows what is wanted; it fills in more, and means the same by upper and lower case."""
    if isinstance(wanted, Mapping):
        return isinstance(has, Mapping) and all(within(value, has.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        same = isinstance(has, list) and len(wanted) == len(has)
        return same and all(any(within(one, other) for other in has) for one in wanted)
    return str(wanted).lower() == str(has).lower()


def elements(owner: Mapping[str, Any], name: str) -> list[Json]:
    """Return a list that may not be there."""
    return list(owner.get(name) or [])


def wanted_rule(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a rule, as the module takes it, for comparisons."""
    lists = ("source_address_prefix", "destination_address_prefix", "destination_port_range")
    values = (rule.get(name, "*") for name in lists)
    rest = (str(rule[name]) for name in ("name", "priority", "direction", "access", "protocol"))
    return tuple(" ".join(sorted([each] if isinstance(each, str) else each)).lower() for each in (*rest, *values))


def rule(shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a rule, as Azure shows it: one of several has a member of its own."""
    has = shown.get("properties") or {}
    lists = (
        ("sourceAddressPrefix", "sourceAddressPrefixes"),
        ("destinationAddressPrefix", "destinationAddressPrefixes"),
        ("destinationPortRange", "destinationPortRanges"),
    )
    rest = ([shown.get("name")], *([has.get(name)] for name in ("priority", "direction", "access", "protocol")))
    values = ([has[one]] if has.get(one) else has.get(more) or [] for one, more in lists)
    return tuple(" ".join(sorted(map(str, each))).lower() for each in (*rest, *values))


def linked(owner: Mapping[str, Any], name: str) -> str:
    """Return the ID of the resource to which a property leads, empty if to none."""
    return str((owner.get(name) or {}).get("id", ""))


def prefixes(subnet: Mapping[str, Any]) -> list[str]:
    """Return the networks of a subnet, of which Azure shows one or several."""
    properties = subnet.get("properties") or {}
    one = properties.get("addressPrefix")
    return [str(one)] if one else [str(each) for each in properties.get("addressPrefixes") or []]


def region_of(document: Mapping[str, Any]) -> str:
    """Return where it is, empty if it has no place."""
    return azure_names.region(document.get("location", ""))
