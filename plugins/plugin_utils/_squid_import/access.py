# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may CONNECT to which endpoints by a squid.conf made by hand, as far as an inventory can say the same.

Private to this collection. An inventory has for a proxy one list of endpoints, one switch for signing in, and a host for each address.
It never lets in more than the configuration did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from itertools import product
from typing import Any, NamedTuple

from ...module_utils._squid import rules as squid_rules
from ...module_utils._squid.acls import ALL_SPANS, Acl, Request, Span, define, parse_span
from ...module_utils._squid.read import Directive
from ...module_utils._squid.rules import UNREAD, Piece, Policy, Rule, Value, Verdict
from .._chain.addresses import INSIDE, parse_address
from .._chain.endpoints import PORT
from .._chain.inventory import source_problem
from .._chain.names import username_problem
from .hosts import ANY, Hosts
from .notes import Notes, clean, some

NOT_LET = "nothing lets it CONNECT to port 443, so it is no sensor"
NO_HOST = "it is not the address of one host outside of this one"
ELSEWHERE = "it may not reach all of squid_endpoints, which is one list for all sensors of a proxy; it is left out"
NO_ENDPOINT = "it may reach nothing that squid_endpoints can name, so it is left out"
OTHER_USER = "it must sign in, and most others need not; squid_auth_enabled is one switch for all clients of a proxy, so it is left out"
OTHER_LOGIN = "it must sign in as another user than most others, so it is left out"
HERE = "it admits the proxy's own host, which gets no access here"

SHOWN = 8
"""So many networks are named in a sentence."""


@dataclass
class Access:
    """What is carried over."""

    endpoints: list[str] = field(default_factory=list)
    """Sorted, a domain with a dot before it."""
    user: str | None = None
    """As whom clients sign in: nobody, or empty for a user that is not known."""
    sources: dict[str, str] = field(default_factory=dict)
    """Name of the ACL by address."""
    uncertain: dict[str, str] = field(default_factory=dict)
    """The same of those that a line of which it is not known when it matches may refuse."""
    wide: bool = False
    """Whether there are networks of which hosts can be named."""

    def drop(self, addresses: Iterable[str]) -> list[str]:
        """Take these out of the sources, and return those that were among them."""
        return [each for each in addresses if self.sources.pop(each, self.uncertain.pop(each, None))]


@dataclass(frozen=True)
class Where:
    """What the sentences name."""

    limit: int
    """So many addresses of one value of an ACL may become hosts, and no more."""
    group: str
    """The group of the sensors."""
    uncertain: str
    """The group of those that are not certain."""
    logged: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The hosts that an access log says each address reached."""


def read_access(directives: Iterable[Directive], where: Where, notes: Notes) -> Access:
    """Find out who may go where; ``notes`` gets whatever is not carried over."""
    directives = list(directives)
    acls = define(directives)
    _note_acls(directives, acls, notes)
    policy = Policy(directives, acls)
    _note_rules(directives, policy, notes)
    return _Judge(directives, acls, policy, where, notes).judge()


def _note_acls(directives: Iterable[Directive], acls: Mapping[str, Acl], notes: Notes) -> None:
    note_insides(acls)
    for acl in acls.values():
        acl.problems += [
            (line, "ACLs of this type are not carried over") for _span, line in acl.spans if acl.kind == "dst"
        ]
        for directive, why in acl.problems:
            notes.add(directive, why)
    for each in directives:
        if each.name == "acl" and len(each.words) < 2:
            notes.add(each, "it has no name or no type")


def note_insides(acls: Mapping[str, Acl]) -> None:
    """Where no endpoint's name leads, no CONNECT to it matches."""
    for acl in acls.values():
        inside = all(any(span.is_in(network) for network in _INSIDE) for span, _directive in acl.spans)
        if acl.kind == "dst" and acl.spans and inside and not acl.problems:
            acl.kind = "this_host"


