"""Runs a playbook with the real modules of the clouds, in the environment that tools/cloud makes for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import play

CACHE = Path(__file__).parents[2] / ".cache/cloud"


def playbook(
    name: str, *options: str, environment: Mapping[str, str], change: Mapping[str, Any] | None = None
) -> play.Run:
    """Run it; see play.playbook."""
    collections = f"{os.environ['ANSIBLE_COLLECTIONS_PATH']}:{CACHE / 'collections'}"
    interpreter = f"ansible_python_interpreter={CACHE / 'venv/bin/python'}"
    whole = {"ANSIBLE_COLLECTIONS_PATH": collections, **environment}
    run = play.playbook(name, "-e", interpreter, *options, change=change, environment=whole)
    assert "Traceback" not in run.output, run.output
    return run
