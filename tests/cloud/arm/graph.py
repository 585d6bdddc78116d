"""STAND-IN for Azure Resource Graph: as much of its language as finds a resource by type, name, group or tag."""

from __future__ import annotations

import re

from tests.cloud.arm import ids
from tests.cloud.arm.exchange import ArmError, Json
from tests.cloud.arm.store import Store

_CONDITION = re.compile(
    r"(id|name|type|location|resourceGroup|tags\.(\w+)|tags\['([^']+)'\])\s*(=~|==|contains)\s*'([^']*)'"
)


def query(text: str, store: Store) -> Json:
    """Return the rows that a query names.

    Raises:
        ArmError: the query is more than this stand-in understands.
    """
    rows = [_row(document) for document in store if ids.parse(document["id"]).namespace]
    table, *steps = (step.strip() for step in text.split("|"))
    if table.lower() != "resources":
        raise _unknown(table)
    for step in steps:
        if step.lower().startswith("where "):
            for condition in re.split(r"\s+and\s+", step[6:]):
                rows = _keep(rows, condition.strip())
        elif step.lower().startswith("project "):
            names = [name.strip() for name in step[8:].split(",")]
            rows = [{name: row.get(name) for name in names} for row in rows]
        else:
            raise _unknown(step)
    return {"totalRecords": len(rows), "count": len(rows), "resultTruncated": "false", "facets": [], "data": rows}


def _row(document: Json) -> Json:
    kept = ("id", "name", "location", "tags", "properties", "sku", "kind")
    found: Json = {name: document.get(name) for name in kept}
    # It shows these in lower case, unlike the resource itself.
    target = ids.parse(document["id"])
    return found | {"type": target.kind, "resourceGroup": str(target.group).lower()}


def _keep(rows: list[Json], condition: str) -> list[Json]:
    found = _CONDITION.fullmatch(condition)
    if found is None:
        raise _unknown(condition)
    field, tag, quoted, operator, value = found.groups()

    def actual(row: Json) -> str:
        return str((row["tags"] or {}).get(tag or quoted, "") if tag or quoted else row[field])

    if operator == "==":
        return [row for row in rows if actual(row) == value]
    if operator == "=~":
        return [row for row in rows if actual(row).lower() == value.lower()]
    return [row for row in rows if value.lower() in actual(row).lower()]


def _unknown(step: str) -> ArmError:
    return ArmError(400, "InvalidQuery", f"This stand-in does not understand the query's part: {step}")
