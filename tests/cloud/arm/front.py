"""STAND-IN for Azure: the proxy in front of it. Clients think that they reach Azure through a proxy's CONNECT.

Nothing else can be reached through it. The same port has the control paths, over plain HTTP.
"""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import sys
import traceback
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cloud.arm.exchange import Answer, Request

_BODY_BYTES = 8 << 20


@dataclass(frozen=True)
class Served:
    """What is behind the proxy."""

    azure: Callable[[Request], Answer]
    control: Callable[[Request], Answer]
    hosts: tuple[str, ...]
    tls: ssl.SSLContext
    refused: Callable[[str], None]
    """Told of a host that somebody wanted to reach and could not."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write for each answer, and no waiting for the next one.
    wbufsize = -1
    disable_nagle_algorithm = True
    host = ""
    """The host that CONNECT named; empty on the proxy's own port."""
    served: Served

    def handle_one_request(self) -> None:
        """Answer whatever the method."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        if self.command == "CONNECT":
            self._connect()
        else:
            self._answer()
        self.wfile.flush()

    def _connect(self) -> None:
        self.close_connection = True
        host = self.path.rpartition(":")[0]
        if self.host or host not in self.served.hosts:
            self.served.refused(self.path)
            self.send_error(403)
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        inner = type("_Inner", (_Handler,), {"host": host, "served": self.served})
        with self.served.tls.wrap_socket(self.connection, server_side=True) as stream:
            inner(stream, self.client_address, self.server)

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _BODY_BYTES:
            self.send_error(413)
            return
        # A client that sends its body apart from its headers waits 40 ms for this.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        split = urllib.parse.urlsplit(self.path)
        request = Request(
            method=self.command,
            host=self.host,
            path=urllib.parse.unquote(split.path),
            query=dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            raw=self.rfile.read(length),
        )
        try:
            answer = self.served.azure(request) if self.host else self.served.control(request)
        except Exception:
            # Nothing that a client would try again.
            traceback.print_exc()
            answer = Answer(400, {"error": {"code": "StandInIsBroken", "message": traceback.format_exc()}})
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Keep quiet: the request log has all of it."""


class Server(http.server.ThreadingHTTPServer):
    """Listens on a free port of the loopback interface."""

    daemon_threads = True

    def __init__(self, served: Served) -> None:
        super().__init__(("127.0.0.1", 0), type("_Outer", (_Handler,), {"served": served}))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out clients that went away; show everything else."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
