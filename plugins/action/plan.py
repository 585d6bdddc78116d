# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._chain import graph_file
from ..plugin_utils._columns import shown, width
from ..plugin_utils._plan import gate, learned, plan, pushes


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("topology", "hosts", "dest", "learned"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, show and write."""
        result: dict[str, Any] = super().run(tmp, task_vars) | {"changed": False}
        hostvars, args = (task_vars or {})["hostvars"], self._task.args
        graph, folder = graph_file.read(args["topology"]), str(args.get("dest") or "")
        if args.get("learned"):
            proposals = learned.proposals(hostvars, args["hosts"], graph)
            _write(folder, {each.file: each.text() for each in proposals if each.uses})
            return result | _told(sentence for each in proposals for sentence in each.told())
        found = gate.plans(hostvars, args["hosts"], graph)
        grows = gate.undeclared(hostvars, found)
        asked = pushes.pushes(hostvars, graph["sensors"])
        sentences = plan.told(found) + pushes.told(asked)
        undeclared = set(grows) - {each.problem for each in found}
        said = [f"Not declared: {each}" if each in undeclared else each for each in sentences]
        said += [f"Not declared: {each}" for each in grows if each not in sentences]
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        data = {"time": now, "sentences": said, "proxies": plan.as_json(found), "sensors": asked, "undeclared": grows}
        texts = {"plan.md": plan.markdown(sentences, grows), "plan.json": json.dumps(data, indent=1) + "\n"}
        _write(folder, texts)
        stats = {"data": {"plan_undeclared": grows}, "aggregate": True, "per_host": False}
        return result | _told(said) | {"ansible_stats": stats}


def _told(sentences: Iterable[str]) -> dict[str, Any]:
    lines = [line for each in sentences for line in textwrap.wrap(each, min(width(), 140), subsequent_indent="  ")]
    return {"msg": shown(lines), "_ansible_verbose_always": True}


def _write(folder: str, files: Mapping[str, str]) -> None:
    try:
        for name, text in files.items() if folder else ():
            Path(folder).mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise AnsibleActionFail(f"{folder} cannot be written to ({error.strerror}); name another folder.") from error
