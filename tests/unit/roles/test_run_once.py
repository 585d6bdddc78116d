# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done once must leave no fact: ansible-core 2.21 makes it every host's, the interpreter found for one of them too.

ansible/ansible#87492, #87288.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments

COLLECTION = Path(arguments.__file__).parents[3]
ON_THE_CONTROLLER = {"add_host", "assert", "debug", "fail", "set_stats"}
"""Actions of ansible-core that connect to no host and set no fact."""

FILES = sorted(
    [
        *COLLECTION.glob("roles/*/tasks/*.yml"),
        *COLLECTION.glob("roles/*/handlers/*.yml"),
        *COLLECTION.glob("playbooks/**/*.yml"),
    ]
)


def tasks(node: Any) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a file, of its plays and blocks too."""
    for each in node or []:
        yield each
        for key in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            yield from tasks(each.get(key))


def leaves_facts(task: dict[str, Any]) -> bool:
    """Say whether a task that runs once may set facts, or look for a host's Python."""
    if not task.get("run_once") or task.get("delegate_to") == "localhost":
        return False
    if "block" in task:
        # Its tasks run once too.
        return any(leaves_facts({**each, "run_once": True}) for each in tasks(task["block"]))
    names = [key for key in task if "." in key]
    own = [
        COLLECTION / "plugins/action" / f"{name.rpartition('.')[2]}.py"
        for name in names
        if name.startswith("ot_security.")
    ]
    if any(isinstance(task[name], dict) and task[name].get("state") == "judged" for name in names):
        # proxy_lock looks at what was registered.
        return False
    if own:
        return not all(
            path.exists() and "_requires_connection = False" in path.read_text(encoding="utf-8") for path in own
        )
    return not any(name.removeprefix("ansible.builtin.") in ON_THE_CONTROLLER for name in names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(COLLECTION)))
def test_what_runs_once_leaves_no_fact(path: Path) -> None:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [task["name"] for task in tasks(found) if leaves_facts(task)] == []


@pytest.mark.parametrize(
    ("task", "leaves"),
    [
        ({"ansible.builtin.set_fact": {"x": 1}, "run_once": True}, True),
        ({"ansible.builtin.set_fact": {"x": 1}}, False),
        ({"ansible.builtin.command": "true", "run_once": True}, True),
        ({"ansible.builtin.command": "true", "run_once": True, "delegate_to": "localhost"}, False),
        ({"block": [{"ansible.builtin.set_fact": {"x": 1}}], "run_once": True}, True),
        ({"block": [{"ansible.builtin.debug": {"msg": 1}}], "run_once": True}, False),
        ({"ot_security.proxy_chaining.topology": {}, "run_once": True}, False),
        ({"ot_security.proxy_chaining.squid_info": {}, "run_once": True}, True),
        ({"ot_security.proxy_chaining.proxy_lock": {"state": "held"}, "run_once": True}, True),
        ({"ot_security.proxy_chaining.proxy_lock": {"state": "judged"}, "run_once": True}, False),
    ],
)
def test_the_pattern_is_known(task: dict[str, Any], leaves: bool) -> None:
    assert leaves_facts(task) is leaves
