# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what by one configuration and not by another.

Private to this collection. Requests that both treat alike are one class, of which one is asked: with 10,000 sensors there are a few.
What only a proxy knows is true or false for both alike where both define it alike; else each may be what it likes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from ...module_utils._squid.acls import Acl, Match, Request, Span
from ...module_utils._squid.read import Directive
from ...module_utils._squid.rules import Evaluator, Rule, pieces, values_of
from .._squid_import.access import address, spans_text
from .._squid_import.hosts import Hosts

CONNECT, OTHER = "CONNECT", "other methods"
LITERAL = "addresses"
"""Hosts that are asked for by their address."""

_MOST_UNKNOWN = 6


class Grant(NamedTuple):
    """What a source may do: requests that both configurations treat alike."""

    host: str
    """One of the classes of Hosts, or LITERAL."""
    destination: str
    """Where that leads; empty for what no ACL says anything of."""
    port: str
    method: str


class Change(NamedTuple):
    """What sources gain or lose."""

    gains: bool
    sources: tuple[Span, ...]
    user: str | None
    """As whom; empty for any user that no ACL names."""
    grants: frozenset[Grant]
    sure: bool
    """Whether it is so whatever is not known here."""


class Space:
    """The requests that two configurations tell apart."""

    def __init__(self, sides: tuple[Evaluator, Evaluator]) -> None:
        """Find the classes."""
        acls = []
        for number, side in enumerate(sides):
            used = {term.acl.key for rule in side.policy.rules for term in rule.terms}
            acls += [replace(acl, name=f"{number} {acl.name}") for acl in side.acls.values() if acl.key in used]
        self.hosts = Hosts(acls)
        self.ports = _ports(acls)
        self.methods = [
            CONNECT,
            *sorted({word for acl in acls if acl.kind == "method" for word in acl.words} - {CONNECT}),
            OTHER,
        ]
        # Past a next hop no name is looked up here: that is for the next hop to judge.
        found = _destinations(acls)
        direct = all(side.goes_direct() for side in sides)
        self.destinations = found if direct or "" not in found else {"": found[""]}
        names = [host for host in self.hosts.classes if not host.removeprefix("*.").rpartition(".")[2].isdigit()]
        leads = [(name, text, name, there) for name in names for text, there in self.destinations.items()]
        leads += [(LITERAL, text, there, there) for text, there in self.destinations.items()]
        self.asked = [
            (Grant(shown, text, ports, method), (host, port, method, there))
            for shown, text, host, there in leads
            for ports, port in self.ports.items()
            for method in self.methods
        ]


def _ports(acls: Iterable[Acl]) -> dict[str, int]:
    """A port of each class, by what the class is."""
    kinds = [acl for acl in acls if acl.kind == "port"]
    ranges = [each for acl in kinds for each in acl.ports]
    cuts = sorted({0, 65536, *(low for low, _high in ranges), *(high + 1 for _low, high in ranges)})
    found: dict[frozenset[str], list[tuple[int, int]]] = {}
    for low, end in pairwise(cuts):
        inside = frozenset(acl.key for acl in kinds if any(one <= low <= two for one, two in acl.ports))
        found.setdefault(inside, []).append((low, end - 1))
    texts = {
        inside: ", ".join("-".join(dict.fromkeys(map(str, each))) for each in spans) for inside, spans in found.items()
    }
    return {
        texts[inside]: 443 if any(low <= 443 <= high for low, high in spans) else spans[0][1]
        for inside, spans in found.items()
    }


def _destinations(acls: Iterable[Acl]) -> dict[str, str]:
    """An address of each class, by what the class is."""
    line = Directive("", 0, "")
    leading = [Acl(acl.name, "src", spans=[(span, line) for span in acl.destinations]) for acl in acls if acl.leads]
    found: dict[frozenset[str], list[Span]] = {frozenset(): []}
    for piece in pieces(values_of(leading)):
        found.setdefault(piece.keys(sure=True) | piece.keys(sure=False), []).append(piece.span)
    return {
        spans_text(spans) if inside else "": address(spans[0].version, spans[0].low)
        for inside, spans in found.items()
        if spans
    }


class _Unknown(Exception):  # noqa: N818 - no error
    def __init__(self, atom: Hashable) -> None:
        self.atom = atom


class _Side:
    def __init__(self, number: int, evaluator: Evaluator) -> None:
        self.number, self.evaluator = number, evaluator
        lines: dict[str, list[tuple[str, ...]]] = {}
        helpers = {
            each.words[0]: each.words
            for each in evaluator.directives
            if each.name == "external_acl_type" and each.words
        }
        for each in evaluator.directives:
            if each.name == "acl" and len(each.words) > 1:
                told = each.words[1:] + helpers.get(each.words[2] if len(each.words) > 2 else "", ())
                lines.setdefault(each.words[0].lower(), []).append(told)
        self._lines = {key: tuple(sorted(told)) for key, told in lines.items()}
        self._starts = [(piece.span.version, piece.span.low) for piece in evaluator.pieces]
        self._left: dict[int, tuple[list[Rule], bool]] = {}

    def cuts(self) -> list[tuple[int, int]]:
        return self._starts

    def at(self, cut: tuple[int, int]) -> tuple[list[Rule], bool]:
        place = bisect_right(self._starts, cut) - 1
        if place not in self._left:
            piece = self.evaluator.pieces[place]
            self._left[place] = self.evaluator.left(piece), self.evaluator.trusts(piece)
        return self._left[place]

    def identity(self, acl: Acl) -> Hashable:
        """What makes an ACL the same as one of the other side."""
        if acl.name == " maybe":
            return self.number, acl.name
        key = acl.key.strip()
        return acl.kind, self._lines.get(key, key)

    def allows(self, left: list[Rule], request: Request, truth: Mapping[Hashable, bool]) -> bool:
        for rule in left:
            for term in rule.terms:
                match = term.match(request)
                if match is Match.UNSURE:
                    atom = self.identity(term.acl)
                    if atom not in truth:
                        raise _Unknown(atom)
                    match = Match.YES if truth[atom] is not term.negated else Match.NO
                if match is Match.SIGN_IN:
                    return False
                if match is Match.NO:
                    break
            else:
                return rule.allow
        return self.evaluator.policy.otherwise


