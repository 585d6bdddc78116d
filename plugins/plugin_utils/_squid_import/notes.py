# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an import does not carry over: one sentence for each reason, with the lines that it is about.

Private to this collection. Words of a configuration may be passwords, so only those of ``http_access`` are shown, and of an
ACL its name and type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...module_utils._squid.read import Directive

_SHOWN = 3
"""So many of the things that a sentence is about are named."""

# Braces would be a template to whatever shows the sentence.
_NOT_SHOWN = re.compile(r"[^\x20-\x7e]|[{}]")
# No digit but as in wccp2_router and http_access2, since a lone word may be a password.
_NAME = re.compile(r"[a-z]{1,30}(2?_[a-z0-9]{1,30}){0,5}")


class Notes:
    """The notes on one proxy."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str, str], dict[Directive, None]] = {}
        self._general: dict[str, None] = {}
        self._noted: set[Directive] = set()

    def add(self, directive: Directive, why: str) -> None:
        """Note why a directive is not carried over."""
        why = _NOT_SHOWN.sub("?", why)
        self._noted.add(directive)
        self._notes.setdefault((directive.file, directive.name, why), {})[directive] = None

    def has(self, directive: Directive) -> bool:
        """Say whether there is a note on a directive."""
        return directive in self._noted

    def say(self, what: str) -> None:
        """Note something that is about no line."""
        self._general[what] = None

    def lines(self, proxy: str) -> list[str]:
        """Return the sentences, in the order of the file."""
        found = sorted(
            (min(_place(each) for each in about), why, list(about)) for (*_where, why), about in self._notes.items()
        )
        told = [f"{proxy}: {_where(about)}, {_what(about)}: {why}." for _first, why, about in found]
        return [*told, *(f"{proxy}: {what}." for what in self._general)]


def clean(text: str, longest: int = 60) -> str:
    """Return a text of a configuration as it may be shown."""
    text = _NOT_SHOWN.sub("?", text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def some(things: Iterable[str], shown: int = _SHOWN) -> str:
    """Return the first few of many things, and how many there are more."""
    found = list(things)
    more = f" and {len(found) - shown} more" if len(found) > shown else ""
    return f"{', '.join(found[:shown])}{more}"


def _place(directive: Directive) -> tuple[str, int]:
    return directive.file, directive.line


def _where(about: list[Directive]) -> str:
    numbers = sorted({directive.line for directive in about})
    lines = ", ".join(f"{low}-{high}" if high > low else f"{low}" for low, high in _runs(numbers))
    file = clean(f"{about[0].file} ", 200) if about[0].file else ""
    return f"{file}line{'s' if len(numbers) > 1 else ''} {lines}"


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    low = high = numbers[0]
    for number in numbers[1:]:
        if number > high + 1:
            yield low, high
            low = number
        high = number
    yield low, high


def _what(about: list[Directive]) -> str:
    name = about[0].name
    if name not in ("acl", "http_access"):
        return name if _NAME.fullmatch(name) else "which begins with no directive"
    shown = 2 if name == "acl" else None
    return some(dict.fromkeys(clean(" ".join([name, *directive.words[:shown]])) for directive in about))
