"""STAND-IN for Azure Resource Manager itself: reads and writes resources."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from typing import Any

from tests.cloud.arm import defaults, extras, ids, rules, schema, sign_in, templates, view
from tests.cloud.arm.exchange import Answer, ArmError, Json, Request, content, version
from tests.cloud.arm.faults import Faults
from tests.cloud.arm.operations import Operations
from tests.cloud.arm.sign_in import Account
from tests.cloud.arm.store import Store, element

HOST = "management.azure.com"

_GROUP = "subscriptions/resourcegroups"
_DEPLOYMENT = "microsoft.resources/deployments"
_AT_ONCE = ("microsoft.storage/", "microsoft.insights/", "microsoft.network/networkwatchers")
"""These answer 200 with the finished resource; the SDKs take nothing else from the first two."""
_LOCK = "microsoft.authorization/locks"
_UNLISTED = (_LOCK, "microsoft.resources/", "microsoft.insights/", "microsoft.storage/storageaccounts/blobservices")
"""Not among a group's resources."""
_TOP = ("location", "tags", "sku", "kind", "zones", "identity", "plan")
_PARTS = {
    "microsoft.network/virtualnetworks": ("subnets", "virtualNetworkPeerings"),
    "microsoft.network/networksecuritygroups": ("securityRules",),
    "microsoft.network/loadbalancers": ("backendAddressPools", "inboundNatRules"),
    "microsoft.network/expressroutecircuits": ("peerings", "authorizations"),
}
"""Parts that can be written one at a time."""


