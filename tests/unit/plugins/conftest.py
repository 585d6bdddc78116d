# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Action plugins without a playbook."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.plugins.loader import callback_loader

PACKAGE = "ansible_collections.ot_security.proxy_chaining.plugins.action"


@pytest.fixture(scope="session")
def run_action() -> Callable[..., dict[str, Any]]:
    """Run the action of this name with arguments; ``executed`` takes what it hands to its module."""

    def run(
        name: str,
        args: dict[str, Any],
        variables: dict[str, Any] | None = None,
        executed: list[Any] | None = None,
        check_mode: bool = False,
    ) -> dict[str, Any]:
        task = SimpleNamespace(args=args, async_val=0, check_mode=check_mode, diff=False, action=name)
        module = importlib.import_module(f"{PACKAGE}.{name}").ActionModule
        action = module(task, MagicMock(), SimpleNamespace(check_mode=False), MagicMock(), MagicMock(), MagicMock())

        def execute(**given: Any) -> dict[str, Any]:
            if executed is not None:
                executed.append(given)
            return {}

        action._execute_module = execute
        callback_loader.get("default", class_only=True)
        result: dict[str, Any] = action.run(task_vars=variables or {})
        return result

    return run
