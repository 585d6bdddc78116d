# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks into the answers and requests of a web console: JSON trees and HTML forms. Private to this collection.

A tree is what JSON can hold. The fields of an HTML form are a flat tree: name to text, or to a list where a name repeats.
A place in a tree is a JSON pointer (RFC 6901), or the bare name of a field at the top. Beyond RFC 6901, "~2" stands for "|"
and "~3" for "}", which end a placeholder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum
from html import unescape
from typing import Any

Tree = Any
"""What JSON can hold, or one of Nothing."""

DEPTH = 40
"""Levels of a tree that are looked at; a deeper one is not taken for settings."""

_ESCAPES = (("~", "~0"), ("/", "~1"), ("|", "~2"), ("}", "~3"))


class Nothing(Enum):
    """Why there is no value at a place."""

    MISSING = "missing"
    """There is no such place."""
    UNCHECKED = "unchecked"
    """There is such a form field, and a browser would not send it."""


MISSING = Nothing.MISSING
UNCHECKED = Nothing.UNCHECKED


def pointer(keys: Sequence[str]) -> str:
    """Return the place that these keys lead to."""
    text = ""
    for key in keys:
        for plain, escape in _ESCAPES:
            key = key.replace(plain, escape)  # noqa: PLW2901
        text += "/" + key
    return text


def keys_of(place: str) -> list[str]:
    """Return the keys that lead to a place; a place without a leading slash is one key."""
    if not place:
        return []
    if not place.startswith("/"):
        return [place]
    keys = []
    for key in place[1:].split("/"):
        for plain, escape in reversed(_ESCAPES):
            key = key.replace(escape, plain)  # noqa: PLW2901
        keys.append(key)
    return keys


def find(tree: Tree, place: str) -> Tree:
    """Return what is at a place, or MISSING."""
    for key in keys_of(place):
        if isinstance(tree, dict):
            tree = tree.get(key, MISSING)
        elif isinstance(tree, list) and key.isascii() and key.isdigit() and len(key) < 6 and int(key) < len(tree):
            tree = tree[int(key)]
        else:
            return MISSING
    return tree


def nodes(tree: Tree) -> list[tuple[str, Tree]]:
    """Return every place of a tree with what is there, a container before its members."""
    found: list[tuple[str, Tree]] = []

    def walk(node: Tree, keys: list[str]) -> None:
        found.append((pointer(keys), node))
        if isinstance(node, dict):
            for key, member in node.items():
                walk(member, [*keys, str(key)])
        elif isinstance(node, list):
            for index, member in enumerate(node):
                walk(member, [*keys, str(index)])

    walk(tree, [])
    return found


def leaves(tree: Tree) -> list[tuple[str, Tree]]:
    """Return the places of a tree that hold no others, with their values."""
    return [(place, node) for place, node in nodes(tree) if not isinstance(node, (dict, list)) or not node]


_SPEAKING = re.compile(r"message|error|detail|reason|description|title|msg", re.IGNORECASE)


def said(tree: Tree, speaking: bool = False) -> Iterator[tuple[bool, Tree]]:
    """Yield the values of a tree, each with whether a key on the way to it is one for words to a person.

    Not by their places: the keys of a hostile answer may be long, and each place repeats those above it.
    """
    if isinstance(tree, dict):
        for key, member in tree.items():
            yield from said(member, speaking or _SPEAKING.search(key) is not None)
    elif isinstance(tree, list):
        for member in tree:
            yield from said(member, speaking)
    else:
        yield speaking, tree


