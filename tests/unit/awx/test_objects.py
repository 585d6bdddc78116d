# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWX's objects agree with each other, with the playbooks and with the roles."""

from __future__ import annotations

import configparser
import datetime
import re
from typing import Any

import pytest

from .data import ROOT, Json, looked_up, looked_up_by, objects, options, roles

CLOUDS: dict[str, Any] = {
    "configure_awx_azure_credentials": ["Azure"],
    "configure_awx_multicloud_credentials": ["Azure", "AWS"],
}
OBJECTS = objects(**CLOUDS)
TEMPLATES: list[Json] = OBJECTS["controller_templates"]
WORKFLOWS: list[Json] = OBJECTS["controller_workflows"]
INJECTED = {kind["name"]: set(kind["injectors"]["env"]) for kind in OBJECTS["controller_credential_types"]}
ASKED = [question for template in TEMPLATES for question in template.get("survey_spec", {}).get("spec", [])]
PLAYBOOKS_OWN = ("sensor_proxy_serial", "explain_sensor", "explain_endpoint", "plan_sensors")
QUESTIONS = [question for question in ASKED if question["variable"] not in PLAYBOOKS_OWN]
"""Those about a role's variable; the others are a playbook's."""
NOT_INJECTED = {"AZURE_SUBSCRIPTION_ID", "AZURE_PROXY_SHARED_KEY", "MULTICLOUD_SHARED_KEY"}
"""AWX's own type for Azure brings the first; the others are in the inventory, encrypted (docs/awx.md)."""
UNCONNECTED = ("playbooks/explain.yml", "playbooks/azure.yml", "playbooks/multicloud.yml")
"""What reaches no host, whatever roles it has."""
SURVEY_TYPES = {
    "text": ("str", "path", "list of str", "raw"),
    "textarea": ("str", "path", "list of str"),
    "password": ("str",),
    "integer": ("int",),
    "float": ("float",),
    "multiplechoice": ("str", "bool"),
    "multiselect": ("list of str",),
}
PLAYBOOK_LINE = re.compile(r"^\s*-?\s*(hosts|(ansible\.builtin\.)?import_playbook):", re.MULTILINE)
"""By this AWX finds a playbook in a project."""

by_name = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: str(template["name"]))
ASKING: list[Json] = objects(configure_awx_approve_deployment=True)["controller_workflows"]
by_workflow = pytest.mark.parametrize("workflow", WORKFLOWS + ASKING, ids=lambda workflow: str(workflow["name"]))


def names(kind: str) -> list[str]:
    """Return the names of all objects of a kind."""
    return [item["name"] for item in OBJECTS[f"controller_{kind}"]]


def test_has_what_was_asked_for() -> None:
    """The templates and workflows by name, so that none is lost."""
    assert names("templates") == [
        f"Proxy chaining: {name}"
        for name in (
            "Deploy proxies",
            "Dry run with diff",
            "Plan access",
            "Verify connectivity",
            "Push sensor proxy",
            "Rotate proxy password",
            "Roll back",
            "Remove sensor",
            "Explain path",
            "Watch",
            "Plan proxies in Azure",
            "Build proxies in Azure",
            "Choose connectivity",
            "Plan ways from other clouds",
            "Build ways from other clouds",
        )
    ]
    assert [item["name"] for item in objects()["controller_templates"]] == names("templates")[:10]
    assert names("workflows") == ["Proxy chaining: Onboard site", "Proxy chaining: Rotate password"]


def test_names_begin_alike() -> None:
    """Each with the prefix, whatever it is, approvals too."""
    other = objects(configure_awx_prefix="Plant", configure_awx_image="192.0.2.1/ee:1")
    # Types are shared, since only a system administrator may create them.
    kinds = other.keys() - {"controller_credential_types", "controller_roles"}
    found = [item["name"] for kind in sorted(kinds) for item in other[kind]]
    nodes = (node for workflow in other["controller_workflows"] for node in workflow["simplified_workflow_nodes"])
    found += [node["approval_node"]["name"] for node in nodes if "approval_node" in node]
    assert len(found) == 26
    assert [name for name in found if not name.startswith("Plant: ")] == []


