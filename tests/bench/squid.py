"""Squid under test: one instance for each configuration, all running at once so that measurements can alternate."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from tests.bench import lab

_FACTORY = "/etc/squid/squid.conf.factory"
_INCLUDE = "include /etc/squid/conf.d/*.conf"
_LISTENER = re.compile(r"(?m)^http_port 3128\b")
_TICKS = 100
"""Of /proc/PID/stat, a second."""

_CONCURRENCY = 16
_READY = 60


@dataclass(frozen=True)
class Sample:
    """One run of the load generator."""

    cpu_us: float
    per_second: float


class Instance:
    """One Squid beside the host's own, with its own port."""

    def __init__(self, host: lab.Host, name: str, port: int, content: str) -> None:
        self._host = host
        self._port = port
        self._pid_file = f"/run/{name}.pid"
        content, listeners = _LISTENER.subn(f"pid_filename {self._pid_file}\nhttp_port {port}", content)
        if listeners != 1:
            raise RuntimeError(
                f"{name}: the configuration has {listeners} lines that begin with http_port 3128, not one."
            )
        path = f"/etc/squid/{name}.conf"
        lab.execute(host.container, "sh", "-c", f"cat >{path}", given=content)
        # As the unit starts it; -n keeps its shared memory apart.
        lab.execute(
            host.container,
            "sh",
            "-c",
            f"setsid squid --foreground -n {name} -YC -f {path} >/dev/null 2>/tmp/{name}.log &",
        )

    def wait(self) -> None:
        """Return once it answers."""
        deadline = time.monotonic() + _READY
        while (problem := self._load(1)["failed"]) and time.monotonic() < deadline:
            time.sleep(0.5)
        if problem:
            raise RuntimeError(
                f"{self._host.container}: the Squid at port {self._port} does not let the load generator through."
            )

    def sample(self, count: int) -> Sample:
        """Open tunnels and see what that cost."""
        before = self._cpu()
        result = self._load(count)
        # The last tunnels are still being closed.
        time.sleep(0.3)
        used = self._cpu() - before
        if result["failed"]:
            raise RuntimeError(f"{result['failed']} of {count} CONNECTs failed: {result['examples']}")
        return Sample(cpu_us=used / count * 1e6, per_second=count / result["seconds"])

    def reload(self) -> None:
        """Let it read its configuration, as the unit does."""
        lab.execute(self._host.container, "sh", "-c", f"kill -HUP $(cat {self._pid_file})")

    def stop(self) -> None:
        """End it at once."""
        processes = " ".join(map(str, self._tree(self._processes())))
        # A helper may end by itself as soon as its Squid is gone; what stays would hold the port of the next one.
        lab.execute(self._host.container, "sh", "-c", f"kill -9 {processes} 2>/dev/null || true")

    def _load(self, count: int) -> dict[str, float]:
        arguments = [self._host.address, self._port, lab.LOAD_TARGET, count, min(_CONCURRENCY, count)]
        result: dict[str, float] = json.loads(
            lab.execute(lab.LOAD, "python3", "/opt/bench/load.py", *map(str, arguments))
        )
        return result

    def _cpu(self) -> float:
        """Seconds of CPU time of the workers and of their helpers: the stock configuration has one that writes the log."""
        processes = self._processes()
        return sum(processes[pid][1] for pid in self._tree(processes)) / _TICKS

    def _processes(self) -> dict[int, tuple[int, int]]:
        """Parent and ticks of every process on the host."""
        # A process may end while it is read.
        found = {}
        for line in lab.execute(
            self._host.container, "sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null || true"
        ).splitlines():
            pid, _blank, rest = line.partition(" ")
            fields = rest.rpartition(")")[2].split()
            found[int(pid)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
        return found

    def _tree(self, processes: dict[int, tuple[int, int]]) -> list[int]:
        """The instance's process and all that descend from it."""
        tree = [int(lab.execute(self._host.container, "cat", self._pid_file))]
        for pid in tree:
            tree += [child for child, (parent, _ticks) in processes.items() if parent == pid]
        return tree


def stock(host: lab.Host) -> str:
    """Return the distribution's own configuration with one more allowed source."""
    content = lab.execute(host.container, "cat", _FACTORY)
    if content.count(f"\n{_INCLUDE}\n") != 1:
        raise RuntimeError(f"{_FACTORY} has no line '{_INCLUDE}', where local rules belong.")
    return content.replace(
        f"\n{_INCLUDE}\n", f"\nacl bench src {lab.LOAD_ADDRESS}\nhttp_access allow bench\n{_INCLUDE}\n"
    )
