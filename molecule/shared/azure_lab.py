"""The stand-in for Azure as the tests use it: the playbook is run against it, and what was sent is read back."""

from __future__ import annotations

import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

import cloud_play
import play

from tests.cloud.arm.service import Service
from tests.cloud.arm.store import elements

PROXY = "azure-proxy"
KEY = "lab:shared.key#1"
ENDPOINT = "download.microsoft.com"
"""The first of the inventory that has no wildcard."""

Json = dict[str, Any]


class Azure:
    """One subscription, empty at first."""

    def __init__(self, folder: Path, service: Service | None = None) -> None:
        self._service = service or Service(folder)
        self.environment = self._service.environment() if service else self._service.start()
        self.subscription = self.environment["AZURE_SUBSCRIPTION_ID"]
        self._log = folder / "requests.jsonl"
        self._seen = 0

    def stop(self) -> None:
        """Let it go."""
        self._service.stop()

    def violations(self) -> list[str]:
        """Return what was refused in any run since it is not as Azure publishes it."""
        return self._service.manager.violations

    def run(self, *options: str, key: str = KEY, change: Json | None = None) -> play.Run:
        """Run the playbook; what is sent from now on is what sent() returns."""
        self.mark()
        environment = {"AZURE_PROXY_SHARED_KEY": key, **self.environment}
        return cloud_play.playbook("azure", *options, environment=environment, change=change)

    def mark(self) -> None:
        """Let sent() begin here."""
        self._seen = len(self._lines())

    def sent(self, *methods: str) -> list[Json]:
        """Return the last run's requests about resources, of these methods or all."""
        entries = [json.loads(line) for line in self._lines()[self._seen :]]
        about = [one for one in entries if str(one["path"]).startswith("/subscriptions")]
        return [one for one in about if not methods or one["method"] in methods]

    def written(self) -> list[str]:
        """Return the last part of the path of each resource that the last run wrote."""
        parts = [one["path"].rpartition("/")[2] for one in self.sent("PUT", "PATCH", "DELETE", "POST")]
        # Two modules read keys, which Azure wants a POST for.
        return [part for part in parts if part.lower() not in ("sharedkeys", "listkeys")]

    def last(self, kind: str, name: str) -> Json:
        """Return the body of the last PUT to a resource in any run."""
        wanted = f"/{kind}/{name}".lower()
        entries = [json.loads(line) for line in self._lines()]
        bodies = [
            one["body"] for one in entries if one["method"] == "PUT" and str(one["path"]).lower().endswith(wanted)
        ]
        assert bodies, f"nothing was ever put to {wanted}"
        body: Json = bodies[-1]
        return body

    def custom_data(self) -> str:
        """Return what an instance is given."""
        value = self.last("deployments", PROXY)["properties"]["parameters"]["customData"]["value"]
        return base64.b64decode(value).decode()

    def resources(self) -> list[Json]:
        """Return all that there is, with its secrets."""
        found: list[Json] = self._ask("GET", "/resources")
        return found

    def find(self, kind: str, name: str | None = None) -> list[Json]:
        """Return what there is of one kind, such as ``subnets``, whether it is kept by itself or within another."""
        kept = self.resources()
        found = [one for one in kept if str(one["id"]).split("/")[-2].lower() == kind.lower()]
        found += [part for one in kept for part in elements(one, kind) if "name" in part]
        return [one for one in found if name is None or one["name"].lower() == name.lower()]

    def put(self, *resources: Json) -> None:
        """Put resources in place, as if they had been there for years."""
        self._ask("PUT", "/resources", list(resources))

    def faults(self, *faults: Json) -> None:
        """Order what goes wrong from now on."""
        self._ask("PUT", "/faults", list(faults))

    def _lines(self) -> list[str]:
        return self._log.read_text().splitlines()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.environment["STAND_IN_CONTROL"] + path, data=data, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)
