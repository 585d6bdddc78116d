"""STAND-IN for the sensor's cloud agent: connects to the endpoints as configured, and names what goes wrong.

The issue classes are the documented ones of the real sensor; which failure belongs to which class is our reading.
"""

from __future__ import annotations

import base64
import queue
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

CONNECTED = "The sensor is connected to cloud successfully"

SECURE = "Errors establishing secure connections"
GENERAL = "General connection errors"
DNS = "Unreachable DNS server errors"
AUTHENTICATION = "Proxy authentication issues"
RESOLUTION = "Name resolution failures"
PROXY = "Unreachable proxy server errors"
TIME = "Time drift detected"
ISSUES = (SECURE, GENERAL, DNS, AUTHENTICATION, RESOLUTION, PROXY, TIME)

FRESH = 2.0
"""Seconds for which a result is shown again instead of connecting anew."""

_STEP = 5.0
"""Seconds for each step of a connection."""

_HEAD_BYTES = 65536
_NOT_YET_VALID, _EXPIRED = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


class IssueError(Exception):
    """A connection failed; the text is one of ISSUES."""


@dataclass(frozen=True)
class Way:
    """The proxy to go through."""

    host: str
    port: int
    username: str
    password: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of one run."""

    issues: tuple[str, ...]
    revision: int
    """Of the settings that it was found with."""
    finished: float
    """time.monotonic"""
    at: str
    """The same for people, UTC."""


class Agent:
    """Runs the check of one sensor, at most once at a time."""

    def __init__(self, way: Callable[[], tuple[int, Way | None]], endpoints: Sequence[str], ca: Path | None) -> None:
        """Take what to check.

        Args:
            way: returns the revision of the settings and the proxy that they name.
            endpoints: NAME or NAME:PORT; without any, settings that name a proxy count as a connection.
            ca: PEM file of the CA that the endpoints' certificates are checked against; None for the system's.
        """
        self._way = way
        self._endpoints = tuple(endpoints)
        self._ca = ca
        self._changed = threading.Condition(threading.RLock())
        self._wanted = False
        self._running = False
        self._doing: int | None = None
        """Revision of the settings that the present run takes."""
        self._verdict: Verdict | None = None

    def start(self) -> None:
        """Ask for a run with the settings as they are from now on; return at once."""
        with self._changed:
            if not self._endpoints:
                self._verdict = Verdict((), self._way()[0], *_now())
                return
            self._wanted = True
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, daemon=True).start()

    def look(self, wait: float) -> Verdict | None:
        """Return a fresh verdict on the present settings, None when it is not there after `wait` seconds."""
        oldest = time.monotonic() - FRESH
        revision, _way = self._way()

        def fresh() -> bool:
            found = self._verdict
            return found is not None and found.revision >= revision and found.finished >= oldest

        with self._changed:
            if not fresh() and self._doing != revision:
                self.start()
            return self._verdict if self._changed.wait_for(fresh, wait) else None

    def latest(self) -> dict[str, Any] | None:
        """Return the last verdict, however old."""
        found = self._verdict
        return None if found is None else {"issues": list(found.issues), "revision": found.revision, "at": found.at}

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._wanted:
                    self._running = False
                    return
                self._wanted = False
                self._doing, way = self._way()
                revision = self._doing
            found = issues(self._endpoints, way, self._ca)
            with self._changed:
                self._verdict, self._doing = Verdict(found, revision, *_now()), None
                self._changed.notify_all()


def _now() -> tuple[float, str]:
    return time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")


def issues(endpoints: Sequence[str], way: Way | None, ca: Path | None) -> tuple[str, ...]:
    """Connect to all endpoints at once; return the classes of what failed, in the documentation's order."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError:
        return (SECURE,)
    # Python 3.13 asks a CA for a key usage, which a lab's self-signed certificate lacks.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def ask(endpoint: str) -> str | None:
        try:
            reach(endpoint, way, context)
        except IssueError as issue:
            return str(issue)
        except ValueError:
            # A name or a password that cannot be encoded.
            return GENERAL
        return None

    with ThreadPoolExecutor(max_workers=min(16, len(endpoints))) as pool:
        found = set(pool.map(ask, endpoints))
    return tuple(issue for issue in ISSUES if issue in found)


def reach(endpoint: str, way: Way | None, context: ssl.SSLContext) -> None:
    """Connect to one endpoint and check its certificate.

    Raises:
        IssueError: it cannot be reached.
    """
    name, _colon, port = endpoint.partition(":")
    target = f"{name}:{port or 443}"
    with _connect(name, int(port or 443), GENERAL) if way is None else _connect(way.host, way.port, PROXY) as stream:
        if way is not None:
            _tunnel(stream, target, way)
        try:
            stream.settimeout(_STEP)
            context.wrap_socket(stream, server_hostname=name).close()
        except ssl.SSLCertVerificationError as error:
            raise IssueError(TIME if error.verify_code in (_NOT_YET_VALID, _EXPIRED) else SECURE) from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            raise IssueError(GENERAL) from None
        except ssl.SSLError:
            raise IssueError(SECURE) from None
        except OSError:
            raise IssueError(GENERAL) from None


def _connect(host: str, port: int, otherwise: str) -> socket.socket:
    address = _resolve(host)
    try:
        return socket.create_connection((address, port), _STEP)
    except (OSError, OverflowError):
        raise IssueError(otherwise) from None


def _resolve(host: str) -> str:
    # getaddrinfo knows no time limit of its own.
    answers: queue.Queue[str | OSError] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0]))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=_STEP)
    except queue.Empty:
        raise IssueError(DNS) from None
    if isinstance(answer, str):
        return answer
    # EAI_AGAIN is a server's own failure as well as its silence.
    if answer.errno == socket.EAI_AGAIN and not dns_server_answers():
        raise IssueError(DNS)
    raise IssueError(RESOLUTION)


def dns_server_answers(resolv_conf: Path = Path("/etc/resolv.conf")) -> bool:
    """Ask each name server for the root's name servers; say whether any answers at all within a second."""
    try:
        lines = [line.split() for line in resolv_conf.read_text().splitlines()]
    except OSError:
        lines = []
    query = struct.pack("!HHHHHH", 0x5EA5, 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack("!HH", 2, 1)
    for server in [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"] or ["127.0.0.1"]:
        try:
            with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM) as stream:
                stream.settimeout(1)
                stream.connect((server, 53))
                stream.send(query)
                stream.recv(512)
                return True
        except OSError:
            continue
    return False


def _tunnel(stream: socket.socket, target: str, way: Way) -> None:
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    if way.username:
        credentials = base64.b64encode(f"{way.username}:{way.password}".encode()).decode()
        request += f"Proxy-Authorization: Basic {credentials}\r\n"
    deadline = time.monotonic() + _STEP
    head = b""
    try:
        stream.sendall(request.encode() + b"\r\n")
        while b"\r\n\r\n" not in head:
            stream.settimeout(max(0.01, deadline - time.monotonic()))
            received = stream.recv(4096)
            head += received
            if not received or len(head) > _HEAD_BYTES:
                raise IssueError(GENERAL)
    except OSError:
        raise IssueError(GENERAL) from None
    words = head.split(maxsplit=2)
    status = words[1] if len(words) > 1 and words[0].startswith(b"HTTP/") else b""
    if status != b"200":
        raise IssueError(AUTHENTICATION if status == b"407" else GENERAL)
