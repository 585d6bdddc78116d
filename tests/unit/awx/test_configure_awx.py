# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What configure_awx sends to AWX, that it sends nothing twice, and that it replaces no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.awx.service import Service

from .conftest import Run, configure
from .data import objects

Started = tuple[Service, dict[str, str]]
FIRST = {"SENSOR_CONSOLE_PASSWORD": "first-console-secret", "SENSOR_PROXY_PASSWORD": "first-proxy-secret"}
OTHER = {"SENSOR_CONSOLE_PASSWORD": "other-console-secret", "SENSOR_PROXY_PASSWORD": "other-proxy-secret"}
PREFIX = "Proxy chaining: "
KINDS = {
    "credential_types": "credential_types",
    "credentials": "credentials",
    "projects": "projects",
    "inventories": "inventories",
    "inventory_sources": "inventory_sources",
    "job_templates": "templates",
    "workflow_job_templates": "workflows",
    "schedules": "schedules",
}
"""What AWX calls the kinds, and what the data does."""


@pytest.fixture(scope="module")
def first(service: Started) -> Run:
    """Run it on an AWX that has nothing of it."""
    awx, environment = service
    return configure(awx, environment | FIRST)


@pytest.fixture(scope="module")
def second(service: Started, first: Run) -> Run:
    """Run it again, with other secrets in the environment, after somebody typed another user into AWX."""
    assert first.code == 0, first.output
    awx, environment = service
    console = awx.objects.named("credentials")[f"{PREFIX}sensor console"]["id"]
    awx.objects.kept["credentials"][console]["inputs"] = {"username": "somebody", "password": "$encrypted$"}
    return configure(awx, environment | OTHER)


def test_creates_everything(service: Started, first: Run) -> None:
    """Each object of the data once, and no other."""
    assert first.code == 0, first.output
    data = objects()
    for kind, name in KINDS.items():
        created = [asked.body["name"] for asked in first.sent if (asked.method, asked.path) == ("POST", kind)]
        assert created == [item["name"] for item in data[f"controller_{name}"]]
    assert [asked for asked in first.sent if asked.method == "PATCH"] == []


def test_sends_what_the_data_says(service: Started, first: Run) -> None:
    """Names as the ids that AWX knows them by."""
    awx = service[0].objects
    sent = {
        asked.body["name"]: asked.body
        for asked in first.sent
        if asked.path == "job_templates" and asked.method == "POST"
    }
    push = sent[f"{PREFIX}Push sensor proxy"]
    assert push["project"] == awx.named("projects")[f"{PREFIX}playbooks"]["id"]
    assert push["inventory"] == awx.named("inventories")[f"{PREFIX}plants"]["id"]
    assert push["playbook"] == "playbooks/sensors.yml"
    assert "execution_environment" not in push
    assert {name: template["job_type"] for name, template in sent.items() if template["job_type"] != "run"} == {
        f"{PREFIX}Dry run with diff": "check"
    }
    assert {template["allow_simultaneous"] for template in sent.values()} == {False}
    assert {template["job_slice_count"] for template in sent.values()} == {1}


def test_injectors_arrive_as_templates(first: Run) -> None:
    """Ansible has not evaluated what AWX is to evaluate."""
    sent = [asked.body["injectors"]["env"] for asked in first.sent if asked.path == "credential_types"]
    assert sent[0] == {"SENSOR_CONSOLE_USERNAME": "{{ username }}", "SENSOR_CONSOLE_PASSWORD": "{{ password }}"}


def test_credentials_and_surveys_arrive(service: Started, first: Run) -> None:
    """Beside the templates, where AWX has them."""
    awx = service[0].objects
    credentials = {item["id"]: name for name, item in awx.named("credentials").items()}
    for template in objects()["controller_templates"]:
        number = awx.named("job_templates")[template["name"]]["id"]
        associated = [credentials[other] for other in awx.associated[f"job_templates/{number}/credentials"]]
        assert sorted(associated) == sorted(template["credentials"])
        assert awx.surveys.get(number) == template.get("survey_spec")


