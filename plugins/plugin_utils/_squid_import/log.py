# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who really used a proxy, from an access log in Squid's own format or in one that begins with the client. Private to this collection."""

from __future__ import annotations

import re

from ...module_utils._squid.acls import parse_span
from ...module_utils._squid.evidence import plain

# logformat squid: time, duration, client, result/status, size, CONNECT host:port. logformat combined: client, ..., "CONNECT host:port
# HTTP/1.1" status. Others write their own; what has the client in the first or third place and a 200 is understood.
_LINE = re.compile(
    r"(?:[0-9.:TZ+-]+ +[0-9]+ )?(?P<client>[0-9A-Fa-f.:]+) (?P<before>.*?)\"?CONNECT (?P<host>[^ :]+):443\b(?P<after>.*)"
)
_PASSED = re.compile(r"(?:^|[ /])200(?: |$)")


def tunnels(text: str) -> dict[str, frozenset[str]]:
    """Return for each client's address the hosts to whose port 443 it got a tunnel."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and (_PASSED.search(match["before"]) or _PASSED.search(match["after"])):
            found.setdefault(plain(match["client"]), set()).add(match["host"].lower())
    return {client: frozenset(hosts) for client, hosts in found.items() if _is_address(client)}


def _is_address(text: str) -> bool:
    try:
        return parse_span(text).size == 1
    except ValueError:
        return False
