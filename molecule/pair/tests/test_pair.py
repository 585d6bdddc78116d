"""A member of a pair has a bad day, or is changed: who serves then, and what a sensor at the shared address sees of it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import lab
import packages
import play
import pytest

A, B, PARENT, CHILD = (f"ot-pair-{name}" for name in ("a", "b", "parent", "child"))
SENSOR, DEEP_SENSOR = "ot-pair-sensor", "ot-pair-deep-sensor"
SHARED, SHARED_OUTSIDE = "10.116.0.250", "10.117.0.250"
HUB = "hub.azure-devices.net"
OWN = {A: ("10.116.0.11", "10.117.0.11"), B: ("10.116.0.12", "10.117.0.12")}
DOCUMENT = Path(__file__).parents[3] / "docs" / "pair.md"
MOST_SECONDS = 3.0
"""Within which new CONNECTs pass again, whatever became of the member that served."""


def holders() -> list[str]:
    """Return the members that have all shared addresses; each has all or none."""
    found = {name: lab.run(name, "ip", "-br", "address").stdout for name in OWN}
    for name, text in found.items():
        assert (SHARED in text) == (SHARED_OUTSIDE in text), f"{name} has some of the addresses: {text}"
    return [name for name, text in found.items() if SHARED in text]


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{true} is not so after {seconds} seconds"
        time.sleep(0.2)


def other(member: str) -> str:
    return B if member == A else A


@pytest.fixture(name="serving")
def _serving() -> str:
    """Let one member serve, and the other be able to."""
    until(lambda: len(holders()) == 1)
    for member in OWN:
        until(lambda member=member: "200" in check(member))  # type: ignore[misc]
    time.sleep(3)
    return holders()[0]


def check(member: str) -> str:
    """Say as the check of keepalived does whether a member's own Squid passes a CONNECT."""
    done = lab.run(member, "python3", "-IS", "/usr/lib/squid/ot_proxy_vip_check.py", HUB, "0.8")
    return "200" if done.returncode == 0 else done.stderr


# Faults of the member that serves -----------------------------------------------------------------------------------


@contextmanager
def killed(member: str) -> Iterator[None]:
    lab.output(member, "systemctl", "kill", "--signal=KILL", "squid")
    yield


@contextmanager
def hung(member: str) -> Iterator[None]:
    lab.output(member, "systemctl", "kill", "--signal=STOP", "squid")
    try:
        yield
    finally:
        lab.output(member, "systemctl", "kill", "--signal=CONT", "squid")


@contextmanager
def powered_off(member: str) -> Iterator[None]:
    """None of its processes runs, and its kernel hears nothing."""
    chains = (
        f"chain {device} {{ type filter hook ingress device {device} priority 0; policy drop; }};"
        for device in devices(member)
    )
    assert lab.run(member, "nft", "-f", "-", stdin=f"table netdev fault {{ {' '.join(chains)} }}").returncode == 0
    try:
        with lab.paused(member):
            yield
    finally:
        lab.output(member, "nft", "delete", "table", "netdev", "fault")


def devices(member: str) -> list[str]:
    """Return the member's devices, that of the plant first."""
    lines = lab.output(member, "ip", "-br", "-4", "address").splitlines()
    return [line.split()[0].split("@")[0] for address in OWN[member] for line in lines if f" {address}/" in line]


@contextmanager
def link_down(member: str) -> Iterator[None]:
    name = devices(member)[0]
    lab.output(member, "ip", "link", "set", name, "down")
    try:
        yield
    finally:
        lab.output(member, "ip", "link", "set", name, "up")


def cut_off(member: str, rule: str) -> AbstractContextManager[None]:
    """Drop what a member sends."""
    return lab.packets(member, "output", f"{rule} drop")


def without_parent(member: str) -> AbstractContextManager[None]:
    return cut_off(member, "ip daddr 10.117.0.21 tcp dport 3128")


FAULTS = {
    "Squid is killed": killed,
    "Squid hangs (SIGSTOP)": hung,
    "the host stands still": powered_off,
    "its link in the plant is down": link_down,
    "it does not reach its parent any more": without_parent,
}


