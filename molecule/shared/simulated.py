"""What tests do with a simulated sensor behind its back: look at what it stores, order its faults, reset it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Simulated:
    """A simulated sensor's control port."""

    control: str
    """``http://address:port``"""
    number: int = 0
    """Which one of those that it simulates."""

    def state(self) -> dict[str, Any]:
        """Everything, the stored password included."""
        found: dict[str, Any] = self._ask("GET", "/state")
        return found

    def proxy(self) -> dict[str, Any]:
        """The stored proxy settings."""
        found: dict[str, Any] = self.state()["proxy"]
        return found

    def count(self, name: str) -> int:
        """How often something happened since the last reset."""
        return int(self.state()["counts"].get(name, 0))

    def connected(self) -> bool:
        """Whether its agent reaches every endpoint now, whatever its console says."""
        found = self._ask("GET", "/cloud")
        return bool(found and found["connected"])

    def reset(self, **proxy: Any) -> None:
        """Become as new, but for these proxy settings."""
        self._ask("POST", "/reset", {"proxy": proxy})

    def fault(self, **faults: Any) -> None:
        """Misbehave from now on."""
        self._ask("PUT", "/faults", faults)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control}{path}?sensor={self.number}", data, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.load(answer)
