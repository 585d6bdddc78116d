"""Runs the collection's playbooks in a scenario as a user does, on the scenario's inventory and a test's change of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 600


@dataclass(frozen=True)
class Run:
    """One run of a playbook."""

    code: int
    output: str

    @property
    def text(self) -> str:
        """The output with each run of white space as one blank, since Ansible wraps what it says."""
        return re.sub(r"\s+", " ", self.output)

    def changed(self, host: str) -> int:
        """How many tasks changed something on a host."""
        return self._count(host, "changed")

    def failed(self, host: str) -> int:
        """How many tasks failed on a host and were not rescued."""
        return self._count(host, "failed")

    def _count(self, host: str, what: str) -> int:
        match = re.search(rf"^{host}\s.*\b{what}=(\d+)", self.output, re.MULTILINE)
        return int(match[1]) if match else 0


def _hosts(group: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from group.get("hosts", {}).items()
    for child in group.get("children", {}).values():
        yield from _hosts(child)


@contextmanager
def prepared(name: str, *options: str, change: Mapping[str, Any] | None = None) -> Iterator[list[str]]:
    """Yield the command that runs a playbook of the collection.

    Args:
        name: its name, such as ``proxies``.
        options: more options of ansible-playbook.
        change: an inventory that is laid over the scenario's.
    """
    with tempfile.TemporaryDirectory() as folder:
        # YAML is a superset of JSON. The scenario's own variables of a host lie in a file of its own, which outranks the inventory.
        inventory = Path(folder) / "change.yml"
        inventory.write_text(json.dumps(change or {"all": {}}))
        (Path(folder) / "host_vars").mkdir()
        for host, variables in _hosts((change or {}).get("all", {})):
            (Path(folder) / "host_vars" / f"{host}.yml").write_text(json.dumps(variables))
        # The folder, as molecule itself takes it: hosts that are no containers are in a file of their own.
        scenario = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
        inventories = ["-i", str(scenario), "-i", str(inventory)]
        yield ["ansible-playbook", "--diff", *inventories, *options, f"ot_security.proxy_chaining.{name}"]


def playbook(
    name: str,
    *options: str,
    change: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run a playbook of the collection to its end, with more variables of the environment."""
    with prepared(name, *options, change=change) as command:
        done = subprocess.run(
            command,
            env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", **(environment or {})},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    return Run(done.returncode, done.stdout + done.stderr)
