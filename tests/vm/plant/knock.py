"""Clients that have waited for their proxy since before it was there: a CONNECT every second while it boots.

Usage: knock.py FILE PROXY ADDRESS[=USER:PASSWORD]...   Appends lines "SECONDS ADDRESS ANSWER" to the file; the seconds are the kernel's.
"""

from __future__ import annotations

import base64
import socket
import sys
import threading
import time
from pathlib import Path


def knock(proxy: str, source: str, login: str) -> str:
    """Return the status of the answer, or why there is none."""
    signed = f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n" if login else ""
    try:
        with socket.create_connection((proxy, 3128), 1, (source, 0)) as stream:
            stream.settimeout(5)
            stream.sendall(f"CONNECT hub.azure-devices.net:443 HTTP/1.1\r\n{signed}\r\n".encode())
            return stream.recv(4096).decode("latin-1").split(" ")[1]
    except IndexError:
        return "closed"
    except OSError as error:
        return type(error).__name__


def main(path: Path, proxy: str, clients: list[str]) -> None:
    """Knock until killed."""

    def run(client: str) -> None:
        source, _equals, login = client.partition("=")
        while True:
            begun = time.clock_gettime(time.CLOCK_BOOTTIME)
            answer = knock(proxy, source, login)
            with path.open("a") as file:
                file.write(f"{begun:.2f} {source} {answer}\n")
            # A boot is over by then; what is emulated has little to spare.
            time.sleep(1 if begun < 180 else 10)

    for client in clients:
        threading.Thread(target=run, args=(client,)).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
