# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook configure_awx, run by the real awx.awx modules against a stand-in for AWX."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology

from tests.cloud.awx.service import Asked, Service

from .data import ROOT, objects

INSTALLED = Path(topology.__file__).parents[6]


@dataclass(frozen=True)
class Run:
    """One run of the playbook, and what it had AWX change."""

    code: int
    output: str
    sent: list[Asked]

    @property
    def changed(self) -> int:
        """How many tasks changed something."""
        match = re.search(r"changed=(\d+)", self.output)
        return int(match[1]) if match else 0


def configure(service: Service, environment: dict[str, str], *options: str) -> Run:
    """Run the installed playbook as a user does. awx.awx is that of tools/cloud, or of the package ansible where that has it."""
    before = len(service.requests)
    collections = f"{INSTALLED}:{ROOT / '.cache/cloud/collections'}"
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", *options, "ot_security.proxy_chaining.configure_awx"],
        env={**os.environ, **environment, "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_NOCOLOR": "true"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr, service.requests[before:])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """Start an empty AWX whose projects have the templates' playbooks; stop it at the end."""
    found = Service(
        tmp_path_factory.mktemp("awx"),
        frozenset(template["playbook"] for template in objects()["controller_templates"]),
    )
    yield found, found.start()
    found.stop()
