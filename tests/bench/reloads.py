"""Part f: whom a reload refuses, with one worker (Squid's default) and with two (the role's), on an idle and on a busy machine."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from tests.bench import lab, squid, topology
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

SECONDS = 900.0
_FIRST_PORT = 3300
_EVERY = 0.75
"""Seconds between two reloads."""


def run(progress: Progress, folder: Path, quick: bool) -> Part:
    """Measure every distribution."""
    config = folder / "reloads.conf"
    topology.render(100, "per_sensor", config)
    content = config.read_text()
    if content.count("\nworkers 2\n") != 1:
        raise RuntimeError("the role's configuration has no line 'workers 2'.")
    cases = [(host, workers, busy) for host in lab.hosts() for workers in (1, 2) for busy in (False, True)]
    tables: dict[str, list[Row]] = {}
    targets = []
    for number, (host, workers, busy) in enumerate(cases):
        where = f"{host.distribution}, {workers} workers, {'busy' if busy else 'idle'}"
        progress.say(where, number / len(cases))
        lab.install(folder, host)
        port = _FIRST_PORT + number
        instance = squid.Instance(
            host, f"reloads{number}", port, content.replace("\nworkers 2\n", f"\nworkers {workers}\n")
        )
        instance.wait()
        reloads = 10 if quick or workers == 1 else 200
        found = _knock(host, instance, port, reloads, busy)
        instance.stop()
        version = lab.execute(host.container, "squid", "-v").split()[3]
        failed = sum(found["failures"].values())
        row: Row = {"workers": workers, "machine": "busy" if busy else "idle", "reloads": reloads}
        row |= {"connections": found["attempts"], "failed": failed, "slowest s": found["slowest"]}
        row |= {"tunnels lost": found["lost"]}
        tables.setdefault(f"Connections during reloads, Squid {version} ({host.distribution})", []).append(row)
        if workers == 2:
            targets.append(Target(f"Squid {version}, {where}: connections that failed", failed, 0))
            targets.append(Target(f"Squid {version}, {where}: tunnels lost", found["lost"], 0))
    return Part(tables=tables, targets=targets)


def _knock(host: lab.Host, instance: squid.Instance, port: int, reloads: int, busy: bool) -> dict:  # type: ignore[type-arg]
    command = ["docker", "exec", lab.LOAD, "python3", "/opt/bench/knock.py", host.address, str(port)]
    knocks = subprocess.Popen(
        [*command, str(reloads * _EVERY + 2), lab.LOAD_TARGET, "0.001"], stdout=subprocess.PIPE, text=True
    )
    burn = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _number in range(2 if busy else 0)]
    try:
        time.sleep(1)
        for _number in range(reloads):
            instance.reload()
            time.sleep(_EVERY)
        return json.loads(knocks.communicate(timeout=120)[0])  # type: ignore[no-any-return]
    finally:
        for process in burn:
            process.kill()
            process.wait()
