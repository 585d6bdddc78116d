"""A console profile as a user gets it: a simulated sensor, a person's recording, the playbook, a review."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import person
import yaml

SIMULATOR = Path(__file__).parents[1] / "simulator" / "console.py"
CONSOLE_PASSWORD = "recording-console-secret"
PROXY_PASSWORD = "recording-proxy-secret"


@contextmanager
def simulator(folder: Path, generation: str, password: str, *options: str) -> Iterator[dict[str, list[int] | int]]:
    """Simulated sensors on loopback; yields their ports and the control port."""
    command = [sys.executable, str(SIMULATOR), "--generation", generation, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, "--control", "127.0.0.1:0", "--state", str(folder / "simulator"), *options],
        env={**os.environ, "SIMULATOR_PASSWORD": password},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)


def profile(folder: Path, generation: str) -> Path:
    """Record a console of a generation and return the profile that the playbook learns from it, reviewed."""
    har, dest = folder / f"{generation}.har", folder / f"{generation}.yml"
    certificate = folder / "recording.pem"
    certificate.write_text("a certificate")
    has_certificate = generation in ("23", "wizard")
    typed = person.Typed(
        "admin",
        CONSOLE_PASSWORD,
        "192.0.2.77",
        3129,
        "recording-user",
        PROXY_PASSWORD,
        certificate if has_certificate else None,
    )
    with simulator(folder, generation, CONSOLE_PASSWORD, "--identity", "200") as ports:
        assert isinstance(ports["sensors"], list)
        person.record(f"https://127.0.0.1:{ports['sensors'][0]}", generation, typed, har)
    variables = {
        "learn_console_har": str(har),
        "learn_console_dest": str(dest),
        "learn_console_username": typed.console_username,
        "learn_console_proxy_host": typed.host,
        "learn_console_proxy_port": typed.port,
        "learn_console_proxy_username": typed.username,
        "learn_console_certificate": certificate.name if has_certificate else "",
    }
    done = subprocess.run(
        [
            "ansible-playbook",
            "-i",
            "localhost,",
            "-e",
            json.dumps(variables),
            "ot_security.proxy_chaining.learn_console",
        ],
        env={**os.environ, "SENSOR_CONSOLE_PASSWORD": CONSOLE_PASSWORD, "SENSOR_PROXY_PASSWORD": PROXY_PASSWORD},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for secret in (CONSOLE_PASSWORD, PROXY_PASSWORD):
        assert secret not in done.stdout + done.stderr
        assert secret not in dest.read_text()
    review(dest)
    return dest


def review(path: Path) -> None:
    """Confirm the constants, as a person does who has looked at them."""
    text = path.read_text()
    if (yaml.safe_load(text) or {}).get("constants"):
        path.write_text(text.replace("confirmed: false", "confirmed: true"))
