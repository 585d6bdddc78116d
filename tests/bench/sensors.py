"""Part d: what a sensor costs, by each transport, with 20 and with 200 of them; against simulated consoles on loopback."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import lab
from tests.bench.progress import Progress
from tests.bench.report import Part, Row, Target

sys.path.insert(0, str(lab.CHECKOUT / "molecule/shared"))

import learned
from simulated import Simulated

SECONDS = 420.0
GENERATION = "23"
LABELS = {"browser": "browser", "http": "http", "ping": "a module that does nothing"}
_BROWSER_SECONDS = 6
_HTTP_SECONDS = 1
_OWN_SECONDS = 0.3
_FLEET = 200
_FLEET_SECONDS = 180
_FLAT = 1.25
"""Cost per sensor with the largest fleet against that with a small one."""


def run(progress: Progress, folder: Path, quick: bool) -> Part:
    """Measure one sensor by both transports, then fleets by http."""
    progress.say("a profile, learned from a recording", 0)
    profile = learned.profile(folder, GENERATION)
    one, found = _one(progress, folder, profile, 1 if quick else 7)
    small, large = (4, 8) if quick else (20, _FLEET)
    fleets: list[Row] = []
    per_sensor: dict[int, float] = {}
    for share, count in ((0.4, small), (0.6, large)):
        progress.say(f"{count} sensors by http", share)
        with _sensors(folder, count, profile) as (inventory, simulated):
            for what, state in (("first push", "present"), ("no change", "present")):
                play = _play(inventory, sensor_proxy_state=state)
                per_sensor.setdefault(count, play.seconds / count)
                fleets.append(_row(count, what, play))
            if any(not sensor.proxy()["enabled"] for sensor in simulated):
                raise RuntimeError("a sensor of the fleet was not pushed; this measures nothing.")
    seconds = {(row["sensors"], row["run"]): float(row["seconds"]) for row in fleets}
    return Part(
        tables={"One simulated sensor: read, push, verify": one, "Fleets of simulated sensors by http": fleets},
        targets=[
            Target("browser, seconds a sensor", found["browser"], _BROWSER_SECONDS),
            Target("http, seconds a sensor", found["http"], _HTTP_SECONDS),
            Target("http, seconds beyond a module that does nothing", found["own"], _OWN_SECONDS),
            Target(f"{large} sensors by http, seconds", seconds[(large, "first push")], _FLEET_SECONDS),
            Target(
                f"cost per sensor, {large} against {small}",
                round(per_sensor[large] / per_sensor[small], 2),
                _FLAT,
            ),
        ],
    )


def _one(progress: Progress, folder: Path, profile: Path, repeats: int) -> tuple[list[Row], dict[str, float]]:
    """Return the table, and the seconds of a push by browser, by http, of a module that does nothing, and http's own."""
    times: dict[str, list[float]] = {name: [] for name in LABELS}
    with _sensors(folder, 1, profile) as (inventory, (sensor,)):
        # In turn, so that what else the machine does hits each of them alike.
        for repeat in range(repeats):
            progress.say(f"one sensor, run {repeat + 1}", 0.05 + 0.35 * repeat / repeats)
            for name, measured in times.items():
                sensor.reset()
                measured.append(_task_seconds(inventory, name))
                if name != "ping" and not sensor.proxy()["enabled"]:
                    raise RuntimeError("the sensor was not pushed; this measures nothing.")
    found = {name: round(median(measured), 2) for name, measured in times.items()}
    found["own"] = round(median(http - ping for http, ping in zip(times["http"], times["ping"], strict=True)), 2)
    rows: list[Row] = [
        {
            "task": LABELS[name],
            "seconds": found[name],
            "quickest": round(min(measured), 2),
            "slowest": round(max(measured), 2),
        }
        for name, measured in times.items()
    ]
    return rows, found


def _task_seconds(inventory: Path, name: str) -> float:
    """Return what one task takes inside a run of the playbook, from its start to its end."""
    if name == "ping":
        command = ["ansible-playbook", "-i", str(inventory), str(Path(__file__).with_name("nothing.yml"))]
    else:
        command = _command(inventory, sensor_proxy_transport=name)
    output = lab.measured(command, ANSIBLE_CALLBACKS_ENABLED="ansible.posix.profile_tasks").output
    times = [
        float(line.rsplit(" ", 1)[1].rstrip("s"))
        for line in output.splitlines()
        if line.startswith(("ot_security.proxy_chaining.sensor_proxy : Push", "Do nothing")) and line.endswith("s")
    ]
    if not times:
        raise RuntimeError(f"the run names no time for its task:\n{output[-1500:]}")
    return max(times)


@contextmanager
def _sensors(folder: Path, count: int, profile: Path) -> Iterator[tuple[Path, list[Simulated]]]:
    """Simulated sensors and an inventory of them."""
    with learned.simulator(folder, GENERATION, "bench-console", "--count", str(count), "--delay", "0") as ports:
        assert isinstance(ports["sensors"], list)
        hosts = {
            f"sensor-{number:03}": {
                "sensor_proxy_src": f"10.110.0.{number + 1}",
                "sensor_proxy_console_url": f"https://127.0.0.1:{port}",
            }
            for number, port in enumerate(ports["sensors"])
        }
        variables: dict[str, Any] = {
            "sensor_proxy_console_password": "bench-console",
            "sensor_proxy_console_validate_certs": False,
            "sensor_proxy_transport": "http",
            "sensor_proxy_profile": str(profile),
            # The simulated sensor's word is never out of date.
            "sensor_proxy_cloud_delay": 0,
        }
        proxies = {"hosts": {"bench-proxy": {"squid_addresses": ["10.110.0.250/24"]}}}
        inventory = folder / f"sensors-{count}.json"
        inventory.write_text(
            json.dumps({"all": {"children": {"proxies": proxies, "sensors": {"hosts": hosts, "vars": variables}}}})
        )
        control = f"http://127.0.0.1:{ports['control']}"
        simulated = [Simulated(control, number) for number in range(count)]
        time.sleep(1)
        yield inventory, simulated


def _command(inventory: Path, **variables: Any) -> list[str]:
    playbook = lab.CHECKOUT / "playbooks/sensors.yml"
    return ["ansible-playbook", "-i", str(inventory), "-e", json.dumps(variables), str(playbook)]


def _play(inventory: Path, **variables: Any) -> lab.Run:
    return lab.measured(_command(inventory, **variables))


def _row(count: int, what: str, play: lab.Run) -> Row:
    return {
        "sensors": count,
        "run": what,
        "seconds": round(play.seconds, 1),
        "seconds a sensor": round(play.seconds / count, 2),
        "CPU s": round(play.cpu_seconds, 1),
        "peak MB": round(play.peak_mb),
    }
