"""The lab of the scenario failover: a site for each line of Squid, with two parents, and a sensor that asks all the time."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

import lab

SITES = {f"ot-failover-site-{number}": f"ot-failover-sensor-{number}" for number in (1, 2, 3)}
FIRST, SECOND, NAMES = (f"ot-failover-{name}" for name in ("first", "second", "names"))
NETWORK = "ot-failover"
FIRST_ADDRESS, MOVED_ADDRESS = "10.112.0.21", "10.112.0.25"
CUT_OFF_ADDRESS = "10.112.0.23"
OK = "200 ok"
HUB = "hub.azure-devices.net"
CONFIG = "/etc/squid/squid.conf"

Returned = TypeVar("Returned")


def on_all(function: Callable[[str], Returned]) -> dict[str, Returned]:
    """Call a function for every site at once."""
    with ThreadPoolExecutor(len(SITES)) as pool:
        return dict(zip(SITES, pool.map(function, SITES), strict=True))


def each(fault: Callable[[str], AbstractContextManager[None]]) -> Callable[[], AbstractContextManager[None]]:
    """Make a fault of one site on all of them at once."""

    @contextmanager
    def everywhere() -> Iterator[None]:
        with ExitStack() as stack:
            on_all(lambda site: stack.enter_context(fault(site)))
            yield

    return everywhere


def versions() -> list[str]:
    """Return the version of each site's Squid."""
    return list(on_all(lambda site: lab.output(site, "squid", "-v").split("Version ")[1].split()[0]).values())


# How a first parent comes to behave badly ---------------------------------------------------------------------------


@contextmanager
def behaviour(word: str) -> Iterator[None]:
    lab.output(FIRST, "sh", "-c", f"echo {word} >/run/behaviour")
    try:
        yield
    finally:
        lab.output(FIRST, "rm", "/run/behaviour")


def silent(host: str = FIRST) -> AbstractContextManager[None]:
    return lab.packets(host, "input", "tcp dport { 3128, 3129 } drop")


def refusing() -> AbstractContextManager[None]:
    return lab.packets(FIRST, "input", "tcp dport { 3128, 3129 } reject with tcp reset")


@contextmanager
def _without_names(site: str) -> Iterator[None]:
    with lab.packets(site, "output", "udp dport 53 drop"):
        lab.output(site, "systemctl", "restart", "squid")
        yield


no_names = each(_without_names)
"""No site can look a name up, and each Squid starts like this, as after a power failure."""


@contextmanager
def moved() -> Iterator[None]:
    """The first parent's name has another address, and nobody answers at the old one."""
    lab.output(FIRST, "ip", "address", "add", f"{MOVED_ADDRESS}/24", "dev", "eth0")
    lab.output(NAMES, "sed", "-i", f"s/ {FIRST_ADDRESS}$/ {MOVED_ADDRESS}/", "/srv/names")
    try:
        with lab.packets(FIRST, "input", f"ip daddr {FIRST_ADDRESS} tcp dport {{ 3128, 3129 }} drop"):
            yield
    finally:
        lab.output(NAMES, "sed", "-i", f"s/ {MOVED_ADDRESS}$/ {FIRST_ADDRESS}/", "/srv/names")
        lab.output(FIRST, "ip", "address", "delete", f"{MOVED_ADDRESS}/24", "dev", "eth0")


# What a sensor gets ---------------------------------------------------------------------------


def load(site: str, config: str, verb: str = "reload") -> None:
    if config != lab.output(site, "cat", CONFIG):
        assert lab.run(site, "sh", "-c", f"cat >{CONFIG}", stdin=config).returncode == 0
        lab.output(site, "systemctl", verb, "squid")
        time.sleep(1)


class Asker:
    """A sensor that makes a CONNECT every 0.25 s."""

    def __init__(self, site: str, endpoint: str) -> None:
        command = [
            "docker",
            "exec",
            "-i",
            SITES[site],
            "python3",
            "/opt/shared/ask.py",
            lab.address(site, NETWORK),
            endpoint,
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._asked: dict[int, float] = {}
        self._answered: dict[int, tuple[float, str]] = {}

    def until(self, enough: Callable[[], bool]) -> None:
        """Read on until it is enough."""
        assert self._process.stdout is not None
        while not enough():
            number, at, became = json.loads(self._process.stdout.readline())
            if became is None:
                self._asked[number] = at
            else:
                self._answered[number] = (at, became)

    def passed(self, since: float) -> list[tuple[float, float]]:
        """When the CONNECTs that were made since then passed, and how long each took."""
        return sorted(
            (at, at - self._asked[number])
            for number, (at, became) in self._answered.items()
            if became == OK and self._asked[number] >= since
        )

    def over(self, since: float, seconds: float) -> bool:
        return max(self._asked.values(), default=since) - since > seconds

    def others(self, since: float, until: float) -> frozenset[str]:
        """What became of the CONNECTs made in between that did not pass."""
        made = [number for number, at in self._asked.items() if since <= at < until]
        return frozenset(self._answered.get(number, (0, "no answer"))[1] for number in made) - {OK}

    def stop(self) -> None:
        self._process.communicate()


def last_parent(site: str, endpoint: str = HUB) -> str:
    lines = lab.log_lines(site, f"CONNECT {endpoint}:443")
    return lines[-1].split("/")[-1].strip() if lines else ""


def visit(site: str, endpoint: str = HUB) -> lab.Visit:
    return lab.visit(SITES[site], f"http://{lab.address(site, NETWORK)}:3128", endpoint)


def passes(site: str, endpoint: str = HUB) -> bool:
    return visit(site, endpoint).body == f"endpoint {endpoint}"


def wait_for(site: str, condition: Callable[[str], bool], seconds: float) -> float:
    """Return after how many seconds a condition came true."""
    start = time.monotonic()
    while not condition(site):
        assert time.monotonic() - start < seconds, f"{site}: not within {seconds:g} s"
        time.sleep(1)
    return time.monotonic() - start


def uses_first(site: str, endpoint: str = HUB) -> bool:
    if not passes(site, endpoint):
        return False
    time.sleep(0.2)  # until the log has it
    return last_parent(site, endpoint) in (FIRST_ADDRESS, MOVED_ADDRESS, CUT_OFF_ADDRESS)
