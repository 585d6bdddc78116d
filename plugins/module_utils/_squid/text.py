# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of squid.conf: its placeholders for secrets, what of it may be shown, and what Squid says of it.

Private to this collection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from .._probe.connect import Listener

PROBE_HEADER = "X-Proxy-Chaining-Probe"
"""Request header by which the proof of life identifies itself to the proxy on its own host."""

PROBE_TOKEN = "probe-token"  # noqa: S105 - the placeholder's name
"""Placeholder that the module fills by itself."""

PROBE_MARK = "probe-mark"
"""Placeholder of what follows from the token, and cannot be turned back into it."""

REFUSED_HEADER = "X-Proxy-Chaining-Refused"
"""Header by which the proxy signs its own refusals to its own host; a parent's are passed on without it (measured, 5.7, 6.13, 7.7)."""

OWNED_MARK = "# Managed by Ansible, ot_security.proxy_chaining"
"""First line of every squid.conf that this collection wrote."""

RESTART_DIRECTIVES = frozenset({"workers", "max_filedescriptors"})
"""Directives that Squid reads at start only (measured: a reload leaves them as they were)."""

HIDDEN = "********"

_PLACEHOLDER = re.compile(r"@@([^@\s]+)@@")
_TOKEN_IN_USE = re.compile(rf"^acl \S+ req_header {PROBE_HEADER} \^([0-9a-f]{{32,}})\$$", re.MULTILINE)
_MARK_IN_USE = re.compile(rf'^reply_header_add {REFUSED_HEADER} "([0-9a-f]{{32,}})" ', re.MULTILINE)
_VISIBLE_HOSTNAME = re.compile(r"^visible_hostname (\S+)$", re.MULTILINE)
_SHUTDOWN_LIFETIME = re.compile(r"^shutdown_lifetime\s+(.+?)\s*$", re.MULTILINE)
_LOGIN_KEPT = re.compile(r"^(auth_param basic credentialsttl ).+$", re.MULTILINE)
_PARENT = re.compile(r"^cache_peer\s+(\S+)\s", re.MULTILINE)
_WORKERS = re.compile(r"^workers\s+(\d+)\s*$", re.MULTILINE)
_LEARNS = re.compile(r"^# Learns until (\S+):", re.MULTILINE)
_LISTENER = re.compile(r"^(https?)_port\s+(?:(\S+):)?(\d+)(?:\s|$)", re.MULTILINE)
_SECRETS_IN_USE = (
    re.compile(rf"(\breq_header {PROBE_HEADER} )\S+"),
    re.compile(rf"(\breply_header_add {REFUSED_HEADER} )\S+"),
    re.compile(r"(\bcache_peer\s.*\blogin=[^:\s]*:)\S+"),
    re.compile(r"(\bcachemgr_passwd\s+)\S+"),
    # Squid quotes the line that it complains of; the helpers of a configuration made by hand take passwords as -w VALUE.
    re.compile(r"(\bauth_param\s.*\s-w\s+)\S+"),
)
_WITHOUT_SECRETS = re.compile(
    r"(?:http_access|https?_port|cache_peer|never_direct|always_direct|visible_hostname)\s"
    r"|acl\s+\S+\s+(?:src|dst|srcdomain|dstdomain|port|method)\s"
)
"""Lines of a configuration made by hand whose words are no passwords, once those of cache_peer are blanked out."""


def fill(content: str, values: Mapping[str, str]) -> str:
    """Put the secrets in the place of their placeholders, URL-escaped as Squid reads them.

    Raises:
        ValueError: a placeholder has no value.
    """

    if PROBE_TOKEN in values:
        values = {**values, PROBE_MARK: mark(values[PROBE_TOKEN])}

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"the configuration has the placeholder {match[0]}, and no secret of that name was given")
        return escaped(values[match[1]])

    return _PLACEHOLDER.sub(value, content)


def escaped(value: str) -> str:
    """Return a value as Squid takes it for a login: URL-escaped, so that a blank or a '#' does not cut it."""
    return quote(value, safe="")


def token_of(content: str) -> str | None:
    """Return the probe's token that a configuration holds."""
    match = _TOKEN_IN_USE.search(content)
    return match[1] if match else None


def mark(token: str) -> str:
    """Return the mark that belongs to a token."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def mark_of(content: str) -> str | None:
    """Return the mark with which a configuration signs refusals; those of older ones have none."""
    match = _MARK_IN_USE.search(content)
    return match[1] if match else None


def untoken(content: str) -> str | None:
    """Return a configuration with placeholders in the place of its token and mark; None when it has no token."""
    token = token_of(content)
    return (
        None
        if token is None
        else content.replace(token, f"@@{PROBE_TOKEN}@@").replace(mark(token), f"@@{PROBE_MARK}@@")
    )


def visible_hostname(content: str) -> str:
    """Return the name under which a configuration lets the proxy answer; empty when it sets none."""
    match = _VISIBLE_HOSTNAME.search(content)
    return match[1] if match else ""


def learns_until(content: str) -> str:
    """Return the last day on which clients may ask for more than a configuration's endpoints; empty when it has none."""
    match = _LEARNS.search(content)
    return match[1] if match else ""


