# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Visits a console in a process of its own, which is ended when its time is over. Private to this collection.

Timeouts inside a visit end what they know of. A page that computes for ever, or an answer that comes a byte at a time, is for somebody
outside who only knows the time.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

MEMORY = 2 * 1024 * 1024 * 1024
"""Bytes that each process of a visit may write to."""

_DIES_WITH_PARENT, _TAKES_ORPHANS = 1, 36
"""PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of Linux."""


def within(seconds: float, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do something in another process and return its result; one with failed and msg where it has none in time.

    Args:
        seconds: after which it is ended, with all that it has started.
        work: returns what JSON can hold.
    """
    _tell(_TAKES_ORPHANS, 1)
    others = _children()
    reading, writing = os.pipe()
    # Where the play runs as root, Chromium does not, and the environment's own folder may be closed to it.
    shared = "/tmp" if os.geteuid() == 0 else None  # noqa: S108 - a folder with a random name
    with tempfile.TemporaryDirectory(
        prefix=f"console-{os.getpid()}-", dir=shared, ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o711)
        child = os.fork()
        if child == 0:
            _do(work, writing, folder)
        os.close(writing)
        try:
            said = _read(reading, time.monotonic() + seconds)
        finally:
            os.close(reading)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            _end(others)
    if said is None:
        return _failed(
            f"the console was not done with after {seconds:g} s, more than any visit needs, and the visit was ended; see at the console "
            "what it has stored, and whether it works by hand"
        )
    try:
        result: dict[str, Any] = json.loads(said)
    except ValueError:
        return _failed("the visit ended without a result; see that the controller has enough memory")
    return result


def _do(work: Callable[[], dict[str, Any]], writing: int, folder: str) -> None:
    """Do the work and end the process."""
    try:
        _tell(_DIES_WITH_PARENT, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            result = work()
        except MemoryError:
            result = _failed(
                f"the console's answers need more than {MEMORY >> 20} MB of memory; see that its address is a sensor's"
            )
        except Exception as error:
            # Where, but not its words: they may be the console's.
            where = "".join(traceback.format_tb(error.__traceback__))
            said = f"this collection made a mistake ({type(error).__name__}); please report it with the output of -vvv"
            result = {**_failed(said), "exception": where}
        with os.fdopen(writing, "wb") as stream:
            stream.write(json.dumps(result).encode())
    finally:
        sys.stderr.flush()
        os._exit(0)


def _failed(sentence: str) -> dict[str, Any]:
    return {"failed": True, "msg": f"{sentence}."}


def _read(stream: int, deadline: float) -> bytes | None:
    """Return all that comes; None where it does not end in time."""
    pieces: list[bytes] = []
    while select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(stream, 65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
    return None


def _end(others: set[int]) -> None:
    """End whatever the work has started and left."""
    deadline = time.monotonic() + 10
    while (left := _children() - others) and time.monotonic() < deadline:
        for process in left:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _children() -> set[int]:
    """Return the processes whose parent is this one; since it takes orphans, those of its children when they are gone too."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(status.parent.name))
    return found


def _tell(what: int, value: int) -> None:
    """Tell Linux something of this process; elsewhere a visit is ended all the same, and the browser ends by itself."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(what, value, 0, 0, 0)
