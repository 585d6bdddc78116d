# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the proxy in Azure: which the role creates, which are others', and what of them is read before anything is decided.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _azure_names, _azure_values

Json = dict[str, Any]

API = {
    "groups": "2021-04-01",
    "network": "2024-03-01",
    "compute": "2024-07-01",
    "storage": "2023-05-01",
    "workspace": "2023-09-01",
}
"""Versions of Azure's interfaces, where a module of the collection leaves something out."""

KINDS = {
    "resource_group": ("resource group", "groups"),
    "workspace": ("Log Analytics workspace", "workspace"),
    "storage_account": ("storage account", "storage"),
    "vnet": ("virtual network", "network"),
    "security_group": ("security group", "network"),
    "nat_address": ("public address", "network"),
    "nat_gateway": ("NAT gateway", "network"),
    "proxy_subnet": ("subnet", "network"),
    "route_table": ("route table", "network"),
    "load_balancer": ("load balancer", "network"),
    "scale_set": ("scale set", "compute"),
    # The one that takes the place of the first, or the first of this one: see _azure_replacement.
    "scale_set_2": ("scale set", "compute"),
    "flow_log": ("flow log", "network"),
    "gateway_address": ("public address", "network"),
    "gateway": ("virtual network gateway", "network"),
    "site": ("local network gateway", "network"),
    "connection": ("connection", "network"),
}
"""How each is called and whose interface it has, in the order of creation."""

_READ = {
    "present": (
        "resource_group",
        "vnet",
        "nat_gateway",
        "load_balancer",
        "scale_set",
        "scale_set_2",
        "gateway",
        "site",
    ),
    "absent": ("resource_group", "vnet"),
}
"""What is read by itself where the list of the group's resources has it; of the rest that has all that is needed, the tags."""


def parts(settings: Mapping[str, Any], found: Json) -> Json:
    """Return what the decisions need to know besides the rest of the plan."""
    existing = _existing(settings)
    state, ids = settings["state"], found["ids"]
    # Azure takes text only, and the inventory may have a number.
    tags = {str(name): str(value) for name, value in settings["tags"].items()}
    wanted = [key for key, there in _wanted(settings).items() if there and key not in existing]
    return {
        "owner": settings["name"],
        "owner_tag": _azure_names.OWNER_TAG,
        "state": state,
        "adopt": bool(settings["adopt"]),
        "replace": bool(settings["replace"]),
        "resource_group": settings["resource_group"],
        "api": API,
        "tags": tags | {_azure_names.OWNER_TAG: settings["name"]},
        "existing": existing,
        "wanted": wanted,
        "network": dict(zip(("resource_group", "name"), _place(ids["vnet"]), strict=True)),
        "flow_log": {
            "target": _flow_log_target(settings, ids).lower(),
            "storage": ids["storage_account"].lower(),
            "workspace": ids["workspace"].lower(),
            "interval": int(settings["traffic_analytics_interval"]),
            "days": int(settings["flow_log_retention_days"]),
            # Of its format: the one with bytes and packets.
            "version": 2,
        },
        "flow_log_target": _flow_log_target(settings, ids),
        "subnets": _subnets(settings, found),
        "nat_gateway": _nat_gateway(settings, found),
        "gateway": _gateway(settings, found),
        "site": {
            "gatewayIpAddress": settings["site_address"],
            "localNetworkAddressSpace": {"addressPrefixes": found["site_prefixes"]},
        },
        "reads": [
            {"id": id_of(key, settings, ids), "api": API[interface], "when": _when_read(key, state, existing)}
            for key, (_kind, interface) in KINDS.items()
            if key != "route_table" or settings["route_table_id"]
        ],
    }


def _when_read(key: str, state: str, existing: Mapping[str, str]) -> str:
    """Return ``always``, ``listed``, or ``needed`` for what is only read when an operation on it has failed, or it has no tag."""
    if key == "flow_log" or (key in existing and (state == "present" or key == "vnet")):
        return "always"
    return "listed" if key in _READ[state] else "needed"


def id_of(key: str, settings: Mapping[str, Any], ids: Mapping[str, str]) -> str:
    """Return the id of a part."""
    return str(settings["route_table_id"]) if key == "route_table" else ids[key]


