"""The stand-in's web server: HTTP/1.1 with kept-alive connections and TLS, for many ports in one process.

Flask's own server closes every connection, which no real console does.
"""

from __future__ import annotations

import http.server
import io
import selectors
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

_BODY_BYTES = 1 << 20
_IDLE = 60.0
"""Seconds after which a silent connection is closed."""

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Site:
    """What is served on one port."""

    listener: socket.socket
    app: Wsgi
    tls: ssl.SSLContext | None = None
    environ: dict[str, Any] = field(default_factory=dict)
    """Passed to the application with every request."""
    is_down: Callable[[], bool] = lambda: False

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.listener.getsockname()[1])


def listen(address: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 for any free one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=128)


def serve(sites: Iterable[Site]) -> None:
    """Accept on all sites until killed, each connection in a thread of its own."""
    with selectors.DefaultSelector() as selector:
        for site in sites:
            site.listener.setblocking(False)
            selector.register(site.listener, selectors.EVENT_READ, site)
        while True:
            for key, _events in selector.select():
                try:
                    connection, address = key.data.listener.accept()
                except OSError:
                    continue
                threading.Thread(target=_converse, args=(key.data, connection, address), daemon=True).start()


def _converse(site: Site, connection: socket.socket, address: Any) -> None:
    with connection:
        if site.is_down():
            return
        try:
            connection.settimeout(_IDLE)
            if site.tls is None:
                _Handler(connection, address, site)  # type: ignore[arg-type]
                return
            with site.tls.wrap_socket(connection, server_side=True) as stream:
                _Handler(stream, address, site)  # type: ignore[arg-type]
        except OSError:
            pass


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "stand-in"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Site  # type: ignore[assignment]

    def answer(self) -> None:
        """Let the application answer one request."""
        if self.server.is_down():
            self.close_connection = True
            return
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > _BODY_BYTES:
            self.close_connection = True
            self.send_error(411 if "Transfer-Encoding" in self.headers else 413)
            return
        head: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
            head[:] = [status, headers]
            return None

        result = self.server.app(self._environ(self.rfile.read(int(length))), start)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        status, headers = head
        code, _space, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "date", "server"):
                self.send_header(name, value)
        if int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - the base class names them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep quiet."""

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _mark, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "stand-in",
            "SERVER_PORT": str(self.server.port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": str(self.client_address[0]),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if self.server.tls else "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **self.server.environ,
        }
        for name in self.headers:
            key = "HTTP_" + name.upper().replace("-", "_")
            if key not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
                # Browsers may send several Cookie lines.
                environ[key] = ("; " if key == "HTTP_COOKIE" else ",").join(self.headers.get_all(name) or [])
        return environ
