# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a path ends, asked of real sockets on the loopback interface."""

from __future__ import annotations

import base64
import errno
import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.path import Hop, Probe, walk

from .fake_hops import OK, Authority, FakeProxy, Script, closed, deaf, relay, secure, serving, silent

HOST = "a.one.example"
TARGET = f"{HOST}:443"
DMZ = Hop("dmz", "10.0.0.1", 3128, hostname="dmz.plant")
SECRET = "s3cret:with a colon"

Ends: TypeAlias = "tuple[str | None, str | None, str | None]"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the tests trust."""
    return Authority(tmp_path_factory.mktemp("plant"), "Plant")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "Stranger")


def site(port: int, **given: Any) -> Hop:
    return Hop("site", "127.0.0.1", port, hostname="site.plant", **given)


def end(probe: Probe) -> Ends:
    """Return stage, hop and sentence, as a module returns them."""
    result = probe.as_result()
    assert (result["verdict"] == "ok") == (result["stage"] is None)
    return result["stage"], result["hop"], result["reason"]


def walked(script: Script, authority: Authority, *more: Hop, endpoint: str = HOST, timeout: float = 2.0) -> Probe:
    with serving(script) as port:
        return walk([site(port), *more], endpoint, ca_path=str(authority.path), timeout=timeout)


def straight(script: Script, authority: Authority, timeout: float = 2.0, address: str = "127.0.0.1") -> Probe:
    """Walk to an endpoint on loopback without a proxy."""
    with serving(script, address) as port:
        return walk([], address, port, str(authority.path), timeout)


# --- The whole way


def test_a_path_that_works(plant: Authority) -> None:
    proxy = FakeProxy(behind=secure(plant.issue()))
    probe = walked(proxy, plant)
    result = probe.as_result()
    assert end(probe) == (None, None, None)
    assert (result["endpoint"], result["port"], result["verdict"]) == (HOST, 443, "ok")
    assert proxy.heads == [f"CONNECT {TARGET} HTTP/1.1\r\nHost: {TARGET}\r\n\r\n".encode()]
    assert result["times"].keys() == {"resolve", "tcp", "connect", "tls"}


def test_the_certificate_that_was_shown(plant: Authority) -> None:
    certificate = walked(FakeProxy(behind=secure(plant.issue())), plant).as_result()["certificate"]
    assert (certificate["issuer"], certificate["authority"]) == ("CN=Plant Root, O=Plant", "Plant")
    assert certificate["subject"] == f"CN={HOST}"
    assert certificate["not_after"].endswith("+00:00")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_path_without_a_proxy(plant: Authority, address: str) -> None:
    try:
        probe = straight(secure(plant.issue()), plant, address=address)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert end(probe) == (None, None, None)
    assert probe.times.keys() == {"resolve", "tcp", "tls"}


def test_an_ipv6_endpoint_is_asked_for_in_brackets(plant: Authority) -> None:
    proxy = FakeProxy(behind=secure(plant.issue()))
    assert end(walked(proxy, plant, endpoint="::1")) == (None, None, None)
    assert proxy.heads[0].startswith(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n")


def test_nothing_but_the_handshake_is_sent_to_an_endpoint(plant: Authority) -> None:
    heard: list[bytes] = []
    straight(secure(plant.issue(), lambda stream: heard.append(stream.recv(4096))), plant)
    assert heard == [b""]


# --- Names and addresses


def test_a_name_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_given: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    probe = walk([], HOST)
    assert end(probe) == ("resolve", "", f"The name {HOST} cannot be resolved (Name or service not known).")
    assert probe.times.keys() == {"resolve"}
    assert end(walk([Hop("site", "proxy.plant", 3128)], HOST)) == (
        *("resolve", "site"),
        "The name proxy.plant cannot be resolved (Name or service not known).",
    )


def test_a_resolver_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def asleep(*_given: object, **_more: object) -> list[object]:
        over.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", asleep)
    probe = walk([], HOST, timeout=0.2)
    over.set()
    assert end(probe) == ("resolve", "", f"The name {HOST} was not resolved within 0.2 s.")
    assert probe.times["resolve"] >= 0.2


@pytest.mark.parametrize("name", ["a..example", "x" * 70])
def test_a_name_that_cannot_be(name: str) -> None:
    stage, hop, reason = end(walk([], name, timeout=0.5))
    assert (stage, hop) == ("resolve", "")
    assert (reason or "").startswith(f"The name {name} cannot be resolved (")


@pytest.mark.parametrize(
    "other",
    [(socket.AF_INET, "127.0.0.1"), (255, "127.0.0.1")],
    ids=["refused", "of a family that this host lacks, as IPv6 may be"],
)
def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch, plant: Authority, other: tuple[int, str]) -> None:
    family, address = other
    with serving(secure(plant.issue())) as port:
        found = [
            (family, socket.SOCK_STREAM, 0, "", (address, closed())),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_more: found)
        assert end(walk([], HOST, port, str(plant.path), 2)) == (None, None, None)


class Deaf:
    """Sockets to addresses that do not answer, and a clock that only they move; one that refuses does so at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refusing: str) -> None:
        self.time = 0.0
        self.waited: list[float] = []
        self._refusing = refusing
        monkeypatch.setattr(socket, "socket", lambda *_given: self)
        monkeypatch.setattr(time, "monotonic", lambda: self.time)

    def settimeout(self, seconds: float) -> None:
        self._seconds = seconds

    def connect(self, where: tuple[str, int]) -> None:
        if where[0] in self._refusing:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        self.waited.append(self._seconds)
        self.time += self._seconds
        raise TimeoutError

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("addresses", "refusing", "waits"),
    [
        (["10.0.0.1"], (), [6]),
        (["10.0.0.1", "10.0.0.2", "10.0.0.3"], (), [2, 2, 2]),
        (["10.0.0.1", "10.0.0.2", "10.0.0.3"], ("10.0.0.1",), [3, 3]),
        ([f"10.0.0.{number}" for number in range(1, 10)], (), [1.5] * 4),
    ],
    ids=["one", "three", "one refuses", "more than are tried"],
)
def test_the_addresses_of_a_name_share_the_time_of_one(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], refusing: tuple[str, ...], waits: list[float]
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 443)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_more: found)
    deaf_ones = Deaf(monkeypatch, *refusing)
    probe = walk([], HOST, timeout=6)
    assert end(probe)[0] == "endpoint-unreachable"
    assert deaf_ones.waited == pytest.approx(waits)
    assert probe.times["tcp"] == pytest.approx(6)