_INSIDE = [Span(network.version, int(network[0]), int(network[-1])) for network in INSIDE]


def _note_rules(directives: Iterable[Directive], policy: Policy, notes: Notes) -> None:
    for each in policy.skipped:
        notes.add(each, "it has no allow or deny, or no ACL, so Squid skips it")
    for each in directives:
        if each.name in UNREAD and each.words != ("allow", "all"):
            notes.add(each, UNREAD[each.name])
    for rule in policy.rules:
        if rule.unsure:
            reasons = ", ".join(dict.fromkeys(f"{clean(acl.name)} {acl.unsure}" for acl in rule.unsure))
            effect = "what only this line allows is not certain" if rule.allow else "what it may refuse is not certain"
            notes.add(rule.directive, f"{reasons}; {effect}")
        kinds = {term.acl.kind for term in rule.terms}
        if "this_host" in kinds:
            notes.add(
                rule.directive, "here a name of squid_endpoints passes a proxy with parents, whatever address it has"
            )
        if "maxconn" in kinds:
            notes.add(rule.directive, "how many connections an address may have is squid_client_max_connections here")


class _View:
    """What becomes of the requests of a source, once for all that the rules treat alike."""

    def __init__(
        self, policy: Policy, rules: list[Rule], classes: Iterable[str], others: list[tuple[str, int, str]]
    ) -> None:
        self._policy = policy
        self._rules = rules
        self._classes = list(classes)
        self._others = others
        self._known: dict[tuple[str | None, bool], dict[str, Verdict]] = {}

    def verdicts(self, user: str | None, doubt: bool = False) -> dict[str, Verdict]:
        """Return by class of hosts what becomes of a CONNECT to port 443; ``doubt`` as for the policy."""
        key = (user, doubt)
        if key not in self._known:
            self._known[key] = {
                each: self._policy.decide(self._rules, Request("", each, PORT, user), doubt) for each in self._classes
            }
        return self._known[key]

    def allowed(self, user: str | None, doubt: bool = False) -> frozenset[str]:
        """Return the classes of hosts that it may reach."""
        return frozenset(each for each, verdict in self.verdicts(user, doubt).items() if verdict.allowed)

    @cached_property
    def more(self) -> dict[int, str]:
        """What each place may allow besides."""
        found: dict[int, dict[str, None]] = {}
        for each in self._classes:
            for method, port, what in self._others:
                verdict = self._policy.decide(self._rules, Request("", each, port, "", method), doubt=True)
                if verdict.allowed:
                    found.setdefault(verdict.place, {})[what] = None
        return {place: " and ".join(what) for place, what in found.items()}


class _Seen(NamedTuple):
    """A piece of the address space, and what its addresses may do."""

    piece: Piece
    rules: list[Rule]
    view: _View
    small: bool
    """Whether its addresses become hosts."""

    @property
    def here(self) -> bool:
        """Whether it is the proxy's own host, which is no sensor."""
        return any(value.built_in for value in self.piece.values)

    def line(self, place: int) -> Directive | None:
        """Return the line that decided."""
        return self.rules[place].directive if place >= 0 else None

    def deciding(self, user: str | None, hosts: Iterable[str], doubt: bool = False) -> list[Directive | None]:
        """The lines by which it may reach these classes of hosts; None for no line at all."""
        verdicts = self.view.verdicts(user, doubt)
        places = dict.fromkeys(verdicts[host].place for host in hosts if verdicts[host].allowed)
        return [self.line(place) for place in places]


class _State(NamedTuple):
    """What becomes of a piece, and why."""

    carried: bool = False
    uncertain: bool = False
    why: str = ""


