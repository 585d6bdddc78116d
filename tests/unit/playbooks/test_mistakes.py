# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whichever playbook it is, a mistake is told once, before a host is touched, and is no success."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.rendered import ROLE

INVENTORY = """
[proxies]
site ansible_host=10.0.0.250 squid_parents=dmz
dmz ansible_host=10.0.1.250
[sensors]
sensor1 ansible_host=10.0.0.1 sensor_proxy_via=site
sensor2 ansible_host=10.0.0.2 sensor_proxy_via=site
[all:vars]
ansible_ssh_executable=/bin/false
"""
"""No host of it can be touched."""

EXPLAIN = "-e explain_sensor=sensor1 -e explain_endpoint=a.example"
ALL = ("site", "proxies", "sensors", "verify", f"explain {EXPLAIN}", "rotate_proxy_password", "upgrade_squid")
REMOVE = "remove_sensor -e topology_removed_sensors=sensor1"
NO_SENSORS = "no group 'sensors', which topology_sensors_group names, but 'sensor'"
RUNS = [
    *((command, "[sensors]", "[sensor]", NO_SENSORS) for command in (*ALL, REMOVE)),
    *(
        (command, "[proxies]", "[proxy]", "no group 'proxies', which topology_proxies_group names")
        for command in (*ALL, REMOVE)
    ),
    *(
        (command, "[proxies]", "[proxy]", "no group 'proxies', which topology_proxies_group names")
        for command in ("azure", "azure --tags plan")
    ),
    ("rollback", "[proxies]", "[proxy]", "no host in the group 'proxies'"),
    ("multicloud", "", "", "no group 'cloud_sites', which topology_cloud_sites_group names"),
    *(
        (command, "/bin/false", "/bin/false\nchain_verify_timeout=0", "chain_verify_timeout 0 is out of its range")
        for command in ("site", "verify")
    ),
    *(
        (command, "/bin/false", "/bin/false\nsquid_workers=900", "squid_workers 900 is out of its range")
        for command in ("proxies", f"explain {EXPLAIN}")
    ),
]


def _run(folder: Path, run: tuple[str, str, str, str]) -> subprocess.CompletedProcess[str]:
    command, right, wrong, _said = run
    playbook, *options = command.split()
    inventory = folder / "hosts.ini"
    inventory.write_text(INVENTORY.replace(right, wrong))
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run(
        [program, "-i", inventory, f"ot_security.proxy_chaining.{playbook}", *options],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROLE.parents[4]), "ANSIBLE_NOCOLOR": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str, str], subprocess.CompletedProcess[str]]:
    folders = [tmp_path_factory.mktemp("run") for _each in RUNS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(RUNS, pool.map(_run, folders, RUNS), strict=True))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: " ".join((run[0].split()[0], *run[2].split()[-1:])))
def test_it_is_told_once_and_no_success(
    run: tuple[str, str, str, str], runs: dict[tuple[str, str, str, str], subprocess.CompletedProcess[str]]
) -> None:
    done = runs[run]
    assert done.returncode != 0, done.stdout
    told = " ".join(line for line in done.stdout.splitlines() if line.startswith("fatal:"))
    assert told.count(run[3]) == 1, done.stdout + done.stderr
    assert "no host was touched" in told


def test_nobody_is_told_to_read_what_was_not_written(tmp_path: Path) -> None:
    """No first hop is ready, so nobody is told yet what to enter at the sensors."""
    done = _run(tmp_path, ("site", "[sensors]", "[sensors]", ""))
    assert done.returncode != 0
    assert "Push them, but not to a proxy that this run has not made ready" in done.stdout
    assert "What to enter" not in done.stdout
    assert not (tmp_path / "handoff").exists()