def test_workflows_are_linked(service: Started, first: Run) -> None:
    """Node by node, by the outcome that leads on, and with the approval in its place."""
    awx = service[0].objects
    nodes = awx.kept["workflow_job_template_nodes"]
    workflow = awx.named("workflow_job_templates")[f"{PREFIX}Onboard site"]["id"]
    mine = {number: node["identifier"] for number, node in nodes.items() if node["workflow_job_template"] == workflow}
    edges: dict[str, Any] = {}
    for number, name in mine.items():
        for outcome in ("success", "failure"):
            for other in awx.associated.get(f"workflow_job_template_nodes/{number}/{outcome}_nodes", []):
                edges[f"{name} {outcome}"] = mine[other]
    assert edges == {
        "deploy success": "verify-proxies",
        "verify-proxies success": "approve",
        "verify-proxies failure": "roll-back",
        "approve success": "push",
        "approve failure": "approve-way-back",
        "approve-way-back success": "roll-back",
        "push success": "verify-sensors",
    }
    approvals = awx.kept["workflow_approval_templates"]
    for name in ("approve", "approve-way-back"):
        (node,) = [node for number, node in nodes.items() if mine.get(number) == name]
        assert approvals[node["unified_job_template"]]["timeout"] == 86400


def test_secrets_go_to_awx_only(service: Started, first: Run) -> None:
    """As inputs of their credentials, and into no output."""
    inputs = {asked.body["name"]: asked.body.get("inputs") for asked in first.sent if asked.path == "credentials"}
    assert inputs == {
        f"{PREFIX}SSH": None,
        f"{PREFIX}sensor console": {"username": "admin", "password": "first-console-secret"},
        f"{PREFIX}proxy sign-in": {"password": "first-proxy-secret", "previous_password": ""},
    }
    assert "secret" not in first.output.replace("update_secrets", "")


def test_second_run_changes_nothing(second: Run) -> None:
    """Nor does it replace a secret that AWX has. A project is fetched again, which is how templates find new playbooks."""
    assert (second.code, second.changed) == (0, 0), second.output
    assert [(asked.method, asked.path.split("/")[0], asked.path.split("/")[-1]) for asked in second.sent] == [
        *[("POST", "projects", "update")] * 2,
        *[("POST", "inventory_sources", "update")] * 2,
    ]


BY_HAND: dict[str, dict[str, Any]] = {
    "job_templates": {
        "limit": "plant-a-proxy",
        "job_tags": "nothing",
        "skip_tags": "always",
        "extra_vars": '{"squid_phase": "whole"}',
        "verbosity": 5,
        "timeout": 1,
        "forks": 1,
        "become_enabled": True,
        "force_handlers": True,
        "use_fact_cache": True,
        "start_at_task": "Fail when a path is not proven",
        "scm_branch": "other",
        "job_slice_count": 2,
        "allow_simultaneous": True,
        "survey_enabled": True,
        **{
            f"ask_{what}_on_launch": True
            for what in (
                *(
                    "credential",
                    "diff_mode",
                    "execution_environment",
                    "instance_groups",
                    "inventory",
                    "job_slice_count",
                ),
                *("job_type", "labels", "scm_branch", "skip_tags", "tags", "timeout", "variables", "verbosity"),
            )
        },
    },
    "workflow_job_templates": {
        "extra_vars": '{"squid_phase": "whole"}',
        "limit": "plant-a-proxy",
        "job_tags": "nothing",
        "skip_tags": "always",
        "scm_branch": "other",
        "survey_enabled": True,
        "allow_simultaneous": True,
        **{
            f"ask_{what}_on_launch": True
            for what in ("inventory", "labels", "limit", "scm_branch", "skip_tags", "tags", "variables")
        },
    },
    "inventory_sources": {
        "limit": "sensors",
        "host_filter": "plant",
        "enabled_var": "on",
        "enabled_value": "yes",
        "scm_branch": "other",
        "overwrite": False,
        "overwrite_vars": False,
        "update_cache_timeout": 86400,
        "timeout": 1,
    },
    "projects": {
        "allow_override": True,
        "scm_branch": "other",
        "scm_refspec": "refs/pull/1/head",
        "scm_update_cache_timeout": 86400,
        "scm_track_submodules": True,
        "scm_delete_on_update": True,
        "timeout": 1,
    },
}
"""Fields that change what a job does (awx/api/serializers.py, 24.6.1), as somebody may leave them."""
NODES_BY_HAND: dict[str, dict[str, Any]] = {
    "push": {"limit": "line-1-sensor"},
    "verify-sensors": {"job_type": "check"},
    "rotate": {"job_tags": "nothing"},
    "verify-after": {"all_parents_must_converge": True},
}
"""The same for nodes, where the module leaves an empty value out."""
WATCHED = [f"{PREFIX}{name}" for name in ("Verify connectivity", "Dry run with diff", "Plan access", "Explain path")]
FIRST_OF_KIND = {
    "job_templates": f"{PREFIX}Verify connectivity",
    "workflow_job_templates": f"{PREFIX}Onboard site",
    "inventory_sources": f"{PREFIX}plants from the project",
    "projects": f"{PREFIX}playbooks",
}


