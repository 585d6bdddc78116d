"""One thing is broken at a time, and the playbook verify must name the stage and the hop.

Everything is real but the endpoints. Each fault is made on the hosts, never in the inventory or in what the playbook reads.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import documented
import lab
import play
import pytest

SITE, DMZ, EDGE, ENDPOINT = "ot-verify-site", "ot-verify-dmz", "ot-verify-edge", "ot-verify-store"
SENSORS = ["ot-verify-sensor1", "ot-verify-sensor2"]
PROXY = "http://10.105.0.11:3128"
HUB, DOWNLOAD, STORE = "hub.azure-devices.net", "download.microsoft.com", "store.blob.core.windows.net"
CONFIG, USERS = "/etc/squid/squid.conf", "/etc/squid/users"

Fault = Callable[[], AbstractContextManager[None]]


@contextmanager
def edited(host: str, path: str, script: str, then: str = "systemctl reload squid") -> Iterator[None]:
    """Edit a file of a host with sed, and put it back afterwards."""
    # In place, since Docker mounts some files.
    lab.output(host, "cp", "-a", path, "/root/kept")
    try:
        lab.output(host, "sh", "-c", f"sed -E '{script}' /root/kept >{path} && {then}")
        wait_for_squid(host)
        yield
    finally:
        lab.output(host, "sh", "-c", f"cat /root/kept >{path} && {then}")
        wait_for_squid(host)


def wait_for_squid(host: str) -> None:
    time.sleep(1)
    for _attempt in range(50):
        if lab.run(host, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3128").returncode == 0:
            return
        time.sleep(0.2)
    raise AssertionError(f"the Squid of {host} does not answer")


def docker(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, capture_output=True, timeout=60)


@contextmanager
def endpoint_down() -> Iterator[None]:
    docker("stop", "-t", "1", ENDPOINT)
    try:
        yield
    finally:
        docker("start", ENDPOINT)
        time.sleep(2)


@contextmanager
def untrusted_certificate() -> Iterator[None]:
    """The endpoint signs itself another one."""
    lab.output(ENDPOINT, "sh", "-c", "mkdir -p /srv/kept && mv /srv/endpoint.* /srv/kept")
    docker("restart", "-t", "1", ENDPOINT)
    time.sleep(2)
    try:
        yield
    finally:
        lab.output(ENDPOINT, "sh", "-c", "mv /srv/kept/* /srv")
        docker("restart", "-t", "1", ENDPOINT)
        time.sleep(2)


@contextmanager
def inspecting_proxy() -> Iterator[None]:
    """The edge opens TLS, as a plant's owner might have it do."""
    certgen = "/usr/lib/squid/security_file_certgen"
    lab.output(
        EDGE, "sh", "-c", f"rm -rf /run/certs && {certgen} -c -s /run/certs -M 4MB && chown -R proxy: /run/certs"
    )
    bump = "ssl-bump generate-host-certificates=on tls-cert=/etc/lab/inspector.pem tls-key=/etc/lab/inspector.key"
    more = (
        f"sslcrtd_program {certgen} -s /run/certs -M 4MB\\nssl_bump bump all\\n"
        "tls_outgoing_options cafile=/srv/endpoint.pem"
    )
    script = f"s#^http_port .*#& {bump}\\n{more}#"
    with edited(EDGE, CONFIG, script, then="systemctl restart squid"):
        yield


def dead_dns() -> AbstractContextManager[None]:
    return edited(EDGE, "/etc/resolv.conf", "s/^nameserver .*/nameserver 10.105.3.99/")


@contextmanager
def parent_dead() -> Iterator[None]:
    try:
        with lab.stopped(EDGE):
            yield
    finally:
        wait_for_squid(EDGE)


def parent_wants_another_user() -> AbstractContextManager[None]:
    # A restart, since Squid keeps a login that it has accepted.
    return edited(EDGE, USERS, "s/^dmz:/another:/", then="systemctl restart squid")


def missing_acl() -> AbstractContextManager[None]:
    return edited(DMZ, CONFIG, f"/^http_access allow {SITE}$/d")


@contextmanager
def dropped_packets() -> Iterator[None]:
    rules = 'table inet fault { chain input { type filter hook input priority -10; iifname != "lo" tcp dport 3128 drop; }; }'
    assert lab.run(DMZ, "nft", "-f", "-", stdin=rules).returncode == 0
    try:
        yield
    finally:
        lab.output(DMZ, "nft", "delete", "table", "inet", "fault")


