# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which run may change this proxy: a file that ends with the host's uptime, and by itself.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import IO, Any

LEASE = 1800.0
"""Seconds after which the lock of a run that was killed is no lock any more; one that lives takes it again at each proxy's turn."""

Held = dict[str, Any]
"""``run``, ``holder``, ``since`` (UTC) and ``until``, by the clock that begins with the host."""


def take(path: str, run: str, holder: str, *, break_lock: bool = False) -> Held | None:
    """Take the lock, or return who has it.

    Args:
        path: the lock's file.
        run: what no other run has.
        holder: the run, for people.
        break_lock: whether the lock of another run is taken from it.
    """
    with _opened(path) as file:
        held = _read(file)
        if held and held["run"] != run and not break_lock:
            return held
        since = held["since"] if held and held["run"] == run else _utc(0)
        _write(file, {"run": run, "holder": holder, "since": since, "until": _now() + LEASE})
    return None


def give_back(path: str, run: str) -> None:
    """Give back what this run has; the lock of another one stays."""
    with _opened(path) as file:
        held = _read(file)
        if held and held["run"] == run:
            _write(file, None)


def ends(held: Held) -> str:
    """Return when a lock ends by itself, in UTC."""
    return _utc(held["until"] - _now())


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _utc(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%H:%M UTC")


@contextmanager
def _opened(path: str) -> Iterator[IO[str]]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+", encoding="utf-8") as file:
        # For as long as it is looked at. The file itself stays: whoever waits here would lock one that is gone.
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _read(file: IO[str]) -> Held | None:
    try:
        held = json.loads(file.read())
        left = held["until"] - _now()
        texts = [held[key] for key in ("run", "holder", "since")]
    except (ValueError, KeyError, TypeError):
        return None
    # What would end later than a lock can is of an earlier life of the host.
    return held if 0 < left <= LEASE and all(isinstance(text, str) for text in texts) else None


def _write(file: IO[str], held: Held | None) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps(held) if held else "")
