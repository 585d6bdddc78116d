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

from ..._columns import aligned
from . import names as azure_names
from . import replacement, resource
from .parts import KINDS

Json = dict[str, Any]

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


def decide(host: str, plan: Json, listed: Iterable[Any], read: Iterable[Any] | None = None) -> Json:
    """Return ``mistakes``, of which there must be none, and what is to be written, kept and removed.

    Args:
        host: name of the proxy in the inventory.
        plan: what plan.plan_azure() returned.
        listed: what Azure lists of the resource group, or its error.
        read: what modules have answered, who have read single resources; without it, what they have to read.
    """
    there: list[Json] = [dict(one) for one in listed if isinstance(one, Mapping)]
    gone = any("error" in one for one in there)
    if read is None:
        return _to_read(plan, {str(one["id"]).lower(): one for one in there if "id" in one}, gone)
    return _Decisions(host, plan, [*there, *_documents(read)], gone).build()


def _to_read(plan: Json, listed: Mapping[str, Json], gone: bool) -> Json:
    """Azure's list may be older than a tag, and has no properties; the resource itself is and has."""

    def is_read(one: Json) -> bool:
        found = listed.get(one["id"].lower())
        if one["when"] == "listed" and one["id"] == plan["ids"]["resource_group"]:
            return not gone
        if found is None or one["when"] != "needed":
            return one["when"] == "always" or (found is not None and one["when"] == "listed")
        return found.get("provisioningState") == "Failed" or azure_names.OWNER_TAG not in (found.get("tags") or {})

    new = [key for key in plan["wanted"] if key != "flow_log" and plan["ids"][key].lower() not in listed]
    return {
        "reads": [one for one in plan["reads"] if is_read(one)],
        # Who is not new to a provider needs no registration, and where nothing is there no lock is in the way.
        "asks": plan["asks"] if (bool(new) if plan["state"] == "present" else not gone) else [],
        "listed": [one["name"] for one in listed.values()],
    }


def _documents(answers: Iterable[Any]) -> Iterator[Json]:
    """Yield the resources in what modules have answered: one, a list of them as one module or the other shows it, or an error."""
    for one in answers:
        shown = one.get("response", one)
        shown = shown.get("value", shown) if isinstance(shown, Mapping) else shown
        for each in shown if isinstance(shown, list) else [shown]:
            if isinstance(each, Mapping) and "id" in each:
                yield dict(each)