class _Judge:
    def __init__(
        self, directives: list[Directive], acls: dict[str, Acl], policy: Policy, where: Where, notes: Notes
    ) -> None:
        self._directives, self._acls = directives, acls
        self._hosts = Hosts(acls.values())
        self._values = squid_rules.values_of(acls.values())
        self._policy = policy
        self._where = where
        self._notes = notes
        self._users = [None, "", *_users(directives, acls)]
        self._beyond: dict[tuple[str, ...], str] = {}
        self._followed = _followed(directives, acls, notes)
        others, views = _others(acls.values()), dict[Any, _View]()
        self._seen = []
        line = Directive("", -1, "")
        logged = (Value(-1 - number, _LOGGED, parse_span(text), line, True) for number, text in enumerate(where.logged))
        for piece in squid_rules.pieces([*self._values, *logged]):
            rules = policy.left(piece)
            key = tuple(rule.key for rule in rules)
            if key not in views:
                views[key] = _View(policy, rules, self._hosts.classes, others)
            self._seen.append(_Seen(piece, rules, views[key], any(map(self._is_small, piece.values))))
        self._voters = [seen for seen in self._seen if not seen.here]
        self._used = {term.acl.key for rule in policy.rules for term in rule.terms}
        for each in directives:
            if each.name == "acl" and each.words and each.words[0].lower() not in self._used and not notes.has(each):
                notes.add(each, "no http_access line names it")

    def judge(self) -> Access:
        """Find what most of them have in common, and who has it."""
        doubt = not any(seen.view.allowed(user) for seen in self._voters for user in self._users)
        user = self._user(doubt)
        endpoints = self._endpoints(user, doubt)
        covered = self._hosts.covered(endpoints)
        self._seen = [seen._replace(small=seen.small or self._is_logged(seen, endpoints)) for seen in self._seen]
        states = [(seen, self._state(seen, user, covered)) for seen in self._seen]
        carried = [seen for seen, state in states if state.carried]
        for seen in carried:
            self._note_carried(seen, user, endpoints)
        self._note_wide(states, user)
        for acl in self._acls.values():
            named = acl.kind == "proxy_auth" and acl.words - {"REQUIRED"} and user not in acl.words
            for each in self._directives if named and acl.key in self._used else ():
                if each.name == "acl" and each.words and each.words[0].lower() == acl.key:
                    self._notes.add(each, "it names users, as none of whom a sensor may sign in here")
        self._note_values(states)
        lines = {line for seen in carried for line in seen.deciding(user, covered)}
        for rule in self._policy.rules:
            if rule.allow and rule.directive not in lines and not self._notes.has(rule.directive):
                self._notes.add(rule.directive, "no sensor is carried over from it")
        return Access(
            endpoints,
            user,
            self._names(seen for seen in carried if seen.small),
            self._names(seen for seen, state in states if state.uncertain and seen.small),
            any(not seen.small for seen in carried),
        )

    def _is_small(self, value: Value) -> bool:
        return value.directive.line > 0 and value.span.size <= self._where.limit

    def _is_logged(self, seen: _Seen, endpoints: Iterable[str]) -> bool:
        """Whether a log says that it reached an endpoint."""
        if not any(value.acl is _LOGGED for value in seen.piece.values):
            return False
        reached = self._where.logged[address(seen.piece.span.version, seen.piece.span.low)]
        return any(is_allowed(host, endpoints) for host in reached)

    def _user(self, doubt: bool) -> str | None:
        """As whom most of them sign in, a network counting as much as the largest that gets hosts."""
        sizes, wide = Counter[str | None](), set[str | None]()
        for seen in self._voters:
            for user in self._users:
                if seen.view.allowed(user, doubt):
                    sizes[user] += seen.piece.span.size if seen.small else 0
                    wide |= set() if seen.small else {user}
                    break
        sizes.update(dict.fromkeys(wide, self._where.limit))
        return max(self._users, key=lambda user: sizes[user])

    def _endpoints(self, user: str | None, doubt: bool) -> list[str]:
        """Those of the most sources, since there is one list for all; of networks only where no address has a list of its own."""
        small, wide = Counter[frozenset[str]](), Counter[frozenset[str]]()
        for seen in self._voters:
            (small if seen.small else wide)[seen.view.allowed(user, doubt)] += seen.piece.span.size
        lists = {allowed: self._hosts.endpoints(allowed) for allowed in {**small, **wide}}
        named = [allowed for allowed, _size in small.most_common() if lists[allowed]]
        network = [allowed for allowed, _size in wide.most_common() if lists[allowed]]
        own = [allowed for allowed in network if ANY not in allowed]
        if own and (not named or (ANY in named[0] and small[named[0]] < self._where.limit)):
            named = own
        return next((lists[allowed] for allowed in [*named, *network]), [])

    def _state(self, seen: _Seen, user: str | None, covered: frozenset[str]) -> _State:
        span, view = seen.piece.span, seen.view
        if seen.small and any(
            source_problem(parse_address(address(span.version, each))) for each in (span.low, span.high)
        ):
            return _State(why=NO_HOST)
        if seen.here and not seen.small:
            return _State(why=HERE)
        if covered and covered <= view.allowed(user, doubt=True):
            if trusting := self._trusting(seen.piece):
                return self._uncertain(
                    seen, trusting, "takes its word for who sends, and here whoever it speaks for would get in"
                )
            if covered <= view.allowed(user):
                return _State(carried=True)
            doubts = [
                rule
                for each in sorted(covered)
                for rule in self._policy.doubts(seen.rules, Request("", each, PORT, user))
            ]
            denials = [rule for rule in doubts if not rule.allow]
            return self._uncertain(seen, denials or doubts, "may refuse it" if denials else "may or may not let it in")
        if view.allowed(user, doubt=True):
            return _State(why=ELSEWHERE if covered else NO_ENDPOINT)
        if any(view.allowed(each, doubt=True) for each in self._users):
            return _State(why=OTHER_USER if user is None else OTHER_LOGIN)
        return _State(why=NOT_LET)

    def _trusting(self, piece: Piece) -> list[Rule]:
        """The line by which Squid takes the word of these addresses for whom they speak."""
        rules = self._followed.left(piece)
        found = self._followed.decide(rules, Request("", ANY), doubt=True)
        return [(rules if found.place >= 0 else self._followed.rules)[found.place]] if found.allowed else []

    def _uncertain(self, seen: _Seen, rules: Iterable[Rule], what: str) -> _State:
        lines = sorted({rule.directive.line for rule in rules})
        where = (
            f"so it is in the group {self._where.uncertain}, which admits nobody" if seen.small else "so it is left out"
        )
        return _State(uncertain=True, why=f"line{'s' * (len(lines) > 1)} {some(map(str, lines))} {what}, {where}")

    def _note_carried(self, seen: _Seen, user: str | None, endpoints: list[str]) -> None:
        for place, what in seen.view.more.items():
            # What is unsure of a line is said already.
            if place < 0 or not seen.rules[place].unsure:
                self._add(seen.line(place), f"it also allows {what}; here CONNECT to port 443 is all")
        excess: dict[Directive | None, list[str]] = {}
        verdicts = seen.view.verdicts(user)
        for each in seen.view.allowed(user):
            excess.setdefault(seen.line(verdicts[each].place), []).append(each)
        for by, classes in excess.items():
            key = tuple(classes)
            if key not in self._beyond:
                self._beyond[key] = (
                    "any endpoint" if ANY in key else some(map(_host, self._hosts.beyond(classes, endpoints)))
                )
            if self._beyond[key]:
                self._add(by, f"it also allows {self._beyond[key]}; here squid_endpoints is all")
        maybe: dict[Directive, list[str]] = {}
        for each in sorted(seen.view.allowed(user, doubt=True) - seen.view.allowed(user)):
            for doubtful in self._policy.doubts(seen.rules, Request("", each, PORT, user)):
                maybe.setdefault(doubtful.directive, []).append(each)
        for line, classes in maybe.items():
            names = "any endpoint" if ANY in classes else some(map(_host, self._hosts.beyond(classes, endpoints)))
            self._add(line, f"whether it decides on {names} is not certain, so squid_endpoints has none of that")
        if user is not None and seen.view.allowed(None):
            for by in seen.deciding(None, self._hosts.covered(endpoints)):
                self._add(by, "it wants no user; with squid_auth_enabled all clients of a proxy need one")

    def _note_wide(self, states: list[tuple[_Seen, _State]], user: str | None) -> None:
        carried = [seen.piece.span for seen, state in states if state.carried and seen.small]
        wide: dict[tuple[Directive | None, str], list[Span]] = {}
        for seen, state in states:
            if seen.small:
                continue
            ways = product((False, True), dict.fromkeys([user, *self._users]))
            lines = (seen.deciding(each, seen.view.allowed(each, doubt), doubt) for doubt, each in ways)
            for line in next(filter(None, lines), ()):
                wide.setdefault((line, state.why), []).append(seen.piece.span)
        for (line, why), spans in wide.items():
            if why == HERE:
                if not any(line == other for other, reason in wide if reason != HERE):
                    self._add(line, HERE)
                continue
            what = f"; {why}" if why else f", so enter the sensors in it by hand, in the group {self._where.group}"
            limit = f"a network of more than {self._where.limit} addresses gets no hosts"
            self._add(line, f"it admits {spans_text(spans, carried)}; {limit}{what}")

    def _note_values(self, states: list[tuple[_Seen, _State]]) -> None:
        """Name what an ACL of sources has and the inventory has not."""
        found: dict[Directive, dict[str, set[Span]]] = {}
        for seen, state in states:
            inside = seen.piece.keys(sure=True)
            for value in seen.piece.values:
                if value.acl.key not in inside:
                    self._notes.add(
                        value.directive,
                        f"{spans_text([value.span])} overlaps a value before it; Squid 5 and 6 leave it out, 7 does not",
                    )
                # Of what is admitted in a network the line that admits it has a note.
                why = state.why if seen.small or state.why == NOT_LET else ""
                found.setdefault(value.directive, {}).setdefault(why, set()).add(seen.piece.span)
        for value in self._values:
            by_state = found.pop(value.directive, {})
            # Of a network only the whole matters.
            if not value.built_in and value.acl.key in self._used and (self._is_small(value) or len(by_state) == 1):
                for why, spans in by_state.items():
                    if why:
                        self._notes.add(
                            value.directive, (f"for {spans_text(spans)}, " if len(by_state) > 1 else "") + why
                        )

    def _add(self, line: Directive | None, why: str) -> None:
        if line:
            self._notes.add(line, why)
        else:
            self._notes.say(f"where no http_access line matches, the last one's opposite counts: {why}")

    def _names(self, found: Iterable[_Seen]) -> dict[str, str]:
        """Each address with the name of the smallest ACL that it is among."""
        sizes: Counter[str] = Counter()
        for value in self._values:
            sizes[value.acl.key] += value.span.size
        named: dict[int, list[tuple[str, str]]] = {}
        for seen in found:
            values = [value for value in seen.piece.values if value.acl is not _LOGGED]
            small = min(values, key=lambda value: (sizes[value.acl.key], value.number), default=None)
            span = seen.piece.span
            for number in range(span.low, span.high + 1):
                text = address(span.version, number)
                named.setdefault(small.number if small else -1, []).append(
                    (text, small.acl.name if small else "sensor")
                )
        return {text: name for _number, group in sorted(named.items()) for text, name in group}