# --- TCP


def test_a_proxy_that_does_not_run() -> None:
    port = closed()
    probe = walk([site(port), DMZ], HOST)
    assert end(probe) == ("tcp", "site", f"127.0.0.1:{port} refuses the connection; nothing listens there.")
    assert probe.times.keys() == {"resolve", "tcp"}


def test_an_endpoint_that_does_not_run() -> None:
    port = closed()
    reason = f"127.0.0.1:{port} refuses the connection; nothing listens there."
    assert end(walk([], "127.0.0.1", port)) == ("endpoint-unreachable", "", reason)


def test_packets_that_are_lost() -> None:
    with deaf() as port:
        reason = f"127.0.0.1:{port} does not answer; packets to it, or from it, are lost."
        probe = walk([site(port)], HOST, timeout=0.3)
        assert end(probe) == ("timeout", "site", reason)
        assert probe.times["tcp"] >= 0.25
        assert end(walk([], "127.0.0.1", port, timeout=0.2)) == ("endpoint-unreachable", "", reason)


# --- CONNECT


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            "407 Auth\r\nVia: 1.1 site.plant (squid)",
            (
                "proxy-auth",
                "site",
                f"site, or a hop behind it, does not accept the sign-in for CONNECT to {TARGET} (407).",
            ),
        ),
        (
            "403 No\r\nVia: 1.1 dmz.plant (squid)\r\nX-Squid-Error: ERR_ACCESS_DENIED 0",
            ("proxy-denied", "dmz", f"dmz refuses CONNECT to {TARGET} (403, ERR_ACCESS_DENIED)."),
        ),
        (
            "503 No\r\nX-Squid-Error: ERR_CONNECT_FAIL 111",
            ("parent-unreachable", "site", f"site cannot get to {TARGET} through dmz (503, ERR_CONNECT_FAIL)."),
        ),
    ],
    ids=["proxy-auth", "proxy-denied", "parent-unreachable"],
)
def test_a_proxy_that_says_no(plant: Authority, answer: str, expected: Ends) -> None:
    probe = walked(FakeProxy(f"HTTP/1.1 {answer}\r\n\r\n".encode()), plant, DMZ)
    assert end(probe) == expected
    assert probe.times.keys() == {"resolve", "tcp", "connect"}
    assert probe.as_result()["certificate"] is None


def test_a_last_proxy_that_does_not_reach_the_endpoint(plant: Authority) -> None:
    reason = f"site cannot reach {TARGET} (503)."
    assert end(walked(FakeProxy(b"HTTP/1.1 503 No\r\n\r\n"), plant)) == ("endpoint-unreachable", "site", reason)


