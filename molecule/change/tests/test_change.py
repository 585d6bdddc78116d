"""Changes under open tunnels, each made as a user makes it: edit the inventory, run the playbook."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import lab
import pytest
import yaml
from play import Run, playbook

PROXIES = ("ot-change-proxy-1", "ot-change-proxy-2", "ot-change-proxy-3")
SENSORS = {
    "ot-change-sensor1": "ot-change-proxy-1",
    "ot-change-sensor2": "ot-change-proxy-2",
    "ot-change-sensor3": "ot-change-proxy-1",
    "ot-change-sensor4": "ot-change-proxy-2",
    "ot-change-sensor5": "ot-change-proxy-3",
}
NEWCOMER = "ot-change-newcomer"
GONE = {"all": {"vars": {"topology_removed_sensors": [NEWCOMER]}}}
ENDPOINT = "hub.azure-devices.net"
KEPT = {"squid.conf.previous", "squid.conf.proven", "users.previous"}


def deploy(change: dict[str, Any] | None = None) -> Run:
    """Run the user's playbook on the scenario's inventory and a change of it."""
    return playbook("proxies", change=change)


def with_newcomer(**variables: Any) -> dict[str, Any]:
    """The inventory with one sensor more on each proxy's side: the first proxy's."""
    host = {"sensor_proxy_src": "10.103.0.5", "sensor_proxy_via": PROXIES[0], **variables}
    return {"all": {"children": {"sensors": {"hosts": {NEWCOMER: host}}}}}


def on_proxies(**variables: Any) -> dict[str, Any]:
    """The inventory with other variables for the proxies."""
    return {"all": {"children": {"proxies": {"hosts": dict.fromkeys(PROXIES, variables)}}}}


class Watch(lab.Watch):
    """What the sensors saw during a change."""

    def tunnels_survived(self) -> None:
        for sensor, report in self.reports.items():
            assert report["died"] == [], f"{sensor}: the tunnel died: {report['died']}"
            assert report["exchanges"] > 10, f"{sensor}: the tunnel carried nothing"
            assert report["attempts"] > 10

    def nothing_refused(self) -> None:
        for sensor, report in self.reports.items():
            assert report["failures"] == [], f"{sensor}: of {report['attempts']} CONNECTs"


@contextmanager
def watching() -> Iterator[Watch]:
    """Let every sensor hold a tunnel and CONNECT all the time."""
    watch = Watch()
    with watch.over({sensor: (lab.address(proxy, "ot-change"), ENDPOINT) for sensor, proxy in SENSORS.items()}):
        yield watch


def status(sensor: str, proxy: str, endpoint: str = ENDPOINT) -> int:
    return lab.visit(sensor, f"http://{lab.address(proxy, 'ot-change')}:3128", endpoint).connect


def config(proxy: str) -> str:
    return lab.output(proxy, "cat", "/etc/squid/squid.conf")


def nothing_left_behind() -> None:
    """The file parses, and beside it lies no copy that could hold a secret, but for the one to go back to."""
    for proxy in PROXIES:
        parsed = lab.run(proxy, "squid", "-k", "parse")
        assert parsed.returncode == 0
        assert "ERROR" not in parsed.stderr
        found = set(lab.output(proxy, "ls", "-A", "/etc/squid").split())
        assert (
            found
            <= {"conf.d", "errorpage.css", "logrotate.factory", "squid.conf", "squid.conf.factory", "users"} | KEPT
        )


@pytest.fixture(autouse=True)
def from_the_scenario() -> Iterator[None]:
    """Every test starts from the scenario's own inventory and must leave the proxies clean."""
    start = {proxy: config(proxy) for proxy in PROXIES}
    yield
    nothing_left_behind()
    if {proxy: config(proxy) for proxy in PROXIES} != start:
        run = deploy(GONE)
        assert run.code == 0, run.output


