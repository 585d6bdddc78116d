# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is special about each part of the proxy in Azure, and what it is billed by, for people to read before it is built.

Private to this collection. No prices: they differ by region and contract, and change. The meters have the names (meterName) of the
Azure Retail Prices API, learn.microsoft.com "Azure Retail Prices overview", as github.com/infracost/infracost asks it for them
(internal/resources/azure, internal/providers/terraform/azure), those of ExpressRoute as several that read it quote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

_ADDRESS = "Standard IPv4 Static Public IP"
_FREE_RETENTION = 31
"""Days; learn.microsoft.com "Azure Monitor Logs cost calculations and options"."""


def notes(settings: Mapping[str, Any], found: Json) -> dict[str, list[str]]:
    """Return what is special about each part, and the names of its meters, none where it is free."""
    prefixes, size = found["prefixes"], settings["gateway_sku"]
    kind, meter = ("ExpressRoute", f"{size} Gateway") if settings["gateway"] == "expressroute" else ("VPN", size)
    kept = ", Analytics Logs Data Retention" if int(settings["workspace_retention_days"]) > _FREE_RETENTION else ""
    often = " at 10-Minute Interval" if int(settings["traffic_analytics_interval"]) == 10 else ""
    machine = settings["vm_size"].removeprefix("Standard_").replace("_", " ")
    return {
        "resource_group": [found["location"], ""],
        "workspace": ["", f"Analytics Logs Data Ingestion{kept}"],
        "storage_account": ["StorageV2, LRS", "Hot LRS Data Stored, Hot LRS Write Operations"],
        "vnet": [prefixes.get("vnet", ""), ""],
        "security_group": [f"{len(found['sources']):,} client addresses", ""],
        "nat_address": ["Standard, static", _ADDRESS],
        "nat_gateway": ["", "Standard Gateway, Standard Data Processed"],
        "load_balancer": [
            f"internal, {found['frontend'] or 'dynamic'}",
            "Standard Included LB Rules and Outbound Rules, Standard Data Processed",
        ],
        # The images' disk of 30 GB is billed as one of 32.
        "scale_set": [f"{settings['capacity']} x {settings['vm_size']}", f"{machine}, E4 LRS Disk"],
        "flow_log": [
            f"{settings['flow_log']}, version 2",
            f"Standard Network Logs Collected, Standard Traffic Analytics Processing{often}",
        ],
        "peering": ["", "Intra-Region Egress, Intra-Region Ingress"],
        "hub_peering": ["", "Intra-Region Egress, Intra-Region Ingress"],
        "gateway_address": ["Standard, static", _ADDRESS],
        "gateway_address_2": ["Standard, static", _ADDRESS],
        "gateway": [f"{kind}, {size}, takes about 40 minutes", meter],
        "site": [settings["site_address"], ""],
        "connection": ["IPsec, IKEv2", "S2S Connection"],
    }
