# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who verified, when and with what, as far as the controller knows it. Private to this collection."""

from __future__ import annotations

import os
import platform
import pwd
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from ansible.release import __version__ as core

from .._proof.model import Run, Source
from .results import clean

_COLLECTION = Path(__file__).parents[3]
_MOST_FILES = 20
_PATIENCE = 20.0
"""Seconds that git may take."""

_JOBS = (
    ("GITLAB_CI", "GitLab job {CI_JOB_ID} of {CI_PROJECT_PATH}", "GITLAB_USER_LOGIN"),
    ("GITHUB_ACTIONS", "GitHub run {GITHUB_RUN_ID} of {GITHUB_REPOSITORY}", "GITHUB_ACTOR"),
)
"""How a pipeline is known by its environment, what its job is called, and who started it."""


def run_of(
    variables: Mapping[str, Any],
    site: str,
    began: datetime,
    ended: datetime,
    written: Sequence[str] = (),
    playbooks: Iterable[str] = (),
    extra_vars: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Return who verified, when and with what.

    Args:
        variables: of the task; AWX gives its job there, and Ansible the inventories.
        site: its name; empty for that of the inventory, in AWX or of its folder.
        began: when the run began.
        ended: when its paths were judged.
        written: folders that this collection writes, which are no change of an inventory.
        playbooks: as they were given to Ansible.
        extra_vars: names; what AWX adds of itself is left out. Values may be secrets.
        environment: that of this process, unless another one is given.
    """
    job, by = _job(variables, os.environ if environment is None else environment)
    # In AWX all inventories are in a folder of one name.
    in_awx = clean(variables.get("awx_inventory_name") or variables.get("tower_inventory_name"))
    inventories = [_source(Path(path), written) for path in variables.get("ansible_inventory_sources") or []]
    return {
        "site": clean(site)
        or in_awx
        or "".join(_name(Path(one["path"])) for one in inventories[:1])
        or "without a name",
        "by": by or _user(),
        "controller": platform.node(),
        "job": job,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round((ended - began).total_seconds(), 1),
        "collection": _version(),
        "ansible_core": core,
        "inventories": inventories,
        "playbooks": list(map(clean, playbooks)),
        "limit": clean(variables.get("ansible_limit")),
        "extra_vars": sorted(clean(name) for name in extra_vars if not name.startswith(("awx_", "tower_"))),
    }


def _job(variables: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[str, str]:
    # One of the two can be switched off in AWX.
    for prefix in ("awx", "tower"):
        if variables.get(f"{prefix}_job_id"):
            template = clean(variables.get(f"{prefix}_job_template_name"))
            job = f"AWX job {clean(variables[f'{prefix}_job_id'])}" + (f" of {template}" if template else "")
            return job, clean(variables.get(f"{prefix}_user_name"))
    for mark, job, user in _JOBS:
        if environment.get(mark):
            return clean(job.format_map(_Known(environment))), clean(environment.get(user, ""))
    return "", ""


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # In a container, a number need not have a name.
        return f"user {os.getuid()}"


def _version() -> str:
    """Return the collection's version, from what Galaxy installed or from a checkout."""
    for name, keys in (("MANIFEST.json", ("collection_info", "version")), ("galaxy.yml", ("version",))):
        if (_COLLECTION / name).is_file():
            found = yaml.safe_load((_COLLECTION / name).read_text(encoding="utf-8"))
            for key in keys:
                found = found[key]
            return str(found)
    return "unknown"


def _name(path: Path) -> str:
    # A file of the folder inventories/plant-a is plant-a's; hosts.yml is no name.
    return (path if path.is_dir() else path.parent).name


def _source(path: Path, written: Iterable[str]) -> Source:
    folder = path if path.is_dir() else path.parent
    revision = _git(folder, "rev-parse", "HEAD") if path.exists() else None
    modified: list[str] | None = None
    if revision:
        top = Path(_git(folder, "rev-parse", "--show-toplevel") or "/")
        own = [Path(one).resolve() for one in written if one]
        but = [f":(exclude,top){one.relative_to(top)}" for one in own if one.is_relative_to(top)]
        status = _git(folder, "status", "--porcelain", "-z", "--no-renames", "--", ".", *but)
        # Each is two letters, a blank and the file.
        modified = None if status is None else [clean(one[3:]) for one in status.split("\0") if one]
    return {
        "path": clean(path),
        "revision": revision,
        "modified": None if modified is None else modified != [],
        "modified_files": (modified or [])[:_MOST_FILES],
    }


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says; None where it says nothing, as where the folder is in no repository or there is no git."""
    try:
        done = subprocess.run(  # noqa: S603 -- the words are from here
            ["git", "-C", str(folder), *arguments],  # noqa: S607 -- wherever git is
            # To ask changes nothing, not even git's index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.rstrip("\n")