def test_adding_a_sensor_drops_no_tunnel() -> None:
    assert status(NEWCOMER, PROXIES[0]) == 403
    with watching() as watch:
        run = deploy(with_newcomer())
    assert run.code == 0, run.output
    assert f"+acl {NEWCOMER} src 10.103.0.5" in run.output
    assert f"+http_access allow {NEWCOMER}" in run.output
    assert [run.changed(proxy) for proxy in PROXIES] == [1, 0, 0]
    assert status(NEWCOMER, PROXIES[0]) == 200
    watch.tunnels_survived()
    watch.nothing_refused()


def test_removing_a_sensor_drops_no_other_tunnel() -> None:
    deploy(with_newcomer())
    assert status(NEWCOMER, PROXIES[0]) == 200
    missing = deploy()
    assert (missing.code, status(NEWCOMER, PROXIES[0])) == (2, 200)
    assert f"{PROXIES[0]} admits {NEWCOMER}, and the inventory has nobody of that name or address" in missing.text
    with watching() as watch:
        run = deploy(GONE)
    assert run.code == 0, run.output
    assert f"-acl {NEWCOMER} src 10.103.0.5" in run.output
    assert status(NEWCOMER, PROXIES[0]) == 403
    watch.tunnels_survived()
    watch.nothing_refused()


def test_changing_the_endpoints() -> None:
    assert status("ot-change-sensor1", PROXIES[0], "extra.example.net") == 403
    with watching() as watch:
        run = deploy(on_proxies(squid_extra_endpoints=["extra.example.net"]))
    assert run.code == 0, run.output
    for sensor, proxy in SENSORS.items():
        assert status(sensor, proxy, "extra.example.net") == 200
    watch.tunnels_survived()
    watch.nothing_refused()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_newcomer(sensor_proxy_src="10.103.0.999"), "'10.103.0.999' is not a valid address"),
        (with_newcomer(sensor_proxy_src="10.103.0.1"), "is also that of ot-change-sensor1"),
        (with_newcomer(sensor_proxy_via="nobody"), "sensor_proxy_via 'nobody' is not in the group 'proxies'"),
        (on_proxies(squid_parents=["nobody"]), "squid_parents 'nobody' is not in the group 'proxies'"),
        (
            {"all": {"children": {"proxies": {"hosts": {PROXIES[0]: {"squid_max_filedescriptors": "soon"}}}}}},
            "squid_max_filedescriptors 'soon' is not a whole number",
        ),
    ],
)
def test_bad_entry_touches_nothing(change: dict[str, Any], sentence: str) -> None:
    before = {proxy: config(proxy) for proxy in PROXIES}
    run = deploy(change)
    assert run.code != 0
    assert sentence in run.text
    assert {proxy: config(proxy) for proxy in PROXIES} == before
    assert "Look at what the host has" not in run.output, "no host may be touched"


def test_fault_that_squid_reports_with_exit_code_zero() -> None:
    """A missing helper is an ERROR: or FATAL: line of squid -k parse, which exits with 0 (measured, 5.7, 6.13 and 7.7)."""
    helper = "/usr/lib/squid/basic_ncsa_auth"
    users = {"sensor_proxy_username": "plant", "sensor_proxy_password": "planted-secret-1"}
    change = on_proxies(squid_auth_enabled=True)
    change["all"]["children"]["sensors"] = {"hosts": dict.fromkeys(SENSORS, users)}
    before = {proxy: config(proxy) for proxy in PROXIES}
    for proxy in PROXIES:
        lab.output(proxy, "mv", helper, f"{helper}.away")
    try:
        with watching() as watch:
            run = deploy(change)
        exit_codes = [
            lab.run(
                proxy,
                "sh",
                "-c",
                f"echo 'auth_param basic program {helper}' >/tmp/e.conf; squid -k parse -f /tmp/e.conf",
            )
            for proxy in PROXIES
        ]
    finally:
        for proxy in PROXIES:
            lab.output(proxy, "mv", f"{helper}.away", helper)
    assert [done.returncode for done in exit_codes] == [0] * len(PROXIES), (
        "the exit code must not be what shows the fault"
    )
    assert run.code != 0
    assert re.search("Squid refuses the configuration: (ERROR|FATAL): ", run.text), run.output
    assert "planted-secret-1" not in run.output
    assert {proxy: config(proxy) for proxy in PROXIES} == before
    watch.tunnels_survived()
    watch.nothing_refused()


