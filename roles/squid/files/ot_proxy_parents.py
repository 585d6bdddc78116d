# Managed by Ansible, ot_security.proxy_chaining.
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two things that Squid does not find out about its parents by itself.

ask CONFIG     Squid runs it (url_rewrite_program) and asks before every CONNECT; it answers which parents to pass over.
watch CONFIG   systemd runs it; it reloads Squid when a parent's name resolves that may not have when Squid started.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

FRESH = 1.0
"""Seconds for which an answer is good. As long may CONNECTs be given to a parent that has gone mute since."""

LINGER = 1.0
"""Seconds within which a tunnel that is closed again was none."""

LATE = 15.0
"""Seconds after which a mute parent gets no CONNECT even if there is no other: Squid would hold each for hours."""

AGAIN = 3.0
"""Seconds between two looks at a parent that is passed over, for as long as somebody asks."""

FORGOTTEN = 300.0
"""Seconds after the last question for an endpoint when what was found out is of no use any more."""

MOST_ENDPOINTS = 500
MOST_LOOKS = 100
MOST_BYTES = 65536

_QUESTION = re.compile(rb"(\d{1,20}) ([A-Za-z0-9.:\[\]_-]{1,300}:\d{1,5})(?: |$)")
_CHANNEL = re.compile(rb"(\d{1,20}) ")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?:\s|$)")


@dataclass(frozen=True)
class Parent:
    """A parent, as a cache_peer line of this collection has it."""

    name: str
    address: str
    port: int
    timeout: float
    login: str = ""
    tls: bool = False
    tls_name: str = ""
    tls_ca: str = ""

    def request(self, endpoint: str) -> bytes:
        """Return the CONNECT that this proxy sends it, without anything of a client's."""
        lines = [f"CONNECT {endpoint} HTTP/1.1", f"Host: {endpoint}", "User-Agent: ot-proxy-parents"]
        if self.login:
            login = ":".join(unquote(part) for part in self.login.split(":", 1))
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}")
        return "\r\n".join([*lines, "", ""]).encode()


def parents(config: str) -> list[Parent]:
    """Return the parents of a configuration, in order of preference."""
    found = []
    for line in config.splitlines():
        words = line.split()
        if words[:1] == ["cache_peer"] and len(words) > 5:
            options = {name: value for name, _equals, value in (word.partition("=") for word in words[5:])}
            found.append(
                Parent(
                    name=options.get("name", words[1]),
                    address=words[1],
                    port=int(words[3]),
                    timeout=float(options.get("connect-timeout", 2)),
                    login=options.get("login", ""),
                    tls="tls" in options,
                    tls_name=options.get("ssldomain", words[1]),
                    tls_ca=options.get("tls-cafile", ""),
                )
            )
    return found


# Ask before sending ------------------------------------------------------------------------------------------------


