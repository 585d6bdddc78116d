# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gc
import re
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..plugin_utils import _cores
from ..plugin_utils._chain import graph_file, repository
from ..plugin_utils._chain import topology as chain_topology
from ..plugin_utils._chain.hostvars import raw_variables
from ..plugin_utils._roles.variables import name_problem, together

# Ansible imports this before it forks a task's process, which has all of the inventory's objects; Python's garbage collector would go
# through them again and again, 0.2 seconds each time with 10,000 sensors.
gc.freeze()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _VALID_ARGS = frozenset(
        ("proxies_group", "sensors_group", "cloud_sites_group", "removed_sensors", "repository", "about", "whole")
    )

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Derive and keep it."""
        _cores.refuse()
        result: dict[str, Any] = super().run(tmp, task_vars) | {"changed": False}
        variables, args = task_vars or {}, self._task.args
        removed = args.get("removed_sensors") or []
        if isinstance(removed, str):
            # A survey answers with text.
            removed = re.findall(r"[^,\s]+", removed)
        graph = chain_topology.of_groups(
            variables["hostvars"],
            variables["groups"],
            args.get("proxies_group", "proxies"),
            args.get("sensors_group", "sensors"),
            args.get("cloud_sites_group", "cloud_sites"),
            removed,
            args.get("about", ()),
        )
        # A play's own are no host's.
        own = variables.keys() - raw_variables(variables["hostvars"], variables["inventory_hostname"]).keys()
        graph["mistakes"] += [f"the play: {name} {problem}" for name in sorted(own) if (problem := name_problem(name))]
        mistakes = together(graph["mistakes"], variables["hostvars"])
        if path := args.get("repository"):
            mistakes = [*repository.mistakes(str(path), variables["ansible_inventory_sources"]), *mistakes]
        if mistakes:
            return result | {"failed": True, "msg": ["Correct the inventory; no host was touched.", *mistakes]}
        proxies = {
            name: {key: entry[key] for key in ("kind", "tier", "addresses", "port")}
            for name, entry in graph["proxies"].items()
        }
        return (
            result
            | ({"graph": graph} if boolean(args.get("whole", False)) else {})
            | {
                "file": graph_file.keep(graph),
                "tiers": graph["tiers"],
                "proxies": proxies,
                "pairs": graph["pairs"],
                "removed_sensors": removed,
            }
        )
