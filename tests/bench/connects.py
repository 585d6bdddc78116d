"""Part c: what a CONNECT costs Squid, by the number of sensors and the layout of their rules."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.bench import lab, squid, topology
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

SECONDS = 280.0
_FIRST_PORT = 3200
_AT_MOST = 1.15

Case = tuple[str, int]
"""Layout and number of sensors."""

STOCK: Case = ("stock", 1)


def run(progress: Progress, folder: Path, quick: bool) -> Part:
    """Measure every distribution."""
    sizes = (1, 100) if quick else (1, 100, 1_000, 10_000)
    count, rounds = (300, 2) if quick else (4_000, 3)
    cases = [STOCK, *((layout, size) for layout in topology.LAYOUTS for size in sizes)]
    progress.say("rendering the configurations", 0)
    files = {case: folder / f"{case[0]}-{case[1]}.conf" for case in cases[1:]}
    for (layout, size), path in files.items():
        topology.render(size, layout, path)
    tables, targets = {}, []
    hosts = lab.hosts()
    for number, host in enumerate(hosts):
        start, share = 0.1 + 0.9 * number / len(hosts), 0.9 / len(hosts)
        progress.say(f"{host.distribution}, a host with Squid, unless there is one", start)
        lab.install(folder, host)
        samples = _samples(progress, host, files, count, rounds, (start, share))
        version = lab.execute(host.container, "squid", "-v").split()[3]
        tables[f"CPU time per CONNECT, Squid {version} ({host.distribution})"] = [_row(case, samples) for case in cases]
        ratio = _ratio(samples, ("combined", sizes[-1]), ("combined", 1))
        targets.append(Target(f"Squid {version}, combined, {sizes[-1]:,} sensors against 1", round(ratio, 2), _AT_MOST))
    return Part(tables=tables, targets=targets)


def _samples(
    progress: Progress, host: lab.Host, files: dict[Case, Path], count: int, rounds: int, when: tuple[float, float]
) -> dict[Case, list[squid.Sample]]:
    contents = {STOCK: squid.stock(host), **{case: path.read_text() for case, path in files.items()}}
    instances = {
        case: squid.Instance(host, f"bench{index}", _FIRST_PORT + index, content)
        for index, (case, content) in enumerate(contents.items())
    }
    samples: dict[Case, list[squid.Sample]] = {case: [] for case in instances}
    for instance in instances.values():
        instance.wait()
        instance.sample(count // 10)
    # Interleaved, so that whatever else the machine does meets every configuration.
    for number in range(rounds):
        progress.say(
            f"{host.distribution}, round {number + 1} of {rounds}", when[0] + when[1] * (0.2 + 0.8 * number / rounds)
        )
        for case, instance in instances.items():
            samples[case].append(instance.sample(count))
    for instance in instances.values():
        instance.stop()
    return samples


def _row(case: Case, samples: dict[Case, list[squid.Sample]]) -> Row:
    layout, size = case
    cpu = [sample.cpu_us for sample in samples[case]]
    first = case if case == STOCK else (layout, 1)
    return {
        "layout": layout,
        "sensors": size,
        "CPU us": round(statistics.median(cpu)),
        "x stock": round(_ratio(samples, case, STOCK), 2),
        "x 1 sensor": round(_ratio(samples, case, first), 2),
        "CONNECTs/s": round(statistics.median(sample.per_second for sample in samples[case])),
        "spread %": round((max(cpu) - min(cpu)) / statistics.median(cpu) * 100, 1),
    }


def _ratio(samples: dict[Case, list[squid.Sample]], case: Case, base: Case) -> float:
    """The median of the rounds' own ratios, which what slows down a whole round does not touch."""
    pairs = zip(samples[case], samples[base], strict=True)
    return statistics.median(mine.cpu_us / other.cpu_us for mine, other in pairs)
