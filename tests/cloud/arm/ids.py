"""STAND-IN for Azure: what a resource id says. Their case is preserved and means nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_NAMED = ("workspaceId", "storageId", "storageAccountId", "targetResourceId", "workspaceResourceId")
"""Members that hold an id without being called so."""


@dataclass(frozen=True)
class Id:
    """What a path names: a resource, or a collection when the last name is missing."""

    path: str
    subscription: str | None
    group: str | None
    scope: str
    """What an extension resource, such as a diagnostic setting, is attached to."""
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """The id for comparisons."""
        return self.path.lower()

    @property
    def type(self) -> str:
        """Namespace and types, as ARM shows them."""
        return "/".join(filter(None, (self.namespace, *self.types)))

    @property
    def kind(self) -> str:
        """The type for comparisons."""
        return self.type.lower()

    @property
    def name(self) -> str:
        """The last name."""
        return self.names[-1] if self.names else ""

    @property
    def is_collection(self) -> bool:
        """Whether a name is missing at the end."""
        return len(self.types) > len(self.names)

    @property
    def parent(self) -> str | None:
        """The id of the resource that this one is part of."""
        return self.path.rsplit("/", 2)[0] if len(self.names) > 1 and self.namespace else None

    @property
    def shown(self) -> str:
        """Type and names, as ARM's messages have them."""
        return "/".join((self.type, *self.names))


def parse(path: str) -> Id:
    """Read a path."""
    path = "/" + path.strip("/")
    parts = path.strip("/").split("/")
    low = [part.lower() for part in parts]
    subscription = parts[1] if low[0] == "subscriptions" and len(parts) > 1 else None
    group = parts[3] if len(parts) > 3 and low[2] == "resourcegroups" else None
    at = len(low) - 1 - low[::-1].index("providers") if "providers" in low else None
    if at is None or at + 1 >= len(parts):
        return Id(path, subscription, group, "", "", tuple(parts[0::2]), tuple(parts[1::2]))
    rest = parts[at + 2 :]
    scope = "/" + "/".join(parts[:at])
    return Id(path, subscription, group, scope, parts[at + 1], tuple(rest[0::2]), tuple(rest[1::2]))


def references(value: Any) -> Iterator[str]:
    """Yield every id that a document's properties mention."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str):
                if (name == "id" or name in _NAMED) and inner.lower().startswith("/subscriptions/"):
                    yield inner.rstrip("/")
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
