"""STAND-IN for AWS: requests as AWS publishes them: botocore's own description of EC2, in the words of the service."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# It lies in the environment of the cloud modules only.
from botocore.loaders import Loader  # type: ignore[import-not-found]
from botocore.model import ServiceModel  # type: ignore[import-not-found]

VERSION = "2016-11-15"
_INTEGERS = ("integer", "long")

Wrong = tuple[str, str]
"""Code and message."""


@cache
def _model() -> Any:
    return ServiceModel(Loader().load_service_model("ec2", "service-2", VERSION), "ec2")


def violation(action: str, version: str | None, parameters: dict[str, str]) -> Wrong | None:
    """Return why a request is refused; None when it is as described.

    Args:
        action: its name.
        version: the api-version.
        parameters: all others, flattened as the protocol does it.
    """
    # moto has asked for it already, and knows no other actions.
    shape = _model().operation_model(action).input_shape
    if version != VERSION:
        return "InvalidAction", f"The action {action} is not valid for version {version}."
    for name, value in parameters.items():
        found = _parameter(shape, name)
        if found is None:
            return "UnknownParameter", f"The parameter {name} is not recognized"
        if not _fits(found, value):
            return "InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid."
    for member in shape.required_members if shape else []:
        name = _name(shape.members[member], member)
        if not any(given == name or given.startswith(f"{name}.") for given in parameters):
            return "MissingParameter", f"The request must contain the parameter {name}"
    return None


def _name(shape: Any, member: str) -> str:
    """Return the name of a member in this protocol, as botocore's EC2Serializer has it."""
    said = shape.serialization.get("name")
    return str(shape.serialization.get("queryName") or (said[0].upper() + said[1:] if said else member))


def _parameter(shape: Any, name: str) -> Any:
    """Return the type of a parameter such as TagSpecification.1.Tag.2.Key; None when there is none."""
    for part in name.split("."):
        if shape is None:
            return None
        if shape.type_name == "list":
            if not re.fullmatch(r"[1-9]\d*", part):
                return None
            shape = shape.member
        elif shape.type_name == "structure":
            shape = next((inner for member, inner in shape.members.items() if _name(inner, member) == part), None)
        else:
            return None
    return shape


def _fits(shape: Any, value: str) -> bool:
    if shape.type_name in ("list", "structure"):
        return False
    if shape.type_name == "boolean":
        return value.lower() in ("true", "false")
    if shape.type_name in _INTEGERS:
        return re.fullmatch(r"-?\d+", value) is not None
    return not shape.metadata.get("enum") or value in shape.metadata["enum"]
