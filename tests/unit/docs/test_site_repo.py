# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example of a site's own repository is one that works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import AnsibleVaultError, VaultLib, VaultSecret

from tests.unit.rendered import ROLE

from . import pages

ROOT = pages.ROOT
SITE = ROOT / "examples/site-repo"
README = SITE / "README.md"
PLANTS = sorted(path.name for path in (SITE / "inventories").iterdir())
WRAPPERS = sorted((SITE / "playbooks").glob("*.yml"))
WORKFLOW: dict[str, Any] = yaml.safe_load((SITE / ".github/workflows/pull-request.yml").read_text())
SCRIPTS: dict[str, str] = {
    f"{name}: {step['name']}": step["run"]
    for name, job in WORKFLOW["jobs"].items()
    for step in job["steps"]
    if "run" in step
}


class _Loader(yaml.SafeLoader):
    """Reads an encrypted value as its text."""


_Loader.add_constructor("!vault", lambda loader, node: ("vault", loader.construct_scalar(node)))  # type: ignore[arg-type]


def _secrets(plant: str) -> dict[str, str]:
    found = yaml.load((SITE / f"inventories/{plant}/group_vars/all.yml").read_text(), Loader=_Loader)
    return {name: value[1] for name, value in found.items() if isinstance(value, tuple)}


def _password() -> str:
    found = re.findall(r"so is their password: `([^`]+)`", README.read_text())
    assert len(found) == 1
    return str(found[0])


def _vault(password: str) -> VaultLib:
    return VaultLib([("default", VaultSecret(password.encode()))])


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda path: path.name)
def test_wrapper_is_one_line_that_names_its_playbook(wrapper: Path) -> None:
    (play,) = yaml.safe_load(wrapper.read_text())
    assert {key: value for key, value in play.items() if key != "name"} == {
        "import_playbook": f"ot_security.proxy_chaining.{wrapper.stem}"
    }
    assert (ROOT / "playbooks" / wrapper.name).is_file()


@pytest.mark.parametrize("folder", ["handover", "handoff"])
@pytest.mark.parametrize("repository", [ROOT, SITE], ids=lambda path: path.name)
def test_what_a_run_writes_for_people_stays_where_it_is(repository: Path, folder: str) -> None:
    defaults = [(ROOT / f"roles/{role}/defaults/main.yml").read_text() for role in ("multicloud", "sensor_proxy")]
    assert re.search(rf"_dir: .*{folder}\"?$", "\n".join(defaults), re.MULTILINE)
    assert f"/{folder}/" in (repository / ".gitignore").read_text().splitlines()
    assert folder in yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]


