# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrong settings of configure_awx are found together, and before anything is made; and what is whose in AWX."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _awx

SETTINGS: dict[str, Any] = {
    **{name: [] for name in _awx._NAMED},
    "state": "present",
    "organization": "Plants",
    "vault_credentials": ["Vault"],
    "project_credential": "",
    "signature_credential": "",
}
WANTED = {
    "unified_job_templates": ["P: playbooks", "P: Deploy"],
    "inventories": ["P: plants"],
    "credentials": ["P: SSH"],
    "execution_environments": ["P: image"],
    "labels": ["OT"],
}
WORKFLOWS = [
    {
        "name": "P: Onboard",
        "simplified_workflow_nodes": [{"identifier": "deploy"}, {"identifier": "ask", "approval_node": {}}],
    }
]


def _credential(name: str, kind: str, organization: int | None, number: int = 0) -> dict[str, Any]:
    return {"name": name, "kind": kind, "organization": organization, "id": number}


FOUND: dict[str, list[dict[str, Any]]] = {
    "organizations": [{"id": 1, "name": "Default"}, {"id": 2, "name": "Plants"}],
    "credentials": [
        _credential("Vault", "vault", 2, 20),
        _credential("Vault", "vault", 1, 21),
        _credential("Vault", "scm", 2, 22),
        _credential("Ansible Galaxy", "galaxy_api_token", None, 23),
        _credential("Other's", "vault", 1, 24),
        _credential("Twice", "vault", None, 25),
        _credential("Twice", "vault", None, 26),
    ],
    "galaxy_credentials": [{"name": "Ansible Galaxy"}],
    "teams": [{"name": "Operators", "organization": 2, "id": 30}, {"name": "Others", "organization": 1, "id": 31}],
    "notification_templates": [],
    "instance_groups": [{"name": "DMZ", "id": 40}],
    "execution_environments": [],
    "unified_job_templates": [],
    "inventories": [],
    "labels": [],
    "nodes": [],
}


