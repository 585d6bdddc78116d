"""STAND-IN for Azure: long-running operations. They take a moment, and end in success or as a test ordered it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cloud.arm.exchange import Answer, ArmError, Json


@dataclass
class Operation:
    """One of them."""

    resource: str
    finish: Callable[[], Json | None]
    """Called when the time has come; returns an error for a failure."""
    ready: float
    """time.monotonic"""
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    done: bool = False
    error: Json | None = None
    result: Json | None = None
    """What Location answers with at its end, where there is such."""


class Operations:
    """All that were started."""

    def __init__(self, host: str, subscription: str, seconds: float) -> None:
        self._base = (
            f"https://{host}/subscriptions/{subscription}/providers/Microsoft.StandIn/locations/here/operations"
        )
        self._seconds = seconds
        self._known: dict[str, Operation] = {}

    def start(self, resource: str, finish: Callable[[], Json | None], result: Json | None = None) -> dict[str, str]:
        """Begin one, and return the headers that tell the client where to look."""
        operation = Operation(resource.lower(), finish, time.monotonic() + self._seconds, result=result)
        self._known[operation.key] = operation
        location = {"Location": f"{self._base}/{operation.key}/result?api-version=2024-01-01"} if result else {}
        return location | {
            "Azure-AsyncOperation": f"{self._base}/{operation.key}?api-version=2024-01-01",
            # A real one says Retry-After: 10. The SDKs understand this one too, and tests need not wait.
            "x-ms-retry-after-ms": str(int(self._seconds * 1000) or 1),
        }

    def settle(self) -> None:
        """Finish what is due."""
        for operation in list(self._known.values()):
            if not operation.done and time.monotonic() >= operation.ready:
                operation.error = operation.finish()
                operation.done = True

    def result(self, key: str) -> Answer:
        """Answer a client that asks for what came out of it."""
        operation = self._known.get(key)
        if operation is None or operation.result is None:
            raise ArmError(404, "NotFound", f"The entity was not found: result of the operation {key}.")
        return Answer(200, operation.result) if operation.done else Answer(202, None)

    def check_idle(self, resource: str) -> None:
        """Refuse a second operation on one resource.

        Raises:
            ArmError: one is running.
        """
        if any(not known.done and known.resource == resource.lower() for known in self._known.values()):
            raise ArmError(
                429,
                "AnotherOperationInProgress",
                "Another operation on this or dependent resource is in progress. To retrieve status of the operation "
                "use uri: https://aka.ms/async-operation.",
                headers={"x-ms-retry-after-ms": "100"},
            )

    def status(self, key: str) -> Answer:
        """Answer a client that polls."""
        operation = self._known.get(key)
        if operation is None:
            raise ArmError(404, "NotFound", f"The entity was not found: operation {key}.")
        if not operation.done:
            return Answer(200, {"status": "InProgress"}, {"x-ms-retry-after-ms": str(int(self._seconds * 1000) or 1)})
        if operation.error is not None:
            return Answer(200, {"status": "Failed", "error": operation.error})
        return Answer(200, {"status": "Succeeded"})
