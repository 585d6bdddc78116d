# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import _collector
from ..plugin_utils._chain import graph_file
from ..plugin_utils._columns import shown, width
from ..plugin_utils._plan import gate, plan


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("topology", "hosts", "dest"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, show and write."""
        result: dict[str, Any] = super().run(tmp, task_vars) | {"changed": False}
        hostvars, args = (task_vars or {})["hostvars"], self._task.args
        with _collector.only_new_objects():
            found = gate.plans(hostvars, args["hosts"], graph_file.read(args["topology"]))
            grows = gate.undeclared(hostvars, found)
        sentences = plan.told(found)
        undeclared = set(grows) - {each.problem for each in found}
        said = [f"Not declared: {each}" if each in undeclared else each for each in sentences]
        said += [f"Not declared: {each}" for each in grows if each not in sentences]
        if folder := str(args.get("dest") or ""):
            _write(Path(folder), plan.markdown(sentences, grows), {"proxies": plan.as_json(found), "undeclared": grows})
        stats = {"data": {"plan_undeclared": grows}, "aggregate": True, "per_host": False}
        lines = [line for each in said for line in textwrap.wrap(each, min(width(), 140), subsequent_indent="  ")]
        return result | {"msg": shown(lines), "ansible_stats": stats, "_ansible_verbose_always": True}


def _write(folder: Path, text: str, found: dict[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.md").write_text(text, encoding="utf-8")
        (folder / "plan.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise AnsibleActionFail(
            f"The plan cannot be written to {folder} ({error.strerror}); correct plan_dir."
        ) from error
