"""STAND-INS for clouds: what goes in and what comes out, apart from any server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request, as a client sent it."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""
    raw: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What the service says."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
