"""STAND-IN for Azure: the resources of one subscription, by id.

A subnet, a security rule or a load balancer's probe is an element of its parent's document, and has an id all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.cloud.arm import catalogue, ids
from tests.cloud.arm.exchange import Json


class Store:
    """Documents as the service keeps them, secrets included."""

    def __init__(self) -> None:
        self.documents: dict[str, Json] = {}
        self.zones: dict[str, list[str]] = {}
        """Of regions that a test orders to be otherwise."""

    def zones_of(self, location: str) -> tuple[str, ...]:
        """Return the availability zones of a region."""
        otherwise = () if location in catalogue.NO_ZONES else catalogue.ZONES
        return tuple(self.zones.get(location, otherwise))

    def __iter__(self) -> Iterator[Json]:
        return iter(self.documents.values())

    def keep(self, document: Json) -> None:
        """Create or replace."""
        self.documents[str(document["id"]).lower()] = document

    def find(self, path: str) -> Json | None:
        """Return a document, or an element of one."""
        key = path.rstrip("/").lower()
        if key in self.documents:
            return self.documents[key]
        if key.count("/") < 3:
            return None
        head, kind, name = key.rsplit("/", 2)
        parent = self.find(head)
        return None if parent is None else element(parent, kind, name)

    def drop(self, path: str) -> None:
        """Delete a resource and its parts. Diagnostic settings stay behind, as they do in Azure."""
        key = path.lower()
        for other in list(self.documents):
            if other == key or (other.startswith(key + "/") and not other.startswith(key + "/providers/")):
                del self.documents[other]

    def drop_group(self, path: str) -> None:
        """Delete a resource group and all that is in it."""
        for other in [key for key in self.documents if key == path.lower() or key.startswith(path.lower() + "/")]:
            del self.documents[other]

    def of_kind(self, kind: str) -> list[Json]:
        """Return all documents of a type."""
        return [document for document in self if ids.parse(document["id"]).kind == kind.lower()]

    def referring(self) -> list[Json]:
        """Return what can use something else: all but deployments, whose templates only speak of it."""
        return [document for document in self if not ids.parse(document["id"]).kind.startswith("microsoft.resources/")]

    def users(self, path: str) -> list[str]:
        """Return the ids of what refers to a resource or to a part of it, other than its own parts and its owner."""
        key = path.lower()

        def touches(document: Json) -> bool:
            named = [reference.lower() for reference in ids.references(document.get("properties", {}))]
            return any(name == key or name.startswith(key + "/") for name in named)

        return [
            str(document["id"])
            for document in self.referring()
            if not (document["id"].lower() + "/").startswith(key + "/")
            and not key.startswith(document["id"].lower() + "/")
            and touches(document)
        ]


def elements(document: Json, kind: str) -> list[Json]:
    """Return the elements of a document by their kind, whatever its case."""
    properties = document.get("properties", {})
    found = next((value for name, value in properties.items() if name.lower() == kind.lower()), None)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def element(document: Json, kind: str, name: str) -> Json | None:
    """Return one element."""
    return next((item for item in elements(document, kind) if str(item.get("name", "")).lower() == name.lower()), None)
