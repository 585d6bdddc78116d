# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed since an earlier report, and since when each failure lasts. Private to this collection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .._proof.model import FORMAT, VERDICTS, Paths, ResultChange, Results, SensorResult
from .results import clean, moment, natural, path_before, rank


def changes(results: Results, earlier: object) -> Results:
    """Return RESULTS with ``changes``, ``previous``, ``previous_problem`` and each ``since`` filled in.

    A sensor that is well on another path than before gets that as its ``reason``.

    Args:
        results: what was found now.
        earlier: RESULTS of an earlier run, or its JSON text; empty for none.
            What cannot be read is treated as none, and ``previous_problem`` says why.
    """
    before, problem = _read(earlier)
    now = results["time"]
    known_before = {one["name"]: one for one in before["sensors"]} if before else {}
    sensors: list[SensorResult] = []
    for sensor in results.get("sensors") or []:
        last = known_before.get(sensor["name"])
        reason = _moved(last, sensor) or sensor["reason"]
        sensors.append({**sensor, "reason": reason, "since": _since(sensor, last, before, now)})
    return {
        **results,
        "sensors": sensors,
        "changes": _compare(known_before, {one["name"]: one for one in sensors}) if before else [],
        "previous": before["time"] if before else None,
        "previous_problem": problem,
    }


def _read(earlier: object) -> tuple[dict[str, Any] | None, str | None]:
    """Return an earlier report, or None and the sentence that says why it is not used."""
    if isinstance(earlier, (str, bytes)):
        if not earlier.strip():
            return None, None
        try:
            earlier = json.loads(earlier)
        except ValueError:
            return None, "the earlier report is not JSON; this report starts anew."
    if earlier is None or earlier == {}:
        return None, None
    if not isinstance(earlier, Mapping):
        return None, "the earlier report is not a dictionary; this report starts anew."
    if earlier.get("format") != FORMAT:
        given = clean(earlier.get("format"))[:20] or "none"
        return None, f"the earlier report has the format {given}, not {FORMAT}; this report starts anew."
    sensors = earlier.get("sensors")
    sound = (
        moment(earlier.get("time")) is not None
        and isinstance(sensors, list)
        and all(
            isinstance(one, Mapping) and isinstance(one.get("name"), str) and one.get("verdict") in VERDICTS
            for one in sensors
        )
    )
    if not sound:
        return None, "the earlier report is damaged (no time, or sensors of another shape); this report starts anew."
    return {"time": earlier["time"], "sensors": sensors}, None


def _moved(before: Mapping[str, Any] | None, sensor: SensorResult) -> str | None:
    """Say of a sensor that is well that it is on another path."""
    moved = path_before(_paths(before, sensor))
    return f"The path is another one, {moved}." if moved and sensor["verdict"] == "ok" else None


def _paths(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Paths:
    """Return the paths of a sensor where they differ; a report without any has none to compare."""
    old, new = (_path((one or {}).get("path")) for one in (before, after))
    return {"before_path": old, "after_path": new} if old and new and old != new else {}


def _path(said: object) -> list[str]:
    return said if isinstance(said, list) and all(isinstance(hop, str) for hop in said) else []


def _since(
    sensor: SensorResult, before: Mapping[str, Any] | None, earlier: Mapping[str, Any] | None, now: str
) -> str | None:
    if sensor.get("verdict") == "ok":
        return None
    if before is None or earlier is None or any(before.get(key) != sensor.get(key) for key in _SAME):
        return now
    return str(before["since"] if moment(before.get("since")) else earlier["time"])


_SAME = ("verdict", "stage", "hop")
"""A failure that has these in common with the earlier one is still that failure."""


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ResultChange]:
    found: list[ResultChange] = []
    for name in {**before, **after}:
        old, new = (side[name]["verdict"] if name in side else None for side in (before, after))
        paths = _paths(before.get(name), after.get(name))
        if old != new or paths:
            found.append({**paths, "sensor": name, "before": old, "after": new})
    return sorted(found, key=lambda one: (one["after"] is None, rank(one["after"]), natural(one["sensor"])))
