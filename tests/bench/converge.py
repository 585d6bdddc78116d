"""Part a: the first converge of one host, and runs that change nothing."""

from __future__ import annotations

from pathlib import Path

from tests.bench import lab
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

SECONDS = 180.0
_NO_CHANGE_SECONDS = 8
_NO_CHANGE_TASKS = 15


def run(progress: Progress, folder: Path, quick: bool) -> Part:
    """Measure every distribution."""
    rows: list[Row] = []
    repeats = 1 if quick else 3
    hosts = lab.hosts()
    for number, host in enumerate(hosts):
        if lab.has_squid(host):
            raise RuntimeError(f"{host.container} already has Squid; part a needs fresh hosts and comes first.")
        inventory = lab.inventory(folder, host, 10)
        progress.say(f"{host.distribution}, first converge", number / len(hosts))
        first = lab.play(inventory)
        runs = []
        for repeat in range(repeats):
            share = 0.7 + 0.3 * repeat / repeats
            progress.say(f"{host.distribution}, no-change run {repeat + 1} of {repeats}", (number + share) / len(hosts))
            runs.append(lab.play(inventory))
        if any(again.changed for again in runs):
            raise RuntimeError(
                f"{host.distribution}: a second run of the playbook changes something; this measures nothing."
            )
        middle = sorted(runs, key=lambda again: again.seconds)[repeats // 2]
        rows += [_row(host.distribution, "first converge", first), _row(host.distribution, "no change", middle)]
    return Part(tables={"Proxies play on one host": rows}, targets=_targets(rows))


def _row(distribution: str, name: str, play: lab.Play) -> Row:
    return {
        "distribution": distribution,
        "run": name,
        "seconds": round(play.seconds, 1),
        "CPU s": round(play.cpu_seconds, 1),
        "executed tasks": play.tasks,
    }


def _targets(rows: list[Row]) -> list[Target]:
    found = []
    for row in rows:
        if row["run"] == "no change":
            name = f"{row['distribution']}, no change"
            found.append(Target(f"{name}, seconds", float(row["seconds"]), _NO_CHANGE_SECONDS))
            found.append(Target(f"{name}, executed tasks", float(row["executed tasks"]), _NO_CHANGE_TASKS))
    return found
