# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ACLs of a squid.conf made by hand: what each of them says of a CONNECT, as far as that is known here.

Private to this collection. What is not known is unsure, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, ip_address, ip_network
from typing import NamedTuple

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._addresses import IPAddress
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_notes import Notes, clean
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_text import Directive


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


class Request(NamedTuple):
    """A request, but for its source."""

    method: str
    port: int
    domains: frozenset[str]
    """Keys of the ACLs of the type dstdomain that its host matches."""
    signed_in: bool


@dataclass(slots=True)
class Acl:
    """All lines of one name, of which one value must match."""

    name: str
    kind: str
    unsure: str = ""
    """Why it may match where its values do not."""
    spans: list[tuple[Span, Directive]] = field(default_factory=list)
    ports: list[tuple[int, int]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    """Methods, or domains in lower case."""

    @property
    def key(self) -> str:
        """Its name as Squid compares it."""
        return self.name.lower()

    def match(self, request: Request) -> Match:
        """Say whether it matches, for all types but src."""
        if self.kind == "auth" and not self.unsure:
            return Match.YES if request.signed_in else Match.SIGN_IN
        if self._has(request):
            return Match.YES
        # What asks for the cache manager, or for this host itself, is no CONNECT to an endpoint.
        never = self.kind in ("manager", "this_host") and request.method == "CONNECT"
        return Match.UNSURE if self.unsure and not never else Match.NO

    def _has(self, request: Request) -> bool:
        """Whether one of its known values matches."""
        if self.kind == "port":
            return any(low <= request.port <= high for low, high in self.ports)
        if self.kind == "method":
            return request.method in self.words
        return self.kind == "all" or (self.kind == "dstdomain" and self.key in request.domains)

    def has_domain(self, host: str) -> bool:
        """Say whether a host, or ``.example.net`` for any below it, is among its domains."""
        labels = host.removeprefix(".").split(".")
        suffixes = {"." + ".".join(labels[start:]) for start in range(len(labels))}
        return host in self.words or not suffixes.isdisjoint(self.words)


ALL_SPANS = (Span(4, 0, 2**32 - 1), Span(6, 0, 2**128 - 1))

_MANAGER = frozenset({"-i", "+i", "cache_object", "^cache_object://", "^https?://[^/]+/squid-internal-mgr/"})
_THIS_HOST = frozenset(
    {"127.0.0.0/8", "0.0.0.0/32", "0.0.0.0/8", "::1", "::1/128", "::/128", "169.254.0.0/16", "fe80::/10"}
)
_DOMAIN = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


def define(directives: Iterable[Directive], schemes: set[str], notes: Notes) -> dict[str, Acl]:
    """Return all ACLs by key, with those that Squid has by itself.

    Args:
        directives: those with the name ``acl``.
        schemes: of ``auth_param``, in lower case.
        notes: get what is not known here.
    """
    acls = {acl.key: acl for acl in _built_in()}
    for directive in directives:
        if len(directive.words) < 2:
            notes.add(directive, "it has no name or no type")
            continue
        name, kind, *values = directive.words
        kind = _kind(name.lower(), kind, values)
        acl = acls.setdefault(name.lower(), Acl(name, kind))
        if acl.kind != kind:
            acl.kind, acl.unsure = "mixed", "is defined with two types"
            notes.add(directive, "the same name has another type in another line, so it is not carried over")
            continue
        _read_values(acl, directive, values, schemes, notes)
    return acls


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


def _kind(name: str, kind: str, values: list[str]) -> str:
    """The type of an ACL, with what older files say of the built-in ones as the built-in one itself."""
    if name == "manager" and kind in ("proto", "url_regex") and _MANAGER.issuperset(values):
        return "manager"
    if name in ("to_localhost", "to_linklocal") and kind == "dst" and _THIS_HOST.issuperset(values):
        return "this_host"
    if name == "all" and kind == "src":
        return "all"
    return "auth" if kind == "proxy_auth" else kind


def _read_values(acl: Acl, directive: Directive, values: list[str], schemes: set[str], notes: Notes) -> None:
    if acl.kind == "auth":
        _read_users(acl, directive, values, schemes, notes)
        return
    if acl.kind in ("all", "manager", "this_host"):
        return
    reader = _READERS.get(acl.kind)
    if reader is None:
        acl.unsure = f"has the type {clean(acl.kind)}"
        notes.add(directive, "ACLs of this type are not carried over")
        return
    for value in values:
        # The option -n of dstdomain: what is asked for by its address does not pass here either way.
        if value == "-n" and acl.kind == "dstdomain":
            continue
        try:
            reader(acl, directive, value)
        except ValueError:
            acl.unsure = "has values that are not known here"
            notes.add(directive, _why(acl.kind, value))


def _why(kind: str, value: str) -> str:
    if value.startswith('"'):
        return f"the file {clean(value)} was not given, so its values are not carried over"
    wanted = {
        "src": "neither an address, a range a-b nor a network",
        "port": "neither a port nor a range",
        "method": "not the name of a method",
        "dstdomain": "neither a host name nor a domain",
    }
    return f"{clean(value)!r} is {wanted[kind]}, so it is not carried over"


def _read_users(acl: Acl, directive: Directive, values: list[str], schemes: set[str], notes: Notes) -> None:
    if "basic" not in schemes:
        acl.unsure = "needs a user by other means than Basic authentication"
        notes.add(directive, "its users sign in by other means than Basic authentication")
    elif values != ["REQUIRED"]:
        acl.unsure = "names users"
        notes.add(
            directive, "it names users; give these sensors sensor_proxy_username and sensor_proxy_password by hand"
        )


def _read_source(acl: Acl, directive: Directive, value: str) -> None:
    acl.spans += [(span, directive) for span in (ALL_SPANS if value.lower() == "all" else [parse_span(value)])]


def _read_port(acl: Acl, directive: Directive, value: str) -> None:
    match = _PORTS.fullmatch(value)
    if not match:
        raise ValueError(value)
    acl.ports.append((int(match[1]), int(match[2] or match[1])))


def _read_method(acl: Acl, directive: Directive, value: str) -> None:
    if not (value.isascii() and value.isupper()):
        raise ValueError(value)
    acl.words.add(value)


def _read_domain(acl: Acl, directive: Directive, value: str) -> None:
    domain = value.lower()
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(value)
    acl.words.add(domain)


_READERS: Mapping[str, Callable[[Acl, Directive, str], None]] = {
    "src": _read_source,
    "port": _read_port,
    "method": _read_method,
    "dstdomain": _read_domain,
}


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


def _span(low: IPAddress, high: IPAddress) -> Span:
    if low.version != high.version or int(low) > int(high):
        raise ValueError(f"{low}-{high}")
    return Span(low.version, int(low), int(high))


def _address(text: str) -> IPAddress:
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
