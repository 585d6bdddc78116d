"""The hosts of the scenario chain, as its tests use them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import lab

ENDPOINT = "hub.azure-devices.net"
SITES = {
    "ot-chain-site-1": ("ot-chain-sensor1", "sensor1:pass: word #1"),
    "ot-chain-site-2": ("ot-chain-sensor2", None),
    "ot-chain-site-3": ("ot-chain-sensor3", None),
}
"""For each site's proxy its sensor, and as whom this signs in."""

PARENTS = ("ot-chain-dmz-1", "ot-chain-dmz-2")


def visit(site: str, endpoint: str = ENDPOINT, user: str | None = None) -> lab.Visit:
    """Let a site's sensor request an endpoint through the site's proxy."""
    sensor, credentials = SITES[site]
    return lab.visit(sensor, f"http://{address(site)}:3128", endpoint, user=user or credentials)


def address(site: str) -> str:
    """Return where a site's sensor finds its proxy."""
    return lab.address(site, "ot-chain-ot")


@contextmanager
def attack(host: str, kind: str, site: str, seconds: int, *more: str) -> Iterator[None]:
    """Attack a site's proxy meanwhile."""
    script = ["python3", "/opt/shared/attack.py", kind, address(site), str(seconds), *more]
    attacker = subprocess.Popen(["docker", "exec", host, *script], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(3)
        yield
        assert attacker.poll() is None, "the attack must last as long as what is seen beside it"
    finally:
        said = attacker.communicate(timeout=60)[0]
    assert int(said) > 100, "that was no attack"


def visits(site: str, number: int) -> list[lab.Visit]:
    """Let a site's sensor request the endpoint several times, one after the other."""
    found = []
    for _number in range(number):
        found.append(visit(site))
        time.sleep(0.2)
    return found