def test_what_was_left_by_hand_is_put_back(service: Started, second: Run) -> None:
    """All that changes what a job does, but for what docs/awx.md names."""
    awx, environment = service
    before: dict[str, Any] = {}
    for kind, name in FIRST_OF_KIND.items():
        item = awx.objects.named(kind)[name]
        before[kind] = {field: item[field] for field in BY_HAND[kind]}
        awx.objects.kept[kind][item["id"]] |= BY_HAND[kind]
    nodes = {node["identifier"]: node for node in awx.objects.find(["workflow_job_template_nodes"], {})}
    deploy = nodes["deploy"]["id"]
    awx.objects.associated[f"workflow_job_template_nodes/{deploy}/always_nodes"] = [deploy + 1]
    for name, left in NODES_BY_HAND.items():
        awx.objects.kept["workflow_job_template_nodes"][nodes[name]["id"]] |= left
    extra = {name: nodes["deploy"][name] for name in ("workflow_job_template", "unified_job_template")}
    awx.objects.create("workflow_job_template_nodes", {"identifier": "by-hand", **extra})
    # AWX then deletes the approval (awx/main/signals.py, delete_approval_node_type_change, 24.6.1).
    awx.objects.kept["workflow_approval_templates"].pop(nodes["approve"]["unified_job_template"])
    awx.objects.change(
        "workflow_job_template_nodes",
        nodes["approve"]["id"],
        {"unified_job_template": nodes["deploy"]["unified_job_template"]},
    )
    run = configure(awx, environment)
    assert run.code == 0, run.output
    for kind, name in FIRST_OF_KIND.items():
        item = awx.objects.named(kind)[name]
        assert {field: item[field] for field in BY_HAND[kind]} == before[kind]
    assert awx.objects.associated[f"workflow_job_template_nodes/{deploy}/always_nodes"] == []
    after = {node["identifier"]: node for node in awx.objects.find(["workflow_job_template_nodes"], {})}
    assert after.keys() == nodes.keys()
    assert [name for name, left in NODES_BY_HAND.items() if left.items() & after[name].items()] == []
    test_workflows_are_linked(service, run)


