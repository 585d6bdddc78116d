# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two organizations whose objects have the same names, and the removal of one's."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.awx.service import Service

from .conftest import Run, configure
from .data import Json, objects

OTHERS = ("credentials", "projects", "inventories", "inventory_sources", "job_templates", "workflow_job_templates")
"""Kinds of which another organization has objects of the same names."""
SETTINGS: dict[str, Any] = {
    "configure_awx_organization": "Plants",
    "configure_awx_galaxy_credentials": ["Hub"],
    "configure_awx_vault_credentials": ["Vault"],
    "configure_awx_project_credential": "Git",
    "configure_awx_image": "192.0.2.1/ee:1",
}


class Plants:
    """An AWX with two organizations, and runs for the one named Plants."""

    def __init__(self, folder: Path) -> None:
        self.awx = Service(folder, frozenset(item["playbook"] for item in objects()["controller_templates"]))
        self._environment = self.awx.start()
        made = self.awx.objects
        (other,) = made.kept["organizations"]
        self.organization = made.create("organizations", {"name": "Plants"})["id"]
        self.named: dict[str, int] = {}
        for organization in (other, self.organization):
            for name, kind in (("Vault", "vault"), ("Git", "scm"), ("Hub", "galaxy_api_token")):
                credential = {"name": name, "credential_type": self.awx.types[kind], "organization": organization}
                self.named[name] = made.create("credentials", credential)["id"]
        data = objects()
        names = {kind: [item["name"] for item in data[f"controller_{kind}"]] for kind in ("credentials", "projects")}
        for name in names["credentials"]:
            made.create("credentials", {"name": name, "credential_type": self.awx.types["ssh"], "organization": other})
        projects = [made.create("projects", {"name": name, "organization": other})["id"] for name in names["projects"]]
        for item in data["controller_inventories"]:
            inventory = made.create("inventories", {"name": item["name"], "organization": other})["id"]
        for item in data["controller_inventory_sources"]:
            made.create("inventory_sources", {"name": item["name"], "inventory": inventory})
        for item in data["controller_templates"]:
            template = {"project": projects[0], "playbook": item["playbook"], "organization": other}
            made.create("job_templates", {"name": item["name"], **template})
        for item in data["controller_workflows"]:
            made.create("workflow_job_templates", {"name": item["name"], "organization": other})
        self.others = set(made.shown_ids())
        self.before = copy.deepcopy(made.kept)

    def __call__(self, *options: str, **more: object) -> Run:
        """Run the playbook for Plants."""
        return configure(self.awx, self._environment, *options, "-e", json.dumps(SETTINGS | more))

    def own(self, kind: str) -> dict[str, Json]:
        """Return what Plants has of a kind."""
        found = self.awx.objects.find([kind], {"organization": str(self.organization)})
        return {item["name"]: item for item in found}

    def untouched(self) -> bool:
        """Whether all is as it was that Plants has not made."""
        kept = self.awx.objects.kept
        return self.before == {kind: {n: items[n] for n in items if n in self.others} for kind, items in kept.items()}


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plants]:
    found = Plants(tmp_path_factory.mktemp("awx"))
    yield found
    found.awx.stop()


@pytest.fixture(scope="module")
def made(plants: Plants) -> Run:
    return plants()


def test_each_organization_is_given_its_own(plants: Plants, made: Run) -> None:
    """Whatever another one has of the same name."""
    assert made.code == 0, made.output
    assert plants.untouched()
    for kind in OTHERS:
        assert plants.own(kind)
    credentials, associated = plants.own("credentials"), plants.awx.objects.associated
    inventories = {name: item["id"] for name, item in plants.own("inventories").items()}
    for item in objects(**SETTINGS)["controller_templates"]:
        template = plants.own("job_templates")[item["name"]]
        assert template["inventory"] == inventories[item["inventory"]]
        ids = {credentials[name]["id"] for name in item["credentials"]}
        assert set(associated[f"job_templates/{template['id']}/credentials"]) == ids
    assert {item["credential"] for item in plants.own("projects").values()} == {plants.named["Git"]}
    assert associated[f"organizations/{plants.organization}/galaxy_credentials"] == [plants.named["Hub"]]


def test_a_removal_takes_what_was_made_and_nothing_else(plants: Plants, made: Run) -> None:
    """A dry run says what would go, and a second removal finds nothing."""
    assert made.code == 0, made.output
    would = plants("--check", configure_awx_state="absent")
    assert (would.code, would.sent) == (0, []), would.output
    done = plants(configure_awx_state="absent")
    assert done.code == 0, done.output
    assert {asked.method for asked in done.sent} == {"DELETE"}
    assert plants.untouched()
    # What is left was there before, or is shared by all.
    left = {kind: set(items) - plants.others for kind, items in plants.awx.objects.kept.items()}
    assert [kind for kind, items in left.items() if items] == ["credential_types"]
    data = objects(**SETTINGS)
    kinds = ("workflows", "templates", "inventories", "projects", "execution_environments", "credentials")
    names = [item["name"] for kind in kinds for item in data[f"controller_{kind}"]]
    for run in (would, done):
        assert re.findall(r"changed: \[localhost\] => \(item=(.+)\)", run.output) == names
    again = plants(configure_awx_state="absent")
    assert (again.code, again.changed, again.sent) == (0, 0, []), again.output


def test_a_dry_run_says_what_would_be_made(plants: Plants, made: Run) -> None:
    """Where AWX has nothing of it."""
    done = plants("--check", configure_awx_prefix="Plant B")
    assert (done.code, done.changed, done.sent) == (0, 0, []), done.output
    assert "Would make: Plant B: Deploy proxies, Plant B: Dry run with diff," in " ".join(done.output.split())
