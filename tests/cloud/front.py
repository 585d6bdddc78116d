"""STAND-INS for clouds: the proxy in front of them. Clients think that they reach a cloud through a proxy's CONNECT.

Nothing else can be reached through it. The same port has the control paths, over plain HTTP. Clouds that are used in one run
share one, since a client knows one proxy and one CA.
"""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import sys
import threading
import traceback
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cloud import certificates
from tests.cloud.exchange import Answer, Request

_BODY_BYTES = 8 << 20
_HERE = "127.0.0.1"

Respond = Callable[[Request], Answer]


def _no_control(request: Request) -> Answer:
    return Answer(404, {"error": "there are no control paths"})


@dataclass
class _Served:
    """What is behind the proxy."""

    hosts: dict[str, Respond] = field(default_factory=dict)
    control: Respond = _no_control
    refused: list[Callable[[str], None]] = field(default_factory=list)
    tls: ssl.SSLContext | None = None


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write for each answer, and no waiting for the next one.
    wbufsize = -1
    disable_nagle_algorithm = True
    host = ""
    """The host that CONNECT named; empty on the proxy's own port."""
    served: _Served

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
            for tell in self.served.refused:
                tell(self.path)
            self.send_error(403)
            return
        self.send_response(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        inner = type("_Inner", (_Handler,), {"host": host, "served": self.served})
        assert self.served.tls is not None
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
            answer = (self.served.hosts[self.host] if self.host else self.served.control)(request)
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


class _Server(http.server.ThreadingHTTPServer):
    """Listens on a free port of the loopback interface."""

    daemon_threads = True

    def __init__(self, served: _Served) -> None:
        super().__init__((_HERE, 0), type("_Outer", (_Handler,), {"served": served}))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out clients that went away; show everything else."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Front:
    """The proxy of one run. Its folder gets ca.pem."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._served = _Served()
        self._server = _Server(self._served)
        self._thread: threading.Thread | None = None

    def serve(
        self,
        hosts: tuple[str, ...],
        respond: Respond,
        *,
        refused: Callable[[str], None] | None = None,
        control: Respond | None = None,
    ) -> None:
        """Let a cloud answer for its hosts; before the start.

        Args:
            hosts: its hosts.
            respond: answers for them.
            refused: told of a host that somebody wanted to reach and could not.
            control: answers on the proxy's own port.
        """
        self._served.hosts |= dict.fromkeys(hosts, respond)
        self._served.refused += [refused] if refused else []
        self._served.control = control or self._served.control

    def start(self) -> None:
        """Serve in the background, unless it does."""
        if self._thread is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._served.tls = certificates.make(self._folder, tuple(self._served.hosts))
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        if self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread = None

    @property
    def url(self) -> str:
        """Where the proxy is."""
        return f"http://{_HERE}:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """Return what every client needs to know."""
        authority = str((self._folder / certificates.AUTHORITY).resolve())
        return {
            "HTTPS_PROXY": self.url,
            "https_proxy": self.url,
            "NO_PROXY": "",
            "no_proxy": "",
            "REQUESTS_CA_BUNDLE": authority,
            "SSL_CERT_FILE": authority,
        }
