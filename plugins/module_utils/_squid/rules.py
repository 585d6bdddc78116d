# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Squid with a configuration does with a request: the first http_access line that matches decides.

Private to this collection; standard library only, since it runs on targets. What cannot be known from the configuration is unsure,
never a guess. Where nothing else is said, what is said of Squid here was measured with 5.7, 6.13 and 7.7.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from .acls import ALL_SPANS, Acl, Match, Request, Span, define, parse_span
from .evidence import plain
from .read import Directive, read

ALLOW, DENY, CHALLENGE = "allow", "deny", "challenge"

UNREAD = {
    "include": "no such file was given, and it may refuse anything; give it in import_squid_files",
    "if": "what is in a conditional part is not read, and may refuse anything",
    **dict.fromkeys(
        ("adapted_http_access", "http_access2", "miss_access"), "it is not read, and may refuse what http_access allows"
    ),
}
"""What may refuse anything, and why nobody knows."""

_ONLY_THE_PROXY_KNOWS = frozenset({"dst", "external", "note", "req_header"})
"""The types in the role's own file that are about no client that an inventory has: its probe's header, what Squid was told of a
parent, where a name leads, and who guesses passwords."""


class Decision(NamedTuple):
    """What Squid does with a request, and by which line."""

    action: str
    """``allow``, ``deny``, or ``challenge``: 407, since the line needs a user."""

    line: int
    """Its number, from 1; 0 when no line matches."""

    text: str


class Term(NamedTuple):
    """An ACL in a line."""

    acl: Acl
    negated: bool

    def match(self, request: Request) -> Match:
        """Say whether it matches."""
        found = self.acl.match(request)
        return {Match.YES: Match.NO, Match.NO: Match.YES}.get(found, found) if self.negated else found


class Rule(NamedTuple):
    """A line of http_access, or what is left of it for one source."""

    directive: Directive
    allow: bool
    terms: tuple[Term, ...]

    @property
    def unsure(self) -> list[Acl]:
        """The ACLs of which it is not known when they match a CONNECT."""
        return [term.acl for term in self.terms if term.acl.unsure and not term.acl.never_connects]

    @property
    def key(self) -> tuple[bool, tuple[tuple[str, bool], ...]]:
        """What makes it the same as what is left of another line."""
        return self.allow, tuple((term.acl.key, term.negated) for term in self.terms)


class Verdict(NamedTuple):
    """What becomes of a request."""

    allowed: bool
    place: int
    """Which of the rules decided; -1 for none."""
    sure: bool = True
    challenge: bool = False


class Value(NamedTuple):
    """One value of an ACL of the type src."""

    number: int
    acl: Acl
    span: Span
    directive: Directive
    sure: bool
    """What overlaps a value before it in the same ACL, 5.7 and 6.13 leave out and 7.7 takes, with a warning only."""

    @property
    def built_in(self) -> bool:
        """Whether Squid has it by itself."""
        return self.directive.line == 0


class Piece(NamedTuple):
    """Addresses in a row that all ACLs treat alike, and the values that they are among."""

    span: Span
    values: tuple[Value, ...]

    def keys(self, sure: bool) -> frozenset[str]:
        """Return the keys of the ACLs that these addresses are among, or may be among."""
        return frozenset(value.acl.key for value in self.values if value.sure is sure)


# No name in a file has a blank.
_NEVER = Term(Acl(" never", "constant"), False)
_MAYBE = Term(Acl(" maybe", "constant", unsure="is not read"), False)


