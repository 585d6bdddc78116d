# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The placeholders in a console profile's requests. Private to this collection.

`${name}`, `${name:argument}`, each with `|type` or `|type=option` at its end; `$${` stands for a literal `${`.
A string that is one placeholder becomes the value itself, with its type; inside a longer string it becomes text.
Types: text, integer, boolean, checkbox=VALUE (VALUE when on, no field when off), choice=ON/OFF, base64.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from .tree import MISSING, UNCHECKED, Nothing, Tree, nodes, text_of

TYPES = ("text", "integer", "boolean", "checkbox", "choice", "base64")
"""Names of the types."""

_PATTERN = re.compile(
    r"\$\$\{|\$\{(?P<name>[a-z][a-z0-9_]*)(?::(?P<argument>[^}|]*))?(?:\|(?P<type>[a-z0-9]+)(?:=(?P<option>[^}]*))?)?\}"
)
_ON = ("true", "on", "yes", "1", "enabled", "enable", "checked")
_OFF = ("false", "off", "no", "0", "disabled", "disable", "unchecked", "", "none", "null")


class TemplateError(ValueError):
    """A placeholder that cannot be read or filled, in one sentence."""


@dataclass(frozen=True)
class Placeholder:
    """One placeholder."""

    name: str
    argument: str | None = None
    type: str | None = None
    option: str = ""


Resolve = Callable[[Placeholder], Tree]
"""Returns the value of a placeholder, or MISSING to leave its field out."""


def truth(value: Tree) -> bool | None:
    """Say whether a console's value means on; None where it means neither."""
    if isinstance(value, Nothing):
        return False if value is UNCHECKED else None
    word = text_of(value).strip().lower()
    return True if word in _ON else False if word in _OFF else None


def literal(text: str) -> str:
    """Return a text in which nothing is taken for a placeholder."""
    return text.replace("${", "$${")


def placeholders(tree: Tree) -> Iterator[Placeholder]:
    """Yield every placeholder in a tree.

    Raises:
        TemplateError: a placeholder is not of the known form.
    """
    for _place, node in nodes(tree):
        if isinstance(node, str):
            yield from (part for part in _parts(node) if isinstance(part, Placeholder))


def render(tree: Tree, resolve: Resolve) -> Tree:
    """Return the tree with its placeholders filled; members without a value are left out.

    Raises:
        TemplateError: a value cannot be what the placeholder wants.
    """
    if isinstance(tree, dict):
        members = {key: render(member, resolve) for key, member in tree.items()}
        return {key: member for key, member in members.items() if not isinstance(member, Nothing)}
    if isinstance(tree, list):
        return [item for item in (render(member, resolve) for member in tree) if not isinstance(item, Nothing)]
    if not isinstance(tree, str) or "${" not in tree:
        return tree
    parts = _parts(tree)
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        return _typed(resolve(parts[0]), parts[0])
    return "".join(part if isinstance(part, str) else text_of(_typed(resolve(part), part)) for part in parts)


def render_path(path: str, resolve: Resolve) -> str:
    """Return a request's path with its placeholders filled, percent-encoded."""
    return "".join(
        part if isinstance(part, str) else quote(text_of(_typed(resolve(part), part)), safe="") for part in _parts(path)
    )


def _parts(text: str) -> list[str | Placeholder]:
    parts: list[str | Placeholder] = []
    position = 0
    for match in _PATTERN.finditer(text):
        parts += [*_plain(text[position : match.start()])]
        position = match.end()
        if match["name"] is None:
            parts.append("${")
            continue
        kind, option = match["type"], match["option"] or ""
        if kind is not None and kind not in TYPES:
            raise TemplateError(f"{match[0]} has the unknown type {kind!r}; use one of {', '.join(TYPES)}")
        if kind == "choice" and option.count("/") != 1:
            raise TemplateError(f"{match[0]} does not say what is sent for on and off; write choice=ON/OFF")
        parts.append(Placeholder(match["name"], match["argument"], kind, option))
    return parts + _plain(text[position:])


def _plain(text: str) -> list[str | Placeholder]:
    if "${" in text:
        raise TemplateError(
            f"{text!r} holds a placeholder that cannot be read; write ${{name}}, or $${{ for a literal one"
        )
    return [text] if text else []


def _typed(value: Tree, placeholder: Placeholder) -> Tree:
    kind, option = placeholder.type, placeholder.option
    if kind in ("boolean", "checkbox", "choice"):
        on = truth(value)
        if on is None:
            if value is MISSING:
                return value
            raise TemplateError(f"{placeholder.name} is neither on nor off, which its type {kind} needs")
        if kind == "checkbox":
            return (option or "on") if on else UNCHECKED
        return on if kind == "boolean" else option.split("/")[0 if on else 1]
    if isinstance(value, Nothing) or value is None or kind is None:
        return value
    if kind == "integer":
        return _integer(value, placeholder)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode() if kind == "base64" else value.decode("utf-8", "replace")
    return base64.b64encode(text_of(value).encode()).decode() if kind == "base64" else text_of(value)


def _integer(value: Tree, placeholder: Placeholder) -> int | None:
    if isinstance(value, (bool, int)):
        return int(value)
    text = text_of(value).strip()
    if not text:
        return None
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise TemplateError(f"{placeholder.name} is not a whole number, which its type integer needs")
    return int(text)
