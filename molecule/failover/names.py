"""STAND-IN for a plant's DNS server, which must be stopped and changed at will: answers A records from a file.

Usage: names.py FILE   A line is "NAME ADDRESS", NAME may begin with "*."; other names do not exist.
It waits for as many seconds before each answer as the file /run/delay says.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
import threading
from pathlib import Path

A = 1
DELAY = Path("/run/delay")


def answer(query: bytes, records: dict[str, str]) -> bytes:
    """Return the answer to a query of one question."""
    end = query.index(b"\0", 12) + 5
    name = labels(query[12 : end - 5])
    address = records.get(name, records.get("*." + name.partition(".")[2]))
    kind = struct.unpack("!H", query[end - 4 : end - 2])[0]
    record = b""
    if address and kind == A:
        # The name is the question's, the answer may be kept for a second.
        record = b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 1, 4) + ipaddress.ip_address(address).packed
    counts = struct.pack("!HHHHH", 0x8580 | (0 if address else 3), 1, bool(record), 0, 0)
    return query[:2] + counts + query[12:end] + record


def labels(encoded: bytes) -> str:
    """Return a name as text."""
    parts = []
    while encoded:
        parts.append(encoded[1 : encoded[0] + 1].decode("latin-1").lower())
        encoded = encoded[encoded[0] + 1 :]
    return ".".join(parts)


def main(path: Path) -> None:
    """Serve until killed."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", 53))
    while True:
        query, client = server.recvfrom(4096)
        try:
            records = dict(line.split() for line in path.read_text().splitlines())
            wait = float(DELAY.read_text()) if DELAY.exists() else 0
            threading.Timer(wait, server.sendto, (answer(query, records), client)).start()
        except (OSError, ValueError, IndexError, struct.error):
            continue


if __name__ == "__main__":
    main(Path(sys.argv[1]))
