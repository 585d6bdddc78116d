# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of each part of the proxy in Azure, from the plan and from what is there.

What the role has created has a tag. What has none is others', even if it has the name that the role would give: it is neither
changed nor removed, and where it stands in the way that is a mistake. Private to this collection; nothing here talks to Azure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _azure_names, _azure_replacement
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._azure_parts import KINDS
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._columns import aligned

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

_REPAIRED: tuple[str, ...] = (
    "workspace",
    "vnet",
    "security_group",
    "nat_address",
    "nat_gateway",
    "load_balancer",
    "gateway_address",
    "gateway",
)
_REPAIRED += ("site", "connection")
"""What a module takes for good, or refuses to touch, when its last operation has failed."""

_SETTABLE = ("location", "tags", "sku", "kind", "zones", "identity", "properties")


def decide(host: str, plan: Json, listed: Iterable[Any], read: Iterable[Any]) -> Json:
    """Return ``mistakes``, of which there must be none, and what is to be written, kept and removed.

    Args:
        host: name of the proxy in the inventory.
        plan: what _azure_plan.plan() returned.
        listed: what Azure lists of the resource group, or its error.
        read: what Azure shows of single resources, or its errors.
    """
    return _Decisions(host, plan, listed, read).build()


class _Decisions:
    def __init__(self, host: str, plan: Json, listed: Iterable[Any], read: Iterable[Any]) -> None:
        self._host = host
        self._plan = plan
        self._listed = [one for one in listed if isinstance(one, dict) and "id" in one]
        shown = [one for one in read if isinstance(one, dict) and "id" in one]
        self._found: dict[str, Json] = {str(one["id"]).lower(): one for one in [*self._listed, *shown]}
        self._mistakes: list[str] = []
        self._current = "scale_set"

    def build(self) -> Json:
        if self._plan["state"] == "absent":
            return {"mistakes": [], "flow_log": self._flow_log(), **self._removal()}
        self._check_existing()
        scale_set = self._scale_set()
        self._check_owners()
        decided: Json = {
            "new": [key for key in self._plan["wanted"] if self._there(key) is None],
            "tags": list(self._tags()),
            "tags_of": {key: self._all_tags(key) for key in self._plan["wanted"]},
            "scale_set": scale_set,
            "scale_set_tags": _literal(self._all_tags("scale_set")),
            "vnet_prefixes": self._vnet_prefixes(),
            "subnets": list(self._subnets()),
            "nat_gateway": self._nat_gateway(),
            "gateway": self._gateway(),
            "site": self._site(),
            "frontend_zones": self._frontend_zones(),
            "group_location": (self._there("resource_group") or {}).get("location", self._plan["location"]),
            "flow_log": self._flow_log(),
            "repairs": list(self._repairs()),
        }
        return {"mistakes": self._mistakes, **decided}

    # What is there, and whose it is -----------------------------------------------------------------------------

    def _say(self, problem: str) -> None:
        self._mistakes.append(f"{self._host}: {problem}.")

    def _id(self, key: str) -> str:
        if key == "route_table":
            return next((one["route_table"] for one in self._plan["subnets"] if one.get("route_table")), "")
        return str(self._plan["ids"][self._current if key == "scale_set" else key])

    def _there(self, key: str) -> Json | None:
        return self._found.get(self._id(key).lower())

    def _called(self, key: str) -> str:
        return f"{KINDS[key][0]} {self._id(key).rpartition('/')[2]}"

    @staticmethod
    def _tags_of(document: Mapping[str, Any]) -> Json:
        return dict(document.get("tags") or {})

    def _owner(self, key: str) -> str | None:
        tags = self._tags_of(self._there(key) or {})
        return next((str(value) for name, value in tags.items() if name.lower() == _azure_names.OWNER_TAG), None)

    def _is_ours(self, key: str) -> bool:
        """Say whether it is there and the role may write and remove it."""
        if key in self._plan["existing"] or self._there(key) is None:
            return False
        owner = self._owner(key)
        if owner is None:
            # Earlier versions, which set no tag, never built a second scale set.
            return bool(self._plan["adopt"]) and key != "scale_set_2"
        # Several proxies may share a resource group that the role has created.
        return owner == self._plan["owner"] or key == "resource_group"

    # Before anything is built -----------------------------------------------------------------------------------

    def _check_existing(self) -> None:
        place = self._plan["location"]
        for key, variable in self._plan["existing"].items():
            document = self._there(key) or (self._subnet(self._id(key)) if key == "proxy_subnet" else None)
            if document is None:
                self._say(
                    f"{variable} names the {self._called(key)}, which is not there, or which the account may not read"
                )
            elif key in ("vnet", "gateway", "storage_account") and _region(document) not in ("", place):
                self._say(
                    f"the {self._called(key)} of {variable} is in {_region(document)}, and azure_proxy_location is {place}"
                )
        subnet = self._subnet(self._plan["ids"]["proxy_subnet"])
        if "proxy_subnet" in self._plan["existing"] and subnet is not None:
            wanted = self._plan["prefixes"].get("proxy_subnet")
            if wanted not in _prefixes(subnet):
                self._say(f"azure_proxy_proxy_subnet is {wanted}, and the subnet has {', '.join(_prefixes(subnet))}")

    def _check_owners(self) -> None:
        unknown = [key for key in self._plan["wanted"] if self._there(key) is not None and self._owner(key) is None]
        if unknown and not self._plan["adopt"]:
            self._say(
                f"there are the {', '.join(map(self._called, unknown))} already, which this role did not create, since they have no tag "
                f"{_azure_names.OWNER_TAG}; give what is built other names by azure_proxy_names, or declare "
                "what is there to be used (azure_proxy_vnet_id, azure_proxy_workspace_id and so on, or azure_proxy_resource_group_exists); "
                "if an earlier version of this role has built all of them, run this once with -e azure_proxy_adopt=true"
            )
        for key in self._plan["wanted"]:
            owner = self._owner(key)
            if owner not in (None, self._plan["owner"]) and key != "resource_group":
                self._say(
                    f"the {self._called(key)} belongs to the proxy {owner}, as its tag {_azure_names.OWNER_TAG} says; give one another name"
                )

    def _all_tags(self, key: str) -> Json:
        """What a part has, and what the role sets: some modules take away what they are not told. Azure knows names in any case."""
        has = self._tags_of(self._there(key) or {})
        names = {name.lower(): name for name in has}
        return has | {names.get(name.lower(), name): value for name, value in self._plan["tags"].items()}

    def _tags(self) -> Iterator[Json]:
        """What lacks some of the wanted tags; those that others have set stay."""
        for key in self._plan["wanted"]:
            has = self._tags_of(self._there(key) or {})
            lacks = {name: value for name, value in self._all_tags(key).items() if has.get(name) != value}
            if lacks and self._is_ours(key):
                yield {"id": self._id(key), "name": self._called(key), "tags": lacks}

    def _repairs(self) -> Iterator[Json]:
        """What a failed operation has left half made, as Azure takes it once more."""
        for key in _REPAIRED:
            document = self._there(key) or {}
            failed = (document.get("properties") or {}).get("provisioningState") == "Failed"
            if failed and key in self._plan["wanted"] and self._is_ours(key):
                api = self._plan["api"][KINDS[key][1]]
                yield {"id": self._id(key), "name": self._called(key), "api": api, "body": settable(document)}

    # The network ------------------------------------------------------------------------------------------------

    def _vnet_prefixes(self) -> list[str]:
        """The prefixes with which the VNET is to be written, none if it stays; those that others have added stay."""
        if "vnet" in self._plan["existing"]:
            return []
        wanted = self._plan["prefixes"]["vnet"]
        document = self._there("vnet")
        space = ((document or {}).get("properties") or {}).get("addressSpace") or {}
        has = [str(one) for one in space.get("addressPrefixes") or []]
        if document is not None and wanted in has:
            return []
        return [one for one in has if not _overlap(one, wanted)] + [wanted]

    def _subnet(self, path: str) -> Json | None:
        network = self._there("vnet") or {}
        name = path.rpartition("/")[2].lower()
        subnets = (network.get("properties") or {}).get("subnets") or []
        return next((one for one in subnets if str(one.get("name", "")).lower() == name), None)

    def _subnets(self) -> Iterator[Json]:
        """The subnets that are to be written, each with all that belongs to it: Azure takes away what is left out."""
        for wanted in self._plan["subnets"]:
            found = self._subnet(wanted["id"])
            if found is None:
                self._check_room(wanted)
                yield wanted
                continue
            has = found.get("properties") or {}
            if "vnet" in self._plan["existing"]:
                if "security_group" not in wanted:
                    # Somebody else's, which is used as it is.
                    continue
                if _linked(has, "networkSecurityGroup").lower() != wanted["security_group"].lower():
                    self._say(
                        f"the subnet {wanted['name']} of {self._called('vnet')} is there and has not the {self._called('security_group')}, "
                        "so that this role did not create it; give it as azure_proxy_subnet_id"
                    )
            route_table = wanted.get("route_table") or _linked(has, "routeTable")
            pairs = [
                (wanted.get("security_group", ""), _linked(has, "networkSecurityGroup")),
                (wanted.get("nat_gateway", ""), _linked(has, "natGateway")),
                (route_table, _linked(has, "routeTable")),
            ]
            differs = wanted["prefix"] not in _prefixes(found) or any(
                one and one.lower() != two.lower() for one, two in pairs
            )
            outbound = wanted.get("default_outbound_access")
            if differs or (outbound is not None and has.get("defaultOutboundAccess") is not outbound):
                kept = {"security_group": pairs[0][0] or pairs[0][1], "nat_gateway": pairs[1][0] or pairs[1][1]}
                yield {**wanted, **{key: value for key, value in kept.items() if value}, "route_table": route_table}

    def _check_room(self, wanted: Json) -> None:
        """A new subnet needs room in a VNET of others, which gets no prefix for it."""
        network = self._there("vnet")
        if "vnet" not in self._plan["existing"] or network is None:
            return
        inner = IPv4Network(wanted["prefix"])
        properties = network.get("properties") or {}
        space = (properties.get("addressSpace") or {}).get("addressPrefixes") or []
        if not any(_contains(str(outer), inner) for outer in space):
            self._say(
                f"the {self._called('vnet')} has no prefix with {wanted['name']} {inner}; it has {', '.join(map(str, space))}"
            )
        for other in properties.get("subnets") or []:
            if any(_overlap(prefix, str(inner)) for prefix in _prefixes(other)):
                self._say(
                    f"{wanted['name']} {inner} overlaps the subnet {other.get('name')} of {self._called('vnet')}; give it another network"
                )

    def _nat_gateway(self) -> Json | None:
        """The NAT gateway as a resource of a deployment, None if it is as wanted."""
        if "nat_gateway" not in self._plan["wanted"]:
            return None
        wanted, found = self._plan["nat_gateway"], self._there("nat_gateway")
        if found is None:
            return {**wanted, "tags": _literal(self._all_tags("nat_gateway"))}
        has = found.get("properties") or {}
        addresses = [str(one.get("id", "")) for one in has.get("publicIpAddresses") or []]
        address = wanted["properties"]["publicIpAddresses"][0]
        missing = [] if address["id"].lower() in map(str.lower, addresses) else [address]
        if has.get("idleTimeoutInMinutes") == wanted["properties"]["idleTimeoutInMinutes"] and not missing:
            return None
        properties = {**wanted["properties"], "publicIpAddresses": [*({"id": one} for one in addresses), *missing]}
        return self._merged("nat_gateway", properties)

    def _gateway(self) -> Json | None:
        """The gateway as a resource of a deployment, None if it is as wanted.

        Others may have given it certificates, routes or BGP; Azure would take away what is left out.
        """
        if "gateway" not in self._plan["wanted"]:
            return None
        wanted, found = self._plan["gateway"], self._there("gateway")
        if found is None:
            return {**wanted, "tags": _literal(self._all_tags("gateway"))}
        has = found.get("properties") or {}
        if str(has.get("gatewayType", "")).lower() != wanted["properties"]["gatewayType"].lower():
            self._say(
                f"the {self._called('gateway')} is of the type {has.get('gatewayType')}, and azure_proxy_gateway wants "
                f"{wanted['properties']['gatewayType']}; delete it, or give the new one another name by azure_proxy_names"
            )
            return None
        if (has.get("sku") or {}).get("name") == wanted["properties"]["sku"]["name"]:
            return None
        return self._merged("gateway", {"sku": wanted["properties"]["sku"]})

    def _site(self) -> Json | None:
        """The body of the local network gateway, None if it is as wanted or not there."""
        found = self._there("site")
        if "site" not in self._plan["wanted"] or found is None:
            return None
        wanted, kept = self._plan["site"], settable(found)
        has = kept["properties"]
        spaces = [(one.get("localNetworkAddressSpace") or {}).get("addressPrefixes") or [] for one in (has, wanted)]
        if has.get("gatewayIpAddress") == wanted["gatewayIpAddress"] and sorted(spaces[0]) == sorted(spaces[1]):
            return None
        return {**kept, "tags": self._all_tags("site"), "properties": has | wanted}

    def _flow_log(self) -> Json:
        """What is recorded now, and whether that is to be written; one log keeps its target."""
        has = (self._there("flow_log") or {}).get("properties") or {}
        analytics = (has.get("flowAnalyticsConfiguration") or {}).get("networkWatcherFlowAnalyticsConfiguration") or {}
        retention = has.get("retentionPolicy") or {}
        now = {
            "target": str(has.get("targetResourceId", "")).lower(),
            "storage": str(has.get("storageId", "")).lower(),
            "workspace": str(analytics.get("workspaceResourceId", "")).lower(),
            "interval": analytics.get("trafficAnalyticsInterval"),
            "days": retention.get("days"),
            "version": (has.get("format") or {}).get("version"),
        }
        on = all(one.get("enabled") is True for one in (has, analytics, retention))
        return {
            "ours": self._is_ours("flow_log"),
            "target": now["target"],
            "write": "flow_log" in self._plan["wanted"] and not (on and now == self._plan["flow_log"]),
        }

    def _merged(self, key: str, properties: Json) -> Json:
        """Return what is there with what is wanted in place of it, as a deployment takes it."""
        wanted, kept = self._plan[key], settable(self._there(key) or {})
        kept["properties"] |= properties
        return {
            **{key: value for key, value in _literal(kept).items() if key != "kind"},
            **{key: wanted[key] for key in ("type", "apiVersion", "name", "location")},
            "tags": _literal(self._all_tags(key)),
        }

    # Zones, which nobody can change -----------------------------------------------------------------------------

    def _frontend_zones(self) -> list[str]:
        found = self._there("load_balancer")
        if found is None:
            return list(self._plan["zones"]["frontend"])
        frontends = (found.get("properties") or {}).get("frontendIPConfigurations") or []
        return next((list(one.get("zones") or []) for one in frontends if one.get("name") == "frontend"), [])

    # The scale set, of which much can never be changed ------------------------------------------------------------

    def _scale_set(self) -> Json:
        """Which one serves, whether it is written and proven, and which one it replaces."""
        ours = {
            key: document
            for key in _azure_replacement.KEYS
            if (document := self._there(key)) is not None and self._is_ours(key)
        }
        choice = _azure_replacement.choose(self._plan, ours)
        self._current, old, names = choice["current"], choice["old"], self._plan["names"]
        name = names[self._current]
        if choice["mistake"]:
            self._say(choice["mistake"])
        elif old and not self._plan["replace"]:
            self._say(
                f"the scale set {names[old]} cannot become what is wanted, since {'; '.join(choice['why'])}, which Azure never changes; "
                f"set it back, or run this with -e azure_proxy_replace=true: {name} is built beside it behind the same address, and when "
                f"that was proven, {names[old]} is drained for azure_proxy_drain_minutes at most and removed"
            )
        found = self._there("scale_set") or {}
        tags, wanted = self._tags_of(found), self._plan.get(_azure_replacement.PROVEN, "")
        state = (found.get("properties") or {}).get("provisioningState")
        return {
            "name": name,
            "id": self._id("scale_set"),
            "new": not found,
            "proven": _azure_replacement.is_proven(found),
            "write": tags.get(_azure_replacement.PROVEN) != wanted or state != "Succeeded",
            "old": {"name": names[old], "id": self._plan["ids"][old]} if old else None,
            # What is being deleted, or never came to life, has nobody to wait for.
            "drain": bool(old) and (ours[old].get("properties") or {}).get("provisioningState") != "Deleting",
            "says": [f"{name} takes the place of {names[old]}: {'; '.join(choice['why'])}."] if old else [],
        }

    # Away with it -----------------------------------------------------------------------------------------------

    def _removal(self) -> Json:
        rows = list(self._rows())
        removed = [key for key, action, _why in rows if action == "delete"]
        table = [
            ("WHAT", "NAME", "", "WHY"),
            *((KINDS[key][0], self._id(key).rpartition("/")[2], action, why) for key, action, why in rows),
        ]
        nothing = [f"{self._host}: nothing of it is there."]
        return {
            "remove": removed,
            "summary": [f"{self._host}, what is there and what becomes of it:", *aligned(table)] if rows else nothing,
        }

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Each part that is there, in the order of removal, with what becomes of it and why."""
        for key in reversed([one for one in KINDS if one != "route_table"]):
            if key == "proxy_subnet":
                yield from self._row_of_subnet()
            elif key in self._plan["existing"]:
                if self._there(key) is not None or key != "resource_group":
                    yield key, "keep", f"others', as {self._plan['existing'][key]} says"
            elif self._there(key) is None:
                continue
            elif self._is_ours(key):
                yield key, "delete", self._why_ours(key)
            else:
                owner = self._owner(key)
                why = (
                    f"belongs to the proxy {owner}"
                    if owner
                    else f"without the tag {_azure_names.OWNER_TAG}, so not this role's"
                )
                yield key, "keep", why

    def _why_ours(self, key: str) -> str:
        if self._owner(key) is None:
            return "as azure_proxy_adopt says"
        return "if nothing else is in it" if key == "resource_group" else "created by this role"

    def _row_of_subnet(self) -> Iterator[tuple[str, str, str]]:
        if "proxy_subnet" in self._plan["existing"]:
            yield "proxy_subnet", "keep", "others', as azure_proxy_subnet_id says"
        elif "vnet" in self._plan["existing"] and (found := self._subnet(self._plan["ids"]["proxy_subnet"])):
            group = _linked(found.get("properties") or {}, "networkSecurityGroup")
            if group.lower() == self._plan["ids"]["security_group"].lower():
                yield "proxy_subnet", "delete", "has the security group of this role"
            else:
                yield "proxy_subnet", "keep", "has not the security group of this role"


def settable(document: Mapping[str, Any]) -> Json:
    """Return what of a resource Azure takes back."""
    kind = str(document["id"]).split("/")[-2]
    kept = {key: value for key, value in document.items() if key in _SETTABLE and value is not None}
    properties: Json = {}
    for name, value in (kept.get("properties") or {}).items():
        if name not in _READ_ONLY_OF.get(kind, ()):
            properties[name] = _part(value, _READ_ONLY_OF_PART[name]) if name in _READ_ONLY_OF_PART else value
    found: Json = _stripped({**kept, "properties": properties})
    return found


def _part(value: Any, read_only: tuple[str, ...]) -> Any:
    return [
        {**item, "properties": {name: inner for name, inner in item["properties"].items() if name not in read_only}}
        if isinstance(item, Mapping) and isinstance(item.get("properties"), Mapping)
        else item
        for item in value or []
    ]


def _stripped(value: Any) -> Any:
    if isinstance(value, Mapping):
        read_only = (*_READ_ONLY, "type") if {"id", "name", "type"} <= value.keys() else _READ_ONLY
        return {key: _stripped(inner) for key, inner in value.items() if key not in read_only}
    return [_stripped(inner) for inner in value] if isinstance(value, list) else value


def _literal(value: Any) -> Any:
    """Return a value that a template does not take for an expression of its own."""
    if isinstance(value, Mapping):
        return {key: _literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    return f"[{value}" if isinstance(value, str) and value.startswith("[") and value.endswith("]") else value


def _linked(owner: Mapping[str, Any], name: str) -> str:
    return str((owner.get(name) or {}).get("id", ""))


def _prefixes(subnet: Mapping[str, Any]) -> list[str]:
    properties = subnet.get("properties") or {}
    one = properties.get("addressPrefix")
    return [str(one)] if one else [str(each) for each in properties.get("addressPrefixes") or []]


def _overlap(one: str, other: str) -> bool:
    """Say whether two networks overlap; one of IPv6 never does."""
    return ":" not in one and IPv4Network(one, strict=False).overlaps(IPv4Network(other))


def _contains(outer: str, inner: IPv4Network) -> bool:
    return ":" not in outer and inner.subnet_of(IPv4Network(outer, strict=False))


def _region(document: Mapping[str, Any]) -> str:
    return _azure_names.region(document.get("location", ""))
