# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils._probe import walk_all
from ..plugin_utils._chain import explain, graph_file
from ..plugin_utils._columns import shown


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("topology", "sensor", "endpoint", "configs"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Answer."""
        result: dict[str, Any] = super().run(tmp, task_vars) | {"changed": False}
        args = self._task.args
        graph, sensor, endpoint = graph_file.read(args["topology"]), args.get("sensor"), args.get("endpoint")
        try:
            if not sensor or not endpoint:
                raise ValueError("ask with -e explain_sensor=NAME -e explain_endpoint=HOST[:PORT]")
            host, port = walk_all.split(str(endpoint))
            if args.get("configs") is None:
                return result | {"proxies": explain.proxies_of(graph, str(sensor))}
            answer = explain.explain(graph, args["configs"], str(sensor), host, port)
        except ValueError as error:
            return result | {"failed": True, "msg": f"{error}."}
        stats = {"data": {"explain_allowed": answer.allowed}, "aggregate": True, "per_host": False}
        return result | {
            "msg": shown(answer.lines()),
            "allowed": answer.allowed,
            "ansible_stats": stats,
            "_ansible_verbose_always": True,
        }