_LOGGED = Acl(" logged", "src")


def address(version: int, number: int) -> str:
    """Return an address as text."""
    return str(IPv4Address(number) if version == 4 else IPv6Address(number))


def spans_text(spans: Iterable[Span], known: Iterable[Span] = ()) -> str:
    """Return what addresses these are, with known ones between them; of more than half of all that there are, which are not."""
    spans, known = list(spans), list(known)
    rows = [row for row in _joined([*spans, *known]) if any(span.is_in(row) for span in spans)]
    found: list[str] = []
    for everything in ALL_SPANS:
        of = [row for row in rows if row.version == everything.version]
        if sum(row.size for row in of) * 2 <= everything.size:
            found += map(_row, of)
            continue
        gaps, low = [], 0
        for row in [*_joined([*of, *(each for each in known if each.version == everything.version)]), None]:
            gaps += [Span(everything.version, low, (row.low if row else everything.high + 1) - 1)]
            low = row.high + 1 if row else low
        but = ", ".join(_row(gap) for gap in gaps if gap.size)
        found.append(f"every IPv{everything.version} address" + (f" (but {but})" if but else ""))
    return some(found, SHOWN)


def _joined(spans: Iterable[Span]) -> list[Span]:
    rows: list[Span] = []
    for span in sorted(spans):
        if rows and rows[-1].version == span.version and rows[-1].high + 1 >= span.low:
            rows[-1] = rows[-1]._replace(high=max(rows[-1].high, span.high))
        else:
            rows.append(span)
    return rows


