# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ..plugin_utils._chain import credentials, graph_file
from ..plugin_utils._proof import walks


class ActionModule(ActionBase):  # type: ignore[misc]
    """Adds what the topology has of this proxy, and runs the module of the same name on its host."""

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run it."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        proxy, hostvars = str(variables["inventory_hostname"]), variables["hostvars"]
        graph = graph_file.read(variables.get(graph_file.RESULT, {}))
        if proxy not in graph["proxies"]:
            raise AnsibleActionFail(f"{proxy} is no proxy of the topology; add it to the group of proxies.")
        try:
            passwords = credentials.parent_passwords(proxy, graph["proxies"][proxy]["parents"], hostvars)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        filled = {
            "walks": walks.walks_of(graph, proxy),
            "clients": walks.sensors_of(graph, proxy),
            "shared": walks.shared_by(graph, proxy),
            "passwords": passwords,
        }
        try:
            result: dict[str, Any] = self._execute_module(
                module_name="ot_security.proxy_chaining.chain_walk",
                module_args={**self._task.args, **filled},
                task_vars=task_vars,
            )
        except AnsibleConnectionFailure as error:
            # A result too; Ansible would say it with the task, its origin and the whole of what it would have run.
            why = str(error).strip().partition("\n")[0].rstrip(".")
            return {
                "changed": False,
                "msg": why,
                "warnings": [f"{proxy} cannot be reached, and proves nothing: {why}."],
            }
        return result
