"""STAND-IN for Azure: Microsoft.Resources/deployments. Executes literal resources; of all expressions it knows only
[parameters('name')], which is what keeps a secret out of a deployment's history.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.cloud.arm.exchange import ArmError, Json

_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")

OWN = ("name", "type", "apiVersion", "dependsOn", "scope", "resourceGroup", "comments", "condition")
"""Members of a template's resource that are not sent to its provider."""


def read(properties: Json) -> list[Json]:
    """Return a deployment's resources, in an order that respects dependsOn.

    Raises:
        ArmError: the template is not valid, or is more than this stand-in understands.
    """
    template = properties.get("template")
    if not isinstance(template, dict):
        raise _invalid("The template is missing.")
    for name in ("$schema", "contentVersion", "resources"):
        if name not in template:
            raise _invalid(f"Required property '{name}' not found in JSON.")
    values = _values(template.get("parameters") or {}, properties.get("parameters") or {})
    resources = [_evaluate(resource, values) for resource in template["resources"]]
    for resource in resources:
        for name in ("type", "apiVersion", "name"):
            if not resource.get(name):
                raise _invalid(f"The template resource lacks '{name}'.")
    return _ordered(resources)


def path(resource: Json, subscription: str, group: str) -> str:
    """Return the id that a template's resource gets."""
    namespace, *kinds = resource["type"].split("/")
    names = resource["name"].split("/")
    if len(kinds) != len(names):
        raise _invalid(
            f"The template resource '{resource['name']}' for type '{resource['type']}' has incorrect segment lengths. A "
            "nested resource type must have identical number of segments as its resource name."
        )
    scope = (
        resource.get("scope")
        or f"/subscriptions/{subscription}/resourceGroups/{resource.get('resourceGroup') or group}"
    )
    return "/".join(
        [scope, "providers", namespace, *(part for pair in zip(kinds, names, strict=True) for part in pair)]
    )


def shown_parameters(properties: Json) -> Json:
    """Return the parameters as they are shown afterwards: those declared as secure keep their value to themselves."""
    declared = (properties.get("template") or {}).get("parameters") or {}
    return {
        name: {"type": (declared.get(name) or {}).get("type", "String")}
        | ({} if str((declared.get(name) or {}).get("type", "")).lower().startswith("secure") else given)
        for name, given in (properties.get("parameters") or {}).items()
    }


def deploy(resources: list[Json], write: Callable[[Json], Json]) -> tuple[list[Json], list[Json]]:
    """Write the resources until one fails, and return the operations and the errors."""
    operations: list[Json] = []
    for resource in resources:
        named = {"resourceType": resource["type"], "resourceName": resource["name"].split("/")[-1]}
        try:
            named["id"] = write(resource)["id"]
        except ArmError as error:
            status = {"status": "Failed", "error": error.error()}
            operations.append(_operation(named, "Failed", error.status, status))
            return operations, [error.error()]
        operations.append(_operation(named, "Succeeded", 200, None))
    return operations, []


def _operation(named: Json, state: str, status: int, message: Json | None) -> Json:
    properties: Json = {
        "provisioningOperation": "Create",
        "provisioningState": state,
        "statusCode": str(status),
        "targetResource": named,
    }
    return {
        "operationId": named["resourceName"],
        "properties": properties | ({"statusMessage": message} if message else {}),
    }


def _values(declared: Json, given: Json) -> Json:
    values = {}
    for name, declaration in declared.items():
        if name in given:
            values[name] = given[name].get("value")
        elif "defaultValue" in declaration:
            values[name] = declaration["defaultValue"]
        else:
            raise _invalid(f"The value for the template parameter '{name}' is not provided.")
    extra = [name for name in given if name not in declared]
    if extra:
        raise _invalid(
            f"The following parameters were supplied, but do not correspond to any parameters: '{', '.join(extra)}'."
        )
    return values


def _evaluate(value: Any, values: Json) -> Any:
    if isinstance(value, dict):
        return {name: _evaluate(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [_evaluate(inner, values) for inner in value]
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    if value.startswith("[["):
        return value[1:]
    found = _PARAMETER.fullmatch(value)
    if found is None:
        raise _invalid(f"This stand-in does not evaluate '{value}'.")
    if found[1] not in values:
        raise _invalid(f"The template parameter '{found[1]}' is not found.")
    return values[found[1]]


def _ordered(resources: list[Json]) -> list[Json]:
    waiting, done = list(resources), []
    while waiting:
        names = {name for resource in waiting for name in (resource["name"], f"{resource['type']}/{resource['name']}")}
        ready = [one for one in waiting if not any(_last(after, names) for after in one.get("dependsOn", []))]
        if not ready:
            raise _invalid("Circular dependency detected.")
        done += ready
        waiting = [one for one in waiting if one not in ready]
    return done


def _last(after: str, names: set[str]) -> bool:
    return any(after == name or after.lower().endswith("/" + name.lower()) for name in names)


def _invalid(message: str) -> ArmError:
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{message}'")
