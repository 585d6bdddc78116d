# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The http_access lines of a squid.conf made by hand: the first that matches decides, and what is unsure lets nobody in.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_acls import Acl, Match, Request
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_notes import Notes, clean
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_text import Directive

_UNREAD = {
    "include": "no such file was given, and it may refuse anything; give it in import_squid_files",
    "if": "what is in a conditional part is not read, and may refuse anything",
    **dict.fromkeys(
        ("adapted_http_access", "http_access2", "miss_access"), "it is not read, and may refuse what http_access allows"
    ),
}
"""What may refuse anything, and why nobody knows."""


class Term(NamedTuple):
    """An ACL in a line."""

    acl: Acl
    negated: bool

    def match(self, request: Request) -> Match:
        """Say whether it matches."""
        found = self.acl.match(request)
        return {Match.YES: Match.NO, Match.NO: Match.YES}.get(found, found) if self.negated else found


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A line of http_access."""

    directive: Directive
    allow: bool
    terms: tuple[Term, ...]

    @property
    def unsure(self) -> list[Acl]:
        """The ACLs of which it is not known when they match."""
        return [term.acl for term in self.terms if term.acl.unsure and term.acl.kind not in ("manager", "this_host")]


class Case(NamedTuple):
    """What is left of a rule for one source."""

    rule: Rule
    terms: tuple[Term, ...]

    @property
    def key(self) -> tuple[bool, tuple[tuple[str, bool], ...]]:
        """What makes it the same as another line's case."""
        return self.rule.allow, tuple((term.acl.key, term.negated) for term in self.terms)


class Decision(NamedTuple):
    """What becomes of a request."""

    allowed: bool
    place: int
    """Which of the cases decided; -1 for none."""
    sure: bool = True


# No name in a file has a blank.
_NEVER = Term(Acl(" never", "constant"), False)
_MAYBE = Term(Acl(" maybe", "constant", unsure="is not read"), False)


def read_rules(directives: Iterable[Directive], acls: Mapping[str, Acl], notes: Notes) -> list[Rule]:
    """Return the rules in their order, after denials for what may refuse anything, of which nobody knows when they match."""
    rules: list[Rule] = []
    unread: list[Rule] = []
    for directive in directives:
        if directive.name == "http_access":
            rules += _read_rule(directive, acls, notes)
        elif directive.name in _UNREAD and directive.words != ("allow", "all"):
            # A file may give an ACL more values too, wherever it is included.
            notes.add(directive, _UNREAD[directive.name])
            unread.append(Rule(directive, False, (_MAYBE,)))
    return [*unread, *rules]


def _read_rule(directive: Directive, acls: Mapping[str, Acl], notes: Notes) -> list[Rule]:
    action, *names = directive.words or ("",)
    if action not in ("allow", "deny") or not names:
        notes.add(directive, "it has no allow or deny, or no ACL, so Squid skips it")
        return []
    terms = []
    for name in names:
        bare = name.removeprefix("!")
        acl = acls.get(bare.lower()) or Acl(bare, "undefined", unsure="is not defined")
        terms.append(Term(acl, name.startswith("!")))
    rule = Rule(directive, action == "allow", tuple(terms))
    _note(rule, notes)
    return [rule]


def _note(rule: Rule, notes: Notes) -> None:
    if rule.unsure:
        reasons = ", ".join(dict.fromkeys(f"{clean(acl.name)} {acl.unsure}" for acl in rule.unsure))
        effect = "what only this line allows is left out" if rule.allow else "whatever it may refuse counts as refused"
        notes.add(rule.directive, f"{reasons}; {effect}")
    if any(term.acl.kind == "this_host" for term in rule.terms):
        notes.add(rule.directive, "here a name of squid_endpoints passes, whatever address it has")


class Policy:
    """All rules, and what becomes of a request."""

    def __init__(self, rules: list[Rule]) -> None:
        self.rules = rules
        # Where no line matches, the opposite of the last one counts; without any, everything is refused.
        self._otherwise = Decision(bool(rules) and not rules[-1].allow, -1)
        # With a line for each of 1,000 sensors, only the lines of the one that asks are looked at.
        self._of_all: list[tuple[int, Rule]] = []
        self._of_source: dict[str, list[tuple[int, Rule]]] = {}
        for place, rule in enumerate(rules):
            key = _needed(rule.terms)
            (self._of_all if key is None else self._of_source.setdefault(key, [])).append((place, rule))

    def cases(self, inside: frozenset[str], maybe: frozenset[str]) -> list[Case]:
        """Return what is left of the rules for a source.

        Args:
            inside: keys of the ACLs of the type src that it is among.
            maybe: keys of those that it may be among.
        """
        groups = [self._of_all, *(self._of_source[key] for key in inside | maybe if key in self._of_source)]
        rules = (rule for _place, rule in sorted(chain(*groups), key=itemgetter(0)))
        return [Case(rule, terms) for rule in rules if (terms := _left(rule.terms, inside, maybe)) is not None]

    def decide(self, cases: Iterable[Case], request: Request, doubt: bool = False) -> Decision:
        """Decide as Squid does: by the first line that matches; ``doubt`` is what becomes of a request that might match."""
        for place, case in enumerate(cases):
            match = _match(case.terms, request)
            if match is Match.YES:
                return Decision(case.rule.allow, place)
            if match is Match.SIGN_IN:
                return Decision(False, place)
            if match is Match.UNSURE and case.rule.allow == doubt:
                return Decision(doubt, place, sure=False)
        return self._otherwise


def _is_source(term: Term) -> bool:
    """Whether an ACL says for each source whether it matches."""
    return term.acl.kind == "src" and not term.acl.unsure


def _needed(terms: Iterable[Term]) -> str | None:
    """The ACL of sources without which a rule cannot matter; None when it may matter to any source."""
    for term in terms:
        if _is_source(term) and not term.negated:
            return term.acl.key
        if term.acl.kind == "auth":
            break
    return None


def _left(terms: Iterable[Term], inside: frozenset[str], maybe: frozenset[str]) -> tuple[Term, ...] | None:
    left: list[Term] = []
    for term in terms:
        is_inside = term.acl.key in inside
        if term.acl.kind != "src":
            left.append(term)
        elif not is_inside and (term.acl.unsure or term.acl.key in maybe):
            left.append(_MAYBE)
        elif is_inside == term.negated:
            # It never matches, but may have asked for a user before.
            return (*left, _NEVER) if any(each.acl.kind == "auth" for each in left) else None
    return tuple(left)


def _match(terms: Iterable[Term], request: Request) -> Match:
    """Go through the ACLs from the left, as Squid does: the first that does not match ends it."""
    result = Match.YES
    for term in terms:
        match = term.match(request)
        if match in (Match.NO, Match.SIGN_IN):
            return match
        if match is Match.UNSURE:
            result = match
    return result
