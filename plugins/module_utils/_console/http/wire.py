# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTPS connection to a console, kept alive, with its cookies. Private to this collection.

Standard library only; no proxy of the environment is used, no other host is asked, and no answer may be endless.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import time
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import CookieJar
from urllib.parse import urljoin, urlsplit
from urllib.request import Request

from .. import tls
from ..model import BUDGET, Trust, UnexpectedError, UnreachableError, UntrustedError, too_much
from .tree import MISSING, Page, Tree, json_tree

LARGEST = 5 * 1024 * 1024
"""Bytes of an answer at most."""

_REDIRECTS = 5
_PIECE = 65536
_SEE_OTHER = (301, 302, 303)
_SAME_AGAIN = (307, 308)
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""How a connection shows that the other side has closed it."""


@dataclass(frozen=True)
class HttpAnswer:
    """The console's answer to one request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes
    path: str
    """Where it came from, after redirects, without the query."""
    first_status: int
    """Status before redirects were followed."""

    def header(self, name: str) -> str | None:
        """Return the last value of a header."""
        return next((value for key, value in reversed(self.headers) if key == name), None)

    @cached_property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @cached_property
    def is_html(self) -> bool:
        """Whether it says that it is HTML."""
        return "html" in (self.header("content-type") or "").lower()

    @cached_property
    def json(self) -> Tree:
        """The body's tree, or MISSING."""
        return MISSING if self.is_html else json_tree(self.text)

    @cached_property
    def page(self) -> Page:
        """The body as a page."""
        return Page(self.text)


class Wire:
    """Sends requests over one connection. Every method raises UnreachableError, UntrustedError or UnexpectedError."""

    def __init__(self, url: str, trust: Trust, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise UnexpectedError("the console's address must start with https:// and name a host")
        self._host, self._port = parts.hostname, parts.port or 443
        bracketed = f"[{self._host}]" if ":" in self._host else self._host
        self._authority = bracketed if self._port == 443 else f"{bracketed}:{self._port}"
        self._trust = trust
        self._timeout = timeout
        self._context: ssl.SSLContext | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._carried = 0
        """Bytes of all answers so far."""
        self.cookies = CookieJar()

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, again: bool
    ) -> list[HttpAnswer]:
        """Send a request and follow its redirects on this host; return each answer, the last one last.

        Args:
            method: HTTP method.
            path: path with query.
            headers: further headers.
            body: body, None for none.
            again: whether to send it once more if the console closed the connection without an answer.
        """
        answers: list[HttpAnswer] = []
        while True:
            answer = self._exchange(method, path, headers, body, again, answers[0].status if answers else None)
            answers.append(answer)
            target = answer.header("location")
            if answer.status not in (*_SEE_OTHER, *_SAME_AGAIN) or target is None:
                return answers
            if len(answers) > _REDIRECTS:
                raise UnexpectedError(
                    f"it redirects more than {_REDIRECTS} times; see that the profile's paths are its own"
                )
            path = self._target(path, target)
            if answer.status in _SEE_OTHER:
                method, body = "GET", None
                headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}

    def close(self) -> None:
        """Close the connection. Never raises."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _target(self, path: str, location: str) -> str:
        try:
            parts = urlsplit(urljoin(f"https://{self._authority}{path}", location))
            same = parts.scheme == "https" and parts.hostname == self._host and (parts.port or 443) == self._port
        except ValueError:
            same = False
        if not same:
            raise UnexpectedError("it redirects to another host; see that the address is the console's own")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not target.isascii() or not target.isprintable() or " " in target:
            raise UnexpectedError("it redirects to an address that cannot be asked for; see that it is the console")
        return target

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, again: bool, first: int | None
    ) -> HttpAnswer:
        fresh = self._connect()
        try:
            return self._ask(method, path, headers, body, first)
        except _CLOSED as error:
            # A kept connection may be closed at the moment of its use; a new one that closes is another matter.
            self.close()
            if fresh or not (again or method == "GET"):
                raise UnreachableError(f"it closed the connection without an answer ({error})") from None
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(error) from None
        self._connect()
        try:
            return self._ask(method, path, headers, body, first)
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> UnreachableError:
        self.close()
        if isinstance(error, TimeoutError):
            return UnreachableError(
                f"it does not answer within {self._timeout:g} s; see that it is up and not overloaded"
            )
        # Its words may be the console's.
        return UnreachableError(
            f"it does not answer as a web server ({type(error).__name__}); see that it is the console"
        )

    def _connect(self) -> bool:
        """Connect where there is no connection; say whether a new one was made."""
        connection = self._connection
        if connection and isinstance(connection.sock, socket.socket):
            # Between two answers a console has nothing to say but that it closes.
            if not select.select([connection.sock], [], [], 0)[0]:
                return False
            self.close()
        if self._context is None:
            self._context = tls.context_for(self._trust)
        plain = tls.connect(self._host, self._port, self._timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secure = self._context.wrap_socket(plain, server_hostname=self._host)
        except ssl.SSLError as error:
            plain.close()
            raise tls.refusal(error) from None
        except (OSError, ValueError) as error:
            plain.close()
            raise UnreachableError(
                f"it does not answer on port {self._port}: {error}; see that the console is up and not overloaded"
            ) from None
        self._connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self._connection.auto_open = 0
        self._connection.sock = secure
        try:
            tls.check_fingerprint(secure, self._trust)
        except UntrustedError:
            self.close()
            raise
        return True

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None, first: int | None
    ) -> HttpAnswer:
        connection = self._connection
        if connection is None or connection.sock is None:
            raise http.client.NotConnected
        deadline = time.monotonic() + self._timeout
        connection.sock.settimeout(self._timeout)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        base = f"https://{self._authority}"
        # Where a cookie goes, and for how long, the standard library knows, which only sees the request.
        asked = Request(base + path)  # noqa: S310 - nothing is opened
        self.cookies.add_cookie_header(asked)
        own = {"Host": self._authority, "Accept-Encoding": "identity", "Accept": "*/*", "Referer": f"{base}/"}
        if method != "GET":
            own |= {"Origin": base, "Content-Length": str(len(body or b""))}
        if (cookie := asked.get_header("Cookie")) and cookie.isprintable():
            own["Cookie"] = cookie
        given = {name.lower() for name in headers}
        for name, value in [
            *((name, value) for name, value in own.items() if name.lower() not in given),
            *headers.items(),
        ]:
            connection.putheader(name, value.encode("utf-8"))
        connection.endheaders(body)
        response = connection.getresponse()
        pieces, size = [], 0
        while piece := response.read1(_PIECE):
            size += len(piece)
            self._carried += len(piece)
            pieces.append(piece)
            if self._carried > BUDGET:
                self.close()
                raise too_much()
            if size > LARGEST:
                self.close()
                raise UnexpectedError(
                    f"its answer has more than {LARGEST // 1024 // 1024} MB; see that the profile's paths are its own"
                )
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if connection.sock:
                connection.sock.settimeout(left)
        # read1() leaves an answer open whose length was told; the connection could not be used again.
        response.close()
        found = tuple((name.lower(), value) for name, value in response.getheaders())
        if response.will_close:
            self.close()
        if dict(found).get("content-encoding", "identity").lower() not in ("identity", ""):
            raise UnexpectedError("its answer is compressed although that was not asked for; it cannot be read")
        self.cookies.extract_cookies(response, asked)
        return HttpAnswer(response.status, found, b"".join(pieces), path.partition("?")[0], first or response.status)
