"""STAND-IN for Google's Compute Engine: reads and writes the resources of one project."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
import time
from typing import Any

from tests.cloud.exchange import Answer, Json, Request
from tests.cloud.google import links, rules
from tests.cloud.google.rules import GoogleError

_HIDDEN = "*************"


class Compute:
    """One project."""

    def __init__(self, project: str, token: str, seconds: float) -> None:
        self._project = project
        self._token = token
        self._seconds = seconds
        self._resources: dict[str, Json] = {}
        self._operations: dict[str, tuple[float, Json]] = {}
        self.violations: list[str] = []
        """What was refused since it is not as Google publishes it."""
        self._number = 0
        self._lock = threading.RLock()

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        with self._lock:
            try:
                return self._route(request)
            except GoogleError as error:
                return error.answer()

    def network(self, name: str) -> None:
        """Put a network in place, as if it had been there for years."""
        with self._lock:
            place = links.Place(self._project, "global", "networks", name)
            self._keep(place, {"name": name, "autoCreateSubnetworks": False})

    def resources(self, kind: str = "") -> list[Json]:
        """Return what there is, of one kind or all, with its secrets."""
        with self._lock:
            found = [document for path, document in self._resources.items() if kind in ("", path.split("/")[-2])]
            return copy.deepcopy(found)

    def reset(self) -> None:
        """Start over with an empty project."""
        with self._lock:
            self._resources.clear()
            self.violations.clear()

    def _route(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            raise GoogleError(401, "authError", "Request had invalid authentication credentials.")
        place = links.place(request.path)
        if place is None:
            raise GoogleError(404, "notFound", "Not Found")
        if place.project != self._project:
            message = f"Required 'compute.{place.kind}.list' permission for 'projects/{place.project}'"
            raise GoogleError(403, "forbidden", message)
        if place.kind == "operations" and request.method == "GET":
            return Answer(200, self._operation(str(place.name)))
        if place.kind not in links.KINDS or links.KINDS[place.kind][2] != place.scope.startswith("regions/"):
            raise GoogleError(404, "notFound", "Not Found")
        if request.method == "GET" and place.name is None:
            return self._list(place, request.query.get("filter", ""))
        if request.method == "POST" and place.name is None:
            return self._insert(place, json.loads(request.raw))
        if place.path not in self._resources:
            raise rules.not_found(place.path)
        if request.method == "GET":
            return Answer(200, self._shown(place.path))
        if request.method == "DELETE":
            return self._delete(place)
        # Nothing of a classic VPN can be changed, and what else can be is not needed here.
        raise GoogleError(405, "httpMethodNotAllowed", f"This stand-in has no {request.method} on {place.path}.")

    def _list(self, place: links.Place, asked: str) -> Answer:
        if asked:
            raise GoogleError(400, "invalid", f"This stand-in has no filters: '{asked}'.")
        items = [self._shown(path) for path in self._resources if path.startswith(place.path + "/")]
        found: Json = {"kind": f"compute#{links.KINDS[place.kind][0]}List", "selfLink": links.link(place.path)}
        # Without any there is no list of them either.
        return Answer(200, found | ({"items": items} if items else {}))

    def _insert(self, collection: links.Place, sent: Json) -> Answer:
        try:
            rules.check_published(collection.kind, sent)
        except rules.PublishedError as error:
            self.violations.append(f"POST {collection.path}: {error.message}")
            raise
        place = links.Place(collection.project, collection.scope, collection.kind, str(sent.get("name")))
        document = self._filled(place, sent)
        rules.check(place.kind, place.path, document, self._resources)
        self._keep(place, document)
        return Answer(200, self._start("insert", place))

    def _filled(self, place: links.Place, sent: Json) -> Json:
        document = {name: value for name, value in sent.items() if value is not None}
        for member, path in rules.references(place.kind, document):
            document[member] = links.link(path)
        if place.kind == "addresses":
            document.setdefault("addressType", "EXTERNAL")
            document.setdefault("address", f"203.0.113.{1 + self._number % 254}")
        if place.kind == "forwardingRules" and "-" not in str(document.get("portRange", "-")):
            document["portRange"] = f"{document['portRange']}-{document['portRange']}"
        if place.kind == "vpnTunnels":
            document.setdefault("ikeVersion", 2)
            for member in ("localTrafficSelector", "remoteTrafficSelector"):
                document.setdefault(member, ["0.0.0.0/0"])
        if place.kind == "routes":
            document.setdefault("priority", 1000)
        return document

    def _keep(self, place: links.Place, document: Json) -> None:
        self._number += 1
        added: Json = {
            "kind": f"compute#{links.KINDS[place.kind][0]}",
            "id": str(7_000_000_000_000_000_000 + self._number),
            "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000-00:00", time.gmtime()),
            "selfLink": links.link(place.path),
        }
        if place.scope != "global":
            added["region"] = links.link(f"projects/{place.project}/{place.scope}")
        self._resources[place.path] = document | added

    def _delete(self, place: links.Place) -> Answer:
        rules.check_deletion(place.path, self._resources)
        del self._resources[place.path]
        return Answer(200, self._start("delete", place))

    def _shown(self, path: str) -> Json:
        """Return a resource as the service returns it: who uses it, and no secret."""
        shown = copy.deepcopy(self._resources[path])
        users = [links.link(user) for user in rules.users(path, self._resources)]
        kind = path.split("/")[-2]
        if kind == "addresses":
            shown |= {"status": "IN_USE", "users": users} if users else {"status": "RESERVED"}
        if kind == "targetVpnGateways":
            shown |= {"status": "READY", "tunnels": [], "forwardingRules": []}
            for user in users:
                shown["tunnels" if "/vpnTunnels/" in user else "forwardingRules"].append(user)
        if kind == "vpnTunnels":
            shown["sharedSecretHash"] = hashlib.sha256(f"{shown['id']} {shown['sharedSecret']}".encode()).hexdigest()
            shown |= {"sharedSecret": _HIDDEN, "status": "FIRST_HANDSHAKE", "detailedStatus": "Waiting for the peer."}
        return shown

    def _start(self, what: str, place: links.Place) -> Json:
        """Return an operation, done at once unless it takes some seconds."""
        name = f"operation-{len(self._operations) + 1}"
        parent = f"projects/{place.project}/{place.scope}"
        operation: Json = {
            "kind": "compute#operation",
            "name": name,
            "operationType": what,
            "targetLink": links.link(place.path),
            "selfLink": links.link(f"{parent}/operations/{name}"),
        }
        self._operations[name] = (time.monotonic() + self._seconds, operation)
        return self._operation(name)

    def _operation(self, name: str) -> Json:
        if name not in self._operations:
            raise rules.not_found(f"projects/{self._project}/operations/{name}")
        ready, operation = self._operations[name]
        done: dict[str, Any] = {"status": "DONE", "progress": 100}
        return operation | (done if time.monotonic() >= ready else {"status": "RUNNING", "progress": 0})
