# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with a Squid that does what its configuration says, faults included; no test of the sequence needs a real one."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.connect import Answer, Listener
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.change import Change, Outcome, Wanted
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.change_proof import Proof
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.host import Host

CONFIG = "/nowhere/squid/squid.conf"
USERS = "/nowhere/squid/users"
KEPT = f"{CONFIG}.unproven"
KEPT_USERS = f"{USERS}.unproven"
PREVIOUS = f"{CONFIG}.previous"
PREVIOUS_USERS = f"{USERS}.previous"

ENDPOINTS = ("a.example", "b.example")


def config(*faults: str, name: str = "site1", port: int = 3128, more: str = "") -> str:
    """Return a configuration; each fault is a line that the fake Squid obeys.

    unparsable: ``squid -k parse`` finds an ERROR; Squid ends when it loads the file
    kills: parses, but Squid ends when it loads the file
    mute: Squid runs and answers nothing
    deaf PORT: Squid runs and does not open this port
    open: Squid lets everybody through
    closed: Squid refuses the probe too
    forged: the next hop refuses, in the name of this proxy
    loses X: the next hop does not reach X
    crashes: Squid ends with the first CONNECT that it allows
    brittle: Squid ends with the next reload, whatever the file says
    restless: Squid ends all the time and is started again
    """
    return (
        f"{text.OWNED_MARK}.\nvisible_hostname {name}\nhttp_port {port}\n"
        f"acl probe_token req_header {text.PROBE_HEADER} ^@@{text.PROBE_TOKEN}@@$\n"
        f'reply_header_add {text.REFUSED_HEADER} "@@{text.PROBE_MARK}@@" probe_source\n'
        + "".join(f"fault {fault}\n" for fault in faults)
        + more
    )


def proven(token: str = "0" * 32, *faults: str, name: str = "site1", port: int = 3128, more: str = "") -> str:
    """Return a configuration as it lies on a host: with the token of an earlier run."""
    return text.fill(config(*faults, name=name, port=port, more=more), {text.PROBE_TOKEN: token})


class KilledError(BaseException):
    """Power failure, SIGKILL: nothing of the run happens after this, no handler either."""


class _File(str):
    """A file of its own, even where another one has the same content."""

    __slots__ = ()


