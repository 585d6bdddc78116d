# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the way of giving an AWX what the folder awx describes, found before anything is made; and what is whose there.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Item = Mapping[str, Any]
Found = Mapping[str, Iterable[Item]]

_NAMED: dict[str, tuple[str, tuple[str, ...]]] = {
    "galaxy_credentials": ("credentials", ("galaxy_api_token",)),
    "vault_credentials": ("credentials", ("vault",)),
    "project_credential": ("credentials", ("scm",)),
    "signature_credential": ("credentials", ("gpg_public_key",)),
    "azure_credentials": ("credentials", ("azure_rm",)),
    "multicloud_credentials": ("credentials", ("aws", "azure_rm", "gce")),
    "deploy_teams": ("teams", ()),
    "verify_teams": ("teams", ()),
    "approve_teams": ("teams", ()),
    "failure_notifications": ("notification_templates", ()),
    "approval_notifications": ("notification_templates", ()),
    "instance_groups": ("instance_groups", ()),
}
"""Settings that name what AWX must have: where that is found, and what AWX calls the kinds of credential that will do."""
_PROMPTS = (
    *("extra_data", "inventory", "scm_branch", "job_type", "job_tags", "skip_tags", "limit", "diff_mode", "verbosity"),
    *("execution_environment", "forks", "job_slice_count", "timeout", "all_parents_must_converge"),
)
"""What a node may say in place of its template (awx/api/serializers.py, LaunchConfigurationBaseSerializer, 24.6.1)."""


def plan(settings: Item, wanted: Mapping[str, list[str]], workflows: Iterable[Item], found: Found) -> dict[str, Any]:
    """Return ``problems``, a sentence each, and what the modules of awx.awx do not find out by themselves.

    ``ids`` has, by setting and name, the ids of what the settings name, since the modules look names up in all organizations. ``missing``
    has what the organization has not, by kind. ``strays`` are the nodes to remove, as workflow and identifier: those that nobody wants,
    and those that say what the module of nodes cannot unsay.

    Args:
        settings: the settings of awx/settings.yml, without their prefix.
        wanted: the names of what the organization shall have, by kind as in ``found``.
        workflows: as in awx/workflows.yml.
        found: what AWX has.
    """
    organizations = {item["id"]: item["name"] for item in found["organizations"]}
    own = next((number for number, name in organizations.items() if name == settings["organization"]), None)
    removed = settings["state"] == "absent"
    ids: dict[str, dict[str, int]] = {setting: {} for setting in _NAMED}
    problems = [] if removed else list(_named(settings, found, own, organizations, ids))
    if own is None:
        problems.insert(
            0,
            f"The organization '{settings['organization']}' is not there, or whoever runs this may not see it; create it, or correct "
            "configure_awx_organization.",
        )
    if settings["state"] not in ("present", "absent"):
        problems.append(f"configure_awx_state is '{settings['state']}'; it is 'present' or 'absent'.")
    if own is not None and not removed:
        problems += _in_the_way(settings, wanted, found, own, organizations)
    strays, nodes = _nodes(workflows, found)
    missing = {kind: sorted(set(names) - _had(found[kind], own)) for kind, names in wanted.items()}
    return {"problems": problems, "ids": ids, "missing": missing | {"nodes": nodes}, "strays": strays}


def _had(items: Iterable[Item], own: int | None) -> set[str]:
    """Return the names of what the organization has, and keeps."""
    return {item["name"] for item in items if item.get("organization", own) == own and not item.get("pending_deletion")}


