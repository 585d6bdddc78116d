"""STAND-IN for a parent on its bad days, whose answers cannot be had from a real proxy on demand.

Usage: bad_parent.py   Listens on port 3128, and with TLS on port 3129, and treats each connection as the file /run/behaviour says:

pass           it is a proxy: it opens the tunnel; "slow" opens it after 3 seconds
NNN            it answers with this status
reset, close   it takes the CONNECT and breaks the connection
200-close      it says 200 and closes at once
mute           it takes the CONNECT and never answers
no-tls         it answers a TLS handshake with something else; "mute-tls" never answers it
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

BEHAVIOUR = Path("/run/behaviour")
CERTIFICATE = Path("/srv/parent.pem")
KEY = Path("/srv/parent.key")
PASSED_OVER = 600
"""Seconds after which a mute connection ends."""


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Behave."""
        behaviour = BEHAVIOUR.read_text().strip() if BEHAVIOUR.exists() else "pass"
        stream: socket.socket = self.request
        try:
            if isinstance(self.server, TlsServer):
                if behaviour == "no-tls":
                    stream.sendall(b"HTTP/1.1 400 this is no TLS\r\n\r\n")
                    return
                if behaviour == "mute-tls":
                    threading.Event().wait(PASSED_OVER)
                    return
                stream = self.server.context.wrap_socket(stream, server_side=True)
            self.answer(stream, behaviour)
        except OSError:
            pass

    def answer(self, stream: socket.socket, behaviour: str) -> None:
        """Read the CONNECT and answer it."""
        head = b""
        while b"\r\n\r\n" not in head:
            received = stream.recv(4096)
            if not received:
                return
            head += received
        if behaviour.isdigit():
            stream.sendall(f"HTTP/1.1 {behaviour} stand-in\r\nContent-Length: 0\r\n\r\n".encode())
        elif behaviour == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()
        elif behaviour == "200-close":
            stream.sendall(b"HTTP/1.1 200 stand-in\r\n\r\n")
        elif behaviour == "mute":
            threading.Event().wait(PASSED_OVER)
        elif behaviour in ("pass", "slow"):
            time.sleep(3 if behaviour == "slow" else 0)
            host, port = head.split()[1].decode().rsplit(":", 1)
            try:
                onward = socket.create_connection((host, int(port)), 5)
            except OSError:
                stream.sendall(b"HTTP/1.1 503 stand-in\r\nContent-Length: 0\r\n\r\n")
                return
            with onward:
                stream.sendall(b"HTTP/1.1 200 stand-in\r\n\r\n")
                back = threading.Thread(target=pump, args=(onward, stream), daemon=True)
                back.start()
                pump(stream, onward)


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until either side ends."""
    try:
        while received := source.recv(65536):
            sink.sendall(received)
    except OSError:
        pass
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Server(socketserver.ThreadingTCPServer):
    """Plain."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


class TlsServer(Server):
    """With TLS, once the connection's own thread has decided to."""

    def __init__(self, port: int) -> None:
        """Take the certificate that the scenario made."""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(CERTIFICATE, KEY)
        super().__init__(("", port), Handler)


def main() -> None:
    """Serve until killed."""
    if not CERTIFICATE.exists():
        command = [
            "openssl",
            "req",
            "-x509",
            "-nodes",
            "-newkey",
            "rsa:2048",
            "-days",
            "2",
            "-subj",
            "/CN=first.plant.example",
        ]
        alternatives = "subjectAltName=DNS:first.plant.example"
        subprocess.run([*command, "-keyout", KEY, "-out", CERTIFICATE, "-addext", alternatives], check=True)
    threading.Thread(target=TlsServer(3129).serve_forever, daemon=True).start()
    Server(("", 3128), Handler).serve_forever()


if __name__ == "__main__":
    main()
