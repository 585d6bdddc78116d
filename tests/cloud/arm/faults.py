"""STAND-IN for Azure: what goes wrong, on a test's order.

A list of objects by PUT /faults on the proxy's own port:
    {"kind": "wrong_secret"}                                      the token endpoint refuses
    {"kind": "forbidden", "path": REGEX, "method": "PUT"}         403; without a method every request
    {"kind": "throttled", "path": REGEX, "times": N, "seconds": S}   429 with Retry-After
    {"kind": "unhealthy", "path": REGEX, "times": N}              what an instance answers when it is asked for its health
    {"kind": "unregistered", "path": "Microsoft.Insights"}         a provider that the subscription has not registered
    {"kind": "said", "path": REGEX, "message": TEXT, "times": N}  what an instance prints when it is given a command
    {"kind": "failed_operation", "path": REGEX, "message": TEXT, "code": CODE, "times": N}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from tests.cloud.arm import ids
from tests.cloud.arm.exchange import ArmError, Json

KINDS = ("wrong_secret", "forbidden", "throttled", "unhealthy", "unregistered", "said", "failed_operation")
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}


@dataclass
class Fault:
    """One of them."""

    kind: str
    path: str = ""
    method: str | None = None
    times: int | None = None
    """How often it still happens; None for always."""
    seconds: float = 1
    code: str = "InternalServerError"
    message: str = "An error occurred."

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no fault {self.kind}; they are {', '.join(KINDS)}")
        re.compile(self.path)

    def hits(self, method: str, path: str) -> bool:
        """Say whether it happens now, and count it."""
        if self.times == 0 or (self.method and self.method != method) or not re.search(self.path, path, re.IGNORECASE):
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """Those in force."""

    def __init__(self) -> None:
        self._known: list[Fault] = []

    def order(self, wanted: list[Json]) -> None:
        """Replace them.

        Raises:
            ValueError: one is unknown.
        """
        allowed = {field.name for field in fields(Fault)}
        for item in wanted:
            if set(item) - allowed:
                raise ValueError(f"a fault has no {sorted(set(item) - allowed)}")
        self._known = [Fault(**item) for item in wanted]

    def _first(self, kind: str, method: str, path: str) -> Fault | None:
        return next((fault for fault in self._known if fault.kind == kind and fault.hits(method, path)), None)

    def wrong_secret(self) -> bool:
        """Say whether the right secret counts as a wrong one."""
        return self._first("wrong_secret", "POST", "") is not None

    def unhealthy(self, path: str) -> bool:
        """Say whether an instance is not healthy yet."""
        return self._first("unhealthy", "GET", path) is not None

    def unregistered(self, namespace: str) -> bool:
        """Say whether the subscription has not registered a provider."""
        return self._first("unregistered", "", namespace) is not None

    def said(self, path: str) -> str | None:
        """Return what an instance prints, None for what one prints that works."""
        fault = self._first("said", "POST", path)
        return fault.message if fault else None

    def check(self, method: str, path: str, client: str) -> None:
        """Refuse a request as ordered.

        Raises:
            ArmError: 403 or 429.
        """
        fault = self._first("throttled", method, path)
        if fault:
            raise ArmError(
                429,
                "TooManyRequests",
                f"The request is being throttled as the limit has been reached for operation type - {_VERBS[method]}.",
                headers={"Retry-After": f"{fault.seconds:g}"},
            )
        if self._first("forbidden", method, path):
            self._forbid(method, path, client)

    def _forbid(self, method: str, path: str, client: str) -> None:
        target = ids.parse(path)
        action = f"{target.type or 'Microsoft.Resources/subscriptions/resourceGroups'}/{_VERBS[method]}"
        if not target.namespace:
            action = f"Microsoft.Resources/{target.type}/{_VERBS[method]}"
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{client}' with object id '{client}' does not have authorization to perform action '{action}' "
            f"over scope '{target.path}' or the scope is invalid. If access was recently granted, please refresh your "
            "credentials.",
        )

    def failed_operation(self, method: str, path: str) -> Json | None:
        """Return the error with which an operation that starts now will end."""
        fault = self._first("failed_operation", method, path)
        return {"code": fault.code, "message": fault.message} if fault else None
