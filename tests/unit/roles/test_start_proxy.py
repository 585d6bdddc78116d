# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an instance in Azure runs: at its first start, and when Azure's run-command gives it a script."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text

from tests.unit import rendered

FILES = rendered.ROLE.parent / "azure_proxy/files"
SENSOR = {"ot-sensor1": {"ansible_host": "192.0.2.1"}}


def fake(folder: Path, *names: str, does: str = "true") -> None:
    """Put programs in place of the real ones."""
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def run(folder: Path, name: str, paths: dict[str, Path], *arguments: str) -> str:
    """Run a script of the role with other paths, and return what it prints."""
    program = (FILES / name).read_text(encoding="utf-8")
    for path, other in paths.items():
        program = program.replace(path, str(other))
    command = ["/bin/sh", "-c", program, name, *arguments]
    done = subprocess.run(
        command, env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True, timeout=60, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_an_instance_fills_every_placeholder(tmp_path: Path) -> None:
    config = tmp_path / "squid.conf"
    config.write_text(text.untoken(rendered.squid_conf(SENSOR)) or "", encoding="utf-8")
    assert "@@" in config.read_text(encoding="utf-8")
    unproven = tmp_path / "unproven.conf"
    unproven.touch()
    fake(tmp_path, "dpkg-divert", "squid")
    # Squid starts when its configuration was seen to be taken, and not before.
    fake(tmp_path, "systemctl", does=f"[ ! -e {unproven} ]")
    run(
        tmp_path,
        "start-proxy",
        {"/etc/squid/squid.conf": config, "/etc/systemd/system/squid.service.d/unproven.conf": unproven},
    )
    found = config.read_text(encoding="utf-8")
    token = text.token_of(found)
    assert "@@" not in found
    assert token is not None
    assert text.mark_of(found) == text.mark(token)


def test_an_instance_without_nftables_is_drained_too(tmp_path: Path) -> None:
    """The rule is not there yet, one tunnel is, and there is no time."""
    fake(tmp_path, "iptables", does=f'echo "$@" >>{tmp_path}/rules; [ "$1" != -C ]')
    fake(tmp_path, "ss", does="echo tunnel")
    said = run(tmp_path, "drain-proxy", {"/run/ot-proxy-drain": tmp_path / "since"}, "3128", "0", "192.0.2.9")
    assert said == "ot-proxy: 1 tunnels"
    rule = "INPUT -p tcp -s 192.0.2.9 --dport 3128 -j REJECT --reject-with tcp-reset"
    assert (tmp_path / "rules").read_text(encoding="utf-8").splitlines() == [f"-C {rule}", f"-I {rule}"]
