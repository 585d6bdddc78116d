"""The site run has pushed every sensor by the browser; here they are pushed, broken, rotated and handed over.

The sensors' consoles are simulated, their agents are not: they CONNECT through the real proxies to real TLS endpoints.
"""

from __future__ import annotations

import json
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab
import learned
import play
import pytest
from sensor_lab import ONE, OTHER, PROXY_1, PROXY_2, SENSORS, assert_no_secret

NEXT = {
    "sensor_proxy_username": "Plant-B",
    "sensor_proxy_password": "next-proxy-secret",
    "sensor_proxy_previous_username": "Plant-A",
    "sensor_proxy_previous_password": "lab-proxy-secret",
}


class Runner:
    """Runs playbooks as loudly as they can; whatever they print or leave behind is searched for secrets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.evidence = folder / "evidence"
        self.commands = ""

    def __call__(self, name: str, *options: str, limit: str | None = None, **variables: Any) -> play.Run:
        """Run a playbook with extra vars, on some sensors alone."""
        given = json.dumps({"sensor_proxy_evidence_dir": str(self.evidence), **variables})
        (self.folder / "vars.json").write_text(given)
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,))
        watcher.start()
        try:
            run = play.playbook(
                name,
                "-vvv",
                "-e",
                f"@{self.folder / 'vars.json'}",
                *options,
                *(["--limit", limit] if limit else []),
                environment={"ANSIBLE_LOG_PATH": str(self.folder / "ansible.log")},
            )
        finally:
            done.set()
            watcher.join()
            (self.folder / "vars.json").unlink()
        assert_no_secret(run.output, "the output")
        assert_no_secret(self.commands, "the process list")
        return run

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.2):
            listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=False)
            self.commands += listed.stdout


@pytest.fixture
def as_pushed() -> None:
    """Every sensor has what the site run gave it, and no fault."""
    for place in SENSORS.values():
        place.simulated.reset(enabled=True, host=place.hop, port=3128, username="Plant-A", password="lab-proxy-secret")


@pytest.fixture
def run(tmp_path: Path, as_pushed: None) -> Iterator[Runner]:
    """Run playbooks of the collection; no secret may be in what they leave behind."""
    runner = Runner(tmp_path)
    yield runner
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert_no_secret(path.read_bytes().decode("latin-1"), str(path))


def proxy_of(name: str) -> dict[str, Any]:
    return SENSORS[name].simulated.proxy()


def refused(run: play.Run, name: str) -> str:
    """The module's one sentence on a sensor."""
    found = [line for line in run.output.splitlines() if line.startswith(("fatal:", "[ERROR]")) and name in line]
    assert run.code != 0, run.output
    assert "Traceback" not in run.output
    return " ".join(found) + run.text


@pytest.mark.parametrize("name", SENSORS)
def test_the_site_run_left_every_sensor_connected(name: str) -> None:
    """By one save, and not by its word alone: the first hop logged its CONNECTs with the user's name, answered."""
    assert SENSORS[name].simulated.count("saves") == 1
    assert SENSORS[name].simulated.connected()
    place = SENSORS[name]
    lines = [line for line in lab.log_lines(place.proxy, f" {place.address} ") if "TCP_TUNNEL/200" in line]
    assert any("CONNECT hub.azure-devices.net:443" in line and "Plant-A" in line for line in lines), lines


@pytest.mark.parametrize("name", SENSORS)
def test_browser_no_change_then_change(name: str, run: Runner) -> None:
    """Every generation: as wanted, off, on again; its own network settings are left alone."""
    again = run("sensors", limit=name)
    assert (again.code, again.changed(name)) == (0, 0), again.output
    off = run("sensors", limit=name, sensor_proxy_state="absent")
    assert (off.code, off.changed(name)) == (0, 1), off.output
    assert proxy_of(name)["enabled"] is False
    on = run("sensors", limit=name)
    assert (on.code, on.changed(name)) == (0, 1), on.output
    found = proxy_of(name)
    place = SENSORS[name]
    assert {key: found[key] for key in ("enabled", "host", "port", "username", "password")} == {
        "enabled": True,
        "host": place.hop,
        "port": 3128,
        "username": "Plant-A",
        "password": "lab-proxy-secret",
    }
    assert place.simulated.state()["foreign_changed"] == []
    assert place.simulated.connected()


