# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ports are held while Squid reads a new configuration."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit import rendered

PROGRAM = rendered.ROLE / "files/ot_proxy_hold.sh"
SENSOR = {"ot-sensor1": {"ansible_host": "192.0.2.1"}}
TLS = {"squid_tls_port": 3129, "squid_tls_certificate": "/c", "squid_tls_private_key": "/k"}


ASKED = "0 0 192.0.2.250:3128 192.0.2.1:40000 cubic rto:204 bytes_received:120 segs_in:3"
ANSWERED = f"{ASKED} bytes_sent:39 bytes_acked:39"


def run(folder: Path, variables: dict[str, Any], sockets: list[str], *halves: str) -> str:
    """Return what was called: what nftables was told, and how long it was waited."""
    config = folder / "squid.conf"
    config.write_text(rendered.squid_conf(SENSOR, **variables), encoding="utf-8")
    answers = "".join(
        f"[ $(grep -c sleep {folder}/calls) != {number} ] || echo '{line}'\n" for number, line in enumerate(sockets, 1)
    )
    doubles = {
        "nft": f"cat >>{folder}/calls",
        "sleep": f"echo sleep $1 >>{folder}/calls",
        "ss": f'echo "ss $*" >>{folder}/calls\n{answers}',
    }
    for name, text in doubles.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    program = PROGRAM.read_text(encoding="utf-8").replace("/etc/squid/squid.conf", str(config))
    subprocess.run(
        ["/bin/sh", "-c", program, "hold", *halves], env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True, timeout=60
    )
    return (folder / "calls").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("variables", "ports"),
    [
        ({}, ["3128"]),
        (TLS, ["3128", "3129"]),
        ({"squid_listen_addresses": ["192.0.2.250", "2001:db8::1"], "squid_port": 8080}, ["8080"]),
    ],
)
def test_every_port_of_the_configuration_is_held(variables: dict[str, Any], ports: list[str], tmp_path: Path) -> None:
    calls = run(tmp_path, variables, [])
    held = re.findall(r"add element inet ot_proxy_hold ports \{ (.*) \}", calls)
    assert [[element.split() for element in each.split(",")] for each in held] == [
        [[port, "timeout", "1s"] for port in ports]
    ]
    asked = re.findall(r"ss .* state established (\( .* \)) and not src 127\.0\.0\.0/8", calls)
    assert asked == ["( " + " or ".join(f"sport = :{port}" for port in ports) + " )"]


@pytest.mark.parametrize(
    ("sockets", "halves", "times"),
    [
        ([ANSWERED], (), 1),
        ([ASKED, ANSWERED], (), 2),
        ([ASKED] * 5, (), 4),
        ([ASKED] * 6, ("5", "3"), 5),
    ],
)
def test_who_came_before_gets_an_answer_first(
    sockets: list[str], halves: tuple[str, ...], times: int, tmp_path: Path
) -> None:
    calls = run(tmp_path, {}, sockets, *halves)
    assert calls.count("sleep 0.5\n") == times
    # Held again each time, for less than the three seconds after which clients send for the last time that matters.
    assert calls.count(f"timeout {halves[-1] if halves else 1}s") == times
