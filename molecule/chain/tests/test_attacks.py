"""Attackers beside the plant: what they send goes no further than it must, and nobody else waits for it."""

from __future__ import annotations

import time

import lab
import pytest
from attack_table import answered
from chain_lab import ENDPOINT, SITES, address, attack, visit, visits

STRANGER = "ot-chain-stranger"
PLANTED = "kX9planted"
"""What must not be found elsewhere."""

ASK = "import socket,sys; s = socket.create_connection((sys.argv[1], 3128), 5); s.sendall(sys.stdin.buffer.read()); print(s.recv(99))"


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_next_hop_gets_nothing_of_a_connect_that_it_does_not_need(site: str) -> None:
    sensor, user = SITES[site]
    headers = ("Forwarded", "X-Real-IP", "Client-IP", "Cookie", "Authorization", "User-Agent", "X-Proxy-Chaining-Probe")
    options = [option for name in headers for option in ("--proxy-header", f"{name}: {PLANTED}-{name}-{site}")]
    asked = lab.visit(sensor, f"http://{address(site)}:3128", ENDPOINT, user=user, options=tuple(options))
    assert asked.connect == 200
    time.sleep(1)
    last = lab.log_lines("ot-chain-corp", f"CONNECT {ENDPOINT}:443")[-1]
    assert "Host:" in last, "this parent logs the headers that it gets"
    assert PLANTED not in last
    answered(
        "Headers of a client for the next hop: `Forwarded`, `X-Real-IP`, `Cookie`, `Authorization`, `User-Agent` and others",
        "They are not passed on",
        "`squid.conf`",
    )


def test_what_a_client_sends_is_in_no_log(site: str) -> None:
    """A forwarding loop had Squid write the request's headers, and so the password, into its log."""
    head = f"CONNECT {ENDPOINT}:443 HTTP/1.1\r\nHost: {ENDPOINT}\r\nVia: 1.1 {site} (squid)\r\nCookie: {PLANTED}\r\n"
    # sensor1, a carriage return, and a zero in the name.
    for login in ("c2Vuc29yMTprWDlwbGFudGVk", "c2Vuc29yMQ06a1g5cGxhbnRlZA==", "c2Vuc28AcjE6a1g5cGxhbnRlZA=="):
        request = f"{head}Proxy-Authorization: Basic {login}\r\n\r\n"
        assert "HTTP/1.1" in lab.run(SITES[site][0], "python3", "-c", ASK, address(site), stdin=request).stdout
        for place in ("cat /var/log/squid/cache.log", "journalctl --unit squid --output cat"):
            written = lab.output(site, *place.split())
            assert PLANTED not in written
            assert login not in written
    answered(
        "A request with this proxy's own name in `Via`, or with control characters in its login, to have headers and passwords logged",
        "Nothing of them is in a log",
        "`squid.conf`",
    )


def test_requests_that_never_end_keep_no_sensor_waiting(site: str) -> None:
    with attack(STRANGER, "half-open", site, 25, "5000"):
        seen = visits(site, 10)
        assert [(each.connect, each.body) for each in seen] == [(200, f"endpoint {ENDPOINT}")] * 10
        assert max(each.seconds for each in seen) < 1
        time.sleep(10)
        left = lab.output(site, "ss", "--no-header", "--tcp", "--numeric", "dst", lab.address(STRANGER, "ot-chain-ot"))
        # A tenth of them is begun anew each second.
        assert left.count("ESTAB") < 6500, "who says nothing for 10 seconds is not waited for"
    answered(
        "5,000 requests that never end, begun anew all the time",
        "Each is closed after 10 seconds; sensors are served within a second",
        "`squid.conf`",
    )


def test_squid_is_never_root(site: str) -> None:
    """A worker that is taken over must not be able to become root again, as Squid's own change of user lets it."""
    for process in lab.output(site, "pgrep", "squid").split():
        status = dict(
            line.split(":\t", 1)
            for line in lab.output(site, "cat", f"/proc/{process}/status").splitlines()
            if ":\t" in line
        )
        assert len(set(status["Uid"].split())) == 1
        assert "0" not in status["Uid"].split()
        # Bit 10: ports below 1024.
        assert int(status["CapBnd"], 16) == 1 << 10
    assert float(lab.output(site, "systemd-analyze", "security", "squid").splitlines()[-1].split()[-3]) < 2
    answered(
        "A worker of Squid that was taken over",
        "It is `proxy`, and cannot become root: no capability but for ports below 1024, and a file system that is read only but for logs",
        "The unit",
    )


def test_a_users_name_is_one_word_of_the_log() -> None:
    site = "ot-chain-site-1"
    assert visit(site, user="no body TCP_TUNNEL/200:wrong").connect == 407
    time.sleep(1)
    line = lab.log_lines(site, "no%20body")[-1].split()
    assert line[4:6] == ["no%20body%20TCP_TUNNEL/200", "TCP_DENIED/407"]
    answered("A user's name that looks like a field of the log", "It is one word of it", "`squid.conf`", "Access log")
