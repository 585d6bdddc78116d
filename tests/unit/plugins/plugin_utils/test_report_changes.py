# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a row of reports tells, each written as JSON and read by the next run; single reports are in test_report_text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.changes import changes
from hypothesis import given
from hypothesis import strategies as st

from .fake_found import Found, chain

GraphOf = Callable[..., Any]

SENSORS = ("s2", "s10")
PATHS = st.sampled_from([["site"], ["site", "dmz"], ["site", "edge"], ["site", "dmz", "edge"], None])
"""None is what a report without paths has."""
VERDICTS = st.sampled_from(
    [
        ("ok", None, None),
        ("degraded", "tcp", "dmz"),
        ("broken", "tcp", "dmz"),
        ("broken", "tcp", "edge"),
        ("broken", "timeout", "dmz"),
        ("unknown", None, None),
    ]
)
STATES = st.tuples(VERDICTS, PATHS)
State = tuple[tuple[str, str | None, str | None], list[str] | None]


def _told(run: int, sensors: dict[str, State]) -> Any:
    entries = [
        {"name": name, "verdict": verdict, "stage": stage, "hop": hop, "since": None, "reason": None}
        | ({"path": path} if path else {})
        for name, ((verdict, stage, hop), path) in sensors.items()
    ]
    return {"format": 1, "time": f"2026-11-{run + 1:02}T08:00:00+00:00", "sensors": entries}


@given(row=st.lists(st.dictionaries(st.sampled_from(SENSORS), STATES), min_size=1, max_size=6))
def test_since_is_the_first_report_in_a_row_and_changes_are_those_of_verdict_and_path(
    row: list[dict[str, State]],
) -> None:
    text = ""
    for run, states in enumerate(row):
        before = row[run - 1] if run else {}
        results = changes(_told(run, states), text)
        for sensor in results["sensors"]:
            first = run
            name = sensor["name"]
            while first and name in row[first - 1] and row[first - 1][name][0] == states[name][0]:
                first -= 1
            expected = None if sensor["verdict"] == "ok" else _told(first, {})["time"]
            assert sensor["since"] == expected
        expected_changes: dict[str, Any] = {}
        for name in SENSORS if run else ():
            verdicts = [side[name][0][0] if name in side else None for side in (before, states)]
            paths = [side[name][1] if name in side else None for side in (before, states)]
            moved = None not in paths and paths[0] != paths[1]
            if verdicts[0] != verdicts[1] or moved:
                expected_changes[name] = {"sensor": name, "before": verdicts[0], "after": verdicts[1]}
            if moved:
                expected_changes[name] |= {"before_path": paths[0], "after_path": paths[1]}
        assert {one["sensor"]: one for one in results["changes"]} == expected_changes
        assert len(results["changes"]) == len(expected_changes)
        # What is well is so without a word only on the path that it had; and a word is no other verdict.
        for sensor in results["sensors"]:
            well = sensor["verdict"] == "ok"
            assert bool(sensor["reason"]) == (well and "before_path" in expected_changes.get(sensor["name"], {}))
            assert sensor["verdict"] == states[sensor["name"]][0][0]
        assert results["previous"] == (_told(run - 1, {})["time"] if run else None)
        assert results["previous_problem"] is None
        text = json.dumps(results)


def test_results_of_today_can_be_compared_with_results_of_today(graph_of: GraphOf) -> None:
    """The format that is written is the one that is read."""
    found = Found(graph_of(*chain("site", "dmz", sensors=["site", "dmz"])))
    before = found.judged()
    found.cut("site", "dmz", "tcp")
    results = changes(found.judged(), json.dumps(before))
    assert results["previous_problem"] is None
    assert results["changes"] == [{"sensor": "sensor1", "before": "ok", "after": "broken"}]
    # All that was judged is still there.
    assert results["links"] == found.judged()["links"]
    assert [sensor["evidence"] for sensor in results["sensors"]] == [one["evidence"] for one in before["sensors"]]


def test_another_format_is_not_compared(graph_of: GraphOf) -> None:
    found = Found(graph_of(*chain("site", sensors=["site"])))
    before = found.judged()
    found.cut("site", "", "endpoint-unreachable")
    now = found.judged()
    results = changes(now, {**before, "format": before["format"] + 1})
    assert (results["changes"], results["previous"]) == ([], None)
    assert "format" in str(results["previous_problem"])
    assert [sensor["since"] for sensor in results["sensors"]] == [now["time"]]
