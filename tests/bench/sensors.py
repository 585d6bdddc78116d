"""Part d: what a sensor costs, by each transport, with 20 and with 200 of them; against simulated consoles on loopback."""

from __future__ import annotations

import json
import subprocess
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
_NOTHING = Path(__file__).with_name("nothing.yml")
_IN_A_ROW = 5
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
    one, found = _one(progress, folder, profile, 1 if quick else 2)
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
        tables={
            "Simulated sensors one after the other: read, push, verify": one,
            "Fleets of simulated sensors by http": fleets,
        },
        targets=[
            Target("browser, seconds a sensor", found["browser"], _BROWSER_SECONDS),
            Target("http, seconds a sensor", found["http"], _HTTP_SECONDS),
            Target("http, seconds of the module beyond one that does nothing", found["own"], _OWN_SECONDS),
            Target(f"{large} sensors by http, seconds", seconds[(large, "first push")], _FLEET_SECONDS),
            Target(
                f"cost per sensor, {large} against {small}",
                round(per_sensor[large] / per_sensor[small], 2),
                _FLAT,
            ),
        ],
    )


def _one(progress: Progress, folder: Path, profile: Path, rounds: int) -> tuple[list[Row], dict[str, float]]:
    """Return the table, and seconds a sensor by browser and by http, and what http's module takes beyond one that does nothing."""
    first: dict[str, list[float]] = {name: [] for name in LABELS}
    further: dict[str, list[float]] = {name: [] for name in LABELS}
    with _sensors(folder, _IN_A_ROW, profile) as (inventory, simulated):
        # In turn, so that what else the machine does hits each of them alike.
        for number in range(rounds):
            progress.say(f"{_IN_A_ROW} sensors one after the other, round {number + 1}", 0.05 + 0.3 * number / rounds)
            for name in LABELS:
                for sensor in simulated:
                    sensor.reset()
                # The first task of a run pays for what Ansible prepares once.
                slowest, *others = sorted(_task_seconds(inventory, name), reverse=True)
                first[name].append(slowest)
                further[name] += others
                if name != "ping" and not all(sensor.proxy()["enabled"] for sensor in simulated):
                    raise RuntimeError("a sensor was not pushed; this measures nothing.")
        progress.say("the module alone", 0.35)
        own = _own_seconds(folder, inventory, simulated[0], 3 * rounds)
    found = {name: round(median(further[name]), 2) for name in LABELS} | {"own": round(own, 2)}
    rows: list[Row] = [
        {
            "task": label,
            "first of a run s": round(median(first[name]), 2),
            "each further s": found[name],
            "slowest further s": round(max(further[name]), 2),
        }
        for name, label in LABELS.items()
    ]
    return rows, found


def _task_seconds(inventory: Path, name: str) -> list[float]:
    """Return what the task takes for each sensor, one after the other, from its start to its end."""
    if name == "ping":
        command = ["ansible-playbook", "-i", str(inventory), str(_NOTHING)]
    else:
        command = _command(inventory, sensor_proxy_transport=name, sensor_proxy_serial=1)
    profiled = {"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks", "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "all"}
    output = lab.measured(command, **profiled).output
    times = [
        float(line.rsplit(" ", 1)[1].rstrip("s"))
        for line in output.splitlines()
        if line.startswith(("ot_security.proxy_chaining.sensor_proxy : Push the proxy", "Do nothing"))
        and line.endswith("s")
    ]
    if len(times) != _IN_A_ROW:
        raise RuntimeError(f"the run names no time for each of its sensors:\n{output[-1500:]}")
    return times


def _own_seconds(folder: Path, inventory: Path, sensor: Simulated, repeats: int) -> float:
    """Return what the process of the module takes beyond that of one that does nothing, both as Ansible starts them."""
    kept = folder / "kept"
    keep = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_REMOTE_TMP": str(kept), "ANSIBLE_PIPELINING": "0"}
    for command in (
        _command(inventory, sensor_proxy_transport="http"),
        ["ansible-playbook", "-i", str(inventory), str(_NOTHING)],
    ):
        lab.measured([*command, "--limit", "sensor-000,bench-proxy"], **keep)
    pushes, nothing = (next(kept.glob(f"*/AnsiballZ_{name}.py")) for name in ("sensor_proxy", "ping"))
    beyond = []
    for _repeat in range(repeats):
        sensor.reset()
        beyond.append(_seconds(pushes) - _seconds(nothing))
        if not sensor.proxy()["enabled"]:
            raise RuntimeError("the sensor was not pushed; this measures nothing.")
    return median(beyond)


def _seconds(script: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, script], capture_output=True, check=True)
    return time.perf_counter() - start


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
