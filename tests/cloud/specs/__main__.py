"""Cut the published descriptions: python -m tests.cloud.specs FOLDER, which holds what README.md says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_HERE = Path(__file__).parent
_OWN = ("name", "type", "apiVersion", "resources")
"""What a template has and a request has not: it is in the address there."""
_MORE = {
    # Types that only other types speak of.
    "Microsoft.Network": {
        "routeTables": "RouteTable",
        "routeTables/routes": "Route",
        "virtualNetworks/virtualNetworkPeerings": "virtualNetworks_virtualNetworkPeerings_childResource",
        "networkSecurityGroups/securityRules": "SecurityRule",
        "loadBalancers/backendAddressPools": "loadBalancers_backendAddressPools_childResource",
    },
    "Microsoft.Storage": {"storageAccounts/blobServices": "storageAccounts_blobServices_childResource"},
}
_LEFT_OUT = re.compile(r"^Windows|^WinRM|_childResource$|^AdditionalUnattend|^ConnectionMonitor|^PacketCapture")
"""What no role of ours sends, whatever speaks of it."""


def _type(node: Json) -> Any:
    """Return a type in our words."""
    choices = [
        one for word in ("oneOf", "anyOf") for one in node.get(word, []) if "expression" not in one.get("$ref", "")
    ]
    if choices:
        return _type(choices[0]) if len(choices) == 1 else {}
    if "$ref" in node:
        return "#" + node["$ref"].rpartition("/")[2] if node["$ref"].startswith("#") or "/" not in node["$ref"] else {}
    if node.get("readOnly") or "[Output Only]" in node.get("description", ""):
        # Only its own word can be sent, which is what clients do with the kind.
        return {"enum": [node["default"]]} if "default" in node else None
    if "enum" in node:
        return {"enum": node["enum"]}
    kind = node.get("type")
    if kind == "array":
        return [_type(node.get("items", {}))]
    if kind == "object" or "properties" in node:
        return _object(node)
    if kind == "integer" and {"minimum", "maximum"} & set(node):
        return {"between": [node.get("minimum", 0), node.get("maximum", 2**63)]}
    if kind is None:
        return {}
    return kind if "pattern" not in node else {"pattern": node["pattern"]}


def _object(node: Json) -> Any:
    own = {name: found for name, value in node.get("properties", {}).items() if (found := _type(value)) is not None}
    if not own:
        return {"of": _type(node["additionalProperties"])} if isinstance(node.get("additionalProperties"), dict) else {}
    # Some say it in their description alone.
    said = [name for name, value in node["properties"].items() if value.get("description", "").startswith("Required.")]
    required = list(dict.fromkeys([*node.get("required", []), *said]))
    return {"properties": own} | ({"required": required} if required else {})


def _resource(node: Json) -> Json:
    found: Json = _object(node)
    kept = {name: value for name, value in found["properties"].items() if name not in _OWN}
    required = [name for name in found.get("required", []) if name not in _OWN]
    return {"properties": kept} | ({"required": required} if required else {})


def _needed(value: Any, definitions: Json, found: Json) -> None:
    """Collect the definitions that a value speaks of."""
    for name in re.findall(r'"#([^"]+)"', json.dumps(value)):
        if name not in found:
            found[name] = {} if _LEFT_OUT.search(name) else _type(definitions[name])
            _needed(found[name], definitions, found)


def _arm(folder: Path) -> Json:
    result: Json = {}
    for path in sorted(folder.glob("arm/*.json")):
        version, _underscore, rest = path.stem.partition("_")
        whole, namespace = json.loads(path.read_text(encoding="utf-8")), ".".join(rest.split(".")[:2])
        definitions = whole["definitions"]
        resources = whole["resourceDefinitions"] | whole.get("extension_resourceDefinitions", {})
        types = {name.replace("_", "/"): _resource(node) for name, node in resources.items()}
        types |= {
            name: _resource(definitions[part]) for name, part in _MORE.get(namespace, {}).items() if part in definitions
        }
        used: Json = {}
        _needed(types, definitions, used)
        result.setdefault(namespace, {})[version] = {"types": types, "definitions": used}
    return result


def _google(folder: Path) -> Json:
    whole = json.loads((folder / "google/compute.v1.subset.json").read_text(encoding="utf-8"))
    kinds = {kind: methods["insert"]["request"]["$ref"] for kind, methods in whole["methods"].items()}
    used: Json = {}
    _needed([f"#{name}" for name in kinds.values()], whole["schemas"], used)
    return {"kinds": kinds, "definitions": used}


def main(folder: Path) -> None:
    """Write arm.json and google.json."""
    for name, cut in (("arm", _arm(folder)), ("google", _google(folder))):
        text = json.dumps(cut, separators=(",", ":"), sort_keys=True)
        # A line for each definition, so that a difference can be read.
        text = re.sub(r'(?<=[{,])("[A-Za-z_/]+":\{"properties":)', r"\n\1", text)
        (_HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