class Difference:
    """What changes from one configuration to another."""

    def __init__(self, old: Evaluator, new: Evaluator) -> None:
        """Compare them."""
        self._old, self._new = _Side(0, old), _Side(1, new)
        self.space = Space((old, new))
        self._known: dict[Hashable, list[tuple[bool, int | str | None, frozenset[Grant], bool]]] = {}
        self.trusted: list[Span] = []
        """Whose word is taken by the new one for whom they speak, which nobody can judge."""
        self.changes = self._changes()

    def _changes(self) -> list[Change]:
        found: dict[tuple[bool, str | None, frozenset[Grant], bool], list[Span]] = {}
        cuts = sorted({*self._old.cuts(), *self._new.cuts()})
        for cut, end in zip(cuts, [*cuts[1:], None], strict=True):
            version, low = cut
            last = 2 ** (32 if version == 4 else 128) - 1
            span = Span(version, low, end[1] - 1 if end and end[0] == version else last)
            (old, _trusts), (new, trusts) = self._old.at(cut), self._new.at(cut)
            if trusts and not _trusts:
                self.trusted.append(span)
            for gains, user, grants, sure in self._of(old, new):
                found.setdefault((gains, user, grants, sure), []).append(span)
        return [Change(gains, tuple(spans), user, grants, sure) for (gains, user, grants, sure), spans in found.items()]

    def _of(self, old: list[Rule], new: list[Rule]) -> Iterator[tuple[bool, str | None, frozenset[Grant], bool]]:
        users = self._users([*old, *new])
        places = {user: place for place, user in enumerate(users)}
        # Who differs by the user's name only is asked once.
        key = tuple(
            tuple(
                (rule.allow, tuple((self._named(side, term.acl, places), term.negated) for term in rule.terms))
                for rule in left
            )
            for side, left in ((self._old, old), (self._new, new))
        )
        if key[0] == key[1] and self._old.evaluator.policy.otherwise is self._new.evaluator.policy.otherwise:
            return
        if key not in self._known:
            self._known[key] = [
                (gains, place, grants, sure)
                for place, user in [(None, None), ("", ""), *enumerate(users)]
                for (gains, sure), grants in self._asked(old, new, user).items()
            ]
        for gains, place, grants, sure in self._known[key]:
            yield gains, users[place] if isinstance(place, int) else place, grants, sure

    def _users(self, rules: Iterable[Rule]) -> list[str]:
        words = (sorted(term.acl.words) for rule in rules for term in rule.terms if term.acl.kind == "proxy_auth")
        return list(dict.fromkeys(word for each in words for word in each if word != "REQUIRED"))

    def _named(self, side: _Side, acl: Acl, places: Mapping[str, int]) -> Hashable:
        if acl.kind == "proxy_auth" and not acl.unsure:
            # Where Squid has names in lower case, another one is nobody's.
            return tuple((places.get(word), side.evaluator.user(word) == word) for word in sorted(acl.words))
        return side.identity(acl)

    def _asked(self, old: list[Rule], new: list[Rule], user: str | None) -> dict[tuple[bool, bool], frozenset[Grant]]:
        found: dict[tuple[bool, bool], set[Grant]] = {}
        one, two = (side.evaluator.user(user) if user else user for side in (self._old, self._new))
        for grant, (host, port, method, there) in self.space.asked:
            requests = tuple(Request("", host, port, name, method, there) for name in (one, two))
            outcomes = self._outcomes((old, new), requests, {})
            for gains, wanted in ((True, (False, True)), (False, (True, False))):
                if wanted in outcomes:
                    # The first is where nothing that only the proxy knows is so.
                    found.setdefault((gains, outcomes[0] == wanted), set()).add(grant)
        return {key: frozenset(grants) for key, grants in found.items()}

    def _outcomes(
        self, left: tuple[list[Rule], list[Rule]], requests: tuple[Request, ...], truth: Mapping[Hashable, bool]
    ) -> list[tuple[bool, bool]]:
        try:
            return [(self._old.allows(left[0], requests[0], truth), self._new.allows(left[1], requests[1], truth))]
        except _Unknown as unknown:
            if len(truth) == _MOST_UNKNOWN:
                return [(False, False), (False, True), (True, False)]
            both = ({**truth, unknown.atom: value} for value in (False, True))
            return [outcome for each in both for outcome in self._outcomes(left, requests, each)]
