# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Endpoints: the names that sensors may CONNECT to, as Squid's dstdomain wants them.

Private to this collection. Source of the rules: Squid refuses a file in which a wildcard follows an
exact name that it covers (measured, 5.7 and 6.13; 7.7 only warns); the portal's endpoint file has no published schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._untrusted_text import short

PORT = 443
"""The only TCP port that a sensor's endpoints use."""

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.[a-z][a-z0-9-]*[a-z0-9]", re.ASCII)
_SEPARATORS = re.compile(r"[\s,;]+")


def allow_list(entries: Iterable[Any]) -> list[str]:
    """Return the names for dstdomain, sorted: ``.example.net`` for a wildcard, ``hub.example.net`` for a host.

    Args:
        entries: host names, wildcards (``*.example.net`` or ``.example.net``) or HTTPS URLs.

    Raises:
        ValueError: entries that are none of them, all named in one sentence.
    """
    names: set[str] = set()
    wrong = []
    for entry in entries:
        name = _endpoint(str(entry))
        if name is None:
            wrong.append(repr(short(str(entry), 300)))
        else:
            names.add(name)
    if wrong:
        raise ValueError(
            f"not usable as endpoints: {', '.join(wrong)}; "
            f"give host names without a port, wildcards like *.example.net or HTTPS URLs (port {PORT})"
        )
    return _without_covered(names)


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Whether a host is among the names that allow_list returned, as Squid compares them."""
    dotted = f".{host.lower().rstrip('.')}"
    return any(dotted.endswith(name) if name.startswith(".") else dotted == f".{name}" for name in allowed)


def is_host(name: str) -> bool:
    """Whether a text is the name of one host, as allow_list takes it."""
    return len(name) <= 253 and bool(_HOST.fullmatch(name.lower()))


def names_in(document: Any) -> list[str]:
    """Return every host name and every host of a URL found anywhere in a parsed JSON document, sorted.

    A bare name needs two dots: with one it may as well be a resource type or a file's name.
    """
    found: set[str] = set()
    for text in _texts(document):
        for word in _SEPARATORS.split(text):
            name = _name_in(word)
            if name is not None:
                found.add(name)
    return sorted(found)


def _texts(document: Any) -> Iterator[str]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value


def _name_in(word: str) -> str | None:
    if "://" in word:
        # Of any scheme and port, unlike an entry of the allow-list.
        try:
            return _endpoint(urlsplit(word).hostname or "")
        except ValueError:
            return None
    return _endpoint(word.removesuffix(f":{PORT}")) if word.count(".") >= 2 else None


def _endpoint(text: str) -> str | None:
    text = text.lower()
    if "://" in text:
        try:
            url = urlsplit(text)
            if url.scheme != "https" or url.port not in (None, PORT):
                return None
        except ValueError:
            return None
        text = url.hostname or ""
    text = (text[1:] if text.startswith("*.") else text).rstrip(".")
    host = text.removeprefix(".")
    return text if is_host(host) else None


def _without_covered(names: set[str]) -> list[str]:
    wildcards = {name for name in names if name.startswith(".")}

    def covered(name: str) -> bool:
        labels = name.removeprefix(".").split(".")
        return any(
            (wildcard := "." + ".".join(labels[start:])) in wildcards and wildcard != name
            for start in range(len(labels))
        )

    return sorted(name for name in names if not covered(name))