class _Decisions:
    def __init__(self, host: str, plan: Json, documents: list[Json], gone: bool) -> None:
        self._host = host
        self._plan = plan
        self._found: dict[str, Json] = {str(one["id"]).lower(): one for one in documents if "id" in one}
        self._gone = gone
        self._mistakes: list[str] = []
        self._current = "scale_set"

    def build(self) -> Json:
        if self._plan["state"] == "absent":
            removal = self._removal()
            self._check_locks(removal["remove"])
            return {"mistakes": self._mistakes, "flow_log": self._flow_log(), **removal}
        self._check_existing()
        scale_set = self._scale_set()
        self._check_owners()
        self._check_providers()
        decided: Json = {
            "gone": self._gone,
            "new": [key for key in self._plan["wanted"] if self._there(key) is None],
            "tags": list(self._tags()),
            "tags_of": {key: self._all_tags(key) for key in self._plan["wanted"]},
            "scale_set": scale_set,
            "scale_set_tags": resource.literal(self._all_tags("scale_set")),
            "vnet_prefixes": self._vnet_prefixes(),
            **self._peerings(),
            "subnets": list(self._subnets()),
            "nat_gateway": self._nat_gateway(),
            "gateway": self._gateway(),
            "site": self._site(),
            "frontend_zones": self._frontend_zones(),
            "address": self._address(),
            "group_location": (self._there("resource_group") or {}).get("location", self._plan["location"]),
            "flow_log": self._flow_log(),
            "repairs": list(self._repairs()),
        }
        decided["written"] = [*decided["new"], *(key for key in self._plan["wanted"] if self._differs(key, decided))]
        return {"mistakes": self._mistakes, **decided, **self._foreseen(decided)}

    def _differs(self, key: str, decided: Json) -> bool:
        """Say whether a part that is there is to be written."""
        found, wanted = self._there(key), self._plan["shapes"].get(key)
        if found is None:
            return False
        has = found.get("properties") or {}
        if self._plan["force"] and (wanted or key in ("security_group", "scale_set")):
            return True
        if key == "security_group":
            return set(map(resource.rule, resource.elements(has, "securityRules"))) != set(
                map(resource.wanted_rule, self._plan["rules"])
            )
        if key == "scale_set":
            unfinished = found.get("provisioningState", has.get("provisioningState")) != "Succeeded"
            return self._tags_of(found).get(replacement.PROVEN) != self._plan["configuration"] or unfinished
        if key == "flow_log":
            return bool(decided["flow_log"]["write"])
        if key in ("nat_gateway", "gateway", "site"):
            return decided[key] is not None
        return not resource.within(wanted, has) if wanted else key == "vnet" and bool(decided["vnet_prefixes"])

    # What is there, and whose it is -----------------------------------------------------------------------------

    def _say(self, problem: str) -> None:
        self._mistakes.append(f"{self._host}: {problem}.")

    def _id(self, key: str) -> str:
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
        return next((str(value) for name, value in tags.items() if name.lower() == azure_names.OWNER_TAG), None)

    def _is_ours(self, key: str) -> bool:
        """Say whether it is there and the role may write and remove it."""
        if key in self._plan["existing"] or self._there(key) is None:
            return False
        owner = self._owner(key)
        if owner is None:
            return self._adopts(key)
        # Several proxies may share a resource group that the role has created.
        return owner == self._plan["owner"] or key == "resource_group"

    def _adopts(self, key: str) -> bool:
        """Earlier versions, which set no tag, never built a second scale set."""
        second = key == "scale_set_2" or (key == "scale_set" and self._current == "scale_set_2")
        return bool(self._plan["adopt"]) and not second

    # Before anything is built -----------------------------------------------------------------------------------

    def _check_existing(self) -> None:
        place = self._plan["location"]
        for key, variable in self._plan["existing"].items():
            document = self._there(key) or (self._subnet(self._id(key)) if key == "proxy_subnet" else None)
            if document is None:
                self._say(
                    f"{variable} names the {self._called(key)}, which is not there, or which the account may not read"
                )
            elif key in ("vnet", "gateway", "storage_account") and resource.region_of(document) not in ("", place):
                self._say(
                    f"the {self._called(key)} of {variable} is in {resource.region_of(document)}, and azure_proxy_location is {place}"
                )
        subnet = self._subnet(self._plan["ids"]["proxy_subnet"])
        if "proxy_subnet" in self._plan["existing"] and subnet is not None:
            wanted = self._plan["prefixes"].get("proxy_subnet")
            if wanted not in resource.prefixes(subnet):
                self._say(
                    f"azure_proxy_proxy_subnet is {wanted}, and the subnet has {', '.join(resource.prefixes(subnet))}"
                )

    def _check_owners(self) -> None:
        unknown = [
            key
            for key in self._plan["wanted"]
            if self._there(key) is not None and self._owner(key) is None and not self._adopts(key)
        ]
        if unknown:
            self._say(
                f"there are the {', '.join(map(self._called, unknown))} already, which this role did not create, since they have no tag "
                f"{azure_names.OWNER_TAG}; give what is built other names by azure_proxy_names, or declare "
                "what is there to be used (azure_proxy_vnet_id, azure_proxy_workspace_id and so on, or azure_proxy_resource_group_exists); "
                "if an earlier version of this role has built all of them, run this once with -e azure_proxy_adopt=true"
            )
        for key in self._plan["wanted"]:
            owner = self._owner(key)
            if owner not in (None, self._plan["owner"]) and key != "resource_group":
                self._say(
                    f"the {self._called(key)} belongs to the proxy {owner}, as its tag {azure_names.OWNER_TAG} says; give one another name"
                )

    def _check_providers(self) -> None:
        """What a provider that is not registered makes is refused; nothing is known where the account may not ask."""
        states = {one["namespace"]: one.get("registrationState") for one in self._found.values() if "namespace" in one}
        missing = [
            one for one in self._plan["providers"] if states and states.get(one) not in ("Registered", "Registering")
        ]
        if missing:
            subscription = self._plan["ids"]["resource_group"].split("/")[2]
            commands = (f"az provider register --subscription {subscription} --namespace {one}" for one in missing)
            self._say(
                f"the subscription has not registered {', '.join(missing)}; have a Contributor on it do that, and wait some "
                f"minutes: {' && '.join(commands)}"
            )

    def _check_locks(self, removed: list[str]) -> None:
        """A lock holds for what it is on, for what is in that, and for whatever that is in."""
        for identity, lock in self._found.items():
            scope, found, name = identity.rpartition("/providers/microsoft.authorization/locks/")
            if not found:
                continue
            ids = {key: f"{self._id(key).lower()}/" for key in removed}
            # A resource group with something else in it stays anyway.
            held = [
                key
                for key, one in ids.items()
                if one.startswith(f"{scope}/") or (f"{scope}/".startswith(one) and key != "resource_group")
            ]
            if held:
                level = (lock.get("properties") or {}).get("level")
                rest = f" and {len(held) - 1} more" if len(held) > 1 else ""
                self._say(
                    f"the lock {lock.get('name', name)} ({level}) on {lock['id'][: len(scope)]} keeps the {self._called(held[0])}{rest} "
                    "from being removed; take it away, or leave the proxy as it is"
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
                yield {"id": self._id(key), "name": self._called(key), "api": api, "body": resource.settable(document)}

    # The way to a hub -------------------------------------------------------------------------------------------

    def _peered(self, wanted: Json) -> Json:
        """A peering as Azure shows it, with its VNET; it has no tags, and belongs to the VNET that it leads to."""
        peerings = resource.elements(
            (self._found.get(wanted["vnet"].lower()) or {}).get("properties") or {}, "virtualNetworkPeerings"
        )
        return next((one for one in peerings if str(one.get("name")).lower() == wanted["name"].lower()), {})

    def _leads(self, wanted: Json) -> bool:
        remote = resource.linked(self._peered(wanted).get("properties") or {}, "remoteVirtualNetwork")
        return remote.lower() == str(wanted["remote"]).lower()

    def _peerings(self) -> Json:
        """Those that are to be written, and among them those that have lost their other side, which Azure never mends."""
        written: list[Json] = []
        lost: list[Json] = []
        for one in self._plan["peerings"]:
            has = self._peered(one).get("properties") or {}
            if has and not self._leads(one):
                self._say(
                    f"the peering {one['name']} of {one['vnet']} leads to {resource.linked(has, 'remoteVirtualNetwork')}; give that of "
                    "this proxy another name by the key peering of azure_proxy_names"
                )
            if has.get("peeringState") == "Disconnected":
                lost.append(one)
            if one in lost or has.get("peeringSyncLevel") == "LocalNotInSync" or not resource.within(one["shape"], has):
                written.append(one)
        self._check_hub()
        return {"peerings": written, "lost_peerings": lost}

    def _check_hub(self) -> None:
        hub = (self._there("hub_vnet") or {}).get("properties") or {}
        wanted, mine = self._plan["prefixes"].get("vnet", ""), self._id("vnet").lower()
        spaces = [("", hub.get("addressSpace"))]
        for one in resource.elements(hub, "virtualNetworkPeerings"):
            other = one.get("properties") or {}
            remote = resource.linked(other, "remoteVirtualNetwork")
            if remote.lower() != mine:
                spaces.append((f" of {remote}, which it is peered with", other.get("remoteAddressSpace")))
        for whose, space in spaces:
            for prefix in (space or {}).get("addressPrefixes") or []:
                if _overlap(str(prefix), wanted):
                    self._say(
                        f"azure_proxy_address_prefix {wanted} overlaps {prefix}{whose or ' of it'}, so that the {self._called('hub_vnet')} "
                        "cannot be peered with it; give it another network"
                    )
        names = [str(one.get("name")).lower() for one in resource.elements(hub, "subnets")]
        if (
            hub
            and "gatewaysubnet" not in names
            and any(one["shape"]["useRemoteGateways"] for one in self._plan["peerings"])
        ):
            self._say(
                f"azure_proxy_hub_gateway is set, and the {self._called('hub_vnet')} has no GatewaySubnet, so no gateway"
            )

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
                if resource.linked(has, "networkSecurityGroup").lower() != wanted["security_group"].lower():
                    self._say(
                        f"the subnet {wanted['name']} of {self._called('vnet')} is there and has not the {self._called('security_group')}, "
                        "so that this role did not create it; give it as azure_proxy_subnet_id"
                    )
            route_table = wanted.get("route_table") or resource.linked(has, "routeTable")
            pairs = [
                (wanted.get("security_group", ""), resource.linked(has, "networkSecurityGroup")),
                (wanted.get("nat_gateway", ""), resource.linked(has, "natGateway")),
                (route_table, resource.linked(has, "routeTable")),
            ]
            differs = wanted["prefix"] not in resource.prefixes(found) or any(
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
            if any(_overlap(prefix, str(inner)) for prefix in resource.prefixes(other)):
                self._say(
                    f"{wanted['name']} {inner} overlaps the subnet {other.get('name')} of {self._called('vnet')}; give it another network"
                )

    def _nat_gateway(self) -> Json | None:
        """The NAT gateway as a resource of a deployment, None if it is as wanted."""
        if "nat_gateway" not in self._plan["wanted"]:
            return None
        wanted, found = self._plan["nat_gateway"], self._there("nat_gateway")
        if found is None:
            return {**wanted, "tags": resource.literal(self._all_tags("nat_gateway"))}
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
            return {**wanted, "tags": resource.literal(self._all_tags("gateway"))}
        has = found.get("properties") or {}
        if str(has.get("gatewayType", "")).lower() != wanted["properties"]["gatewayType"].lower():
            self._say(
                f"the {self._called('gateway')} is of the type {has.get('gatewayType')}, and azure_proxy_gateway wants "
                f"{wanted['properties']['gatewayType']}; delete it, or give the new one another name by azure_proxy_names"
            )
            return None
        ends = resource.elements(has, "ipConfigurations")
        second = self._id("gateway_address_2").lower()
        mine = [
            one for one in ends if resource.linked(one.get("properties") or {}, "publicIPAddress").lower() == second
        ]
        changes: Json = {}
        if (has.get("sku") or {}).get("name") != wanted["properties"]["sku"]["name"]:
            changes["sku"] = wanted["properties"]["sku"]
        if wanted["properties"].get("activeActive"):
            if not has.get("activeActive"):
                changes |= {
                    "activeActive": True,
                    "ipConfigurations": [*ends, wanted["properties"]["ipConfigurations"][1]],
                }
        elif mine:
            changes |= {"activeActive": False, "ipConfigurations": [one for one in ends if one not in mine]}
        return self._merged("gateway", resource.stripped(changes)) if changes else None

    def _site(self) -> Json | None:
        """The body of the local network gateway, None if it is as wanted or not there."""
        found = self._there("site")
        if "site" not in self._plan["wanted"] or found is None:
            return None
        wanted, kept = self._plan["site"], resource.settable(found)
        has = kept["properties"]
        spaces = [(one.get("localNetworkAddressSpace") or {}).get("addressPrefixes") or [] for one in (has, wanted)]
        if has.get("gatewayIpAddress") == wanted["gatewayIpAddress"] and sorted(spaces[0]) == sorted(spaces[1]):
            return None
        return {**kept, "tags": self._all_tags("site"), "properties": has | wanted}

    def _flow_log(self) -> Json:
        """Whether the flow log is to be removed, since one keeps its target, and the body with which it is to be written."""
        found, wanted = self._there("flow_log") or {}, self._plan["flow_log"]
        has = found.get("properties") or {}
        moved = str(has.get("targetResourceId", "")).lower() != wanted["targetResourceId"].lower()
        if self._plan["state"] == "absent" or "flow_log" not in self._plan["wanted"] or resource.within(wanted, has):
            return {"remove": self._is_ours("flow_log") and moved, "write": None}
        # One that was given may be in another region.
        region = resource.region_of(self._there("workspace") or {}) or self._plan["location"]
        analytics = wanted["flowAnalyticsConfiguration"]["networkWatcherFlowAnalyticsConfiguration"]
        whole = {"networkWatcherFlowAnalyticsConfiguration": {**analytics, "workspaceRegion": region}}
        return {
            "remove": self._is_ours("flow_log") and moved,
            "write": {
                "location": self._plan["location"],
                "tags": self._all_tags("flow_log"),
                "properties": {**wanted, "flowAnalyticsConfiguration": whole},
            },
        }

    def _merged(self, key: str, properties: Json) -> Json:
        """Return what is there with what is wanted in place of it, as a deployment takes it."""
        wanted, kept = self._plan[key], resource.settable(self._there(key) or {})
        kept["properties"] |= properties
        return {
            **{key: value for key, value in resource.literal(kept).items() if key != "kind"},
            **{key: wanted[key] for key in ("type", "apiVersion", "name", "location")},
            "tags": resource.literal(self._all_tags(key)),
        }

    # Zones, which nobody can change -----------------------------------------------------------------------------

    def _frontend(self) -> Json:
        frontends = resource.elements(
            (self._there("load_balancer") or {}).get("properties") or {}, "frontendIPConfigurations"
        )
        return next((one for one in frontends if one.get("name") == "frontend"), {})

    def _frontend_zones(self) -> list[str]:
        new = self._there("load_balancer") is None
        return list(self._plan["zones"]["frontend"] if new else self._frontend().get("zones") or [])

    def _address(self) -> str:
        """The load balancer's address, empty as long as Azure has not chosen it."""
        return str((self._frontend().get("properties") or {}).get("privateIPAddress") or self._plan["frontend"])

    # The scale set, of which much can never be changed ------------------------------------------------------------

    def _scale_set(self) -> Json:
        """Which one serves, whether it is proven, and which one it replaces."""
        ours = {
            key: document
            for key in replacement.KEYS
            if (document := self._there(key)) is not None and self._is_ours(key)
        }
        choice = replacement.choose(self._plan, ours)
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
        why = f"when {name}, which takes its place, is proven: {'; '.join(choice['why'])}"
        return {
            "name": name,
            "id": self._id("scale_set"),
            "proven": replacement.is_proven(self._there("scale_set") or {}),
            "old": {"name": names[old], "id": self._plan["ids"][old], "why": why} if old else None,
            # What is being deleted, or never came to life, has nobody to wait for.
            "drain": bool(old) and (ours[old].get("properties") or {}).get("provisioningState") != "Deleting",
        }

    # For people to read -----------------------------------------------------------------------------------------

    def _foreseen(self, decided: Json) -> Json:
        """The table, and whether a request is in it that no module foresees in check mode."""
        rows = list(self._rows_of(decided))
        sent = [key for key in decided["written"] if key in ("nat_gateway", "gateway", "site", "flow_log", "scale_set")]
        requests = (sent, decided["peerings"], decided["tags"], decided["repairs"], decided["scale_set"]["old"])
        table = [("WHAT", "NAME", "", "", "METERS"), *((kind, name, *rest) for kind, name, *rest in rows)]
        return {
            "unforeseen": self._gone or any(requests),
            "summary": [f"{self._host}, what it consists of and what becomes of it:", *aligned(table)],
        }

    def _rows_of(self, decided: Json) -> Iterator[tuple[str, str, str, str, str]]:
        """Each part in the order of creation: what, its name, what becomes of it, what is special about it, and its meters."""
        touched = {one["id"].lower() for one in (*decided["tags"], *decided["repairs"])}
        subnets = [one["id"] for one in decided["subnets"]]
        old = decided["scale_set"]["old"]
        for key, (kind, _interface) in KINDS.items():
            name = self._id(key).rpartition("/")[2]
            if not name:
                continue
            note, meters = self._plan["notes"].get(key, ("", ""))
            if key in self._plan["existing"]:
                yield kind, name, "keep", f"others', as {self._plan['existing'][key]} says", ""
            elif key == "proxy_subnet":
                for one in self._plan["subnets"]:
                    action = "create" if self._subnet(one["id"]) is None else "change"
                    yield kind, one["name"], action if one["id"] in subnets else "keep", one["prefix"], ""
            elif key in ("peering", "hub_peering"):
                (one,) = (each for each in self._plan["peerings"] if each["key"] == key)
                action = "change" if self._peered(one) else "create"
                if resource.region_of(self._there("hub_vnet") or {}) not in ("", self._plan["location"]):
                    meters = meters.replace("Intra", "Inter")
                yield kind, name, action if one in decided["peerings"] else "keep", note, meters
            elif key == "scale_set_2":
                # The key of the first is that of whichever serves.
                if old:
                    yield kind, old["name"], "delete", old["why"], ""
            elif key == "flow_log" and decided["flow_log"]["remove"] and not decided["flow_log"]["write"]:
                yield kind, name, "delete", "what was recorded stays", ""
            elif key in self._plan["wanted"]:
                action = "change" if key in decided["written"] or self._id(key).lower() in touched else "keep"
                yield kind, name, "create" if key in decided["new"] else action, note, meters
            elif self._is_ours(key):
                yield (
                    kind,
                    name,
                    "keep",
                    "no longer declared, and billed as before; delete it if nobody needs it",
                    meters,
                )

    def _removal(self) -> Json:
        rows = list(self._rows())
        removed = [key for key, action, _why in rows if action == "delete"]
        table = [
            ("WHAT", "NAME", "", "WHY"),
            *((KINDS[key][0], self._id(key).rpartition("/")[2], action, why) for key, action, why in rows),
        ]
        nothing = [f"{self._host}: nothing of it is there."]
        return {
            "unforeseen": False,
            "remove": removed,
            "summary": [f"{self._host}, what is there and what becomes of it:", *aligned(table)] if rows else nothing,
        }

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Each part that is there, in the order of removal, with what becomes of it and why."""
        for key in reversed([one for one in KINDS if self._id(one)]):
            if key in ("peering", "hub_peering"):
                (one,) = (each for each in self._plan["peerings"] if each["key"] == key)
                if self._leads(one) and (self._there("vnet") is None or self._is_ours("vnet")):
                    yield (
                        key,
                        "delete",
                        "leads to the VNET of this role" if key == "hub_peering" else "created by this role",
                    )
            elif key == "proxy_subnet":
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
                    else f"without the tag {azure_names.OWNER_TAG}, so not this role's"
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
            group = resource.linked(found.get("properties") or {}, "networkSecurityGroup")
            if group.lower() == self._plan["ids"]["security_group"].lower():
                yield "proxy_subnet", "delete", "has the security group of this role"
            else:
                yield "proxy_subnet", "keep", "has not the security group of this role"


def _overlap(one: str, other: str) -> bool:
    """Say whether two networks overlap; one of IPv6 never does."""
    return ":" not in one and IPv4Network(one, strict=False).overlaps(IPv4Network(other))


def _contains(outer: str, inner: IPv4Network) -> bool:
    return ":" not in outer and inner.subnet_of(IPv4Network(outer, strict=False))
