"""STAND-IN for AWX, put together: its host, who may ask, and what it was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cloud.awx.objects import UNIFIED, Objects, RefusedError
from tests.cloud.exchange import Answer, Json, Request
from tests.cloud.front import Front

HOST = "awx.example"
TOKEN = "stand-in-token"
_ASSOCIATED = {
    "organizations": ("galaxy_credentials",),
    "job_templates": ("credentials", "labels", "instance_groups", "notification_templates_error"),
    "workflow_job_templates": ("labels", "notification_templates_error", "notification_templates_approvals"),
    "workflow_job_template_nodes": ("success_nodes", "failure_nodes", "always_nodes"),
}


@dataclass(frozen=True)
class Asked:
    """One request that was to change something."""

    method: str
    path: str
    body: Json


class Service:
    """A whole one, with the organization Default and what AWX brings along. Its folder gets ca.pem."""

    def __init__(self, folder: Path, playbooks: frozenset[str]) -> None:
        self.objects = Objects(playbooks)
        self.requests: list[Asked] = []
        organization = self.objects.create("organizations", {"name": "Default"})
        self.types = {
            namespace: self.objects.create(
                "credential_types", {"name": name, "kind": namespace, "namespace": namespace}
            )["id"]
            for name, namespace in (
                ("Machine", "ssh"),
                ("Vault", "vault"),
                ("Source Control", "scm"),
                ("Galaxy", "galaxy_api_token"),
                ("GPG Public Key", "gpg_public_key"),
            )
        }
        galaxy = self.objects.create(
            "credentials", {"name": "Ansible Galaxy", "credential_type": self.types["galaxy_api_token"]}
        )
        self.galaxy = self.objects.associated[f"organizations/{organization['id']}/galaxy_credentials"] = [galaxy["id"]]
        self._front = Front(folder)
        self._front.serve((HOST,), self._answer)

    def start(self) -> dict[str, str]:
        """Serve in the background, and return the environment in which the modules come here."""
        self._front.start()
        return {
            "CONTROLLER_HOST": f"https://{HOST}",
            "CONTROLLER_OAUTH_TOKEN": TOKEN,
        } | self._front.environment()

    def stop(self) -> None:
        """Serve no more."""
        self._front.stop()

    def _answer(self, request: Request) -> Answer:
        product = {"X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1"}
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"detail": "Authentication credentials were not provided."}, product)
        path = request.path.removeprefix("/api/v2/").strip("/")
        body: Json = json.loads(request.raw or b"{}")
        if request.method != "GET":
            self.requests.append(Asked(request.method, path, body))
        try:
            status, found = self._found(request, path.split("/"), body)
        except RefusedError as refused:
            status, found = 400, refused.args[0]
        except (KeyError, ValueError):
            status, found = 404, {"detail": "Not found."}
        return Answer(status, found, product)

    def _found(self, request: Request, path: list[str], body: Json) -> tuple[int, Any]:
        kind, *rest = path
        if kind == "project_updates":
            return 200, {"status": "successful", "failed": False, "finished": "now", "id": 0, "scm_revision": "0" * 40}
        if kind == "roles":
            # A role's members, by the number that objects.py makes up.
            return self._associate(request.method, f"roles/{rest[0]}/{rest[1]}", body)
        if not rest:
            if request.method == "POST":
                created = self.objects.create(kind, body)
                if kind == "projects":
                    # AWX fetches a new project at once.
                    created["summary_fields"] = {"current_update": {"id": 0}}
                return 201, created
            kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
            return 200, _page(self.objects.find(kinds, request.query))
        number = int(rest[0])
        if number not in self.objects.kept[kind]:
            raise KeyError(number)
        if len(rest) > 1:
            return self._related(request.method, kind, number, rest[1], body)
        if request.method == "PATCH":
            return 200, self.objects.change(kind, number, body)
        if request.method == "DELETE":
            self.objects.remove(kind, number)
            return 204, None
        return 200, self.objects.shown(kind, number)

    def _related(self, method: str, kind: str, number: int, name: str, body: Json) -> tuple[int, Any]:
        if name == "survey_spec":
            if method == "POST":
                self.objects.surveys[number] = body
            return 200, self.objects.surveys.get(number, {})
        if name == "update":
            return 202, {"id": 0, "status": "pending", "url": "/api/v2/project_updates/0/"}
        if name == "create_approval_template":
            created = self.objects.create("workflow_approval_templates", body)
            self.objects.change(kind, number, {"unified_job_template": created["id"]})
            return 201, created
        if name == "script":
            return 200, self.objects.script
        if name not in _ASSOCIATED.get(kind, ()):
            raise KeyError(name)
        return self._associate(method, f"{kind}/{number}/{name}", body)

    def _associate(self, method: str, name: str, body: Json) -> tuple[int, Any]:
        ids = self.objects.associated.setdefault(name, [])
        if method == "GET":
            return 200, _page([{"id": other} for other in ids])
        if body.get("disassociate"):
            ids.remove(body["id"])
        else:
            ids.append(body["id"])
        return 204, None


def _page(results: list[Json]) -> Json:
    return {"count": len(results), "next": None, "previous": None, "results": results}