def listeners(content: str) -> list[Listener]:
    """Return where the proxy of a configuration can be asked from its own host, the plain listeners first."""
    found = [replace(listener, address=listener.address or "127.0.0.1") for listener in bound(content)]
    return sorted(found, key=lambda listener: listener.tls) or [Listener("127.0.0.1", 3128)]


def bound(content: str) -> list[Listener]:
    """Return the listeners of a configuration as it writes them; an empty address is every address."""
    return [
        Listener(address.strip("[]"), int(port), tls=scheme == "https")
        for scheme, address, port in _LISTENER.findall(content)
    ]


def has_named_parent(content: str) -> bool:
    """Whether a configuration has a parent that is given by name, not by address."""
    return any(not re.fullmatch(r"[0-9.]+|.*:.*", address) for address in _PARENT.findall(content))


def without_secrets(text: str) -> str:
    """Return a text with the secrets of a configuration blanked out."""
    for pattern in _SECRETS_IN_USE:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    return text


def showable(content: str) -> str:
    """Return a configuration without its secrets.

    Of one made by hand only the directive is shown where any word may be a password, and no comment.
    """
    if content.startswith(OWNED_MARK):
        return without_secrets(content)
    lines = (line.strip() for line in content.replace("\\\n", " ").splitlines())
    return "".join(f"{_shown(line)}\n" for line in lines if line and not line.startswith("#"))


def _shown(line: str) -> str:
    if _WITHOUT_SECRETS.match(line):
        return without_secrets(line)
    directive, *values = line.split(maxsplit=1)
    return f"{directive} {HIDDEN}" if values else directive


def workers(content: str) -> int:
    """Return how many worker processes a configuration wants."""
    match = _WORKERS.search(content)
    return int(match[1]) if match else 1


def restart_reasons(old: str, new: str) -> list[str]:
    """Return what changes and needs more than a reload."""
    before, after = _start_only(old), _start_only(new)
    reasons = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    for left in deserted(old, new):
        others = {listener.address for listener in bound(new) if listener.port == left.port}
        if others and (not left.address or "" in others):
            reasons.add(f"the address of port {left.port}")
    return sorted(reasons)


def deserted(old: str, new: str) -> list[Listener]:
    """Return the listeners that a reload leaves open without a worker behind them.

    Several workers share what their coordinator listens on, and it gives nothing up (measured, 5.7, 6.13, 7.7).
    """
    if workers(old) == 1:
        return []
    here = {(listener.address, listener.port) for listener in bound(new)}
    return [listener for listener in bound(old) if (listener.address, listener.port) not in here]


def _start_only(content: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in content.splitlines():
        words = line.split()
        if words and words[0] in RESTART_DIRECTIVES:
            found.setdefault(words[0], []).append(" ".join(words[1:]))
    return found


def shutdown_lifetime(content: str) -> str | None:
    """Return how long a stopping Squid waits for its clients, as a configuration writes it; None is Squid's own default."""
    match = _SHUTDOWN_LIFETIME.search(content)
    return match[1] if match else None


def patient(content: str) -> str:
    """Return a configuration that keeps accepted logins for as long as a run over many proxies may take."""
    return _LOGIN_KEPT.sub(r"\g<1>10 minutes", content)


def complaints(exit_code: int, output: str) -> list[str]:
    """Return what ``squid -k parse`` found wrong; it exits with 0 on several real errors, so its words count too."""
    found = [line for line in _messages(output) if line.startswith(("ERROR", "FATAL", "Bungled"))]
    if exit_code != 0 and not found:
        found = [f"squid -k parse ended with exit code {exit_code}"]
    return found


NO_DIGITS = "7.2"
"""The version that takes what begins with a digit for no name, mended in 7.3 (bug 5520 in its release notes, github.com/squid-cache)."""


def names_with_digits(config: str) -> list[str]:
    """Return the endpoints of a configuration that are names and begin with a digit."""
    return re.findall(r"(?m)^acl endpoints dstdomain -n (\d\S*[a-z]\S*)$", config)


def warnings(output: str) -> list[str]:
    """Return the warnings of ``squid -k parse``."""
    # BCP 177 is Squid's complaint about a host without IPv6, which is how many plants are built.
    return [line for line in _messages(output) if line.startswith("WARNING") and "BCP 177" not in line]


def _messages(output: str) -> list[str]:
    # "2026/11/23 20:00:00| ERROR: ..." or, with SMP, "2026/11/23 20:00:00 kid1| ERROR: ..."
    return [line.split("| ", 1)[-1].strip() for line in output.splitlines()]
