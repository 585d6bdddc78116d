"""A plant's load, and attackers beside it, for as long as it takes to believe it: only with LONG=600, as in ``make test-all``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import lab
import pytest
from chain_lab import ENDPOINT, SITES, address, attack
from play import Run, playbook

pytestmark = pytest.mark.skipif("LONG" not in os.environ, reason="an hour; LONG=600, the seconds of an attack, runs it")

TUNNELS = 2000
CHANGES = 5
ATTACK_SECONDS = int(os.environ.get("LONG", "600"))
LOGIN = ("crowd", "planted-secret-9")
STRANGER = "ot-chain-stranger"


def crowd(site: str, *, newcomers: int = 0) -> dict[str, Any]:
    """The inventory in which all sensors are behind one site's proxy, which wants logins, and so many more come.

    Each signs in; the one that was there holds the tunnels.
    """
    sensors = {
        sensor: {
            "sensor_proxy_via": site,
            "sensor_proxy_username": f"{LOGIN[0]}{number}",
            "sensor_proxy_password": LOGIN[1],
        }
        for number, (sensor, _user) in enumerate(SITES.values())
    }
    more = {
        f"ot-chain-newcomer{number}": {
            "sensor_proxy_src": f"10.102.0.{100 + number}",
            "sensor_proxy_via": site,
            "sensor_proxy_username": f"newcomer{number}",
            "sensor_proxy_password": LOGIN[1],
        }
        for number in range(newcomers)
    }
    proxies = {site: {"squid_auth_enabled": True}}
    return {"all": {"children": {"proxies": {"hosts": proxies}, "sensors": {"hosts": {**sensors, **more}}}}}


def deploy(change: dict[str, Any] | None = None) -> Run:
    run = playbook("proxies", change=change)
    assert run.code == 0, run.output
    return run


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest) -> Iterator[str]:
    """A site with all the sensors; all others lose theirs."""
    deploy(crowd(request.param))
    yield str(request.param)
    deploy()


def watched(site: str) -> dict[str, tuple[str, ...]]:
    """Two sensors: the first holds the tunnels, the second only comes and goes."""
    sensors = [sensor for sensor, _user in SITES.values()]
    logins = [f"{LOGIN[0]}{number}:{LOGIN[1]}" for number in range(2)]
    return {
        sensors[0]: (address(site), ENDPOINT, "0.1", logins[0], str(TUNNELS)),
        sensors[1]: (address(site), ENDPOINT, "0.1", logins[1]),
    }


def test_changes_and_rotations_under_load_cost_nothing(site: str) -> None:
    watch = lab.Watch()
    with watch.over(watched(site), 900):
        for number in range(CHANGES):
            assert deploy(crowd(site, newcomers=number + 1)).changed(site) == 1
            lab.output(site, "logrotate", "--force", "/etc/logrotate.d/squid")
    for sensor, report in watch.reports.items():
        print(f"{site}, {sensor}: {report}")
        assert report["died"] == [], sensor
        assert report["failures"] == [], sensor
        assert report["attempts"] > 10 * CHANGES
    assert watch.reports[SITES["ot-chain-site-1"][0]]["exchanges"] > TUNNELS


def test_attackers_keep_no_sensor_waiting(site: str) -> None:
    """A stranger with 5,000 requests that never end, and wrong passwords from it and from the address of the third sensor."""
    watch = lab.Watch()
    guesser = [sensor for sensor, _user in SITES.values()][2]
    main_pid = lab.output(site, "systemctl", "show", "--property=MainPID", "--value", "squid")
    children = lab.output(site, "pgrep", "--parent", main_pid.strip())
    with watch.over(watched(site), ATTACK_SECONDS + 120), ExitStack() as attacks:
        # Whoever begins last is waited for first.
        for more_seconds, host, kind, *more in (
            (60, STRANGER, "half-open", "5000"),
            (40, STRANGER, "guess", "60", f"{LOGIN[0]}1"),
            (20, guesser, "guess", "60", f"{LOGIN[0]}2"),
        ):
            attacks.enter_context(attack(host, kind, site, ATTACK_SECONDS + more_seconds, *more))
        time.sleep(ATTACK_SECONDS)
    for sensor, report in watch.reports.items():
        print(f"{site}, {sensor}: {report}")
        assert report["died"] == [], sensor
        assert report["failures"] == [], sensor
        assert report["slowest"] < 1, sensor
        assert report["attempts"] > ATTACK_SECONDS
    assert lab.output(site, "pgrep", "--parent", main_pid.strip()) == children, "Squid was ended"