def test_what_a_node_can_name_is_unique() -> None:
    """AWX looks for these four kinds in one list, by name."""
    found = [name for kind in ("projects", "inventory_sources", "templates", "workflows") for name in names(kind)]
    assert len(found) == len(set(found))


@by_name
def test_playbook_is_offered(template: Json) -> None:
    """AWX takes a playbook only if it is there and looks like one."""
    playbook = ROOT / template["playbook"]
    assert PLAYBOOK_LINE.search(playbook.read_text())
    forbidden = {"roles", "tasks", "group_vars", "host_vars"}
    assert [part for part in template["playbook"].split("/") if part in forbidden or part.startswith(".")] == []


@by_name
def test_site_repository_has_the_playbook(template: Json) -> None:
    """The example of a site's own repository is a project for the same templates."""
    wrapper = ROOT / "examples/site-repo" / template["playbook"]
    assert f"import_playbook: ot_security.proxy_chaining.{wrapper.stem}\n" in wrapper.read_text()


@by_name
def test_template_refers_to_what_is_there(template: Json) -> None:
    """Project, inventory and credentials."""
    assert template["project"] in names("projects")
    assert template["inventory"] in names("inventories")
    clouds = {name for given in CLOUDS.values() for name in given}
    assert set(template["credentials"]) <= set(names("credentials")) | clouds


def test_templates_take_the_image_and_the_vaults() -> None:
    """Where there are some; else neither is named."""
    other = objects(configure_awx_image="192.0.2.1/ee:1", configure_awx_vault_credentials=["Plant vault"])
    environments = [item["name"] for item in other["controller_execution_environments"]]
    for template in other["controller_templates"]:
        assert [template["execution_environment"]] == environments
        assert template["credentials"][-1] == "Plant vault"
    assert OBJECTS["controller_execution_environments"] == []
    assert [template["name"] for template in TEMPLATES if "execution_environment" in template] == []


def test_only_a_dry_run_shows_diffs() -> None:
    """And nothing else is a dry run."""
    assert [item["name"] for item in TEMPLATES if item.get("job_type") == "check"] == [
        "Proxy chaining: Dry run with diff"
    ]
    assert [item["name"] for item in TEMPLATES if item.get("diff_mode")] == ["Proxy chaining: Dry run with diff"]


@by_name
def test_limit_cannot_cut_off_the_verdict(template: Json) -> None:
    """What a limit leaves out is not proven, and the job would fail; in a dry run nothing is judged."""
    judged = "chain_verify" in roles(template["playbook"])
    assert not (judged and template.get("ask_limit_on_launch") and template.get("job_type") != "check")


@by_name
def test_secrets_come_with_the_template(template: Json) -> None:
    """Each variable that its roles look up is in one of its credentials; the proxies' hosts are reached with a key."""
    types = {item["name"]: item["credential_type"] for item in OBJECTS["controller_credentials"]}
    given = {types[name] for name in template["credentials"] if name in types}
    used = roles(template["playbook"])
    injected = {name for kind in given for name in INJECTED.get(kind, ())}
    assert "topology" in used or template["playbook"] in ("playbooks/rollback.yml", "playbooks/choose_connectivity.yml")
    assert looked_up_by(used) - NOT_INJECTED <= injected
    # What the inventory looks up is needed by whoever reads the inventory.
    assert "SENSOR_PROXY_PASSWORD" in injected
    assert not used & {"squid", "chain_verify"} or "Machine" in given or template["playbook"] in UNCONNECTED


def test_credentials_inject_what_is_looked_up() -> None:
    """By the roles of the templates, or by the lines that docs/awx.md gives for the inventory; nothing else."""
    used = {name for template in TEMPLATES for name in roles(template["playbook"])}
    wanted = looked_up_by(used) | looked_up((ROOT / "docs/awx.md").read_text())
    assert {name for injected in INJECTED.values() for name in injected} == wanted - NOT_INJECTED


