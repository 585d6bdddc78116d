"""Jobs as AWX runs them, by the engine that is under it: ansible-runner.

The tracked tree without .git as the project, its own collections/requirements.yml, an inventory that a script prints, credentials in
the environment. What is shown and kept is searched for the secrets.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
from sensor_lab import ONE, OTHER, SENSORS, assert_no_secret

CHECKOUT = Path(__file__).parents[3]
CREDENTIALS = {
    "SENSOR_CONSOLE_USERNAME": "admin",
    "SENSOR_CONSOLE_PASSWORD": "lab-console-secret",
    "SENSOR_PROXY_PASSWORD": "lab-proxy-secret",
}
SCRIPT = """#!/bin/sh
cat <<'END'
{}
END
"""


def inventory() -> dict[str, Any]:
    """The scenario's inventory as AWX keeps it, with every secret taken from the environment."""
    folder = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
    listed = subprocess.run(
        ["ansible-inventory", "-i", str(folder), "--list"], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(listed.stdout)
    for name in SENSORS:
        variables = found["_meta"]["hostvars"][name]
        del variables["sensor_proxy_console_password"]
        variables["sensor_proxy_password"] = "{{ lookup('ansible.builtin.env', 'SENSOR_PROXY_PASSWORD') }}"
    assert_no_secret(json.dumps(found), "the inventory")
    return found


def ansible_environment(data: Path) -> dict[str, str]:
    """Only what the job itself has installed may be found."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(data / "requirements_collections"),
        "ANSIBLE_CONFIG": str(data / "project/ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private data directory, as AWX makes one for each job."""
    folder = tmp_path_factory.mktemp("job")
    project = folder / "project"
    project.mkdir()
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        # A file that somebody has just removed is tracked all the same.
        if (CHECKOUT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, project / name)
    subprocess.run(
        [
            "ansible-galaxy",
            "collection",
            "install",
            "-r",
            "collections/requirements.yml",
            "-p",
            "../requirements_collections",
        ],
        cwd=project,
        env={**os.environ, **ansible_environment(folder)},
        check=True,
        capture_output=True,
    )
    hosts = folder / "inventory/hosts"
    hosts.parent.mkdir()
    hosts.write_text(SCRIPT.format(json.dumps(inventory())))
    hosts.chmod(0o700)
    return folder


class Job:
    """Runs a playbook file of the project."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def __call__(self, playbook: str, **extra: Any) -> ansible_runner.Runner:
        runner = ansible_runner.run(
            private_data_dir=str(self._data),
            playbook=playbook,
            extravars=extra,
            envvars=ansible_environment(self._data),
            verbosity=3,
            quiet=True,
            timeout=300,
        )
        assert "Traceback" not in runner.stdout.read()
        return runner


@pytest.fixture
def job(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    """Run jobs with the credentials; no secret may be in what they print, or leave behind."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    yield Job(data)
    scanned = 0
    for path in (data / "artifacts").rglob("*"):
        # The engine notes the environment that it was given; AWX masks what it has put there.
        if path.is_file() and path.name != "command":
            assert_no_secret(path.read_text(errors="replace"), str(path))
            scanned += 1
    assert scanned > 10


def changed(runner: ansible_runner.Runner, host: str) -> int:
    found: int = (runner.stats or {}).get("changed", {}).get(host, 0)
    return found


def artifacts(runner: ansible_runner.Runner) -> dict[str, Any]:
    """What the job tells a workflow by set_stats."""
    (last,) = [event for event in runner.events if event["event"] == "playbook_on_stats"]
    found: dict[str, Any] = last["event_data"].get("artifact_data", {})
    return found


def test_the_sensors_job_pushes_with_credentials_of_the_environment(job: Job) -> None:
    for name in (ONE, OTHER):
        SENSORS[name].simulated.reset()
    runner = job("playbooks/sensors.yml", sensor_proxy_serial=5)
    assert runner.rc == 0, runner.stdout.read()
    for name in (ONE, OTHER):
        assert changed(runner, name) == 1
        found = SENSORS[name].simulated.proxy()
        assert (found["enabled"], found["username"], found["password"]) == (True, "Plant-A", "lab-proxy-secret")
        assert SENSORS[name].simulated.connected()


def test_the_deployment_job_finds_the_proxies_as_the_inventory_wants_them(job: Job) -> None:
    runner = job("playbooks/proxies.yml")
    assert runner.rc == 0, runner.stdout.read()
    assert [changed(runner, proxy) for proxy in ("ot-sensor-proxy-1", "ot-sensor-proxy-2")] == [0, 0]


def test_the_verification_job_tells_the_workflow(job: Job) -> None:
    runner = job("playbooks/verify.yml")
    assert runner.rc == 0, runner.stdout.read()
    assert artifacts(runner)["chain_verify_failing"] == []


def test_a_job_without_its_credential_says_which_one(data: Path) -> None:
    runner = Job(data)("playbooks/sensors.yml")
    assert runner.rc != 0
    said = " ".join(runner.stdout.read().split())
    assert re.search(
        r"ot-sensor-\w+ and \d more: sensor_proxy_password is not set, but its sensor_proxy_username is 'Plant-A'", said
    )
