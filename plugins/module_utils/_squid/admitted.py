# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a configuration of the role squid admits, as its text says it.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_SOURCE = re.compile(r"^acl (\S+) src ([^#\n]+?)(?: # (.+))?$", re.MULTILINE)
_RULE = re.compile(r"^http_access allow (\S+)(?: (user:\S+|users))?$", re.MULTILINE)


class Admitted(NamedTuple):
    """One client, by its ACL's name, and the user as which it signs in; None where it need not."""

    acl: str
    addresses: list[str]
    user: str | None


def admitted(config: str) -> Iterator[Admitted]:
    """Yield each client, in whichever layout, once for each of its users."""
    sources: dict[str, list[tuple[list[str], list[str]]]] = {}
    for acl, addresses, comment in _SOURCE.findall(config):
        sources.setdefault(acl, []).append((addresses.split(), (comment or acl).split()))
    for acl, login in _RULE.findall(config):
        for addresses, (client, *users) in sources.get(acl, ()):
            for user in users if login == "users" else [login.removeprefix("user:") or None]:
                yield Admitted(client, addresses, user)
