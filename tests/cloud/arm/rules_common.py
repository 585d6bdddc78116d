"""STAND-IN for Azure: what the service refuses of the name, the tags and the zones of any resource."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.cloud.arm import ids
from tests.cloud.arm.exchange import ArmError, Json
from tests.cloud.arm.store import Store, elements

_PART = re.compile(r"\w(?:[\w.-]{0,78}\w)?", re.ASCII)
_NETWORK_NAMES = (
    "The name can be up to 80 characters long. It must begin with a word character, and it must end with a word character or with "
    "'_'. The name may contain word characters or '.', '-', '_'."
)
_NAMES = {
    # learn.microsoft.com "Naming rules and restrictions for Azure resources". No code is published for these.
    "subscriptions/resourcegroups": r"[-\w.()]{0,89}[-\w()]",
    "microsoft.compute/virtualmachinescalesets": r"[A-Za-z0-9](?:[\w.-]{0,62}\w)?",
    "microsoft.operationalinsights/workspaces": r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    "microsoft.resources/deployments": r"[-\w.()]{1,64}",
}
# Storage accounts have a rule of their own, in rules_other.py.

_TAGS = 50
_TAG_NAME, _TAG_VALUE, _STORAGE_TAG_NAME = 512, 256, 128
_TAG_FORBIDDEN = re.compile(r"[<>%&\\?/\x00-\x1f\x7f]")
_TAG_RESERVED = ("microsoft", "azure", "windows")


def refuse(code: str, message: str, target: str | None = None) -> ArmError:
    """Return a refusal of what was sent."""
    return ArmError(400, code, message, target)


def check_name(target: ids.Id) -> None:
    """Refuse a name that cannot be.

    Raises:
        ArmError: it is too long, or has a character that it must not have.
    """
    if target.kind.startswith("microsoft.network/"):
        _check_part_name(target.name)
    elif target.kind in _NAMES and not re.fullmatch(_NAMES[target.kind], target.name):
        raise refuse("BadRequest", f"Resource name '{target.name}' is invalid for {target.type}.")


def _check_part_name(name: str) -> None:
    # Words of public reports.
    if not _PART.fullmatch(name):
        raise refuse("InvalidResourceName", f"Resource name {name} is invalid. {_NETWORK_NAMES}")


def check_part_names(document: Json) -> None:
    """Refuse names of parts, such as subnets and rules, that cannot be.

    Raises:
        ArmError: one is too long, or has a character that it must not have.
    """
    for kind, value in document["properties"].items():
        for item in elements(document, kind) if isinstance(value, list) else []:
            if isinstance(item.get("properties"), dict) and "name" in item:
                _check_part_name(str(item["name"]))


def check_tags(document: Json) -> None:
    r"""Refuse tags: at most 50, names of 512 characters without <>%&\?/, values of 256.

    learn.microsoft.com "Use tags to organize your Azure resources and management hierarchy", section Limitations; the reserved
    prefixes are in the REST reference, Tags - Create Or Update. No code is published for the number and the prefixes.

    Raises:
        ArmError: one is wrong, or they are too many.
    """
    tags = document.get("tags") or {}
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        text = "The request content was invalid and could not be deserialized: the value of a tag must be a string."
        raise refuse("InvalidRequestContent", text)
    if len(tags) > _TAGS:
        raise refuse("BadRequest", f"The resource has {len(tags)} tags. The maximum number of tags is {_TAGS}.")
    if len({name.lower() for name in tags}) < len(tags):
        raise refuse("BadRequest", "Tag names are case-insensitive, and two of them are the same.")
    wrong = [name for name in tags if _TAG_FORBIDDEN.search(name) or not name]
    if wrong:
        text = f"The tag names '{', '.join(wrong)}' have reserved characters '<,>,%,&,\\,?,/' or control characters."
        raise refuse("InvalidTagNameCharacters", text)
    if any(name.lower().startswith(_TAG_RESERVED) for name in tags):
        raise refuse("BadRequest", f"Tag names must not start with {', '.join(_TAG_RESERVED)}.")
    storage = ids.parse(document["id"]).kind == "microsoft.storage/storageaccounts"
    most = _STORAGE_TAG_NAME if storage else _TAG_NAME
    if any(len(name) > most for name in tags):
        raise refuse("InvalidTagName", f"Tag key too large. Maximum allowed length for tag key - '{most}' characters.")
    if any(len(value) > _TAG_VALUE for value in tags.values()):
        text = f"Tag value too large. Maximum allowed length for tag value - '{_TAG_VALUE}' characters."
        raise refuse("InvalidTagValueLength", text)


def zonal(document: Json) -> Iterator[Json]:
    """Yield what has zones, the resource or its frontends, each with its id."""
    kind = ids.parse(document["id"]).kind
    if kind in _ZONAL:
        yield document
    if kind == "microsoft.network/loadbalancers":
        yield from elements(document, "frontendIPConfigurations")


_ZONAL = (
    "microsoft.network/publicipaddresses",
    "microsoft.network/natgateways",
    "microsoft.compute/virtualmachinescalesets",
)


def check_zones(document: Json, store: Store, before: Json | None) -> None:
    """Refuse zones that the region does not have, and those that would change.

    Words of public reports, such as azure-powershell 14326 (frontend), AzOps 701 (address) and azure-powershell 4704 (scale set).
    Azure can add zones to a scale set since 2024, never take one away; that is refused here since no role of ours asks for it.

    Raises:
        ArmError: they are wrong.
    """
    known = store.zones_of(str(document.get("location")))
    old = {str(item["id"]).lower(): item for item in zonal(before or {"id": "", "properties": {}})}
    for item in zonal(document):
        zones = set(item.get("zones") or [])
        target = ids.parse(item["id"])
        if zones and not known:
            text = f"The resource '{target.shown}' does not support availability zones at location '{document['location']}'."
            raise refuse("LocationNotSupportAvailabilityZones", text)
        if zones - set(known):
            text = (
                f"The zone(s) '{','.join(sorted(zones - set(known)))}' for resource '{target.shown}' is not supported. The "
                f"supported zones for location '{document['location']}' are '{','.join(known)}'"
            )
            raise refuse("AvailabilityZoneNotSupported", text)
        _check_number_of_zones(item, zones, set(known))
        before_zones = old.get(str(item["id"]).lower())
        if before_zones is not None and set(before_zones.get("zones") or []) != zones:
            raise _changed(target, before_zones.get("zones") or [], item.get("zones") or [])


def _check_number_of_zones(item: Json, zones: set[str], known: set[str]) -> None:
    """A NAT gateway is in one zone or in none (learn.microsoft.com "NAT gateway and availability zones"); a frontend in one or in all
    (hashicorp/terraform-provider-azurerm 12208 has the words).
    """
    target = ids.parse(item["id"])
    single = target.kind == "microsoft.network/natgateways" and item.get("sku", {}).get("name") != "StandardV2"
    frontend = target.types[-1].lower() == "frontendipconfigurations"
    if frontend and zones and (item.get("properties") or {}).get("publicIPAddress"):
        text = f"Load balancer frontendIPConfiguration {target.path} cannot have zones when referencing a public IP address."
        raise refuse("LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress", text)
    if len(zones) > 1 and (single or (frontend and zones != known)):
        text = f"Resource {target.path} has {len(zones)} zones specified. Only one zone can be specified for this resource."
        raise refuse("ResourceCannotHaveMultipleZonesSpecified", text)


def _changed(target: ids.Id, old: list[str], new: list[str]) -> ArmError:
    if target.kind.startswith("microsoft.compute/"):
        return ArmError(409, "PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.", "zones")
    return refuse(
        "ResourceAvailabilityZonesCannotBeModified",
        f"Resource {target.path} has an existing availability zone constraint {', '.join(sorted(old)) or 'NoZone'} and the request "
        f"has availability zone constraint {', '.join(sorted(new)) or 'NoZone'}, which do not match. Zones cannot be "
        "added/updated/removed once the resource is created. The resource cannot be updated from regional to zonal or vice-versa.",
    )
