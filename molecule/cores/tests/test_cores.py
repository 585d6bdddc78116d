"""The main job with each ansible-core of $CORES: from nothing to sensors that reach the cloud, once more, and a sensor less."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from functools import partial
from pathlib import Path

import lab
import learned
import play
import pytest
from simulated import Simulated

CHECKOUT = Path(__file__).parents[3]
PROXIES = SITE, DMZ = ("ot-cores-site", "ot-cores-dmz")
SENSORS = {"ot-cores-sensor1": "10.114.0.1", "ot-cores-sensor2": "10.114.0.2"}
STAYS, GOES = SENSORS
ENDPOINT = "hub.azure-devices.net"


@pytest.fixture(scope="module", autouse=True)
def _profile() -> None:
    """The console profile that the inventory names."""
    folder = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "profiles"
    folder.mkdir(exist_ok=True)
    learned.profile(folder, "23")


@pytest.fixture(params=os.environ["CORES"].split())
def run(request: pytest.FixtureRequest) -> Callable[..., play.Run]:
    """Run playbooks with one ansible-core, the checkout's collection, and the scenario's own connection plugin."""
    folder = CHECKOUT / f".venv-core-{request.param}-slim" / "bin"
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": f"{CHECKOUT / '.collections'}:{sysconfig.get_path('purelib')}",
    }
    return partial(play.playbook, environment=environment)


def simulated(name: str) -> Simulated:
    return Simulated(f"http://{SENSORS[name]}:8081")


def test_main_job(run: Callable[..., play.Run]) -> None:
    """The next ansible-core finds proxies without a Squid, and sensors as new."""
    first = run("site")
    assert first.code == 0, first.output
    for name in SENSORS:
        assert simulated(name).connected(), name
    for proxy in PROXIES:
        assert any(" TCP_TUNNEL/200 " in line for line in lab.log_lines(proxy, f"CONNECT {ENDPOINT}:443")), proxy

    second = run("site")
    assert second.code == 0, second.output
    assert {host: second.changed(host) for host in (*PROXIES, *SENSORS)} == dict.fromkeys((*PROXIES, *SENSORS), 0)

    removed = run("remove_sensor", "-e", f"topology_removed_sensors={GOES}")
    assert removed.code == 0, removed.output
    assert simulated(GOES).proxy()["enabled"] is False
    assert simulated(STAYS).connected()
    assert [lab.visit(name, "http://10.114.0.250:3128", ENDPOINT).connect for name in (STAYS, GOES)] == [200, 403]

    emptied = run("proxies", "-e", "squid_state=absent")
    assert emptied.code == 0, emptied.output
    for name in SENSORS:
        simulated(name).reset()