def _named(
    settings: Item,
    found: Found,
    own: int | None,
    organizations: Mapping[int, str],
    ids: dict[str, dict[str, int]],
) -> Iterator[str]:
    """Fill in the ids of what the settings name, and yield what is wrong with those names."""
    for setting, (source, kinds) in _NAMED.items():
        given = settings[setting]
        for name in filter(None, [given] if isinstance(given, str) else given):
            what = f"configure_awx_{setting} names '{name}'"
            same = [item for item in found[source] if item["name"] == name]
            fit = [item for item in same if not kinds or item["kind"] in kinds]
            usable = [item for item in fit if item.get("organization") == own] or [
                item for item in fit if item.get("organization") is None
            ]
            if len(usable) == 1:
                ids[setting][name] = usable[0]["id"]
            elif usable:
                yield f"{what}, and AWX has {len(usable)} {source} of that name; rename all but one of them."
            elif fit and own is not None:
                owners = sorted({organizations.get(item["organization"], "another one") for item in fit})
                yield (
                    f"{what}, which belongs to the organization '{owners[0]}'; create one in '{settings['organization']}', or correct "
                    "the name."
                )
            elif same and own is not None:
                kind = " or ".join(kinds)
                yield f"{what}, a credential of the kind '{same[0]['kind']}', where one of {kind} is wanted; correct the name."
            elif not same:
                yield f"{what}, which is not there; create it in AWX, or correct the name."


def _in_the_way(
    settings: Item, wanted: Mapping[str, list[str]], found: Found, own: int, organizations: Mapping[int, str]
) -> Iterator[str]:
    name = settings["organization"]
    if not settings["galaxy_credentials"] and not list(found["galaxy_credentials"]):
        yield (
            f"The organization '{name}' has no Galaxy credential, and without one AWX installs no collection: the project's update is "
            'green, and every job ends with "role not found". Name one in configure_awx_galaxy_credentials, such as AWX\'s own '
            "'Ansible Galaxy'; nothing is asked of its server."
        )
    # AWX has no two environments of a name (CommonModel, awx/main/models/base.py, 24.6.1), and the module looks for no organization.
    for item in found["execution_environments"]:
        if item["name"] in wanted["execution_environments"] and item["organization"] != own:
            owner = organizations.get(item["organization"], "another one")
            yield (
                f"The execution environment '{item['name']}' belongs to the organization '{owner}', and AWX has each name once only; "
                "choose another configure_awx_prefix."
            )
    for item in found["inventories"]:
        if item.get("pending_deletion") and item["name"] in wanted["inventories"]:
            yield f"AWX is still deleting the inventory '{item['name']}'; run this again when it is gone."


def _nodes(workflows: Iterable[Item], found: Found) -> tuple[list[dict[str, str]], list[str]]:
    """Return the nodes to remove, and what nodes the workflows lack that are there."""
    wanted = {
        item["name"]: {node["identifier"]: "approval_node" in node for node in item["simplified_workflow_nodes"]}
        for item in workflows
    }
    names = {item["id"]: item["name"] for item in found["unified_job_templates"] if item["name"] in wanted}
    strays, lacking = [], {name: dict(wanted[name]) for name in names.values()}
    for node in found["nodes"]:
        name, identifier = names.get(node["workflow_job_template"]), node["identifier"]
        if name is None:
            continue
        lacking[name].pop(identifier, None)
        kind = node["summary_fields"].get("unified_job_template", {}).get("unified_job_type")
        # The module would rename a template that stands where an approval shall.
        is_approval = kind == "workflow_approval"
        if wanted[name].get(identifier) != is_approval or any(node.get(prompt) for prompt in _PROMPTS):
            strays.append({"workflow": name, "identifier": identifier})
    return strays, [f"{name}: {identifier}" for name, nodes in lacking.items() for identifier in nodes]


def hosts(inventory: str, path: str, script: Mapping[str, Mapping[str, Any]]) -> tuple[str, bool]:
    """Return a sentence about the hosts of an inventory, as AWX gives it to a job, and whether there are any."""
    said = script["all"].get("vars", {})

    def members(group: str) -> set[str]:
        content = script.get(group, {})
        return set(content.get("hosts", [])).union(*map(members, content.get("children", [])))

    if not members("all"):
        return (
            f"The inventory '{inventory}' has no host after '{path}' was read into it; correct configure_awx_inventory_path.",
            False,
        )
    counts = [len(members(said.get(f"topology_{kind}_group", kind))) for kind in ("proxies", "sensors")]
    return f"{inventory}: {len(members('all'))} hosts, of which {counts[0]} are proxies and {counts[1]} sensors.", True