def test_lost_upstream_brings_the_previous_configuration_back() -> None:
    """The new configuration parses and Squid runs with it, but what worked before does not."""
    parent = {"host": "10.103.0.200", "port": 8080, "username": "plant", "password": "planted-secret-2"}
    before = {proxy: config(proxy) for proxy in PROXIES}
    with watching() as watch:
        run = deploy(on_proxies(squid_parents=[parent]))
    assert run.code != 0
    assert "what worked before no longer does after the reload: download.microsoft.com" in run.text
    assert "The previous configuration is back and works." in run.text
    assert "planted-secret-2" not in run.output
    assert {proxy: config(proxy) for proxy in PROXIES} == before
    for sensor, proxy in SENSORS.items():
        assert status(sensor, proxy) == 200
    for report in watch.reports.values():
        assert report["died"] == []
    for proxy in PROXIES:
        assert lab.run(proxy, "grep", "-r", "planted-secret-2", "/etc/squid", "/tmp", "/root/.ansible").stdout == ""


def test_squid_that_dies_of_its_configuration_is_brought_back() -> None:
    """An address that the host does not have parses, and ends Squid when it loads the file."""
    before = {proxy: config(proxy) for proxy in PROXIES}
    run = deploy(on_proxies(squid_listen_addresses=["192.0.2.77"]))
    assert run.code != 0
    assert "The previous configuration is back and works." in run.text
    assert {proxy: config(proxy) for proxy in PROXIES} == before
    for sensor, proxy in SENSORS.items():
        assert status(sensor, proxy) == 200


def test_restart_is_announced_and_only_for_what_needs_it() -> None:
    run = deploy(on_proxies(squid_max_filedescriptors=32768))
    assert run.code == 0, run.output
    assert "a reload cannot change max_filedescriptors" in run.text
    for sensor, proxy in SENSORS.items():
        assert status(sensor, proxy) == 200


