"""STAND-IN for Azure: what goes in and what comes out, apart from any server."""

from __future__ import annotations

import json
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

    @property
    def version(self) -> str | None:
        """The api-version, whatever the case of its name."""
        return next((value for name, value in self.query.items() if name.lower() == "api-version"), None)

    def document(self) -> Json:
        """Return the JSON object in the body, empty when there is none.

        Raises:
            ArmError: it is no JSON object.
        """
        if not self.raw.strip():
            return {}
        try:
            found = json.loads(self.raw)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ArmError(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            )
        return found


@dataclass(frozen=True)
class Answer:
    """What the service says."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class ArmError(Exception):
    """The service refuses, with its own code."""

    def __init__(
        self, status: int, code: str, message: str, target: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.headers = headers or {}

    def error(self) -> Json:
        """Return what belongs under "error"."""
        return {"code": self.code, "message": self.message} | ({"target": self.target} if self.target else {})

    def answer(self) -> Answer:
        """Return it in the form that every Azure SDK expects."""
        return Answer(self.status, {"error": self.error()}, self.headers)
