# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which line of a squid.conf of this collection decides on a CONNECT, found as Squid finds it: the first that matches.

Private to this collection; standard library only, since it runs on targets. It knows what the role's template writes, and
says so when it meets anything else.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._client_evidence import plain

ALLOW, DENY, CHALLENGE = "allow", "deny", "challenge"


class Decision(NamedTuple):
    """What Squid does with a request, and by which line."""

    action: str
    """``allow``, ``deny``, or ``challenge``: 407, since the line needs a user."""

    line: int
    """Its number, from 1; 0 when no line matches."""

    text: str


@dataclass(frozen=True)
class Request:
    """A CONNECT to host:port."""

    source: str
    """Address of the client."""

    host: str
    port: int = 443
    user: str | None = None
    """The user as which it is signed in."""


@dataclass
class _Acl:
    """An ACL: all lines of one name, of which one value must match."""

    kind: str
    values: set[str] = field(default_factory=set)

    def matches(self, request: Request) -> bool | None:
        """Say whether it matches; None when a user is needed first."""
        if self.kind == "src":
            return request.source in self.values
        if self.kind == "port":
            return str(request.port) in self.values
        if self.kind == "dstdomain":
            return any(name in self.values for name in _suffixes(request.host))
        if self.kind == "proxy_auth":
            return None if request.user is None else "REQUIRED" in self.values or request.user in self.values
        # The header of our own probe, which no client has; what Squid was told of a parent, which admits nobody; where a name
        # leads, and who guesses passwords, which only the proxy knows.
        return False


class _Term(NamedTuple):
    """An ACL in a line."""

    name: str
    negated: bool


class _Line(NamedTuple):
    """A line of http_access."""

    number: int
    text: str
    action: str
    terms: tuple[_Term, ...]


_BUILT_IN = {"all": True, "connect": True, "manager": False}
"""What Squid defines by itself, in lower case, and whether a CONNECT matches it."""

_KINDS = frozenset({"src", "port", "dstdomain", "proxy_auth", "req_header", "note", "dst", "external"})

_IRRELEVANT = frozenset(
    {
        "access_log",
        "auth_param",
        "cache",
        "cache_mem",
        "cache_peer",
        "cache_peer_access",
        "client_ip_max_connections",
        "connect_timeout",
        "coredump_dir",
        "debug_options",
        "deny_info",
        "email_err_data",
        "eui_lookup",
        "external_acl_type",
        "forwarded_for",
        "http_port",
        "httpd_suppress_version_string",
        "https_port",
        "logfile_rotate",
        "logformat",
        "max_filedescriptors",
        "negative_dns_ttl",
        "never_direct",
        "note",
        "pinger_enable",
        "positive_dns_ttl",
        "read_timeout",
        "reply_header_add",
        "request_header_access",
        "request_start_timeout",
        "request_timeout",
        "shutdown_lifetime",
        "url_rewrite_bypass",
        "url_rewrite_children",
        "url_rewrite_extras",
        "url_rewrite_program",
        "url_rewrite_timeout",
        "via",
        "visible_hostname",
        "workers",
    }
)
"""The template's directives that do not decide on a CONNECT of a client."""


