# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walk one path to an endpoint as a sensor does (TCP, CONNECT, TLS) and name the stage and the hop at which it ends.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

import base64
import errno
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import certificate as probe_certificate
from . import connect
from . import refusal as probe_refusal

_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
"""What OpenSSL says of a certificate whose issuer it does not trust, and not of one out of date or with another name."""

_MOST_ADDRESSES = 4
"""Addresses of one name that are tried, so that a stage ends in time."""


@dataclass(frozen=True)
class Hop:
    """A proxy on the path."""

    name: str
    """What people call it."""

    address: str
    port: int
    hostname: str = ""
    """Its visible_hostname, by which its own answers are known from those that it passes on."""

    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """More request headers for its CONNECT."""

    @property
    def where(self) -> str:
        """Address and port, as a sentence names them."""
        return str(connect.Listener(self.address, self.port))

    def request_headers(self) -> dict[str, str]:
        """All further headers of a CONNECT to this proxy."""
        headers = dict(self.headers)
        if self.username:
            pair = f"{self.username}:{self.password}".encode()
            headers["Proxy-Authorization"] = "Basic " + base64.b64encode(pair).decode()
        return headers


class PathError(Exception):
    """Where a path ends: the stage, the name of the hop (empty for the endpoint) and a sentence."""

    def __init__(self, stage: str, hop: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage
        self.hop = hop
        self.reason = reason


@dataclass
class Probe:
    """What one walk found."""

    endpoint: str
    port: int
    failure: PathError | None = None
    times: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage that was reached: resolve, tcp, connect, tls."""

    certificate: probe_certificate.Certificate | None = None
    unknown_issuer: bool = False
    """Whether nobody vouches for who issued it."""

    def as_result(self) -> dict[str, Any]:
        """Return it as a module returns it."""
        failure = self.failure
        certificate = None
        if self.certificate is not None:
            certificate = {
                "issuer": probe_certificate.text(self.certificate.issuer),
                "authority": self.certificate.authority,
                "subject": probe_certificate.text(self.certificate.subject),
                "not_after": self.certificate.not_after.isoformat(),
            }
        return {
            "endpoint": self.endpoint,
            "port": self.port,
            "verdict": "broken" if failure else "ok",
            "stage": failure.stage if failure else None,
            "hop": failure.hop if failure else None,
            "reason": failure.reason if failure else None,
            "times": {stage: round(seconds, 4) for stage, seconds in self.times.items()},
            "certificate": certificate,
        }


def walk(hops: Sequence[Hop], endpoint: str, port: int = 443, ca_path: str = "", timeout: float = 5.0) -> Probe:
    """Walk one path.

    Args:
        hops: the proxies in their order; the first is connected to, the others are for naming. Empty: no proxy at all.
        endpoint: host name of the endpoint.
        port: its TCP port.
        ca_path: a file of CA certificates that sign the endpoint's; empty for the system's.
        timeout: seconds for each stage.
    """
    probe = Probe(endpoint, port)
    try:
        with _Walk(hops, probe, timeout) as stream:
            _handshake(hops, probe, stream, ca_path, timeout)
    except PathError as failure:
        probe.failure = failure
    return probe


class _Walk:
    """The way to the endpoint's TCP port; a context manager that gives the open stream."""

    def __init__(self, hops: Sequence[Hop], probe: Probe, timeout: float) -> None:
        self._hops = hops
        self._probe = probe
        self._timeout = timeout
        self._stream: socket.socket | None = None

    def __enter__(self) -> socket.socket:
        try:
            self._stream = self._open_first()
            if self._hops:
                with _Timed(self._probe, "connect"):
                    self._connect(self._stream, self._hops[0])
        except BaseException:
            self.__exit__()
            raise
        return self._stream

    def __exit__(self, *_details: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def _open_first(self) -> socket.socket:
        """Connect to the first hop, or to the endpoint itself where there is none."""
        hop = self._hops[0] if self._hops else None
        name, host, port = (hop.name, hop.address, hop.port) if hop else ("", self._probe.endpoint, self._probe.port)
        with _Timed(self._probe, "resolve"):
            addresses = _resolve(name, host, port, self._timeout)
        with _Timed(self._probe, "tcp"):
            stream = _open_tcp(name, addresses, self._timeout)
        if hop is not None and hop.tls:
            with _Timed(self._probe, "proxy_tls"):
                return _secured(stream, hop)
        return stream

    def _connect(self, stream: socket.socket, hop: Hop) -> None:
        target = str(connect.Listener(self._probe.endpoint, self._probe.port))
        try:
            stream.sendall(connect.request(target, hop.request_headers()))
            answer = connect.read_answer(stream, self._timeout)
        except TimeoutError:
            reason = f"{hop.name} did not answer CONNECT to {target} within {self._timeout:g} s"
            raise PathError("timeout", hop.name, f"{reason}; a hop behind it may be silent.") from None
        except OSError as error:
            raise PathError(
                "proxy-denied", hop.name, f"{hop.name} closed the connection on CONNECT to {target} ({_words(error)})."
            ) from None
        refusal = probe_refusal.explain(answer, [(each.name, each.hostname) for each in self._hops], target)
        if refusal is not None:
            raise PathError(*refusal)


class _Timed:
    """Notes how long a stage took, failed or not."""

    def __init__(self, probe: Probe, stage: str) -> None:
        self._probe = probe
        self._stage = stage

    def __enter__(self) -> None:
        self._start = time.monotonic()

    def __exit__(self, *_details: object) -> None:
        self._probe.times[self._stage] = time.monotonic() - self._start


def _resolve(name: str, host: str, port: int, timeout: float) -> list[tuple[Any, ...]]:
    """Ask the resolver, which knows no timeout of its own, and leave it behind when it takes too long."""
    found: list[tuple[Any, ...]] = []
    errors: list[str] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            errors.append(_words(error))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout)
    if errors:
        raise PathError("resolve", name, f"The name {host} cannot be resolved ({errors[0]}).")
    if not found:
        raise PathError("resolve", name, f"The name {host} was not resolved within {timeout:g} s.")
    return found[:_MOST_ADDRESSES]


def _open_tcp(name: str, addresses: Sequence[tuple[Any, ...]], timeout: float) -> socket.socket:
    """Connect to the first address that answers; all of them share the time."""
    deadline = time.monotonic() + timeout
    # An endpoint is unreachable whether its host says so or says nothing; between hops the difference is a firewall.
    silent, refusing = ("timeout", "tcp") if name else ("endpoint-unreachable", "endpoint-unreachable")
    problem = PathError(refusing, name, "It has no address.")
    for index, (family, kind, protocol, _canonical, where) in enumerate(addresses):
        target = str(connect.Listener(where[0], where[1]))
        try:
            stream = socket.socket(family, kind, protocol)
        except OSError as error:
            # A kernel without IPv6 has no such sockets, and DNS does not know.
            problem = PathError(refusing, name, f"{target} cannot be reached ({_words(error)}).")
            continue
        stream.settimeout(max(0.1, (deadline - time.monotonic()) / (len(addresses) - index)))
        try:
            stream.connect(where)
            stream.settimeout(timeout)
            return stream
        except TimeoutError:
            stream.close()
            problem = PathError(silent, name, f"{target} does not answer; packets to it, or from it, are lost.")
        except OSError as error:
            stream.close()
            if error.errno == errno.ECONNREFUSED:
                problem = PathError(refusing, name, f"{target} refuses the connection; nothing listens there.")
            else:
                problem = PathError(refusing, name, f"{target} cannot be reached ({_words(error)}).")
    raise problem


def _secured(stream: socket.socket, hop: Hop) -> socket.socket:
    """Speak TLS with the proxy itself."""
    try:
        context = _trusting(hop.tls_ca)
        return context.wrap_socket(stream, server_hostname=hop.tls_name or hop.address)
    except TimeoutError:
        stream.close()
        raise PathError("timeout", hop.name, f"{hop.where} took the connection and does not answer TLS.") from None
    except (OSError, ValueError) as error:
        stream.close()
        raise PathError("tls-untrusted", hop.name, f"TLS with {hop.where} fails ({_words(error)}).") from None


def _trusting(ca_path: str) -> ssl.SSLContext:
    """Return a context that trusts these authorities, or the system's."""
    context = ssl.create_default_context(cafile=ca_path or None)
    # Python 3.13 refuses authorities whose certificates lack extensions that older plants' never had.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _handshake(hops: Sequence[Hop], probe: Probe, stream: socket.socket, ca_path: str, timeout: float) -> None:
    """Do TLS with the endpoint, and learn who signed its certificate when that is not trusted."""
    with _Timed(probe, "tls"):
        try:
            probe.certificate = _shown(_trusting(ca_path), stream, probe.endpoint, timeout)
            return
        except ssl.SSLCertVerificationError as error:
            words = error.verify_message
            probe.unknown_issuer = error.verify_code in _UNKNOWN_ISSUER
        except TimeoutError:
            behind = f"behind {hops[-1].name}" if hops else "there"
            raise PathError("timeout", "", f"{probe.endpoint} does not answer TLS {behind}.") from None
        except (OSError, ValueError) as error:
            raise PathError("endpoint-unreachable", "", f"TLS with {probe.endpoint} fails ({_words(error)}).") from None
    probe.certificate = _shown_certificate(hops, probe, timeout)
    issuer = f", issued by {probe_certificate.text(probe.certificate.issuer)}" if probe.certificate else ""
    raise PathError("tls-untrusted", "", f"The certificate shown for {probe.endpoint} is not trusted: {words}{issuer}.")


def _shown_certificate(hops: Sequence[Hop], probe: Probe, timeout: float) -> probe_certificate.Certificate | None:
    """Go the same way again and take whatever certificate is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with _Walk(hops, Probe(probe.endpoint, probe.port), timeout) as stream:
            return _shown(context, stream, probe.endpoint, timeout)
    except (PathError, OSError, ValueError):
        return None


def _shown(
    context: ssl.SSLContext, stream: socket.socket, name: str, timeout: float
) -> probe_certificate.Certificate | None:
    """Do the handshake. Python's wrap_socket cannot do TLS inside TLS, as behind a proxy that is spoken to by TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(incoming, outgoing, server_hostname=name)
    deadline = time.monotonic() + timeout
    while True:
        try:
            secure.do_handshake()
            stream.sendall(outgoing.read())
            return _certificate_of(secure)
        except ssl.SSLWantReadError:
            stream.settimeout(max(deadline - time.monotonic(), 0.001))
            stream.sendall(outgoing.read())
            received = stream.recv(16384)
            if received:
                incoming.write(received)
            else:
                incoming.write_eof()


def _certificate_of(secure: ssl.SSLObject) -> probe_certificate.Certificate | None:
    try:
        return probe_certificate.parse(secure.getpeercert(binary_form=True) or b"")
    except ValueError:
        return None


def _words(error: BaseException) -> str:
    return getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
