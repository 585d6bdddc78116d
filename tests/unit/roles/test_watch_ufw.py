# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of ufw that the role chain_watch has; what stands in for ufw prints what 0.36.2 does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology

ROLE = Path(topology.__file__).parents[3] / "roles/chain_watch"
UFW = """#!/bin/sh
case "$1 $2" in
  "show added") cat "$OT_RULES" ;;
  "rule allow") echo "ufw allow from $6 to any port ${10} proto tcp comment '${12}'" >>"$OT_RULES" ;;
  "delete allow") sed -i "\\\\|^ufw allow from $6 to any port ${10} proto tcp comment '${12}'$|d" "$OT_RULES" ;;
  *) exit 1 ;;
esac
"""
OTHERS = ["ufw allow 22/tcp", "ufw allow from 10.9.9.9 to any port 3903,9115 proto tcp comment 'mine'"]


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Path:
    (tmp_path / "ufw").write_text(UFW, encoding="utf-8")
    (tmp_path / "ufw").chmod(0o755)
    (tmp_path / "rules").write_text("\n".join([*OTHERS, ""]), encoding="utf-8")
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "vars_files": [str(ROLE / "vars/main.yml")],
        "tasks": [{"ansible.builtin.include_tasks": str(ROLE / "tasks/ufw.yml")}],
    }
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    return tmp_path


def _run(world: Path, state: str, scrapers: list[str]) -> tuple[bool, list[str]]:
    """Return whether something changed, and the rules that are there then, in the order of the alphabet."""
    given = json.dumps({"__chain_watch": {"state": state, "scrapers": scrapers}})
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", str(world / "play.yml"), "-e", given],
        env={**os.environ, "PATH": f"{world}:{os.environ['PATH']}", "OT_RULES": str(world / "rules")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return "changed=0" not in done.stdout, sorted((world / "rules").read_text(encoding="utf-8").splitlines())


def test_scrapers_pass_ufw_and_nobody_who_was_one(world: Path) -> None:
    rule = "ufw allow from {} to any port 3903,9115 proto tcp comment 'ot_watch'"
    first, second = ["10.0.0.9", "2001:db8::/64"], ["10.0.0.8"]
    assert _run(world, "present", first) == (True, sorted([*OTHERS, *map(rule.format, first)]))
    assert _run(world, "present", first)[0] is False
    assert _run(world, "present", second) == (True, sorted([*OTHERS, *map(rule.format, second)]))
    assert _run(world, "absent", second) == (True, OTHERS)
    (world / "ufw").unlink()
    assert _run(world, "present", first) == (False, OTHERS)