class FakeHost(Host):
    """Files in a dict; a Squid that has loaded one of them or does not run; systemctl as systemd does it."""

    def __init__(self, running: str | None = None) -> None:
        self.files: dict[str, str] = {}
        self.public: set[str] = set()
        """Files that have another owner or mode than they should."""
        self.loaded: str | None = None
        self.started_with: str | None = None
        self.installed = True
        self.another_binary = False
        self.down: set[str] = set()
        """Endpoints that no configuration reaches."""
        self.slow: set[str] = set()
        """Endpoints whose answer does not come in time."""
        self.unresolved = False
        """Whether the parents' names did not resolve when Squid loaded its file."""
        self.behind: set[int] = set()
        """Which questions after a reload are answered by a worker that has not read the file yet."""
        self.parse_says: tuple[int, str] | None = None
        self.version_is = "6.13"
        self.log: list[str] = []
        """What was done, in order; questions in a row are one."""
        self.errors: dict[str, BaseException] = {}
        """What an operation raises once, by its name as in the log."""
        self.broken: dict[str, OSError] = {}
        """What an operation raises whenever it is done, by its name as in the log."""
        self.steps_left: int | None = None
        self.unparsed: list[str] = []
        """Contents that lay at the configuration's path although Squid refuses them."""
        self.remembered: dict[str, str] | None = None
        """The files that were proven last, with their contents."""
        self._number = 0
        self._clock = 0.0
        self._asked = 0
        self._loaded_before: str | None = None
        if running is not None:
            self.files[CONFIG] = self.loaded = self.started_with = running

    # What a test asks.

    def leftovers(self) -> set[str]:
        """Files that no finished run may leave."""
        return self.files.keys() - {CONFIG, USERS, PREVIOUS, PREVIOUS_USERS}

    def done(self) -> list[str]:
        """The operations that change something."""
        return [entry for entry in self.log if entry != "ask"]

    def serves(self, content: str) -> bool:
        """Whether the running Squid is the one that the file on disk describes, which is this one."""
        return self.loaded == content == self.files.get(CONFIG)

    # What the sequence does.

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def has_squid(self) -> bool:
        return self.installed

    def is_private(self, path: str) -> bool:
        return path not in self.public

    def stage(self, path: str, content: str, private: bool = False) -> str:
        self._step({CONFIG: "stage", USERS: "stage users"}.get(path, "stage previous"))
        self._number += 1
        pure = PurePosixPath(path)
        staged = str(pure.with_name(f".{pure.name}.{self._number}.staged"))
        self.files[staged] = _File(content)
        return staged

    def sweep(self, path: str) -> None:
        pure = PurePosixPath(path)
        for leftover in fnmatch.filter(self.files, str(pure.with_name(f".{pure.name}.*.staged"))):
            self.remove(leftover)

    def swap(self, staged: str, path: str) -> None:
        self._step({CONFIG: "swap", USERS: "swap users"}.get(path, "swap previous"))
        if self.files[staged] is self.files.get(path):
            return  # rename(2) does nothing where both are names of one file
        self.files[path] = self.files.pop(staged)
        self._move_mode(staged, path)
        self.public.discard(staged)
        if path == CONFIG and _has(self.files[path], "unparsable"):
            self.unparsed.append(self.files[path])

    def keep(self, path: str, kept: str) -> None:
        self._step("keep" if path == CONFIG else "keep users")
        self.files[kept] = self.files[path]
        self._move_mode(path, kept)

    def remove(self, path: str) -> None:
        if path in self.files:
            self._step({KEPT: "remove kept", KEPT_USERS: "remove kept users"}.get(path, "remove"))
            del self.files[path]
            self.public.discard(path)

    def _move_mode(self, source: str, path: str) -> None:
        (self.public.add if source in self.public else self.public.discard)(path)

    def parse(self, path: str) -> tuple[int, str]:
        self._step("parse")
        if self.parse_says is not None:
            return self.parse_says
        if _has(self.files[path], "unparsable"):
            return 0, f"2026/01/01 00:00:00| Processing: {path}\n2026/01/01 00:00:00| ERROR: unknown in {path} line 5\n"
        return 0, f"2026/01/01 00:00:00| Processing: {path}\n"

    def version(self) -> str:
        return self.version_is

    def remember(self, path: str, proven: Mapping[str, str]) -> None:
        if "remember" in self.broken:
            raise self.broken["remember"]
        self.remembered = dict(proven)

    def is_active(self) -> bool:
        if "is_active" in self.errors and "swap" in self.log:
            raise self.errors.pop("is_active")
        return self.loaded is not None

    def runs_another_binary(self) -> bool:
        return self.loaded is not None and self.another_binary

    def workers(self) -> str:
        if self.loaded is not None and _has(self.loaded, "restless"):
            self._number += 1
        return str(self._number)

    def systemctl(self, verb: str) -> str:
        self._step(verb)
        if verb == "reload":
            if self.loaded is None:
                return "squid.service is not active, cannot reload."
            self._load(dies=_has(self.loaded, "brittle"))
            return ""
        if verb != "start" or self.loaded is None:
            self.loaded = None
            if verb != "stop":
                self._load()
                self.started_with = self.loaded
                self.another_binary = False
        return "" if (self.loaded is None) == (verb == "stop") else "Job for squid.service failed."

    def connect(self, listener: Listener, target: str, headers: Mapping[str, str], timeout: float) -> Answer:
        if self.log[-1:] != ["ask"]:
            self._step("ask")
        self._asked += 1
        loaded = self._loaded_before if self._asked in self.behind else self.loaded
        kind = "https_port" if listener.tls else "http_port"
        address = str(listener).rpartition(":")[0]
        opened = rf"(?m)^{kind} ({re.escape(address)}:)?{listener.port}( .*)?$"
        if loaded is None or not re.search(opened, loaded) or _has(loaded, f"deaf {listener.port}"):
            return Answer(None, "Connection refused")
        if _has(loaded, "mute"):
            self._clock += timeout
            return Answer(None, f"no answer within {timeout:g} s")
        token = headers.get(text.PROBE_HEADER)
        own = {"via": f"1.1 {text.visible_hostname(loaded)} (squid)"}
        if (token != text.token_of(loaded) or _has(loaded, "closed")) and not _has(loaded, "open"):
            return Answer(403, None, {**own, text.REFUSED_HEADER.lower(): str(text.mark_of(loaded))})
        if _has(loaded, "forged"):
            return Answer(403, None, own)
        if _has(loaded, "crashes"):
            self.loaded = None
            return Answer(None, "closed the connection without an HTTP answer")
        endpoint = target.removesuffix(":443")
        if endpoint in self.slow:
            return Answer(None, f"no answer within {timeout:g} s", pending=True)
        return Answer(
            503 if self.unresolved or endpoint in self.down or _has(loaded, f"loses {endpoint}") else 200, None, {}
        )

    def now(self) -> float:
        return self._clock

    def pause(self, seconds: float) -> None:
        self._clock += seconds

    def _load(self, dies: bool = False) -> None:
        self.unresolved = False
        self._asked, self._loaded_before = 0, self.loaded
        content = self.files.get(CONFIG)
        fatal = content is None or dies or _has(content, "unparsable") or _has(content, "kills")
        self.loaded = None if fatal else content

    def _step(self, operation: str) -> None:
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise KilledError
            self.steps_left -= 1
        if operation in self.broken:
            raise self.broken[operation]
        if operation in self.errors:
            raise self.errors.pop(operation)
        self.log.append(operation)


def _has(content: str, fault: str) -> bool:
    return re.search(rf"(?m)^fault {re.escape(fault)}$", content) is not None


def change(
    host: FakeHost,
    content: str,
    *,
    secrets: Mapping[str, str] | None = None,
    users: Mapping[str, str] | None = None,
    check_mode: bool = False,
    **more: Any,
) -> Outcome:
    """Run the sequence once on this host, as the module does."""
    proof = Proof(host, ENDPOINTS, timeout=5)
    wanted = Wanted(CONFIG, content, secrets or {}, USERS, users or {}, reload_timeout=2, restart_timeout=4, **more)
    return Change(host, proof, wanted).run(check_mode)


def go_back(host: FakeHost, *, check_mode: bool = False) -> Outcome:
    """Run the sequence once for the previous configuration."""
    wanted = Wanted(CONFIG, "", {}, USERS, {}, reload_timeout=2, restart_timeout=4, previous=True)
    return Change(host, Proof(host, ENDPOINTS, timeout=5), wanted).run(check_mode)
