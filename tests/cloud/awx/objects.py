"""STAND-IN for AWX: what it keeps, what it refuses, and how it answers; apart from any server."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.cloud.exchange import Json

UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
"""What a node, or a schedule, can name. Their ids are unique among all of them, as here among everything."""

_REQUIRED = {
    "organizations": ("name",),
    "credential_types": ("name", "kind"),
    "credentials": ("name", "credential_type"),
    "execution_environments": ("name", "image"),
    "projects": ("name",),
    "inventories": ("name", "organization"),
    "inventory_sources": ("name", "inventory"),
    "job_templates": ("name", "project", "playbook"),
    "workflow_job_templates": ("name",),
    "workflow_job_template_nodes": ("workflow_job_template",),
    "workflow_approval_templates": ("name",),
    "schedules": ("name", "unified_job_template", "rrule"),
    "notification_templates": ("name", "organization"),
    "labels": ("name", "organization"),
    "teams": ("name", "organization"),
    "instance_groups": ("name",),
}
_REFERENCES = {
    "organization": ("organizations",),
    "credential_type": ("credential_types",),
    "credential": ("credentials",),
    "execution_environment": ("execution_environments",),
    "inventory": ("inventories",),
    "project": ("projects",),
    "source_project": ("projects",),
    "workflow_job_template": ("workflow_job_templates",),
    "unified_job_template": (*UNIFIED, "workflow_approval_templates"),
}
_NULLABLE = {"host_filter", *_REFERENCES}
_UNIQUE = ("name", "identifier", "organization", "credential_type", "inventory", "workflow_job_template")
_GONE_WITH = ("inventory", "source_project", "unified_job_template", "workflow_job_template")
_STAY = ("job_templates", "workflow_job_template_nodes")
"""What refers to an object by one of the former goes with it, but these stay without (on_delete in awx/main/models, 24.6.1)."""


class RefusedError(Exception):
    """AWX answers 400, with a sentence for each field."""


@dataclass
class Objects:
    """All of them."""

    playbooks: frozenset[str]
    """What AWX finds in every project."""
    script: Json = field(
        default_factory=lambda: {
            "all": {"hosts": [], "children": ["proxies", "plant", "sensors"]},
            "proxies": {"hosts": ["site", "plant-proxy"]},
            "sensors": {"children": ["plant"]},
            "plant": {"hosts": ["line-1", "line-2", "line-3"]},
        }
    )
    """What an inventory has once its source was read."""
    kept: dict[str, dict[int, Json]] = field(default_factory=lambda: {kind: {} for kind in _REQUIRED})
    associated: dict[str, list[int]] = field(default_factory=dict)
    surveys: dict[int, Json] = field(default_factory=dict)
    _ids: Iterable[int] = field(default_factory=lambda: itertools.count(1))

    def create(self, kind: str, fields: Json) -> Json:
        """Keep a new object, and return it as AWX answers."""
        missing = [name for name in _REQUIRED[kind] if name not in fields]
        if missing:
            raise RefusedError({name: ["This field is required."] for name in missing})
        self._check(kind, fields)
        # Names of environments are unique in all of AWX (CommonModel, awx/main/models/base.py, 24.6.1).
        unique = ("name",) if kind == "execution_environments" else _UNIQUE
        key = {name: fields[name] for name in unique if name in fields}
        if {"name", "identifier"} & set(key) and any(
            key.items() <= other.items() for other in self.kept[kind].values()
        ):
            raise RefusedError({"__all__": [f"{kind} with this {', '.join(key)} already exists."]})
        if kind == "inventory_sources":
            # awx/main/models/inventory.py, line 1122 (24.6.1).
            fields = {"organization": self.kept["inventories"][fields["inventory"]]["organization"], **fields}
        number = next(iter(self._ids))
        self.kept[kind][number] = {"type": kind.removesuffix("s").replace("inventorie", "inventory"), **fields}
        return self.shown(kind, number)

    def change(self, kind: str, number: int, fields: Json) -> Json:
        """Change an object, and return it as AWX answers."""
        self._check(kind, fields)
        self.kept[kind][number] |= {name: value for name, value in fields.items() if name != "type"}
        return self.shown(kind, number)

    def remove(self, kind: str, number: int) -> None:
        """Remove an object, and what cannot be without it."""
        gone = self.kept[kind].pop(number)
        if gone.get("unified_job_template") and kind == "workflow_job_template_nodes":
            # awx/main/signals.py, delete_approval_templates (24.6.1).
            self.kept["workflow_approval_templates"].pop(gone["unified_job_template"], None)
        for other, items in self.kept.items():
            for each, item in list(items.items()):
                by = [name for name in _GONE_WITH if item.get(name) == number]
                if by and other in _STAY and by != ["workflow_job_template"]:
                    item.update(dict.fromkeys(by))
                elif by and each in items:
                    self.remove(other, each)

    def find(self, kinds: Iterable[str], wanted: Mapping[str, str]) -> list[Json]:
        """Return the objects that a query selects; conditions that begin with or__ are alternatives."""
        either = {name.removeprefix("or__"): value for name, value in wanted.items() if name.startswith("or__")}
        paging = {"page_size", "page"}
        every = {name: value for name, value in wanted.items() if not name.startswith("or__") and name not in paging}
        shown = (self.shown(kind, number) for kind in kinds for number in self.kept[kind])
        return [
            item
            for item in shown
            if all(self._has(item, name.split("__"), value) for name, value in every.items())
            and (not either or any(str(item.get(name)) == value for name, value in either.items()))
        ]

    def shown(self, kind: str, number: int) -> Json:
        """Return an object as AWX answers: with its addresses, without its secrets."""
        item = self.kept[kind][number]
        url = f"/api/v2/{kind}/{number}/"
        related = {name: f"{url}{name}/" for name in ("survey_spec", "update")}
        if item.get("unified_job_template") in self.kept["workflow_approval_templates"]:
            related["unified_job_template"] = f"/api/v2/workflow_approval_templates/{item['unified_job_template']}/"
        if kind == "credentials" and "inputs" in item:
            secret = {entry["id"] for entry in self._inputs(item) if entry.get("secret")}
            inputs = {name: "$encrypted$" if name in secret else value for name, value in item["inputs"].items()}
            item = item | {"inputs": inputs}
        summary: Json = {}
        if kind == "credentials":
            # What AWX calls so is the namespace of the type (awx/main/models/credential.py:187, 24.6.1).
            own = self.kept["credential_types"][item["credential_type"]]
            item = item | {"kind": own.get("namespace"), "organization": item.get("organization")}
            summary["credential_type"] = {"name": own["name"]}
        if kind == "workflow_job_template_nodes":
            approval = item.get("unified_job_template") in self.kept["workflow_approval_templates"]
            summary["unified_job_template"] = {"unified_job_type": "workflow_approval" if approval else "job"}
        if kind in ("job_templates", "workflow_job_templates"):
            summary["object_roles"] = {
                f"{role}_role": {"id": number * 10 + place} for place, role in enumerate(("execute", "approval"))
            }
        if kind == "projects":
            item = item | {"scm_revision": "0" * 40}
        return {"id": number, "url": url, "related": related, "summary_fields": summary, **item}

    def named(self, kind: str) -> dict[str, Json]:
        """Return the objects of a kind by their name; for tests."""
        return {
            item.get("name") or item["identifier"]: {"id": number, **item} for number, item in self.kept[kind].items()
        }

    def shown_ids(self) -> list[int]:
        """Return the ids of everything; for tests."""
        return [number for items in self.kept.values() for number in items]

    def _has(self, item: Json, path: list[str], wanted: str) -> bool:
        """Follow a query's path, such as workflow_job_template__organization, from object to object."""
        value = item.get(path[0])
        for name in path[1:]:
            if name == "startswith":
                return str(value).startswith(wanted)
            (value,) = [items[value].get(name) for items in self.kept.values() if value in items] or [None]
        return str(value) == wanted

    def _inputs(self, credential: Json) -> list[Json]:
        found: list[Json] = (
            self.kept["credential_types"][credential["credential_type"]].get("inputs", {}).get("fields", [])
        )
        return found

    def _check(self, kind: str, fields: Json) -> None:
        wrong = {name: "may not be null" for name, value in fields.items() if value is None and name not in _NULLABLE}
        for name, kinds in _REFERENCES.items():
            value = fields.get(name)
            if value is not None and not any(value in self.kept[other] for other in kinds):
                wrong[name] = f'invalid pk "{value}" - object does not exist'
        if "playbook" in fields and fields["playbook"] not in self.playbooks:
            wrong["playbook"] = "playbook not found for project"
        for name in fields.get("injectors", {}).get("env", {}):
            if name.startswith("ANSIBLE_") or name == "PATH":
                wrong["injectors"] = f"environment variable {name} is not allowed"
        if kind == "credentials" and "credential_type" not in wrong:
            extra = set(fields.get("inputs", {})) - {entry["id"] for entry in self._inputs(fields)}
            if extra:
                wrong["inputs"] = f"no such fields: {', '.join(sorted(extra))}"
        if wrong:
            raise RefusedError({name: [sentence] for name, sentence in wrong.items()})
