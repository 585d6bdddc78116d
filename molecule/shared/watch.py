"""A sensor's traffic while the proxy changes: tunnels held open, which ask again and again, and a new CONNECT every INTERVAL.

Usage: watch.py PROXY-ADDRESS ENDPOINT SECONDS [INTERVAL [USER:PASSWORD [TUNNELS]]]
/tmp/watch.ready appears once the tunnels are there. Prints one JSON object at the end, or when /tmp/watch.stop appears.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

READY, STOP = Path("/tmp/watch.ready"), Path("/tmp/watch.stop")
ANSWER_SECONDS = 20
"""Longer than the 15 after which a client sends its first packet for the fifth time."""
REQUESTS_PER_SECOND = 100
"""Of all tunnels together, at most."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Seen:
    """What became of it."""

    died: list[str] = field(default_factory=list)
    """Why tunnels ended."""
    exchanges: int = 0
    attempts: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)
    """When new CONNECTs were refused, in seconds from the start, and how."""
    slowest: float = 0
    """Seconds of the longest CONNECT."""


def is_connected(stream: socket.socket) -> bool:
    """Whether the proxy's host has accepted it."""
    try:
        stream.getpeername()
    except OSError:
        return False
    return True


class Sensor:
    """One sensor at one proxy."""

    def __init__(self, proxy: str, endpoint: str, interval: float, user: str) -> None:
        self.proxy, self.endpoint, self.interval = proxy, endpoint, interval
        self.head = f"CONNECT {endpoint}:443 HTTP/1.1\r\nHost: {endpoint}:443\r\n"
        if user:
            self.head += f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"
        self.context = ssl.create_default_context(cafile="/srv/endpoint.pem")
        self.seen = Seen()

    async def connect(self) -> socket.socket:
        """Open a tunnel to the endpoint's port 443; OSError says that the proxy refused."""
        stream = socket.socket()
        stream.setblocking(False)
        try:
            await asyncio.wait_for(self.ask(stream), ANSWER_SECONDS)
        except asyncio.TimeoutError:
            where = "connected" if is_connected(stream) else "not connected"
            stream.close()
            raise TimeoutError(f"no answer, {where}") from None
        except BaseException:
            stream.close()
            raise
        return stream

    async def ask(self, stream: socket.socket) -> None:
        """Connect, and read no more than the head of the answer."""
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stream, (self.proxy, 3128))
        await loop.sock_sendall(stream, f"{self.head}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            received = await loop.sock_recv(stream, 4096)
            if not received:
                raise ConnectionResetError("the proxy closed the connection")
            answer += received
        if answer.split()[1] != b"200":
            raise ConnectionRefusedError(f"the proxy answered {answer.split()[1].decode()}")

    async def tunnel(self) -> Streams:
        """Open a tunnel and speak TLS in it."""
        stream = await self.connect()
        return await asyncio.open_connection(sock=stream, ssl=self.context, server_hostname=self.endpoint)

    async def talk(self, streams: Streams, pause: float) -> None:
        """Ask, read the whole answer, wait, ask again, for as long as the tunnel lives."""
        reader, writer = streams
        try:
            while True:
                writer.write(f"GET / HTTP/1.1\r\nHost: {self.endpoint}\r\n\r\n".encode())
                await asyncio.wait_for(reader.readuntil(f"endpoint {self.endpoint}\n".encode()), 6 * ANSWER_SECONDS)
                self.seen.exchanges += 1
                await asyncio.sleep(pause)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            self.seen.died.append(repr(error))

    async def knock(self, seconds: float) -> None:
        """Open a new tunnel every INTERVAL until the time is over or the stop file appears."""
        start = time.monotonic()
        while not STOP.exists() and time.monotonic() - start < seconds:
            begun = time.monotonic()
            self.seen.attempts += 1
            try:
                (await self.connect()).close()
            except (OSError, asyncio.TimeoutError) as error:
                self.seen.failures.append((round(begun - start, 2), str(error) or repr(error)))
            taken = time.monotonic() - begun
            self.seen.slowest = max(self.seen.slowest, round(taken, 3))
            await asyncio.sleep(max(0.0, self.interval - taken))


async def main(proxy: str, endpoint: str, seconds: float, interval: float, user: str, tunnels: int) -> None:
    """Watch."""
    for path in (READY, STOP):
        path.unlink(missing_ok=True)
    sensor = Sensor(proxy, endpoint, interval, user)
    held: list[Streams] = []
    while len(held) < tunnels:
        held += await asyncio.gather(*(sensor.tunnel() for _number in range(min(10, tunnels - len(held)))))
    talks = [asyncio.create_task(sensor.talk(each, max(interval, tunnels / REQUESTS_PER_SECOND))) for each in held]
    READY.touch()
    await sensor.knock(seconds)
    print(json.dumps(asdict(sensor.seen)))
    sys.stdout.flush()
    for talk in talks:
        talk.cancel()


if __name__ == "__main__":
    watched, asked, lasting, every, login, number = [*sys.argv[1:], *("0.1", "", "1")[len(sys.argv) - 4 :]]
    asyncio.run(main(watched, asked, float(lasting), float(every), login, int(number)))
