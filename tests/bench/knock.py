"""Hold tunnels and knock at a proxy from two threads: open a connection, ask for what is refused, read the answer.

Usage: knock.py ADDRESS PORT SECONDS TARGET EVERY   Each thread knocks every so many seconds. With 0 seconds it ends when its input does.
Prints seconds, attempts, what failed by its kind, the seconds of the slowest and the tunnels lost as JSON.
"""

from __future__ import annotations

import asyncio
import collections
import json
import socket
import sys
import threading
import time

ANSWER_SECONDS = 20
TUNNELS = 20
REQUEST = b"CONNECT nobody.example:25 HTTP/1.1\r\nHost: nobody.example:25\r\n\r\n"


class Knocks:
    """What one thread sees."""

    def __init__(self, every: float) -> None:
        self.every = every
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
            while self.attempts * self.every < now:
                self.attempts += 1
                task = asyncio.create_task(self.once(address, port))
                asked.add(task)
                task.add_done_callback(asked.discard)
            await asyncio.sleep(self.every)
        await asyncio.gather(*asked)


def tunnel(address: str, port: int, target: str) -> socket.socket:
    """Open one."""
    opened = socket.create_connection((address, port), ANSWER_SECONDS)
    opened.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    if b" 200 " not in opened.recv(4096):
        raise OSError(f"no tunnel to {target}")
    opened.setblocking(False)
    return opened


def is_open(held: socket.socket) -> bool:
    """Whether nothing has ended it: neither side says anything."""
    try:
        held.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def main(address: str, port: int, seconds: float, target: str, every: float) -> None:
    """Run both."""
    tunnels = [tunnel(address, port, target) for _number in range(TUNNELS)]
    over, both, start = threading.Event(), [Knocks(every), Knocks(every)], time.monotonic()
    threads = [threading.Thread(target=lambda each=each: asyncio.run(each.run(address, port, over))) for each in both]
    for thread in threads:
        thread.start()
    if seconds:
        time.sleep(seconds)
    else:
        sys.stdin.read()
    over.set()
    took = round(time.monotonic() - start, 1)
    for thread in threads:
        thread.join()
    failures = sum((each.failures for each in both), collections.Counter())
    attempts, slowest = sum(each.attempts for each in both), max(each.slowest for each in both)
    lost = sum(not is_open(each) for each in tunnels)
    found = {"attempts": attempts, "failures": failures, "slowest": round(slowest, 2), "lost": lost}
    print(json.dumps({"seconds": took, **found}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], float(sys.argv[5]))