class Policy:
    """All lines of one configuration."""

    def __init__(self, directives: Iterable[Directive], acls: Mapping[str, Acl], name: str = "http_access") -> None:
        """Take the lines of this name; denials for what may refuse anything, of which nobody knows when they match, come first."""
        unread: list[Rule] = []
        self.skipped: list[Directive] = []
        """Those that Squid skips, since they have no allow or deny, or no ACL."""
        self.rules: list[Rule] = []
        for each in directives:
            action, *names = each.words or ("",)
            if each.name == name and action in (ALLOW, DENY) and names:
                terms = (Term(_named(acls, word.removeprefix("!")), word.startswith("!")) for word in names)
                self.rules.append(Rule(each, action == ALLOW, tuple(terms)))
            elif each.name == name:
                self.skipped.append(each)
            elif each.name in UNREAD and each.words != ("allow", "all") and name == "http_access":
                # A file may give an ACL more values too, wherever it is included.
                unread.append(Rule(each, False, (_MAYBE,)))
        # Where no line matches, the opposite of the last one counts; without any, everything is refused.
        self._otherwise = Verdict(bool(self.rules) and not self.rules[-1].allow, -1)
        self.otherwise = self._otherwise.allowed
        # With a line for each of 1,000 sensors, only the lines of the one that asks are looked at.
        self._of_all: list[tuple[int, Rule]] = []
        self._of_source: dict[str, list[tuple[int, Rule]]] = {}
        for place, rule in enumerate(chain(unread, self.rules)):
            key = _needed(rule.terms)
            (self._of_all if key is None else self._of_source.setdefault(key, [])).append((place, rule))

    def left(self, piece: Piece, wary: bool = False) -> list[Rule]:
        """Return what is left of the rules for a source; with ``wary`` a value that is not known may be its address in any line."""
        inside, maybe = piece.keys(sure=True), piece.keys(sure=False)
        groups = [self._of_all, *(self._of_source[key] for key in inside | maybe if key in self._of_source)]
        found = (rule for _place, rule in sorted(chain(*groups), key=itemgetter(0)))
        return [rule._replace(terms=terms) for rule in found if (terms := _left(rule, inside, maybe, wary)) is not None]

    def decide(self, rules: Iterable[Rule], request: Request, doubt: bool = False) -> Verdict:
        """Decide by what is left of the rules; ``doubt`` is what becomes of a request that might match."""
        for place, rule in enumerate(rules):
            match, sure = _match(rule.terms, request)
            if match is Match.SIGN_IN and (sure or not doubt):
                return Verdict(False, place, sure, challenge=True)
            if match is Match.YES and (sure or rule.allow is doubt):
                return Verdict(rule.allow, place, sure)
        return self._otherwise

    def doubts(self, rules: Iterable[Rule], request: Request) -> list[Rule]:
        """Return what may decide before the first rule that surely does."""
        found = []
        for rule in rules:
            match, sure = _match(rule.terms, request)
            if match is not Match.NO:
                if sure:
                    break
                found.append(rule)
        return found


def _named(acls: Mapping[str, Acl], name: str) -> Acl:
    return acls.get(name.lower()) or Acl(name, "undefined", unsure="is not defined")


def _needed(terms: Iterable[Term]) -> str | None:
    """The ACL of sources without which a rule cannot matter; None when it may matter to any source."""
    for term in terms:
        if term.acl.kind == "src" and not term.acl.unsure and not term.negated:
            return term.acl.key
        if term.acl.asks:
            break
    return None


def _left(rule: Rule, inside: frozenset[str], maybe: frozenset[str], wary: bool) -> tuple[Term, ...] | None:
    left: list[Term] = []
    for term in rule.terms:
        is_inside, in_doubt = term.acl.key in inside, term.acl.key in maybe
        # A value that is not known may be any address: that is a doubt of each in a denial, and for an import of none in an allowance.
        unknown = bool(term.acl.unsure) and not is_inside and not in_doubt
        if term.acl.kind != "src":
            left.append(term)
        elif not is_inside and (in_doubt or (unknown and (wary or not rule.allow))):
            why = term.acl.unsure or "has values that overlap, of which Squid 5 and 6 leave one out and 7 does not"
            left.append(Term(Acl(f" {term.acl.name}", "constant", unsure=why), False))
        elif unknown or is_inside == term.negated:
            # It never matches, but may have asked for a user before.
            return (*left, _NEVER) if any(each.acl.asks for each in left) else None
    return tuple(left)


