# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a run may begin: nobody else is at work on its proxies, nobody is cut off for being absent from the inventory, and no
access grows that was not declared.

Private to this collection.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants

from ...module_utils._squid.admitted import admitted
from ...module_utils._untrusted_text import one_line
from .admissions import unknown
from .deployment import LOCK, LOOK
from .hostvars import raw_variables
from .model import Graph

_MOST = 200
"""Characters of what a host says of a holder."""


def run_id() -> str:
    """Return what no other run of Ansible has: its own temporary folder's name, and this machine's."""
    return f"{socket.gethostname()}/{Path(constants.DEFAULT_LOCAL_TMP).name}"


def holder(variables: Mapping[str, Any]) -> str:
    """Return this run, for people.

    Args:
        variables: of a task; those of AWX are what its jobs are given (awx/main/models/unified_jobs.py, awx_meta_vars, 24.6.1).
    """
    if "awx_job_id" not in variables:
        return f"ansible-playbook of {_user()} on {socket.gethostname()}, process {os.getppid()},"
    template = variables.get("awx_job_template_name", "no template")
    by = variables.get("awx_user_name") or variables.get("awx_schedule_name") or variables.get("awx_workflow_job_name")
    return f"AWX job {variables['awx_job_id']} ({template}), launched by {by or variables.get('awx_job_launch_type')},"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user without a name.
        return str(os.getuid())


def refusal(
    hostvars: Mapping[str, Any],
    hosts: Iterable[str],
    graph: Graph | None = None,
    removed: Collection[str] = (),
    growth: str = "",
) -> str:
    """Say why the run may not begin; empty where it may.

    Args:
        hostvars: Ansible's hostvars, with what was registered on each proxy.
        hosts: names of the proxies that the run is about.
        graph: the topology, where whom the proxies admit is to be compared with it.
        removed: names of those that were declared gone.
    """
    held: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    running = {}
    for host in hosts:
        found = raw_variables(hostvars, host)
        said = found.get(LOCK) or {}
        if said.get("held_by"):
            held[
                one_line(said["held_by"], _MOST), one_line(said["since"], _MOST), one_line(said["ends"], _MOST)
            ].append(host)
        running[host] = admitted(str((found.get(LOOK) or {}).get("configuration", "")))
    locks = "; ".join(
        f"{who} has been at work on {', '.join(at)} since {since}" for (who, since, _ends), at in held.items()
    )
    sentences = [
        locks
        and f"{locks}, and two runs must not change a plant at the same time. Wait until it ends, and run this again. If it was killed, "
        f"its lock ends by itself at {max(ends for _who, _since, ends in held)}, or with -e squid_break_lock=true.",
        unknown(graph, running, removed) if graph else "",
        growth,
    ]
    found_any = [sentence for sentence in sentences if sentence]
    return " ".join([*found_any, "No host was touched."]) if found_any else ""
