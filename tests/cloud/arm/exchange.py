"""STAND-IN for Azure: what is its own in what goes in and what comes out."""

from __future__ import annotations

import json

from tests.cloud.exchange import Answer, Json, Request

__all__ = ["Answer", "ArmError", "Json", "Request", "content", "version"]


def version(request: Request) -> str | None:
    """Return the api-version, whatever the case of its name."""
    return next((value for name, value in request.query.items() if name.lower() == "api-version"), None)


def content(request: Request) -> Json:
    """Return the JSON object in the body, empty when there is none.

    Raises:
        ArmError: it is no JSON object.
    """
    if not request.raw.strip():
        return {}
    try:
        found = json.loads(request.raw)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
    return found


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