def sensor_missing_acl() -> AbstractContextManager[None]:
    return edited(SITE, CONFIG, f"/^http_access allow {SENSORS[1]}$/d")


@dataclass(frozen=True)
class Case:
    """A fault, and what must be said of it."""

    what: str
    fault: Fault
    stage: str
    hop: str
    endpoints: tuple[str, ...] = (HUB, DOWNLOAD, STORE)
    sensors: tuple[str, ...] = tuple(SENSORS)


CASES = [
    Case("An endpoint is down", endpoint_down, "endpoint-unreachable", "", (STORE,)),
    Case("An endpoint's certificate is not trusted", untrusted_certificate, "tls-untrusted", "", (STORE,)),
    Case("The edge proxy inspects TLS", inspecting_proxy, "tls-inspected", EDGE),
    Case("The edge proxy's DNS server is dead", dead_dns, "resolve", EDGE, (HUB, DOWNLOAD)),
    Case("The DMZ proxy's parent, the edge proxy, is dead", parent_dead, "tcp", EDGE),
    Case("The edge proxy answers 407 to the DMZ proxy", parent_wants_another_user, "proxy-auth", EDGE),
    Case("The DMZ proxy has no ACL for the site proxy", missing_acl, "proxy-denied", DMZ),
    Case("A firewall silently drops what the site proxy sends", dropped_packets, "timeout", DMZ),
    Case("The site proxy has no ACL for one sensor", sensor_missing_acl, "proxy-denied", SITE, (), (SENSORS[1],)),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reports go."""
    return tmp_path_factory.mktemp("report")


def verify(folder: Path, *options: str, change: dict[str, Any] | None = None) -> tuple[play.Run, dict[str, Any]]:
    """Run the playbook; return the run and its results."""
    run = play.playbook("verify", *options, "-e", f"chain_verify_report_dir={folder}", change=change)
    assert "Traceback" not in run.output, run.output
    results: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return run, results


def sensors_of(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {sensor["name"]: sensor for sensor in results["sensors"]}


def configs() -> list[str]:
    return [lab.output(host, "sh", "-c", f"cat {CONFIG} | sha256sum") for host in (SITE, DMZ, EDGE)]


def test_a_whole_chain_is_proven_and_nothing_is_changed(folder: Path) -> None:
    """With the sensors' own traffic as evidence."""
    for sensor in SENSORS:
        assert lab.visit(sensor, PROXY, HUB).connect == 200
    before = configs()
    run, results = verify(folder)
    assert run.code == 0, run.output
    assert results["verdict"] == "ok", results
    assert results["counts"] == {"ok": 2, "degraded": 0, "unknown": 0, "broken": 0}
    assert [run.changed(host) for host in (SITE, DMZ, EDGE)] == [0, 0, 0]
    assert configs() == before
    for name, found in sensors_of(results).items():
        assert found["path"] == [SITE, DMZ, EDGE]
        assert found["evidence"]["last_ok"]["endpoint"] == HUB, found
        assert found["evidence"]["rule"]["text"] == f"http_access allow {name}"
    for proxy in results["proxies"].values():
        assert re.fullmatch(r"[5-7]\.\d+", proxy["squid"]), proxy
        assert re.fullmatch("[0-9a-f]{64}", proxy["config_sha256"]), proxy
    # Each proxy itself, each link to a parent, and the last one's way to the endpoints: each once.
    links = [(link["source"], link["target"], link["kind"]) for link in results["links"]]
    assert sorted(links) == sorted(
        [(proxy, proxy, "self") for proxy in (SITE, DMZ, EDGE)]
        + [(SITE, DMZ, "parent"), (DMZ, EDGE, "parent"), (EDGE, "", "direct")]
    )
    for link in results["links"]:
        assert [probe["endpoint"] for probe in link["endpoints"]] == [HUB, DOWNLOAD, STORE]
        assert all(
            probe["times"]["tls"] > 0 and probe["certificate"]["issuer"] == "CN=lab" for probe in link["endpoints"]
        )


def test_the_report_is_there_for_people_and_for_machines(folder: Path) -> None:
    run, results = verify(folder)
    for name in SENSORS:
        assert f"{name} {SITE} > {DMZ} > {EDGE} > endpoints ok" in run.text, run.output
    suite = ET.parse(folder / "junit.xml").getroot()
    assert len(list(suite.iter("testcase"))) == len(SENSORS) + len(results["links"])
    assert not list(suite.iter("failure"))
    assert "<svg" in (folder / "topology.svg").read_text()
    assert (folder / "topology.mmd").read_text().startswith("flowchart")
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    assert all(name in page for name in (*SENSORS, SITE, DMZ, EDGE))


@pytest.fixture(scope="module")
def rows() -> list[str]:
    """The lines of the documentation's table, as the cases find them."""
    return []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_fault_is_named(case: Case, folder: Path, rows: list[str]) -> None:
    with case.fault():
        run, results = verify(folder)
    assert run.code != 0, run.output
    assert f"{len(case.sensors)} of 2 sensors' paths are not proven to work (broken)" in run.text
    found = sensors_of(results)
    for name in case.sensors:
        sensor = found[name]
        verdict = {key: sensor[key] for key in ("verdict", "stage", "hop")}
        assert verdict == {"verdict": "broken", "stage": case.stage, "hop": case.hop}, sensor
        assert tuple(sensor["endpoints"]) == case.endpoints
        assert " ".join(sensor["reason"].split()) in run.text
    for name in set(SENSORS) - set(case.sensors):
        assert found[name]["verdict"] == "ok", found[name]
    failures = list(ET.parse(folder / "junit.xml").getroot().iter("failure"))
    assert len(failures) >= len(case.sensors)
    hop = case.hop.removeprefix("ot-verify-") or "the endpoint"
    sentence = found[case.sensors[0]]["reason"].replace("ot-verify-", "").replace("|", "\\|")
    rows.append(f"| {case.what} | `{case.stage}` | {hop} | {sentence} |")


def test_the_documentations_table_is_what_was_found(rows: list[str]) -> None:
    """The sentences may differ between versions of Squid, the rest may not."""
    assert len(rows) == len(CASES), "run the whole file"
    head = ["| What was broken | Stage | Hop | What the report says |", "|---|---|---|---|"]
    documented.table("report.md", [*head, *rows], (0, 1, 2))


def test_what_was_mended_is_told_as_a_change(folder: Path) -> None:
    """After the last fault, every path is proven again, and the report says since when one was not."""
    assert verify(folder)[0].code == 0
    with sensor_missing_acl():
        _run, first = verify(folder)
        _run, second = verify(folder)
    (since,) = {sensors_of(each)[SENSORS[1]]["since"] for each in (first, second)}
    assert since == first["time"]
    run, results = verify(folder)
    assert (run.code, results["verdict"]) == (0, "ok"), run.output
    assert results["changes"] == [{"sensor": SENSORS[1], "before": "broken", "after": "ok"}]


def test_a_limit_leaves_out_no_verdict(folder: Path) -> None:
    """A path is proven by its first hop alone; without that nothing is, and no fault is missed."""
    run, results = verify(folder, "--limit", SITE)
    assert (run.code, results["counts"]["ok"]) == (0, 2), run.output
    with missing_acl():
        run, results = verify(folder, "--limit", SITE, "--tags", "nothing")
    assert (run.code != 0, results["counts"]["broken"]) == (True, 2), run.output
    run, results = verify(folder, "--limit", f"{DMZ},sensors")
    assert (run.code != 0, results["counts"]["unknown"]) == (True, 2), run.output
    assert f"{SITE} could not be asked: it was not asked." in run.text


def test_a_host_that_cannot_be_asked_proves_nothing(folder: Path) -> None:
    """Neither is it taken for broken."""
    gone = {"all": {"hosts": {SITE: {"ansible_host": "ot-verify-nowhere"}}}}
    run, results = verify(folder, change=gone)
    assert run.code != 0
    assert results["counts"]["unknown"] == 2
    assert all(sensor["reason"].startswith(f"{SITE} could not be asked: ") for sensor in results["sensors"])
    # One that is not the first hop is proven by its neighbour's walk.
    gone = {"all": {"hosts": {EDGE: {"ansible_host": "ot-verify-nowhere"}}}}
    run, results = verify(folder, change=gone)
    assert (run.code, results["verdict"]) == (0, "ok"), run.output
    assert {link["verdict"] for link in results["links"] if link["source"] == EDGE} == {"unknown"}


def test_no_proxies_is_no_proof(folder: Path) -> None:
    run = play.playbook("verify", "-e", "topology_proxies_group=nobody", "-e", f"chain_verify_report_dir={folder}")
    assert run.code != 0
    assert "no group 'nobody', which topology_proxies_group names" in run.text


def test_no_secret_is_told(folder: Path) -> None:
    """Neither on the terminal nor in a file."""
    run, _results = verify(folder, "-vvv")
    written = "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    for secret in ("pass: word #1", "pass%3A%20word%20%231"):
        assert secret not in run.output
        assert secret not in written
