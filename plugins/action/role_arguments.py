# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleUndefinedVariable
from ansible.plugins.action import ActionBase

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text could be a template

    def trust_as_template(value: str) -> str:
        """Return it as it is."""
        return value


from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _arguments, _cores, _role_check


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("role", "variables", "document"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check and convert."""
        _cores.refuse()
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        host = str(variables["inventory_hostname"])
        role = str(self._task.args["role"])
        document = self._task.args.get("document")
        options = _arguments.options(role)

        given: dict[str, Any] = {}
        unset: dict[str, str] = {}
        for name in self._task.args.get("variables") or options:
            # Outside of the role its defaults are known from the specification only.
            value = variables[name] if name in variables else _trusted(options[name]["default"])
            try:
                given[name] = self._templar.template(value)
            except AnsibleUndefinedVariable as error:
                # Such a default may also need what the role alone knows.
                if name in variables:
                    unset[name] = str(error)
        typed, mistakes = _role_check.check(role, host, given)
        mistakes += _role_check.unset_problems(host, typed, unset)
        if not mistakes and not self._task.args.get("variables"):
            mistakes = _role_check.contradictions(role, host, typed, document)
        if mistakes:
            return result | {"failed": True, "msg": mistakes}

        if role == "squid":
            # Whoever asks for a few variables only is on the way back, for which the topology must not matter.
            graph = None if self._task.args.get("variables") else variables.get("topology_graph")
            result |= _role_check.derived(typed, document, graph, host)
        shown = {name: value for name, value in typed.items() if not _arguments.is_secret(options[name])}
        return result | {"changed": False} | {name.removeprefix(f"{role}_"): shown[name] for name in shown}


def _trusted(default: Any) -> Any:
    return trust_as_template(default) if isinstance(default, str) else default
