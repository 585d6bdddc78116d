"""STAND-INS for clouds: what was sent to them, one line of JSON for each request."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any


class RequestLog:
    """A file, empty at first."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")

    def note(self, **entry: Any) -> None:
        """Write a line."""
        with self._lock:
            self._file.write(json.dumps({"time": round(time.time(), 3)} | entry) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def readable(raw: bytes) -> Any:
    """Return a body as the log has it."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")
