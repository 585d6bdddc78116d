"""Runs the stand-in for Azure Resource Manager until SIGTERM or SIGINT; SIGUSR1 writes resources.json.

Usage: python -m tests.cloud.arm --state DIR
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from tests.cloud.arm.service import Service


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.cloud.arm", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="gets env.json, requests.jsonl, ready")
    parser.add_argument("--seconds", type=float, default=0.05, help="how long an operation takes")
    arguments = parser.parse_args()
    waited_for = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    # Before any thread starts, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    service = Service(arguments.state, arguments.seconds)
    service.start()
    while signal.sigwait(waited_for) == signal.SIGUSR1:
        service.dump()
    (arguments.state / "ready").unlink(missing_ok=True)
    service.stop()


if __name__ == "__main__":
    main()
