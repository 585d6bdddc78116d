"""Runs the stand-in for AWS until its standard input ends, and prints where it listens.

Usage: python -m tests.cloud.aws DIR, with the Python that tools/cloud makes; DIR gets requests.jsonl.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

# It lies in the environment of the cloud modules only.
from moto.server import ThreadedMotoServer  # type: ignore[import-not-found]

from tests.cloud.aws import vpn
from tests.cloud.log import RequestLog


def main() -> None:
    """Serve."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    vpn.extend(RequestLog(Path(sys.argv[1]) / "requests.jsonl"))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
