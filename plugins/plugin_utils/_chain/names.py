# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts as Squid will see them: ACL names and cache_peer names.

Private to this collection. Source of the rules: Squid 5.7, 6.13 and 7.7, measured. A name of 63 characters is cut when it is
defined and then not found (not on 7.7); names are compared without case; the built-in ones can be redefined, which *widens* them.
"""

from __future__ import annotations

import re

MAX_LENGTH = 62
"""Longest ACL name that every supported Squid takes, in characters."""

BUILT_IN = frozenset(
    {
        "all",
        "manager",
        "localhost",
        "to_localhost",
        "to_linklocal",
        "connect",
        "none",
        "ssl_ports",
        "safe_ports",
        "purge",
    }
)
"""Names that Squid or the distributions' squid.conf define, in lower case."""

OURS = frozenset(
    {
        "https_port",
        "endpoints",
        "learnable",
        "clients",
        "probe",
        "probe_source",
        "probe_token",
        "proxies",
        "guessing",
        "users",
        "vip_check",
        "unlogged",
    }
)
"""Names that the role's own squid.conf.j2 defines, in lower case."""

RESERVED = BUILT_IN | OURS

_BREAKS_A_LINE = re.compile(r"[\s#\"'\\%]|[^\x20-\x7e]|@@")
"""What Squid reads as something else than text; ``@@`` is ours, it marks the place of a secret."""
_NOT_PLAIN = re.compile(r"[^a-z0-9._-]")


def acl_name(name: str) -> str:
    """Return the ACL name of a host: lower case, and ``_`` for what is not a letter, digit, dot, dash or ``_``."""
    return _NOT_PLAIN.sub("_", name.lower())


def text_problem(text: str) -> str | None:
    """Say why a text cannot stand as one word in squid.conf, or return None."""
    if _BREAKS_A_LINE.search(text):
        return (
            "has a blank, a line break, a quote, '#', '%', '@@', a backslash or a character beyond ASCII, "
            "which squid.conf cannot carry"
        )
    return None


def name_problem(name: str) -> str | None:
    """Say what is wrong with a host's name as an ACL name, or return None."""
    if not name:
        return "is empty"
    if problem := text_problem(name):
        return problem
    if len(name) > MAX_LENGTH:
        return f"has {len(name)} characters, and Squid takes {MAX_LENGTH} at most"
    if acl_name(name) in RESERVED:
        return "is a name that Squid or this collection's squid.conf already uses"
    return None


def login_problem(username: str) -> str | None:
    """Say why a sign-in at a proxy outside of the inventory cannot have this user name, or return None.

    Squid carries any other, URL-escaped: a domain before a backslash and blanks arrived there (5.7 and 6.13).
    """
    if ":" in username:
        return "has a colon, which ends a user name"
    return None if username.isprintable() else "has a line break or another character that cannot be shown"


def username_problem(username: str) -> str | None:
    """Say why Basic authentication or squid.conf cannot carry this user name, or return None."""
    longest = MAX_LENGTH - len("user:")
    if len(username) > longest:
        return f"has {len(username)} characters, and {longest} fit"
    if ":" in username:
        return "has a colon, which ends a user name"
    if username.startswith("-"):
        return "begins with '-', as an option of Squid's does"
    if username.upper() == "REQUIRED":
        return "is what Squid reads as any user"
    # Facts have it, and older ansible-cores evaluate what is in a fact.
    if "{{" in username:
        return "has '{{', with which Ansible begins a template"
    return text_problem(username)