class Rules:
    """The http_access rules of one configuration."""

    def __init__(self, config: str) -> None:
        """Read a configuration.

        Raises:
            ValueError: it has something that the role's template never writes.
        """
        self._acls: dict[str, _Acl] = {}
        self._lines: list[_Line] = []
        for number, raw in enumerate(config.splitlines(), 1):
            words = raw.partition("#")[0].split()
            if words[:1] == ["include"]:
                raise ValueError(
                    f"line {number} includes another file, which the role squid of this collection never does"
                )
            if words:
                try:
                    self._read(number, words)
                except ValueError as error:
                    raise ValueError(
                        f"line {number} {error}, which the role squid of this collection never writes"
                    ) from None
        for line in self._lines:
            for term in line.terms:
                if term.name not in self._acls and term.name not in _BUILT_IN:
                    raise ValueError(f"line {line.number} uses the ACL {term.name}, which is not defined")
        # With a line for each of 1,000 sensors, only the lines of the one that asks are looked at.
        self._of_all: list[_Line] = []
        self._of_source: dict[str, list[_Line]] = {}
        for line in self._lines:
            sources = self._sources(line)
            if sources is None:
                self._of_all.append(line)
            for source in sources or ():
                self._of_source.setdefault(source, []).append(line)

    def decide(self, request: Request) -> Decision:
        """Return the first line that matches; where none does, Squid does the opposite of the last line."""
        request = Request(plain(request.source), request.host.lower().rstrip("."), request.port, request.user)
        for line in heapq.merge(self._of_all, self._of_source.get(request.source, [])):
            matched = self._match(line.terms, request)
            if matched is None:
                return Decision(CHALLENGE, line.number, line.text)
            if matched:
                return Decision(line.action, line.number, line.text)
        if self._lines and self._lines[-1].action == DENY:
            return Decision(ALLOW, 0, "no line denies it")
        return Decision(DENY, 0, "no line allows it")

    def _read(self, number: int, words: list[str]) -> None:
        directive, *values = words
        if directive == "acl":
            self._define(values)
        elif directive == "http_access":
            if len(values) < 2 or values[0] not in (ALLOW, DENY):
                raise ValueError("has http_access without allow or deny and an ACL")
            terms = tuple(_Term(name.removeprefix("!").lower(), name.startswith("!")) for name in values[1:])
            self._lines.append(_Line(number, " ".join(words), values[0], terms))
        elif directive not in _IRRELEVANT:
            raise ValueError(f"has the directive {directive}")

    def _define(self, words: list[str]) -> None:
        if len(words) < 3:
            raise ValueError("has an ACL without a value")
        name, kind, *values = words
        if kind not in _KINDS:
            raise ValueError(f"has an ACL of the type {kind}")
        acl = self._acls.setdefault(name.lower(), _Acl(kind))
        if acl.kind != kind or name.lower() in _BUILT_IN:
            raise ValueError(f"defines the ACL {name} anew")
        acl.values.update(_values(kind, values))

    def _sources(self, line: _Line) -> set[str] | None:
        """The addresses for which a line counts; None when its first ACL does not say, since another one may ask for a user."""
        acl = self._acls.get(line.terms[0].name)
        return acl.values if acl is not None and acl.kind == "src" and not line.terms[0].negated else None

    def _match(self, terms: Iterable[_Term], request: Request) -> bool | None:
        for term in terms:
            acl = self._acls.get(term.name)
            matched = _BUILT_IN[term.name] if acl is None else acl.matches(request)
            if matched is None:
                return None
            if matched == term.negated:
                return False
        return True


def _values(kind: str, values: list[str]) -> Iterator[str]:
    """Read an ACL's values; what would match in a way that is not known here is refused."""
    if kind == "dstdomain":
        # Without it, an address might pass by the name that DNS has for it.
        if values[0] != "-n":
            raise ValueError("has dstdomain without -n")
        values = values[1:]
    for value in values:
        if kind != "req_header" and value.startswith(("-", '"')):
            raise ValueError(f"has an ACL with {value}")
        if kind == "src":
            try:
                ip_address(value)
            except ValueError:
                raise ValueError(f"has the source {value} instead of an address") from None
        if kind == "port" and not value.isdecimal():
            raise ValueError(f"has the port {value} instead of a number")
        yield {"src": plain(value), "dstdomain": value.lower()}.get(kind, value)


def _suffixes(host: str) -> Iterator[str]:
    """What dstdomain may hold for a host: its own name, and each domain that it is in or is itself."""
    yield host
    labels = host.split(".")
    yield from ("." + ".".join(labels[start:]) for start in range(len(labels)))
