# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Squid with a configuration does with a request, for any configuration and any request: allowed, refused, or not to be judged.

Private to this collection. A real Squid is asked the same (molecule/default, 5.7, 6.13 and 7): it never disagrees with what is judged.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import NamedTuple

from ...module_utils._squid.acls import ALL_SPANS, Request, define, parse_span
from ...module_utils._squid.evidence import plain
from ...module_utils._squid.read import Directive, read
from ...module_utils._squid.rules import Piece, Policy, Rule, pieces, values_of

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
        return self.decide(self.left(piece), self.normal(request))

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

    def decide(self, left: list[Rule], request: Request) -> Answer:
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
