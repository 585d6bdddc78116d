"""What squid.conf says of parents depends on how many there are and how they are given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rendered import squid_conf

ONE = {"host": "10.0.0.1", "port": 3128}
TWO = {"host": "2001:db8::1", "port": 3128}
NAMED = {"host": "proxy.corp.example", "port": 8080}


def lines(*parents: dict[str, Any], **variables: Any) -> list[str]:
    return squid_conf({}, squid_parents=list(parents), **variables).splitlines()


def of(directive: str, found: list[str]) -> list[str]:
    return [line for line in found if line.startswith(directive)]


@pytest.mark.parametrize("parents", [(), (ONE,), (NAMED,)])
def test_without_a_choice_nobody_is_asked(parents: tuple[dict[str, Any], ...]) -> None:
    found = lines(*parents)
    assert of("url_rewrite", found) + of("cache_peer_access", found) + of("acl skip", found) == []


@pytest.mark.parametrize("parents", [(ONE,), (TWO,), (NAMED,), (ONE, NAMED)])
def test_nothing_goes_around_the_parents(parents: tuple[dict[str, Any], ...]) -> None:
    found = lines(*parents)
    assert [line for line in found if "_direct " in line] == ["never_direct allow all"]
    assert len(of("cache_peer ", found)) == len(parents)


def test_each_of_several_parents_can_be_passed_over_by_its_own_name() -> None:
    found = lines(ONE, NAMED, squid_parent_connect_timeout=3)
    names = [line.split(" name=")[1].split()[0] for line in of("cache_peer ", found)]
    assert of("acl skip", found) == [f"acl skip:{number} note skip_ {name}" for number, name in enumerate(names, 1)]
    assert of("cache_peer_access", found) == [
        f"cache_peer_access {name} deny skip:{number}" for number, name in enumerate(names, 1)
    ]
    # Each parent is given its time, before Squid goes on without an answer.
    assert "url_rewrite_timeout 7 seconds on_timeout=bypass" in found


@pytest.mark.parametrize(
    ("parents", "named"), [((ONE, TWO), False), ((NAMED,), True), ((ONE, NAMED), True), ((), False)]
)
def test_names_are_looked_up_anew_where_there_are_any(parents: tuple[dict[str, Any], ...], named: bool) -> None:
    assert bool(of("positive_dns_ttl", lines(*parents))) == named


def test_a_tunnel_may_be_idle_for_an_hour_and_a_client_that_is_gone_is_noticed() -> None:
    found = lines(squid_listen_addresses=["192.0.2.250", "::1"])
    (timeout,) = of("read_timeout", found)
    assert int(timeout.split()[1]) > 3600
    assert all(line.endswith(" tcpkeepalive=120,30,120") for line in of("http", found) if "_port" in line.split()[0])


TLS = {
    "squid_tls_port": 3129,
    "squid_tls_certificate": "/etc/squid/a.pem",
    "squid_tls_private_key": "/etc/squid/a.key",
}
ALIVE = " tcpkeepalive=120,30,120"
SAFE = f" tls-cert=/etc/squid/a.pem tls-key=/etc/squid/a.key options=NO_TLSv1,NO_TLSv1_1{ALIVE}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [f"http_port 3128{ALIVE}"]),
        (
            {"squid_listen_addresses": ["192.0.2.250", "2001:db8::1"]},
            [f"http_port 192.0.2.250:3128{ALIVE}", f"http_port [2001:db8::1]:3128{ALIVE}"],
        ),
        (
            {"squid_listen_addresses": ["192.0.2.250"], **TLS},
            [f"http_port 192.0.2.250:3128{ALIVE}", f"https_port 192.0.2.250:3129{SAFE}"],
        ),
    ],
    ids=["everywhere", "at two addresses", "by TLS too"],
)
def test_it_listens_nowhere_else(given: dict[str, Any], expected: list[str]) -> None:
    found = lines(**given)
    assert of("http_port", found) + of("https_port", found) == expected
    sources = given.get("squid_listen_addresses", ["127.0.0.1"])
    assert of("acl probe_source", found) == [f"acl probe_source src {' '.join(sources)}"]


def test_what_is_not_on_the_list_and_what_is_not_https_is_denied_before_anybody_is_let_in() -> None:
    found = lines(ONE, squid_endpoints=["*.a.example", "hub.b.example"])
    assert of("acl https_port", found) == ["acl https_port port 443"]
    assert of("acl endpoints", found) == [
        "acl endpoints dstdomain -n .a.example",
        "acl endpoints dstdomain -n hub.b.example",
    ]
    assert of("http_access", found) == [
        *(f"http_access deny {what}" for what in ("manager", "!CONNECT", "!https_port", "!endpoints")),
        "http_access allow probe_source probe_token",
        "http_access deny all",
    ]


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ({}, "connect-fail-limit=1000000"),
        ({"tls": True}, " tls ssldomain=10.0.0.1"),
        ({"tls": True, "tls_ca": "/etc/ca.pem"}, " tls ssldomain=10.0.0.1 tls-cafile=/etc/ca.pem"),
        ({"tls": True, "tls_name": "dmz.example"}, " tls ssldomain=dmz.example"),
        ({"username": "u", "password": "secret"}, " login=u:@@parent:10.0.0.1@@"),
    ],
    ids=["plain", "tls", "its authority", "its name", "signs in"],
)
def test_a_parent_is_spoken_to_as_the_inventory_says(given: dict[str, Any], ends: str) -> None:
    (line,) = of("cache_peer ", lines({**ONE, **given}))
    assert line.startswith("cache_peer 10.0.0.1 parent 3128 0 ")
    assert line.endswith(ends)
    assert ("login=" in line, " tls " in line) == ("username" in given, "tls" in given)
