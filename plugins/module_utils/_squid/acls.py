# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACLs of a squid.conf: what each of them says of a request, as far as that is known here.

Private to this collection; standard library only. What is not known is unsure, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from .._untrusted_text import short
from .read import Directive


class Match(Enum):
    """Whether an ACL matches a request."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"
    SIGN_IN = "sign in"
    """Squid answers 407, since it needs a user first."""


class Span(NamedTuple):
    """Addresses in a row."""

    version: int
    low: int
    high: int

    @property
    def size(self) -> int:
        """How many there are."""
        return self.high - self.low + 1

    def is_in(self, other: Span) -> bool:
        """Whether all of them are among others."""
        return self.version == other.version and other.low <= self.low and self.high <= other.high


@dataclass(frozen=True)
class Request:
    """A request to host:port."""

    source: str
    """Address of the client."""

    host: str
    """``*.example.net`` is any host below example.net that no ACL names."""

    port: int = 443
    user: str | None = None
    """The user as which it is signed in; empty for one that no ACL names."""

    method: str = "CONNECT"
    destination: str | None = None
    """Where the name leads, or the address itself where that is what is asked for; None where nobody says."""

    @property
    def is_literal(self) -> bool:
        """Whether an address is asked for, and is known to be one."""
        return self.destination is not None and self.host == self.destination


@dataclass
class Acl:
    """All lines of one name, of which one value must match."""

    name: str
    kind: str
    unsure: str = ""
    """Why it may match where its values do not."""

    spans: list[tuple[Span, Directive]] = field(default_factory=list)
    ports: list[tuple[int, int]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    """Methods, users, or domains and regular expressions in lower case."""

    problems: list[tuple[Directive, str]] = field(default_factory=list)
    """What of its lines is not known here."""

    looks_up: bool = True
    """Whether it asks DNS for the name of an address, as -n forbids."""

    @property
    def key(self) -> str:
        """Its name as Squid compares it."""
        return self.name.lower()

    @property
    def asks(self) -> bool:
        """Whether it needs a user."""
        return self.kind in _ASKING

    @property
    def never_connects(self) -> bool:
        """Whether no CONNECT to an endpoint matches it."""
        return self.kind in _NEVER_CONNECTS

    def match(self, request: Request) -> Match:
        """Say whether it matches, for all types but src."""
        if self.asks and request.user is None:
            return Match.SIGN_IN
        if self.leads and request.destination is not None:
            return self._leads_to(parse_span(request.destination))
        if self._has(request):
            return Match.YES
        if request.is_literal and self.kind.startswith("dstdom") and self.looks_up:
            return Match.UNSURE
        doubt = self.unsure and not (self.never_connects and request.method == "CONNECT")
        return Match.UNSURE if doubt or (self.kind == "dstdom_regex" and self._may_be(request.host)) else Match.NO

    @property
    def leads(self) -> bool:
        """Whether it is about where a name leads."""
        return self.kind in ("dst", "this_host")

    @property
    def destinations(self) -> list[Span]:
        """Where a name leads that matches."""
        return [*_BUILT_IN_DESTINATIONS.get(self.key, ()), *(span for span, _directive in self.spans)]

    def _leads_to(self, address: Span) -> Match:
        if any(address.is_in(span) for span in self.destinations):
            return Match.YES
        return Match.UNSURE if self.problems else Match.NO

    def _has(self, request: Request) -> bool:
        """Whether one of its known values matches."""
        if self.kind == "port":
            return any(low <= request.port <= high for low, high in self.ports)
        if self.kind == "method":
            return request.method in self.words
        if self.kind == "proxy_auth":
            return "REQUIRED" in self.words or request.user in self.words
        if self.kind == "dstdom_regex":
            # Of the names in a domain, that one matches each or none.
            host = request.host.replace("*", "x", 1) if self.words == {ANY_NAME} else request.host
            return not host.startswith("*") and any(re.search(word, host) for word in self.words)
        return self.kind in ("all", "here") or (self.kind == "dstdomain" and self.has_domain(request.host))

    def has_domain(self, host: str) -> bool:
        """Say whether a host is among its domains."""
        labels = host.split(".")
        suffixes = {"." + ".".join(labels[start:]) for start in range(len(labels))}
        return host in self.words or not suffixes.isdisjoint(self.words)

    def _may_be(self, host: str) -> bool:
        """Whether a regular expression may match a host that ends like this one."""
        return host.startswith("*") and not (host[-1].isalpha() and all(map(_ENDS_WITH_DIGITS.fullmatch, self.words)))


ANY_NAME = r"^([a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z0-9]$"
"""What the role's own file lets clients ask for while it learns."""

