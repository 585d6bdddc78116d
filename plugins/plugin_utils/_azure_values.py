# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that Azure does not take, found before it is asked.

Private to this collection. What it takes: Azure's reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._azure_addresses import Mistake

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LISTS = ("site_prefixes", "ssh_public_keys", "storage_allowed_networks", "zones")

_VPN_SIZES = tuple(f"VpnGw{number}AZ" for number in range(1, 6))
_SIZES = {
    "vpn": _VPN_SIZES,
    "local_network": _VPN_SIZES,
    "expressroute": ("ErGw1AZ", "ErGw2AZ", "ErGw3AZ", "ErGwScale"),
}
_SECOND_GENERATION = ("VpnGw4AZ", "VpnGw5AZ")
_WORKSPACE = re.compile(
    rf"/subscriptions/{GUID.pattern}/resourceGroups/[^/]+/providers/Microsoft\.OperationalInsights/workspaces/[^/]+",
    re.IGNORECASE,
)
_USER = re.compile(r"[A-Za-z_][\w-]{0,63}", re.ASCII)
_RESERVED_USER = re.compile(
    "a|adm|admin[12]?|administrator|actuser|aspnet|backup|console|david|guest|john|owner|root|server|sql"
    "|support(_388945a0)?|sys|test[123]?|user[1-5]?",
    re.IGNORECASE,
)
_PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def check(settings: Mapping[str, Any], mistake: Mistake) -> None:
    """Look at each value by itself."""
    sizes = _SIZES.get(settings["gateway"])
    if sizes and settings["gateway_sku"] not in sizes:
        problem = f"is no size of azure_proxy_gateway '{settings['gateway']}', which has {', '.join(sizes)}"
        mistake("gateway_sku", settings["gateway_sku"], problem)
    _check_number(settings, "idle_timeout", 4, 100, mistake)
    if not settings["workspace_id"]:
        _check_number(settings, "workspace_retention_days", 30, 730, mistake)
    elif not _WORKSPACE.fullmatch(settings["workspace_id"]):
        problem = "is not the id of a workspace, which begins with /subscriptions/"
        mistake("workspace_id", settings["workspace_id"], problem)
    user = settings["admin_username"]
    if not _USER.fullmatch(user) or _RESERVED_USER.fullmatch(user):
        problem = (
            "is not a user that Azure makes: it takes letters, digits, '_' and '-', and no word such as root or admin"
        )
        mistake("admin_username", user, problem)
    seen = set()
    for zone in map(str, settings["zones"]):
        if zone not in ("1", "2", "3"):
            mistake("zones", zone, "is none of Azure's zones 1, 2 and 3")
        elif zone in seen:
            mistake("zones", zone, "is named twice")
        seen.add(zone)


def _check_number(settings: Mapping[str, Any], variable: str, least: int, most: int, mistake: Mistake) -> None:
    if not least <= int(settings[variable]) <= most:
        mistake(variable, settings[variable], f"is not a number from {least} to {most}")


def storage_sources(values: Iterable[object], mistake: Mistake) -> list[str]:
    """Return who may reach the storage account, as Azure writes it: an address, or a network of four at least."""
    found = []
    for value in values:
        try:
            network = IPv4Network(str(value))
        except ValueError:
            mistake("storage_allowed_networks", value, "is not a public IPv4 address or network")
            continue
        if any(network.overlaps(private) for private in _PRIVATE):
            mistake("storage_allowed_networks", value, "is private, and Azure lets public addresses in only")
        if "/" in str(value) and network.prefixlen > 30:
            problem = "is too small for a network that Azure takes; give single addresses without a suffix"
            mistake("storage_allowed_networks", value, problem)
        found.append(str(network) if "/" in str(value) else str(network.network_address))
    return found


def gateway_generation(size: str) -> str:
    """Return the generation of a gateway; the two largest ones exist in the second only, ExpressRoute has none."""
    if not size.startswith("VpnGw"):
        return "None"
    return "Generation2" if size in _SECOND_GENERATION else "Generation1"
