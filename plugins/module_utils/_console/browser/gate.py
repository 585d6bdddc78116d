# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only way out of the browser: a proxy on loopback that connects to one console and to nothing else.

Private to this collection. Rules inside the browser know requests; this one knows nothing but an address, and so has no exceptions.
"""

from __future__ import annotations

import re
import select
import socket
import threading
from contextlib import suppress
from ipaddress import ip_address
from socketserver import StreamRequestHandler, ThreadingTCPServer

from ..model import BUDGET

_PIECE = 65536
_SECONDS = 30.0
"""Seconds for the browser's request, and for the connection to the console."""


def authority(host: str, port: int) -> str:
    """Return a host and its port as Chromium writes them."""
    with suppress(ValueError):
        host = ip_address(host).compressed
    return f"[{host}]:{port}" if ":" in host else f"{host.lower()}:{port}"


class Gate(ThreadingTCPServer):
    """Listens from the start until close()."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int) -> None:
        """Open it.

        Args:
            host: the console's name or address.
            port: its port.
        """
        super().__init__(("127.0.0.1", 0), _Handler)
        self.console = (host, port)
        self.carried = 0
        """Bytes of all connections so far."""
        self.refused: list[str] = []
        """Where else the browser was led."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def spent(self) -> bool:
        """Whether the console has sent more than a visit may cost; nothing more gets through then."""
        return self.carried > BUDGET

    def close(self) -> None:
        """Listen no more; what is open ends with the browser."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing; whoever opened the page sees that it has none."""


class _Handler(StreamRequestHandler):
    timeout = _SECONDS
    server: Gate

    def handle(self) -> None:
        """Connect the browser to the console, or refuse."""
        method, _blank, target = self.rfile.readline(_PIECE).decode("ascii", "replace").partition(" ")
        target = target.partition(" ")[0]
        while self.rfile.readline(_PIECE).strip():
            pass
        if method != "CONNECT" or target != authority(*self.server.console):
            # Its path and query may hold whatever the page knows.
            place = re.match(r"(?:[a-z]+://)?[][\w.:-]{1,260}", target)
            self.server.refused.append(place[0] if place else "somewhere else")
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with suppress(OSError), socket.create_connection(self.server.console, _SECONDS) as console:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self._carry(console)

    def _carry(self, console: socket.socket) -> None:
        ways = {self.connection: console, console: self.connection}
        while not self.server.spent:
            for source in select.select([*ways], [], [])[0]:
                piece = source.recv(_PIECE)
                if not piece:
                    return
                ways[source].sendall(piece)
                self.server.carried += len(piece)