def test_check_mode_says_what_would_change(run: Runner) -> None:
    """And touches nothing; the diff has no password."""
    SENSORS[ONE].simulated.reset()
    checked = run("sensors", "--check", limit=ONE)
    assert (checked.code, checked.changed(ONE)) == (0, 1), checked.output
    for line in ("-enabled: False", "+enabled: True", "+host: 10.104.0.11", "+username: Plant-A", "+password: sent"):
        assert line in checked.output, line
    assert proxy_of(ONE)["enabled"] is False
    assert SENSORS[ONE].simulated.count("saves") == 0


def test_client_certificate(run: Runner, tmp_path: Path) -> None:
    """Uploaded once for each content."""
    file = tmp_path / "client.pem"
    file.write_text("one")
    first = run("sensors", limit=ONE, sensor_proxy_client_certificate=str(file))
    assert (first.code, first.changed(ONE)) == (0, 1), first.output
    assert proxy_of(ONE)["certificate"]["name"].startswith("client-")
    assert run("sensors", limit=ONE, sensor_proxy_client_certificate=str(file)).changed(ONE) == 0
    file.write_text("two")
    assert run("sensors", limit=ONE, sensor_proxy_client_certificate=str(file)).changed(ONE) == 1


def test_wrong_console_password_is_tried_once(run: Runner) -> None:
    """Five failures would lock the controller out."""
    failed = run("sensors", limit=ONE, sensor_proxy_console_password="wrong-console-secret")
    assert f"https://{SENSORS[ONE].address}: " in failed.text
    assert "password" in refused(failed, ONE)
    assert SENSORS[ONE].simulated.count("failures") == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"locked": True}, "lock"),
        ({"down": True}, "answer"),
        ({"status": 500}, "500"),
        ({"no_labels": True}, "label"),
        ({"reject": "Invalid value for Proxy Host"}, "Invalid value for Proxy Host"),
        ({"ignore_save": True}, "does not show them"),
    ],
    ids=["locked", "down", "errors", "other labels", "rejects", "stores nothing"],
)
def test_faults_of_the_console(fault: dict[str, Any], sentence: str, run: Runner) -> None:
    """One sentence each, nothing stored, and a screenshot that only the user may read."""
    sensor = SENSORS[ONE].simulated
    sensor.reset()
    sensor.fault(**fault)
    failed = run("sensors", limit=ONE, sensor_proxy_console_timeout=6)
    assert sentence in refused(failed, ONE), failed.output
    assert sensor.proxy()["enabled"] is False
    for file in run.evidence.glob("*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    if "down" not in fault:
        assert list(run.evidence.glob("*")), "no evidence was kept"


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A console profile for each generation, learned from a person's recording at another sensor."""
    folder = tmp_path_factory.mktemp("profiles")
    return {generation: learned.profile(folder, generation) for generation in ("10", "22", "23", "wizard")}


@pytest.mark.parametrize("name", SENSORS)
def test_http_change_then_no_change(name: str, run: Runner, profiles: dict[str, Path]) -> None:
    """Every generation, by a profile that another sensor taught; the sensor's own network settings are left alone."""
    place = SENSORS[name]
    http = {"sensor_proxy_transport": "http", "sensor_proxy_profile": str(profiles[place.generation])}
    off = run("sensors", limit=name, sensor_proxy_state="absent", **http)
    assert (off.code, off.changed(name)) == (0, 1), off.output
    assert proxy_of(name)["enabled"] is False
    on = run("sensors", limit=name, **http)
    assert (on.code, on.changed(name)) == (0, 1), on.output
    assert place.simulated.connected()
    assert place.simulated.state()["foreign_changed"] == []
    again = run("sensors", limit=name, **http)
    assert (again.code, again.changed(name)) == (0, 0), again.output


@pytest.mark.parametrize(
    "fault", [{"locked": True}, {"status": 500}, {"reject": "Invalid value for Proxy Host"}], ids=str
)
def test_faults_of_the_console_by_http(fault: dict[str, Any], run: Runner, profiles: dict[str, Path]) -> None:
    """As with the browser."""
    sensor = SENSORS[ONE].simulated
    sensor.reset()
    sensor.fault(**fault)
    http = {"sensor_proxy_transport": "http", "sensor_proxy_profile": str(profiles["23"])}
    failed = run("sensors", limit=ONE, **http)
    assert {"locked": "lock", "status": "500", "reject": "Invalid value for Proxy Host"}[next(iter(fault))] in refused(
        failed, ONE
    )
    assert sensor.proxy()["enabled"] is False
    (evidence,) = run.evidence.glob("*")
    assert stat.S_IMODE(evidence.stat().st_mode) == 0o600


def test_session_that_expires_is_renewed(run: Runner) -> None:
    """Once, without a failure."""
    sensor = SENSORS[ONE].simulated
    sensor.reset()
    sensor.fault(expire_once=True)
    assert run("sensors", limit=ONE).code == 0
    assert (sensor.count("sign_ins"), sensor.count("failures")) == (2, 0)


def test_another_certificate_gets_no_password(run: Runner) -> None:
    """A pinned fingerprint that does not match ends it before anybody signs in."""
    failed = run("sensors", limit=ONE, sensor_proxy_console_fingerprint="ab" * 32)
    assert "not the pinned" in refused(failed, ONE)
    assert SENSORS[ONE].simulated.count("sign_ins") == 0


def test_wrong_proxy_password_ends_on_the_old_settings(run: Runner) -> None:
    """With the sensor's own word for it, one sentence a sensor, and the sensors connected as before."""
    wrong = {**NEXT, "sensor_proxy_password": "wrong-proxy-secret"}
    failed = run("sensors", limit=f"{ONE},{OTHER}", sensor_proxy_serial=2, sensor_proxy_cloud_timeout=6, **wrong)
    assert failed.code != 0
    for name in (ONE, OTHER):
        place = SENSORS[name]
        assert (
            f"https://{place.address}: the cloud was not reachable within 6 s (Proxy authentication issues); the previous "
            f"settings (proxy {place.hop}:3128, user Plant-A) are back and the sensor is connected again."
            in failed.text
        ), failed.output
        assert (proxy_of(name)["username"], proxy_of(name)["password"]) == ("Plant-A", "lab-proxy-secret")
        assert place.simulated.connected()


def test_a_canary_that_fails_is_the_only_one(run: Runner) -> None:
    """The second sensor is not even signed in at."""
    for name in (ONE, OTHER):
        SENSORS[name].simulated.reset()
    SENSORS[ONE].simulated.fault(cloud=["Time drift detected"])
    failed = run("sensors", limit=f"{ONE},{OTHER}", sensor_proxy_cloud_timeout=4)
    assert "(Time drift detected); the previous settings (proxy off) are back." in failed.text
    assert SENSORS[OTHER].simulated.count("sign_ins") == 0
    assert proxy_of(OTHER)["enabled"] is False


def test_handoff_signs_in_nowhere(run: Runner, tmp_path: Path) -> None:
    """A page with the exact values, the password by its variable's name."""
    done = run("sensors", limit=ONE, sensor_proxy_state="handoff", sensor_proxy_handoff_dir=str(tmp_path / "handoff"))
    assert done.code == 0, done.output
    page = tmp_path / "handoff" / f"{ONE}.md"
    assert "| Proxy Host | `10.104.0.11` |" in page.read_text()
    assert "value of the variable `sensor_proxy_password`" in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert SENSORS[ONE].simulated.count("sign_ins") == 0
    again = run("sensors", limit=ONE, sensor_proxy_state="handoff", sensor_proxy_handoff_dir=str(tmp_path / "handoff"))
    assert again.changed(ONE) == 0


def rotating(folder: Path) -> dict[str, Any]:
    """An inventory in which two sensors rotate; the others are left to a person, which saves time."""
    others = {"sensor_proxy_state": "handoff", "sensor_proxy_handoff_dir": str(folder)}
    hosts = {name: NEXT if name in (ONE, OTHER) else others for name in SENSORS}
    return {"all": {"children": {"sensors": {"hosts": hosts}}}}


def users(proxy: str) -> set[str]:
    return {line.partition(":")[0] for line in lab.output(proxy, "cat", "/etc/squid/users").splitlines()}


@pytest.fixture
def as_deployed() -> Iterator[None]:
    """The proxies know the scenario's own users again afterwards."""
    yield
    assert play.playbook("proxies").code == 0


@pytest.mark.usefixtures("as_pushed", "as_deployed")
def test_rotation(tmp_path: Path) -> None:
    """The sensors have the new user, the proxies have forgotten the old one where nobody needs it any more."""
    before = play.playbook("verify", change=rotating(tmp_path))
    assert before.code == 0, before.output
    done = play.playbook("rotate_proxy_password", change=rotating(tmp_path))
    assert done.code == 0, done.output
    assert_no_secret(done.output, "the output")
    for name in (ONE, OTHER):
        assert (proxy_of(name)["username"], proxy_of(name)["password"]) == ("Plant-B", "next-proxy-secret")
        assert SENSORS[name].simulated.connected()
    # The other sensors of the scenario still sign in as Plant-A, so both users stay; the sensors' rules do not.
    config = lab.output(PROXY_1, "cat", "/etc/squid/squid.conf")
    assert f"http_access allow {ONE} user:Plant-B\n" in config
    assert f"http_access allow {ONE} user:Plant-A\n" not in config
    again = play.playbook("rotate_proxy_password", change=rotating(tmp_path))
    assert again.code == 0, again.output
    assert again.changed(ONE) == 0


@pytest.mark.usefixtures("as_pushed", "as_deployed")
def test_rotation_that_fails_leaves_everything_working(tmp_path: Path) -> None:
    """One sensor cannot be moved: it is back on the old user, and the proxies still accept both."""
    SENSORS[OTHER].simulated.fault(reject="Invalid value for Proxy Username")
    failed = play.playbook("rotate_proxy_password", change=rotating(tmp_path))
    assert failed.code != 0
    assert_no_secret(failed.output, "the output")
    assert "Invalid value for Proxy Username" in failed.text
    assert proxy_of(OTHER)["username"] == "Plant-A"
    for name in (ONE, OTHER):
        assert SENSORS[name].simulated.connected(), name
    for proxy in (PROXY_1, PROXY_2):
        assert users(proxy) == {"Plant-A", "Plant-B"}
    config = lab.output(PROXY_2, "cat", "/etc/squid/squid.conf")
    assert f"http_access allow {OTHER} user:Plant-A\n" in config


def test_nothing_to_rotate_is_a_mistake() -> None:
    """Rather than a run that looks like one."""
    failed = play.playbook("rotate_proxy_password")
    assert failed.code != 0
    assert "there is nothing to rotate" in failed.text


@pytest.mark.usefixtures("as_pushed", "as_deployed")
def test_a_removed_sensor_loses_its_proxy_its_rule_and_nobody_elses_user() -> None:
    """A console does not keep its rule alive; one that is there and keeps its proxy makes the run fail in the end."""
    locked, by_hand, stays = "ot-sensor-22", "ot-sensor-10", "ot-sensor-wizard"
    SENSORS[locked].simulated.fault(locked=True)
    # Nobody has this address.
    hosts = {OTHER: {"sensor_proxy_console_url": "https://10.104.0.99"}, by_hand: {"sensor_proxy_state": "handoff"}}
    done = play.playbook(
        "remove_sensor",
        "-e",
        f"topology_removed_sensors={ONE},{OTHER},{locked},{by_hand}",
        change={"all": {"children": {"sensors": {"hosts": hosts}}}},
    )
    assert done.code != 0, done.output
    assert_no_secret(done.output, "the output")
    assert proxy_of(ONE)["enabled"] is False
    assert f"{OTHER}: its console was taken as scrapped, since https://10.104.0.99: nobody answers on " in done.text
    said = f"its console still has its proxy: https://{SENSORS[locked].address}: the console does not let"
    assert f"{locked}: the proxies have forgotten it, but {said}" in done.text
    assert f"{by_hand}: nobody signs in at its console; switch the proxy off there" in done.text
    assert SENSORS[by_hand].simulated.count("sign_ins") == 0
    assert {name: done.failed(name) for name in SENSORS} == {**dict.fromkeys(SENSORS, 0), locked: 1}
    for name in (ONE, OTHER, locked, by_hand):
        assert f"acl {name} " not in lab.output(SENSORS[name].proxy, "cat", "/etc/squid/squid.conf")
    assert users(PROXY_1) == set()
    assert users(PROXY_2) == {"Plant-A"}, "another one signs in as this user too"
    assert SENSORS[stays].simulated.connected()
    assert f"acl {stays} src {SENSORS[stays].address}" in lab.output(PROXY_2, "cat", "/etc/squid/squid.conf")
    SENSORS[locked].simulated.reset()


def test_nobody_to_remove_is_a_mistake() -> None:
    """A person types the names into a survey."""
    failed = play.playbook("remove_sensor", "-e", "topology_removed_sensors=,")
    assert failed.code != 0
    assert "Name the sensors that go" in failed.text
    unknown = play.playbook("remove_sensor", "-e", json.dumps({"topology_removed_sensors": "nobody,\nno-one"}))
    assert unknown.code != 0
    for name in ("nobody", "no-one"):
        assert f"{name}: it is to be removed, and the inventory has no such sensor" in unknown.text
