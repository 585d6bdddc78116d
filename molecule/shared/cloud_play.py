"""Runs a playbook with the real modules of the clouds, in the environment that tools/cloud makes for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import play

from tests.cloud import warm


def playbook(
    name: str, *options: str, environment: Mapping[str, str], change: Mapping[str, Any] | None = None
) -> play.Run:
    """Run it; see play.playbook."""
    collections = f"{os.environ['ANSIBLE_COLLECTIONS_PATH']}:{warm.CACHE / 'collections'}"
    whole = {"ANSIBLE_COLLECTIONS_PATH": collections, **environment}
    with warm.python({**os.environ, **whole}) as python:
        interpreter = f"ansible_python_interpreter={python}"
        run = play.playbook(name, "-e", interpreter, *options, change=change, environment=whole)
    assert "Traceback" not in run.output, run.output
    return run