def _row(span: Span) -> str:
    return "-".join(dict.fromkeys(address(span.version, each) for each in (span.low, span.high)))


def is_allowed(host: str, endpoints: Iterable[str]) -> bool:
    """Say whether endpoints allow a host."""
    return any(f".{host}".endswith(each) if each.startswith(".") else host == each for each in endpoints)


def _host(host: str) -> str:
    return f"names below {host[2:]}" if host.startswith("*.") else host


def _users(directives: Iterable[Directive], acls: Mapping[str, Acl]) -> Iterator[str]:
    """A user of each kind that the ACLs tell apart. Unless told otherwise, Squid has names in lower case."""
    lower = ("basic", "casesensitive", "on") not in {
        tuple(each.words[:3]) for each in directives if each.name == "auth_param"
    }
    named: dict[str, set[str]] = {}
    for acl in acls.values():
        for word in acl.words - {"REQUIRED"} if acl.kind == "proxy_auth" else ():
            if not username_problem(word) and not (lower and word != word.lower()):
                named.setdefault(word, set()).add(acl.key)
    return iter({frozenset(keys): word for word, keys in sorted(named.items(), reverse=True)}.values())


def _followed(directives: list[Directive], acls: Mapping[str, Acl], notes: Notes) -> Policy:
    """The lines that say whose word is taken for whom they speak."""
    if ("acl_uses_indirect_client", "off") in {(each.name, *each.words) for each in directives}:
        return Policy([], acls)
    found = Policy(directives, acls, "follow_x_forwarded_for")
    for rule in found.rules:
        notes.add(
            rule.directive,
            "here the source is who connects, whatever X-Forwarded-For says; a sensor behind another proxy has that one's address",
        )
    return found


def _others(acls: Iterable[Acl]) -> list[tuple[str, int, str]]:
    """Other requests: method, port and what they are, one of each kind that the ACLs tell apart."""
    acls = list(acls)
    methods = {"another"}.union(*(acl.words for acl in acls if acl.kind == "method")) - {"CONNECT"}
    ports = [acl for acl in acls if acl.kind == "port"]
    ranges = [each for acl in ports for each in acl.ports]
    cuts = sorted({0, PORT, PORT + 1, *(low for low, _high in ranges), *(high + 1 for _low, high in ranges)})
    alike = {
        frozenset(acl.key for acl in ports if any(low <= port <= high for low, high in acl.ports)): port
        for port in cuts
        if port != PORT and port <= 65535
    }
    found = [("CONNECT", port, "CONNECT to other ports") for port in alike.values()]
    return found + [(each, port, "other methods") for each in sorted(methods) for port in (PORT, *alike.values())]
