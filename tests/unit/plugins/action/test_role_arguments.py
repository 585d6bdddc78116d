# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles read text as what it says, refuse in sentences what says nothing, and keep secrets to themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.rendered import ROLE

INVENTORY = """
[proxies]
site ansible_host=192.0.2.250 squid_tls_port="0"
[proxies:vars]
squid_via=false
squid_auth_enabled=no
squid_workers="2"
squid_endpoints=hub.example.net, *.example.org
[sensors]
sensor1 ansible_host=192.0.2.1
[sensors:vars]
sensor_proxy_cloud_timeout="60"
sensor_proxy_password="s3cret"
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: ot_security.proxy_chaining.topology}
    # One that is skipped, as in check mode the proof at the end of site.yml, takes nothing away.
    - ansible.builtin.import_role: {name: ot_security.proxy_chaining.topology}
      when: false
- hosts: site
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: ot_security.proxy_chaining.squid, tasks_from: render}
    - ansible.builtin.debug: {msg: "{{ squid_rendered.splitlines() }}"}
- hosts: sensor1
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: ot_security.proxy_chaining.sensor_proxy, tasks_from: check}
    - ansible.builtin.assert: {that: "__sensor_proxy.cloud_timeout + 1 == 61 and __sensor_proxy.port == 3128"}
"""

Play = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Play PLAYBOOK on INVENTORY."""
    (tmp_path / "hosts.ini").write_text(INVENTORY)
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {
        **ours,
        "HOME": str(tmp_path),
        "ANSIBLE_COLLECTIONS_PATH": str(ROLE.parents[4]),
        "ANSIBLE_NOCOLOR": "1",
        "SENSOR_CONSOLE_PASSWORD": "c0nsole",
    }

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.ini", "play.yml", *arguments]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run


def test_text_of_an_ini_inventory(play: Play) -> None:
    done = play("-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("via off", "workers 2", "acl endpoints dstdomain -n .example.org"):
        assert line in done.stdout
    for directive in ("https_port ", "auth_param "):
        assert directive not in done.stdout.replace("acl https_port port 443", "").replace("!https_port", "")
    # What the inventory has of secrets is neither shown nor kept.
    assert "s3cret" not in done.stdout
    assert "c0nsole" not in done.stdout


def test_extra_vars_are_text_too(play: Play) -> None:
    done = play("-e", "squid_workers=3", "-e", "squid_via=yes", "-e", "squid_port=8080")
    assert done.returncode != 0, "the sensor's port is another now"
    for line in ("via on", "workers 3", "http_port 8080"):
        assert line in done.stdout


def test_every_mistake_of_a_role_is_named(play: Play) -> None:
    wrong = ("-e", "squid_auth_realm=a#b", "-e", "squid_probe_endpoints=*.example.org", "-e", "squid_endpoints=")
    done = play(*wrong)
    assert done.returncode != 0
    said = " ".join(done.stdout.replace("''", "'").split())
    for sentence in (
        "site: squid_auth_realm must be at most 200 characters, without #, double quotes, backslashes and @@.",
        "site: squid_endpoints is empty; name the endpoints that clients may reach.",
        "site: squid_probe_endpoints must be host names that squid_endpoints allows, without wildcards and ports.",
    ):
        assert sentence in said


def test_a_host_that_is_no_proxy_is_told_so(play: Play, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAYBOOK.replace("hosts: site", "hosts: sensor1"))
    done = play()
    said = " ".join(done.stdout.replace("''", "'").split())
    assert done.returncode != 0
    assert "sensor1: it is not in the group 'proxies'; put it there, or do not run the role squid on it." in said


@pytest.mark.parametrize(
    ("play_of", "who"),
    [("hosts: all", "the play"), ("hosts: site", "site")],
    ids=["with topology", "with another role"],
)
def test_a_plays_own_misspelt_variable_is_named(play: Play, tmp_path: Path, play_of: str, who: str) -> None:
    (tmp_path / "play.yml").write_text(PLAYBOOK.replace(play_of, f"{play_of}\n  vars: {{squid_worker: 3}}"))
    done = play()
    assert done.returncode != 0
    wrong = f"{who}: squid_worker is no variable of this collection, and would be ignored; did you mean squid_workers?"
    assert wrong in " ".join(done.stdout.split())


def test_a_sensor_without_what_it_takes(play: Play) -> None:
    wrong = ("-e", "sensor_proxy_state=present", "-e", "sensor_proxy_transport=http")
    done = play(*wrong, SENSOR_CONSOLE_PASSWORD="")
    said = " ".join(done.stdout.replace("''", "'").split())
    assert "sensor1: sensor_proxy_console_password is empty; put it into a vaulted variable" in said
    assert "sensor1: sensor_proxy_transport is http, but sensor_proxy_profile names no console profile;" in said


@pytest.mark.parametrize(("password", "state"), [("", "handoff"), ("c0nsole", "present")])
def test_a_console_whose_password_nobody_knows_is_left_to_a_person(password: str, state: str, play: Play) -> None:
    done = play("-vvv", SENSOR_CONSOLE_PASSWORD=password)
    assert done.returncode == 0, done.stdout
    assert f"state: {state}\n" in done.stdout or f'"state": "{state}"' in done.stdout


def test_a_template_of_nothing(play: Play) -> None:
    done = play("-e", "squid_auth_realm='{{ nobody_set_this }}'")
    said = " ".join(done.stdout.replace("''", "'").split())
    assert "site: squid_auth_realm cannot be rendered: 'nobody_set_this' is undefined" in said


def test_a_day_that_is_over_is_said_and_counts_no_more(play: Play) -> None:
    done = play("-e", "squid_learn_until=2026-01-31")
    assert done.returncode == 0, done.stdout
    assert "learnable" not in done.stdout
    said = "site: squid_learn_until, 2026-01-31, is over, and only its endpoints may be reached; empty it."
    assert said in " ".join(f"{done.stdout} {done.stderr}".split())
