"""STAND-IN for Azure Resource Graph: as much of its language as finds a resource by type, name, group or tag, and counts and pages."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from tests.cloud.arm import ids
from tests.cloud.arm.exchange import ArmError, Json
from tests.cloud.arm.store import Store

_CONDITION = re.compile(
    r"(id|name|type|location|resourceGroup|tags\.(\w+)|tags\['([^']+)'\])\s*(=~|==|contains)\s*'([^']*)'"
)


_TABLES = {"resources": "", "iotsecurityresources": "microsoft.iotsecurity/"}
"""What the types begin with that are in a table; the first has all in this stand-in."""

_MOST = 1000
"""Rows of one answer (learn.microsoft.com, "Work with large Azure resource data sets")."""


def query(asked: Json, store: Store) -> Json:
    """Return the rows that a query names.

    Raises:
        ArmError: the query is more than this stand-in understands, or asks for more than a page.
    """
    table, *steps = (step.strip() for step in str(asked.get("query", "")).split("|"))
    if table.lower() not in _TABLES:
        raise _unknown(table)
    rows = [_row(document) for document in store if ids.parse(document["id"]).namespace]
    rows = [row for row in rows if row["type"].startswith(_TABLES[table.lower()])]
    for step in steps:
        if step.lower().startswith("where "):
            for condition in re.split(r"\s+and\s+", step[6:]):
                rows = _keep(rows, condition.strip())
        elif step.lower().startswith("project "):
            rows = [dict(map(partial(_column, row), step[8:].split(","))) for row in rows]
        elif step == "order by name asc":
            rows = sorted(rows, key=lambda row: str(row["name"]))
        elif step == "summarize number = count()":
            rows = [{"number": len(rows)}]
        else:
            raise _unknown(step)
    options = asked.get("options") or {}
    most, skipped = options.get("$top", 100), options.get("$skip", 0)
    if not all(isinstance(number, int) for number in (most, skipped)) or not 1 <= most <= _MOST:
        raise ArmError(400, "BadRequest", f"Please provide below info when asking for support: options are {options}.")
    shown = rows[skipped : skipped + most]
    return {"totalRecords": len(rows), "count": len(shown), "resultTruncated": "false", "facets": [], "data": shown}


def _column(row: Json, text: str) -> tuple[str, Any]:
    """One of project: a field, or a property as text under another name."""
    name, equals, value = (part.strip() for part in text.partition("="))
    found = re.fullmatch(r"tostring\(properties\.(\w+)\)", value)
    if equals and not found:
        raise _unknown(text)
    return name, str(row["properties"].get(found[1], "")) if found else row.get(name)


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