ALL_SPANS = (Span(4, 0, 2**32 - 1), Span(6, 0, 2**128 - 1))

_ASKING = frozenset({"proxy_auth", "proxy_auth_regex", "max_user_ip", "external user"})
# What asks for the cache manager, or for what only a URL with a path or a scheme has, and what counts connections.
_NEVER_CONNECTS = frozenset({"manager", "this_host", "proto", "urlpath_regex", "maxconn"})
_MANAGER = frozenset({"-i", "+i", "cache_object", "^cache_object://", "^https?://[^/]+/squid-internal-mgr/"})
_USER = frozenset({"%LOGIN", "%ul"})
"""What in an external_acl_type needs a user."""

_ENDS_WITH_DIGITS = re.compile(r"[^|]*\[[0-9.:]*0-9[0-9.:]*\](\+|\{[1-9][0-9,]*\})?\$")
"""One for addresses: what it matches ends in a digit, a dot or a colon."""


def define(directives: Iterable[Directive]) -> dict[str, Acl]:
    """Return all ACLs by key, with those that Squid has by itself."""
    directives = list(directives)
    ports = [each for each in directives if each.name == "http_port" and each.words]
    # It is asked at the first one.
    here = {word for each in ports[:1] for word in (_name_of(each), each.words[0].rpartition(":")[2])}
    helpers = (each.words for each in directives if each.name == "external_acl_type")
    asking = {words[0] for words in helpers if not _USER.isdisjoint(words)}
    acls = {acl.key: acl for acl in _built_in()}
    for directive in directives:
        if directive.name != "acl" or len(directive.words) < 2:
            continue
        name, kind, *values = directive.words
        kind = _kind(name.lower(), kind, values, here, asking)
        acl = acls.setdefault(name.lower(), Acl(name, kind))
        if (acl.kind, kind) == ("this_host", "dst"):
            acl.kind = kind
        if acl.kind != kind:
            acl.kind, acl.unsure = "mixed", "is defined with two types"
            acl.problems.append(
                (directive, "the same name has another type in another line, so it is not carried over")
            )
        elif kind not in _SIMPLE:
            _read_values(acl, directive, values)
    return acls


def _name_of(port: Directive) -> str:
    """By which name myportname knows a port."""
    return next((word[5:] for word in port.words if word.startswith("name=")), port.words[0])


def _built_in() -> list[Acl]:
    here = Directive("", 0, "acl")
    loopback = (Span(4, int(IPv4Address("127.0.0.1")), int(IPv4Address("127.0.0.1"))), Span(6, 1, 1))
    return [
        Acl("all", "all"),
        Acl("localhost", "src", spans=[(span, here) for span in loopback]),
        Acl("manager", "manager", unsure="is about the cache manager"),
        Acl("to_localhost", "this_host", unsure="is about the address that a name has"),
        Acl("to_linklocal", "this_host", unsure="is about the address that a name has"),
        Acl("CONNECT", "method", words={"CONNECT"}),
    ]


_SIMPLE = frozenset({"all", "here", "elsewhere", "manager", "this_host"})


def _kind(name: str, kind: str, values: list[str], here: set[str], asking: set[str]) -> str:
    """The type of an ACL, with what older files say of the built-in ones as the built-in one itself."""
    if name == "manager" and kind in ("proto", "url_regex") and _MANAGER.issuperset(values):
        return "manager"
    if kind in ("myportname", "localport", "myport") and here and not any("-" in value for value in values):
        return "elsewhere" if here.isdisjoint(values) else "here"
    if kind == "external" and values[:1] and values[0] in asking:
        return "external user"
    return "all" if name == "all" and kind == "src" else kind


