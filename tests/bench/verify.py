"""Part e: what proving the chain costs with very many sensors, whose number must not matter, since each link is walked once."""

from __future__ import annotations

import re
from pathlib import Path

from tests.bench import lab
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

SECONDS = 150.0
CHAINS = 12
_SIZES = (12, 1_000)
_RATIO = 3
_RECAP = re.compile(r"^plant-\d\d +: ok=\d+ +changed=0 +unreachable=0 +failed=0 ", re.MULTILINE)
_ENDPOINT = "download.microsoft.com"
_CERTIFICATE = "/srv/endpoint.pem"


def run(progress: Progress, folder: Path, quick: bool) -> Part:
    """Measure a few sensors and many, over as many chains."""
    host = lab.hosts()[-1]
    progress.say("a host with Squid, configured for all sensors", 0)
    certificate = lab.execute("ot-bench-endpoint", "cat", _CERTIFICATE)
    lab.execute(host.container, "sh", "-c", f"cat >{_CERTIFICATE}", given=certificate)
    rows: list[Row] = []
    for share, size in zip((0.2, 0.6), _SIZES, strict=True):
        # The plants' proxies are one Squid under twelve names: the work of the playbook is the same, and there is room for it here.
        lab.play(lab.inventory(folder, host, size))
        inventory = _inventory(folder, host, size)
        runs = []
        for repeat in range(1 if quick else 3):
            progress.say(f"{size:,} sensors, run {repeat + 1}", share + 0.1 * repeat)
            runs.append(_verify(folder, inventory, size))
        middle = sorted(runs, key=lambda each: each.seconds)[len(runs) // 2]
        rows.append(
            {
                "chains": CHAINS,
                "sensors": size,
                "seconds": round(middle.seconds, 1),
                "CPU s": round(middle.cpu_seconds, 1),
                "peak MB": round(middle.peak_mb),
            }
        )
    ratio = round(float(rows[1]["seconds"]) / float(rows[0]["seconds"]), 2)
    return Part(
        tables={f"Verify play, {host.distribution}": rows},
        targets=[Target(f"{_SIZES[1]:,} sensors against {_SIZES[0]}, seconds", ratio, _RATIO)],
    )


def _inventory(folder: Path, host: lab.Host, count: int) -> Path:
    """Write an inventory of twelve plants, each with its share of the sensors."""
    path = folder / f"plants-{count}.yml"
    proxies = [f"plant-{number:02}" for number in range(1, CHAINS + 1)]
    lines = [
        "all:",
        "  children:",
        "    proxies:",
        "      vars:",
        "        ansible_connection: community.docker.docker",
        f"        ansible_host: {host.container}",
        f"        chain_verify_endpoints: [{_ENDPOINT}]",
        f"        chain_verify_ca_path: {_CERTIFICATE}",
        "      hosts:",
        *(f"        {name}: {{squid_addresses: [10.110.255.{number}]}}" for number, name in enumerate(proxies, 1)),
        "    sensors:",
        "      hosts:",
    ]
    for number, (name, address) in enumerate(lab.sensors(count)):
        via = proxies[number % CHAINS]
        lines.append(f"        {name}: {{sensor_proxy_src: {address}, sensor_proxy_via: {via}}}")
    path.write_text("\n".join(lines) + "\n")
    return path


def _verify(folder: Path, inventory: Path, size: int) -> lab.Run:
    report = folder / "report"
    command = ["ansible-playbook", "-i", str(inventory), str(lab.CHECKOUT / "playbooks/verify.yml")]
    done = lab.measured([*command, "-e", f"chain_verify_report_dir={report}"])
    if f"{size:,} ok, 0 degraded, 0 unknown, 0 broken" not in done.output or len(_RECAP.findall(done.output)) != CHAINS:
        raise RuntimeError(f"the chains were not proven; this measures nothing:\n{done.output[-2000:]}")
    return done
