# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All sensors are asked for, in pages, by the role's own tasks and the real module."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._proof import found

from tests.cloud.arm.service import Service

from .client import GROUP

ROOT = Path(__file__).parents[3]
CLOUD = ROOT / ".cache/cloud"
NUMBER = 10_000 if os.environ.get("LONG") else 2_001
"""A page has 1,000."""
PLACE = f"{GROUP}/providers/Microsoft.IoTSecurity/locations/westeurope/sites/plant/sensors"
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(ROOT / "roles/chain_verify/vars/main.yml")],
        "tasks": [
            {"ansible.builtin.include_tasks": str(ROOT / "roles/chain_verify/tasks/cloud.yml")},
            {
                "ansible.builtin.copy": {
                    "content": "{{ {'results': __chain_verify_asked.results} | to_json }}",
                    "dest": "asked.json",
                    "mode": "0600",
                }
            },
        ],
    }
]


def test_all_sensors_are_asked_for(tmp_path: Path) -> None:
    service = Service(tmp_path)
    for number in range(NUMBER):
        word = {"sensorStatus": "Disconnected" if number % 2 else "Ok", "connectivityTime": "2026-11-24T10:30:00Z"}
        service.manager.seed({"id": f"{PLACE}/sensor{number:05}", "properties": word})
    given = {
        "__chain_verify": {"azure_subscriptions": [service.account.subscription]},
        "ansible_python_interpreter": f"{CLOUD}/venv/bin/python",
        "ansible_connection": "local",
    }
    (tmp_path / "play.json").write_text(json.dumps(PLAY), encoding="utf-8")
    try:
        environment = {**os.environ, **service.start(), "ANSIBLE_NOCOLOR": "true"}
        done = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", "-e", json.dumps(given), "play.json"],
            env={**environment, "ANSIBLE_COLLECTIONS_PATH": str(CLOUD / "collections")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    finally:
        service.stop()
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    words = found.cloud_of({found.CLOUD: json.loads((tmp_path / "asked.json").read_text(encoding="utf-8"))})
    assert sorted(words) == [f"sensor{number:05}" for number in range(NUMBER)]
    assert words["sensor00001"] == {"status": "Disconnected", "time": "2026-11-24T10:30:00Z"}