def _read_values(acl: Acl, directive: Directive, values: list[str]) -> None:
    form = _FORMS.get(acl.kind)
    if acl.kind not in _FORMS:
        acl.unsure = f"has the type {acl.kind}"
        if not acl.never_connects:
            acl.problems.append((directive, "ACLs of this type are not carried over"))
        return
    if acl.kind == "dst":
        acl.unsure = "is about the address that a name has"
    acl.looks_up &= values[:1] != ["-n"]
    for value in values:
        # With -n what is asked for by its address does not match; it does not pass here either way.
        if value in _OPTIONS.get(acl.kind, ()):
            continue
        try:
            _read_value(acl, directive, value)
        except ValueError:
            acl.unsure = "has values that are not known here"
            wanted = "neither an address, a range a-b nor a network" if form is None else form[1]
            what = f"{short(value)!r} is {wanted}, so it is"
            if value.startswith('"'):
                what = f"the file {short(value)} was not given, so its values are"
            acl.problems.append((directive, f"{what} not carried over"))


def _read_value(acl: Acl, directive: Directive, value: str) -> None:
    form = _FORMS[acl.kind]
    if form is None:
        acl.spans += [(span, directive) for span in (ALL_SPANS if value.lower() == "all" else [parse_span(value)])]
        return
    word = value.lower() if acl.kind.startswith("dstdom") else value
    match = form[0].fullmatch(word)
    # Squid has the name in lower case, so that without -i upper case never matches a regular expression.
    if not match or (acl.kind == "dstdom_regex" and word != value and "-i" not in directive.words):
        raise ValueError(value)
    if acl.kind == "port":
        acl.ports.append((int(match[1]), int(match[2] or match[1])))
        return
    if acl.kind == "dstdom_regex":
        try:
            re.compile(word)
        except re.error as error:
            raise ValueError(value) from error
    acl.words.add(word)


_FORMS: Mapping[str, tuple[re.Pattern[str], str] | None] = {
    "src": None,
    "dst": None,
    "port": (re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII), "neither a port nor a range"),
    "method": (re.compile(r"[A-Z][A-Z0-9_-]*", re.ASCII), "not the name of a method"),
    "dstdomain": (re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII), "neither a host name nor a domain"),
    # One that means the same to Python as to Squid.
    "dstdom_regex": (
        re.compile(r"(?:[][a-z0-9_.^$*+?|(){},:]|(?<!^)-|\\[.-])+", re.ASCII),
        "a regular expression that is not read here",
    ),
    "proxy_auth": (re.compile(r"[^-\"].*"), "no user's name"),
}
"""What a value of each type is like, and what one is that is not; None for addresses."""

_OPTIONS = {"dstdomain": ("-n",), "dstdom_regex": ("-n", "-i")}


def parse_span(text: str) -> Span:
    """Read what stands in an ACL of the type src: an address, a range, or a network by its length or mask.

    Raises:
        ValueError: it is none of them.
    """
    first, dash, last = text.partition("-")
    address, slash, mask = text.partition("/")
    if dash:
        span = _span(_address(first), _address(last))
    elif slash:
        # Squid takes the network that the address is in.
        network = ip_network(f"{ip_address(address)}/{_length(mask)}", strict=False)
        span = _span(network[0], network[-1])
    else:
        span = _span(_address(text), _address(text))
    return _plain(span)


def _span(low: IPv4Address | IPv6Address, high: IPv4Address | IPv6Address) -> Span:
    if low.version != high.version or int(low) > int(high):
        raise ValueError(f"{low}-{high}")
    return Span(low.version, int(low), int(high))


def _address(text: str) -> IPv4Address | IPv6Address:
    if "%" in text:
        raise ValueError(text)
    return ip_address(text)


def _length(mask: str) -> int:
    if mask.isascii() and mask.isdigit():
        return int(mask)
    bits = int(IPv4Address(mask)) ^ (2**32 - 1)
    # The module ipaddress would read the mask 0.0.0.255 as /24; Squid does not.
    if bits & (bits + 1):
        raise ValueError(mask)
    return 32 - bits.bit_length()


_MAPPED = 0xFFFF << 32
"""Where IPv4 addresses lie in IPv6."""


def _plain(span: Span) -> Span:
    """The same addresses as IPv4, where that is what they are."""
    if span.version == 4 or span.high < _MAPPED or span.low >= _MAPPED + 2**32:
        return span
    if span.low < _MAPPED or span.high >= _MAPPED + 2**32:
        raise ValueError("it has IPv4 addresses and others")
    return Span(4, span.low - _MAPPED, span.high - _MAPPED)


_BUILT_IN_DESTINATIONS = {
    name: [parse_span(each) for each in spans]
    for name, spans in (
        ("to_localhost", ("127.0.0.0/8", "0.0.0.0/32", "::1", "::")),
        ("to_linklocal", ("169.254.0.0/16", "fe80::/10")),
    )
}
