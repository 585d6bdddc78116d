"""Part g: a sensor that comes and goes, by this collection and by what a role for Squid in general usually is, side by side."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.bench import knock, lab
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

SECONDS = 480.0
_NEW = "sensor-new"


def run(progress: Progress, folder: Path, quick: bool) -> Part:
    """Measure every distribution, or with quick the first one."""
    tables: dict[str, list[Row]] = {}
    targets = []
    hosts = lab.hosts()[: 1 if quick else None]
    more = folder / "more.yml"
    more.write_text(f"sensors: {{hosts: {{{_NEW}: {{sensor_proxy_src: 10.110.250.1}}}}}}\n")
    for number, host in enumerate(hosts):
        inventory = lab.inventory(folder, host, 10)
        progress.say(f"{host.distribution}, this collection", number / len(hosts))
        lab.install(folder, host)
        gone = ("-e", f"topology_removed_sensors={_NEW}")
        ours = _measured(host, partial(lab.play, inventory), more, gone)
        version = lab.execute(host.container, "squid", "-v").split()[3]
        progress.say(f"{host.distribution}, a file and a restart", (number + 0.4) / len(hosts))
        # Nothing of ours is left.
        lab.play(inventory, "-e", "squid_state=absent")
        usual = partial(lab.play, inventory, playbook="tests/bench/usual.yml")
        usual()
        theirs = _measured(host, usual, more, ())
        rows = [_row("this collection", ours), _row("a file in conf.d, and a handler that restarts", theirs)]
        tables[f"A sensor added and removed, Squid {version} ({host.distribution})"] = rows
        targets += [
            Target(f"Squid {version}, this collection, {what}", float(rows[0][what]), 0)
            for what in ("refused s", "tunnels lost")
        ]
    return Part(tables=tables, targets=targets)


def _measured(host: lab.Host, play: Callable[..., lab.Play], more: Path, gone: tuple[str, ...]) -> dict:  # type: ignore[type-arg]
    """Add a sensor and take it away while tunnels are held and the proxy is knocked at."""
    command = ["docker", "exec", "-i", lab.LOAD, "python3", "/opt/bench/knock.py", host.address, "3128", "0"]
    with subprocess.Popen(
        [*command, lab.LOAD_TARGET, "0.01"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as knocks:
        time.sleep(2)
        changes = [play("-i", str(more)), play(*gone)]
        time.sleep(2)
        found = json.loads(knocks.communicate(timeout=120)[0])
    if not all(change.changed for change in changes):
        raise RuntimeError(f"{host.container}: a play changed nothing; this measures nothing.")
    return found  # type: ignore[no-any-return]


def _row(name: str, found: dict) -> Row:  # type: ignore[type-arg]
    failed = sum(found["failures"].values())
    # Asked as often in each second, so that the share of failures is that of the time.
    refused = round(failed / found["attempts"] * found["seconds"], 2)
    how = ", ".join(f"{number} {kind}" for kind, number in found["failures"].items())
    row: Row = {"by": name, "connections": found["attempts"], "failed": how or "0", "refused s": refused}
    return row | {"tunnels": knock.TUNNELS, "tunnels lost": found["lost"]}
