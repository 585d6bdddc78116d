# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS as lines for a terminal. Private to this collection."""

from __future__ import annotations

import sys
import textwrap
from collections import defaultdict
from typing import NamedTuple

from .._columns import aligned
from .._proof.model import Results, SetupChange, moment
from .failures import Failure, failures_of
from .results import (
    clean,
    clock,
    goes_direct,
    known,
    many,
    natural,
    path_before,
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


def table(results: Results, width: int = sys.maxsize) -> list[str]:
    """Return a row for each sensor, then a paragraph for each distinct failure, the changes and the counts.

    Args:
        results: what was found.
        width: how long a line may be; only what has no blank is longer.
    """
    lines = _rows(results, width)
    now = moment(results.get("time"))
    failures = failures_of(results)
    if failures:
        lines += ["", "what to repair"]
        for failure in failures:
            lines += _paragraph(failure, results)
    if results.get("previous_problem"):
        lines += ["", *_wrap(f"not compared with the report before: {clean(results['previous_problem'])}")]
    changes = [
        _wrap(f"{many(len(one.sensors), 'sensor')} {one.kind}: {some(one.sensors, MOST)}")
        for one in changes_of(results)
    ]
    if changes:
        lines += ["", f"changed since the report of {clock(results.get('previous'), now)}"]
        lines += [line for one in changes for line in one]
    setup = [
        _wrap(f"{one.kind}: {some(one.names, MOST)}" if one.names else one.kind, width) for one in setup_of(results)
    ]
    if setup:
        lines += ["", f"another setup than in the report of {clock(results.get('previous'), now)}"]
        lines += [line for one in setup for line in one]
    return [
        part for line in [*lines, "", tally(results)] for part in ([line] if len(line) <= width else _wrap(line, width))
    ]


class Change(NamedTuple):
    """One kind of change, and who shares it."""

    now: str
    """The verdict; ``gone`` where there is none any more, ``path`` where only the path is another one."""

    kind: str
    """The change as words."""

    sensors: list[str]


def changes_of(results: Results, arrow: str = " > ") -> list[Change]:
    """Return each kind of change once: verdicts, worst first, then paths, those first that go straight to the endpoints."""
    verdicts: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    paths: dict[tuple[bool, str], list[str]] = defaultdict(list)
    for change in results.get("changes") or []:
        before, after, name = change.get("before"), change.get("after"), clean(change.get("sensor"))
        if before != after:
            verdicts[before, after].append(name)
        if moved := path_before(change, arrow):
            path = arrow.join(map(clean, change["after_path"]))
            paths[not goes_direct(change), f"another path, {path}, {moved}"].append(name)
    return [
        Change(known(after) if after else "gone", _verdict_words(before, after, arrow), sorted(names, key=natural))
        for (before, after), names in sorted(
            verdicts.items(), key=lambda one: (one[0][1] is None, rank(one[0][1]), rank(one[0][0]))
        )
    ] + [
        Change("path", f"{'takes' if len(names) == 1 else 'take'} {words}", sorted(names, key=natural))
        for (_order, words), names in sorted(paths.items())
    ]


class Setup(NamedTuple):
    """One kind of change of what was verified, or of what it was verified with."""

    kind: str
    """The change as words."""

    names: list[str]
    """The proxies that share it; empty for what is no proxy's."""


def setup_of(results: Results, arrow: str = " > ") -> list[Setup]:
    """Return each kind of change once, however many proxies it is of."""
    found: dict[str, list[str]] = defaultdict(list)
    for change in results.get("setup_changes") or []:
        words, of_proxy = _setup_words(change, arrow)
        found[words] += [clean(change.get("subject"))] if of_proxy else []
    return [Setup(words, sorted(names, key=natural)) for words, names in found.items()]


def _setup_words(change: SetupChange, arrow: str) -> tuple[str, bool]:
    what, before, after = change["what"], clean(change.get("before")), clean(change.get("after"))
    if what == "configuration":
        return "another squid.conf", True
    if what == "endpoints":
        old, new = before.split(), after.split()
        told = {"new": [one for one in new if one not in old], "gone": [one for one in old if one not in new]}
        return "; ".join(f"endpoint {word}, {', '.join(names)}" for word, names in told.items() if names), True
    if what == "inventory":
        # A revision is known by its beginning.
        short = [f"{side[:12]}{side[40:]}" for side in (before, after)]
        return f"inventory {clean(change.get('subject'))}: {arrow.join(short)}", False
    if what == "proxy" and not (before and after):
        return ("proxy is gone" if before else "proxy is new"), True
    word = {"squid": "Squid", "proxy": "address"}.get(what)
    return f"{word or what} {before}{arrow}{after}", bool(word)


def _verdict_words(before: str | None, after: str | None, arrow: str) -> str:
    if before is None:
        return f"new, {known(after)}"
    if after is None:
        return f"gone, before {known(before)}"
    return f"{known(before)}{arrow}{known(after)}"


def _rows(results: Results, width: int) -> list[str]:
    now = moment(results.get("time"))
    moved = {
        change.get("sensor"): ", now direct" if goes_direct(change) else ", other path"
        for change in results.get("changes") or []
        if path_before(change)
    }
    if not results.get("sensors"):
        return ["there is no sensor to report on"]
    rows = [("SENSOR", "PATH", "VERDICT", "LAST SEEN")]
    for sensor in sensors_of(results):
        name = sensor.get("name")
        verdict = known(sensor.get("verdict")) + moved.get(name, "")
        rows.append((clean(name), path_of(sensor), verdict, seen_of(sensor, now)))
    return aligned(rows, width)


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


def _wrap(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) or [""]
