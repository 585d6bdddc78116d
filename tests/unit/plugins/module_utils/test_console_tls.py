# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a console with which there is no TLS."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    GoneError,
    Trust,
    UnreachableError,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.tls import certificate, refusal

Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve one connection on loopback, in a way that the test says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def start(converse: Callable[[socket.socket], None]) -> int:
            def once() -> None:
                connection, _address = listener.accept()
                with connection:
                    converse(connection)

            threads.append(threading.Thread(target=once, daemon=True))
            threads[-1].start()
            port: int = listener.getsockname()[1]
            return port

        yield start
        for thread in threads:
            thread.join(5)


def _said(port: int, host: str = "127.0.0.1", *, gone: bool = False) -> str:
    with pytest.raises(UnreachableError) as caught:
        certificate(host, port, Trust(validate=False), timeout=0.5)
    assert isinstance(caught.value, GoneError) == gone
    return str(caught.value)


def test_one_that_closes_the_connection_does_not_answer(serve: Serve) -> None:
    """It is being restarted: that is not the wrong address."""

    def hang_up(connection: socket.socket) -> None:
        connection.recv(4096)

    port = serve(hang_up)
    assert _said(port) == "it closes the connection and does not answer; see that the console is up and may be reached"


def test_one_that_speaks_something_else_has_the_wrong_address(serve: Serve) -> None:
    port = serve(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10))
    assert _said(port).startswith("it does not speak TLS (")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _said(port, gone=True).startswith(f"nobody answers on port {port}: ")


def test_one_that_is_too_busy_to_speak_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert _said(port).startswith(f"it does not answer on port {port}: ")


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (TimeoutError("timed out"), True),
        (OSError(errno.EHOSTUNREACH, "No route to host"), True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), False),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (UnicodeError("label too long"), False),
    ],
    ids=str,
)
def test_only_the_address_itself_says_that_it_is_gone(
    error: Exception, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network here, or a name that is not found, may be a mistake of whoever asks."""

    def refuse(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert str(error) in _said(443, "192.0.2.10", gone=gone)


def test_a_certificate_that_is_not_trusted_names_the_variables_that_trust_it() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    said = str(refusal(error))
    assert said.startswith("its certificate is not trusted (self-signed certificate); ")
    assert (
        "put it into sensor_proxy_console_fingerprint, or name the CA that signed it in sensor_proxy_console_ca_path"
        in said
    )