def test_rollback_brings_back_what_was_live_before() -> None:
    """Under open tunnels, without looking at the inventory's mistakes, and twice is once."""
    deploy()
    shown = {"ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    deployed = playbook("proxies", change=with_newcomer(), environment=shown)
    assert deployed.code == 0
    assert status(NEWCOMER, PROXIES[0]) == 200
    broken = {"all": {"children": {"sensors": {"hosts": {NEWCOMER: {"sensor_proxy_via": "nobody"}}}}}}
    # As a workflow hands it on.
    told = re.search(r'"squid_changed_proxies": (\[.*?\])', deployed.text)
    assert told, deployed.output
    only = ("-e", f'{{"squid_changed_proxies": {told[1]}}}')
    foreseen = playbook("rollback", "--check", *only, change=broken)
    assert (foreseen.code, foreseen.changed(PROXIES[0])) == (0, 1), foreseen.output
    assert f"-acl {NEWCOMER} src 10.103.0.5" in foreseen.output
    assert status(NEWCOMER, PROXIES[0]) == 200
    with watching() as watch:
        run = playbook("rollback", *only, change=broken)
    assert (run.code, run.changed(PROXIES[0]), run.changed(PROXIES[1])) == (0, 1, 0), run.output
    assert status(NEWCOMER, PROXIES[0]) == 403
    assert status("ot-change-sensor1", PROXIES[0]) == 200
    watch.tunnels_survived()
    watch.nothing_refused()
    again = playbook("rollback", "--limit", PROXIES[0], *only, change=broken)
    assert (again.code, again.changed(PROXIES[0])) == (0, 0), again.output
    kept = lab.output(PROXIES[0], "stat", "-c", "%a %U %G", "/etc/squid/squid.conf.previous").split()
    assert kept == ["600", "root", "root"]
    assert deploy().changed(PROXIES[0]) == 0


def test_password_change_is_shown_without_the_password() -> None:
    users = {"sensor_proxy_username": "plant", "sensor_proxy_password": "planted-secret-3"}
    change = on_proxies(squid_auth_enabled=True)
    change["all"]["children"]["sensors"] = {"hosts": {sensor: dict(users) for sensor in SENSORS}}
    assert deploy(change).code == 0
    again = deploy(change)
    assert [again.changed(proxy) for proxy in PROXIES] == [0, 0, 0], again.output
    for sensor in SENSORS:
        change["all"]["children"]["sensors"]["hosts"][sensor]["sensor_proxy_password"] = "planted-secret-4"
    run = deploy(change)
    assert [run.changed(proxy) for proxy in PROXIES] == [1, 1, 1], run.output
    assert "a password, a user or a file's mode changes" in run.output
    assert "planted-secret" not in run.output
    proxy = f"http://{lab.address(PROXIES[0], 'ot-change')}:3128"
    assert lab.visit("ot-change-sensor1", proxy, ENDPOINT, user="plant:planted-secret-4").connect == 200
    assert lab.visit("ot-change-sensor1", proxy, ENDPOINT, user="plant:planted-secret-3").connect == 407


def test_removal_and_reinstallation() -> None:
    run = deploy(on_proxies(squid_state="absent"))
    assert run.code == 0, run.output
    for proxy in PROXIES:
        assert lab.run(proxy, "test", "-e", "/etc/squid").returncode != 0
        assert lab.run(proxy, "test", "-e", "/etc/systemd/system/squid.service.d").returncode != 0
        assert lab.output(proxy, "sh", "-c", "find /etc /usr/lib -name '*ot[-_]proxy*'") == ""
        assert "squid" not in lab.output(proxy, "dpkg-divert", "--list")
        assert "ii  squid" not in lab.run(proxy, "dpkg", "-l", "squid", "squid-openssl").stdout
    again = deploy(on_proxies(squid_state="absent"))
    assert (again.code, again.changed(PROXIES[0])) == (0, 0), again.output
    assert deploy().code == 0
    assert status("ot-change-sensor1", PROXIES[0]) == 200


GATE = {"squid_growth_gate": True}
EXTRA = {"squid_extra_endpoints": ["extra.example.net"]}


def test_access_that_grows_is_stopped_and_named_unless_it_was_declared() -> None:
    before = {proxy: config(proxy) for proxy in PROXIES}
    run = deploy(on_proxies(**GATE, **EXTRA))
    assert run.code != 0
    who = "5 clients (ot-change-sensor1, ot-change-sensor3, ot-change-sensor2, ...)"
    assert f"Access grows that was not declared: {who} gain extra.example.net" in run.text, run.output
    assert "No host was touched." in run.text
    assert {proxy: config(proxy) for proxy in PROXIES} == before
    declared = deploy(on_proxies(**GATE, **EXTRA, squid_declared_growth=["extra.example.net"]))
    assert declared.code == 0, declared.output
    assert status("ot-change-sensor1", PROXIES[0], "extra.example.net") == 200


def test_a_host_that_cannot_be_looked_at_does_not_pass_the_gate() -> None:
    before = {proxy: config(proxy) for proxy in PROXIES}
    change = on_proxies(**GATE)
    change["all"]["children"]["proxies"]["hosts"][PROXIES[2]] = {**GATE, "ansible_host": "ot-change-nobody"}
    run = deploy(change)
    assert run.code != 0
    assert f"{PROXIES[2]}'s host could not be looked at, so what it admits now is not known." in run.text, run.output
    assert {proxy: config(proxy) for proxy in PROXIES} == before


def test_a_sensor_that_is_removed_although_it_is_in_use_is_named() -> None:
    deploy(with_newcomer())
    assert status(NEWCOMER, PROXIES[0]) == 200
    change = on_proxies(**GATE)
    change["all"]["vars"] = GONE["all"]["vars"]
    run = deploy(change)
    assert run.code == 0, run.output
    said = f"{NEWCOMER} (not in the inventory) loses at {PROXIES[0]} what it used: {ENDPOINT}, last at"
    # Ansible breaks the lines of a warning at hyphens, too.
    assert said in run.text.replace("- ", "-"), run.output


def test_the_plan_counts_the_tunnels_that_a_restart_drops_and_changes_nothing(tmp_path: Path) -> None:
    before = {proxy: config(proxy) for proxy in PROXIES}
    watch, held = Watch(), {"ot-change-sensor1": "3", "ot-change-sensor3": "2", "ot-change-sensor2": "1"}
    quiet = {
        sensor: (lab.address(SENSORS[sensor], "ot-change"), ENDPOINT, "15", "", tunnels)
        for sensor, tunnels in held.items()
    }
    with watch.over(quiet):
        change = on_proxies(squid_max_filedescriptors=32768, **EXTRA)
        run = playbook("plan", "-e", f"plan_dir={tmp_path}", change=change)
    assert run.code == 0, run.output
    assert [run.changed(proxy) for proxy in PROXIES] == [0, 0, 0]
    restarted = "Squid is restarted for max_filedescriptors, which drops {} tunnels that are open now"
    for proxy, tunnels in zip(PROXIES, (5, 1, 0), strict=True):
        assert f"{proxy}: {restarted.format(tunnels)}" in run.text, run.output
    assert "gain extra.example.net, also where that leads to 10." in run.text
    assert "at their proxies ot-change-proxy-1, ot-change-proxy-2 and ot-change-proxy-3." in run.text
    assert "Not declared: 5 clients" in run.text
    assert "gain extra.example.net" in (tmp_path / "plan.md").read_text()
    found = json.loads((tmp_path / "plan.json").read_text())
    assert [(each["name"], each["tunnels"], each["action"]) for each in found["proxies"]] == [
        (PROXIES[0], 5, "restart"),
        (PROXIES[1], 1, "restart"),
        (PROXIES[2], 0, "restart"),
    ]
    assert {proxy: config(proxy) for proxy in PROXIES} == before


def test_a_proxy_learns_for_some_days_and_is_locked_to_what_was_used(tmp_path: Path) -> None:
    """Known sensors alone, names alone, nothing inside; the log has what was learned, and the list follows from it."""
    proxy, sensor, today = PROXIES[0], "ot-change-sensor1", datetime.now(timezone.utc).date()
    learning = {
        **GATE,
        "squid_learn_until": str(today),
        "squid_endpoints": ["*.azure-devices.net", "download.microsoft.com"],
    }
    refused = deploy(on_proxies(**learning))
    assert refused.code != 0
    assert f"gain what it learns until {today} at" in refused.text, refused.output
    run = deploy(on_proxies(**learning, squid_declared_growth_once=list(PROXIES)))
    assert run.code == 0, run.output
    assert status(sensor, proxy, "extra.example.net") == 200
    assert status(sensor, proxy) == 200
    # The first is a name that leads inside.
    for where in ("ot-change-sensor2.ot-change", "10.103.0.200", "[fd00::1]", "localhost"):
        assert status(sensor, proxy, where) == 403, where
    assert (
        lab.visit(sensor, f"http://{lab.address(proxy, 'ot-change')}:3128", "extra.example.net", port=8443).connect
        == 403
    )
    assert status("ot-change-sensor2", proxy, "extra.example.net") == 403
    passed = [line.split() for line in lab.log_lines(proxy, "TCP_TUNNEL/200") if len(line.split()) == 11]
    assert {(words[8], words[10]) for words in passed if words[3] != "probe"} == {
        ("extra.example.net:443", "learned"),
        (f"{ENDPOINT}:443", "-"),
    }
    proposed = playbook("learned_endpoints", "-e", f"learned_dir={tmp_path}", change=on_proxies(**learning))
    assert (proposed.code, proposed.changed(proxy)) == (0, 0), proposed.output
    assert "extra.example.net, 1 client, " in proposed.text
    found = yaml.safe_load((tmp_path / f"{proxy}.yml").read_text())
    assert {"extra.example.net", ENDPOINT} <= set(found["squid_endpoints"])
    over = deploy(on_proxies(**{**learning, "squid_learn_until": str(today - timedelta(days=1))}))
    assert over.code == 0, over.output
    assert "is over, and only its endpoints may be reached" in over.text
    assert "loses at" in over.text
    assert status(sensor, proxy, "extra.example.net") == 403
