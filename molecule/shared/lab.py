"""What the scenarios' tests do with the hosts of their lab: run commands on them and CONNECT from them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


def run(host: str, *command: str, stdin: str | None = None, seconds: int = 120) -> subprocess.CompletedProcess[str]:
    """Run a command on a host of the lab, whatever its exit code."""
    return subprocess.run(
        ["docker", "exec", "-i", host, *command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def output(host: str, *command: str) -> str:
    """Run a command on a host of the lab that must succeed, and return what it printed."""
    done = run(host, *command)
    assert done.returncode == 0, f"{host}: {command} ended with {done.returncode}: {done.stderr or done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Visit:
    """A request that a host made through a proxy, with the endpoint's certificate checked."""

    connect: int
    """Status of the proxy's answer to CONNECT; 0 when there was none."""

    body: str
    """What the endpoint said; empty when it was not reached."""

    seconds: float
    """From the start to the end."""


def visit(
    host: str, proxy: str, endpoint: str, *, port: int = 443, user: str | None = None, options: tuple[str, ...] = ()
) -> Visit:
    """Request https://endpoint/ from a host through a proxy (``http://address:port``), with 10 seconds at most."""
    credentials = ("--proxy-user", user) if user else ()
    command = ["curl", "--silent", "--max-time", "10", "--cacert", "/srv/endpoint.pem", "--proxy", proxy, *credentials]
    done = run(
        host, *command, *options, "--write-out", "\n%{http_connect} %{time_total}", f"https://{endpoint}:{port}/"
    )
    body, _newline, numbers = done.stdout.rpartition("\n")
    connect, seconds = numbers.split()
    return Visit(connect=int(connect), body=body.strip(), seconds=float(seconds))


def address(host: str, network: str) -> str:
    """Return the IPv4 address that a host has in a network of the lab."""
    template = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    return subprocess.run(
        ["docker", "inspect", "--format", template, host], capture_output=True, text=True, check=True
    ).stdout.strip()


def log_lines(proxy: str, text: str) -> list[str]:
    """Return the lines of a proxy's access log that hold a text, oldest first."""
    return [line for line in output(proxy, "cat", "/var/log/squid/access.log").splitlines() if text in line]


@contextmanager
def packets(host: str, hook: str, rule: str) -> Iterator[None]:
    """Treat packets that come to a host (input) or leave it (output) as a rule of nftables says."""
    rules = f"table inet fault {{ chain {hook} {{ type filter hook {hook} priority -10; {rule}; }}; }}"
    assert run(host, "nft", "-f", "-", stdin=rules).returncode == 0
    try:
        yield
    finally:
        output(host, "nft", "delete", "table", "inet", "fault")


@contextmanager
def stopped(proxy: str) -> Iterator[None]:
    """Let a proxy's Squid not run."""
    output(proxy, "systemctl", "stop", "squid")
    try:
        yield
    finally:
        output(proxy, "systemctl", "start", "squid")


@contextmanager
def paused(host: str) -> Iterator[None]:
    """Let no process of a host run."""
    subprocess.run(["docker", "pause", host], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["docker", "unpause", host], check=True, capture_output=True)


@dataclass
class Watch:
    """What sensors saw of their proxies for a while, as watch.py reports it."""

    reports: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def over(self, sensors: Mapping[str, tuple[str, ...]], seconds: int = 240) -> Iterator[None]:
        """Let each sensor hold a tunnel and CONNECT all the time, and keep the reports.

        Args:
            sensors: by the sensor's name the proxy's address, the endpoint and, if need be, the interval in seconds, the user and the
                number of tunnels.
            seconds: how long it takes at most.
        """
        for sensor in sensors:
            output(sensor, "rm", "-f", "/tmp/watch.ready")
        script = ["python3", "/opt/shared/watch.py"]
        started = {
            sensor: subprocess.Popen(
                ["docker", "exec", sensor, *script, proxy, endpoint, str(seconds), *more],
                stdout=subprocess.PIPE,
                text=True,
            )
            for sensor, (proxy, endpoint, *more) in sensors.items()
        }
        try:
            for sensor in sensors:
                output(sensor, "timeout", "110", "sh", "-c", "until [ -e /tmp/watch.ready ]; do sleep 0.2; done")
            time.sleep(2)
            yield
            time.sleep(2)
        finally:
            for sensor in started:
                output(sensor, "touch", "/tmp/watch.stop")
            for sensor, process in started.items():
                self.reports[sensor] = json.loads(process.communicate(timeout=60)[0])
