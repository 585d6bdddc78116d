# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils._chain import begin, graph_file
from ..plugin_utils._plan import gate


class ActionModule(ActionBase):  # type: ignore[misc]
    """Says which run it is, or judges what was registered; see the module's DOCUMENTATION."""

    _supports_check_mode = True

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables, args = task_vars or {}, self._task.args
        if args.get("state") == "judged":
            return result | _judged(variables, args)
        if self._task.check_mode:
            # Whether the host can be reached is said by whoever looks at it.
            return result | {"changed": False, "held_by": ""}
        filled = {"run": begin.run_id(), "holder": begin.holder(variables)}
        done: dict[str, Any] = self._execute_module(
            module_name="ot_security.proxy_chaining.proxy_lock", module_args={**args, **filled}, task_vars=task_vars
        )
        return result | done


def _judged(variables: dict[str, Any], args: dict[str, Any]) -> dict[str, Any]:
    topology = args.get("topology")
    hosts, graph = args.get("hosts", []), graph_file.read(topology) if topology else None
    plans = gate.plans(variables["hostvars"], hosts, graph, gated=True) if graph else []
    refusal = begin.refusal(
        variables["hostvars"],
        hosts,
        graph=graph,
        removed=topology["removed_sensors"] if topology else (),
        growth=gate.refusal(variables["hostvars"], plans),
    )
    warnings = [] if refusal else gate.warnings(plans)
    return {"warnings": warnings, "changed": False, "refused": bool(refusal), "failed": bool(refusal), "msg": refusal}
