# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sign of life while a task takes long, since Ansible itself says nothing until it has ended. Private to this collection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 10.0
"""Seconds between two signs."""


@contextmanager
def alive(say: Callable[[str], object], what: str, every: float = EVERY) -> Iterator[None]:
    """Say now and then what is still going on.

    Args:
        say: prints a line.
        what: what is going on.
        every: seconds between two lines.
    """
    over = threading.Event()
    began = time.monotonic()

    def tick() -> None:
        while not over.wait(every):
            say(f"{what} ({time.monotonic() - began:.0f} s)")

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        over.set()
        ticker.join()