def _existing(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what others have built, by part, with the variable that says so."""
    found = {
        key: f"azure_proxy_{key}_id" for key in _azure_values.EXISTING if settings[f"{key}_id"] and key != "subnet"
    }
    if settings["subnet_id"]:
        found |= {"vnet": "azure_proxy_subnet_id", "proxy_subnet": "azure_proxy_subnet_id"}
    if settings["resource_group_exists"]:
        found["resource_group"] = "azure_proxy_resource_group_exists"
    return found


def _wanted(settings: Mapping[str, Any]) -> dict[str, bool]:
    gateway = settings["gateway"]
    own_gateway = gateway != "none" and not settings["gateway_id"]
    return {
        **dict.fromkeys(("resource_group", "workspace", "storage_account", "vnet", "security_group"), True),
        **dict.fromkeys(("nat_address", "nat_gateway"), not settings["subnet_id"]),
        **dict.fromkeys(("load_balancer", "scale_set"), True),
        "flow_log": settings["flow_log"] != "none",
        # The address of an ExpressRoute gateway is Azure's own since August 2025 (learn.microsoft.com "About ExpressRoute virtual
        # network gateways").
        "gateway_address": own_gateway and gateway != "expressroute",
        "gateway": own_gateway,
        **dict.fromkeys(("site", "connection"), gateway == "local_network"),
    }


def _place(network: str) -> tuple[str, str]:
    """Return the resource group and the name of a VNET."""
    return network.partition("/providers/")[0].rpartition("/")[2], network.rpartition("/")[2]


def _flow_log_target(settings: Mapping[str, Any], ids: Mapping[str, str]) -> str:
    if settings["flow_log"] == "nsg":
        return ids["security_group"]
    # In a VNET of others their flows are none of ours.
    theirs = settings["vnet_id"] or settings["subnet_id"]
    return {"vnet": ids["proxy_subnet"] if theirs else ids["vnet"]}.get(settings["flow_log"], "")


def _subnets(settings: Mapping[str, Any], found: Json) -> list[Json]:
    """Return the subnets that the role creates, with what belongs to each."""
    if settings["subnet_id"]:
        return []
    prefixes, ids = found["prefixes"], found["ids"]
    subnets: list[Json] = []
    # In a VNET of others a subnet is only made for what is put into it.
    if not settings["vnet_id"] or (settings["gateway"] != "none" and not settings["gateway_id"]):
        subnets.append({"name": "GatewaySubnet", "id": ids["gateway_subnet"], "prefix": prefixes.get("gateway_subnet")})
    subnets.append(
        {
            "name": "ProxyserverSubnet",
            "id": ids["proxy_subnet"],
            "prefix": prefixes.get("proxy_subnet"),
            "security_group": ids["security_group"],
            "nat_gateway": ids["nat_gateway"],
            "route_table": settings["route_table_id"],
            "default_outbound_access": False,
        }
    )
    if settings["bastion"]:
        bastion = {"name": "AzureBastionSubnet", "id": ids["bastion_subnet"], "prefix": prefixes.get("bastion_subnet")}
        subnets.append(bastion)
    return subnets


def _nat_gateway(settings: Mapping[str, Any], found: Json) -> Json:
    # Its module never sends tags, and what has none is nobody's.
    return {
        "type": "Microsoft.Network/natGateways",
        "apiVersion": API["network"],
        "name": found["names"]["nat_gateway"],
        "location": found["location"],
        "sku": {"name": "Standard"},
        "properties": {
            "idleTimeoutInMinutes": int(settings["idle_timeout"]),
            "publicIpAddresses": [{"id": found["ids"]["nat_address"]}],
        },
    }


def _gateway(settings: Mapping[str, Any], found: Json) -> Json:
    size, ids = settings["gateway_sku"], found["ids"]
    configuration: Json = {"privateIPAllocationMethod": "Dynamic", "subnet": {"id": ids["gateway_subnet"]}}
    properties: Json = {"sku": {"name": size, "tier": size}}
    if settings["gateway"] == "expressroute":
        properties["gatewayType"] = "ExpressRoute"
    else:
        configuration["publicIPAddress"] = {"id": ids["gateway_address"]}
        properties |= {"gatewayType": "Vpn", "vpnType": "RouteBased"}
        properties["vpnGatewayGeneration"] = _azure_values.gateway_generation(size)
    properties["ipConfigurations"] = [{"name": "default", "properties": configuration}]
    return {
        "type": "Microsoft.Network/virtualNetworkGateways",
        "apiVersion": API["network"],
        "name": found["names"]["gateway"],
        "location": found["location"],
        "properties": properties,
    }
