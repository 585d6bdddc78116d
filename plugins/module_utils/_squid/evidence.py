# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proxy's host knows of its clients' own traffic: the access log, and the connections that are open now.

Private to this collection. Squid writes a CONNECT into the log when its tunnel ends, so one that lasts is seen among the open
connections only.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from .._untrusted_text import one_line

# logformat chain of the role squid: time, duration, client, its name, user, result/status, size, method, target, way.
_LINE = re.compile(
    r"(?P<time>\S+) +\d+ (?P<client>\S+) (?P<note>\S+) \S+ (?P<result>[A-Z_]+)/(?P<status>\d{3}) \d+ CONNECT (?P<target>\S+) "
)
_ESTABLISHED = "01"
_OWN_TRAFFIC = "probe"


@dataclass(frozen=True)
class Entry:
    """A CONNECT that a client made."""

    client: str
    time: datetime
    host: str
    port: int
    status: int
    result: str

    @property
    def passed(self) -> bool:
        """Whether it got its tunnel."""
        return self.status == 200

    @property
    def refused_here(self) -> bool:
        """Whether this proxy refused it, rather than one behind it."""
        return self.result == "TCP_DENIED"

    def as_result(self) -> dict[str, Any]:
        """Return it as a module returns it."""
        return {
            "time": self.time.isoformat(),
            "endpoint": self.host,
            "port": self.port,
            "status": self.status,
            "result": self.result,
        }


def entries(path: Path, most_bytes: int, since: datetime) -> Iterator[Entry]:
    """Yield the clients' CONNECTs, oldest first.

    Args:
        path: the access log; those that were rotated away are read before it as far as there is room.
        most_bytes: how much is read, from the end.
        since: what is older is left out.

    Raises:
        ValueError: a log is there and cannot be read.
    """
    parts: list[bytes] = []
    for file in _files(path):
        parts.append(_tail(file, most_bytes - sum(map(len, parts)), since))
    for line in b"".join(reversed(parts)).decode("utf-8", "replace").splitlines():
        entry = _entry(line)
        if entry is not None and entry.time >= since:
            yield entry


def _files(path: Path) -> list[Path]:
    """The log and what was rotated away of it, newest first."""
    rotated = {
        int(number[1]): file
        for file in path.parent.glob(f"{path.name}.*")
        if (number := re.fullmatch(r"\.([0-9]+)(\.gz)?", file.name.removeprefix(path.name)))
    }
    return [path, *(rotated[number] for number in sorted(rotated))]


def _tail(path: Path, most_bytes: int, since: datetime) -> bytes:
    """The end of a file, without the line that is cut; nothing when there is no such file, or none that was written since."""
    try:
        if most_bytes <= 0 or path.stat().st_mtime < since.timestamp():
            return b""
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most_bytes))
            data = file.read(most_bytes)
    except (EOFError, FileNotFoundError):
        # logrotate is at work.
        return b""
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror or error}); run this as root") from error
    return data if size <= most_bytes else data.partition(b"\n")[2]


def _entry(line: str) -> Entry | None:
    match = _LINE.match(line)
    if match is None or match["note"] == _OWN_TRAFFIC:
        return None
    host, _colon, port = match["target"].rpartition(":")
    try:
        # Far quicker than strptime; until Python 3.11 it wants the zone with a colon.
        time = datetime.fromisoformat(f"{match['time'][:-2]}:{match['time'][-2:]}").astimezone(timezone.utc)
        # Who asks chooses the name, and Squid logs it as it is.
        return Entry(plain(match["client"]), time, one_line(host), int(port), int(match["status"]), match["result"])
    except ValueError:
        return None


def open_connections(tables: Iterable[Path], ports: Iterable[int]) -> dict[str, int]:
    """Count the established TCP connections to these ports by the address that they come from.

    Args:
        tables: ``/proc/net/tcp`` and ``/proc/net/tcp6``.
        ports: where the proxy listens.
    """
    wanted = set(ports)
    found: dict[str, int] = {}
    for table in tables:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _number, local, remote, state, *_rest = line.split()
            if state == _ESTABLISHED and int(local.rpartition(":")[2], 16) in wanted:
                source = _kernel_address(remote.partition(":")[0])
                found[source] = found.get(source, 0) + 1
    return found


def _kernel_address(text: str) -> str:
    """Read an address as the kernel writes it: words of four bytes, each in the byte order of the machine."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    raw = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return plain(str(IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)))


@lru_cache(maxsize=16384)
def plain(text: str) -> str:
    """Write an address in one way; an IPv4 address inside an IPv6 one as itself."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
