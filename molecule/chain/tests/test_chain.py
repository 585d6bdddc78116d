"""Two tiers, two parents, a parent that wants a password: traffic passes only through the chain."""

from __future__ import annotations

import time

import lab
import pytest
from chain_lab import ENDPOINT, PARENTS, SITES, visit


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def carried(proxy: str) -> list[str]:
    """What a proxy's log has of CONNECTs through which TLS went, the latest first."""
    lines = lab.log_lines(proxy, f"CONNECT {ENDPOINT}:443")
    return [line for line in reversed(lines) if int(line.split(f" CONNECT {ENDPOINT}")[0].split()[-1]) > 1000]


def connect_status(host: str, proxy: str) -> str:
    """The proxy's answer to a CONNECT from a host that signs in nowhere; empty when there was none."""
    options = ["-sk", "-o", "/dev/null", "-w", "%{http_connect}", "-x", proxy]
    return lab.run(host, "curl", *options, f"https://{ENDPOINT}/").stdout


def test_both_hops_and_the_external_parent_show_the_sensors_connect(site: str) -> None:
    result = visit(site)
    assert (result.connect, result.body) == (200, f"endpoint {ENDPOINT}")
    time.sleep(0.5)
    first = lab.log_lines(site, f"CONNECT {ENDPOINT}:443")[-1]
    assert lab.address(SITES[site][0], "ot-chain-ot") in first
    assert SITES[site][0] in first
    assert "FIRSTUP_PARENT/10.102.1.21" in first
    # Not one of those that only ask whether the parent can be used, which carry nothing.
    second = next(line for line in carried(PARENTS[0]) if lab.address(site, "ot-chain-dmz") in line)
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
