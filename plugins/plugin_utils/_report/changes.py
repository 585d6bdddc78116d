# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed since an earlier report, since when each failure lasts, and how the last reports went. Private to this collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .._proof.model import FORMAT, VERDICTS, Past, Paths, ResultChange, Results, SensorResult, SetupChange, moment
from .results import clean, natural, path_before, rank


def changes(results: Results, earlier: object, history: int = 30) -> Results:
    """Return RESULTS with what follows from an earlier one: changes, ``previous``, ``since`` and ``trend``.

    A sensor that is well on another path than before gets that as its ``reason``.

    Args:
        results: what was found now.
        earlier: RESULTS of an earlier run, or its JSON text; empty for none.
            What cannot be read is treated as none, and ``previous_problem`` says why.
        history: how many reports a trend tells of, this one with them.
    """
    before, problem = _read(earlier)
    now = results["time"]
    known_before = {one["name"]: one for one in before["sensors"]} if before else {}
    sensors: list[SensorResult] = []
    for sensor in results.get("sensors") or []:
        last = known_before.get(sensor["name"])
        reason = _moved(last, sensor) or sensor["reason"]
        since = _since(sensor, last, before, now)
        trend = (_letters(last) + sensor["verdict"][0])[-max(history, 1) :]
        sensors.append({**sensor, "reason": reason, "since": since, "trend": trend})
    past: list[Past] = [*_past(before), {"time": now, "counts": results.get("counts") or {}}]
    return {
        **results,
        "sensors": sensors,
        "changes": _compare(known_before, {one["name"]: one for one in sensors}) if before else [],
        "setup_changes": _setup_changes(before, results) if before else [],
        "trend": past[-max(history, 1) :],
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
    return dict(earlier), None


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


def _letters(before: Mapping[str, Any] | None) -> str:
    """Return the trend of a sensor up to the report before, which may be one that had none yet."""
    if before is None:
        return ""
    trend = before.get("trend")
    return trend if isinstance(trend, str) and re.fullmatch("[odub]+", trend) else str(before["verdict"])[0]


def _past(before: Mapping[str, Any] | None) -> list[Past]:
    if before is None:
        return []
    # One without a trend is the first of it.
    said = before.get("trend", [before])
    return [
        {"time": one["time"], "counts": {verdict: _number(one["counts"].get(verdict)) for verdict in VERDICTS}}
        for one in (said if isinstance(said, list) else [])
        if isinstance(one, Mapping) and moment(one.get("time")) and isinstance(one.get("counts"), Mapping)
    ]


def _number(said: object) -> int:
    return said if isinstance(said, int) else 0


def _setup_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SetupChange]:
    """Compare what both reports know; only a proxy is new or gone, since what was not asked is unknown."""
    old, new = dict(_setup(before)), dict(_setup(after))
    return [
        {"what": key[0], "subject": key[1], "before": old.get(key), "after": new.get(key)}
        for key in {**old, **new}
        if old.get(key) != new.get(key) and (key[0] == "proxy" or (key in old and key in new))
    ]


def _setup(results: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield what was verified, and with what; a report that was tampered with has less of it."""
    for name, proxy in _items(results.get("proxies")):
        yield ("proxy", name), f"{proxy.get('address')}:{proxy.get('port')}"
        for what, key in (("configuration", "config_sha256"), ("squid", "squid")):
            if proxy.get(key):
                yield (what, name), str(proxy[key])
    for link in _each(results.get("links")):
        walked = sorted(f"{one.get('endpoint')}:{one.get('port')}" for one in _each(link.get("endpoints")))
        if link.get("kind") == "self" and walked:
            yield ("endpoints", str(link.get("source"))), " ".join(walked)
    run = results.get("run")
    if isinstance(run, Mapping):
        yield ("collection", ""), str(run.get("collection"))
        yield ("ansible-core", ""), str(run.get("ansible_core"))
        for source in _each(run.get("inventories")):
            if source.get("revision"):
                modified = ", modified" if source.get("modified") else ""
                yield ("inventory", str(source.get("path"))), f"{source['revision']}{modified}"


def _items(said: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(said, Mapping):
        yield from ((str(name), one) for name, one in said.items() if isinstance(one, Mapping))


def _each(said: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(said, list):
        yield from (one for one in said if isinstance(one, Mapping))


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
