"""Asks a proxy for a tunnel every 0.25 s, whether or not the earlier ones are answered, until its standard input ends.

Usage: ask.py PROXY-ADDRESS ENDPOINT   Prints [number, seconds, null] when it asks and [number, seconds, what became of it] when it
knows: "200 ok" for a tunnel to the endpoint, else a status, or what came instead. The seconds are the machine's monotonic clock.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import threading
import time

INTERVAL = 0.25


def visit(proxy: str, endpoint: str) -> str:
    """Open a tunnel, speak TLS with the endpoint in it, and say how far that went."""
    context = ssl.create_default_context(cafile="/srv/endpoint.pem")
    said = "refused"
    try:
        with socket.create_connection((proxy, 3128), timeout=60) as stream:
            stream.sendall(f"CONNECT {endpoint}:443 HTTP/1.1\r\nHost: {endpoint}:443\r\n\r\n".encode())
            head = stream.recv(65536)
            said = head.split()[1].decode() if head.startswith(b"HTTP/") else "closed"
            if said != "200":
                return said
            said = "200, then closed"
            with context.wrap_socket(stream, server_hostname=endpoint) as tunnel:
                tunnel.sendall(f"GET / HTTP/1.1\r\nHost: {endpoint}\r\n\r\n".encode())
                return "200 ok" if tunnel.recv(4096).startswith(b"HTTP/1.1 200") else said
    except OSError:
        return said


def main(proxy: str, endpoint: str) -> None:
    """Ask until somebody closes standard input."""

    def ask(number: int) -> None:
        say(number, None)
        say(number, visit(proxy, endpoint))

    def say(number: int, became: str | None) -> None:
        os.write(1, f"{json.dumps([number, time.monotonic(), became])}\n".encode())

    def stop() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=stop, daemon=True).start()
    number = 0
    while True:
        threading.Thread(target=ask, args=(number,), daemon=True).start()
        number += 1
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
