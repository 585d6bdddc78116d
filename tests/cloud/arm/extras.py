"""STAND-IN for Azure: what is asked of a resource apart from itself, such as its keys, and what belongs to no resource."""

from __future__ import annotations

import base64
import uuid

from tests.cloud.arm import catalogue, graph, ids, rules_common, rules_network
from tests.cloud.arm.exchange import Answer, ArmError, Json, Request, content
from tests.cloud.arm.faults import Faults
from tests.cloud.arm.rules import not_found
from tests.cloud.arm.store import Store

INSTANCE_VIEW = "microsoft.compute/virtualmachinescalesets/virtualmachines/instanceview"

NAMESPACES = (
    "Microsoft.Compute",
    "Microsoft.Insights",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
)
"""Those that the list of providers has here; the real one has some two hundred."""
RUN_COMMAND = "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand"
_SAID = "ot-proxy: CONNECT 200\not-proxy: 0 tunnels"
"""What an instance prints that works, to whatever script the role gives it: nothing is run."""

_TAGS = "/providers/microsoft.resources/tags/default"
_KEY = base64.b64encode(b"stand-in" * 8).decode()
_ALLOWED = ("manualupgrade", "reimage", "osrollingupgrade", "restart", "deallocate", "start")
"""Actions on a scale set that are accepted, and change nothing that this stand-in shows."""


def answer(request: Request, target: ids.Id, store: Store) -> Answer | None:
    """Answer such a request; None when it is none."""
    low = target.key
    if low == "/providers/microsoft.resourcegraph/resources":
        return Answer(200, graph.query(content(request), store))
    if low.endswith(_TAGS) and request.method == "PATCH":
        return _merge_tags(content(request), store.find(target.path[: -len(_TAGS)]), target)
    if low.endswith("/checknameavailability"):
        return Answer(200, {"nameAvailable": True})
    if "/providers/microsoft.compute/locations/" in low:
        return _compute(low)
    if target.kind == "subscriptions" and not target.is_collection:
        return Answer(
            200, {"id": target.path, "subscriptionId": target.name, "displayName": "stand-in", "state": "Enabled"}
        )
    if low.count("/") == 4 and low.split("/")[3] == "providers":
        return _provider(target, store)
    return _of_resource(request, target, store)


def _merge_tags(sent: Json, found: Json | None, target: ids.Id) -> Answer:
    """learn.microsoft.com "Tags - Update At Scope": what is not named stays."""
    if found is None:
        raise not_found(ids.parse(target.path[: -len(_TAGS)]))
    if sent.get("operation") != "Merge":
        raise ArmError(400, "BadRequest", f"This stand-in does not know the operation {sent.get('operation')} of tags.")
    added = (sent.get("properties") or {}).get("tags") or {}
    kept = {
        name: value for name, value in (found.get("tags") or {}).items() if name.lower() not in map(str.lower, added)
    }
    rules_common.check_tags({**found, "tags": kept | added})
    found["tags"] = kept | added
    return Answer(200, {"id": target.path, "name": "default", "properties": {"tags": found["tags"]}})


def _compute(low: str) -> Answer:
    parts = low.split("/")
    if parts[-1] == "vmsizes":
        return Answer(200, {"value": catalogue.sizes()})
    if parts[-1] == "versions" and len(parts) > 15:
        publisher, offer, sku = parts[8], parts[12], parts[14]
        found = catalogue.versions(publisher, offer, sku)
        if found is None:
            raise ArmError(404, "NotFound", f"Artifact: VMImage was not found for {publisher}:{offer}:{sku}.")
        # A bare list, unlike every other one.
        return Answer(200, [{"name": version, "id": f"{low}/{version}", "location": parts[6]} for version in found])
    raise ArmError(404, "NotFound", f"This stand-in has no {low}.")


def provider(target: ids.Id, namespace: str, faults: Faults) -> Json:
    """Return a provider as the list of all has it."""
    state = "NotRegistered" if faults.unregistered(namespace) else "Registered"
    return {"id": f"{target.path}/{namespace}", "namespace": namespace, "registrationState": state, "resourceTypes": []}


def _provider(target: ids.Id, store: Store) -> Answer:
    """Answer azure_rm_resource, which asks for api-versions when it is given none."""
    known = {ids.parse(document["id"]).types for document in store} | {("virtualNetworks",)}
    types = [{"resourceType": "/".join(types), "apiVersions": ["2024-07-01"], "locations": []} for types in known]
    return Answer(
        200,
        {
            "id": target.path,
            "namespace": target.namespace,
            "registrationState": "Registered",
            "resourceTypes": types,
        },
    )


