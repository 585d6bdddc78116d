# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them, by the engine that is under it (ansible-runner), and what their pages show. No host here can be reached."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml

from .data import ROOT

INVENTORY: dict[str, Any] = {
    "proxies": {"hosts": {"site": {"ansible_host": "10.0.0.250"}}},
    "sensors": {
        "hosts": {f"line-{number}-sensor": {"ansible_host": f"10.0.0.{number}"} for number in range(1, 31)},
        "vars": {"sensor_proxy_via": "site"},
    },
}
SHOWN = 1024
"""Bytes of an event that AWX shows (awx/settings/defaults.py, EVENT_STDOUT_MAX_BYTES_DISPLAY, 24.6.1)."""


class Job:
    """A project with an inventory, and what AWX makes of it for a job."""

    def __init__(self, folder: Path, collections: Path) -> None:
        self._folder = folder
        self._collections = collections
        self.project = folder / "project"
        shutil.copytree(ROOT / "examples/site-repo/playbooks", self.project / "playbooks")
        shutil.copy(ROOT / "examples/site-repo/ansible.cfg", self.project)
        hosts = self.project / "inventories/plant/hosts.yml"
        hosts.parent.mkdir(parents=True)
        hosts.write_text(yaml.safe_dump({"all": {"children": INVENTORY}}))
        self.inventory: dict[str, Any] = json.loads(json.dumps(INVENTORY))

    def __call__(self, playbook: str, **extra: Any) -> ansible_runner.Runner:
        """Run a playbook of the project with the inventory as a script, as AWX writes it."""
        groups = {name: {**group, "hosts": list(group["hosts"])} for name, group in self.inventory.items()}
        variables = {host: given for group in self.inventory.values() for host, given in group["hosts"].items()}
        said = json.dumps({**groups, "all": {"children": list(groups)}, "_meta": {"hostvars": variables}})
        script = self._folder / "inventory/hosts"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
        script.chmod(0o755)
        # It ends as ssh does when there is no connection.
        ssh = self._folder / "ssh"
        ssh.write_text("#!/bin/sh\necho no way to the host >&2\nexit 255\n")
        ssh.chmod(0o755)
        reached = {"ansible_connection": "ssh", "ansible_ssh_executable": str(ssh), "chain_verify_report_dir": ""}
        return ansible_runner.run(
            private_data_dir=str(self._folder),
            playbook=f"playbooks/{playbook}.yml",
            extravars={**reached, **extra},
            envvars={"ANSIBLE_COLLECTIONS_PATH": str(self._collections)},
            quiet=True,
            timeout=300,
        )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology

    return Job(tmp_path, Path(topology.__file__).parents[6])


def _text(runner: ansible_runner.Runner) -> str:
    return " ".join(runner.stdout.read().split())


REPOSITORY = {"topology_repository": "inventories/plant"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _inventory: None, ""),
        (
            lambda inventory: inventory["sensors"]["hosts"].pop("line-1-sensor"),
            "line-1-sensor: inventories/plant has it",
        ),
        (
            lambda inventory: inventory["sensors"]["hosts"].update({"by-hand": {"ansible_host": "10.0.0.99"}}),
            "by-hand: this run was given it, and inventories/plant does not have it",
        ),
        (
            lambda inventory: inventory["proxies"]["hosts"]["site"].update({"squid_phase": "whole"}),
            "site: squid_phase is set in what this run was given, and not in inventories/plant",
        ),
    ],
    ids=["as in the repository", "switched off", "added by hand", "a variable by hand"],
)
def test_a_job_refuses_what_the_repository_does_not_say(change: Callable[[Any], Any], said: str, job: Job) -> None:
    change(job.inventory)
    runner = job("explain", **REPOSITORY, explain_sensor="line-2-sensor", explain_endpoint="download.microsoft.com")
    text = _text(runner)
    assert runner.rc == (2 if said else 0), text
    assert said in text
    assert ("Correct the inventory; no host was touched." in text) == bool(said)


def test_the_page_of_a_job_shows_who_fails_and_why_within_one_event(job: Job) -> None:
    runner = job("verify")
    assert runner.rc == 2
    (shown,) = [
        event["stdout"]
        for event in runner.events
        if event["event"] == "runner_on_ok" and event["event_data"]["task"] == "Show every sensor's path"
    ]
    assert len(shown.encode()) <= SHOWN
    assert "\\n" not in shown
    shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    lines = [line.strip(" \",-'") for line in shown.splitlines()]
    assert max(map(len, lines)) <= 110
    assert "line-1-sensor: unknown" in lines
    assert lines.index("line-1-sensor: unknown") < lines.index("line-10-sensor: unknown")
    assert "more fail. The whole is the artifact chain_verify_table." in shown
    (last,) = [event for event in runner.events if event["event"] == "playbook_on_stats"]
    table = last["event_data"]["artifact_data"]["chain_verify_table"]
    assert [line.split()[0] for line in table[1:31]] == [f"line-{number}-sensor" for number in range(1, 31)]


def test_two_failing_sensors_fit_with_their_reason(job: Job) -> None:
    hosts = job.inventory["sensors"]["hosts"]
    job.inventory["sensors"]["hosts"] = {name: hosts[name] for name in ("line-1-sensor", "line-2-sensor")}
    shown = next(
        event["stdout"]
        for event in job("verify").events
        if event["event"] == "runner_on_ok" and event["event_data"]["task"] == "Show every sensor's path"
    )
    assert len(shown.encode()) <= SHOWN
    text = " ".join(re.findall(r"[\w:.-]*\w[\w:.-]*", re.sub(r"\x1b\[[0-9;]*m", "", shown)))
    for words in ("line-1-sensor: unknown", "line-2-sensor: unknown", "no way to the host"):
        assert words in text


@pytest.mark.parametrize("nobody", ["", " , ", None, []], ids=repr)
def test_a_survey_s_empty_answer_removes_nobody(nobody: Any, job: Job) -> None:
    question = {"explain_sensor": "line-2-sensor", "explain_endpoint": "download.microsoft.com"}
    runner = job("explain", topology_removed_sensors=nobody, **question)
    assert runner.rc == 0, _text(runner)
