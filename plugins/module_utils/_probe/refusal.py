# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hop of a chain said no to a CONNECT, and why, read from what came back through the first one.

Private to this collection. What Squid sends was measured with 5.7 and 6.13 (docs/squid-facts.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .._untrusted_text import one_line
from .connect import Answer

_LONGEST_PAGE = 60
"""Characters of an error page's name; Squid's own have half as many."""


class Refusal(NamedTuple):
    """The stage and the hop at which a path ends, and a sentence about it."""

    stage: str
    hop: str
    reason: str


def explain(answer: Answer, hops: Sequence[tuple[str, str]], target: str) -> Refusal | None:
    """Say who refused and why; None when the tunnel stands.

    Args:
        answer: what the first hop answered.
        hops: name and visible_hostname of each hop in their order; of a pair the names of all members, with blanks.
        target: host:port that was asked for.
    """
    if answer.status == 200:
        return None
    index = _speaker(answer, [hostname for _name, hostname in hops])
    name = hops[index][0]
    if answer.status is None:
        return Refusal("proxy-denied", name, f"{name} refuses CONNECT to {target}: it {answer.error}.")
    page = one_line(((answer.headers or {}).get("x-squid-error") or "").split(" ")[0], _LONGEST_PAGE)
    said = f"{answer.status}{', ' + page if page else ''}"
    # It may pass on what another said, and that one may have left its name out, or used this one's.
    via = "" if index == len(hops) - 1 else ", or a hop behind it,"
    if answer.status == 407:
        offered = (answer.headers or {}).get("proxy-authenticate", "")
        schemes = [
            word
            for word in ("Negotiate", "NTLM", "Kerberos", "Digest")
            if re.search(rf"(?:^|,) *{word}\b", offered, re.IGNORECASE)
        ]
        if schemes and not re.search(r"(?:^|,) *Basic\b", offered, re.IGNORECASE):
            ways = " or ".join(schemes)
            reason = f"{name}{via} wants a sign-in by {ways} for CONNECT to {target} ({said}), and Squid has user and password (Basic)"
            return Refusal(
                "proxy-auth",
                name,
                f"{reason}; have Basic allowed there for this proxy, or its address let in without one.",
            )
        return Refusal("proxy-auth", name, f"{name}{via} does not accept the sign-in for CONNECT to {target} ({said}).")
    if page == "ERR_DNS_FAIL":
        return Refusal("resolve", name, f"{name}{via} cannot resolve the name of {target} ({said}).")
    if page == "ERR_CONFLICT_HOST":
        # So the role's last hop refuses a name that leads inside.
        reason = f"{name}{via} refuses CONNECT to {target}, since the name leads to an address inside ({said})."
        return Refusal("resolve", name, reason)
    if answer.status < 500:
        return Refusal("proxy-denied", name, f"{name}{via} refuses CONNECT to {target} ({said}).")
    # A page about the way on names nobody, whichever hop wrote it (measured); only a walk from the next hop can tell.
    if len(hops) > index + 1:
        beyond = hops[index + 1][0]
        return Refusal("parent-unreachable", name, f"{name} cannot get to {target} through {beyond} ({said}).")
    if page == "ERR_CANNOT_FORWARD":
        reason = f"{name} has no way to {target} ({said}): no parent takes it, or its name is not resolved."
        return Refusal("endpoint-unreachable", name, reason)
    return Refusal("endpoint-unreachable", name, f"{name} cannot reach {target} ({said}).")


def _speaker(answer: Answer, hostnames: Sequence[str]) -> int:
    """The hop whose name the answer carries, the farthest of them; the first where it carries none."""
    headers = answer.headers or {}
    named = set(re.split(r"[\s,;()]+", " ".join(headers.get(key, "") for key in ("via", "x-cache", "cache-status"))))
    for index in range(len(hostnames) - 1, -1, -1):
        if named.intersection(hostnames[index].split()):
            return index
    return 0
