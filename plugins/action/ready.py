# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..plugin_utils import _awx, _cores
from ..plugin_utils._chain.hostvars import raw_variables
from ..plugin_utils._roles import needs
from ..plugin_utils._roles.variables import together


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("awx", "awx_inventory", "controller"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Gather what is wrong."""
        _cores.refuse()
        result: dict[str, Any] = super().run(tmp, task_vars) | {"changed": False}
        variables = task_vars or {}
        if awx := self._task.args.get("awx"):
            planned = _awx.plan(**awx)
            problems = planned.pop("problems")
            wrong = {"failed": True, "msg": ["Correct the settings; nothing was changed.", *problems]}
            return result | (wrong if problems else planned)
        if inventory := self._task.args.get("awx_inventory"):
            sentence, fine = _awx.hosts(**inventory)
            return result | {"failed": not fine, "msg": sentence, "_ansible_verbose_always": True}
        checked: dict[str, dict[str, Any]] = {"__squid": {}, "__sensor_proxy": {}, "__chain_verify": {}}
        for host in variables["ansible_play_hosts_all"]:
            known = raw_variables(variables["hostvars"], host)
            for name, found in checked.items():
                if name in known:
                    found[host] = known[name]
        said = (
            mistake for found in checked.values() for given in found.values() for mistake in given.get("mistakes", [])
        )
        # What a group has is wrong at each of its hosts.
        mistakes = together(said, variables["hostvars"])
        looks = boolean(self._task.args.get("controller", True))
        lacking = needs.missing(checked["__squid"], checked["__sensor_proxy"]) if looks else []
        if mistakes or lacking:
            return result | {"failed": True, "msg": ["Correct this; no host was touched.", *mistakes, *lacking]}
        return result
