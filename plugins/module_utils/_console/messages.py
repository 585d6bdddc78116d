# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a console's own words are understood, whatever the transport. Private to this collection.

The real wording is not documented, apart from the connectivity screen's (CONNECTED and ISSUES).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .model import LockedError, SignInError

LOCKED = re.compile(r"\block(ed|ing|out)?\b|lock-?out|too many", re.IGNORECASE)
"""What the answer to a refused sign-in has when it is not the password that is wrong."""

MASK = re.compile(r"[*\u2022\u25cf\u2219\u00b7.xX]{3,}")
"""What is shown in place of a stored password, as a whole."""

NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,6}){1,3}")
"""A software version, as a whole."""

VERSION = re.compile(rf"\bversion[\s:\"]{{1,5}}({NUMBER.pattern})(?![\d.])", re.IGNORECASE)
"""The software version in a text."""

_LONGEST = 200
"""Characters of the console's own words that go into a sentence."""

_JUDGED = 20000
"""Characters that are looked at for them."""


NOT_QUOTED = "it says nothing that can be quoted"
"""For a sentence that would have quoted it."""

WORDS = frozenset(
    """
    a about access account action active address admin administrator after again all allowed already an and another any are as at
    attempt attempts authentication bad be been before blocked both browser but by can cannot certificate change changed changes
    character characters check client clock close closed cloud configuration connect connected connection console context could
    crashed credentials data default denied did disabled do does done down each either empty enable enabled enter entered error
    errors exceeded exists expired fail failed failure field fields file for forbidden format found from general has have health
    host hours if in incorrect input internal invalid ip is issue issues it its key later least length licence license limit locked
    lockout log login long lost made many match maximum may minimum minutes missing more must name need network new no not now
    number of off ok old on one only optional or out page password passwords permission permissions please port previous problem
    proxy range reachable refused rejected request required reset resolved retry right save saved seconds secure security see select
    sensor server service session set setting settings should sign signed signing size software special started state status still
    stored successful successfully supported system target text than that the them there these they this time timeout to token too
    troubleshooting try type unable unavailable unexpected unknown unreachable unsupported until update updated use used user
    username valid value values version wait was were when which while will with without wrong you your
    """.split()  # noqa: SIM905 - a list of them would be two hundred lines
)
"""The words of a console that are quoted. A password can be written in ways that nobody thinks of, but not in other words than these."""


def judged(said: str, secrets: Iterable[str] = ()) -> str:
    """Return what a console says, as far as it can be quoted: words that are known here, and an ellipsis for all others.

    Args:
        said: its own words, from whatever it was sent.
        secrets: what it must not be heard to say, even where it is made of known words.
    """
    kept: list[str] = []
    for token in said[:_JUDGED].split():
        word = token.strip(".,:;!?'\"()")
        # No more than two marks around it, or they could be what is said.
        if len(token) <= len(word) + 2 and all(part.lower() in WORDS for part in re.split(r"[/-]", word)):
            kept.append(token)
        elif kept[-1:] != ["\u2026"]:
            kept.append("\u2026")
    line = " ".join(kept)
    bare = _squeezed(line)
    if line == "\u2026" or any(_squeezed(secret) in bare for secret in secrets if _squeezed(secret)):
        return ""
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}\u2026"


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def locked(said: str) -> LockedError:
    """Return what a lock-out means; `said` is what the console says, judged."""
    return LockedError(
        f"the console does not let this controller sign in{_quoted(said)}; wait until the lock is over, or let it be "
        "lifted there, before another try"
    )


def refused(username: str, said: str = "") -> SignInError:
    """Return what a refused sign-in means; `said` is what the console says, judged."""
    return SignInError(
        f"the console does not accept the password of {username!r}{_quoted(said)}; correct console_username or "
        "console_password before another try, since a few failures lock the account"
    )


def _quoted(said: str) -> str:
    return f" ({said!r})" if said else ""
