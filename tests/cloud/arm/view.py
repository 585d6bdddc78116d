"""STAND-IN for Azure: what the service shows of a resource: no secrets, and who refers to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tests.cloud.arm import ids
from tests.cloud.arm.exchange import Json
from tests.cloud.arm.store import Store, element, elements

_WRITE_ONLY = {"customData", "adminPassword", "sharedKey", "authorizationKey", "protectedSettings"}
_HOLDERS = {
    # What a part or a resource shows, by the last part of its type: member, and the kind of resource that refers to it.
    "subnets": ("ipConfigurations", "ipconfigurations"),
    "networksecuritygroups": ("subnets", "subnets"),
    "natgateways": ("subnets", "subnets"),
    "frontendipconfigurations": ("loadBalancingRules", "loadbalancingrules"),
    "backendaddresspools": ("loadBalancingRules", "loadbalancingrules"),
    "probes": ("loadBalancingRules", "loadbalancingrules"),
}


def show(path: str, store: Store) -> Json | None:
    """Return a resource, or a part of one, as the service returns it; None when there is none."""
    document = store.documents.get(path.lower())
    if document is None:
        head, kind, name = path.rsplit("/", 2) if path.count("/") > 2 else ("", "", "")
        parent = show(head, store) if head.count("/") > 2 else None
        return None if parent is None else element(parent, kind, name)
    shown: Json = _without_secrets(copy.deepcopy(document))
    kind = ids.parse(shown["id"]).types[-1].lower()
    _show_holders(shown, kind, store)
    if kind == "publicipaddresses":
        _show_holder_of_address(shown, store)
    for name in list(shown.get("properties", {})):
        for item in elements(shown, name):
            if _is_part(item, shown):
                _show_holders(item, name.lower(), store)
    return shown


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(inner) for name, inner in value.items() if name not in _WRITE_ONLY}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


def holders(path: str, store: Store) -> Iterator[str]:
    """Yield the ids of the parts, or else of the resources, that refer to this very id."""
    key = path.lower()
    for document in store.referring():
        whole = key in (name.lower() for name in ids.references(document.get("properties", {})))
        parts = [
            str(item["id"])
            for name in document.get("properties", {})
            for item in elements(document, name)
            if _is_part(item, document)
            and key in (inner.lower() for inner in ids.references(item.get("properties", {})))
        ]
        if parts:
            yield from parts
        elif whole and document["id"].lower() != key:
            yield from _instances(document) or [str(document["id"])]


def _is_part(item: Json, document: Json) -> bool:
    """Tell a part of a document from a mere reference to something else."""
    return "properties" in item and str(item.get("id", "")).startswith(document["id"] + "/")


def _instances(document: Json) -> list[str]:
    if not document["type"].lower().endswith("virtualmachinescalesets"):
        return []
    return [
        f"{document['id']}/virtualMachines/{number}/networkInterfaces/nic/ipConfigurations/ip"
        for number in range(document["sku"].get("capacity", 0))
    ]


def _show_holders(shown: Json, kind: str, store: Store) -> None:
    if kind not in _HOLDERS:
        return
    member, wanted = _HOLDERS[kind]
    found = [holder for holder in holders(shown["id"], store) if f"/{wanted}/" in _part(holder)]
    if found:
        shown["properties"][member] = [{"id": holder} for holder in found]


def _part(path: str) -> str:
    """Return an id for the test of its kind: a load balancer's frontend is an ip configuration too."""
    return path.lower().replace("/frontendipconfigurations/", "/ipconfigurations/")


def _show_holder_of_address(shown: Json, store: Store) -> None:
    for holder in holders(shown["id"], store):
        member = "natGateway" if "/natgateways/" in holder.lower() else "ipConfiguration"
        shown["properties"][member] = {"id": holder}
