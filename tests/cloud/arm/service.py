"""STAND-IN for Azure, put together: the hosts, the log of requests, the control paths, and the files of its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cloud.arm import manager, sign_in
from tests.cloud.arm.exchange import Answer, Request, version
from tests.cloud.arm.manager import Manager
from tests.cloud.arm.sign_in import Account
from tests.cloud.front import Front
from tests.cloud.log import RequestLog, readable


class Service:
    """A whole one.

    Its folder gets env.json, requests.jsonl, ca.pem unless another front is given, and at the end of the start the empty file
    ready.
    """

    def __init__(
        self, folder: Path, seconds: float = 0.05, account: Account | None = None, front: Front | None = None
    ) -> None:
        self._folder = folder
        self.account = account or Account()
        self.manager = Manager(self.account, seconds)
        self._log = RequestLog(folder / "requests.jsonl")
        self._front = front or Front(folder)
        self._front.serve((manager.HOST, sign_in.HOST), self._azure, refused=self._refused, control=self._control)

    def start(self) -> dict[str, str]:
        """Serve in the background, and return the environment in which Azure's clients come here."""
        self._front.start()
        environment = self.environment()
        (self._folder / "env.json").write_text(json.dumps(environment, indent=2) + "\n", encoding="utf-8")
        (self._folder / "ready").touch()
        return environment

    def stop(self) -> None:
        """Serve no more."""
        self._front.stop()
        self._log.close()

    def environment(self) -> dict[str, str]:
        """Return what the modules need to know."""
        return {
            "AZURE_SUBSCRIPTION_ID": self.account.subscription,
            "AZURE_TENANT": self.account.tenant,
            "AZURE_CLIENT_ID": self.account.client,
            "AZURE_SECRET": self.account.secret,
            # Nothing of the person's own sign-ins is read or written.
            "AZURE_CONFIG_DIR": str((self._folder / "azure").resolve()),
            "STAND_IN_CONTROL": self._front.url,
            **self._front.environment(),
        }

    def dump(self) -> None:
        """Write resources.json."""
        (self._folder / "resources.json").write_text(json.dumps(self.manager.dump(), indent=2) + "\n", encoding="utf-8")

    def _azure(self, request: Request) -> Answer:
        if request.host == sign_in.HOST:
            answer = sign_in.answer(request, self.account, self.manager.faults)
            body: Any = None
        else:
            answer = self.manager.answer(request)
            body = readable(request.raw)
        self._log.note(
            method=request.method,
            host=request.host,
            path=request.path,
            api_version=version(request),
            query={name: value for name, value in request.query.items() if name.lower() != "api-version"},
            body=body,
            status=answer.status,
            error=(answer.body or {}).get("error") if isinstance(answer.body, dict) and answer.status >= 400 else None,
        )
        return answer

    def _refused(self, target: str) -> None:
        self._log.note(
            method="CONNECT", host=target, path=None, api_version=None, query=None, body=None, status=403, error=None
        )

    def _control(self, request: Request) -> Answer:
        """Look at it and order faults; for tests only, without any sign-in."""
        try:
            return self._controlled(request.method, request.path, json.loads(request.raw or b"null"))
        except (ValueError, KeyError, TypeError) as error:
            return Answer(400, {"error": str(error)})

    def _controlled(self, method: str, path: str, body: Any) -> Answer:
        if (method, path) == ("GET", "/resources"):
            return Answer(200, self.manager.dump())
        if (method, path) == ("GET", "/violations"):
            return Answer(200, list(self.manager.violations))
        if (method, path) == ("PUT", "/resources"):
            for document in body:
                self.manager.seed(document)
            return Answer(200, {})
        if (method, path) == ("PUT", "/zones"):
            self.manager.store.zones = dict(body)
            return Answer(200, {})
        if (method, path) == ("PUT", "/faults"):
            self.manager.faults.order(body)
            return Answer(200, {})
        if (method, path) == ("POST", "/reset"):
            self.manager.reset()
            return Answer(200, {})
        return Answer(404, {"error": "GET or PUT /resources, GET /violations, PUT /zones, PUT /faults, POST /reset"})
