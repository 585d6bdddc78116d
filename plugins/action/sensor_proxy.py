# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils._alive import alive


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module of the same name, and says every few seconds that it is still at it."""

    _supports_async = True

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run it."""
        super().run(tmp, task_vars)
        host = str((task_vars or {})["inventory_hostname"])
        with alive(
            self._display.display, f"{host}: still at its console, or waiting for the sensor's word on the cloud"
        ):
            result: dict[str, Any] = self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val)
        return result