def _match(terms: Iterable[Term], request: Request) -> tuple[Match, bool]:
    """Go through the ACLs from the left, as Squid does: the first that does not match ends it. Return whether that is sure, too."""
    sure = True
    for term in terms:
        match = term.match(request)
        if match in (Match.NO, Match.SIGN_IN):
            return match, sure
        sure &= match is Match.YES
    return Match.YES, sure


def values_of(acls: Iterable[Acl]) -> list[Value]:
    """Return the values of all ACLs of the type src."""
    found: list[Value] = []
    for acl in acls:
        kept: list[Span] = []
        for span, directive in acl.spans if acl.kind == "src" else ():
            place = bisect_right(kept, span)
            sure = not any(_overlap(span, other) for other in kept[max(0, place - 1) : place + 1])
            if sure:
                kept.insert(place, span)
            found.append(Value(len(found), acl, span, directive, sure))
    return found


def _overlap(one: Span, other: Span) -> bool:
    return one.version == other.version and one.low <= other.high and other.low <= one.high


def pieces(values: Iterable[Value]) -> Iterator[Piece]:
    """Cut all addresses where a value begins or ends."""
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


DIRECT = "straight to the endpoint"


class Answer(NamedTuple):
    """What becomes of a request."""

    allowed: bool | None
    """None where that cannot be judged."""

    why: str
    """The line that decides, or what is not known."""


class Hop(NamedTuple):
    """A line of cache_peer."""

    name: str
    address: str
    policy: Policy
    """Who may use it."""


class Evaluator:
    """One configuration, with the files that it names."""

    def __init__(self, path: str, files: Mapping[str, str]) -> None:
        """Read it."""
        self.directives = read(path, files).directives
        self.acls = define(self.directives)
        self.policy = Policy(self.directives, self.acls)
        self.pieces = list(pieces(values_of(self.acls.values())))
        said = {(each.name, *each.words) for each in self.directives}
        # Whose word is taken for whom they speak: then the source is not who connects.
        followed = [] if ("acl_uses_indirect_client", "off") in said else self.directives
        self._followed = Policy(followed, self.acls, "follow_x_forwarded_for")
        self._lower = ("auth_param", "basic", "casesensitive", "on") not in said
        self._starts = [(piece.span.version, piece.span.low) for piece in self.pieces]
        self._always, self._never = (
            Policy(self.directives, self.acls, name) for name in ("always_direct", "never_direct")
        )
        self.hops = list(self._hops())

    def ask(self, request: Request) -> Answer:
        """Say what becomes of a request."""
        piece = self.piece(request.source)
        if self.trusts(piece):
            return Answer(None, "it takes this source's word for who sends (follow_x_forwarded_for)")
        return self._judged(self.left(piece), self.normal(request))

    def next_hops(self, request: Request) -> list[str]:
        """Return where an allowed request goes, in order of preference, as far as only their order in the file decides."""
        piece, request = self.piece(request.source), self.normal(request)
        if _allows(self._always, piece, request):
            return [DIRECT]
        peers = [hop.name for hop in self.hops if not hop.policy.rules or _allows(hop.policy, piece, request)]
        # What is not to be cached, as a tunnel, goes straight where that is not forbidden.
        return peers if _allows(self._never, piece, request) else [DIRECT, *peers]

    def goes_direct(self) -> bool:
        """Whether it may go past its next hops."""
        return not any(
            rule.allow and [term.acl.kind for term in rule.terms] == ["all"] for rule in self._never.rules[:1]
        )

    def piece(self, source: str) -> Piece:
        """Return the addresses that are treated as this one is."""
        try:
            span = parse_span(plain(source))
        except ValueError:
            return Piece(ALL_SPANS[0], ())
        return self.pieces[bisect_right(self._starts, (span.version, span.low)) - 1]

    def left(self, piece: Piece) -> list[Rule]:
        """Return what is left of the rules for these addresses."""
        return self.policy.left(piece, wary=True)

    def trusts(self, piece: Piece) -> bool:
        """Whether it may take the word of these addresses for whom they speak."""
        return self._followed.decide(self._followed.left(piece, wary=True), Request("", "*.any"), doubt=True).allowed

    def normal(self, request: Request) -> Request:
        """Return a request as Squid compares it."""
        host = plain(request.host.strip("[]").lower().rstrip("."))
        user = self.user(request.user) if request.user else request.user
        return replace(request, host=host, user=user, destination=host if _is_address(host) else request.destination)

    def user(self, name: str) -> str:
        """Return a user's name as Squid has it."""
        return name.lower() if self._lower else name

    def _judged(self, left: list[Rule], request: Request) -> Answer:
        """Decide by what is left of the rules."""
        no, yes = (self.policy.decide(left, request, doubt) for doubt in (False, True))
        if no.allowed is yes.allowed:
            line = left[no.place].directive if no.place >= 0 else Directive("", 0, "", ("no line matches",))
            return Answer(no.allowed, " ".join((line.name, *line.words)).strip())
        doubts = (term.acl for rule in self.policy.doubts(left, request) for term in rule.terms if term.acl.unsure)
        reasons = dict.fromkeys(f"{acl.name.strip()} {acl.unsure}" for acl in doubts)
        return Answer(None, ", ".join(reasons) or "a name's address or an address's name decides")

    def _hops(self) -> Iterator[Hop]:
        for each in self.directives:
            if each.name == "cache_peer" and len(each.words) > 2 and each.words[1] == "parent":
                host, _kind, port, *options = each.words
                name = next((word[5:] for word in options if word.startswith("name=")), host)
                yield Hop(name, f"{host}:{port}", Policy(_about(name, self.directives), self.acls, "cache_peer_access"))


