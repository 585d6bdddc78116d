# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a squid.conf made by hand, as the directives that Squid reads in it.

Private to this collection. Lines are joined and cut as Squid does it (measured, 5.7, 6.13 and 7.7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_MAX_DEPTH = 16
"""Files that include files that include files: Squid stops there."""

_WORD = re.compile(r'"[^"]*"|[^ \t\r\n]+')


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive, and where it stands."""

    file: str
    """Path of the file; empty for squid.conf itself."""
    line: int
    """Number of its first line, from 1."""
    name: str
    words: tuple[str, ...] = ()


@dataclass(slots=True)
class Configuration:
    """What was read. An ``include`` among the directives is one of which no file was given."""

    directives: list[Directive] = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)
    """Paths and patterns of files that are named and were not given."""


def read(path: str, files: Mapping[str, str]) -> Configuration:
    """Read a configuration.

    Args:
        path: that of squid.conf itself.
        files: text by path, of squid.conf and of what it names. A pattern that is a path here has no files.
    """
    reading = Configuration()
    _read_file(path, "", files, reading, 0)
    reading.wanted = list(dict.fromkeys(reading.wanted))
    return reading


def _read_file(path: str, shown: str, files: Mapping[str, str], reading: Configuration, depth: int) -> None:
    conditions = 0
    for line, text in _lines(files.get(path, "")):
        name, *words = _words(text) or [""]
        if name == "if":
            if not conditions:
                reading.directives.append(Directive(shown, line, name))
            conditions += 1
        elif conditions:
            # What is between stays unread: the "if" stands for it.
            conditions -= name == "endif"
        elif name == "include":
            for pattern in words:
                _include(Directive(shown, line, name, (pattern.strip('"'),)), files, reading, depth + 1)
        elif name == "acl":
            reading.directives.append(Directive(shown, line, name, tuple(_with_files(words, files, reading))))
        elif name:
            reading.directives.append(Directive(shown, line, name, tuple(words)))


def _include(directive: Directive, files: Mapping[str, str], reading: Configuration, depth: int) -> None:
    pattern = directive.words[0]
    found = sorted(path for path in files if _is_meant(path, pattern))
    if not found or depth > _MAX_DEPTH:
        reading.wanted += [] if found else [pattern]
        reading.directives.append(directive)
        return
    for path in found:
        _read_file(path, path, files, reading, depth)


def _is_meant(path: str, pattern: str) -> bool:
    return path == pattern or (path.count("/") == pattern.count("/") and fnmatchcase(path, pattern))


def _with_files(words: list[str], files: Mapping[str, str], reading: Configuration) -> Iterator[str]:
    """The words of an ACL, with a quoted file's own in its place where the file is given."""
    for word in words:
        path = word.strip('"')
        if not word.startswith('"'):
            yield word
        elif path in files:
            for line in files[path].split("\n"):
                # Of a line with several words Squid reads the first, which is no way to write it: it is shown as it is.
                yield from [" ".join(found)] if (found := _words(line)) else []
        else:
            reading.wanted.append(path)
            yield word


def _words(text: str) -> list[str]:
    """The words of a line, up to the first that begins a comment."""
    words = _WORD.findall(text)
    end = next((place for place, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:end]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, joined with those after it where it ends with a backslash."""
    joined, first = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.partition("\r")[0].lstrip(" \t\v\f")
        if not line or line.startswith("#"):
            continue
        first = first if joined else number
        joined += line
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        yield first, joined
        joined = ""
    # What the file's last line leaves open, Squid drops.