def test_a_proxy_that_closes(plant: Authority) -> None:
    stage, hop, reason = end(walked(lambda _client: None, plant, DMZ))
    assert (stage, hop) == ("proxy-denied", "site")
    assert reason is not None
    assert f"CONNECT to {TARGET}" in reason


def test_a_proxy_that_is_silent(plant: Authority) -> None:
    probe = walked(silent, plant, timeout=0.3)
    stage, hop, reason = end(probe)
    assert (stage, hop) == ("timeout", "site")
    assert (reason or "").startswith(f"site did not answer CONNECT to {TARGET} within 0.3 s")
    assert probe.times["connect"] >= 0.25


def test_each_stage_has_its_own_time(plant: Authority) -> None:
    def late(client: socket.socket) -> None:
        client.recv(4096)
        time.sleep(0.6)
        client.sendall(OK[:20])
        time.sleep(0.05)
        client.sendall(OK[20:])
        time.sleep(0.6)
        secure(certificate)(client)

    certificate = plant.issue()
    probe = walked(late, plant, timeout=1.1)
    assert end(probe) == (None, None, None)
    assert probe.times["connect"] + probe.times["tls"] > 1.1


# --- Credentials


def test_credentials_go_to_the_first_hop_and_nowhere_else(plant: Authority, stranger: Authority) -> None:
    heard: list[bytes] = []

    def listen(client: socket.socket) -> None:
        heard.append(client.recv(65536, socket.MSG_PEEK))
        secure(certificate)(client)

    certificate = stranger.issue()
    proxy = FakeProxy(behind=listen)
    with serving(proxy) as port:
        first = site(port, username="plänt", password=SECRET)
        second = Hop("dmz", "10.0.0.1", 3128, username="other", password="second-secret")
        probe = walk([first, second], HOST, ca_path=str(plant.path), timeout=2)
    pair = base64.b64encode(f"plänt:{SECRET}".encode()).decode()
    # Once to see whether it is trusted, and once for who signed it.
    assert len(proxy.heads) == 2
    for head in proxy.heads:
        assert head.count(b"Proxy-Authorization:") == 1
        assert f"\r\nProxy-Authorization: Basic {pair}\r\n".encode() in head
    assert len(heard) == 2
    assert not any(word.encode() in each for each in heard for word in (SECRET, pair, "second-secret"))
    for said in (json.dumps(probe.as_result()), repr(probe), repr(first), str(probe.failure)):
        assert not any(word in said for word in (SECRET, pair, "second-secret"))


def test_without_a_user_there_are_no_credentials(plant: Authority) -> None:
    proxy = FakeProxy(b"HTTP/1.1 407 No\r\n\r\n")
    walked(proxy, plant)
    assert b"Authorization" not in proxy.heads[0]


def test_more_headers_are_sent_and_not_shown(plant: Authority) -> None:
    proxy = FakeProxy()
    with serving(proxy) as port:
        hop = site(port, headers={"X-Proxy-Chaining-Probe": "t0k3n"})
        walk([hop], HOST, ca_path=str(plant.path), timeout=0.2)
    assert b"\r\nX-Proxy-Chaining-Probe: t0k3n\r\n" in proxy.heads[0]
    assert "t0k3n" not in repr(hop)


# --- TLS with the endpoint


def test_a_certificate_that_is_not_trusted_and_who_signed_it(plant: Authority, stranger: Authority) -> None:
    probe = walked(FakeProxy(behind=secure(stranger.issue())), plant, DMZ)
    stage, hop, reason = end(probe)
    assert (stage, hop) == ("tls-untrusted", "")
    assert (reason or "").startswith(f"The certificate shown for {HOST} is not trusted: ")
    assert (reason or "").endswith(", issued by CN=Stranger Root, O=Stranger.")
    assert probe.times.keys() == {"resolve", "tcp", "connect", "tls"}
    assert probe.as_result()["certificate"]["authority"] == "Stranger"


@pytest.mark.parametrize(
    ("hosts", "ends", "why"),
    [((), timedelta(days=-1), "expired"), (("b.two.example",), timedelta(days=1), "ostname mismatch")],
    ids=["out of date", "of another name"],
)
def test_a_trusted_authority_is_not_all(plant: Authority, hosts: tuple[str, ...], ends: timedelta, why: str) -> None:
    probe = walked(FakeProxy(behind=secure(plant.issue(*hosts, ends=ends))), plant)
    stage, hop, reason = end(probe)
    assert (stage, hop) == ("tls-untrusted", "")
    assert why in (reason or "")
    assert probe.certificate is not None


