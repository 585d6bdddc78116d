"""A sensor's traffic while the proxy changes: one tunnel held open, and a new CONNECT every 0.1 s.

Usage: watch.py PROXY-ADDRESS ENDPOINT SECONDS [INTERVAL [USER:PASSWORD]]
Prints one JSON object at the end, or when /tmp/watch.stop appears.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

STOP = Path("/tmp/watch.stop")


def connect(proxy: str, endpoint: str, user: str = "") -> socket.socket:
    """Open a tunnel to the endpoint's port 443; OSError says that the proxy refused."""
    stream = socket.create_connection((proxy, 3128), timeout=5)
    head = f"CONNECT {endpoint}:443 HTTP/1.1\r\nHost: {endpoint}:443\r\n"
    if user:
        head += f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"
    stream.sendall(f"{head}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = stream.recv(4096)
        if not received:
            raise ConnectionResetError("the proxy closed the connection")
        answer += received
    if answer.split()[1] != b"200":
        stream.close()
        raise ConnectionRefusedError(f"the proxy answered {answer.split()[1].decode()}")
    return stream


class Tunnel(threading.Thread):
    """Speaks TLS with the endpoint through one tunnel for as long as it lives."""

    def __init__(self, proxy: str, endpoint: str, interval: float, user: str) -> None:
        super().__init__(daemon=True)
        self.endpoint = endpoint
        self.interval = interval
        context = ssl.create_default_context(cafile="/srv/endpoint.pem")
        self.stream = context.wrap_socket(connect(proxy, endpoint, user), server_hostname=endpoint)
        self.exchanges = 0
        self.died: str | None = None

    def run(self) -> None:
        """Ask, read the whole answer, wait, ask again."""
        request = f"GET / HTTP/1.1\r\nHost: {self.endpoint}\r\n\r\n".encode()
        try:
            while True:
                self.stream.sendall(request)
                answer = b""
                while not answer.endswith(f"endpoint {self.endpoint}\n".encode()):
                    received = self.stream.recv(4096)
                    if not received:
                        raise ConnectionResetError("closed")
                    answer += received
                self.exchanges += 1
                time.sleep(self.interval)
        except OSError as error:
            self.died = str(error)


def main(proxy: str, endpoint: str, seconds: float, interval: float, user: str) -> None:
    """Watch until the time is over or the stop file appears."""
    STOP.unlink(missing_ok=True)
    tunnel = Tunnel(proxy, endpoint, interval, user)
    tunnel.start()
    attempts = 0
    failures: list[tuple[float, str]] = []
    longest = down_since = 0.0
    start = time.monotonic()
    while not STOP.exists() and time.monotonic() - start < seconds:
        begun = time.monotonic()
        attempts += 1
        try:
            connect(proxy, endpoint, user).close()
            if down_since:
                longest = max(longest, begun - down_since)
            down_since = 0.0
        except OSError as error:
            failures.append((round(begun - start, 2), str(error)))
            down_since = down_since or begun
        time.sleep(max(0.0, interval - (time.monotonic() - begun)))
    if down_since:
        longest = max(longest, time.monotonic() - down_since)
    print(
        json.dumps(
            {
                "died": tunnel.died,
                "exchanges": tunnel.exchanges,
                "attempts": attempts,
                "failures": failures,
                "longest_refusal": round(longest, 2),
            }
        )
    )


if __name__ == "__main__":
    watched, endpoint, seconds, interval, user = [*sys.argv[1:], *("0.1", "")[len(sys.argv) - 4 :]]
    main(watched, endpoint, float(seconds), float(interval), user)
