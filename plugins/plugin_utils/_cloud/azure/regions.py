# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's regions, and which of them have availability zones. Private to this collection."""

from __future__ import annotations

from difflib import get_close_matches

# Azure's own list of locations (Subscriptions - List Locations), as github.com/Azure/terraform-azurerm-avm-utl-regions had it in
# March 2026.
_ZONED = """
    australiaeast austriaeast belgiumcentral brazilsouth canadacentral centralindia centralus chilecentral denmarkeast eastasia eastus
    eastus2 francecentral germanywestcentral indonesiacentral israelcentral italynorth japaneast japanwest koreacentral malaysiawest
    mexicocentral newzealandnorth northeurope norwayeast polandcentral qatarcentral southafricanorth southcentralus southeastasia
    spaincentral swedencentral switzerlandnorth uaenorth uksouth westeurope westus2 westus3
"""
_WHOLE = """
    australiacentral australiacentral2 australiasoutheast brazilsoutheast canadaeast francesouth germanynorth jioindiacentral
    jioindiawest koreasouth northcentralus norwaywest southafricawest southindia switzerlandwest uaecentral ukwest westcentralus
    westindia westus
"""
_SOVEREIGN = ("usgov", "usdod", "ussec", "usnat", "china")
"""What the names of regions in other clouds than the public one begin with; that list has none of them."""


def zones(region: str) -> bool | None:
    """Return whether a region has availability zones, None where that is not known."""
    return True if region in _ZONED.split() else False if region in _WHOLE.split() else None


def problem(region: str) -> str:
    """Return what is wrong with the name of a region, nothing if it is known."""
    if zones(region) is not None or region.startswith(_SOVEREIGN):
        return ""
    near = get_close_matches(region, f"{_ZONED} {_WHOLE}".split(), n=1)
    perhaps = f"; perhaps {near[0]} is meant" if near else ""
    return f"is none of the regions that Azure had in March 2026{perhaps} (a newer one needs azure_proxy_location_is_new: true)"
