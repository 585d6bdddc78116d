"""Knock at a proxy from two threads, once a millisecond each: open a connection, ask for what is refused, read the answer.

Usage: knock.py ADDRESS PORT SECONDS [TARGET TUNNELS]   Prints attempts, what failed by its kind, and the seconds of the slowest as JSON.
With 0 seconds it ends when its input does. With a target it opens so many tunnels first, and prints how many of them are gone at the end.
"""

from __future__ import annotations

import asyncio
import collections
import json
import socket
import sys
import threading
import time

EVERY = 0.001
ANSWER_SECONDS = 20
REQUEST = b"CONNECT nobody.example:25 HTTP/1.1\r\nHost: nobody.example:25\r\n\r\n"


class Knocks:
    """What one thread sees."""

    def __init__(self) -> None:
        self.attempts = 0
        self.failures: collections.Counter[str] = collections.Counter()
        self.slowest = 0.0

    async def once(self, address: str, port: int) -> None:
        """Ask."""
        start = time.monotonic()
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), ANSWER_SECONDS)
            writer.write(REQUEST)
            answer = await asyncio.wait_for(reader.readline(), ANSWER_SECONDS)
            writer.close()
            if b" 403 " not in answer:
                self.failures[repr(answer)] += 1
        except (OSError, asyncio.TimeoutError) as error:
            self.failures[type(error).__name__] += 1
        self.slowest = max(self.slowest, time.monotonic() - start)

    async def run(self, address: str, port: int, over: threading.Event) -> None:
        """Ask all the time, whether or not earlier ones were answered."""
        start = time.monotonic()
        asked: set[asyncio.Task[None]] = set()
        while not over.is_set():
            now = time.monotonic() - start
            while self.attempts * EVERY < now:
                self.attempts += 1
                task = asyncio.create_task(self.once(address, port))
                asked.add(task)
                task.add_done_callback(asked.discard)
            await asyncio.sleep(EVERY)
        await asyncio.gather(*asked)


def tunnel(address: str, port: int, target: str) -> socket.socket:
    """Open one."""
    found = socket.create_connection((address, port), ANSWER_SECONDS)
    found.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    answer = found.recv(4096)
    if b" 200 " not in answer:
        raise RuntimeError(f"no tunnel to {target}: {answer!r}")
    found.setblocking(False)
    return found


def is_gone(opened: socket.socket) -> bool:
    """Say whether the other side has closed it."""
    try:
        return opened.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def main(address: str, port: int, seconds: float, target: str = "", tunnels: int = 0) -> None:
    """Run both."""
    held = [tunnel(address, port, target) for _number in range(tunnels)]
    over, both, start = threading.Event(), [Knocks(), Knocks()], time.monotonic()
    threads = [threading.Thread(target=lambda each=each: asyncio.run(each.run(address, port, over))) for each in both]
    for thread in threads:
        thread.start()
    if seconds:
        time.sleep(seconds)
    else:
        sys.stdin.read()
    over.set()
    took = time.monotonic() - start
    for thread in threads:
        thread.join()
    failures = sum((each.failures for each in both), collections.Counter())
    attempts, slowest = sum(each.attempts for each in both), max(each.slowest for each in both)
    found = {"attempts": attempts, "failures": failures, "slowest": round(slowest, 2), "seconds": took}
    print(json.dumps({**found, "lost": sum(map(is_gone, held))}))


if __name__ == "__main__":
    where, given_port, given_seconds, *rest = sys.argv[1:]
    main(where, int(given_port), float(given_seconds), rest[0] if rest else "", int(rest[1]) if rest else 0)
