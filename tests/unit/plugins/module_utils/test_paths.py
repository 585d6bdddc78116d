# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many endpoints at once, and what is seen of all of them together; on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.path import Hop, Probe
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.walk_all import split, walk_all
from hypothesis import given
from hypothesis import strategies as st

from .fake_hops import HOSTS, OK, Authority, FakeProxy, Script, secure, serving

ONE, ONE_TOO, TWO, *_LOOPBACK = HOSTS
"""Two hosts of one domain, and one of another."""

DMZ = Hop("dmz", "10.0.0.1", 3128)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the tests trust."""
    return Authority(tmp_path_factory.mktemp("plant"), "Plant")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "Stranger")


def probed(shown: Mapping[str, Path], trusted: Authority, *authorities: str) -> list[Probe]:
    """Walk through two proxies to these hosts, for each of which a certificate is shown."""

    def script(client: socket.socket) -> None:
        host = client.recv(4096).split()[1].decode().partition(":")[0]
        client.sendall(OK)
        secure(shown[host])(client)

    with serving(script) as port:
        hops = [Hop("site", "127.0.0.1", port), DMZ]
        endpoints = [(host, 443) for host in shown]
        return walk_all(hops, endpoints, ca_path=str(trusted.path), authorities=authorities, timeout=2)


def ends(probes: list[Probe]) -> list[tuple[str, str] | None]:
    return [(probe.failure.stage, probe.failure.hop) if probe.failure else None for probe in probes]


UNTRUSTED, INSPECTED = ("tls-untrusted", ""), ("tls-inspected", "dmz")

# --- Endpoints as people write them


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("hub.example", ("hub.example", 443)),
        ("hub.example:8443", ("hub.example", 8443)),
        ("my_hub-1.example:1", ("my_hub-1.example", 1)),
        ("hub.example:65535", ("hub.example", 65535)),
        ("192.0.2.1:443", ("192.0.2.1", 443)),
        ("[2001:db8::1]", ("2001:db8::1", 443)),
        ("[2001:DB8::1]:8443", ("2001:DB8::1", 8443)),
    ],
)
def test_an_endpoint(endpoint: str, expected: tuple[str, int]) -> None:
    assert split(endpoint) == expected


@pytest.mark.parametrize(
    "endpoint",
    [
        *("", ":443", "hub.example:", "hub.example:0", "hub.example:65536", "hub.example:-1", "hub.example:443\n"),
        *("https://hub.example", "hub.example/path", "two words", "a\r\nb", "user@hub.example", "hub.example:٤٤٣"),
        *(
            "2001:db8::1",
            "[2001:db8::1",
            "[]",
            "[hub.example]",
            "[2001:db8::1]443",
            "a:1:2",
            "hüb.example",
            "*.example",
        ),
    ],
)
def test_what_is_no_endpoint(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r"^endpoints: ") as caught:
        split(endpoint)
    assert str(caught.value) == f"endpoints: {endpoint!r} is neither a host name nor host:port; correct it"


@given(st.text(max_size=30) | st.from_regex(r"[a-z.]{1,9}:[0-9]{1,6}", fullmatch=True))
def test_whatever_is_written_it_is_split_or_a_mistake(endpoint: str) -> None:
    with contextlib.suppress(ValueError):
        host, port = split(endpoint)
        assert endpoint in (host, f"{host}:{endpoint.rpartition(':')[2]}", f"[{host}]")
        assert 0 < port < 65536


# --- All together


def test_the_results_are_in_the_order_given(plant: Authority) -> None:
    certificate = plant.issue()
    probes = probed(dict.fromkeys([TWO, ONE, ONE_TOO], certificate), plant)
    assert [(probe.endpoint, probe.failure) for probe in probes] == [(TWO, None), (ONE, None), (ONE_TOO, None)]


def test_one_broken_endpoint_leaves_the_others(plant: Authority, stranger: Authority) -> None:
    assert ends(probed({ONE: plant.issue(), TWO: stranger.issue()}, plant)) == [None, UNTRUSTED]


@pytest.mark.parametrize("parallel", [1, 3])
def test_so_many_are_asked_at_once(plant: Authority, parallel: int) -> None:
    now, most = 0, 0
    lock = threading.Lock()

    def busy(client: socket.socket) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.1)
        with lock:
            now -= 1
        FakeProxy(b"HTTP/1.1 403 No\r\n\r\n")(client)

    with serving(busy) as port:
        endpoints = [(f"h{number}.example", 443) for number in range(6)]
        probes = walk_all([Hop("site", "127.0.0.1", port)], endpoints, timeout=2, parallel=parallel)
    assert ends(probes) == [("proxy-denied", "site")] * 6
    assert most == parallel


def test_nothing_to_ask() -> None:
    assert walk_all([], []) == []


# --- Inspection


def test_who_signs_for_several_domains_inspects(plant: Authority, stranger: Authority) -> None:
    probes = probed({ONE: stranger.issue(ONE), TWO: stranger.issue(TWO)}, plant)
    assert ends(probes) == [INSPECTED, INSPECTED]
    for probe in probes:
        assert probe.failure is not None
        assert f"The certificate shown for {probe.endpoint} was issued by Stranger, " in probe.failure.reason
        assert probe.failure.reason.endswith("; something on the way opens TLS.")
        assert probe.as_result()["certificate"]["authority"] == "Stranger"


def test_an_inspection_that_leaves_an_endpoint_out(plant: Authority, stranger: Authority) -> None:
    probes = probed({ONE: stranger.issue(), ONE_TOO: plant.issue(), TWO: stranger.issue()}, plant)
    assert ends(probes) == [INSPECTED, None, INSPECTED]


def test_who_signs_for_one_domain_does_not(plant: Authority, stranger: Authority) -> None:
    certificate = stranger.issue()
    assert ends(probed(dict.fromkeys([ONE, ONE_TOO], certificate), plant)) == [UNTRUSTED, UNTRUSTED]


def test_strangers_of_their_own_do_not(plant: Authority, stranger: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "Other")
    assert ends(probed({ONE: stranger.issue(), TWO: other.issue()}, plant)) == [UNTRUSTED, UNTRUSTED]


@pytest.mark.parametrize("out_of_date", [True, False], ids=["out of date", "of another name"])
def test_a_trusted_authority_does_not_inspect_when_its_certificates_are_bad(
    plant: Authority, out_of_date: bool
) -> None:
    # As they all are when the clock of the host is wrong.
    bad = plant.issue(ends=timedelta(days=-1)) if out_of_date else plant.issue("elsewhere.example")
    assert ends(probed({ONE: bad, TWO: bad}, plant)) == [UNTRUSTED, UNTRUSTED]


def test_without_a_proxy_nobody_is_named(
    plant: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(secure(stranger.issue())) as port:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_more: found)
        probes = walk_all([], [(ONE, port), (TWO, port)], ca_path=str(plant.path), timeout=2)
    assert ends(probes) == [("tls-inspected", "")] * 2


def test_only_these_authorities_may_sign(plant: Authority) -> None:
    shown = {ONE: plant.issue()}
    assert ends(probed(shown, plant)) == [None]
    assert ends(probed(shown, plant, "Microsoft Corporation", "Plant")) == [None]
    (probe,) = probed(shown, plant, "Microsoft Corporation")
    assert ends([probe]) == [INSPECTED]
    assert probe.failure is not None
    assert "'authorities'" in probe.failure.reason


def test_any_other_authority_inspects_trusted_or_not(plant: Authority, stranger: Authority) -> None:
    assert ends(probed({ONE: stranger.issue()}, plant, "Plant")) == [INSPECTED]
    assert ends(probed({ONE: stranger.issue()}, plant, "Stranger")) == [UNTRUSTED]


# --- Limits and files


@pytest.mark.parametrize(("timeout", "parallel"), [(0, 8), (-1.5, 8), (5, 0), (5, -1)])
def test_a_limit_that_is_none(timeout: float, parallel: int) -> None:
    with pytest.raises(ValueError, match=f"timeout is {timeout:g} and parallel {parallel}; both must be positive"):
        walk_all([], [(ONE, 443)], timeout=timeout, parallel=parallel)


@pytest.mark.parametrize("of", ["the endpoints", "the proxy"])
@pytest.mark.parametrize("kind", ["missing", "a folder"])
def test_a_file_of_authorities_that_is_not_there(tmp_path: Path, of: str, kind: str) -> None:
    path = str(tmp_path if kind == "a folder" else tmp_path / "ca.pem")
    hop = Hop("site", "127.0.0.1", 1, tls=True, tls_ca=path if of == "the proxy" else "")
    with pytest.raises(ValueError, match="is not on this host") as caught:
        walk_all([hop], [(ONE, 443)], ca_path=path if of == "the endpoints" else "")
    assert path in str(caught.value)


def test_a_file_without_authorities_is_a_mistake_not_a_verdict(plant: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate\n")
    script: Script = FakeProxy(behind=secure(plant.issue()))
    with serving(script) as port, pytest.raises(ValueError, match=r"ca\.pem"):
        walk_all([Hop("site", "127.0.0.1", port)], [(ONE, 443)], ca_path=str(tmp_path / "ca.pem"), timeout=2)


def test_only_the_first_hop_needs_its_file(tmp_path: Path) -> None:
    with serving(FakeProxy(b"HTTP/1.1 403 No\r\n\r\n")) as port:
        hops = [Hop("site", "127.0.0.1", port), Hop("dmz", "10.0.0.1", 1, tls=True, tls_ca=str(tmp_path / "ca.pem"))]
        assert ends(walk_all(hops, [(ONE, 443)], timeout=2)) == [("proxy-denied", "site")]
