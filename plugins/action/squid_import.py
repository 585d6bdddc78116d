# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ..plugin_utils._squid_import.convert import Config, convert


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("configs", "limit"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Import."""
        result: dict[str, Any] = super().run(tmp, task_vars) | {"changed": False}
        try:
            configs = [_config(each) for each in self._task.args["configs"]]
            found = convert(configs, int(self._task.args.get("limit", 64)))
        except (KeyError, TypeError, ValueError) as error:
            return result | {"failed": True, "msg": f"configs or limit are not as they are documented ({error})."}
        lines = {"inventory": found.inventory.splitlines(), "left_out": found.left_out, "access": found.access}
        return result | lines | {"wanted": found.wanted}


def _config(given: Mapping[str, Any]) -> Config:
    return Config(
        name=str(given["name"]),
        path=str(given["path"]),
        files={str(path): _text(str(path), content) for path, content in given["files"].items()},
        address=str(given.get("address", "")),
        log=_text("its log", given.get("log", "")),
    )


def _text(path: str, content: Any) -> str:
    """Decode; Squid takes any byte, so no byte may end an import."""
    try:
        return base64.b64decode(str(content)).decode("utf-8", errors="replace")
    except ValueError:
        raise ValueError(f"the content of {path} is not in Base64; pass it through b64encode") from None
