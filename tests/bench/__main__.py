"""Runs the parts of the benchmark that are asked for; tools/bench starts the hosts and removes them."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import connects, converge, lab, reloads, report, sensors, topology, usual, verify
from tests.bench.progress import Progress

PARTS = {"a": converge, "b": topology, "c": connects, "d": sensors, "e": verify, "f": reloads, "g": usual}
_BUSY = 1.0


def main() -> int:
    """Run or show."""
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="try the tool itself; the figures mean nothing")
    parser.add_argument("--markdown", action="store_true", help="print the last figures as tables")
    arguments = parser.parse_args()
    path = lab.CHECKOUT / ".cache" / ("bench-quick.json" if arguments.quick else "bench.json")
    if arguments.markdown:
        print(report.markdown(report.load(path)) if path.exists() else "No figures yet; run tools/bench.")
        return 0 if path.exists() else 1
    # In this order, because part a needs hosts that have no Squid yet.
    wanted = sorted(set(arguments.parts)) or list(PARTS)
    if os.getloadavg()[0] > _BUSY:
        print(
            f"bench: the machine is busy (load {os.getloadavg()[0]:.1f}); seconds will be too many, CPU times hardly."
        )
    progress = Progress({name: PARTS[name].SECONDS for name in wanted})
    with tempfile.TemporaryDirectory(prefix="ot-bench-") as folder:
        for name in wanted:
            progress.begin(name)
            part = PARTS[name].run(progress, Path(folder), arguments.quick)
            report.save(path, machine(), name, part)
            print(report.text(part), flush=True)
    print(f"bench: the figures are in {path.relative_to(lab.CHECKOUT)}")
    return 0


def machine() -> dict[str, str]:
    """Say where and when this was measured."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    version = lab.measured(["ansible", "--version"]).output.split("]")[0].split()[-1]
    return {
        "processor": f"{os.cpu_count()} x {names[0] if names else platform.machine()}",
        "ansible": f"ansible-core {version}",
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
