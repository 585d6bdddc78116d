# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a run is limited to, it ends with a report, and with 0 only when every path was proven. No host here can be reached."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.rendered import ROLE

PLAYBOOKS = ROLE.parents[1] / "playbooks"
INVENTORY = {
    "proxies": {
        "hosts": {
            "site": {"ansible_host": "10.0.0.250", "squid_parents": ["dmz"]},
            "dmz": {"ansible_host": "10.0.1.250"},
        }
    },
    "sensors": {
        "hosts": {
            "sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_via": "site"},
            "sensor2": {"ansible_host": "10.0.1.1", "sensor_proxy_via": "dmz"},
        }
    },
    "others": {"hosts": {"other": {}}},
}
RUNS = [
    ("verify", ""),
    ("verify", "--limit sensor2,dmz"),
    ("verify", "--limit other"),
    ("verify", "--tags some --skip-tags others"),
    ("site", "--tags some"),
]


@dataclass
class Run:
    """What a run ended with."""

    code: int
    output: str
    results: dict[str, Any]
    files: set[str]


def _run(folder: Path, playbook: str, options: str) -> Run:
    # It ends as ssh does when there is no connection.
    ssh = folder / "ssh"
    ssh.write_text("#!/bin/sh\necho no way to the host >&2\nexit 255\n")
    ssh.chmod(0o755)
    variables = {"ansible_connection": "ssh", "ansible_ssh_executable": str(ssh)}
    inventory = folder / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": INVENTORY, "vars": variables}}))
    report = folder / "report"
    extra = ["-e", f"chain_verify_report_dir={report}", "-i", str(inventory)]
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), PLAYBOOKS / f"{playbook}.yml", *extra, *options.split()],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROLE.parents[4]), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    results = report / "results.json"
    return Run(
        done.returncode,
        done.stdout + done.stderr,
        json.loads(results.read_text()) if results.is_file() else {},
        {file.name for file in report.glob("*")},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Run]:
    folders = [tmp_path_factory.mktemp("run") for _each in RUNS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(_run, folders, *zip(*RUNS, strict=True))
        return dict(zip(RUNS, done, strict=True))


@pytest.mark.parametrize("run", RUNS, ids=" ".join)
def test_what_was_not_proven_is_reported_and_no_success(run: tuple[str, str], runs: dict[tuple[str, str], Run]) -> None:
    done = runs[run]
    assert done.code != 0, done.output
    assert {"report.html", "junit.xml", "results.json"} <= done.files, done.output
    assert done.results["counts"] == {"ok": 0, "degraded": 0, "unknown": 2, "broken": 0}
    assert "2 of 2 sensors' paths are not proven to work (unknown)" in " ".join(done.output.split())


def test_the_report_says_how_it_was_started(runs: dict[tuple[str, str], Run]) -> None:
    run = runs["verify", "--limit sensor2,dmz"].results["run"]
    assert run["playbooks"] == [str(PLAYBOOKS / "verify.yml")]
    assert (run["limit"], run["extra_vars"]) == ("sensor2,dmz", ["chain_verify_report_dir"])
    (source,) = run["inventories"]
    assert (source["revision"], source["modified"]) == (None, None)


def test_a_proxy_that_cannot_be_reached_is_one_line(runs: dict[tuple[str, str], Run]) -> None:
    output = runs["verify", ""].output
    assert "UNREACHABLE!" not in output
    (said,) = [line for line in output.splitlines() if line.startswith("[WARNING]: site ")]
    assert said.startswith("[WARNING]: site cannot be reached, and proves nothing: ")
    assert "no way to the host" in said


@pytest.mark.parametrize(
    ("run", "left_out"),
    [
        (("verify", ""), set()),
        (("verify", "--limit sensor2,dmz"), {"sensor1"}),
        (("verify", "--limit other"), {"sensor1", "sensor2"}),
        (("verify", "--tags some --skip-tags others"), set()),
    ],
)
def test_the_reason_tells_who_was_not_asked_from_who_did_not_answer(
    run: tuple[str, str], left_out: set[str], runs: dict[tuple[str, str], Run]
) -> None:
    reasons = {sensor["name"]: sensor["reason"] for sensor in runs[run].results["sensors"]}
    assert {name for name, reason in reasons.items() if "it was not asked" in reason} == left_out
    assert {name for name, reason in reasons.items() if "no way to the host" in reason} == set(reasons) - left_out
