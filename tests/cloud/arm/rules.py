"""STAND-IN for Azure: what the service refuses for any resource. rules_*.py have what is special to one provider.

Codes and messages are those of the real service as far as they were found in its documentation and in public reports. The
more common ones are written from memory, and where nobody published one it is a plain BadRequest, and a comment says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.cloud.arm import catalogue, ids, rules_common, rules_compute, rules_network, rules_other
from tests.cloud.arm.exchange import ArmError, Json, Request, version
from tests.cloud.arm.store import Store

Check = Callable[[Json, Store, Json | None], None]

_CHECKS: dict[str, Check] = rules_network.CHECKS | rules_compute.CHECKS | rules_other.CHECKS

_NO_LOCATION = ("microsoft.authorization/", "microsoft.insights/", "microsoft.resources/", "resourcegroups")


def check_request(request: Request, subscription: str, token: str) -> None:
    """Refuse what ARM refuses before it looks at the resource.

    Raises:
        ArmError: no token, no api-version, another subscription.
    """
    if request.headers.get("authorization") != f"Bearer {token}":
        text = "Authentication failed. The 'Authorization' header is missing or invalid."
        raise ArmError(401, "AuthenticationFailed", text)
    asked = version(request)
    if asked is None:
        text = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", text)
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-[a-z]+)?", asked):
        raise ArmError(400, "InvalidApiVersionParameter", f"The api-version '{asked}' is invalid.")
    named = ids.parse(request.path).subscription
    if named is not None and named.lower() != subscription.lower():
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{named}' could not be found.")


def check_place(target: ids.Id, store: Store) -> None:
    """Refuse a resource whose surroundings are missing.

    Raises:
        ArmError: no such resource group or parent.
    """
    check_group(target, store)
    if target.parent is not None and store.find(target.parent) is None:
        parent = ids.parse(target.parent)
        text = f"Can not perform requested operation on nested resource. Parent resource '{'/'.join(parent.names)}' not found."
        raise ArmError(404, "ParentResourceNotFound", text)
    if ids.parse(target.scope).namespace and store.find(target.scope) is None:
        raise not_found(ids.parse(target.scope))


def check_group(target: ids.Id, store: Store) -> None:
    """Refuse a resource whose group is missing.

    Raises:
        ArmError: no such resource group.
    """
    if target.group is None or not target.namespace:
        return
    if store.find(f"/subscriptions/{target.subscription}/resourceGroups/{target.group}") is None:
        raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{target.group}' could not be found.")


def not_found(target: ids.Id) -> ArmError:
    """Return the error for a resource that is not there."""
    if target.kind == "subscriptions/resourcegroups":
        return ArmError(404, "ResourceGroupNotFound", f"Resource group '{target.name}' could not be found.")
    if target.parent is not None:
        return ArmError(404, "NotFound", f"Resource {target.path} not found.")
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{target.shown}' under resource group '{target.group}' was not found. For more details please "
        "go to https://aka.ms/ARMResourceNotFoundFix",
    )


def check_location(document: Json, before: Json | None) -> None:
    """Refuse a resource that is nowhere, or that would move.

    Raises:
        ArmError: the location is missing or another one than before.
    """
    target = ids.parse(document["id"])
    location = document.get("location")
    if target.kind.startswith(_NO_LOCATION) or (target.parent is not None and "flowlogs" not in target.kind):
        return
    if not location:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    if location not in catalogue.REGIONS.split():
        # Words of public reports.
        what = "Group" if target.kind == "subscriptions/resourcegroups" else "Type"
        text = f"The provided location '{location}' is not available for resource {what.lower()} '{target.type}'."
        raise ArmError(400, f"LocationNotAvailableForResource{what}", text)
    if before is not None and before.get("location") != location:
        if target.kind == "subscriptions/resourcegroups":
            text = (
                f"Invalid resource group location '{location}'. The Resource group already exists in location "
                f"'{before.get('location')}'."
            )
            raise ArmError(409, "InvalidResourceGroupLocation", text)
        text = (
            f"The resource '{target.name}' already exists in location '{before.get('location')}' in resource group "
            f"'{target.group}'. A resource with the same name cannot be created in location '{location}'. Please select a "
            "new resource name."
        )
        raise ArmError(409, "InvalidResourceLocation", text)


def check_document(document: Json, store: Store, before: Json | None) -> None:
    """Refuse what the resource's own provider refuses.

    Raises:
        ArmError: something is wrong with it.
    """
    check_location(document, before)
    rules_common.check_name(ids.parse(document["id"]))
    rules_common.check_tags(document)
    rules_common.check_zones(document, store, before)
    kind = ids.parse(document["id"]).kind
    if kind.startswith(("microsoft.network/", "microsoft.compute/")):
        rules_network.check_references(document, store)
    if kind.startswith("microsoft.network/"):
        rules_common.check_part_names(document)
    check = _CHECKS.get(kind)
    if check:
        check(document, store, before)


def is_within(path: str, lock: str) -> bool:
    """Say whether a path is what a lock is on, or is in that."""
    return f"{path}/".lower().startswith(f"{ids.parse(lock).scope}/".lower())


def check_locks(target: ids.Id, store: Store, what: str) -> None:
    """Refuse what a lock forbids: to delete what it is on, or what holds that; to write where it says ReadOnly.

    learn.microsoft.com "Lock your resources to protect your infrastructure".

    Raises:
        ArmError: there is one.
    """
    for lock in store.of_kind("Microsoft.Authorization/locks"):
        scope, level = ids.parse(lock["id"]).scope, lock["properties"]["level"]
        holds = is_within(target.path, lock["id"]) or (
            what == "delete" and f"{scope}/".lower().startswith(f"{target.path}/".lower())
        )
        if holds and target.kind != "microsoft.authorization/locks" and (what == "delete" or level == "ReadOnly"):
            text = f"The scope '{target.path}' cannot perform {what} operation because following scope(s) are locked: '{scope}'. "
            raise ArmError(409, "ScopeLocked", f"{text}Please remove the lock and try again.")


def check_deletion(path: str, store: Store) -> None:
    """Refuse to delete what is in use.

    Raises:
        ArmError: something refers to it.
    """
    rules_network.check_deletion(path, store)
