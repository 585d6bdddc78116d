"""STAND-IN for Azure: what Microsoft.Compute refuses in a scale set."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from tests.cloud.arm import catalogue
from tests.cloud.arm.exchange import ArmError, Json
from tests.cloud.arm.rules_common import refuse
from tests.cloud.arm.rules_network import linked
from tests.cloud.arm.store import Store, elements

_CUSTOM_DATA_BYTES = 65535
_ED25519_BYTES = 32
_RSA_BITS = 2048
_FIXED = {
    "osProfile.adminUsername": "virtualMachineProfile.osProfile.adminUsername",
    "osProfile.computerNamePrefix": "virtualMachineProfile.osProfile.computerNamePrefix",
    "imageReference.publisher": "virtualMachineProfile.storageProfile.imageReference.publisher",
    "imageReference.offer": "virtualMachineProfile.storageProfile.imageReference.offer",
    "osDisk.managedDisk.storageAccountType": "virtualMachineProfile.storageProfile.osDisk.managedDisk.storageAccountType",
    "orchestrationMode": "orchestrationMode",
    "platformFaultDomainCount": "platformFaultDomainCount",
}
"""What is set at creation and never again, by its name in the refusal: learn.microsoft.com "Modify a Virtual Machine Scale Set", sections
Create-time properties and Properties with restrictions on modification; MicrosoftDocs/azure-docs 108952 for the fault domains.
"""


def _check_scale_set(document: Json, store: Store, before: Json | None) -> None:
    profile = document["properties"]["virtualMachineProfile"]
    _check_size(document)
    _check_security(profile)
    _check_account(profile["osProfile"])
    _check_fixed(document["properties"], (before or {}).get("properties"))
    _check_image(profile)
    _check_probe(document, profile, store)
    _check_automatic_upgrade(document, profile)


def _check_size(document: Json) -> None:
    size = str(document["sku"].get("name"))
    if size in catalogue.ARM64_SIZES:
        if not _image(document["properties"]["virtualMachineProfile"])[2].endswith("arm64"):
            raise refuse(
                "BadRequest",
                f"Cannot create a VM of size '{size}' because this VM size only supports a CPU Architecture of 'Arm64', but an image "
                "or disk with CPU Architecture 'x64' was given. Please check that the CPU Architecture of the image or disk is "
                "compatible with that of the VM size.",
            )
    elif size not in catalogue.SIZES:
        raise refuse(
            "InvalidParameter",
            f"The value {size} provided for the VM size is not valid. The valid sizes in the current region are: "
            f"{','.join(catalogue.SIZES)}.",
            "vmSize",
        )


def _check_security(profile: Json) -> None:
    """The word for what a scale set is anyway; taken where Microsoft.Compute/UseStandardSecurityType is registered."""
    if (profile.get("securityProfile") or {}).get("securityType") == "Standard":
        text = "The value of parameter securityProfile.securityType is invalid."
        raise refuse("InvalidParameter", text, "securityProfile.securityType")


def _check_account(account: Json) -> None:
    data = account.get("customData")
    if data is not None:
        try:
            size = len(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            size = _CUSTOM_DATA_BYTES + 1
        if size > _CUSTOM_DATA_BYTES:
            text = "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters."
            raise refuse("InvalidParameter", text, "customData")
    for key in (account.get("linuxConfiguration") or {}).get("ssh", {}).get("publicKeys", []):
        if not _is_key(str(key.get("keyData", ""))):
            text = "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid."
            raise refuse("InvalidParameter", text, "linuxConfiguration.ssh.publicKeys.keyData")


def _is_key(text: str) -> bool:
    """Take ED25519, and RSA of 2048 bits and more (learn.microsoft.com "Create and manage SSH keys for authentication to a Linux VM")."""
    name, _space, rest = text.partition(" ")
    try:
        parts = _parts(base64.b64decode(rest.partition(" ")[0], validate=True))
    except (binascii.Error, ValueError):
        return False
    if not parts or parts[0] != name.encode():
        return False
    if name == "ssh-ed25519":
        return len(parts) == 2 and len(parts[1]) == _ED25519_BYTES
    return name == "ssh-rsa" and len(parts) == 3 and int.from_bytes(parts[2], "big").bit_length() >= _RSA_BITS


def _parts(raw: bytes) -> list[bytes]:
    """Return the parts of a key, each with its length before it (RFC 4253)."""
    parts = []
    while raw:
        end = 4 + int.from_bytes(raw[:4], "big")
        if len(raw) < max(end, 4):
            raise ValueError("cut short")
        parts.append(raw[4:end])
        raw = raw[end:]
    return parts


def _at(owner: Json, path: str) -> object:
    found: object = owner
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _check_fixed(properties: Json, old: Json | None) -> None:
    if old is None:
        return
    changed = [name for name, path in _FIXED.items() if _at(old, path) != _at(properties, path)]
    # Many placement groups never become one again.
    if properties["singlePlacementGroup"] and old.get("singlePlacementGroup") is False:
        changed.append("singlePlacementGroup")
    if changed:
        text = f"Changing property '{changed[0]}' is not allowed."
        raise ArmError(409, "PropertyChangeNotAllowed", text, changed[0])


def _image(profile: Json) -> tuple[str, str, str, str]:
    found = profile["storageProfile"].get("imageReference") or {}
    return tuple(str(found.get(name, "")) for name in ("publisher", "offer", "sku", "version"))  # type: ignore[return-value]


def _check_image(profile: Json) -> None:
    publisher, offer, sku, version = _image(profile)
    known = catalogue.versions(publisher, offer, sku)
    if known is None or version not in ("latest", *known):
        raise ArmError(
            404,
            "PlatformImageNotFound",
            f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that all fields in the "
            "storage profile are correct. For more details about storage profile information, please refer to "
            "https://aka.ms/storageprofile",
            "imageReference",
        )


def _probe(profile: Json) -> str:
    return linked(profile.get("networkProfile", {}), "healthProbe")


def _check_probe(document: Json, profile: Json, store: Store) -> None:
    probe = _probe(profile)
    if not probe:
        return
    pools = {
        str(pool.get("id", "")).lower()
        for card in profile["networkProfile"].get("networkInterfaceConfigurations", [])
        for address in card["properties"].get("ipConfigurations", [])
        for pool in address["properties"].get("loadBalancerBackendAddressPools") or []
    }
    balancer = store.find("/".join(probe.split("/")[:9])) or {}
    for rule in elements(balancer, "loadBalancingRules"):
        uses_probe = linked(rule["properties"], "probe").lower() == probe.lower()
        if uses_probe and linked(rule["properties"], "backendAddressPool").lower() in pools:
            return
    raise refuse(
        "CannotUseHealthProbeWithoutLoadBalancingRule",
        f"VM scale set {document['id']} cannot use probe {probe} as a HealthProbe because load balancing rules that send "
        "traffic to this scaleset IPs do not use this probe. Please make sure that a load balancing rule uses it.",
    )


def _check_automatic_upgrade(document: Json, profile: Json) -> None:
    policy = document["properties"].get("upgradePolicy") or {}
    if not (policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade"):
        return
    if policy.get("mode") not in ("Automatic", "Rolling"):
        # That it does not go with Manual is in hashicorp/terraform-provider-azurerm's checks of upgrade_mode; its words are not published.
        text = f"Automatic OS Upgrade is not supported for this Virtual Machine Scale Set because upgrade mode is {policy.get('mode')}."
        raise refuse("BadRequest", text)
    extensions = (profile.get("extensionProfile") or {}).get("extensions") or []
    healthy = any("ApplicationHealth" in str(item.get("properties", {}).get("type")) for item in extensions)
    if not _probe(profile) and not healthy:
        raise refuse(
            "BadRequest",
            "Automatic OS Upgrade is not supported for this Virtual Machine Scale Set because a health probe or health "
            "extension was not specified.",
        )
    if _probe(profile) and healthy:
        raise refuse(
            "BadRequest",
            "Automatic OS Upgrade is not supported for this Virtual Machine Scale Set because both a health probe and a "
            "health extension were provided. Remove the health probe or health extension prior to enabling automatic OS "
            "upgrade.",
        )
    *image, version = _image(profile)
    if version != "latest":
        raise refuse(
            "BadRequest",
            "virtualMachineScaleSets with Automatic OS Upgrade enabled must use Platform or Gallery Image with version set "
            "to 'latest'.",
        )
    if tuple(image) not in catalogue.AUTOMATIC_UPGRADE:
        # That it refuses is documented, its words are not.
        text = f"Automatic OS Upgrade is not supported for the platform image {':'.join(image)}."
        raise refuse("BadRequest", text)


CHECKS: dict[str, Callable[[Json, Store, Json | None], None]] = {
    "microsoft.compute/virtualmachinescalesets": _check_scale_set,
}
