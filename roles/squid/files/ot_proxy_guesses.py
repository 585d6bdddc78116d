# Managed by Ansible, ot_security.proxy_chaining.
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says whether an address is guessing passwords: whether it signs in in many different ways within a short time.

Squid runs it (external_acl_type) and asks before each request: channel, address, and the header of the login, URL-escaped. It answers
OK for a guess too many, which a rule of squid.conf refuses, and ERR for all else; where it does not run, nobody is refused by it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

LOGINS = 20
"""Different logins that an address may use for the first time within WINDOW."""

WINDOW = 60.0
"""Seconds."""

MOST_ADDRESSES, MOST_LOGINS = 10_000, 100
"""What is remembered: addresses, and logins of each. A login that was there before the guesses is none."""


@dataclass
class Address:
    """What is known of one address."""

    logins: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    new: list[float] = field(default_factory=list)
    """When it used the latest new logins."""


class Guesses:
    """Who guesses."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        """Use these.

        Args:
            say: writes a line to the log.
            now: a monotonic clock, in seconds.
        """
        self._say, self._now = say, now
        # No password is kept.
        self._salt = os.urandom(16)
        self._known: OrderedDict[str, Address] = OrderedDict()

    def one_too_many(self, address: str, header: bytes) -> bool:
        """Whether this login is a guess too many."""
        known = self._known.setdefault(address, Address())
        self._known.move_to_end(address)
        if len(self._known) > MOST_ADDRESSES:
            self._known.popitem(last=False)
        login = hashlib.sha256(self._salt + header).digest()
        if login in known.logins:
            known.logins.move_to_end(login)
            return False
        known.new = [moment for moment in known.new if self._now() - moment <= WINDOW]
        if len(known.new) >= LOGINS:
            return True
        known.new.append(self._now())
        known.logins[login] = None
        if len(known.logins) > MOST_LOGINS:
            known.logins.popitem(last=False)
        if len(known.new) == LOGINS:
            self._say(
                f"{address}: {LOGINS} different logins within {WINDOW:g} s, the last one as {_user(header)}; more are refused"
            )
        return False


def _user(header: bytes) -> str:
    try:
        name = base64.b64decode(header.split()[-1], validate=True).partition(b":")[0]
    except (IndexError, binascii.Error):
        name = b"?"
    return ascii(name.decode("utf-8", "replace")[:64])


def main() -> None:
    """Answer Squid until it closes the pipe."""
    guesses = Guesses(lambda line: print(f"ot_proxy_guesses: {line}", file=sys.stderr, flush=True))
    for line in sys.stdin.buffer:
        channel, address, header = [*line.split(), b"-", b"-"][:3]
        too_many = header != b"-" and guesses.one_too_many(address.decode("ascii", "replace"), unquote_to_bytes(header))
        sys.stdout.buffer.write(channel + (b" OK\n" if too_many else b" ERR\n"))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
