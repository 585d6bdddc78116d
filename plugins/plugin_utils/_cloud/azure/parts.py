# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the proxy in Azure: which the role creates, which are others', and what of them is read before anything is decided.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import names, values

Json = dict[str, Any]

API = {
    "groups": "2021-04-01",
    "network": "2024-03-01",
    "compute": "2024-07-01",
    "storage": "2023-05-01",
    "workspace": "2023-09-01",
    "locks": "2016-09-01",
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
    # The one that takes the place of the first, or the first of this one: see replacement.py.
    "scale_set_2": ("scale set", "compute"),
    "flow_log": ("flow log", "network"),
    "hub_vnet": ("virtual network", "network"),
    "hub_peering": ("peering from the hub", "network"),
    "peering": ("peering to the hub", "network"),
    "gateway_address": ("public address", "network"),
    "gateway_address_2": ("public address", "network"),
    "gateway": ("virtual network gateway", "network"),
    "site": ("local network gateway", "network"),
    "connection": ("connection", "network"),
}
"""How each is called and whose interface it has, in the order of creation."""

_COMPARED = (
    "workspace",
    "storage_account",
    "security_group",
    "nat_gateway",
    "load_balancer",
    "scale_set",
    "scale_set_2",
    "gateway",
    "site",
)
_READ = {
    "present": ("resource_group", "vnet", *_COMPARED),
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
        "owner_tag": names.OWNER_TAG,
        "state": state,
        "adopt": bool(settings["adopt"]),
        "force": bool(settings["force"]),
        "replace": bool(settings["replace"]),
        "resource_group": settings["resource_group"],
        "api": API,
        "tags": tags | {names.OWNER_TAG: settings["name"]},
        "existing": existing,
        "wanted": wanted,
        "network": dict(zip(("resource_group", "name"), _place(ids["vnet"]), strict=True)),
        "flow_log": _flow_log(settings, ids),
        "shapes": _shapes(settings, found),
        "subnets": _subnets(settings, found),
        "nat_gateway": _nat_gateway(settings, found),
        "gateway": _gateway(settings, found),
        "site": {
            "gatewayIpAddress": settings["site_address"],
            "localNetworkAddressSpace": {"addressPrefixes": found["site_prefixes"]},
        },
        "reads": [
            {"id": ids[key], "api": API[interface], "when": _when_read(key, state, existing)}
            for key, (_kind, interface) in KINDS.items()
            if ids[key]
        ],
        "asks": _asks(state, ids),
        "providers": sorted(
            {"Microsoft.Insights", *(ids[key].split("/")[6] for key in wanted if key != "resource_group")}
        ),
        "peerings": _peerings(settings, found),
    }


def _asks(state: str, ids: Mapping[str, str]) -> list[Json]:
    """Return what is asked that an account may not be allowed to see: the providers before something is made, locks before it goes.

    A list of locks has those at its scope, above and below it (learn.microsoft.com "Get-AzResourceLock", -AtScope).
    """
    if state == "present":
        return [{"id": f"{ids['resource_group'].partition('/resourceGroups/')[0]}/providers", "api": API["groups"]}]
    groups = {
        one.lower(): one
        for key in ("hub_vnet", "vnet", "resource_group")
        if (one := ids[key].partition("/providers/")[0])
    }
    return [{"id": f"{one}/providers/Microsoft.Authorization/locks", "api": API["locks"]} for one in groups.values()]


def _peerings(settings: Mapping[str, Any], found: Json) -> list[Json]:
    """Return both sides as they are written: a gateway is offered before it is used, and used no more before it is not offered."""
    ids, transit = found["ids"], bool(settings["hub_gateway"])
    if not ids["hub_vnet"]:
        return []

    def side(key: str, vnet: str, remote: str, **more: bool) -> Json:
        flags = {"allowForwardedTraffic": False, "allowGatewayTransit": False, "useRemoteGateways": False} | more
        shape = {"allowVirtualNetworkAccess": True, "remoteVirtualNetwork": {"id": remote}, **flags}
        place = dict(zip(("resource_group", "virtual_network"), _place(vnet), strict=True))
        whole = {"key": key, "vnet": vnet, "remote": remote, "subscription": vnet.split("/")[2], "shape": shape}
        return {**whole, **place, "name": found["names"]["peering"]}

    sides = [
        side("hub_peering", ids["hub_vnet"], ids["vnet"], allowGatewayTransit=transit),
        # What a firewall in the hub passes on comes from elsewhere.
        side("peering", ids["vnet"], ids["hub_vnet"], useRemoteGateways=transit, allowForwardedTraffic=True),
    ]
    return sides if transit else sides[::-1]


