"""STAND-IN for the cloud endpoints, which cannot be had in a lab: a TLS server on port 443 under their real names.

Usage: endpoint.py NAME...   It makes itself a certificate for the names (/srv/endpoint.pem) unless it has one, and answers
every request with the name that the client asked for by SNI.
"""

from __future__ import annotations

import http.server
import ssl
import subprocess
import sys
import threading
from pathlib import Path

CERTIFICATE = Path("/srv/endpoint.pem")
KEY = Path("/srv/endpoint.key")
MORE_PORTS = (8443,)
"""Ports that answer too, so that a refusal of another port is the proxy's and not the endpoint's."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Says who it is, as often as it is asked on one connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer every path alike."""
        body = f"endpoint {self.headers['Host']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep quiet."""


class Server(http.server.ThreadingHTTPServer):
    """Does the TLS handshake in the connection's own thread, so that a silent client holds up nobody."""

    request_queue_size = 1024

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.context = context
        super().__init__(("", port), Handler)

    def finish_request(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """Wrap, then serve."""
        request.settimeout(600)
        try:
            with self.context.wrap_socket(request, server_side=True) as stream:
                super().finish_request(stream, client_address)
        except OSError:
            pass


def main(names: list[str]) -> None:
    """Serve until killed."""
    if not CERTIFICATE.exists():
        make_certificate(names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    for port in MORE_PORTS:
        threading.Thread(target=Server(port, context).serve_forever, daemon=True).start()
    Server(443, context).serve_forever()


def make_certificate(names: list[str]) -> None:
    """Sign a certificate with its own key."""
    key_type = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = ["openssl", "req", "-x509", "-nodes", *key_type, "-days", "2", "-subj", "/CN=lab"]
    alternatives = "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)
    subprocess.run([*command, "-keyout", KEY, "-out", CERTIFICATE, "-addext", alternatives], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
