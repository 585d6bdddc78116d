"""The hosts of molecule/bench, the inventories that describe them, and measured runs of commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
LOAD = "ot-bench-load"
LOAD_ADDRESS = "10.109.0.20"
LOAD_TARGET = "bench-hub.azure-devices.net:443"
PROXY = "bench-proxy"
"""Name of the proxy in every inventory, whatever container it is."""
PRIVATE_ENDPOINTS = [
    {"name": name, "networks": ["10.109.0.0/24"]} for name in ("*.azure-devices.net", "download.microsoft.com")
]
"""The lab's endpoints have addresses of its own network."""

_RECAP = re.compile(rf"^{PROXY} +: ok=(\d+) +changed=(\d+)", re.MULTILINE)
_LIMIT = 900


@dataclass(frozen=True)
class Host:
    """A container with systemd; it has no Squid until the playbook installs it."""

    distribution: str
    container: str
    address: str


@dataclass(frozen=True)
class Run:
    """What a command took; CPU seconds are those of all its processes, which other load on the machine hardly touches."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str


@dataclass(frozen=True)
class Play:
    """What a run of the playbook took; ``tasks`` are those that were executed rather than skipped."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    tasks: int
    changed: int


def hosts() -> list[Host]:
    """Return one host for each distribution of the lab."""
    found = {os.environ[f"DISTRO_{n}"]: (f"ot-bench-proxy-{n}", f"10.109.0.{n}") for n in (1, 2)}
    return [Host(distribution, *where) for distribution, where in found.items()]


def sensors(count: int) -> Iterator[tuple[str, str]]:
    """Yield names and addresses of sensors; the last one is the load generator."""
    for number in range(1, count):
        yield f"sensor-{number:05}", f"10.110.{number // 256}.{number % 256}"
    yield f"sensor-{count:05}", LOAD_ADDRESS


def inventory(folder: Path, host: Host, count: int) -> Path:
    """Write an inventory with one proxy and some sensors, as a user would, and return its path."""
    path = folder / f"{host.distribution}-{count}.yml"
    lines = [
        "all:",
        "  children:",
        "    proxies:",
        "      hosts:",
        f"        {PROXY}:",
        "          ansible_connection: community.docker.docker",
        f"          ansible_host: {host.container}",
        f"          squid_addresses: [{host.address}/24]",
        f"          squid_private_endpoints: {json.dumps(PRIVATE_ENDPOINTS)}",
        "    sensors:",
        "      hosts:",
    ]
    for name, address in sensors(count):
        lines += [f"        {name}:", f"          sensor_proxy_src: {address}"]
    lines += ["      vars:", f"        sensor_proxy_via: {PROXY}"]
    path.write_text("\n".join(lines) + "\n")
    return path


def play(inventory_path: Path, *arguments: str, playbook: str = "playbooks/proxies.yml") -> Play:
    """Run a playbook of the checkout, by default the proxies'."""
    command = ["ansible-playbook", "-i", str(inventory_path), str(CHECKOUT / playbook), *arguments]
    run = measured(command)
    recap = _RECAP.search(run.output)
    if recap is None:
        raise RuntimeError(f"the playbook's recap does not name {PROXY}:\n{run.output[-2000:]}")
    return Play(run.seconds, run.cpu_seconds, run.peak_mb, int(recap[1]), int(recap[2]))


def install(folder: Path, host: Host) -> None:
    """Bring up the proxy, unless an earlier part did."""
    if not has_squid(host):
        play(inventory(folder, host, 10))


def has_squid(host: Host) -> bool:
    """Whether the playbook has run on it."""
    return execute(host.container, "find", "/usr/sbin", "-name", "squid") != ""


def measured(command: list[str], **variables: str) -> Run:
    """Run a command, with more variables in its environment; its peak memory is that of the largest of its processes.

    Raises:
        RuntimeError: it failed; the text ends with the last of its output.
    """
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "default", **variables}
    environment.pop("ANSIBLE_FORCE_COLOR", None)
    with tempfile.TemporaryFile("w+") as log:
        start = time.monotonic()
        process = subprocess.Popen(
            ["timeout", "--foreground", str(_LIMIT), *command],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        output = log.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}:\n{output[-2000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def execute(container: str, *command: str, given: str | None = None) -> str:
    """Run a command in a container and return its output."""
    docker = ["docker", "exec", *(["-i"] if given is not None else []), container, *command]
    done = subprocess.run(docker, input=given, capture_output=True, text=True, timeout=_LIMIT, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{container}: {' '.join(command)} ended with exit code {done.returncode}: {done.stderr[-2000:]}"
        )
    return done.stdout
