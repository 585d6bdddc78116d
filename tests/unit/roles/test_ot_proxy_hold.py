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


@pytest.mark.parametrize(
    ("variables", "ports"),
    [
        ({}, ["3128"]),
        (TLS, ["3128", "3129"]),
        ({"squid_listen_addresses": ["192.0.2.250", "2001:db8::1"], "squid_port": 8080}, ["8080"]),
    ],
)
def test_every_port_of_the_configuration_is_held(variables: dict[str, Any], ports: list[str], tmp_path: Path) -> None:
    config = tmp_path / "squid.conf"
    config.write_text(rendered.squid_conf(SENSOR, **variables), encoding="utf-8")
    for name, text in (("nft", f"cat >{tmp_path}/rules"), ("sleep", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    program = PROGRAM.read_text(encoding="utf-8").replace("/etc/squid/squid.conf", str(config))
    subprocess.run(["/bin/sh", "-c", program], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True, timeout=60)
    rules = (tmp_path / "rules").read_text(encoding="utf-8")
    held = re.search(r"add element inet ot_proxy_hold ports \{ (.*) \}", rules)
    assert held is not None
    assert [element.split() for element in held[1].split(",")] == [[port, "timeout", "1s"] for port in ports]
