# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who waits is told that something is still going on, at least every ten seconds."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _alive
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments

TASKS = sorted((Path(arguments.__file__).parents[3] / "roles").glob("*/tasks/*.yml"))


def test_what_takes_long_is_said_again_and_again_and_not_after_its_end() -> None:
    said: list[str] = []
    twice = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            twice.set()

    with _alive.alive(say, "s1: at it", every=0.01):
        assert twice.wait(10)
    number = len(said)
    assert all(re.fullmatch(r"s1: at it \(\d+ s\)", line) for line in said)
    assert threading.Event().wait(0.05) is False
    assert len(said) == number


def test_what_is_over_soon_is_not_mentioned() -> None:
    said: list[str] = []
    with _alive.alive(said.append, "s1: at it"):
        pass
    assert said == []
    assert _alive.EVERY <= 10


def _installs(task: dict[str, Any]) -> bool:
    return task.get("ansible.builtin.apt", {}).get("state", "present") == "present" and "ansible.builtin.apt" in task


INSTALLS = [
    (path, task) for path in TASKS for task in yaml.safe_load(path.read_text(encoding="utf-8")) or [] if _installs(task)
]


@pytest.mark.parametrize(("path", "task"), INSTALLS, ids=lambda value: getattr(value, "stem", ""))
def test_packages_are_installed_with_a_sign_of_life(path: Path, task: dict[str, Any]) -> None:
    """Ansible prints a line for each poll. Check mode and async exclude each other."""
    assert task.get("poll", 0) in range(1, 11), path
    assert task.get("async") == "{{ 0 if ansible_check_mode else 3600 }}"


def test_there_are_installations() -> None:
    assert len(INSTALLS) > 2
