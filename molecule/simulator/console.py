"""STAND-IN for the web console of a Defender for IoT OT sensor, which cannot be had; README.md says what it is good for.

Routes, field names and markup are invented and vary on purpose: nothing here is the vendor's. Prints one line of JSON
with its ports when it is ready, and serves until killed.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dialect_10
import dialect_22
import dialect_23
import dialect_wizard
from access import Rules
from agent import Agent
from control import control
from flask import Flask, Response, make_response, render_template, request
from generations import SCREENS, labels
from sensor import Sensor
from serving import Site, listen, serve
from web import sensor, visitor

_DIALECTS = {
    "10": dialect_10.dialect,
    "22": dialect_22.dialect,
    "23": dialect_23.dialect,
    "wizard": dialect_wizard.dialect,
}


def console(generation: str, delay: int) -> Flask:
    """Return the console's application.

    Args:
        generation: a key of SCREENS.
        delay: milliseconds after which the page shows what it has loaded.
    """
    app = Flask(__name__)
    app.register_blueprint(_DIALECTS[generation])

    @app.before_request
    def _misbehave() -> Response | None:
        here = sensor()
        here.count("requests")
        if here.faults.slow:
            time.sleep(here.faults.slow)
        if here.faults.status is not None:
            return make_response("The console has a problem\n", here.faults.status)
        return None

    @app.after_request
    def _never_stored(answer: Response) -> Response:
        if not request.path.startswith("/static/"):
            answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.get("/")
    def _page() -> Response:
        screen = {
            "generation": generation,
            "delay": delay,
            "labels": labels(generation, sensor().faults.no_labels),
        }

        def page(token: str | None) -> Response:
            return make_response(render_template("page.html", screen=screen, meta=dialect_23.TOKEN_META, token=token))

        return visitor(lambda found: page(found.token)) if generation == "23" else page(None)

    return app


def main(arguments: Sequence[str]) -> None:
    """Serve until killed."""
    options = _options(arguments)
    # As process 1 of a container nothing else makes it end.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    rules = Rules(options.username, options.password, options.lock_after, options.lock_seconds, options.idle_seconds)
    sensors = [
        Sensor(
            options.generation, options.identity + number, rules, lambda it: Agent(it.way, options.endpoint, options.ca)
        )
        for number in range(options.count)
    ]
    tls = _tls(options.state, options.name)
    app, (address, port) = console(options.generation, options.delay), options.listen
    sites = [
        Site(
            listen(address, port + number if port else 0),
            app,
            tls,
            {"simulator.sensor": one},
            lambda one=one: one.faults.down,  # type: ignore[misc]
        )
        for number, one in enumerate(sensors)
    ]
    operated = Site(listen(*options.control), control(sensors))
    for one in sensors:
        one.agent.start()
    print(json.dumps({"sensors": [site.port for site in sites], "control": operated.port}), flush=True)
    serve([*sites, operated])


def _options(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser(description="Stand-in for the web console of an OT sensor.", allow_abbrev=False)
    parser.add_argument("--generation", choices=SCREENS, required=True)
    parser.add_argument("--listen", type=_address, default="0.0.0.0:443", help="ADDRESS:PORT; port 0 for any")
    parser.add_argument("--count", type=int, default=1, help="independent sensors on consecutive ports")
    parser.add_argument(
        "--identity", type=int, default=0, help="number of the first sensor, from which its own address follows"
    )
    parser.add_argument("--username", default="admin")
    parser.add_argument("--password", help="better in the environment variable SIMULATOR_PASSWORD, which goes first")
    parser.add_argument("--name", action="append", default=[], help="further name or address for the certificate")
    parser.add_argument("--ca", type=Path, help="PEM file to check endpoints with; default: the system's")
    parser.add_argument("--endpoint", action="extend", nargs="+", default=[], metavar="NAME[:PORT]")
    parser.add_argument(
        "--state", type=Path, default="/run/simulator", help="directory for the certificate and its key"
    )
    parser.add_argument("--control", type=_address, default="127.0.0.1:8081", help="ADDRESS:PORT of the control port")
    parser.add_argument("--delay", type=int, default=150, help="milliseconds before a loaded screen appears")
    parser.add_argument("--lock-after", type=int, default=5, help="failed sign-ins of one client")
    parser.add_argument("--lock-seconds", type=float, default=300)
    parser.add_argument("--idle-seconds", type=float, default=1800)
    options = parser.parse_args(arguments)
    options.password = os.environ.get("SIMULATOR_PASSWORD") or options.password
    if not options.password:
        parser.error("the account has no password; set SIMULATOR_PASSWORD")
    return options


def _address(text: str) -> tuple[str, int]:
    address, _colon, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def _tls(folder: Path, names: Sequence[str]) -> ssl.SSLContext:
    certificate, key = folder / "console.pem", folder / "console.key"
    if not (certificate.exists() and key.exists()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        alternatives = ",".join(sorted({_alternative(name) for name in [*names, *_own_names()]}))
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-days", "30", "-subj", "/CN=simulated-sensor", "-addext", f"subjectAltName={alternatives}"),
                *("-addext", "keyUsage=digitalSignature,keyCertSign", "-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _own_names() -> list[str]:
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    return ["localhost", "127.0.0.1", socket.gethostname(), *addresses]


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


if __name__ == "__main__":
    main(sys.argv[1:])
