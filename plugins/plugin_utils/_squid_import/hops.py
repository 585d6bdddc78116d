# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a squid.conf made by hand listens, and which parents it has. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote

from ...module_utils._squid.read import Directive
from .._chain import names
from .._chain.addresses import parse_address
from .notes import Notes, clean

_LISTENER = re.compile(r"(?:(?P<address>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):)?(?P<port>[0-9]{1,5})", re.ASCII)
_MODES = frozenset({"accel", "intercept", "ssl-bump", "tproxy", "transparent", "require-proxy-header"})

# What the role's own cache_peer line says too, or what makes no difference to a CONNECT.
_SAME_OPTIONS = frozenset(
    {"no-query", "no-digest", "no-netdb-exchange", "no-delay", "proxy-only", "default", "name", "connect-timeout"}
)
_OTHER_OPTIONS = frozenset(
    {
        *("allow-miss", "auth-no-keytab", "background-ping", "basetime", "carp", "closest-only", "connection-auth"),
        *("digest-url", "forceddomain", "front-end-https", "htcp", "login", "max-conn", "monitorinterval"),
        *("monitorsize", "monitortimeout", "monitorurl", "no-tproxy", "round-robin", "sourcehash", "standby"),
        *("sslcapath", "sslcert", "sslcipher", "sslcrlfile", "sslflags", "sslkey", "ssloptions", "sslversion"),
        *("tls-cert", "tls-cipher", "tls-crlfile", "tls-default-ca", "tls-flags", "tls-key", "tls-min-version"),
        *("tls-options", "ttl", "userhash", "weight"),
    }
)
"""Those that may be named: what stands elsewhere may be the rest of a password with a blank."""

_TLS_OPTIONS = {
    **{"tls": "tls", "ssl": "tls", "tls-cafile": "tls_ca", "sslcafile": "tls_ca"},
    **{"tls-domain": "tls_name", "ssldomain": "tls_name"},
}


@dataclass(slots=True)
class Listening:
    """Where clients connect."""

    port: int | None = None
    addresses: list[str] = field(default_factory=list)
    """Those it listens on; empty for all."""


@dataclass(frozen=True, slots=True)
class CachePeer:
    """A next hop."""

    directive: Directive
    host: str
    port: int
    username: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""


def read_listening(directives: Iterable[Directive], notes: Notes) -> Listening:
    """Return the port of the first plain http_port, and its addresses."""
    found = Listening()
    everywhere = False
    for directive in directives:
        if directive.name != "http_port":
            continue
        where, *options = directive.words or ("",)
        match = _LISTENER.fullmatch(where)
        modes = _MODES.intersection(option.partition("=")[0] for option in options)
        if not match or not 1 <= int(match["port"]) <= 65535:
            notes.add(directive, "its port is not known here")
            continue
        port, address = int(match["port"]), (match["address"] or "").strip("[]")
        if modes:
            notes.add(directive, f"a port with {', '.join(sorted(modes))} is not carried over")
        elif found.port not in (None, port):
            notes.add(directive, f"there is one port for clients that speak no TLS, squid_port, which is {found.port}")
        else:
            found.port = port
            everywhere |= not _is_bound(directive, address, found, notes)
            if options:
                notes.add(directive, "its options are not carried over")
    if everywhere:
        found.addresses = []
    return found


def _is_bound(directive: Directive, address: str, found: Listening, notes: Notes) -> bool:
    try:
        ip = ip_address(address) if address else None
    except ValueError:
        notes.add(directive, f"{clean(address)!r} is a name, so squid_port is carried over alone")
        return False
    if ip is None or ip.is_unspecified:
        return False
    found.addresses.append(str(ip))
    return True


def read_parents(directives: Iterable[Directive], notes: Notes) -> list[CachePeer]:
    """Return the parents in order of preference."""
    peers = [directive for directive in directives if directive.name == "cache_peer"]
    found = [parent for peer in peers if (parent := _parent(peer, notes))]
    unique = list({(parent.host, parent.port): parent for parent in reversed(found)}.values())[::-1]
    for parent in found:
        if parent not in unique:
            notes.add(parent.directive, "the same parent is in another line")
    # Squid goes to a default parent when no other answers.
    return sorted(unique, key=lambda parent: "default" in parent.directive.words)


def _parent(peer: Directive, notes: Notes) -> CachePeer | None:
    host, kind, port, _icp, *options = (*peer.words, "", "", "", "")[: max(4, len(peer.words))]
    given = {name: value for name, _equal, value in (option.partition("=") for option in options)}
    if kind != "parent" or "originserver" in given:
        notes.add(peer, "only a parent that is a proxy is carried over")
        return None
    if not _is_host(host) or not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        notes.add(peer, "its host or port is not known here")
        return None
    known = _SAME_OPTIONS | _TLS_OPTIONS.keys() | {"login", "connect-fail-limit"}
    for option in given.keys() - known:
        what = option if option in _OTHER_OPTIONS else "an option that is not known here"
        notes.add(peer, f"{what} is not carried over")
    tls = {key: given[name] for name, key in _TLS_OPTIONS.items() if name in given}
    if (ca := tls.get("tls_ca", "")) and (not ca.startswith("/") or not _is_plain(ca)):
        notes.add(peer, "the path of its CA is none that tls_ca takes")
        ca = ""
    if (name := tls.get("tls_name", "")) and not _is_plain(name):
        notes.add(peer, "the name in its certificate is none that tls_name takes")
        name = ""
    return CachePeer(peer, host, int(port), _username(peer, given.get("login"), notes), bool(tls), ca, name)


def _is_plain(text: str) -> bool:
    """Whether an inventory and squid.conf can carry a text; a brace would be a template."""
    return not names.text_problem(text) and "{" not in text


def _is_host(host: str) -> bool:
    try:
        return bool(parse_address(host).text) and "/" not in host
    except ValueError:
        return False


def _username(peer: Directive, login: str | None, notes: Notes) -> str:
    """The user that a login names; its password stays where it is."""
    if login is None:
        return ""
    user, colon, _password = login.partition(":")
    user = unquote(user)
    if not colon or user in ("", "*"):
        notes.add(peer, "its login is not one user with a password, so squid_parents has none")
        return ""
    if names.login_problem(user) or "{" in user:
        notes.add(peer, "its user is none that squid_parents takes, so it has none")
        return ""
    notes.add(peer, "its password is not carried over; put it into the vaulted variable that squid_parents names")
    return user


def is_stuck(directives: Iterable[Directive], parents: list[CachePeer], notes: Notes) -> bool:
    """Say whether nothing may go directly and yet no parent is carried over, so that a new one would go directly."""
    rules = [directive for directive in directives if directive.name == "never_direct"]
    always = [rule for rule in rules if rule.words == ("allow", "all")]
    for rule in rules:
        if rule not in always:
            notes.add(rule, "with parents it is 'allow all' here, and without any it is not there")
    if parents:
        if rules[:1] != always[:1] or not always:
            notes.add(
                parents[0].directive,
                "Squid also goes around it, for want of 'never_direct allow all'; here nothing does",
            )
        return False
    stuck = any(rule.words[:1] == ("allow",) for rule in rules)
    if stuck:
        notes.say("nothing may go directly and no parent is carried over, so name the parents in squid_parents")
    return stuck
