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

from . import names, regions
from .addresses import Mistake

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LISTS = ("site_prefixes", "ssh_public_keys", "storage_allowed_networks", "zones")

_VPN_SIZES = tuple(f"VpnGw{number}AZ" for number in range(1, 6))
_SIZES = {
    "vpn": _VPN_SIZES,
    "local_network": _VPN_SIZES,
    "expressroute": ("ErGw1AZ", "ErGw2AZ", "ErGw3AZ", "ErGwScale"),
}
_SECOND_GENERATION = ("VpnGw4AZ", "VpnGw5AZ")
# Printable ASCII without blank, '-' and '~' (learn.microsoft.com "VPN Gateway FAQ", on the call "Set VPN Gateway Key"), 128 at most
# ("Set-AzureVNetGatewayKey"). Azure forbids none that is shorter than 8, nor does Google; AWS does, and so do we.
_SHARED_KEY = re.compile("[!-,.-}]{8,128}")
EXISTING = {
    "workspace": ("workspace", "Microsoft.OperationalInsights/workspaces/*"),
    "storage_account": ("storage account", "Microsoft.Storage/storageAccounts/*"),
    "vnet": ("VNET", "Microsoft.Network/virtualNetworks/*"),
    "subnet": ("subnet", "Microsoft.Network/virtualNetworks/*/subnets/*"),
    "gateway": ("gateway", "Microsoft.Network/virtualNetworkGateways/*"),
    "route_table": ("route table", "Microsoft.Network/routeTables/*"),
    "hub_vnet": ("VNET", "Microsoft.Network/virtualNetworks/*"),
}
"""What of others can be used, by the variable azure_proxy_<key>_id: how it is called, and what its id ends with."""

_ALL_ZONES = ["1", "2", "3"]
_TAGS = 48
"""Azure takes 50, and the role sets two of its own; learn.microsoft.com "Use tags to organize your Azure resources", Limitations."""

_TAG_NAME, _TAG_VALUE = 128, 256
"""The shortest limit for a name is that of a storage account."""

_TAG_WRONG = re.compile(r"[<>%&\\?/\x00-\x1f\x7f]")
_TAG_RESERVED = ("microsoft", "azure", "windows")
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
    _check_tags(settings["tags"], mistake)
    user = settings["admin_username"]
    if not _USER.fullmatch(user) or _RESERVED_USER.fullmatch(user):
        problem = (
            "is not a user that Azure makes: it takes letters, digits, '_' and '-', and no word such as root or admin"
        )
        mistake("admin_username", user, problem)
    _check_zones(settings, mistake)
    _check_gateway(settings, mistake)


def check_existing(settings: Mapping[str, Any], mistake: Mistake) -> None:
    """Look at the ids of what others have built."""
    for key in EXISTING:
        value = settings[f"{key}_id"]
        if not value:
            continue
        problem = id_problem(key, value, settings["subscription_id"])
        if problem:
            mistake(f"{key}_id", value, problem)


def id_problem(key: str, value: str, subscription: str) -> str:
    """Return what is wrong with the id of a thing of EXISTING, empty for nothing."""
    kind, path = EXISTING[key]
    form = re.escape(path).replace(r"\*", "[^/]+")
    found = re.fullmatch(
        rf"/subscriptions/({GUID.pattern})/resourceGroups/[^/]+/providers/{form}", value, re.IGNORECASE
    )
    if found is None:
        article = "an" if kind[0] in "aeiou" else "a"
        return f"is not the id of {article} {kind}, which is /subscriptions/.../providers/{path}"
    if key not in ("workspace", "storage_account", "hub_vnet") and found[1].lower() != subscription.lower():
        return "is in another subscription than azure_proxy_subscription_id, and Azure wants one for both"
    return ""


def shared_key_problem(key: object) -> str:
    """Return what is wrong with the key of a VPN, empty for nothing; the same for all that ends at Azure's gateway."""
    if _SHARED_KEY.fullmatch(str(key)):
        return ""
    return (
        "is not set, or is not 8 to 128 printable ASCII characters, of which Azure takes neither blanks nor '-' nor '~'"
    )