def test_awx_allows_the_names() -> None:
    """It refuses those that would steer Ansible or the shell."""
    found = [name for injected in INJECTED.values() for name in injected]
    assert [name for name in found if name == "PATH" or name.startswith("ANSIBLE_")] == []


def test_injectors_use_the_inputs() -> None:
    """Each input once; they are AWX's templates, not Ansible's."""
    for kind in OBJECTS["controller_credential_types"]:
        fields = [field["id"] for field in kind["inputs"]["fields"]]
        assert list(kind["injectors"]["env"].values()) == [f"{{{{ {field} }}}}" for field in fields]
        shown = [field["id"] for field in kind["inputs"]["fields"] if not field.get("secret")]
        assert [name for name in shown if "password" in name] == []
        # Where nobody signs in at the consoles a job must start without a password.
        assert "required" not in kind["inputs"]


def test_credentials_are_of_a_type_that_is_there() -> None:
    """One of these, or one that AWX brings along."""
    assert {item["credential_type"] for item in OBJECTS["controller_credentials"]} <= {*INJECTED, "Machine"}


def test_no_secret_is_sent_unless_it_is_given() -> None:
    """An empty value would replace what was typed into AWX."""
    assert [item["inputs"] for item in OBJECTS["controller_credentials"]] == [{}, {}, {}]
    assert [item["update_secrets"] for item in OBJECTS["controller_credentials"]] == [False, False, False]
    given = objects(environment={"SENSOR_CONSOLE_PASSWORD": "one", "SENSOR_PROXY_PASSWORD": "two"})
    assert [item["inputs"] for item in given["controller_credentials"]] == [
        {},
        {"username": "admin", "password": "one"},
        {"password": "two", "previous_password": ""},
    ]


def test_source_refers_to_what_is_there() -> None:
    """And its path is in the project."""
    for source in OBJECTS["controller_inventory_sources"]:
        assert source["source_project"] in names("projects")
        assert source["inventory"] in names("inventories")
        assert (ROOT / source["source_path"]).is_dir()


def test_the_way_back_waits_for_no_update_and_all_else_does() -> None:
    """What a launch updates first, and fails with (awx/main/scheduler/task_manager.py, line 315, 24.6.1)."""
    updated = {item["name"] for item in OBJECTS["controller_projects"] if item["scm_update_on_launch"]}
    updated |= {item["inventory"] for item in OBJECTS["controller_inventory_sources"] if item["update_on_launch"]}
    for template in TEMPLATES:
        waits = {template["project"], template["inventory"]} & updated
        assert len(waits) == (0 if template["playbook"] == "playbooks/rollback.yml" else 2)
    # Its inventory has a source all the same, which a schedule keeps current.
    (source,) = [item["name"] for item in OBJECTS["controller_inventory_sources"] if not item["update_on_launch"]]
    assert source in [item["unified_job_template"] for item in OBJECTS["controller_schedules"] if item["enabled"]]


@by_name
def test_what_a_job_is_given_is_compared_with_the_repository(template: Json) -> None:
    """Where the topology is derived; the way back asks no inventory."""
    (source,) = [item for item in OBJECTS["controller_inventory_sources"] if item["update_on_launch"]]
    given = template.get("extra_vars", {})
    wanted = {} if template["playbook"] == "playbooks/rollback.yml" else {"topology_repository": source["source_path"]}
    # What a job changes at the proxies must have been meant.
    wanted |= {"squid_growth_gate": True} if template["playbook"] == "playbooks/proxies.yml" else {}
    assert given == wanted
    assert given.keys() <= options().keys()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: str(question["variable"]))
def test_question_is_a_variable_of_a_role(question: Json) -> None:
    """Of a type and with choices that fit its argument specification."""
    option = options()[question["variable"]]
    kind = f"list of {option['elements']}" if option["type"] == "list" else option["type"]
    assert kind in SURVEY_TYPES[question["type"]]
    assert question.get("choices") == (["false", "true"] if kind == "bool" else option.get("choices"))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: str(question["variable"]))