def test_a_certificate_that_is_not_shown_twice(plant: Authority, stranger: Authority) -> None:
    shows = [secure(stranger.issue())]
    probe = walked(FakeProxy(behind=lambda client: shows.pop()(client) if shows else None), plant)
    stage, hop, reason = end(probe)
    assert (stage, hop, probe.certificate) == ("tls-untrusted", "", None)
    assert "issued by" not in (reason or "")


@pytest.mark.parametrize(
    "endpoint",
    [lambda _client: None, lambda client: client.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")],
    ids=["closes", "speaks something else"],
)
def test_an_endpoint_without_tls(plant: Authority, endpoint: Script) -> None:
    stage, hop, reason = end(walked(FakeProxy(behind=endpoint), plant))
    assert (stage, hop) == ("endpoint-unreachable", "")
    assert (reason or "").startswith(f"TLS with {HOST} fails (")


def test_an_endpoint_that_is_silent(plant: Authority) -> None:
    probe = walked(FakeProxy(), plant, DMZ, timeout=0.3)
    assert end(probe) == ("timeout", "", f"{HOST} does not answer TLS behind dmz.")
    assert probe.times["tls"] >= 0.25
    assert end(straight(silent, plant, timeout=0.2))[:2] == ("timeout", "")


# --- TLS with the proxy

Walked = Callable[..., Probe]


@pytest.fixture
def by_tls(plant: Authority) -> Walked:
    """Walk through a proxy that is spoken to by TLS."""

    def walk_by_tls(script: Script, **given: Any) -> Probe:
        with serving(script) as port:
            hop = site(port, tls=True, **{"tls_ca": str(plant.path)} | given)
            return walk([hop, DMZ], HOST, ca_path=str(plant.path), timeout=0.5)

    return walk_by_tls


def test_a_path_through_a_tls_proxy(plant: Authority, by_tls: Walked) -> None:
    with serving(secure(plant.issue(HOST))) as endpoint:
        probe = by_tls(secure(plant.issue("127.0.0.1"), FakeProxy(behind=relay(endpoint))))
    assert end(probe) == (None, None, None)
    assert probe.times.keys() == {"resolve", "tcp", "proxy_tls", "connect", "tls"}
    assert probe.certificate is not None


def test_who_signed_an_untrusted_certificate_behind_a_tls_proxy(
    plant: Authority, stranger: Authority, by_tls: Walked
) -> None:
    with serving(secure(stranger.issue())) as endpoint:
        probe = by_tls(secure(plant.issue("127.0.0.1"), FakeProxy(behind=relay(endpoint))))
    assert end(probe)[:2] == ("tls-untrusted", "")
    assert probe.as_result()["certificate"]["authority"] == "Stranger"


def test_an_endpoint_that_is_silent_behind_a_tls_proxy(plant: Authority, by_tls: Walked) -> None:
    probe = by_tls(secure(plant.issue("127.0.0.1"), FakeProxy()))
    assert end(probe) == ("timeout", "", f"{HOST} does not answer TLS behind dmz.")


def test_a_tls_proxy_is_known_by_its_tls_name(plant: Authority, by_tls: Walked) -> None:
    no = FakeProxy(b"HTTP/1.1 403 No\r\nVia: 1.1 dmz.plant\r\n\r\n")
    proxy = secure(plant.issue("proxy.plant"), no)
    assert end(by_tls(proxy, tls_name="proxy.plant"))[:2] == ("proxy-denied", "dmz")
    probe = by_tls(proxy)
    assert end(probe)[:2] == ("tls-untrusted", "site")
    assert "mismatch" in (end(probe)[2] or "")
    assert probe.times.keys() == {"resolve", "tcp", "proxy_tls"}


def test_a_tls_proxy_that_is_not_trusted_gets_no_credentials(stranger: Authority, by_tls: Walked) -> None:
    no = FakeProxy()
    probe = by_tls(secure(stranger.issue(), no), username="plant", password=SECRET)
    assert end(probe)[:2] == ("tls-untrusted", "site")
    assert probe.certificate is None
    assert no.heads == []


def test_a_tls_proxy_that_is_silent(by_tls: Walked) -> None:
    stage, hop, reason = end(by_tls(silent))
    assert (stage, hop) == ("timeout", "site")
    assert (reason or "").endswith("took the connection and does not answer TLS.")
