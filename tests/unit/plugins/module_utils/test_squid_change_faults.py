# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change on a real file system that breaks at a system call: killed, without power, on a full disk, or with a Squid that refuses."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import htpasswd, text
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.change import ChangeError
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.host import Host

from .fake_squid import CONFIG, FakeHost, KilledError, change, config, proven

SEEDS = 500 if os.environ.get("LONG") else 25
FOLDER = Path(CONFIG).parent
CALLS = [
    (os, "replace"),
    (os, "link"),
    (os, "unlink"),
    (os, "fsync"),
    (os, "fchown"),
    (os, "fchmod"),
    (tempfile, "mkstemp"),
]
"""What the change asks of the kernel for its files."""

SECRET = "parent-secret"
FAULTS = ["", "unparsable", "kills", "mute", "open", "closed", "restless"]

NEED_ROOM = ("fsync", "link", "mkstemp")

ERRORS = {"full": OSError(28, "No space left on device"), "refused": OSError(5, "Input/output error")}

Disk = dict[str, tuple[int, str]]
"""Names, the numbers of their files, and what is in these."""


class DiskHost(FakeHost):
    """The fake Squid, whose files are real ones in a folder, and a disk that has only what it was told to have."""

    def __init__(self, folder: Path, running: str) -> None:
        super().__init__()
        self.folder = folder
        self.boundaries = 0
        self.killed = False
        self.breaks_at = -1
        self.fault: Callable[[], None] = lambda: None
        Host.swap(self, self.stage(CONFIG, running), self.here(CONFIG))
        self.loaded = self.started_with = running
        self.disks: list[Disk] = [self.now_there()]
        self.synchronised = {number for number, _content in self.disks[0].values()}

    def here(self, path: str) -> str:
        return path.replace(str(FOLDER), str(self.folder))

    @property
    def files(self) -> dict[str, str]:
        return {str(FOLDER / found.name): found.read_text() for found in self.folder.iterdir()}

    @files.setter
    def files(self, _value: dict[str, str]) -> None:
        pass

    def _gid(self) -> int:
        return os.getgid()

    def read(self, path: str) -> str | None:
        return Host.read(self, self.here(path))

    def is_private(self, path: str) -> bool:
        return True

    def stage(self, path: str, content: str, private: bool = False) -> str:
        return Host.stage(self, self.here(path), content, private)

    def sweep(self, path: str) -> None:
        Host.sweep(self, self.here(path))

    def swap(self, staged: str, path: str) -> None:
        Host.swap(self, self.here(staged), self.here(path))

    def keep(self, path: str, kept: str) -> None:
        Host.keep(self, self.here(path), self.here(kept))

    def remove(self, path: str) -> None:
        Host.remove(self, self.here(path))

    def parse(self, path: str) -> tuple[int, str]:
        return super().parse(str(FOLDER / Path(path).name))

    def _step(self, operation: str) -> None:
        self.boundary()
        super()._step(operation)

    def boundary(self) -> None:
        """Break here, if it is the one."""
        self.boundaries += 1
        if self.boundaries == self.breaks_at:
            self.fault()

    def now_there(self) -> Disk:
        return {found.name: (found.stat().st_ino, found.read_text()) for found in self.folder.iterdir()}

    def lose_power(self, disk: Disk) -> None:
        """Have what the disk had, and start again."""
        for found in self.folder.iterdir():
            found.unlink()
        made: dict[int, Path] = {}
        for name, (number, content) in disk.items():
            path = self.folder / name
            if number in made:
                path.hardlink_to(made[number])
            else:
                path.write_text(content if number in self.synchronised else "")
            made[number] = path
        self.loaded = None
        self._load()


def broken(error: BaseException) -> Callable[[], None]:
    def fault() -> None:
        raise error

    return fault


def watch(host: DiskHost, patch: pytest.MonkeyPatch) -> None:
    """Count the calls; a folder that is synchronised is on the disk, and before that anything from then to now."""

    def wrap(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(*arguments: Any, **more: Any) -> Any:
            if host.killed or name in NEED_ROOM:
                host.boundary()
            result = None if name == "fchown" else real(*arguments, **more)
            if name == "fsync":
                status = os.fstat(arguments[0])
                host.synchronised.add(status.st_ino)
                if stat.S_ISDIR(status.st_mode):
                    host.disks.clear()
            host.disks.append(host.now_there())
            return result

        patch.setattr(module, name, call)

    for module, name in CALLS:
        wrap(module, name)


def admits(content: str | None) -> str | None:
    """Return a configuration without what differs from run to run."""
    return None if content is None else text.untoken(content)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_wherever_a_change_breaks_access_is_as_before_or_as_wanted_and_the_next_run_ends_it(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(htpasswd.merge, "__defaults__", (lambda password, setting: f"$6$x${password}",))
    draw = random.Random(seed)
    secrets = {"parent": SECRET}
    old = proven(more="acl sensor1 src 10.0.0.1\n")
    wanted = config(
        *filter(None, [draw.choice(FAULTS)]),
        more=f"acl sensor2 src 10.0.0.2\nworkers {draw.choice([1, 2])}\n# @@parent@@\n",
    )
    good = config(more="acl sensor3 src 10.0.0.3\n# @@parent@@\n")
    kind = ["power", "kill", "power", "full", "power", "refused"][seed % 6]

    def once(breaks_at: int, folder: Path) -> tuple[DiskHost, bool]:
        folder.mkdir()
        host = DiskHost(folder, old)
        with monkeypatch.context() as patch:
            watch(host, patch)
            host.breaks_at = breaks_at
            host.killed = kind not in ERRORS
            host.fault = broken(ERRORS.get(kind, KilledError()))
            try:
                change(host, wanted, secrets=secrets, users={"anna": "1"})
            except KilledError:
                return host, True
            except (ChangeError, OSError):
                pass
        return host, False

    host, _killed = once(-1, tmp_path / "whole")
    host, was_killed = once(draw.randint(1, host.boundaries), tmp_path / "broken")
    if kind == "power" and was_killed:
        host.lose_power(draw.choice(host.disks))
    allowed = {admits(old), admits(text.fill(wanted, {**secrets, text.PROBE_TOKEN: "0" * 32}))}
    assert admits(host.files.get(CONFIG)) in allowed, "the file is whole, the old one or the new one"
    assert host.loaded is None or admits(host.loaded) in allowed
    if not was_killed:
        assert host.leftovers() == set()
    with contextlib.suppress(OSError):
        change(host, good, secrets=secrets, users={"carla": "3"})
    assert host.serves(host.files[CONFIG])
    assert admits(host.loaded) == admits(text.fill(good, {**secrets, text.PROBE_TOKEN: "0" * 32}))
    assert host.leftovers() == set()
    assert not change(host, good, secrets=secrets, users={"carla": "3"}).changed
    shutil.rmtree(tmp_path)