def test_settings_arrive(service: Started, second: Run) -> None:
    """Whatever is there by name, where AWX has everything else already."""
    awx, environment = service
    made, (organization,) = awx.objects, awx.objects.kept["organizations"]
    ids = {
        name: made.create("credentials", {"name": name, "credential_type": awx.types[kind]})["id"]
        for name, kind in (("Git", "scm"), ("Hub", "galaxy_api_token"), ("Signer", "gpg_public_key"))
    }
    ids["DMZ"] = made.create("instance_groups", {"name": "DMZ"})["id"]
    for kind, name in (
        *(("teams", f"{who}s") for who in ("Operator", "Watcher", "Approver")),
        *(("notification_templates", name) for name in ("Alarm", "Please approve")),
    ):
        ids[name] = made.create(kind, {"name": name, "organization": organization})["id"]
    settings = {
        "configure_awx_image": "192.0.2.1/ee:1",
        "configure_awx_project_credential": "Git",
        "configure_awx_galaxy_credentials": ["Hub"],
        "configure_awx_signature_credential": "Signer",
        "configure_awx_instance_groups": ["DMZ"],
        "configure_awx_deploy_teams": ["Operators"],
        "configure_awx_verify_teams": ["Watchers"],
        "configure_awx_approve_teams": ["Approvers"],
        "configure_awx_failure_notifications": ["Alarm"],
        "configure_awx_approval_notifications": ["Please approve"],
        "configure_awx_labels": ["OT"],
        "configure_awx_verify_timeout": 900,
        "configure_awx_approve_deployment": True,
        # Nothing of these changes.
        "controller_credential_types": [],
        "controller_schedules": [],
    }
    run = configure(awx, environment, "-e", json.dumps(settings))
    assert run.code == 0, run.output
    assert awx.galaxy == [ids["Hub"]]
    for project in made.named("projects").values():
        assert (project["credential"], project["signature_validation_credential"]) == (ids["Git"], ids["Signer"])
    environments = made.named("execution_environments")
    assert [name for name, item in environments.items() if item["image"] == "192.0.2.1/ee:1"] == list(environments)
    templates = made.named("job_templates")
    label = made.named("labels")["OT"]["id"]
    for name, item in templates.items():
        assert item["execution_environment"] == environments[f"{PREFIX}execution environment"]["id"]
        assert item["timeout"] == (900 if name.endswith(("Verify connectivity", "Dry run with diff")) else 0)
        beside = {"notification_templates_error": "Alarm", "instance_groups": "DMZ"}
        for kind, other in beside.items():
            assert made.associated[f"job_templates/{item['id']}/{kind}"] == [ids[other]]
        assert made.associated[f"job_templates/{item['id']}/labels"] == [label]
    for item in made.named("workflow_job_templates").values():
        associated = made.associated[f"workflow_job_templates/{item['id']}/notification_templates_approvals"]
        assert associated == [ids["Please approve"]]
    given = {name: members for name, members in made.associated.items() if name.startswith("roles/")}
    roles = {
        (role["id"], ids[team])
        for team, kind, names, name in (
            ("Operators", "job_templates", list(templates), "execute_role"),
            ("Operators", "workflow_job_templates", list(made.named("workflow_job_templates")), "execute_role"),
            ("Watchers", "job_templates", WATCHED, "execute_role"),
            ("Approvers", "workflow_job_templates", list(made.named("workflow_job_templates")), "approval_role"),
        )
        for role in (
            item["summary_fields"]["object_roles"][name] for item in made.find([kind], {}) if item["name"] in names
        )
    }
    assert {(int(path.split("/")[1]), member) for path, members in given.items() for member in members} == roles
    nodes = {node["identifier"]: node["id"] for node in made.find(["workflow_job_template_nodes"], {})}
    for before, after in (("dry-run", "approve-deployment"), ("approve-deployment", "deploy")):
        assert made.associated[f"workflow_job_template_nodes/{nodes[before]}/success_nodes"] == [nodes[after]]


def test_an_inventory_without_hosts_is_no_success(service: Started, second: Run) -> None:
    """A path that is wrong is found here, and not by the first job."""
    awx, environment = service
    assert "Proxy chaining: plants: 5 hosts, of which 2 are proxies and 3 sensors." in " ".join(second.output.split())
    awx.objects.script = {"all": {"hosts": []}}
    others = ("credential_types", "credentials", "projects", "templates", "workflows", "schedules", "roles")
    run = configure(awx, environment, "-e", json.dumps({f"controller_{kind}": [] for kind in others}))
    assert run.code != 0
    assert "has no host after 'inventories/example' was read into it; correct configure_awx_inventory_path" in " ".join(
        run.output.replace("''", "'").split()
    )


def test_refuses_an_organization_without_galaxy_credential(tmp_path: Path) -> None:
    """In one sentence, before anything is created: AWX itself would be green until the first job."""
    awx = Service(tmp_path, frozenset())
    awx.galaxy.clear()
    run = configure(awx, awx.start())
    awx.stop()
    assert run.code != 0
    assert "'Default'' has no Galaxy credential" in " ".join(run.output.split())
    assert run.sent == []
