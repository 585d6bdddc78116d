"""What the clouds publish of their requests, cut to what the roles use; __main__.py cuts it, and the stand-ins check against it.

A type is a word for a scalar, ``#Name`` for a definition, ``[type]`` for a list, or an object: ``{"properties": {}, "required": []}``,
``{"of": type}`` for a map, ``{"enum": []}``, ``{"pattern": ""}``, ``{"between": [0, 9]}``; ``{}`` is anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_SCALARS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
}


@cache
def load(name: str) -> Json:
    """Return the cut description of a cloud's requests."""
    found: Json = json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Violation:
    """One value that is not as described."""

    path: str
    """Such as properties.subnets[0].name."""
    kind: str
    """unknown, missing, type or enum"""
    value: Any
    wanted: str
    """What it should be: a type, or its words."""
    owner: str
    """The name of the type that has it."""


def violations(
    value: Any, node: Any, definitions: Json, *, shown: Any = None, whole: bool = True
) -> Iterator[Violation]:
    """Yield what is wrong with a value.

    Args:
        value: what was sent.
        node: its type.
        definitions: all types by name.
        shown: what the service answers for it. Clients may send back what they have read, though nothing describes it.
        whole: whether members that must be there must be there.
    """
    yield from _Check(definitions, whole).check(value, node, shown, "", "")


@dataclass(frozen=True)
class _Check:
    definitions: Json
    whole: bool

    def check(self, value: Any, node: Any, shown: Any, path: str, owner: str) -> Iterator[Violation]:
        """Yield what is wrong from here on."""
        if value is None or node == {}:
            return
        if isinstance(node, str) and node.startswith("#"):
            yield from self.check(value, self.definitions[node[1:]], shown, path, node[1:])
        elif isinstance(node, str):
            if not isinstance(value, _SCALARS[node]) or (node in ("integer", "number") and isinstance(value, bool)):
                yield Violation(path, "type", value, node, owner)
        elif isinstance(node, list):
            yield from self._list(value, node[0], shown, path, owner)
        elif "enum" in node:
            # Any case is taken, as of all such words.
            if not isinstance(value, str) or value.lower() not in (word.lower() for word in node["enum"]):
                yield Violation(path, "enum", value, ",".join(node["enum"]), owner)
        elif "pattern" in node:
            if not isinstance(value, str) or not re.fullmatch(node["pattern"], value):
                yield Violation(path, "enum", value, node["pattern"], owner)
        elif "between" in node:
            first, last = node["between"]
            if not isinstance(value, int) or isinstance(value, bool) or not first <= value <= last:
                yield Violation(path, "enum", value, f"{first}-{last}", owner)
        elif not isinstance(value, dict):
            yield Violation(path, "type", value, "object", owner)
        elif "of" in node:
            for name, inner in value.items():
                yield from self.check(inner, node["of"], None, _join(path, name), owner)
        else:
            yield from self._object(value, node, shown, path, owner)

    def _list(self, value: Any, node: Any, shown: Any, path: str, owner: str) -> Iterator[Violation]:
        if not isinstance(value, list):
            yield Violation(path, "type", value, "array", owner)
            return
        for number, item in enumerate(value):
            yield from self.check(item, node, _same(item, shown, number), f"{path}[{number}]", owner)

    def _object(self, value: Json, node: Json, shown: Any, path: str, owner: str) -> Iterator[Violation]:
        known = shown if isinstance(shown, dict) else {}
        for name, inner in value.items():
            if name in node["properties"]:
                yield from self.check(inner, node["properties"][name], known.get(name), _join(path, name), owner)
            elif inner is not None and (name not in known or known[name] != inner):
                yield Violation(_join(path, name), "unknown", inner, "", owner)
        # What is only referred to need not be described.
        for name in node.get("required", []) if self.whole and "id" not in value else []:
            if value.get(name) is None:
                yield Violation(_join(path, name), "missing", None, str(node["properties"].get(name)), owner)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _same(item: Any, shown: Any, number: int) -> Any:
    """Return what the service answers for an item of a list: the one of its name, or at its place."""
    if not isinstance(shown, list):
        return None
    name = item.get("name") if isinstance(item, dict) else None
    by_name = (other for other in shown if isinstance(other, dict) and other.get("name") == name)
    return next(by_name, None) if name else next(iter(shown[number : number + 1]), None)
