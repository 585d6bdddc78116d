# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a CONNECT finds at the other end, asked of real sockets on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.connect import Answer, Listener, connect

Script = Callable[[socket.socket], None]
"""What the fake proxy does with the one client that it serves."""

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
TARGET = "a.example:443"


@contextlib.contextmanager
def proxy(script: Script, address: str = "127.0.0.1") -> Iterator[Listener]:
    """Serve one client, then close."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        server.settimeout(5)

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as client:
                client.settimeout(5)
                script(client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Listener(address, server.getsockname()[1])
        thread.join(10)
        assert not thread.is_alive()


def says(answer: bytes, heard: list[bytes] | None = None) -> Script:
    """Read a request's head, then answer this."""

    def script(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        if heard is not None:
            heard.append(head)
        client.sendall(answer)

    return script


def asked(script: Script, timeout: float = 2.0) -> Answer:
    with proxy(script) as listener:
        return connect(listener, TARGET, timeout=timeout)


def test_an_open_tunnel_is_a_200() -> None:
    answer = asked(says(OK))
    assert (answer.status, str(answer)) == (200, "200")


def test_the_request_is_a_connect_with_the_given_headers() -> None:
    heard: list[bytes] = []
    with proxy(says(OK, heard)) as listener:
        connect(listener, TARGET, {"X-Proxy-Chaining-Probe": "t0k3n"}, timeout=2)
    assert heard == [
        b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nX-Proxy-Chaining-Probe: t0k3n\r\n\r\n",
    ]


def test_an_answer_in_pieces_is_one_answer() -> None:
    def script(client: socket.socket) -> None:
        says(OK[:7])(client)
        time.sleep(0.05)
        client.sendall(OK[7:])

    assert asked(script).status == 200


@pytest.mark.parametrize(
    "header",
    ["Via: 1.1 site1 (squid)", "X-Cache: NONE from site1", "Cache-Status: site1;detail=mismatch", "via:1.1 site1"],
)
@pytest.mark.parametrize("status", [403, 407])
def test_a_refusal_in_its_own_name_is_its_own(header: str, status: int) -> None:
    answer = asked(says(f"HTTP/1.1 {status} No\r\nServer: squid\r\n{header}\r\n\r\n".encode()))
    assert answer.refused_by("site1")


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 403 Forbidden\r\nVia: 1.1 parent (squid)",
        "HTTP/1.1 403 Forbidden\r\nVia: 1.1 site11 (squid)",
        "HTTP/1.1 403 Forbidden\r\nVia: 1.1 site1.plant (squid)",
        "HTTP/1.1 403 Forbidden\r\nServer: site1",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 503 Service Unavailable\r\nVia: 1.1 site1 (squid)",
        "HTTP/1.1 200 OK\r\nVia: 1.1 site1 (squid)",
    ],
)
def test_what_comes_from_elsewhere_or_is_no_refusal_is_not_its_own(head: str) -> None:
    assert not asked(says(f"{head}\r\n\r\n".encode())).refused_by("site1")


def test_a_header_is_cut_and_cleaned() -> None:
    head = f"HTTP/1.1 403 Forbidden\r\nX-Squid-Error: \x1b[2J{'E' * 30_000}\r\nVia: 1.1 a\x00b"
    headers = asked(says(f"{head}\r\n\r\n".encode())).headers
    assert headers is not None
    assert (len(headers["x-squid-error"]), headers["x-squid-error"][:5], headers["via"]) == (2000, "[2JEE", "1.1 a b")


def test_a_proxy_without_a_name_refused_nothing() -> None:
    assert not Answer(403, None, {"via": "1.1 parent (squid)"}).refused_by("")


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
        b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\n",
        b"\xff" * 70000,
    ],
    ids=["ssh", "tls alert", "blank", "no status", "words", "superscript digits", "too many digits", "endless"],
)
def test_garbage_is_no_answer(garbage: bytes) -> None:
    answer = asked(says(garbage))
    assert (answer.status, answer.error) == (None, "closed the connection without an HTTP answer")


def test_a_connection_that_closes_at_once_is_no_answer() -> None:
    # The close may reach the client as an end or as a reset.
    answer = asked(lambda _client: None)
    assert answer.status is None
    assert str(answer) in ("closed the connection without an HTTP answer", "Connection reset by peer", "Broken pipe")


def test_silence_ends_with_the_timeout() -> None:
    # After it the connection is closed, which has another sentence.
    answer = asked(lambda _client: time.sleep(0.6), timeout=0.2)
    assert str(answer) == "no answer within 0.2 s"


def test_a_proxy_that_took_the_request_and_is_silent_is_still_at_it() -> None:
    def script(client: socket.socket) -> None:
        client.recv(4096)
        time.sleep(0.6)

    assert asked(script, timeout=0.2).pending


@pytest.mark.parametrize(
    "script", [says(OK), says(b"SSH-2.0\r\n\r\n"), lambda _client: None], ids=["answer", "garbage", "close"]
)
def test_one_that_answers_or_closes_is_not(script: Script) -> None:
    assert not asked(script).pending


def test_an_answer_that_drips_ends_with_the_timeout_too() -> None:
    def script(client: socket.socket) -> None:
        for _count in range(20):
            client.sendall(b"H")
            time.sleep(0.1)

    with proxy(script) as listener:
        answer = connect(listener, TARGET, timeout=0.3)
    # At its end the connection is closed, which has another sentence.
    assert str(answer) == "no answer within 0.3 s"


def test_a_closed_port_says_so() -> None:
    with proxy(says(OK)) as listener:
        connect(listener, TARGET, timeout=2)
    assert str(connect(listener, TARGET, timeout=2)) == "Connection refused"


@pytest.mark.parametrize("listener", [Listener("a..b", 3128), Listener("127.0.0.1", 70000)], ids=["address", "port"])
def test_a_listener_that_cannot_exist_is_an_error_not_an_exception(listener: Listener) -> None:
    assert connect(listener, TARGET, timeout=2).status is None


def test_ipv6_listeners_are_asked_and_written_in_brackets() -> None:
    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(proxy(says(OK), "::1"))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        assert connect(listener, TARGET, timeout=2).status == 200
        assert str(listener) == f"[::1]:{listener.port}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "1", "-subj", "/CN=elsewhere", "-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=20,
    )
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return folder / "both.pem"


def test_a_tls_listener_is_asked_through_tls_whatever_its_certificate_names(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as stream:
            says(OK)(stream)

    with proxy(script) as listener:
        answer = connect(Listener(listener.address, listener.port, tls=True), TARGET, timeout=2)
    assert answer.status == 200


def test_tls_to_a_plain_listener_is_an_error() -> None:
    def script(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with proxy(script) as listener:
        answer = connect(Listener(listener.address, listener.port, tls=True), TARGET, timeout=2)
    assert answer.status is None
    assert str(answer)


def test_a_tls_handshake_that_nobody_answers_ends_with_the_timeout() -> None:
    with proxy(lambda _client: time.sleep(0.6)) as listener:
        answer = connect(Listener(listener.address, listener.port, tls=True), TARGET, timeout=0.2)
    assert str(answer) == "no answer within 0.2 s"
    assert not answer.pending
