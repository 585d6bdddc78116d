# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the proxy in Azure consists of and what of it is billed, for people to read before it is built.

Private to this collection. No prices: they differ by region and contract, and change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._columns import aligned

Json = dict[str, Any]


def resources(settings: Mapping[str, Any], found: Json) -> list[Json]:
    """Return kind, name, what is special about it and how it is billed, of each resource in the order of creation."""
    names, prefixes = found["names"], found["prefixes"]
    made = {each["name"] for each in found["subnets"]}
    wanted = found["wanted"]
    port_rules = len(found["sources"])
    rows = [
        (
            not settings["resource_group_exists"],
            "resource group",
            settings["resource_group"],
            found["location"],
            "free",
        ),
        ("workspace" in wanted, "Log Analytics workspace", names["workspace"], "", "by GB taken in"),
        ("storage_account" in wanted, "storage account", names["storage_account"], "StorageV2, LRS", "by GB stored"),
        ("vnet" in wanted, "virtual network", names["vnet"], prefixes.get("vnet", ""), "free"),
        (True, "security group", names["security_group"], f"{port_rules:,} client addresses", "free"),
        ("nat_address" in wanted, "public address", names["nat_address"], "Standard, static", "by hour"),
        ("nat_gateway" in wanted, "NAT gateway", names["nat_gateway"], "", "by hour and by GB"),
        ("GatewaySubnet" in made, "subnet", "GatewaySubnet", prefixes.get("gateway_subnet", ""), "free"),
        ("ProxyserverSubnet" in made, "subnet", "ProxyserverSubnet", prefixes.get("proxy_subnet", ""), "free"),
        ("AzureBastionSubnet" in made, "subnet", "AzureBastionSubnet", prefixes.get("bastion_subnet", ""), "free"),
        (
            True,
            "load balancer",
            names["load_balancer"],
            f"internal, {found['frontend'] or 'dynamic'}",
            "by rule, hour and GB",
        ),
        (
            True,
            "scale set",
            names["scale_set"],
            f"{settings['capacity']} x {settings['vm_size']}",
            "by hour and instance",
        ),
        (settings["flow_log"] != "none", "flow log", names["flow_log"], f"{settings['flow_log']}, version 2", "by GB"),
        ("gateway_address" in wanted, "public address", names["gateway_address"], "Standard, static", "by hour"),
        (
            "gateway" in wanted,
            "virtual network gateway",
            names["gateway"],
            f"{'ExpressRoute' if settings['gateway'] == 'expressroute' else 'VPN'}, {settings['gateway_sku']}",
            "by hour and by GB, takes about 40 minutes",
        ),
        (
            settings["gateway"] == "local_network",
            "local network gateway",
            names["site"],
            settings["site_address"],
            "free",
        ),
        (settings["gateway"] == "local_network", "connection", names["site"], "IPsec, IKEv2", "by hour"),
    ]
    return [
        {"kind": kind, "name": name, "what": what, "billed": billed}
        for there, kind, name, what, billed in rows
        if there
    ]


def lines(host: str, rows: list[Json]) -> list[str]:
    """Return the resources as a table of text."""
    table = [("WHAT", "NAME", "", "BILLED"), *((row["kind"], row["name"], row["what"], row["billed"]) for row in rows)]
    return [f"{host} consists of:", *aligned(table)]