def _check_gateway(settings: Mapping[str, Any], mistake: Mistake) -> None:
    own = settings["gateway"] != "none" and not settings["gateway_id"]
    for variable in ("gateway_active_active", "gateway_diagnostics"):
        if settings[variable] and (not own or settings["gateway"] == "expressroute"):
            # learn.microsoft.com "About ExpressRoute virtual network gateways" and "Monitor Azure VPN Gateway".
            mistake(variable, True, "is for a VPN gateway that this role builds; set it to false")
    if settings["hub_gateway"] and not settings["hub_vnet_id"]:
        mistake("hub_gateway", True, "needs azure_proxy_hub_vnet_id, the hub whose gateway is used")
    elif settings["hub_gateway"] and own:
        # learn.microsoft.com "Configure VPN gateway transit for virtual network peering".
        mistake(
            "hub_gateway", True, "needs azure_proxy_gateway 'none', or azure_proxy_gateway_id: a VNET uses one gateway"
        )
    if settings["hub_vnet_id"] and (settings["vnet_id"] or settings["subnet_id"]):
        problem = "is for the VNET that this role builds; the peering of azure_proxy_vnet_id and azure_proxy_subnet_id is others'"
        mistake("hub_vnet_id", settings["hub_vnet_id"], problem)


def _check_zones(settings: Mapping[str, Any], mistake: Mistake) -> None:
    region = names.region(settings["location"])
    seen = set()
    for zone in map(str, settings["zones"]):
        if zone not in _ALL_ZONES:
            mistake("zones", zone, "is none of Azure's zones 1, 2 and 3")
        elif zone in seen:
            mistake("zones", zone, "is named twice")
        seen.add(zone)
    if region and not settings["location_is_new"]:
        problem = regions.problem(region)
        if problem:
            mistake("location", settings["location"], problem)
    if seen and regions.zones(region) is False:
        mistake("zones", ", ".join(sorted(seen)), f"are zones, which the region {region} does not have; set it to []")


def zones_of_address(settings: Mapping[str, Any]) -> list[str]:
    """Return the zones of an address or a frontend, which Azure has in one of them or in all (learn.microsoft.com "Public IP addresses").

    Asked for two, Azure answers with three, and refuses two from then on.
    """
    wanted = [str(zone) for zone in settings["zones"]]
    return list(_ALL_ZONES) if len(wanted) > 1 else wanted


def zones_of_gateway(settings: Mapping[str, Any]) -> list[str]:
    """Return the zones of the VPN gateway's address, which must have some where the region has: its sizes are all AZ ones."""
    zoned = regions.zones(names.region(settings["location"]))
    return zones_of_address(settings) or (list(_ALL_ZONES) if zoned else [])


def _check_tags(tags: Mapping[str, Any], mistake: Mistake) -> None:
    if len(tags) > _TAGS:
        mistake("tags", f"{len(tags)} tags", f"are too many; Azure takes 50, of which {50 - _TAGS} are the role's own")
    seen = {names.OWNER_TAG, "configuration"}
    for name, value in ((str(name), str(value)) for name, value in tags.items()):
        if name.lower() in seen:
            mistake(
                "tags", name, "is a tag of the role itself, or named twice; Azure does not tell upper from lower case"
            )
        seen.add(name.lower())
        if not name or _TAG_WRONG.search(name):
            mistake("tags", name, "has a character that the name of a tag must not have, such as < > % & \\ ? /")
        if len(name) > _TAG_NAME or len(value) > _TAG_VALUE:
            mistake("tags", name, f"is too long; a name has {_TAG_NAME} characters at most, its value {_TAG_VALUE}")
        if name.lower().startswith(_TAG_RESERVED):
            mistake("tags", name, f"begins with a word that Azure keeps for itself: {', '.join(_TAG_RESERVED)}")


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
    """Return the generation of a VPN gateway; the two largest ones exist in the second only."""
    return "Generation2" if size in _SECOND_GENERATION else "Generation1"
