"""STAND-IN for Azure: requests as Azure publishes them (tests/cloud/specs): api-versions, and each member of a body.

More is refused here than in Azure, which takes names in any case, and passes over what it calls read-only. Nothing that a client has
read is refused when it sends it back unchanged. Codes and words are from memory.
"""

from __future__ import annotations

from typing import Any

from tests.cloud import specs
from tests.cloud.arm import ids
from tests.cloud.arm.exchange import ArmError, Json

_KNOWN: dict[str, tuple[str, ...]] = {
    # What the roles ask for themselves, and what the modules of azure.azcollection 3.21.0 and the SDKs in ../requirements.txt ask for:
    # taken from runs of the scenarios. Each has its folder in Azure/bicep-types-az (generated/), as the REST reference has its page.
    "": ("2021-04-01", "2022-09-01", "2022-12-01"),
    "microsoft.authorization": ("2016-09-01", "2020-05-01"),
    "microsoft.compute": ("2021-07-01", "2024-07-01"),
    "microsoft.insights": ("2021-05-01-preview",),
    "microsoft.network": ("2024-03-01",),
    "microsoft.operationalinsights": ("2020-08-01", "2022-10-01", "2023-09-01"),
    "microsoft.resourcegraph": ("2021-03-01",),
    "microsoft.resources": ("2021-04-01", "2022-09-01"),
    "microsoft.storage": ("2023-05-01", "2025-08-01"),
}
"""Api-versions by namespace, those of specs/arm.json among them; ARM's own, of groups and of providers themselves, have none."""

_UNDESCRIBED = {
    "microsoft.network/connections/sharedkey": {
        "properties": {"value": "string", "id": "string"},
        "required": ["value"],
    },
    "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand": {
        "properties": {"commandId": "string", "script": ["string"], "parameters": [{"of": "string"}]},
        "required": ["commandId"],
    },
}
"""What is no resource, so that no schema has it."""

_GROUP = {
    "properties": {
        "location": "string",
        "managedBy": "string",
        "tags": {"of": "string"},
        "properties": {"properties": {}},
    },
    "required": ["location"],
}
"""Of a resource group, which is none of a template's resources either."""

_TAGS_ONLY = {"properties": {"tags": {"of": "string"}}}
"""What PATCH takes in Microsoft.Network (REST reference, "Update Tags")."""


class SchemaError(ArmError):
    """Refused since it is not as Azure publishes it. No request of a role may end so, even where the role expects a refusal."""


def check_version(target: ids.Id, asked: str) -> None:
    """Refuse an api-version that a type does not have.

    Raises:
        SchemaError: it does not have it.
    """
    if target.namespace.lower() == "microsoft.standin":
        return
    namespace = target.namespace if target.types else ""
    known = _KNOWN.get(namespace.lower(), ())
    if asked in known:
        return
    supported = ", ".join(known) or "none that this stand-in knows (arm/schema.py)"
    if not namespace:
        text = f"The api-version '{asked}' is invalid. The supported versions are '{supported}'."
        raise SchemaError(400, "InvalidApiVersionParameter", text)
    raise SchemaError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for API version '{asked}' for type '{'/'.join(target.types)}'. The supported "
        f"api-versions are '{supported}'.",
    )


def check_body(method: str, target: ids.Id, asked: str, body: Json, shown: Json | None) -> None:
    """Refuse a body that is not as described.

    Args:
        method: PUT replaces a resource; PATCH says what is to change.
        target: what it is sent to.
        asked: the api-version.
        body: what was sent.
        shown: what is there already, as the service answers.

    Raises:
        SchemaError: something in it is wrong.
    """
    node, definitions = _described(target, asked)
    if method == "PATCH" and target.kind.startswith("microsoft.network/"):
        node = _TAGS_ONLY
    if node is None:
        return
    itself = {"id": target.path, "name": target.name, "type": target.type}
    sent = {name: value for name, value in body.items() if str(value).lower() != itself.get(name, "").lower()}
    for wrong in specs.violations(sent, node, definitions, shown=shown, whole=method != "PATCH"):
        raise _refusal(target, wrong)


def _described(target: ids.Id, asked: str) -> tuple[Any, Json]:
    """Return the type of a resource, as the api-version has it that is nearest to the one asked for."""
    if target.kind in _UNDESCRIBED:
        return _UNDESCRIBED[target.kind], {}
    if target.kind == "subscriptions/resourcegroups":
        return _GROUP, {}
    published = {name.lower(): versions for name, versions in specs.load("arm").items()}.get(
        target.namespace.lower(), {}
    )
    for version in sorted(published, key=lambda one: (one != asked, one), reverse=False):
        types = {name.lower(): node for name, node in published[version]["types"].items()}
        if "/".join(target.types).lower() in types:
            return types["/".join(target.types).lower()], published[version]["definitions"]
    return None, {}


def _refusal(target: ids.Id, wrong: specs.Violation) -> SchemaError:
    name, owner = wrong.path.rpartition(".")[2], wrong.owner or target.type
    what = {
        "unknown": f"Could not find member '{name}' on object of type '{owner}'. Path '{wrong.path}'.",
        "missing": f"Required property '{name}' not found in JSON. Path '{wrong.path}'.",
        "type": f"Error converting value '{wrong.value}' to type '{wrong.wanted}'. Path '{wrong.path}'.",
        "enum": f"The value '{wrong.value}' of parameter '{wrong.path}' is not allowed. Allowed values are '{wrong.wanted}'.",
    }[wrong.kind]
    if target.kind.startswith("microsoft.network/"):
        return SchemaError(400, "InvalidRequestFormat", f"Cannot parse the request. {what}", wrong.path)
    if target.kind.startswith("microsoft.compute/"):
        missing = f"Required parameter '{wrong.path.removeprefix('properties.')}' is missing (null)."
        return SchemaError(400, "InvalidParameter", missing if wrong.kind == "missing" else what, wrong.path)
    text = f"The request content was invalid and could not be deserialized: '{what}'."
    return SchemaError(400, "InvalidRequestContent", text, wrong.path)
