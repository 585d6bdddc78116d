# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a console's own words are understood, whatever the transport. Private to this collection.

The real wording is not documented, apart from the connectivity screen's (CONNECTED and ISSUES).
"""

from __future__ import annotations

import re

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import LockedError, SignInError

LOCKED = re.compile(r"\block(ed|ing|out)?\b|lock-?out|too many", re.IGNORECASE)
"""What the answer to a refused sign-in has when it is not the password that is wrong."""

MASK = re.compile(r"[*\u2022\u25cf\u2219\u00b7.xX]{3,}")
"""What is shown in place of a stored password, as a whole."""

VERSION = re.compile(r"\bversion[\s:\"]{1,5}(\d+(?:\.\d+)+)", re.IGNORECASE)
"""The software version in a text."""

_LONGEST = 200
"""Characters of the console's own words that go into a sentence."""


def locked(said: str) -> LockedError:
    """Return what a lock-out means; `said` is what the console says, without secrets."""
    return LockedError(
        f"the console does not let this controller sign in{_quoted(said)}; wait until the lock is over, or let it be "
        "lifted there, before another try"
    )


def refused(username: str, said: str = "") -> SignInError:
    """Return what a refused sign-in means; `said` is what the console says, without secrets."""
    return SignInError(
        f"the console does not accept the password of {username!r}{_quoted(said)}; correct console_username or "
        "console_password before another try, since a few failures lock the account"
    )


def _quoted(said: str) -> str:
    return f" ({said[:_LONGEST]!r})" if said else ""