def _about(name: str, directives: Iterable[Directive]) -> Iterator[Directive]:
    for each in directives:
        if each.name == "cache_peer_access" and each.words[:1] == (name,):
            yield replace(each, words=each.words[1:])


def _allows(policy: Policy, piece: Piece, request: Request) -> bool:
    return policy.decide(policy.left(piece), request).allowed


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


class Rules(Evaluator):
    """One that the role squid wrote, which says all that decides on a CONNECT, wherever a name leads."""

    def __init__(self, config: str) -> None:
        """Read a configuration.

        Raises:
            ValueError: it has something of which only the proxy knows what it does.
        """
        super().__init__("", {"": config})
        for acl in self.acls.values():
            if acl.kind in _ONLY_THE_PROXY_KNOWS:
                acl.kind, acl.unsure = "never", ""
        for each in self.directives:
            if each.name in UNREAD or (each.name, *each.words[:1]) == ("follow_x_forwarded_for", ALLOW):
                _refuse(each, f"has the directive {each.name}")
        for each in self.policy.skipped:
            _refuse(each, "has http_access without allow or deny and an ACL")
        for rule in self.policy.rules:
            for acl in rule.unsure:
                _refuse(rule.directive, f"uses the ACL {acl.name}, which {acl.unsure}")

    def decide(self, request: Request) -> Decision:
        """Return the first line that matches; where none does, Squid does the opposite of the last line."""
        left = self.policy.left(self.piece(request.source))
        request = replace(request, host=request.host.lower().rstrip("."))
        found = self.policy.decide(left, request)
        if found.place < 0:
            return Decision(ALLOW, 0, "no line denies it") if found.allowed else Decision(DENY, 0, "no line allows it")
        line = left[found.place].directive
        action = CHALLENGE if found.challenge else ALLOW if found.allowed else DENY
        return Decision(action, line.line, " ".join((line.name, *line.words)))


def _refuse(directive: Directive, problem: str) -> None:
    raise ValueError(f"line {directive.line} {problem}, which the role squid of this collection never writes")