def text_of(value: Tree) -> str:
    """Return a value as a form would send it."""
    if value is None or isinstance(value, Nothing):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def json_tree(text: str) -> Tree:
    """Return the tree of a JSON text, or MISSING where it is none, or one too deep to be settings."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return MISSING
    return MISSING if too_deep(tree) else tree


def too_deep(tree: Tree) -> bool:
    """Say whether a tree has more than DEPTH levels."""
    level = [tree]
    for _depth in range(DEPTH):
        level = [
            member
            for node in level
            if isinstance(node, (dict, list))
            for member in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True


_MARKUP = re.compile(r"<(?=[a-z/!?])", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-z][^\s/>]*)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"[\s/]*(=?[^\s/>=]*)\s*(=\s*)?")
_BARE = re.compile(r"[^\s>]*")
_COMMENT_ENDS = re.compile("--!?>")
_KEPT = frozenset({"name", "value", "type", "role", "content", "placeholder", "checked", "selected", "multiple"})
"""The attributes that say something here."""


class Page:
    """What an HTML page or fragment holds: its fields as a browser would send them, and its visible text.

    html.parser looks at the rest of the page again for each tag that does not end. Here whatever does not end is the last thing of
    the page, as in a browser, so that a page of any content costs what it is long.
    """

    _HIDDEN = ("template", "noscript")
    _RAW = ("script", "style", "textarea")
    _UNSENT = ("submit", "button", "reset", "image", "file")

    def __init__(self, text: str) -> None:
        self.fields: dict[str, Tree] = {}
        self.meta: dict[str, str] = {}
        self.passwords: dict[str, str] = {}
        """Name of each password field, with its value, else its placeholder."""
        self.hidden: set[str] = set()
        """Names of the hidden fields."""
        self.checkboxes: set[str] = set()
        """Names of the check boxes."""
        self._texts: list[str] = []
        self._alerts: list[str] = []
        self._unseen = 0
        self._alert: list[str] = []
        self._select: tuple[str, bool, list[str], list[str]] | None = None
        place: int | None = 0
        while place is not None and place < len(text):
            found = _MARKUP.search(text, place)
            begins = found.start() if found else len(text)
            if begins > place:
                self._data(text[place:begins])
            place = self._markup(text, begins) if found else None
        self._end_select()

    @property
    def text(self) -> str:
        """The visible text on one line."""
        return " ".join(" ".join(self._texts).split())

    @property
    def alert(self) -> str:
        """The text of what is marked role=alert, on one line."""
        return " ".join(" ".join(self._alerts).split())

    def _markup(self, text: str, place: int) -> int | None:
        """Take what begins with the "<" at a place; return where it ends, None for the end of the page."""
        if text.startswith("<!--", place):
            ends = _COMMENT_ENDS.search(text, place + 2)
            return ends.end() if ends else None
        tag = _TAG.match(text, place)
        if tag is None:
            return text.find(">", place) + 1 or None
        attributes: dict[str, str] = {}
        ends_at = _take_attributes(text, tag.end(), attributes)
        name = tag[2].lower()
        if ends_at is None:
            return None
        if tag[1]:
            self._end(name)
            return ends_at
        self._start(name, attributes)
        if name in self._RAW:
            raw = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, ends_at)
            until = raw.start() if raw else len(text)
            if name == "textarea" and "name" in attributes:
                # A browser drops the first line feed of a text area.
                self._add(attributes["name"], _plain(text[ends_at:until]).removeprefix("\n"))
            return until
        return ends_at

    def _start(self, tag: str, given: dict[str, str]) -> None:
        """Note fields, and where hidden text and alerts begin."""
        if tag in self._HIDDEN:
            self._unseen += 1
        if self._alert:
            self._alert += [tag] if tag == self._alert[0] else []
        elif given.get("role") == "alert":
            self._alert = [tag]
        name = given.get("name", "")
        if tag == "meta" and name:
            self.meta[name] = given.get("content", "")
        elif tag == "input" and name:
            self._input(name, given)
        elif tag == "select" and name:
            self._end_select()
            self._select = (name, "multiple" in given, [], [])
        elif tag == "option" and self._select:
            value = given.get("value", "")
            self._select[2].append(value)
            if "selected" in given:
                self._select[3].append(value)

    def _end(self, tag: str) -> None:
        """Note where hidden text, alerts and fields end."""
        if tag in self._HIDDEN and self._unseen:
            self._unseen -= 1
        if self._alert and tag == self._alert[0]:
            self._alert.pop()
        if tag == "select":
            self._end_select()

    def _data(self, raw: str) -> None:
        """Keep visible text."""
        if not self._unseen:
            text = _plain(raw)
            self._texts.append(text)
            if self._alert:
                self._alerts.append(text)

    def _input(self, name: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text").lower()
        value = given.get("value", "")
        if kind in self._UNSENT:
            return
        if kind in ("checkbox", "hidden"):
            (self.checkboxes if kind == "checkbox" else self.hidden).add(name)
        if kind in ("checkbox", "radio"):
            if "checked" in given:
                self._add(name, value if "value" in given else "on")
            else:
                self.fields.setdefault(name, UNCHECKED)
            return
        if kind == "password":
            self.passwords[name] = value or given.get("placeholder", "")
        self._add(name, value)

    def _add(self, name: str, value: str) -> None:
        old = self.fields.get(name, UNCHECKED)
        if old is UNCHECKED:
            self.fields[name] = value
        elif isinstance(old, list):
            old.append(value)
        else:
            self.fields[name] = [old, value]

    def _end_select(self) -> None:
        if self._select:
            name, multiple, options, selected = self._select
            self._select = None
            for value in selected if multiple else (selected or options[:1])[-1:]:
                self._add(name, value)


def _take_attributes(text: str, place: int, attributes: dict[str, str]) -> int | None:
    """Take the attributes that begin at a place, of each name the first; return where the tag ends, None where it does not."""
    while found := _ATTRIBUTE.match(text, place):
        name, value, place = found[1].lower(), "", found.end()
        if found[2]:
            quote = text[place : place + 1]
            if quote in ("'", '"'):
                ends = text.find(quote, place + 1)
                if ends < 0:
                    return None
                value, place = text[place + 1 : ends], ends + 1
            elif bare := _BARE.match(text, place):
                value, place = bare[0], bare.end()
        elif not name:
            return place + 1 if place < len(text) else None
        if name in _KEPT and name not in attributes:
            attributes[name] = _plain(value)
    return None


def _plain(text: str) -> str:
    """Return a text with its character references replaced, as far as they are any."""
    with suppress(ValueError):
        return unescape(text)
    return text
