# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All addresses, cut where an ACL of a squid.conf made by hand begins or ends: within a piece all are treated alike.

Private to this collection.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_acls import ALL_SPANS, Acl, Span
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_notes import some
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_text import Directive


class Value(NamedTuple):
    """One value of an ACL of the type src."""

    number: int
    acl: Acl
    span: Span
    directive: Directive
    sure: bool
    """What overlaps a value before it in the same ACL, 5.7 and 6.13 leave out and 7.7 takes (measured), with a warning only."""

    @property
    def built_in(self) -> bool:
        """Whether Squid has it by itself."""
        return self.directive.line == 0


class Piece(NamedTuple):
    """Addresses in a row, and the values that they are among."""

    span: Span
    values: tuple[Value, ...]

    def keys(self, sure: bool) -> frozenset[str]:
        """Return the keys of the ACLs that these addresses are among, or may be among."""
        return frozenset(value.acl.key for value in self.values if value.sure is sure)


def values_of(acls: Iterable[Acl]) -> list[Value]:
    """Return the values of all ACLs of the type src."""
    found: list[Value] = []
    for acl in acls:
        kept: list[Span] = []
        for span, directive in acl.spans if acl.kind == "src" else ():
            place = bisect(kept, span)
            sure = not any(_overlap(span, other) for other in kept[max(0, place - 1) : place + 1])
            if sure:
                kept.insert(place, span)
            found.append(Value(len(found), acl, span, directive, sure))
    return found


def _overlap(one: Span, other: Span) -> bool:
    return one.version == other.version and one.low <= other.high and other.low <= one.high


def pieces(values: Iterable[Value]) -> Iterator[Piece]:
    """Cut the address spaces."""
    values = list(values)
    for everything in ALL_SPANS:
        starts: dict[int, list[Value]] = {everything.low: []}
        ends: dict[int, list[Value]] = {}
        for value in values:
            if value.span.version == everything.version:
                starts.setdefault(value.span.low, []).append(value)
                ends.setdefault(value.span.high + 1, []).append(value)
        cuts = sorted({*starts, *(end for end in ends if end <= everything.high)})
        inside: dict[int, Value] = {}
        for low, following in zip(cuts, [*cuts[1:], everything.high + 1], strict=True):
            for value in ends.get(low, ()):
                del inside[value.number]
            inside.update((value.number, value) for value in starts.get(low, ()))
            yield Piece(Span(everything.version, low, following - 1), tuple(inside.values()))


def address(version: int, number: int) -> str:
    """Return an address as text."""
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


def shown(spans: Iterable[Span]) -> str:
    """Return what addresses these are, neighbours together."""
    rows: list[Span] = []
    for span in sorted(spans):
        if rows and rows[-1].version == span.version and rows[-1].high + 1 == span.low:
            rows[-1] = rows[-1]._replace(high=span.high)
        else:
            rows.append(span)
    if sum(row.size for row in rows) > 2**31:
        return "every other address"
    return some("-".join(dict.fromkeys(address(row.version, number) for number in (row.low, row.high))) for row in rows)
