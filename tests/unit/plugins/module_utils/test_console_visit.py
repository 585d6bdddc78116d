# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That a visit ends, with all that it has started, whatever the console does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import visit


def _processes(word: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            if word in line and int(process.name) != os.getpid():
                found.append(line)
    return found


def _hang() -> dict[str, Any]:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    while True:
        pass


def _leave_a_daemon() -> dict[str, Any]:
    for options in ({}, {"start_new_session": True}):
        subprocess.Popen(["sleep", "61.0625"], **options)  # type: ignore[call-overload]
    return {"done": True}


def test_a_result_comes_back() -> None:
    assert visit.within(10, lambda: {"changed": True, "of": os.getpid()})["of"] != os.getpid()


def test_what_takes_too_long_is_ended() -> None:
    others = visit._children()
    said = visit.within(0.5, _hang)
    assert said["failed"]
    assert "was not done with after 0.5 s" in said["msg"]
    assert visit._children() <= others


@pytest.mark.parametrize("seconds", [10.0, 0.5])
def test_nothing_that_was_started_is_left(seconds: float) -> None:
    """Neither after a result nor without one; what runs beside the visit goes on."""
    with subprocess.Popen(["sleep", "62.0625"]) as other:
        visit.within(seconds, lambda: _leave_a_daemon() if seconds > 1 else (_leave_a_daemon(), _hang())[1])
        assert not _processes("sleep 61.0625")
        assert other.poll() is None
        other.kill()


def test_no_file_is_left() -> None:
    folder = visit.within(10, lambda: {"folder": _file_of_a_visit()})["folder"]
    assert not Path(folder).exists()


def _file_of_a_visit() -> str:
    folder = os.environ["TMPDIR"]
    (Path(folder) / "file").touch()
    return folder


def _eat() -> dict[str, Any]:
    kept = []
    while True:
        kept.append(bytearray(64 << 20))


SECRET = "".join(("console", "-words"))


def _mistake() -> dict[str, Any]:
    settings: dict[str, Any] = {}
    return {"found": settings[SECRET]}


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (_eat, "MB of memory"),
        (lambda: os._exit(3), "without a result"),
        (_mistake, "this collection made a mistake (KeyError)"),
    ],
)
def test_an_end_without_a_result_is_a_sentence(work: Callable[[], Any], sentence: str) -> None:
    said = visit.within(20, work)
    assert said["failed"]
    assert sentence in said["msg"]
    assert SECRET not in str(said)
