# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may CONNECT to which endpoints by a squid.conf made by hand, as far as an inventory can say the same.

Private to this collection. An inventory has one list of endpoints for a proxy, and a host for each address. It never lets in more
than the configuration did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._addresses import parse_address
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._inventory import source_problem
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_acls import Acl, Span, define
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_hosts import ANY, Hosts
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_notes import Notes, some
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_rules import (
    Case,
    Policy,
    Rule,
    read_rules,
)
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_sources import (
    Piece,
    Value,
    address,
    pieces,
    shown,
    values_of,
)
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_text import Directive
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_views import View, Views

NOT_LET = "nothing lets it CONNECT to port 443, so it is no sensor"
NO_HOST = "it is not the address of one host outside of this one"
ELSEWHERE = "it may not reach all of squid_endpoints, which is one list for all sensors of a proxy; it is left out"
NO_ENDPOINT = "it may reach nothing that squid_endpoints can name, so it is left out"
OTHER_USER = "it must sign in, and most others need not; squid_auth_enabled is one switch for all clients of a proxy, so it is left out"
HERE = "it admits the proxy's own host, which gets no access here"
UNUSED = "no http_access line names it"
NO_SENSOR = "no sensor is carried over from it"


@dataclass(slots=True)
class Access:
    """What is carried over."""

    endpoints: list[str] = field(default_factory=list)
    """Sorted, a domain with a dot before it."""
    auth: bool = False
    sources: dict[str, str] = field(default_factory=dict)
    """Name of the ACL by address."""

    def drop(self, addresses: Iterable[str]) -> list[str]:
        """Take these out of the sources, and return those that were among them."""
        found = [each for each in addresses if each in self.sources]
        for each in found:
            del self.sources[each]
        return found


class _Seen(NamedTuple):
    """A piece of the address space, and what its addresses may do."""

    piece: Piece
    cases: list[Case]
    view: View

    def rule(self, place: int) -> Rule | None:
        """Return the line that decided."""
        return self.cases[place].rule if place >= 0 else None


def read_access(directives: Iterable[Directive], schemes: set[str], limit: int, notes: Notes) -> Access:
    """Find out who may go where.

    Args:
        directives: all of the configuration.
        schemes: of ``auth_param``, in lower case.
        limit: so many addresses of one value of an ACL may become hosts, and no more.
        notes: get whatever is not carried over.
    """
    directives = list(directives)
    defined = [each for each in directives if each.name == "acl"]
    acls = define(defined, schemes, notes)
    judge = _Judge(acls, Policy(read_rules(directives, acls, notes)), limit, notes)
    judge.note_unused(defined)
    return judge.judge()


