# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask an HTTP proxy for a CONNECT tunnel and say what it answered.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .._untrusted_text import one_line

_LARGEST_HEAD = 65536
_LONGEST_VALUE = 2000
"""Characters of a header's value, which may name every hop of a chain."""


@dataclass(frozen=True)
class Listener:
    """Where a proxy listens: address, TCP port, and whether it speaks TLS there."""

    address: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """What became of one CONNECT: the proxy's status, or the error that came instead of it."""

    status: int | None
    error: str | None = None
    headers: Mapping[str, str] | None = None
    pending: bool = False
    """Whether the proxy took the request and was still at it when the time ended."""

    def refused_by(self, hostname: str) -> bool:
        """Whether the proxy of this visible_hostname itself refused, rather than one of its parents.

        A parent's refusal is passed on with the parent's own headers (measured: Squid 5.7, 6.13 and 7.7, via on and off).
        """
        headers = self.headers or {}
        named = " ".join(headers.get(name, "") for name in ("via", "x-cache", "cache-status"))
        return self.status in (403, 407) and hostname != "" and hostname in re.split(r"[\s,;()]+", named)

    def __str__(self) -> str:
        return str(self.status) if self.status is not None else str(self.error)


def connect(listener: Listener, target: str, headers: Mapping[str, str] | None = None, timeout: float = 5.0) -> Answer:
    """Send one CONNECT and close the tunnel again.

    Args:
        listener: the proxy.
        target: host:port to be connected to.
        headers: further request headers.
        timeout: seconds to wait for the connection, and again for the answer.
    """
    sent = False
    try:
        with socket.create_connection((listener.address, listener.port), timeout=timeout) as plain:
            stream = _wrapped(plain) if listener.tls else plain
            stream.sendall(request(target, headers))
            sent = True
            return read_answer(stream, timeout)
    except TimeoutError:
        return Answer(None, f"no answer within {timeout:g} s", pending=sent)
    except (OSError, UnicodeError, OverflowError) as error:
        return Answer(None, getattr(error, "strerror", None) or str(error))


def request(target: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the head of a CONNECT to host:port."""
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode()


def read_answer(stream: socket.socket, timeout: float) -> Answer:
    """Read what a proxy answers to a CONNECT; what follows its head is lost unless the status is 200.

    Raises:
        TimeoutError: it was not whole within these seconds.
        OSError: the connection broke.
    """
    return _parse(_read_head(stream, time.monotonic() + timeout))


def _wrapped(plain: socket.socket) -> ssl.SSLSocket:
    # The proxy on this very host is asked; whom its certificate names is its clients' business.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def _read_head(stream: socket.socket, deadline: float) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _LARGEST_HEAD:
        stream.settimeout(max(deadline - time.monotonic(), 0.001))
        received = stream.recv(4096)
        if not received:
            break
        head += received
    return head.partition(b"\r\n\r\n")[0]


def _parse(head: bytes) -> Answer:
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not re.fullmatch("[0-9]{3}", words[1]):
        return Answer(None, "closed the connection without an HTTP answer")
    headers: dict[str, str] = {}
    for line in rest:
        name, _colon, value = line.partition(":")
        name = name.strip().lower()
        # Each way to sign in may have a header of its own.
        headers[name] = one_line(", ".join(filter(None, [headers.get(name), value.strip()])), _LONGEST_VALUE)
    return Answer(int(words[1]), None, headers)


def is_here(address: str) -> bool:
    """Whether an IP address is one of this host's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
