# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few things that a change of Squid's configuration does to the host it runs on.

Private to this collection. Everything that touches the system is here, so that the sequence itself
(change.py) is unit-tested with another host in its place.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from .._probe import connect as probe_connect

_MODE = 0o640
_STAGED = ".staged"


class Runner(Protocol):
    """Runs a command and returns exit code, standard output and standard error."""

    def __call__(self, argv: Sequence[str]) -> tuple[int, str, str]:
        """Run it."""


class Host:
    """A Debian or Ubuntu host with systemd."""

    def __init__(self, run: Runner, binary: str, service: str, group: str) -> None:
        self._run = run
        self._binary = binary
        self._service = service
        self._group = group

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where there is no such file."""
        try:
            # Byte for byte: a file made by hand may hold any encoding and any line ends.
            return Path(path).read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None

    def has_squid(self) -> bool:
        """Whether the package is installed, so that a configuration can be validated."""
        return Path(self._binary).exists()

    def is_private(self, path: str) -> bool:
        """Whether a file, if there is one, has the owner and mode that stage() gives."""
        try:
            status = Path(path).stat()
        except FileNotFoundError:
            return True
        return (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, self._gid(), _MODE)

    def stage(self, path: str, content: str, private: bool = False) -> str:
        """Write a file beside its destination, readable by root and Squid's group only, and return its path.

        Args:
            path: its destination.
            content: its text.
            private: whether not even Squid's group may read it.
        """
        # Squid's AppArmor profile lets it read /etc/squid and nothing else, so the candidate lies there too.
        target = Path(path)
        handle, staged = tempfile.mkstemp(dir=str(target.parent), prefix=f".{target.name}.", suffix=_STAGED)
        try:
            with os.fdopen(handle, "wb") as stream:
                os.fchown(stream.fileno(), 0, 0 if private else self._gid())
                os.fchmod(stream.fileno(), 0o600 if private else _MODE)
                stream.write(content.encode("utf-8", "surrogateescape"))
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            self.remove(staged)
            raise
        return staged

    def sweep(self, path: str) -> None:
        """Remove what a killed run may have staged beside a file; it holds secrets."""
        target = Path(path)
        for leftover in target.parent.glob(f".{glob.escape(target.name)}.*{_STAGED}"):
            self.remove(str(leftover))

    def _gid(self) -> int:
        return grp.getgrnam(self._group).gr_gid

    def swap(self, staged: str, path: str) -> None:
        """Put a staged file in the place of another, in one step."""
        Path(staged).replace(path)
        _know(path)

    def keep(self, path: str, kept: str) -> None:
        """Let a second name hold on to a file until the change is proven."""
        self.remove(kept)
        Path(kept).hardlink_to(path)
        _know(kept)

    def remember(self, path: str, proven: Mapping[str, str]) -> None:
        """Keep what ``sha256sum --check`` needs to tell the files that were proven from those changed by hand since.

        Args:
            path: the configuration, beside which it is kept.
            proven: the files' texts.
        """
        digests = {each: hashlib.sha256(text.encode("utf-8", "surrogateescape")) for each, text in proven.items()}
        kept, text = f"{path}.proven", "".join(f"{digest.hexdigest()}  {each}\n" for each, digest in digests.items())
        if self.read(kept) != text:
            self.swap(self.stage(kept, text, private=True), kept)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()

    def parse(self, path: str) -> tuple[int, str]:
        """Let Squid read a configuration as the user that it runs as; return its exit code and all that it said."""
        code, out, err = self._run(["runuser", "-u", self._group, "--", self._binary, "-k", "parse", "-f", path])
        return code, out + err

    def version(self) -> str:
        """Return the version of the installed Squid, such as 6.13; empty where it does not say."""
        said = re.search(r"Version ([\d.]+)", self._run([self._binary, "-v"])[1])
        return said[1] if said else ""

    def is_active(self) -> bool:
        """Whether systemd says that the service runs."""
        return self._run(["systemctl", "is-active", "--quiet", self._service])[0] == 0

    def runs_another_binary(self) -> bool:
        """Whether the running process was started from another program than the one installed now."""
        try:
            running = Path(f"/proc/{self._main_pid()}/exe").readlink()
        except OSError:
            return False
        return running != Path(self._binary).resolve()

    def workers(self) -> str:
        """Return the numbers of the processes that do Squid's work; the one that systemd knows starts them anew when they end."""
        pid = self._main_pid()
        try:
            return f"{pid}: {Path(f'/proc/{pid}/task/{pid}/children').read_text(encoding='ascii')}"
        except OSError:
            return ""

    def _main_pid(self) -> str:
        return self._run(["systemctl", "show", "--property=MainPID", "--value", self._service])[1].strip() or "0"

    def systemctl(self, verb: str) -> str:
        """Start, reload or restart the service; return systemd's complaint, empty when there is none."""
        # An earlier bad file may have used up the unit's start limit.
        if verb != "reload":
            self._run(["systemctl", "reset-failed", self._service])
        code, out, err = self._run(["systemctl", verb, self._service])
        return "" if code == 0 else (err or out).strip()

    def connect(
        self, listener: probe_connect.Listener, target: str, headers: Mapping[str, str], timeout: float
    ) -> probe_connect.Answer:
        """Ask a listener of this host for a tunnel."""
        return probe_connect.connect(listener, target, headers, timeout)

    def now(self) -> float:
        """Return a monotonic clock, in seconds."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def _know(path: str) -> None:
    """Let the disk know a file's new name before anything is built on it; a power failure may forget it otherwise."""
    # The name is there for everybody else, also on a disk that cannot: what is to be taken back must come back.
    with contextlib.suppress(OSError):
        folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
