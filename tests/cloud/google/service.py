"""STAND-IN for Google, put together: the hosts, and the log of requests."""

from __future__ import annotations

from pathlib import Path

from tests.cloud.exchange import Answer, Request
from tests.cloud.front import Front
from tests.cloud.google import links
from tests.cloud.google.compute import Compute
from tests.cloud.log import RequestLog, readable

PROJECT = "stand-in-project"
TOKEN = "stand-in-google-token"


class Service:
    """A whole one. Its folder gets requests.jsonl: method, host, path, body with its secrets, status, error."""

    def __init__(self, folder: Path, seconds: float = 0, front: Front | None = None) -> None:
        self.compute = Compute(PROJECT, TOKEN, seconds)
        self._log = RequestLog(folder / "requests.jsonl")
        self._front = front or Front(folder)
        self._front.serve(links.HOSTS, self._answer)

    def start(self) -> dict[str, str]:
        """Serve in the background, and return the environment in which Google's clients come here."""
        self._front.start()
        credentials = {"GCP_AUTH_KIND": "accesstoken", "GCP_ACCESS_TOKEN": TOKEN, "GCP_PROJECT": PROJECT}
        return credentials | self._front.environment()

    def stop(self) -> None:
        """Serve no more."""
        self._front.stop()
        self._log.close()

    def _answer(self, request: Request) -> Answer:
        answer = self.compute.answer(request)
        error = answer.body["error"]["message"] if answer.status >= 400 else None
        self._log.note(
            method=request.method,
            host=request.host,
            path=request.path,
            body=readable(request.raw),
            status=answer.status,
            error=error,
        )
        return answer
