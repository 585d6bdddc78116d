"""Part b: deriving the topology and rendering squid.conf for very many sensors."""

from __future__ import annotations

import json
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import lab
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

SECONDS = 200.0
LAYOUTS = ("per_sensor", "combined")
_OVER_SMALLEST = 20
_DERIVE = "tests/bench/derive.yml"
_OF_NOTHING = {"topology": 1.5, "proxies, --check": 2.0}
"""CPU seconds with the most sensors, as a multiple of those of a play that does nothing with the same inventory."""


def run(progress: Progress, folder: Path, quick: bool) -> Part:
    """Measure both layouts, in a process of their own and inside the playbook."""
    sizes = (10, 100) if quick else (10, 100, 1_000, 10_000)
    cases = [(layout, size) for layout in LAYOUTS for size in sizes]
    alone: list[Row] = []
    for number, (layout, size) in enumerate(cases):
        progress.say(f"in one process, {layout}, {size:,} sensors", 0.2 * number / len(cases))
        figures = render(size, layout, folder / "squid.conf")
        alone.append(
            {
                "layout": layout,
                "sensors": size,
                "derive s": round(figures["derive"], 4),
                "render s": round(figures["render"], 3),
                "peak MB": round(figures["peak_mb"]),
                "of that data MB": round(figures["more_mb"]),
            }
        )
    progress.say("a host with Squid, unless there is one", 0.2)
    host = lab.hosts()[-1]
    lab.install(folder, host)
    played: list[Row] = []
    smallest: dict[str, float] = {}
    for number, (layout, size) in enumerate(cases):
        progress.say(f"playbook --check, {layout}, {size:,} sensors", 0.4 + 0.6 * number / len(cases))
        inventory = lab.inventory(folder, host, size)
        play = lab.play(inventory, "--check", "-e", f"squid_acl_layout={layout}")
        over = play.seconds - smallest.setdefault(layout, play.seconds)
        played.append(
            {
                "layout": layout,
                "sensors": size,
                "seconds": round(play.seconds, 1),
                "CPU s": round(play.cpu_seconds, 1),
                f"over {sizes[0]} sensors s": round(over, 1),
                "peak MB": round(play.peak_mb),
            }
        )
    progress.say("a play that does nothing, and the topology alone", 0.95)
    compared = {
        what: statistics.median(run().cpu_seconds for _repeat in range(1 if quick else 3))
        for what, run in {
            "nothing": partial(lab.play, inventory, "--tags", "nothing", playbook=_DERIVE),
            "topology": partial(lab.play, inventory, "--tags", "topology", playbook=_DERIVE),
            "proxies, --check": partial(lab.play, inventory, "--check"),
        }.items()
    }
    return Part(
        tables={
            "Topology and template in one process": alone,
            f"Proxies play in check mode, {host.distribution}": played,
            f"CPU seconds of a play with {sizes[-1]:,} sensors": [
                {"play": what, "CPU s": round(cpu, 1), "x nothing": round(cpu / compared["nothing"], 2)}
                for what, cpu in compared.items()
            ],
        },
        targets=[
            Target(f"{what}, CPU of nothing", round(compared[what] / compared["nothing"], 2), limit)
            for what, limit in _OF_NOTHING.items()
        ]
        + [
            Target(
                f"{row['layout']}, {row['sensors']:,} sensors, seconds over {sizes[0]}",
                float(row[f"over {sizes[0]} sensors s"]),
                _OVER_SMALLEST,
            )
            for row in played
            if row["sensors"] == sizes[-1]
        ],
    )


def render(size: int, layout: str, path: Path) -> dict[str, Any]:
    """Write the configuration and return what that took."""
    run = lab.measured([sys.executable, "-m", "tests.bench.render", str(size), layout, str(path)])
    figures: dict[str, Any] = json.loads(run.output.splitlines()[-1])
    return figures