def _plan(settings: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    return _awx.plan(SETTINGS | settings, WANTED, WORKFLOWS, FOUND | found)


def test_settings_that_are_right_are_no_problem() -> None:
    own = {"galaxy_credentials": ["Ansible Galaxy"], "deploy_teams": ["Operators"], "instance_groups": ["DMZ"]}
    got = _plan(own | {"project_credential": "Vault"}, {"galaxy_credentials": []})
    assert got["problems"] == []
    # One of the organization goes before another's and one of nobody, and the kind is the setting's.
    assert {name: ids for name, ids in got["ids"].items() if ids} == {
        "galaxy_credentials": {"Ansible Galaxy": 23},
        "vault_credentials": {"Vault": 20},
        "project_credential": {"Vault": 22},
        "deploy_teams": {"Operators": 30},
        "instance_groups": {"DMZ": 40},
    }


@pytest.mark.parametrize(
    ("settings", "found", "said"),
    [
        (
            {
                "organization": "Nowhere",
                "vault_credentials": ["v1", "v2"],
                "project_credential": "git",
                "state": "gone",
            },
            {},
            [
                "The organization 'Nowhere' is not there",
                "configure_awx_vault_credentials names 'v1', which is not there",
                "configure_awx_vault_credentials names 'v2', which is not there",
                "configure_awx_project_credential names 'git', which is not there",
                "configure_awx_state is 'gone'",
            ],
        ),
        ({"state": "absent", "vault_credentials": ["v1"]}, {"galaxy_credentials": []}, []),
        ({"state": "absent", "organization": "Nowhere"}, {}, ["The organization 'Nowhere' is not there"]),
        ({}, {"galaxy_credentials": []}, ["The organization 'Plants' has no Galaxy credential"]),
        (
            {"vault_credentials": ["Other's"]},
            {},
            ["configure_awx_vault_credentials names 'Other's', which belongs to the organization 'Default'"],
        ),
        (
            {"deploy_teams": ["Others"], "verify_teams": ["Nobody"]},
            {},
            [
                "configure_awx_deploy_teams names 'Others', which belongs to the organization 'Default'",
                "configure_awx_verify_teams names 'Nobody', which is not there",
            ],
        ),
        (
            {"vault_credentials": ["Twice"]},
            {},
            ["configure_awx_vault_credentials names 'Twice', and AWX has 2 credentials of that name"],
        ),
        (
            {"signature_credential": "Vault"},
            {},
            ["configure_awx_signature_credential names 'Vault', a credential of the kind 'vault'"],
        ),
        (
            {},
            {"execution_environments": [{"name": "P: image", "organization": 1}, {"name": "other", "organization": 1}]},
            ["The execution environment 'P: image' belongs to the organization 'Default'"],
        ),
        (
            {},
            {"inventories": [{"name": "P: plants", "pending_deletion": True}]},
            ["AWX is still deleting the inventory 'P: plants'"],
        ),
    ],
    ids=[
        "all together",
        "a removal needs none of it",
        "a removal of nobody",
        "no Galaxy credential",
        "another organization's credential",
        "teams",
        "ambiguous",
        "another kind",
        "another organization's environment",
        "an inventory that goes",
    ],
)
def test_what_is_wrong_is_one_sentence_each(settings: Any, found: Any, said: list[str]) -> None:
    got = _plan(settings, found)["problems"]
    assert len(got) == len(said), got
    assert [sentence[: len(want)] for sentence, want in zip(got, said, strict=True)] == said


def test_what_is_missing_is_missing_in_this_organization() -> None:
    found = {
        "unified_job_templates": [{"id": 5, "name": "P: Deploy"}],
        "inventories": [{"name": "P: plants", "pending_deletion": True}],
        "credentials": [*FOUND["credentials"], _credential("P: SSH", "ssh", 1)],
        "execution_environments": [{"name": "P: image", "organization": 2}],
        "labels": [{"name": "OT", "organization": 2}],
    }
    assert _plan({"state": "absent"}, found)["missing"] == {
        "unified_job_templates": ["P: playbooks"],
        "inventories": ["P: plants"],
        "credentials": ["P: SSH"],
        "execution_environments": [],
        "labels": [],
        "nodes": [],
    }


@pytest.mark.parametrize(
    ("identifier", "kind", "more", "stray"),
    [
        ("deploy", "job", {}, False),
        (
            "deploy",
            "job",
            {"limit": "", "extra_data": {}, "verbosity": None, "all_parents_must_converge": False},
            False,
        ),
        ("ask", "workflow_approval", {}, False),
        ("by-hand", "job", {}, True),
        ("by-hand", "workflow_approval", {}, True),
        ("ask", "job", {}, True),
        ("deploy", "workflow_approval", {}, True),
        *(("deploy", "job", {prompt: "x"}, True) for prompt in _awx._PROMPTS),
    ],
)
def test_nodes_that_somebody_added_or_changed_are_strays(
    identifier: str, kind: str, more: dict[str, Any], stray: bool
) -> None:
    summary = {"unified_job_template": {"unified_job_type": kind}}
    node = {"workflow_job_template": 7, "identifier": identifier, "summary_fields": summary, **more}
    mine = [{"id": 7, "name": "P: Onboard"}, {"id": 8, "name": "P: by hand"}]
    found = {"unified_job_templates": mine, "nodes": [node, node | {"workflow_job_template": 8}]}
    wanted = [{"workflow": "P: Onboard", "identifier": identifier}] if stray else []
    got = _plan({}, found)
    assert got["strays"] == wanted
    assert got["missing"]["nodes"] == [f"P: Onboard: {name}" for name in ("deploy", "ask") if name != identifier]


@pytest.mark.parametrize(
    ("script", "said", "fine"),
    [
        ({"all": {"hosts": []}}, "The inventory 'P' has no host after 'plant' was read into it", False),
        (
            {
                "all": {"children": ["proxies", "sensors", "line"]},
                "proxies": {"hosts": ["a"]},
                "sensors": {"children": ["line"]},
            }
            | {"line": {"hosts": ["b", "c"]}},
            "P: 3 hosts, of which 1 are proxies and 2 sensors.",
            True,
        ),
        (
            {"all": {"hosts": ["x"], "children": ["squids"], "vars": {"topology_proxies_group": "squids"}}}
            | {"squids": {"hosts": ["a", "b"]}},
            "P: 3 hosts, of which 2 are proxies and 0 sensors.",
            True,
        ),
    ],
    ids=["none", "a group in a group", "a group of another name"],
)
def test_hosts_are_counted(script: Any, said: str, fine: bool) -> None:
    sentence, got = _awx.hosts("P", "plant", script)
    assert (sentence[: len(said)], got) == (said, fine)
