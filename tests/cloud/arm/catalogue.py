"""STAND-IN for Azure: sizes and images that exist, a small part of the real lists."""

from __future__ import annotations

from tests.cloud.arm.exchange import Json

SIZES = {
    # name: cores, memory in MB
    "Standard_DS1_v2": (1, 3584),
    "Standard_B2s": (2, 4096),
    "Standard_B2ms": (2, 8192),
    "Standard_D2s_v5": (2, 8192),
    "Standard_D4s_v5": (4, 16384),
    "Standard_F2s_v2": (2, 4096),
}

IMAGES = {
    ("Canonical", "UbuntuServer", "18.04-LTS"): ["18.04.202306070"],
    ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts"): ["22.04.202604220"],
    ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"): ["22.04.202603100", "22.04.202604220"],
    ("Canonical", "ubuntu-24_04-lts", "server"): ["24.04.202604160"],
    ("Canonical", "ubuntu-24_04-lts", "server-arm64"): ["24.04.202604160"],
}

AUTOMATIC_UPGRADE = {
    ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts"),
    ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"),
    ("Canonical", "ubuntu-24_04-lts", "server-arm64"),
}
"""The images that automatic OS upgrade takes, as of May 2026."""

ARM64_SIZES = {"Standard_D2ps_v5": (2, 8192)}
"""Those of another processor, which the images of x64 do not run on."""

REGIONS = """
    australiacentral australiacentral2 australiaeast australiasoutheast austriaeast belgiumcentral brazilsouth brazilsoutheast
    canadacentral canadaeast centralindia centralus chilecentral denmarkeast eastasia eastus eastus2 francecentral francesouth
    germanynorth germanywestcentral indonesiacentral israelcentral italynorth japaneast japanwest jioindiacentral jioindiawest
    koreacentral koreasouth malaysiawest mexicocentral newzealandnorth northcentralus northeurope norwayeast norwaywest
    polandcentral qatarcentral southafricanorth southafricawest southcentralus southeastasia southindia spaincentral swedencentral
    swedensouth switzerlandnorth switzerlandwest uaecentral uaenorth uksouth ukwest westcentralus westeurope westindia westus
    westus2 westus3
"""
"""learn.microsoft.com "Azure regions list", without sovereign clouds."""

ZONES = ("1", "2", "3")
NO_ZONES = ("germanynorth", "northcentralus", "ukwest", "westcentralus", "westus")
"""Some of the regions without any (learn.microsoft.com "Azure regions list"); every other one has three here."""


def sizes() -> list[Json]:
    """Return the sizes as vmSizes lists them."""
    return [
        {
            "name": name,
            "numberOfCores": cores,
            "memoryInMB": memory,
            "osDiskSizeInMB": 1047552,
            "resourceDiskSizeInMB": 0,
            "maxDataDiskCount": 4,
        }
        for name, (cores, memory) in (SIZES | ARM64_SIZES).items()
    ]


def versions(publisher: str, offer: str, sku: str) -> list[str] | None:
    """Return an image's versions, None for an image that does not exist."""
    wanted = (publisher.lower(), offer.lower(), sku.lower())
    return next((found for key, found in IMAGES.items() if tuple(part.lower() for part in key) == wanted), None)
