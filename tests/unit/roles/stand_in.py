# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in for the modules that change hosts and consoles: each host is a file in a folder, and a log says who did what.

Copied into the plugins/action of a copy of the collection, once for each of them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text as squid_text

WORLD = Path(os.environ.get("OT_WORLD", "/nowhere"))


class ActionModule(ActionBase):  # type: ignore[misc]
    """Does on the controller what the module of its file's name does on a host."""

    _requires_connection = False

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._host = str((task_vars or {})["inventory_hostname"])
        self._faults = json.loads((WORLD / "faults").read_text(encoding="utf-8"))
        done: dict[str, Any] = getattr(self, Path(__file__).stem)(self._task.args)
        return result | done

    def squid_info(self, args: dict[str, Any]) -> dict[str, Any]:
        if self._faults.get(self._host) == "unreachable":
            raise AnsibleConnectionFailure("timed out")
        config = self._read("conf")
        endpoints = {endpoint: self._answer() for endpoint in args["probe_endpoints"]} if config else {}
        return {
            "changed": False,
            "release": "Debian 12",
            "packages": ["squid"],
            "diversions": ["/etc/logrotate.d/squid"],
            "enabled": True,
            "files": {},
            "has_ufw_rules": False,
            "has_apparmor_rules": True,
            "watches_parents": True,
            "configuration": config,
            "by_hand": "",
            "open": json.loads(self._read("open") or "{}") if args.get("days") else {},
            "seen": json.loads(self._read("seen") or "{}") if args.get("days") else {},
            "listeners": [vars(each) for each in squid_text.bound(config)],
            "endpoints": endpoints,
            "reached": [endpoint for endpoint, answer in endpoints.items() if answer == "200"],
        }

    def squid_config(self, args: dict[str, Any]) -> dict[str, Any]:
        old = self._read("conf")
        if self._faults.get(self._host) == "refuses":
            return {"failed": True, "msg": "Squid refuses it."}
        state = args.get("state", "present")
        new = {"present": args.get("content", ""), "previous": self._read("previous"), "absent": ""}[state]
        if new == old:
            return {"changed": False, "replaced": False, "patient": False}
        self._write("conf", new)
        replaced = state == "present" and bool(old) and args["phase"] != "finish"
        if replaced:
            self._write("previous", old)
        self._log(args["phase"] if state == "present" else state)
        return {"changed": True, "replaced": replaced, "patient": False}

    def sensor_proxy(self, args: dict[str, Any]) -> dict[str, Any]:
        user = args.get("username") or ""
        host, port = args.get("host", ""), int(args.get("port", 0))
        after = {"enabled": args["state"] == "present", "host": host, "port": port, "username": user}
        if self._faults.get(self._host) in ("offline", "gone"):
            gone = self._faults[self._host] == "gone"
            return {"failed": True, "msg": "no cloud.", "after": after, "cloud": {"connected": False}, "gone": gone}
        if self._task.check_mode:
            told = f"would be proxy {host}:{port} (changes host); now proxy 192.0.2.9:3128"
            return {"changed": True, "told": told}
        self._log(f"uses {host or 'no proxy'}{user and f' as {user}'}")
        no_screen = self._faults.get(self._host) == "no screen"
        return {"changed": True, "after": after, "cloud": None if no_screen else {"connected": True}, "told": "pushed"}

    def _answer(self) -> str:
        """A host with a word of the log for its fault is cut off from when that word is there."""
        log = (WORLD / "log").read_text(encoding="utf-8").splitlines()
        return "503" if self._faults.get(self._host) in log else "200"

    def _read(self, kind: str) -> str:
        path = WORLD / f"{self._host}.{kind}"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def _write(self, kind: str, text: str) -> None:
        (WORLD / f"{self._host}.{kind}").write_text(text, encoding="utf-8")

    def _log(self, what: str) -> None:
        with (WORLD / "log").open("a", encoding="utf-8") as log:
            log.write(f"{self._host} {what}\n")
