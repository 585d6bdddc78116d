"""Say what is being done and how long it will roughly take."""

from __future__ import annotations

import time


class Progress:
    """Knows how long each part takes on a machine with two cores."""

    def __init__(self, estimates: dict[str, float]) -> None:
        self._later = dict(estimates)
        self._part = ""
        self._seconds = 0.0
        self._start = time.monotonic()

    def begin(self, part: str) -> None:
        """Enter a part."""
        self._part = part
        self._seconds = self._later.pop(part)

    def say(self, what: str, done: float) -> None:
        """Name the next step; ``done`` is the share of the part, from 0 to 1, that is over."""
        left = self._seconds * (1 - done) + sum(self._later.values())
        elapsed = int(time.monotonic() - self._start)
        print(
            f"[{elapsed // 60}:{elapsed % 60:02}, about {left / 60:.1f} min left] part {self._part}: {what}", flush=True
        )
