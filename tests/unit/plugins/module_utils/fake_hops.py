# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies and TLS endpoints on the loopback interface, with certificates of the test's own."""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Script = Callable[[socket.socket], None]
"""What is done with one client."""

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"
HOSTS = ("a.one.example", "c.one.example", "b.two.example", "127.0.0.1", "::1")
"""Whom a certificate names unless the test says otherwise: three hosts of two domains, and loopback."""


class Authority:
    """Signs certificates; its own is in the file ``path``."""

    def __init__(self, folder: Path, organization: str) -> None:
        self.folder = folder
        self.path = folder / f"{organization}.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} Root"),
            ]
        )
        builder = self._builder(self._name, self._key, timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.path.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    def issue(self, *hosts: str, ends: timedelta = timedelta(days=20)) -> Path:
        """Sign a certificate for these hosts, the first of them as its subject; return a file of it and its key."""
        hosts = hosts or HOSTS
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        builder = self._builder(subject, key, ends)
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general_name, hosts))), critical=False)
        path = self.folder / f"{id(key)}-{hosts[0]}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())) + secret)
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, ends: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now + ends)


@dataclass
class FakeProxy:
    """A script that answers a CONNECT and, where it says 200, goes on as what is behind it."""

    answer: bytes = OK
    behind: Script = field(default_factory=lambda: silent)
    heads: list[bytes] = field(default_factory=list)
    """What it was asked."""

    def __call__(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            received = client.recv(4096)
            if not received:
                return
            head += received
        self.heads.append(head)
        client.sendall(self.answer)
        if self.answer == OK:
            self.behind(client)


def silent(client: socket.socket) -> None:
    """Say nothing until the client goes."""
    while client.recv(4096):
        pass


def secure(certificate: Path, then: Script = silent) -> Script:
    """Speak TLS with this certificate, and do this inside."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as stream:
            then(stream)

    return script


def relay(port: int) -> Script:
    """Pass everything on to this port, as a tunnel does."""

    def script(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as beyond:
            ends = {client: beyond, beyond: client}
            while ready := select.select(list(ends), [], [], 5)[0]:
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    ends[end].sendall(data)

    return script


@contextlib.contextmanager
def serving(script: Script, address: str = "127.0.0.1") -> Iterator[int]:
    """Serve clients, many at a time; give the port. A script may see its client go, and raise nothing else."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    served: list[Future[None]] = []

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(5)
            script(client)

    with ThreadPoolExecutor(16) as pool, socket.create_server((address, 0), family=family) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    served.append(pool.submit(serve, server.accept()[0]))

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
    for each in served:
        each.result(5)


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """Give a port whose queue is full: who connects hears nothing, as behind a firewall that drops packets."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as waiting:
        for _count in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def closed() -> int:
    """Return a port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
