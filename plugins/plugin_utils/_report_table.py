# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS as lines for a terminal. Private to this collection."""

from __future__ import annotations

import textwrap
from collections import defaultdict

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._columns import aligned
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report_failures import Failure, failures_of
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report_results import (
    Results,
    clean,
    clock,
    known,
    many,
    moment,
    natural,
    path_of,
    rank,
    seen_of,
    sensors_of,
    some,
    tally,
)

WIDTH = 120
"""Columns of a paragraph; a row of the table may be longer."""

MOST = 12
"""So many names stand in one paragraph."""


def table(results: Results) -> list[str]:
    """Return a row for each sensor, then a paragraph for each distinct failure, the changes and the counts."""
    lines = _rows(results)
    now = moment(results.get("time"))
    failures = failures_of(results)
    if failures:
        lines += ["", "only failing details below"]
        for failure in failures:
            lines += _paragraph(failure, results)
    if results.get("previous_problem"):
        lines += ["", *_wrap(f"not compared with the report before: {clean(results['previous_problem'])}")]
    changes = [_wrap(text) for text in change_words(results)]
    if changes:
        lines += ["", f"changed since the report of {clock(results.get('previous'), now)}"]
        lines += [line for one in changes for line in one]
    return [*lines, "", tally(results)]


def change_words(results: Results, most: int = MOST) -> list[str]:
    """Return a sentence for each kind of change, such as ``2 sensors: ok > broken (a, b)``; worst first."""
    kinds: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    for change in results.get("changes") or []:
        kinds[change.get("before"), change.get("after")].append(clean(change.get("sensor")))
    ordered = sorted(kinds.items(), key=lambda kind: (kind[0][1] is None, rank(kind[0][1]), rank(kind[0][0])))
    return [
        f"{many(len(names), 'sensor')} {change_name(before, after)}: {some(sorted(names, key=natural), most)}"
        for (before, after), names in ordered
    ]


def change_name(before: str | None, after: str | None) -> str:
    """Return one kind of change as words."""
    if before is None:
        return f"new, {known(after)}"
    if after is None:
        return f"gone, before {known(before)}"
    return f"{known(before)} > {known(after)}"


def _rows(results: Results) -> list[str]:
    now = moment(results.get("time"))
    rows = [("SENSOR", "PATH", "VERDICT", "LAST SEEN")]
    for sensor in sensors_of(results):
        rows.append((clean(sensor.get("name")), path_of(sensor), known(sensor.get("verdict")), seen_of(sensor, now)))
    return aligned(rows)


def _paragraph(failure: Failure, results: Results) -> list[str]:
    since = clock(failure.since, moment(results.get("time"))) if failure.since else ""
    title = failure.title + (f" since {since}" if since else "")
    hit = (
        f"{many(len(failure.sensors), 'sensor')}: {some(failure.sensors, MOST)}"
        if failure.sensors
        else f"{many(len(failure.links), 'link')}: {some(failure.links, MOST)}"
    )
    example = "for example, " if failure.similar else ""
    return _wrap(f"{title}: {example}{failure.reason or 'no reason was given.'} ({hit})")


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) or [""]
