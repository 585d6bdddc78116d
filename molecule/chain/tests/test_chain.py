"""Two tiers, two parents, a parent that wants a password: traffic passes only through the chain."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import lab
import pytest

ENDPOINT = "hub.azure-devices.net"
SITES = {
    "ot-chain-site-1": ("ot-chain-sensor1", "sensor1:pass: word #1"),
    "ot-chain-site-2": ("ot-chain-sensor2", None),
    "ot-chain-site-3": ("ot-chain-sensor3", None),
}
PARENTS = ("ot-chain-dmz-1", "ot-chain-dmz-2")
FAILOVER_SECONDS = 4.0


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def visit(site: str, endpoint: str = ENDPOINT, user: str | None = None) -> lab.Visit:
    sensor, credentials = SITES[site]
    return lab.visit(sensor, f"http://{lab.address(site, 'ot-chain-ot')}:3128", endpoint, user=user or credentials)


def connect_status(host: str, proxy: str) -> str:
    """The proxy's answer to a CONNECT from a host that signs in nowhere; empty when there was none."""
    options = ["-sk", "-o", "/dev/null", "-w", "%{http_connect}", "-x", proxy]
    return lab.run(host, "curl", *options, f"https://{ENDPOINT}/").stdout


@contextmanager
def dropped_packets(*hosts: str) -> Iterator[None]:
    """Let hosts silently drop what comes to their proxy's ports, and everything that children had open there."""
    rules = "table inet fault { chain input { type filter hook input priority -10; tcp dport { 3128, 3129 } drop; }; }"
    for host in hosts:
        assert lab.run(host, "nft", "-f", "-", stdin=rules).returncode == 0
    try:
        yield
    finally:
        for host in hosts:
            lab.output(host, "nft", "delete", "table", "inet", "fault")


def test_both_hops_and_the_external_parent_show_the_sensors_connect(site: str) -> None:
    result = visit(site)
    assert (result.connect, result.body) == (200, f"endpoint {ENDPOINT}")
    time.sleep(0.5)
    first = lab.log_lines(site, f"CONNECT {ENDPOINT}:443")[-1]
    assert lab.address(SITES[site][0], "ot-chain-ot") in first
    assert SITES[site][0] in first
    assert "FIRSTUP_PARENT/10.102.1.21" in first
    second = lab.log_lines(PARENTS[0], f"CONNECT {ENDPOINT}:443")[-1]
    assert lab.address(site, "ot-chain-dmz") in second
    assert "/192.0.2.50" in second
    external = lab.log_lines("ot-chain-corp", f"CONNECT {ENDPOINT}:443")[-1]
    assert " plant " in external


def test_external_parent_really_wants_its_password() -> None:
    assert connect_status("ot-chain-dmz-1", "http://192.0.2.50:8080") == "407"


def test_sensor_must_sign_in_where_the_site_wants_it() -> None:
    proxy = f"http://{lab.address('ot-chain-site-1', 'ot-chain-ot')}:3128"
    sensor = SITES["ot-chain-site-1"][0]
    assert lab.visit(sensor, proxy, ENDPOINT).connect == 407
    assert lab.visit(sensor, proxy, ENDPOINT, user="sensor1:wrong").connect == 407
    assert lab.visit("ot-chain-sensor2", proxy, ENDPOINT, user="sensor1:pass: word #1").connect == 403


def test_password_file_is_hashed_and_private() -> None:
    users = lab.output("ot-chain-site-1", "cat", "/etc/squid/users")
    assert users.startswith("sensor1:$6$")
    assert "word" not in users
    assert lab.output("ot-chain-site-1", "stat", "-c", "%a %U %G", "/etc/squid/users").split() == [
        "640",
        "root",
        "proxy",
    ]


def test_parents_admit_the_site_proxies_only() -> None:
    assert connect_status("ot-chain-corp", "http://192.0.2.21:3128") == "403"


def test_chain_by_tls_needs_the_openssl_build() -> None:
    assert visit("ot-chain-site-2").connect == 200
    assert " tls ssldomain=ot-chain-dmz-1 " in lab.output("ot-chain-site-2", "cat", "/etc/squid/squid.conf")
    assert "squid-openssl" in lab.output("ot-chain-site-2", "dpkg-query", "--show", "squid-openssl")
    connections = lab.output("ot-chain-dmz-1", "ss", "--no-header", "--all", "--tcp", "--numeric", "src", ":3128")
    assert "10.102.1.12" not in connections, "site-2 must talk to its parent by TLS only"


def test_silent_first_parent_fails_over_within_seconds(site: str) -> None:
    before = len(lab.log_lines(PARENTS[1], f"CONNECT {ENDPOINT}:443"))
    with dropped_packets(PARENTS[0]):
        results = [visit(site) for _number in range(6)]
    assert [result.connect for result in results] == [200] * 6, results
    print(f"{site}: seconds for each CONNECT after the first parent went silent: {[r.seconds for r in results]}")
    assert results[0].seconds <= FAILOVER_SECONDS
    assert len(lab.log_lines(PARENTS[1], f"CONNECT {ENDPOINT}:443")) >= before + 6
    deadline = time.monotonic() + 60
    while "/10.102.1.21" not in lab.log_lines(site, f"CONNECT {ENDPOINT}:443")[-1]:
        assert time.monotonic() < deadline, "the first parent is not used again within 60 s after it came back"
        time.sleep(1)
        assert visit(site).connect == 200


def test_stopped_first_parent_fails_over(site: str) -> None:
    lab.output(PARENTS[0], "systemctl", "stop", "squid")
    try:
        result = visit(site)
    finally:
        lab.output(PARENTS[0], "systemctl", "start", "squid")
    assert result.connect == 200
    assert result.seconds <= FAILOVER_SECONDS


def test_dead_chain_refuses_and_leaks_nothing(site: str) -> None:
    around = lab.run(site, "curl", "-sk", "-m", "5", f"https://{ENDPOINT}/")
    assert around.stdout == f"endpoint {ENDPOINT}\n", "the way around the chain must exist, else this proves nothing"
    with dropped_packets(*PARENTS):
        for _number in range(4):
            result = visit(site)
            assert result.connect != 200
            assert result.body == ""
    assert lab.log_lines(site, "HIER_DIRECT") == []


def test_endpoint_that_fails_does_not_take_the_parents_down(site: str) -> None:
    """Squid counts an endpoint's failure as its parent's (measured); the others must not suffer from it."""
    for _number in range(15):
        assert visit(site, "gone.azure-devices.net").connect not in (0, 200)
    assert visit(site).connect == 200