def test_question_can_be_left_out(question: Json) -> None:
    """A launch by the API ignores the default of a required question and fails; so none has both, and the default is the role's."""
    assert question["required"] != ("default" in question)
    default = options()[question["variable"]]["default"]
    assert question.get("default") in (None, str(default).lower() if isinstance(default, bool) else default or "")


def test_surveys_are_on() -> None:
    """Where there are questions, and nowhere else."""
    for template in TEMPLATES:
        assert template.get("survey_enabled", False) == bool(template.get("survey_spec", {}).get("spec"))
    assert {question["variable"] for question in QUESTIONS} == {
        "sensor_proxy_update_password",
        "squid_break_lock",
        "squid_declared_growth_once",
        "topology_removed_sensors",
    }


@by_workflow
def test_nodes_name_real_templates(workflow: Json) -> None:
    """Or are an approval with a name."""
    for node in workflow["simplified_workflow_nodes"]:
        assert node.get("unified_job_template") in (names("templates") if "approval_node" not in node else [None])
        assert node.get("approval_node", {"name": "none"})["name"]


@by_workflow
def test_every_node_is_reached(workflow: Json) -> None:
    """From the first one, by edges that lead to nodes of this workflow further down, so that none goes round."""
    nodes = workflow["simplified_workflow_nodes"]
    order = [node["identifier"] for node in nodes]
    assert len(order) == len(set(order))
    reached = {order[0]}
    for place, node in enumerate(nodes):
        following = node.get("success_nodes", []) + node.get("failure_nodes", [])
        assert set(following) <= set(order[place + 1 :])
        assert node["identifier"] in reached
        reached |= set(following)


def test_sensors_are_pushed_only_with_consent() -> None:
    """In the workflow that deploys and pushes, the push follows an approval and nothing else; going back follows a failed proof."""
    nodes = {node["identifier"]: node for node in WORKFLOWS[0]["simplified_workflow_nodes"]}
    before = {name: [other for other, node in nodes.items() if name in node.get("success_nodes", [])] for name in nodes}
    assert before["push"] == ["approve"]
    assert "approval_node" in nodes["approve"]
    first = {node["identifier"]: node for node in ASKING[0]["simplified_workflow_nodes"]}
    assert first["dry-run"]["success_nodes"] == ["approve-deployment"]
    assert [name for name, node in first.items() if "deploy" in node.get("success_nodes", [])] == ["approve-deployment"]
    assert [name for name, node in nodes.items() if "roll-back" in node.get("failure_nodes", [])] == ["verify-proxies"]


def test_schedules_start_what_is_there() -> None:
    """A template or a workflow."""
    for schedule in OBJECTS["controller_schedules"]:
        assert schedule["unified_job_template"] in names("templates") + names("workflows") + names("inventory_sources")
    assert [item["name"] for item in OBJECTS["controller_schedules"] if item["enabled"]] == [
        "Proxy chaining: Keep the way back current"
    ]


def test_schedules_rule_is_one_that_awx_takes() -> None:
    """A start, then one rule with a frequency and an interval."""
    for schedule in OBJECTS["controller_schedules"]:
        start, rule = schedule["rrule"].split(" ")
        datetime.datetime.strptime(start, "DTSTART:%Y%m%dT%H%M%SZ")
        assert rule.startswith("RRULE:")
        parts = dict(part.split("=") for part in rule.removeprefix("RRULE:").split(";"))
        assert parts["FREQ"] in ("DAILY", "HOURLY")
        assert parts["INTERVAL"] == "1"


def test_the_example_of_a_site_hides_neither_the_credentials_user_nor_the_images_collections() -> None:
    """A variable of the inventory outranks a credential's user; a path that is set replaces an execution environment's."""
    site = ROOT / "examples/site-repo"
    config = configparser.ConfigParser()
    config.read_string((site / "ansible.cfg").read_text())
    assert "/usr/share/ansible/collections" in config["defaults"]["collections_path"].split(":")
    files = [path for path in site.glob("inventories/**/*.yml") if "ansible_user:" in path.read_text()]
    assert files == []
