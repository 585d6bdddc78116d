# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pattern for Ansible Automation Platform keeps to its specification, version 1.0, which no linter checks any more."""

from __future__ import annotations

import json

import pytest
import yaml

from .data import ROOT, Json

(PATTERN,) = ROOT.glob("extensions/patterns/*")
DEFINITION: Json = json.loads((PATTERN / "meta/pattern.json").read_text())
RESOURCES: Json = DEFINITION["aap_resources"]
PLAYBOOKS = [template["playbook"] for template in RESOURCES["controller_job_templates"]]
TEMPLATE = {"name", "description", "execution_environment", "playbook", "primary", "labels"}


def test_definition_has_the_keys_of_the_specification() -> None:
    """And no others, which a platform would pass over in silence."""
    assert set(DEFINITION) == {
        "schema_version",
        "name",
        "title",
        "description",
        "short_description",
        "tags",
        "aap_resources",
    }
    assert set(RESOURCES) == {
        "controller_project",
        "controller_execution_environment",
        "controller_labels",
        "controller_job_templates",
    }
    assert set(RESOURCES["controller_project"]) == {"name", "description"}
    assert set(RESOURCES["controller_execution_environment"]) == {"name", "description", "image_name", "pull"}
    for template in RESOURCES["controller_job_templates"]:
        assert set(template) == TEMPLATE | {"ask_credential_on_launch", "ask_inventory_on_launch"}


def test_definition_is_short_enough_and_named_like_its_folder() -> None:
    """As a catalogue shows it."""
    assert (DEFINITION["schema_version"], DEFINITION["name"]) == ("1.0", PATTERN.name)
    assert len(DEFINITION["title"]) <= 64
    assert not DEFINITION["short_description"].endswith(".")
    assert (PATTERN / "README.md").read_text().startswith("# ")


def test_templates_name_what_the_pattern_creates() -> None:
    """One of them is the first that a user sees."""
    templates = RESOURCES["controller_job_templates"]
    assert [template["primary"] for template in templates] == [True, False, False]
    for template in templates:
        assert template["execution_environment"] == RESOURCES["controller_execution_environment"]["name"]
        assert template["labels"] == RESOURCES["controller_labels"]


def test_every_playbook_belongs_to_a_template() -> None:
    """And the other way round, each with its argument specification."""
    files = sorted(path.name for path in PATTERN.glob("playbooks/*.yml"))
    assert files == sorted([*PLAYBOOKS, *(name.replace(".yml", ".meta.yml") for name in PLAYBOOKS)])


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbook_is_one_of_the_collection(playbook: str) -> None:
    """By its name: an archive that AWX unpacks is in no collection path."""
    (play,) = yaml.safe_load((PATTERN / "playbooks" / playbook).read_text())
    assert play["import_playbook"] == f"ot_security.proxy_chaining.{playbook.removesuffix('.yml')}"
    assert (ROOT / "playbooks" / playbook).is_file()
    spec = yaml.safe_load((PATTERN / "playbooks" / playbook.replace(".yml", ".meta.yml")).read_text())
    options = yaml.safe_load((ROOT / "roles/topology/meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    for name, option in spec["argument_specs"][playbook.removesuffix(".yml")]["options"].items():
        assert {key: option[key] for key in ("type", "default")} == {
            key: options[name][key] for key in ("type", "default")
        }