class Exchange(asyncio.Protocol):
    """One CONNECT: the status of its answer, 0 for none, and when the other side closed."""

    def __init__(self) -> None:
        """Wait."""
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()
        self._head = b""

    def data_received(self, data: bytes) -> None:
        """Read the first line; nothing else matters."""
        if self.status.done():
            return
        self._head += data
        if b"\n" in self._head or len(self._head) > MOST_BYTES:
            match = _STATUS.match(self._head)
            self.status.set_result(int(match[1]) if match else 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more."""
        if not self.status.done():
            self.status.set_result(0)
        self.closed.set()


@dataclass
class Way:
    """What is known of the way to one endpoint through one parent."""

    parent: Parent
    endpoint: str
    state: str = "unknown"
    """unknown, passes, refused, fails, mute (so far) or dead (mute for good)"""
    known: float = -1e9
    look: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    said: bool = False
    """Whether the log has it that this parent is passed over."""

    @property
    def is_bad(self) -> bool:
        """Whether the next parent is better."""
        return self.state in ("fails", "mute", "dead")

    def _set(self, state: str) -> None:
        self.state, self.known = state, time.monotonic()
        self.changed.set()

    async def is_usable(self, looks: set[asyncio.Task[None]]) -> bool:
        """Say whether this parent can be given a CONNECT; look first where that is not known."""
        age = time.monotonic() - self.known
        if self.look is None and age > (AGAIN if self.is_bad else FRESH) and len(looks) < MOST_LOOKS:
            self.changed.clear()
            self.look = asyncio.ensure_future(self._look())
            looks.add(self.look)
            self.look.add_done_callback(looks.discard)
        # Nobody waits for a parent that was bad the last time.
        if not self.is_bad and self.look is not None:
            await self.changed.wait()
        return not self.is_bad

    async def _look(self) -> None:
        transports: list[asyncio.Transport] = []
        try:
            await self._connect(transports)
        except (OSError, ValueError, asyncio.TimeoutError):
            self._set("fails")
        finally:
            self.look = None
            self.changed.set()
            for transport in transports:
                transport.abort()

    async def _connect(self, transports: list[asyncio.Transport]) -> None:
        parent, loop, was_bad = self.parent, asyncio.get_running_loop(), self.is_bad
        started = loop.time()
        exchange: Exchange
        connecting = loop.create_connection(Exchange, parent.address, parent.port, happy_eyeballs_delay=0.3)
        transport, exchange = await asyncio.wait_for(connecting, parent.timeout)
        transports.append(transport)
        answering = asyncio.ensure_future(self._answer(transport, exchange, transports))
        try:
            await asyncio.wait({answering}, timeout=max(started + parent.timeout - loop.time(), 0))
            slow = not answering.done()
            if slow:
                # What was dead stays so; those who wait for this look have waited enough.
                self._set("dead" if self.state == "dead" else "mute")
                await asyncio.wait({answering}, timeout=LATE - parent.timeout)
            if not answering.done():
                self._set("dead")
                return
            status = answering.result()
        finally:
            answering.cancel()
        state = "fails" if slow or not 200 <= status < 500 else "refused" if status >= 300 else "passes"
        if state == "passes":
            # Whoever fell from grace has to hold a tunnel first.
            if not was_bad:
                self._set(state)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(exchange.closed.wait(), LINGER)
                state = "fails"
        # Not once more: how old an answer is counts from its arrival.
        if state != self.state:
            self._set(state)

    async def _answer(
        self, transport: asyncio.Transport, exchange: Exchange, transports: list[asyncio.Transport]
    ) -> int:
        if self.parent.tls:
            # As strict as Squid, no stricter: create_default_context refuses more with every Python.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_default_certs()
            if self.parent.tls_ca:
                context.load_verify_locations(self.parent.tls_ca)
            upgraded = await asyncio.get_running_loop().start_tls(
                transport,
                exchange,
                context,
                server_hostname=self.parent.tls_name,
            )
            if upgraded is None:
                raise ConnectionResetError
            transport = upgraded
            transports.append(transport)
        transport.write(self.parent.request(self.endpoint))
        return await exchange.status


class Chooser:
    """Knows for each endpoint which parents to pass over."""

    def __init__(self, candidates: Iterable[Parent]) -> None:
        """Take the parents in order of preference."""
        self._parents = list(candidates)
        self._known: OrderedDict[str, tuple[float, list[Way]]] = OrderedDict()
        self._looks: set[asyncio.Task[None]] = set()

    def _ways(self, endpoint: str) -> list[Way]:
        now = time.monotonic()
        asked, ways = self._known.pop(endpoint, (now, []))
        if not ways or now - asked > FORGOTTEN:
            ways = [Way(parent, endpoint) for parent in self._parents]
        self._known[endpoint] = (now, ways)
        if len(self._known) > MOST_ENDPOINTS:
            self._known.popitem(last=False)
        return ways

    async def passed_over(self, endpoint: str) -> list[str]:
        """Return the names of the parents that this CONNECT is not to be sent to."""
        ways = self._ways(endpoint)
        for way in ways:
            if await way.is_usable(self._looks):
                break
        bad = self._bad(ways)
        if len(bad) == len(ways):
            # Nobody is refused for what was so at the last question: these looks have the time that a first one has.
            for way in ways:
                if way.look:
                    await way.changed.wait()
            bad = self._bad(ways)
        self._say(ways)
        return [way.parent.name for way in bad]

    @staticmethod
    def _bad(ways: list[Way]) -> list[Way]:
        for way in ways:
            if not way.is_bad:
                # What a parent refuses, no other is asked for: its policy is not to be walked around.
                return [other for other in ways if other.is_bad or (way.state == "refused" and other is not way)]
        # With nobody better Squid tries as it always does, and its answer says why; but not where it would wait for hours.
        silent = [way for way in ways if way.state in ("mute", "dead")]
        return silent if len(silent) < len(ways) else [way for way in ways if way.state == "dead"]

    def _say(self, ways: Iterable[Way]) -> None:
        for way in ways:
            if way.is_bad != way.said:
                way.said = way.is_bad
                what = f"is passed over ({way.state})" if way.is_bad else "is used again"
                print(f"ot-proxy-parents: {way.parent.name} {what} for {way.endpoint}", file=sys.stderr, flush=True)


def ask(config: str) -> None:
    """Answer Squid's questions until it closes the pipe."""
    loop = asyncio.new_event_loop()
    chooser = Chooser(parents(config))
    answering: set[asyncio.Task[None]] = set()

    async def answer(channel: str, endpoint: str) -> None:
        names: list[str] = []
        with contextlib.suppress(Exception):
            names = await chooser.passed_over(endpoint)
        reply = " ".join([channel, "OK", *(f"skip_={name}" for name in names)])
        with contextlib.suppress(OSError):
            os.write(1, f"{reply}\n".encode())

    def take(line: bytes) -> None:
        question, channel = _QUESTION.match(line), _CHANNEL.match(line)
        if question:
            task = loop.create_task(answer(question[1].decode(), question[2].decode()))
            answering.add(task)
            task.add_done_callback(answering.discard)
        elif channel:
            os.write(1, channel[1] + b" ERR\n")

    def read() -> None:
        while line := sys.stdin.buffer.readline(MOST_BYTES):
            loop.call_soon_threadsafe(take, line.rstrip(b"\r\n"))
        loop.call_soon_threadsafe(loop.stop)

    threading.Thread(target=read, daemon=True).start()
    loop.run_forever()
    # Whoever is still connecting or looking a name up is of no interest.
    os._exit(0)


# Names that did not resolve ----------------------------------------------------------------------------------------

PAUSE = 10.0
"""Seconds between two looks at the names."""

GAP = 60.0
"""Seconds that lie between two reloads at least."""


@dataclass
class Names:
    """Which parents' names Squid may not have found."""

    squid: str | None = None
    """The invocation of Squid that was seen last, empty when it did not run."""
    missing: set[str] = field(default_factory=set)
    reloaded: float = -1e9

    def look(self, squid: str, found: Mapping[str, bool], now: float) -> str:
        """Take note of which names resolve; return the one for which Squid has to be reloaded, or nothing."""
        if not squid:
            self.squid = squid
            return ""
        # What Squid found when it started anew is not known.
        anew = self.squid is not None and squid != self.squid
        due = [name for name, there in found.items() if there and (anew or name in self.missing)]
        if due and now - self.reloaded < GAP:
            return ""
        self.squid = squid
        self.missing = {name for name, there in found.items() if not there}
        if due:
            self.reloaded = now
        return due[0] if due else ""


def named(config: str) -> list[str]:
    """Return the names by which parents are given, not those that are addresses."""
    found = []
    for parent in parents(config):
        try:
            ipaddress.ip_address(parent.address)
        except ValueError:
            found.append(parent.address)
    return found


def resolves(name: str) -> bool:
    """Say whether a name has an address now."""
    try:
        return bool(socket.getaddrinfo(name, None))
    except (OSError, UnicodeError):
        return False


def invocation() -> str:
    """Return which start of Squid this is; empty while it does not run."""
    shown = subprocess.run(
        ["/usr/bin/systemctl", "show", "--property=ActiveState,InvocationID", "squid.service"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    ).stdout
    return shown.partition("InvocationID=")[2].split("\n")[0] if "ActiveState=active" in shown else ""


def watch(path: str) -> None:
    """Reload Squid when a parent's name resolves again; never ends."""
    names = Names()
    while True:
        squid = invocation()
        found = {name: resolves(name) for name in named(Path(path).read_text())}
        if name := names.look(squid, found, time.monotonic()):
            print(f"{name} may not have resolved when Squid started, and does now: reloading Squid", flush=True)
            subprocess.run(["/usr/bin/systemctl", "reload", "squid.service"], check=False)
        time.sleep(PAUSE)


if __name__ == "__main__":
    verb, config_path = sys.argv[1:]
    if verb == "ask":
        ask(Path(config_path).read_text())
    else:
        watch(config_path)
