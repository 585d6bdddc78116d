# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module in this process, as Ansible would."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible.module_utils import basic


@contextlib.contextmanager
def module_args(arguments: dict[str, Any]) -> Iterator[None]:
    """Give the module its arguments as this ansible-core does."""
    try:
        from ansible.module_utils.testing import patch_module_args  # since 2.19
    except ImportError:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
            yield
    else:
        with patch_module_args(arguments):
            yield


@pytest.fixture
def run_main(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], None], dict[str, Any]], dict[str, Any]]:
    """Run a module's main with these arguments; return what it prints, warnings included."""

    def run(main: Callable[[], None], arguments: dict[str, Any]) -> dict[str, Any]:
        said: list[str] = []
        # In a process that has loaded Ansible's controller (other tests do), warnings go to its display instead.
        monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, warning: said.append(warning))
        with module_args(arguments), pytest.raises(SystemExit):
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result | {"warnings": said}

    return run
