# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all forms of the report share: the order of verdicts, names, times and text that is safe to show.

Private to this collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ...module_utils._untrusted_text import UNSAFE
from .._proof.model import VERDICTS, Results, SensorResult, moment

ENDPOINTS = "endpoints"
"""What stands at the end of each path."""

_DIGITS = re.compile(r"(\d+)")


def clean(value: object) -> str:
    """Return a value as text of one line, without what a terminal, XML or a browser would act on.

    Names come from inventories, and certificates from strangers.
    """
    return "" if value is None else UNSAFE.sub(" ", str(value)).strip()


def rank(verdict: object) -> int:
    """Return the place of a verdict in the order of VERDICTS; what is none of them counts as unknown."""
    return VERDICTS.index(known(verdict))


def known(verdict: object) -> str:
    """Return a verdict, or unknown for anything that is none."""
    return str(verdict) if verdict in VERDICTS else "unknown"


def natural(name: object) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts sensor2 before sensor10."""
    parts = _DIGITS.split(clean(name).casefold())
    return tuple((0, int(part), "") if place % 2 else (1, 0, part) for place, part in enumerate(parts))


def sensors_of(results: Results) -> list[SensorResult]:
    """Return the sensors, worst first, then by name."""
    return sorted(results.get("sensors") or [], key=lambda one: (rank(one.get("verdict")), natural(one.get("name"))))


def counts_of(results: Results) -> dict[str, int]:
    """Return how many sensors have each verdict, good ones first."""
    given = results.get("counts") or {}
    return {verdict: int(given.get(verdict) or 0) for verdict in reversed(VERDICTS)}


def clock(text: object, now: datetime | None) -> str:
    """Return a time to read, such as ``10:40 UTC``; with its date when that is not the date of ``now``."""
    found = moment(text)
    if found is None:
        return clean(text)
    same_day = now is not None and found.date() == now.date()
    return found.strftime("%H:%M UTC" if same_day else "%Y-%m-%d %H:%M UTC")


def ago(text: object, now: datetime | None) -> str:
    """Return how long before ``now`` a time was, such as ``2 min ago``."""
    found = moment(text)
    if found is None or now is None:
        return clean(text)
    seconds = (now - found).total_seconds()
    # Clocks of two hosts differ a little.
    if seconds < 1:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def seen_of(sensor: Mapping[str, Any], now: datetime | None) -> str:
    """Return what the first hop knows of a sensor, such as ``1 tunnel open`` or ``403 2 min ago, 200 3 h ago``."""
    evidence = sensor.get("evidence")
    if not evidence:
        return "-"
    open_now = int(evidence.get("open") or 0)
    last = evidence.get("last")
    words = []
    if open_now:
        words.append(f"{open_now} tunnel{'' if open_now == 1 else 's'} open")
    # Beside an open tunnel, an answer is only news when it was a refusal.
    if last and (not open_now or int(last.get("status") or 0) >= 400):
        words.append(f"{clean(last.get('status'))} {ago(last.get('time'), now)}")
        if int(last.get("status") or 0) >= 400:
            good = evidence.get("last_ok")
            words.append(f"{clean(good.get('status'))} {ago(good.get('time'), now)}" if good else "no success")
    return ", ".join(words) or "not seen"


def path_of(sensor: Mapping[str, Any], arrow: str = " > ") -> str:
    """Return a sensor's path with the endpoints at its end, and the tunnel to its first hop in front."""
    tunnel = tunnel_of(sensor)
    return arrow.join([*([tunnel] if tunnel else []), *map(clean, sensor.get("path") or []), ENDPOINTS])


def goes_direct(change: Mapping[str, Any]) -> bool:
    """Return whether the last proxy of a path that changed had a parent before."""
    return bool(change.get("after_path")) and change["after_path"][-1] in change["before_path"][:-1]


def path_before(change: Mapping[str, Any], arrow: str = " > ") -> str:
    """Return a path before its change as words; empty when it is the same."""
    if not change.get("before_path"):
        return ""
    direct = f"; {clean(change['after_path'][-1])} goes straight to the endpoints now" if goes_direct(change) else ""
    return f"before {arrow.join(map(clean, change['before_path']))}{direct}"


def tunnel_of(thing: Mapping[str, Any]) -> str:
    """Return the tunnel that a sensor or a link goes through as words; empty where it goes through none."""
    return f"tunnel {clean(thing['tunnel'])}" if thing.get("tunnel") else ""


def place_of(hop: object) -> str:
    """Return a hop as words; the empty one is behind the last proxy."""
    return "" if hop is None else clean(hop) or "the endpoint"


def fault_of(stage: object, hop: object) -> str:
    """Return where and at which stage something fails, such as ``proxy-denied at dmz-proxy``; empty when not known."""
    place = place_of(hop)
    return " at ".join(filter(None, [clean(stage), place])) if stage else place


def some(names: Iterable[str], most: int) -> str:
    """Return names as a list of words, with no more than ``most`` of them."""
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def many(count: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 sensor`` or ``1,000 sensors``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def tally(results: Results) -> str:
    """Return the counts as words, such as ``81 ok, 1 degraded, 0 unknown, 2 broken; 3 sensors were never seen``."""
    counted = ", ".join(f"{count:,} {verdict}" for verdict, count in counts_of(results).items())
    return "; ".join(filter(None, [counted, never_seen(results)]))


def never_seen(results: Results) -> str:
    """Return how many sensors were never seen as words; empty for none."""
    count = int(results.get("never_seen") or 0)
    return f"{many(count, 'sensor')} {'was' if count == 1 else 'were'} never seen" if count else ""