def _when_read(key: str, state: str, existing: Mapping[str, str]) -> str:
    """Return ``always``, ``listed``, or ``needed`` for what is only read when an operation on it has failed, or it has no tag."""
    if key == "flow_log" or (key in existing and (state == "present" or key in ("vnet", "hub_vnet"))):
        return "always"
    return "listed" if key in _READ[state] else "needed"


def _existing(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what others have built, by part, with the variable that says so."""
    found = {key: f"azure_proxy_{key}_id" for key in values.EXISTING if settings[f"{key}_id"] and key != "subnet"}
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
        "gateway_address_2": own_gateway and gateway != "expressroute" and bool(settings["gateway_active_active"]),
        "gateway": own_gateway,
        **dict.fromkeys(("site", "connection"), gateway == "local_network"),
    }


def _place(network: str) -> tuple[str, str]:
    """Return the resource group and the name of a VNET."""
    return network.partition("/providers/")[0].rpartition("/")[2], network.rpartition("/")[2]


def _flow_log(settings: Mapping[str, Any], ids: Mapping[str, str]) -> Json:
    """Return its properties as Azure shows them; their target is empty where no flows are to be recorded."""
    # In a VNET of others their flows are none of ours.
    vnet = ids["proxy_subnet"] if settings["vnet_id"] or settings["subnet_id"] else ids["vnet"]
    target = {"vnet": vnet, "nsg": ids["security_group"]}.get(settings["flow_log"], "")
    interval = int(settings["traffic_analytics_interval"])
    analytics = {"enabled": True, "workspaceResourceId": ids["workspace"], "trafficAnalyticsInterval": interval}
    return {
        "targetResourceId": target if settings["state"] == "present" else "",
        "storageId": ids["storage_account"],
        "enabled": True,
        "retentionPolicy": {"days": int(settings["flow_log_retention_days"]), "enabled": True},
        # The version with bytes and packets, for which the module has no parameter.
        "format": {"type": "JSON", "version": 2},
        "flowAnalyticsConfiguration": {"networkWatcherFlowAnalyticsConfiguration": analytics},
    }


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


def _shapes(settings: Mapping[str, Any], found: Json) -> Json:
    """Return what modules write, as Azure shows it: they run where it shows something else."""
    static = {"privateIPAllocationMethod": "Static", "privateIPAddress": found["frontend"]}
    frontend = static if found["frontend"] else {"privateIPAllocationMethod": "Dynamic"}
    ends = {"frontendPort": found["port"], "backendPort": found["port"], "protocol": "Tcp"}
    idle = {"idleTimeoutInMinutes": int(settings["idle_timeout"]), "enableTcpReset": True, "disableOutboundSnat": True}
    probe = {"protocol": "Tcp", "port": found["port"], "intervalInSeconds": 5, "numberOfProbes": 2}
    return {
        "workspace": {"retentionInDays": int(settings["workspace_retention_days"])},
        "storage_account": {
            "supportsHttpsTrafficOnly": True,
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "publicNetworkAccess": "Enabled",
            "networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices", "ipRules": found["storage_rules"]},
            "routingPreference": {"routingChoice": "MicrosoftRouting"},
        },
        "load_balancer": {
            "frontendIPConfigurations": [
                {"name": "frontend", "properties": {**frontend, "subnet": {"id": found["ids"]["proxy_subnet"]}}}
            ],
            "backendAddressPools": [{"name": "proxies"}],
            "probes": [{"name": "squid", "properties": probe}],
            "loadBalancingRules": [{"name": "squid", "properties": {**ends, **idle}}],
        },
    }


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
        properties["vpnGatewayGeneration"] = values.gateway_generation(size)
    properties["ipConfigurations"] = [{"name": "default", "properties": configuration}]
    if settings["gateway_active_active"]:
        second = configuration | {"publicIPAddress": {"id": ids["gateway_address_2"]}}
        properties["ipConfigurations"].append({"name": "second", "properties": second})
        properties["activeActive"] = True
    return {
        "type": "Microsoft.Network/virtualNetworkGateways",
        "apiVersion": API["network"],
        "name": found["names"]["gateway"],
        "location": found["location"],
        "properties": properties,
    }
