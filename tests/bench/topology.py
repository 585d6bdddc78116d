"""Part b: deriving the topology and rendering squid.conf for very many sensors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.bench import lab
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

SECONDS = 200.0
LAYOUTS = ("per_sensor", "combined")
_OVER_SMALLEST = 20


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
    return Part(
        tables={
            "Topology and template in one process": alone,
            f"Proxies play in check mode, {host.distribution}": played,
        },
        targets=[
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
