# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS for the page of a job in AWX, which shows of an event no more than its first 1,024 bytes. Private to this collection."""

from __future__ import annotations

import json
import textwrap

from .._proof.model import Results
from .failures import failures_of
from .results import clean, fault_of, known, sensors_of, tally

WIDTH = 90
"""Columns of a line."""

_ROOM = 880
"""Bytes of the lines; the rest is Ansible's own (awx/settings/defaults.py, EVENT_STDOUT_MAX_BYTES_DISPLAY, 24.6.1)."""


def brief(results: Results) -> list[str]:
    """Return the counts, then those that fail, worst first, then why; what has no room is in the artifacts."""
    failing = [sensor for sensor in sensors_of(results) if known(sensor.get("verdict")) not in ("ok", "degraded")]
    wanted = [
        textwrap.shorten(
            f"{clean(one.get('name'))}: {_end(one.get('verdict'), one.get('stage'), one.get('hop'))}", WIDTH
        )
        for one in failing
    ]
    for failure in failures_of(results):
        wanted += textwrap.wrap(f"{failure.title}: {failure.reason or 'no reason was given.'}", WIDTH)
    first, last = textwrap.wrap(tally(results), WIDTH), "The whole is the artifact chain_verify_table."
    lines, left = [], _ROOM - sum(map(_size, [*first, last]))
    for place, line in enumerate(wanted):
        left -= _size(line)
        if left < 0:
            last = f"{len(failing) - place} more fail. {last}" if place < len(failing) else last
            break
        lines.append(line)
    return [*first, *lines, last]


def _end(verdict: object, stage: object, hop: object) -> str:
    return ", ".join(filter(None, [known(verdict), fault_of(stage, hop)]))


def _size(line: str) -> int:
    """Bytes of a line in a list that Ansible shows as JSON: indented by eight, with a comma, colours and a line end."""
    return len(json.dumps(line)) + 22