def _of_resource(request: Request, target: ids.Id, store: Store) -> Answer | None:
    if not target.is_collection or len(target.types) < 2 or not target.namespace:
        return None
    action = target.types[-1].lower()
    owner = target.path.rsplit("/", 1)[0]
    kind = ids.parse(owner).kind
    found = store.find(owner)
    if kind == "microsoft.storage/storageaccounts/blobservices" and action == "containers":
        return Answer(200, {"value": []})
    if kind == "microsoft.compute/virtualmachinescalesets/virtualmachines" and action in _ALLOWED:
        # An instance is nowhere kept; its scale set is.
        return Answer(200) if store.find(owner.rsplit("/", 2)[0]) else None
    if (kind, action) not in _ACTIONS and not (kind.endswith("/virtualmachinescalesets") and action in _ALLOWED):
        return None
    if found is None:
        raise not_found(ids.parse(owner))
    if action == "sharedkey":
        if request.method == "PUT":
            rules_network.check_shared_key(content(request).get("value"))
            found["properties"]["sharedKey"] = content(request).get("value")
        return Answer(200, {"value": found["properties"].get("sharedKey")})
    if action == "virtualmachines":
        return Answer(200, {"value": _instances(found)})
    if action in _ALLOWED:
        return Answer(200)
    return Answer(200, _ACTIONS[kind, action])


_ACTIONS: dict[tuple[str, str], object] = {
    ("microsoft.storage/storageaccounts", "listkeys"): {
        "keys": [{"keyName": name, "value": _KEY, "permissions": "FULL"} for name in ("key1", "key2")]
    },
    # A bare list, unlike every other one.
    ("microsoft.operationalinsights/workspaces", "intelligencepacks"): [
        {"name": "Security", "displayName": "Security", "enabled": False}
    ],
    ("microsoft.operationalinsights/workspaces", "usages"): {"value": []},
    ("microsoft.operationalinsights/workspaces", "managementgroups"): {"value": []},
    ("microsoft.operationalinsights/workspaces", "sharedkeys"): {"primarySharedKey": _KEY, "secondarySharedKey": _KEY},
    ("microsoft.network/connections", "sharedkey"): None,
    ("microsoft.compute/virtualmachinescalesets", "virtualmachines"): None,
}


def instance_view(target: ids.Id, store: Store, healthy: bool) -> Answer:
    """Answer whoever asks how an instance is; its health is what the load balancer's probe says.

    Raises:
        ArmError: there is no such instance.
    """
    instance = target.path.rsplit("/", 1)[0]
    scale_set = store.find(instance.rsplit("/", 2)[0])
    if scale_set is None or ids.parse(instance).name not in (one["instanceId"] for one in _instances(scale_set)):
        raise not_found(ids.parse(instance))
    code = "HealthState/healthy" if healthy else "HealthState/unhealthy"
    return Answer(200, {"vmHealth": {"status": {"code": code, "level": "Info"}}, "statuses": []})


def run_command(request: Request, target: ids.Id, store: Store, said: str | None) -> Json:
    """Return what comes out of a command (REST reference "Virtual Machine Scale Set VMs - Run Command").

    Raises:
        ArmError: there is no such instance, or no such command for Linux.
    """
    if request.method != "POST":
        raise ArmError(
            405, "MethodNotAllowed", f"The requested resource does not support http method '{request.method}'."
        )
    instance_view(target, store, healthy=True)
    if content(request)["commandId"] != "RunShellScript":
        # That there are others and none of them takes a script is documented, the words are not.
        raise ArmError(404, "NotFound", f"The entity {content(request)['commandId']} was not found.")
    message = f"Enable succeeded: \n[stdout]\n{_SAID if said is None else said}\n\n[stderr]\n"
    code = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
    return {"value": [{**code, "message": message}]}


def _instances(scale_set: Json) -> list[Json]:
    return [
        {
            "instanceId": str(number),
            "id": f"{scale_set['id']}/virtualMachines/{number}",
            "name": f"{scale_set['name']}_{number}",
            "location": scale_set["location"],
            "properties": {
                "latestModelApplied": True,
                "provisioningState": "Succeeded",
                "vmId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scale_set['id']}/{number}")),
            },
        }
        for number in range(scale_set["sku"].get("capacity", 0))
    ]


def blob_service(target: ids.Id) -> Json | None:
    """Return the blob service that every storage account has from the start; None when another thing was asked for."""
    if target.kind != "microsoft.storage/storageaccounts/blobservices" or target.name != "default":
        return None
    properties: Json = {"cors": {"corsRules": []}, "deleteRetentionPolicy": {"enabled": False}}
    properties |= {"containerDeleteRetentionPolicy": {"enabled": False}, "isVersioningEnabled": False}
    return {"id": target.path, "name": "default", "type": target.type, "properties": properties}
