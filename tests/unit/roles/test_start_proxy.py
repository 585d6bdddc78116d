# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance in Azure fills the same placeholders as squid_config does elsewhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text

from tests.unit import rendered

PROGRAM = rendered.ROLE.parent / "azure_proxy/files/start-proxy"
SENSOR = {"ot-sensor1": {"ansible_host": "192.0.2.1"}}


def test_an_instance_fills_every_placeholder(tmp_path: Path) -> None:
    config = tmp_path / "squid.conf"
    config.write_text(text.untoken(rendered.squid_conf(SENSOR)) or "", encoding="utf-8")
    assert "@@" in config.read_text(encoding="utf-8")
    for name in ("dpkg-divert", "squid", "systemctl"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    program = PROGRAM.read_text(encoding="utf-8").replace("config=/etc/squid/squid.conf", f"config={config}")
    subprocess.run(["/bin/sh", "-c", program], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True, timeout=60)
    found = config.read_text(encoding="utf-8")
    token = text.token_of(found)
    assert "@@" not in found
    assert token is not None
    assert text.mark_of(found) == text.mark(token)