def test_linters_pass_with_what_it_brings(tmp_path: Path) -> None:
    """As whoever has copied it runs them; what lies here and not in a copy is what its own .gitignore names."""
    shutil.copytree(SITE, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROLE.parents[4], tmp_path / "collections", dirs_exist_ok=True)
    (tmp_path / ".vault-password").write_text(_password())
    environment = {**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": ".vault-password", "NO_COLOR": "1"}
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    for command in (
        ["git", "init", "-q"],
        ["git", "add", "."],
        ["yamllint", "--strict", "."],
        ["ansible-lint", "--strict"],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("plant", PLANTS)
def test_secrets_decrypt_with_the_documented_password(plant: str) -> None:
    secrets = _secrets(plant)
    assert {"vault_corp_proxy_password", "vault_sensor_console_password"} <= set(secrets)
    for name, encrypted in secrets.items():
        assert _vault(_password()).decrypt(encrypted).decode().startswith("example-"), name
        with pytest.raises(AnsibleVaultError):
            _vault("another").decrypt(encrypted)


def test_the_password_is_in_the_readme_only() -> None:
    found = [path for path in SITE.rglob("*") if path.is_file() and _password() in path.read_text()]
    assert found == [README]


@pytest.mark.parametrize("plant", PLANTS)
def test_chain_derives_without_a_mistake(plant: str, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(_password())
    graph = _graph(plant, tmp_path / "password")
    assert graph["mistakes"] == []
    prefix = plant.replace("_", "-")
    paths = {tuple(sensor["path"]) for sensor in graph["sensors"].values()}
    assert paths == {(f"{prefix}-proxy", f"{prefix}-dmz-proxy", "proxy.corp.example")}


def test_no_host_is_in_two_inventories() -> None:
    """A run would take the clients of the other inventory away from it."""
    hosts = [set(re.findall(r"^\s+(plant-[\w-]+):", _inventory(plant), re.MULTILINE)) for plant in PLANTS]
    addresses = [set(re.findall(r"\d+\.\d+\.\d+\.\d+", _inventory(plant))) for plant in PLANTS]
    assert all(hosts)
    assert not set.intersection(*hosts)
    assert not set.intersection(*addresses)


def test_readme_has_five_commands_at_most() -> None:
    commands = [line for block in pages.blocks(README) if block.may_be_commands for line in block.lines]
    assert 0 < len(commands) <= 5


def test_the_tarball_is_asked_of_no_server() -> None:
    """And lies where the quick start puts it."""
    (required,) = yaml.safe_load((SITE / "collections/requirements.yml").read_text())["collections"]
    assert required["type"] == "file"
    assert f"site/{required['name']}" in (ROOT / "docs/tasks/quick-start.md").read_text()


def test_workflow_checks_every_plant() -> None:
    jobs = WORKFLOW["jobs"]
    offline = jobs["inventory"]["strategy"]["matrix"]["include"]
    assert sorted(each["plant"] for each in offline) == jobs["dry-run"]["strategy"]["matrix"]["plant"] == PLANTS
    for each in offline:
        assert f"{each['sensor']}:" in _inventory(each["plant"])


def test_workflow_checks_syntax_explains_and_shows_the_diff() -> None:
    scripts = "\n".join(SCRIPTS.values())
    for wanted in (
        "--syntax-check",
        "playbooks/explain.yml",
        "playbooks/plan.yml",
        "$GITHUB_STEP_SUMMARY",
        "playbooks/proxies.yml --check --diff",
    ):
        assert wanted in scripts
    for playbook in re.findall(r"playbooks/(\w+)\.yml", scripts):
        assert (SITE / f"playbooks/{playbook}.yml").is_file()


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_workflows_scripts_are_sound(script: str) -> None:
    """Shellcheck; what the workflow fills in is a word."""
    shell = f"#!/bin/bash\n{re.sub(r'[$]{{[^}]*}}', 'word', script)}\n"
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, "-"], input=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_workflow_gives_secrets_to_steps_that_need_them_only() -> None:
    """And the file with the vault's password is removed whatever happens."""
    jobs = dict(WORKFLOW["jobs"])
    assert "secrets." not in json.dumps(jobs.pop("comment"))
    for job in jobs.values():
        assert "secrets." not in json.dumps({key: value for key, value in job.items() if key != "steps"})
        assert job["steps"][-1]["if"] == "always()"
        assert job["steps"][-1]["run"] == f"rm -f {job['env']['ANSIBLE_VAULT_PASSWORD_FILE']}"
    assert f"/{job['env']['ANSIBLE_VAULT_PASSWORD_FILE']}" in (SITE / ".gitignore").read_text().splitlines()


def test_workflow_lets_one_job_comment_and_no_runner_in_a_plant_write() -> None:
    jobs = WORKFLOW["jobs"]
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in jobs.items() if "permissions" in job} == {
        "comment": {"pull-requests": "write"}
    }
    assert jobs["comment"]["runs-on"] == "ubuntu-latest"
    # What it posts is what the plants' jobs keep.
    uses = {
        step["uses"].partition("@")[0]: step["with"] for job in jobs.values() for step in job["steps"] if "with" in step
    }
    assert uses["actions/upload-artifact"] == {"name": "plan-${{ matrix.plant }}", "path": "plan/plan.md"}
    assert uses["actions/download-artifact"] == {"pattern": "plan-*"}


def _inventory(plant: str) -> str:
    return (SITE / f"inventories/{plant}/hosts.yml").read_text()


def _graph(plant: str, password: Path) -> dict[str, Any]:
    ansible = str(Path(sys.executable).with_name("ansible"))
    asked = ["proxies[0]", "-m", "ot_security.proxy_chaining.topology", "-a", "whole=true"]
    done = subprocess.run(
        [ansible, "-i", f"inventories/{plant}", "--vault-password-file", str(password), *asked],
        cwd=SITE,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROLE.parents[4]),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.partition("=>")[2])["graph"]
    return found
