# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..plugin_utils import _cores
from ..plugin_utils._chain import graph_file, hostvars
from ..plugin_utils._roles import arguments, check
from ..plugin_utils._roles import variables as names
from ..plugin_utils._trusted import trust_as_template


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("role", "variables", "document", "later"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check and convert."""
        _cores.refuse()
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        host = str(variables["inventory_hostname"])
        role = str(self._task.args["role"])
        document = self._task.args.get("document")
        some = self._task.args.get("variables")
        options = arguments.options(role)

        place: dict[str, Any] = {}
        given: dict[str, Any] = {}
        unset: dict[str, str] = {}
        locked: list[str] = []
        for name in some or options:
            # Outside of the role its defaults are known from the specification only.
            value = variables[name] if name in variables else _trusted(options[name]["default"])
            try:
                given[name] = self._templar.template(value)
            except AnsibleUndefinedVariable as error:
                # Such a default may also need what the role alone knows.
                if name in variables:
                    unset[name] = str(error)
            except AnsibleError as error:
                if not hostvars.is_locked(error):
                    raise
                locked.append(f"{host}: {name} {hostvars.LOCKED}.")
        typed, mistakes = check.check(role, host, given)
        mistakes += check.unset_problems(host, unset) + hostvars.once(locked)
        mistakes += [f"{host}: {problem}" for problem in names.unknown(variables)]
        # Where one of the two is a mistake there is nothing to decide.
        typed = typed if mistakes else check.decided(typed)
        if not mistakes and not some:
            mistakes = check.contradictions(role, host, typed, document)
            if role in check.PLACES:
                entry, proxies, pairs = _place(variables, check.PLACES[role], host)
                place = check.placed(role, typed, entry, proxies, pairs, host)
                mistakes += check.learns_blindly(host, typed, place)
                is_missing = entry is None and graph_file.RESULT in variables
                group = str(variables.get("topology_proxies_group", "proxies")) if is_missing else None
                mistakes += check.no_place(role, host, typed, place, group)
        if mistakes:
            later = boolean(self._task.args.get("later", False))
            return result | ({"mistakes": mistakes} if later else {"failed": True, "msg": mistakes})

        if role == "squid":
            result |= check.derived(typed, document)
            if typed.get("squid_learn_until") and not result["learning"]:
                over = f"{host}: squid_learn_until, {typed['squid_learn_until']}, is over, and only its endpoints may be reached; empty it."
                result["warnings"] = [over]
        shown = {name: value for name, value in typed.items() if not arguments.is_secret(options[name])}
        return result | {"changed": False} | {name.removeprefix(f"{role}_"): shown[name] for name in shown} | place


def _place(
    variables: Mapping[str, Any], kind: str, host: str
) -> tuple[dict[str, Any] | None, Mapping[str, Any], Mapping[str, Any]]:
    """Return the topology's entry of the host, what is registered of all proxies, and the pairs."""
    result = variables.get(graph_file.RESULT)
    if result is None:
        return None, {}, {}
    return graph_file.entry_of(result, kind, host), result.get("proxies", {}), result.get("pairs", {})


def _trusted(default: Any) -> Any:
    return trust_as_template(default) if isinstance(default, str) else default
