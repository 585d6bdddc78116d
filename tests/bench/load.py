"""Open many tunnels through a proxy, a few at a time, and close each as soon as it is there.

Usage: load.py ADDRESS PORT TARGET COUNT CONCURRENCY   Prints seconds and failures as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

LIMIT = 180
"""Seconds after which the run is given up."""


class Tunnel(asyncio.Protocol):
    """One CONNECT; its result is the first line of the answer."""

    def __init__(self, request: bytes, answer: asyncio.Future[bytes]) -> None:
        self._request = request
        self._answer = answer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Close once the head of the answer is there."""
        self._received += data
        if b"\r\n\r\n" in self._received:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over what came."""
        if not self._answer.done():
            self._answer.set_result(self._received.partition(b"\r\n")[0])


async def one_after_the_other(address: str, port: int, request: bytes, count: int) -> list[str]:
    """Return what went wrong with each CONNECT that was not answered with 200."""
    loop = asyncio.get_running_loop()
    failures = []
    for _dummy in range(count):
        answer: asyncio.Future[bytes] = loop.create_future()
        try:
            await loop.create_connection(lambda answer=answer: Tunnel(request, answer), address, port)  # type: ignore[misc]
            first_line = await answer
        except OSError as error:
            failures.append(str(error))
        else:
            if b" 200 " not in first_line:
                failures.append(first_line.decode("latin-1"))
    return failures


async def main(address: str, port: int, target: str, count: int, concurrency: int) -> None:
    """Run them all."""
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
    shares = [count // concurrency + (i < count % concurrency) for i in range(concurrency)]
    start = time.perf_counter()
    workers = [one_after_the_other(address, port, request, share) for share in shares]
    results = await asyncio.wait_for(asyncio.gather(*workers), LIMIT)
    failures = [failure for result in results for failure in result]
    print(json.dumps({"seconds": time.perf_counter() - start, "failed": len(failures), "examples": failures[:3]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