class _Judge:
    def __init__(self, acls: dict[str, Acl], policy: Policy, limit: int, notes: Notes) -> None:
        self._hosts = Hosts(acls.values())
        self._values = values_of(acls.values())
        self._rules = policy.rules
        self._used = {term.acl.key for rule in policy.rules for term in rule.terms}
        self._limit = limit
        self._notes = notes
        views = Views(policy, self._hosts, acls.values())
        self._seen = []
        for piece in pieces(self._values):
            cases = policy.cases(piece.keys(sure=True), piece.keys(sure=False))
            self._seen.append(_Seen(piece, cases, views.view(cases)))
        self._small = [seen for seen in self._seen if any(self._is_small(value) for value in seen.piece.values)]

    def judge(self) -> Access:
        auth = self._count(signed_in=True) > self._count(signed_in=False)
        endpoints = self._endpoints(auth)
        covered = frozenset[str]().union(*map(self._hosts.covered, endpoints))
        states = {seen.piece.span: self._state(seen, auth, covered) for seen in self._small}
        carried = [seen for seen in self._small if states[seen.piece.span] == ""]
        for seen in carried:
            self._note_carried(seen, auth, covered)
        self._note_wide()
        self._note_values(states)
        self._note_rules({rule for seen in carried for rule in _deciding(seen, auth, covered)})
        return Access(endpoints, auth, self._names(carried))

    def note_unused(self, defined: Iterable[Directive]) -> None:
        """Name the ACLs that are for nothing here."""
        for directive in defined:
            if directive.words and directive.words[0].lower() not in self._used and not self._notes.has(directive):
                self._notes.add(directive, UNUSED)

    def _is_small(self, value: Value) -> bool:
        return not value.built_in and value.span.size <= self._limit

    def _count(self, signed_in: bool) -> int:
        """How many addresses may reach anything without a user, or only with one."""
        return sum(
            seen.piece.span.size
            for seen in self._small
            if bool(seen.view.allowed(False)) != signed_in and seen.view.allowed(signed_in)
        )

    def _endpoints(self, auth: bool) -> list[str]:
        """Those of the most sources, since there is one list for all."""
        sizes: Counter[frozenset[str]] = Counter()
        for seen in self._small:
            sizes[seen.view.allowed(auth)] += seen.piece.span.size
        lists = (self._hosts.endpoints(allowed) for allowed, _size in sizes.most_common())
        return next((endpoints for endpoints in lists if endpoints), [])

    def _state(self, seen: _Seen, auth: bool, covered: frozenset[str]) -> str:
        """Why a piece is not carried over; empty when it is."""
        span, allowed = seen.piece.span, seen.view.allowed(auth)
        if any(source_problem(parse_address(address(span.version, each))) for each in (span.low, span.high)):
            return NO_HOST
        if covered and covered <= allowed:
            return ""
        if allowed:
            return ELSEWHERE if covered else NO_ENDPOINT
        if seen.view.allowed(True):
            return OTHER_USER
        doubts = (seen.rule(each.place) for each in seen.view.decisions(auth).values() if not each.sure)
        lines = sorted({rule.directive.line for rule in doubts if rule})
        return f"line {some(map(str, lines))} may refuse it, so it is left out" if lines else NOT_LET

    def _note_carried(self, seen: _Seen, auth: bool, covered: frozenset[str]) -> None:
        for place, what in seen.view.more.items():
            rule = seen.rule(place)
            # What is unsure of a line is said already.
            if not (rule and rule.unsure):
                self._add(rule, f"it also allows {what}; here CONNECT to port 443 is all")
        excess: dict[Rule | None, list[str]] = {}
        for host in seen.view.allowed(auth) - covered:
            excess.setdefault(seen.rule(seen.view.decisions(auth)[host].place), []).append(host)
        for by, hosts in excess.items():
            names = "any endpoint" if ANY in hosts else some(map(_host, sorted(hosts)))
            self._add(by, f"it also allows {names}; here squid_endpoints is all")
        if auth and seen.view.allowed(False):
            for by in _deciding(seen, False, covered):
                self._add(by, "it wants no user; with squid_auth_enabled all clients of a proxy need one")

    def _note_wide(self) -> None:
        wide: dict[Rule | None, list[Piece]] = {}
        for seen in self._seen:
            if not any(self._is_small(value) for value in seen.piece.values):
                for rule in _deciding(seen, True, seen.view.allowed(True)):
                    wide.setdefault(rule, []).append(seen.piece)
        for rule, found in wide.items():
            spans = [piece.span for piece in found]
            if all(any(value.built_in for value in piece.values) for piece in found):
                self._add(rule, HERE)
            else:
                self._add(
                    rule,
                    f"it admits {shown(spans)}; a network of more than {self._limit} addresses gets no hosts, so enter the "
                    "sensors in it by hand",
                )

    def _note_values(self, states: dict[Span, str]) -> None:
        """Name what an ACL of sources has and the inventory has not."""
        found: dict[Directive, dict[str, set[Span]]] = {}
        for seen in self._seen:
            inside = seen.piece.keys(sure=True)
            for value in seen.piece.values:
                if value.acl.key not in inside:
                    self._notes.add(
                        value.directive,
                        f"{shown([value.span])} overlaps a value before it; Squid 5 and 6 leave it out, 7 does not",
                    )
                state = states.get(seen.piece.span, "" if seen.view.allowed(True) else NOT_LET)
                found.setdefault(value.directive, {}).setdefault(state, set()).add(seen.piece.span)
        for value in self._values:
            by_state = found.pop(value.directive, {})
            # Of a network only the whole matters, since the line that lets it in has a note.
            if not value.built_in and value.acl.key in self._used and (self._is_small(value) or len(by_state) == 1):
                for state, spans in by_state.items():
                    if state:
                        self._notes.add(value.directive, (f"for {shown(spans)}, " if len(by_state) > 1 else "") + state)

    def _note_rules(self, used: set[Rule | None]) -> None:
        for rule in self._rules:
            if rule.allow and rule not in used and not self._notes.has(rule.directive):
                self._notes.add(rule.directive, NO_SENSOR)

    def _add(self, rule: Rule | None, why: str) -> None:
        if rule:
            self._notes.add(rule.directive, why)
        else:
            self._notes.say(f"where no http_access line matches, the last one's opposite counts: {why}")

    def _names(self, carried: list[_Seen]) -> dict[str, str]:
        """Each address with the name of the smallest ACL that it is among."""
        sizes: Counter[str] = Counter()
        for value in self._values:
            sizes[value.acl.key] += value.span.size
        found: dict[int, list[tuple[str, str]]] = {}
        for seen in carried:
            named = filter(self._is_small, seen.piece.values)
            value = min(named, key=lambda value: (sizes[value.acl.key], value.number))
            span = seen.piece.span
            for number in range(span.low, span.high + 1):
                found.setdefault(value.number, []).append((address(span.version, number), value.acl.name))
        return {text: name for _number, group in sorted(found.items()) for text, name in group}


def _deciding(seen: _Seen, auth: bool, hosts: Iterable[str]) -> list[Rule | None]:
    """The lines by which a source may reach these hosts; None for no line at all."""
    decisions = seen.view.decisions(auth)
    allowing = dict.fromkeys(decisions[host] for host in hosts if decisions[host].allowed)
    return [seen.rule(decision.place) for decision in allowing]


def _host(host: str) -> str:
    return f"names below {host[1:]}" if host.startswith(".") else host