class Manager:
    """One subscription."""

    def __init__(self, account: Account, seconds: float) -> None:
        self.account = account
        self.faults = Faults()
        self.store = Store()
        self.violations: list[str] = []
        """What was refused since it is not as Azure publishes it."""
        self._operations = Operations(HOST, account.subscription, seconds)
        self._lock = threading.RLock()

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        with self._lock:
            try:
                self._operations.settle()
                rules.check_request(request, self.account.subscription, sign_in.TOKEN)
                if "/providers/microsoft.standin/" in request.path.lower():
                    *_place, key, last = request.path.split("/")
                    return self._operations.result(key) if last == "result" else self._operations.status(last)
                target = ids.parse(request.path)
                self._check_schema(request, target)
                self.faults.check(request.method, request.path, self.account.client)
                return self._route(request, target)
            except ArmError as error:
                return error.answer()

    def _check_schema(self, request: Request, target: ids.Id) -> None:
        asked = str(version(request))
        self._by_schema(request, lambda: schema.check_version(target, asked))
        if request.method in ("PUT", "PATCH") or target.kind == extras.RUN_COMMAND:
            # ARM knows its groups before it asks a provider what it makes of the body.
            rules.check_group(target, self.store)
            shown = view.show(target.path, self.store)
            self._by_schema(request, lambda: schema.check_body(request.method, target, asked, content(request), shown))

    def _by_schema(self, request: Request, check: Callable[[], None]) -> None:
        """Note what is refused: a role that expects a refusal must not take this one for it."""
        try:
            check()
        except schema.SchemaError as error:
            self.violations.append(f"{request.method} {request.path}: {error.code}: {error.message}")
            raise

    def seed(self, document: Json) -> None:
        """Put a resource in place unchecked, as if it had been there for years."""
        with self._lock:
            target = ids.parse(document["id"])
            self.store.keep({"name": target.name, "type": target.type, "properties": {}} | document)

    def dump(self) -> list[Json]:
        """Return all resources as they are kept, secrets included."""
        with self._lock:
            self._operations.settle()
            return copy.deepcopy(list(self.store))

    def reset(self) -> None:
        """Start over with an empty subscription."""
        with self._lock:
            self.store.documents.clear()
            self.store.zones.clear()
            self.violations.clear()
            self.faults.order([])

    def _route(self, request: Request, target: ids.Id) -> Answer:
        if target.kind == extras.INSTANCE_VIEW:
            return extras.instance_view(target, self.store, healthy=not self.faults.unhealthy(target.path))
        if target.kind == "subscriptions/providers":
            return Answer(200, {"value": [extras.provider(target, name, self.faults) for name in extras.NAMESPACES]})
        if target.kind == extras.RUN_COMMAND:
            said = extras.run_command(request, target, self.store, self.faults.said(target.path))
            return Answer(202, None, self._operations.start(self._check_free(target), lambda: None, said))
        extra = extras.answer(request, target, self.store)
        if extra is not None:
            return extra
        if request.method in ("GET", "HEAD"):
            return self._read(request, target)
        if request.method == "PUT":
            return self._put(target, content(request))
        if request.method == "PATCH":
            return self._patch(target, content(request))
        if request.method == "DELETE":
            return self._delete(target)
        if request.method == "POST" and target.kind == _DEPLOYMENT + "/exporttemplate":
            found = self.store.find(target.path.rsplit("/", 1)[0]) or {}
            return Answer(200, {"template": found.get("properties", {}).get("template")})
        raise ArmError(405, "MethodNotAllowed", f"This stand-in has no {request.method} on {target.path}.")

    def _check_free(self, target: ids.Id) -> str:
        """One command at a time (learn.microsoft.com "Run scripts in your Linux VM by using action Run Commands")."""
        instance = target.path.rsplit("/", 1)[0]
        try:
            self._operations.check_idle(instance)
        except ArmError:
            text = "Run command extension execution is in progress. Please wait for completion before invoking a run command."
            raise ArmError(409, "Conflict", text) from None
        return instance

    def _read(self, request: Request, target: ids.Id) -> Answer:
        if target.kind == _GROUP + "/resources":
            group = target.path.rsplit("/", 1)[0]
            if self.store.find(group) is None:
                raise rules.not_found(ids.parse(group))
            found = [shown for shown in self._list(target) if not ids.parse(shown["id"]).kind.startswith(_UNLISTED)]
            return Answer(200, {"value": [_listed(shown, request.query.get("$expand", "")) for shown in found]})
        if target.is_collection:
            rules.check_group(target, self.store)
            return Answer(200, {"value": self._list(target)})
        shown = view.show(target.path, self.store)
        if shown is None and target.parent is not None and self.store.find(target.parent) is not None:
            shown = extras.blob_service(target)
        if shown is None:
            rules.check_group(target, self.store)
            raise rules.not_found(target)
        if target.kind == _DEPLOYMENT:
            shown["properties"].pop("template", None)
            shown["properties"].pop("operations", None)
        return Answer(204) if request.method == "HEAD" else Answer(200, shown)

    def _list(self, target: ids.Id) -> list[Json]:
        parent = target.path.rsplit("/", 1)[0]
        found = self.store.find(parent)
        if target.kind == _DEPLOYMENT + "/operations":
            return list((found or {}).get("properties", {}).get("operations", []))
        if found is not None and target.types[-1].lower() in (
            part.lower() for parts in _PARTS.values() for part in parts
        ):
            shown = view.show(parent, self.store) or {}
            return list(shown["properties"].get(target.types[-1], []))
        head = parent.split("/providers/")[0].lower() if target.group and not target.parent else parent.lower()
        head = f"/subscriptions/{target.subscription}".lower() if target.group is None and not target.scope else head
        if target.kind == _LOCK:
            # Those of whatever it is in as well.
            locks = self.store.of_kind(_LOCK)
            return [
                lock for lock in locks if lock["id"].lower().startswith(f"{head}/") or rules.is_within(head, lock["id"])
            ]
        return [
            view.show(document["id"], self.store) or {}
            for document in self.store
            if document["id"].lower().startswith(head + "/")
            and (target.kind == _GROUP + "/resources" or ids.parse(document["id"]).kind == target.kind)
        ]

    def _put(self, target: ids.Id, sent: Json) -> Answer:
        rules.check_place(target, self.store)
        if target.kind == _DEPLOYMENT:
            return self._deploy(target, sent)
        owner = self._owner(target)
        self._operations.check_idle(owner.path)
        existed = self.store.find(target.path) is not None
        error = self.faults.failed_operation("PUT", target.path)
        at_once = target.kind.startswith(_AT_ONCE) or target.kind == _GROUP
        if error and at_once:
            raise ArmError(409, error["code"], error["message"])
        document = self._write(target, sent)
        headers = {} if at_once else self._start(document, error)
        status = 200 if existed or (at_once and target.kind != _GROUP) else 201
        return Answer(status, view.show(target.path, self.store), headers)

    def _start(self, document: Json, error: Json | None) -> dict[str, str]:
        """Begin the operation that finishes a resource."""
        document["properties"]["provisioningState"] = "Updating"

        def finish() -> Json | None:
            document["properties"]["provisioningState"] = "Failed" if error else "Succeeded"
            return error

        return self._operations.start(document["id"], finish)

    def _owner(self, target: ids.Id) -> ids.Id:
        """Return the resource that is really written: a subnet is written with its network."""
        owner = ids.parse(target.parent) if target.parent else None
        if owner is not None and target.types[-1].lower() in (part.lower() for part in _PARTS.get(owner.kind, ())):
            return owner
        return target

    def _write(self, target: ids.Id, sent: Json) -> Json:
        """Check and keep a resource, and return its document."""
        rules.check_locks(target, self.store, "write")
        if self.faults.unregistered(target.namespace):
            text = f"The subscription is not registered to use namespace '{target.namespace}'. See https://aka.ms/rps-not-found for how to "
            raise ArmError(409, "MissingSubscriptionRegistration", f"{text}register subscriptions.")
        owner = self._owner(target)
        before = self.store.find(owner.path)
        document = self._composed(owner, target, sent, before)
        defaults.fill(document, self.store, before)
        rules.check_document(document, self.store, before)
        document["properties"]["provisioningState"] = "Succeeded"
        self.store.keep(document)
        if owner.kind == "microsoft.network/virtualnetworks":
            self._watch(document["location"])
            defaults.settle_peerings(self.store)
        return document

    def _composed(self, owner: ids.Id, target: ids.Id, sent: Json, before: Json | None) -> Json:
        if owner is not target:
            document = copy.deepcopy(before or {})
            member = next(part for part in _PARTS[owner.kind] if part.lower() == target.types[-1].lower())
            others = [item for item in document["properties"].get(member, []) if item["name"] != target.name]
            added = {"name": target.name, "properties": _without_nulls(sent.get("properties", {}))}
            place = (
                len(others) if element(document, member, target.name) is None else _place(document, member, target.name)
            )
            document["properties"][member] = [*others[:place], added, *others[place:]]
            return document
        document = {"id": (before or {}).get("id", target.path), "name": target.name, "type": target.type}
        if target.kind == _GROUP:
            document["type"] = "Microsoft.Resources/resourceGroups"
        document |= {name: _without_nulls(sent[name]) for name in _TOP if sent.get(name) is not None}
        if "location" in document:
            document["location"] = document["location"].replace(" ", "").lower()
        document["properties"] = _without_nulls(sent.get("properties") or {})
        return document

    def _watch(self, location: str) -> None:
        """Make the region's network watcher with its first network, as Azure does."""
        if any(found["location"] == location for found in self.store.of_kind("Microsoft.Network/networkWatchers")):
            return
        group = f"/subscriptions/{self.account.subscription}/resourceGroups/NetworkWatcherRG"
        if self.store.find(group) is None:
            self.seed({"id": group, "location": location, "type": "Microsoft.Resources/resourceGroups"})
        path = f"{group}/providers/Microsoft.Network/networkWatchers/NetworkWatcher_{location}"
        self.seed({"id": path, "location": location, "properties": {"provisioningState": "Succeeded"}})

    def _patch(self, target: ids.Id, sent: Json) -> Answer:
        before = self.store.find(target.path)
        if before is None:
            rules.check_group(target, self.store)
            raise rules.not_found(target)
        self._operations.check_idle(target.path)
        merged = _merged(before, {name: value for name, value in sent.items() if name != "tags"})
        if "tags" in sent:
            merged["tags"] = sent["tags"]
        self._write(target, merged)
        return Answer(200, view.show(target.path, self.store))

    def _delete(self, target: ids.Id) -> Answer:
        found = self.store.find(target.path)
        if found is None:
            if target.kind == _GROUP:
                raise rules.not_found(target)
            rules.check_group(target, self.store)
            return Answer(204)
        owner = self._owner(target)
        self._operations.check_idle(owner.path)
        rules.check_locks(target, self.store, "delete")
        rules.check_deletion(target.path, self.store)
        error = self.faults.failed_operation("DELETE", target.path)
        if target.kind.startswith(_AT_ONCE[:2]):
            if error:
                raise ArmError(409, error["code"], error["message"])
            self._drop(target)
            return Answer(200)
        found.setdefault("properties", {})["provisioningState"] = "Deleting"

        def finish() -> Json | None:
            if error:
                found["properties"]["provisioningState"] = "Failed"
            else:
                self._drop(target)
            return error

        return Answer(202, None, self._operations.start(owner.path, finish))

    def _drop(self, target: ids.Id) -> None:
        if target.kind == _GROUP:
            self.store.drop_group(target.path)
            return
        owner = self._owner(target)
        if owner is target:
            self.store.drop(target.path)
            return
        document = self.store.find(owner.path) or {"properties": {}}
        for name, value in document["properties"].items():
            if name.lower() == target.types[-1].lower():
                value[:] = [item for item in value if item["name"].lower() != target.name.lower()]
        defaults.settle_peerings(self.store)

    def _deploy(self, target: ids.Id, sent: Json) -> Answer:
        properties = sent.get("properties") or {}
        resources = templates.read(properties)
        paths = [templates.path(resource, self.account.subscription, str(target.group)) for resource in resources]
        existed = self.store.find(target.path) is not None

        def write(resource: Json) -> Json:
            place = ids.parse(paths[resources.index(resource)])
            asked = str(resource["apiVersion"])
            body = {name: value for name, value in resource.items() if name not in templates.OWN}
            request = Request("PUT", HOST, place.path, {"api-version": asked}, {}, json.dumps(body).encode())
            self._check_schema(request, place)
            self.faults.check("PUT", place.path, self.account.client)
            rules.check_place(place, self.store)
            document = self._write(place, resource)
            error = self.faults.failed_operation("PUT", place.path)
            if error:
                document["properties"]["provisioningState"] = "Failed"
                raise ArmError(409, error["code"], error["message"])
            return document

        operations, errors = templates.deploy(resources, write)
        document: Json = {"id": target.path, "name": target.name, "type": "Microsoft.Resources/deployments"}
        document["properties"] = {
            "mode": properties.get("mode"),
            "template": properties.get("template"),
            "parameters": templates.shown_parameters(properties),
            "operations": operations,
            "dependencies": [],
            "outputs": {},
            "outputResources": [{"id": path} for path in paths],
        }
        self.store.keep(document)
        error: Json | None = None
        if errors:
            error = {
                "code": "DeploymentFailed",
                "target": target.path,
                "message": "At least one resource deployment operation failed. Please list deployment operations for details. "
                "Please see https://aka.ms/arm-deployment-operations for usage details.",
                "details": errors,
            }
        headers = self._start(document, error)
        return Answer(200 if existed else 201, self._read(_GET, target).body, headers)


_GET = Request("GET", HOST, "/", {}, {})


def _place(document: Json, member: str, name: str) -> int:
    names = [str(item["name"]).lower() for item in document["properties"].get(member, [])]
    return names.index(name.lower())


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _merged(old: Json, new: Json) -> Json:
    result = copy.deepcopy(old)
    for name, value in new.items():
        inner = result.get(name)
        result[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result


def _listed(shown: Json, expand: str) -> Json:
    """Return a resource as the list of all kinds has it: without its properties, but for the state when it is asked for."""
    properties = shown.get("properties", {})
    state = {"provisioningState": properties.get("provisioningState")} if "provisioningState" in expand else {}
    return {key: value for key, value in shown.items() if key != "properties"} | state