def longest_gap(fault: AbstractContextManager[None]) -> float:
    """Return the seconds between two CONNECTs at the shared address that passed, while a fault comes and stays."""
    asker = subprocess.Popen(
        ["docker", "exec", "-i", SENSOR, "python3", "/opt/shared/ask.py", SHARED, HUB],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(2)
    with fault:
        time.sleep(8)
        said = asker.communicate(timeout=30)[0]
    passed: list[float] = sorted(at for _number, at, became in map(json.loads, said.splitlines()) if became == "200 ok")
    assert passed[-1] - passed[0] > 8, "the sensor did not get through in the end"
    return max(later - earlier for earlier, later in pairwise(passed))


measured: dict[str, float] = {}


@pytest.mark.parametrize("name", FAULTS)
def test_the_other_member_serves_within_seconds(name: str, serving: str) -> None:
    gap = longest_gap(FAULTS[name](serving))
    measured[name] = gap
    assert gap <= MOST_SECONDS, f"{name}: {gap:.1f} seconds"
    until(lambda: holders() == [other(serving)])


def test_the_documentation_has_these_faults(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\n" + "\n".join(f"| {name} | {gap:.1f} |" for name, gap in measured.items()))
    table = DOCUMENT.read_text().partition("| What happens to the member that serves |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == list(FAULTS)
    assert all(float(row[1]) <= MOST_SECONDS for row in rows)


def test_nobody_takes_the_addresses_from_a_member_that_works(serving: str) -> None:
    time.sleep(5)
    assert holders() == [serving]


def test_where_nobody_works_the_addresses_stay(serving: str) -> None:
    with without_parent(A), without_parent(B):
        time.sleep(6)
        assert holders() == [serving]


# The model ----------------------------------------------------------------------------------------------------------


def test_sensors_and_children_go_through_the_shared_address(serving: str) -> None:
    assert lab.visit(SENSOR, f"http://{SHARED}:3128", HUB).connect == 200
    assert lab.visit(DEEP_SENSOR, "http://10.116.0.31:3128", HUB).connect == 200
    assert len(lab.log_lines(serving, " 10.116.0.31 ")) > 0
    assert lab.visit(CHILD, f"http://{SHARED}:3128", "www.example.com").connect == 403
    # The check is in no log.
    before = len(lab.log_lines(serving, "probe"))
    time.sleep(3)
    assert len(lab.log_lines(serving, "probe")) == before


@pytest.fixture(name="proven")
def _proven(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    def verify() -> dict[str, Any]:
        play.playbook("verify", "-e", f"chain_verify_report_dir={tmp_path}")
        results: dict[str, Any] = json.loads((tmp_path / "results.json").read_text())
        return {sensor["name"]: sensor for sensor in results["sensors"]} | {"links": results["links"]}

    return verify


def test_the_proof_knows_who_serves(serving: str, proven: Callable[[], dict[str, Any]]) -> None:
    found = proven()
    assert (found[SENSOR]["verdict"], found[SENSOR]["path"]) == ("ok", ["plant", PARENT]), found[SENSOR]["reason"]
    assert (found[DEEP_SENSOR]["verdict"], found[DEEP_SENSOR]["path"]) == ("ok", [CHILD, "plant", PARENT])
    shares = {link["target"]: link["preferred"] for link in found["links"] if link["kind"] == "pair"}
    assert shares == {serving: True, other(serving): False}
    reasons = [link["reason"] for link in found["links"] if link["kind"] == "pair" and link["target"] == serving]
    assert "serves since 20" in reasons[0], reasons


def test_a_broken_standby_is_named(serving: str, proven: Callable[[], dict[str, Any]]) -> None:
    with without_parent(other(serving)):
        found = proven()[SENSOR]
    assert found["verdict"] == "degraded"
    assert f"{other(serving)} could not take over" in found["reason"]


def test_a_split_is_named(serving: str, proven: Callable[[], dict[str, Any]]) -> None:
    with (
        cut_off(A, f"ip daddr {{ {', '.join(OWN[B])} }} ip protocol 112"),
        cut_off(B, f"ip daddr {{ {', '.join(OWN[A])} }} ip protocol 112"),
    ):
        until(lambda: len(holders()) == 2)
        found = proven()[SENSOR]
    assert (found["verdict"], found["stage"]) == ("degraded", "pair-split")
    until(lambda: len(holders()) == 1)
    assert serving in OWN


def test_addresses_that_nobody_has_are_named(serving: str, proven: Callable[[], dict[str, Any]]) -> None:
    for member in OWN:
        lab.output(member, "systemctl", "stop", "keepalived")
    try:
        found = proven()[SENSOR]
    finally:
        for member in (serving, other(serving)):
            lab.output(member, "systemctl", "start", "keepalived")
    assert (found["verdict"], found["stage"]) == ("broken", "pair-nobody")


# Changes ------------------------------------------------------------------------------------------------------------


def roll(change: dict[str, Any], interval: str = "0.01") -> tuple[play.Run, dict[str, Any]]:
    """Deploy a change of the members while a sensor holds 200 tunnels and asks all the time at the shared address."""
    watch = lab.Watch()
    with watch.over({SENSOR: (SHARED, HUB, interval, "", "200")}):
        run = play.playbook("proxies", change={"all": {"children": {"pair": {"vars": change}}}})
    return run, watch.reports[SENSOR]


def test_a_change_that_reloads_refuses_and_drops_nobody(serving: str) -> None:
    run, seen = roll({"squid_extra_endpoints": ["extra.example.net"]})
    assert run.code == 0, run.output
    assert run.changed(A)
    assert run.changed(B)
    assert (seen["failures"], seen["died"]) == ([], []), f"of {seen['attempts']}"
    assert holders() == [serving]


def test_a_change_that_restarts_lets_the_other_serve_first(serving: str) -> None:
    run, seen = roll({"squid_workers": 3})
    assert run.code == 0, run.output
    assert run.changed(A)
    assert run.changed(B)
    assert seen["failures"] == [], f"of {seen['attempts']}"


def test_a_member_that_fails_stops_the_run_before_the_other_is_touched() -> None:
    before = lab.output(B, "cat", "/etc/squid/squid.conf")
    # Its Squid finds a mistake in every configuration.
    lab.output(A, "mv", "/usr/sbin/squid", "/usr/sbin/squid.kept")
    try:
        lab.output(
            A, "sh", "-c", "printf '#!/bin/sh\necho FATAL: no; exit 1\n' >/usr/sbin/squid; chmod 755 /usr/sbin/squid"
        )
        change = {"squid_extra_endpoints": ["never.example.net"]}
        run = play.playbook("proxies", change={"all": {"children": {"pair": {"vars": change}}}})
    finally:
        lab.output(A, "mv", "/usr/sbin/squid.kept", "/usr/sbin/squid")
    assert run.code != 0
    assert f"since {A}, of the same pair, was not brought to its state" in run.text
    assert lab.output(B, "cat", "/etc/squid/squid.conf") == before


def test_a_member_leaves_without_a_gap_and_comes_back(serving: str) -> None:
    watch = lab.Watch()
    with watch.over({SENSOR: (SHARED, HUB, "0.01")}):
        run = play.playbook("proxies", change={"all": {"hosts": {serving: {"proxy_vip_state": "absent"}}}})
    assert run.code == 0, run.output
    assert watch.reports[SENSOR]["failures"] == [], f"of {watch.reports[SENSOR]['attempts']}"
    assert holders() == [other(serving)]
    left = lab.run(
        serving,
        "sh",
        "-c",
        "command -v keepalived; ls /etc/keepalived /usr/lib/squid /etc/systemd/system/*.d | grep -i vip",
    )
    assert left.stdout == ""
    run = play.playbook("proxies")
    assert run.code == 0, run.output
    assert holders() == [other(serving)]


REFUSES = (
    "for each in new/usr/sbin/squid*; do printf '#!/bin/sh\\necho FATAL: no such directive; exit 1\\n' >$each; done"
)


def test_a_new_squid_that_does_not_take_the_configuration_stays_out(serving: str) -> None:
    before = {member: packages.version(member) for member in OWN}
    for member in OWN:
        packages.offer_newer(member, REFUSES)
    run = play.playbook("upgrade_squid")
    assert run.code != 0
    assert "no such directive The old Squid was not touched." in run.text
    assert {member: packages.version(member) for member in OWN} == before
    assert lab.visit(SENSOR, f"http://{SHARED}:3128", HUB).connect == 200
    assert serving in OWN


def test_an_upgrade_refuses_nobody(serving: str) -> None:
    for member in OWN:
        packages.offer_newer(member)
    dry = play.playbook("upgrade_squid", "--check")
    assert (dry.code, bool(dry.changed(A)), bool(dry.changed(B))) == (0, True, True), dry.output
    watch = lab.Watch()
    with watch.over({SENSOR: (SHARED, HUB, "0.01")}):
        run = play.playbook("upgrade_squid")
    assert run.code == 0, run.output
    assert watch.reports[SENSOR]["failures"] == [], f"of {watch.reports[SENSOR]['attempts']}"
    assert {packages.version(member).endswith("+newer") for member in OWN} == {True}
    assert serving in OWN
    again = play.playbook("upgrade_squid")
    assert (again.code, again.changed(A), again.changed(B)) == (0, 0, 0)


def test_a_pair_is_taken_apart(serving: str) -> None:
    """Sensors that the inventory sends to one of the members are served by it; nothing of the pair is left."""
    hosts = {member: {"proxy_vip_state": "absent"} for member in OWN}
    clients = {SENSOR: {"sensor_proxy_via": A}, CHILD: {"squid_parents": [A]}}
    run = play.playbook("proxies", change={"all": {"hosts": hosts | clients}})
    assert run.code == 0, run.output
    assert [lab.run(name, "ip", "-br", "address").stdout.count(SHARED) for name in OWN] == [0, 0]
    assert lab.visit(SENSOR, f"http://{OWN[A][0]}:3128", HUB).connect == 200
    assert serving in OWN
