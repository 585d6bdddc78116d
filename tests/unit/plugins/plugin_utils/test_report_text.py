# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS as terminal lines, as JUnit XML, and compared with an earlier report."""

from __future__ import annotations

import copy
import json
import re
import time
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.changes import changes
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.junit import junit
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.table import table

from tests.generated_site import demo, generated

HOSTILE = 'x"\\<script>alert(1)</script>&amp;\x1b[31m\x00\n\u202e"é中'
"""A name that an inventory could hold, and that a terminal, XML, DOT, Mermaid or HTML could act on."""


def _table(results: Any) -> list[str]:
    lines = table(results)
    assert all(isinstance(line, str) and "\n" not in line for line in lines)
    return list(lines)


def _hostile() -> Any:
    """Return results in which every text that comes from outside is hostile."""
    results: Any = json.loads(json.dumps(demo()).replace("sensor1", json.dumps(HOSTILE)[1:-1]))
    results["links"][0]["endpoints"][0]["certificate"]["issuer"] = f"CN={HOSTILE}"
    return results


def test_the_table_of_the_demo() -> None:
    assert _table(demo()) == [
        "SENSOR   PATH                                   VERDICT  LAST SEEN",
        "sensor1  plant-a-proxy > dmz-proxy > endpoints  broken   1 tunnel open",
        "sensor2  plant-a-proxy > dmz-proxy > endpoints  broken   403 2 min ago, no success",
        "",
        "what to repair",
        "proxy-denied at dmz-proxy since 10:15 UTC: dmz-proxy refuses CONNECT to store.blob.core.windows.net:443 from",
        "  plant-a-proxy (403, ERR_ACCESS_DENIED). (1 sensor: sensor1)",
        "proxy-denied at plant-a-proxy since 10:15 UTC: plant-a-proxy refuses CONNECT from sensor2 (10.100.100.2): http_access",
        "  deny all, line 44. (1 sensor: sensor2)",
        "",
        "0 ok, 0 degraded, 0 unknown, 2 broken",
    ]


@pytest.mark.parametrize("results", [demo(), generated()], ids=["demo", "generated"])
def test_no_line_is_longer_than_the_terminal(results: Any) -> None:
    assert max(map(len, table(results, 60))) <= 60


def test_a_path_is_folded_in_its_own_column() -> None:
    assert table(demo(), 72)[:5] == [
        "SENSOR   PATH                         VERDICT  LAST SEEN",
        "sensor1  plant-a-proxy > dmz-proxy >  broken   1 tunnel open",
        "         endpoints",
        "sensor2  plant-a-proxy > dmz-proxy >  broken   403 2 min ago, no success",
        "         endpoints",
    ]


def test_without_a_failure_there_are_no_details() -> None:
    lines = _table(demo(broken=False))
    assert lines[1:3] == [
        "sensor1  plant-a-proxy > dmz-proxy > endpoints  ok       1 tunnel open",
        "sensor2  plant-a-proxy > dmz-proxy > endpoints  ok       200 1 min ago",
    ]
    assert lines[3:] == ["", "2 ok, 0 degraded, 0 unknown, 0 broken"]


def test_without_a_sensor_there_is_no_empty_table() -> None:
    counts = dict.fromkeys(demo()["counts"], 0)
    lines = _table({**demo(broken=False), "sensors": [], "counts": counts})
    assert lines == ["there is no sensor to report on", "", "0 ok, 0 degraded, 0 unknown, 0 broken"]


def test_a_thousand_sensors_are_sorted_grouped_and_quick() -> None:
    results = generated()
    started = time.process_time()
    lines = _table(results)
    assert time.process_time() - started < 5  # 0.1 where it was written
    rows = lines[1:1001]
    verdicts = [row.split("endpoints")[1].split()[0] for row in rows]
    assert list(dict.fromkeys(verdicts)) == ["broken", "unknown", "degraded", "ok"]
    assert verdicts == sorted(verdicts, key=["broken", "unknown", "degraded", "ok"].index)
    details = lines[1002:]
    assert sum("(84 sensors: sensor-03-0002," in line for line in details) == 1
    assert sum(line.startswith("proxy-denied at dmz-proxy-1") for line in details) == 1
    assert sum("could not be asked" in line for line in details) == 1
    assert len(details) < 30
    assert lines[-1] == "737 ok, 92 degraded, 83 unknown, 88 broken; 9 sensors were never seen"


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (None, "-"),
        ({"open": 0, "last": None}, "not seen"),
        ({"open": 2, "last": None}, "2 tunnels open"),
        (
            {"open": 1, "last": {"status": 407, "time": "2026-11-24T10:39:58+00:00"}, "last_ok": None},
            "1 tunnel open, 407 5 s ago, no success",
        ),
        (
            {
                "open": 0,
                "last": {"status": 403, "time": "2026-11-24T10:38:00+00:00"},
                "last_ok": {"status": 200, "time": "2026-11-24T07:30:00+00:00"},
            },
            "403 2 min ago, 200 3 h ago",
        ),
        ({"open": 0, "last": {"status": 200, "time": "2026-11-22T10:00:00Z"}}, "200 2 d ago"),
        ({"open": 0, "last": {"status": 200, "time": "2026-11-24T10:40:09+00:00"}}, "200 just now"),
    ],
)
def test_what_was_last_seen(evidence: Any | None, words: str) -> None:
    results = demo(broken=False)
    results["sensors"][0]["evidence"] = evidence
    assert _table(results)[1].endswith(f"  ok       {words}")


def test_one_cause_with_each_sensors_own_name_in_it_is_one_paragraph() -> None:
    results = demo()
    for number, sensor in enumerate(results["sensors"], 1):
        sensor |= {"hop": "plant-a-proxy", "reason": f"plant-a-proxy refuses sensor{number} (10.100.100.{number})."}
    details = " ".join(line.strip() for line in _table(results)[4:])
    assert "for example, plant-a-proxy refuses sensor1 (10.100.100.1). (2 sensors: sensor1, sensor2)" in details


def test_a_link_that_fails_without_a_sensor_is_told() -> None:
    results = demo(broken=False)
    reason = "The host of dmz-proxy could not be asked."
    results["links"][2] |= {"verdict": "unknown", "endpoints": [], "reason": reason}
    assert f"not verified: {reason} (1 link: dmz-proxy > endpoints)" in _table(results)


def test_a_link_whose_cause_hits_sensors_is_not_told_again() -> None:
    assert sum("link" in line for line in _table(demo())) == 0


def test_no_line_carries_what_a_terminal_acts_on() -> None:
    text = "\n".join(_table(_hostile()))
    assert "<script>" in text
    assert not set(text.replace("\n", "")) & {"\x1b", "\x00", "\u202e"}


# The common JUnit schema (windyroad/JUnit-Schema): what each element must and may have, and the order inside.
ATTRIBUTES = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "disabled"}),
    "testsuite": (
        {"name", "timestamp", "hostname", "tests", "failures", "errors", "time"},
        {"skipped", "id", "package"},
    ),
    "properties": (set(), set()),
    "testcase": ({"name", "classname", "time"}, set()),
    "failure": ({"type"}, {"message"}),
    "error": ({"type"}, {"message"}),
    "system-out": (set(), set()),
}
ORDER = {"testsuites": ["testsuite"], "testsuite": ["properties", "testcase", "system-out"]}
ORDER["testcase"] = ["error", "failure", "system-out"]


def _junit(results: Any) -> ET.Element:
    root = ET.fromstring(junit(results))
    for element in root.iter():
        needed, allowed = ATTRIBUTES[element.tag]
        assert needed <= set(element.keys()) <= needed | allowed
        places = [ORDER.get(element.tag, []).index(child.tag) for child in element]
        assert places == sorted(places)
    assert len(root) == 1
    suite = root[0]
    assert suite.get("name") == "chain_verify"
    for name, path in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error")):
        assert suite.get(name) == root.get(name) == str(len(suite.findall(path)))
    return suite


def test_the_junit_of_a_site() -> None:
    suite = _junit(generated())
    sensors = [case for case in suite.findall("testcase") if case.get("classname") != "links"]
    assert len(sensors) == 1000
    assert sum(case.find("failure") is not None for case in sensors) == 88
    assert sum(case.find("error") is not None for case in sensors) == 83
    warned = [case for case in sensors if case.find("system-out") is not None]
    assert len(warned) == 92
    told = [str(case.findtext("system-out")) for case in warned]
    assert sum(each.startswith("warning: plant-07-proxy goes") for each in told) == 83
    assert sum(each.startswith("warning: The path works, but its first hop knows") for each in told) == 9
    names = [(case.get("classname"), case.get("name")) for case in suite.findall("testcase")]
    assert len(set(names)) == len(names) == 1040
    assert ("plant-03-proxy", "sensor-03-0002") in names
    assert ("links", "plant-03-proxy > dmz-proxy-1 (parent)") in names
    assert suite.get("timestamp") == "2026-11-24T10:40:03"


def test_a_failure_in_junit_says_stage_hop_and_reason() -> None:
    failure = _junit(demo()).find("testcase[@name='sensor1']/failure")
    assert failure is not None
    assert failure.get("type") == "proxy-denied at dmz-proxy"
    assert str(failure.get("message")).endswith("from plant-a-proxy (403, ERR_ACCESS_DENIED).")


def test_hostile_names_in_junit() -> None:
    names = [case.get("name") for case in _junit(_hostile()).findall("testcase")]
    assert 'x"\\<script>alert(1)</script>&amp; [31m "é中' in names


def _changes(results: Any, earlier: object) -> Any:
    found: Any = changes(results, earlier)
    return found


EARLIER = "2026-11-23T08:00:00+00:00"


def _earlier(broken: bool) -> Any:
    return {**copy.deepcopy(demo(broken)), "time": EARLIER}


@pytest.mark.parametrize("earlier", [{}, None, "", " \n"])
def test_without_an_earlier_report(earlier: object) -> None:
    results = _changes(demo(), earlier)
    assert (results["changes"], results["previous"], results["previous_problem"]) == ([], None, None)
    assert [one["since"] for one in results["sensors"]] == [results["time"]] * 2


@pytest.mark.parametrize(
    ("earlier", "word"),
    [
        ({"format": 2}, "format 2"),
        ({"sensors": []}, "format none"),
        ({"format": 1, "time": EARLIER}, "damaged"),
        ({"format": 1, "time": "yesterday", "sensors": []}, "damaged"),
        ({"format": 1, "time": EARLIER, "sensors": [{"name": "sensor1"}]}, "damaged"),
        ({"format": 1, "time": EARLIER, "sensors": [{"name": ["x"], "verdict": "ok"}]}, "damaged"),
        ([1], "not a dictionary"),
        ("{", "not JSON"),
    ],
)
def test_an_earlier_report_that_cannot_be_read_is_none_and_said(earlier: object, word: str) -> None:
    results = _changes(demo(), earlier)
    assert (results["changes"], results["previous"]) == ([], None)
    assert word in results["previous_problem"]
    assert any(word in line for line in _table(results))


def test_what_broke_what_recovered_what_is_new_and_gone() -> None:
    earlier = _earlier(broken=False)
    earlier["sensors"][1]["name"] = "sensor0"
    results = _changes(demo(), json.dumps(earlier))
    assert results["changes"] == [
        {"sensor": "sensor1", "before": "ok", "after": "broken"},
        {"sensor": "sensor2", "before": None, "after": "broken"},
        {"sensor": "sensor0", "before": "ok", "after": None},
    ]
    assert results["previous"] == EARLIER
    lines = _table(results)
    at = lines.index("changed since the report of 2026-11-23 08:00 UTC")
    assert sorted(lines[at + 1 : at + 4]) == [
        "1 sensor gone, before ok: sensor0",
        "1 sensor new, broken: sensor2",
        "1 sensor ok > broken: sensor1",
    ]


def _rerouted(before: list[str], after: list[str], verdict: str = "ok") -> Any:
    """Return the demo with another path of sensor1 than in the report before."""
    earlier, now = _earlier(broken=False), demo(broken=False)
    earlier["sensors"][0]["path"] = before
    now["sensors"][0] |= {"path": after, "verdict": verdict}
    return _changes(now, json.dumps(earlier))


ANOTHER = (["plant-a-proxy", "dmz-proxy"], ["plant-a-proxy", "corp", "dmz-proxy"])
DIRECT = (["plant-a-proxy", "dmz-proxy"], ["plant-a-proxy"])


@pytest.mark.parametrize(
    ("paths", "verdict", "word", "told"),
    [
        (
            ANOTHER,
            "ok",
            "other path",
            "1 sensor takes another path, plant-a-proxy > corp > dmz-proxy, before plant-a-proxy > dmz-proxy: sensor1",
        ),
        (
            DIRECT,
            "ok",
            "now direct",
            "1 sensor takes another path, plant-a-proxy, before plant-a-proxy > dmz-proxy; plant-a-proxy goes straight to the "
            "endpoints now: sensor1",
        ),
        (
            DIRECT[::-1],
            "degraded",
            "other path",
            "1 sensor takes another path, plant-a-proxy > dmz-proxy, before plant-a-proxy: sensor1",
        ),
    ],
)
def test_another_path_is_not_ok_without_a_word(
    paths: tuple[list[str], list[str]], verdict: str, word: str, told: str
) -> None:
    results = _rerouted(*paths, verdict)
    change = {"sensor": "sensor1", "before": "ok", "after": verdict, "before_path": paths[0], "after_path": paths[1]}
    assert results["changes"] == [change]
    lines = _table(results)
    rows = [re.split(r"\s{2,}", line) for line in lines[1:3]]
    assert {row[0]: row[2] for row in rows} == {"sensor1": f"{verdict}, {word}", "sensor2": "ok"}
    assert told in " ".join(line.strip() for line in lines)


def test_paths_that_go_direct_come_first_and_many_are_one_line() -> None:
    now = demo(broken=False)
    now["sensors"] = [{**now["sensors"][0], "name": f"sensor{number}"} for number in range(30)]
    earlier = {**copy.deepcopy(now), "time": EARLIER}
    for sensor in now["sensors"][:20]:
        sensor["path"] = ANOTHER[1]
    for sensor in now["sensors"][20:25]:
        sensor["path"] = DIRECT[1]
    lines = _table(_changes(now, earlier))
    at = lines.index("changed since the report of 2026-11-23 08:00 UTC")
    direct, another = (" ".join(line.strip() for line in lines[at + start : at + start + 2]) for start in (1, 3))
    assert direct.startswith(
        "5 sensors take another path, plant-a-proxy, before plant-a-proxy > dmz-proxy; plant-a-proxy goes"
    )
    assert another.startswith("20 sensors take another path, plant-a-proxy > corp > dmz-proxy, before ")
    assert another.endswith("sensor11 and 8 more")


def test_another_path_passes_in_junit_and_says_so() -> None:
    suite = _junit(_rerouted(*DIRECT))
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    said = str(suite.findtext("testcase[@name='sensor1']/system-out"))
    assert said.startswith(
        "changed: The path is another one, before plant-a-proxy > dmz-proxy; plant-a-proxy goes straight to the endpoints now."
    )
    assert suite.find("testcase[@name='sensor2']/system-out") is None


@pytest.mark.parametrize("path", [None, [], "plant-a-proxy", [["plant-a-proxy"]]])
def test_what_is_no_path_is_not_compared(path: object) -> None:
    earlier = _earlier(broken=False)
    earlier["sensors"][0]["path"] = path
    assert _changes(demo(broken=False), json.dumps(earlier))["changes"] == []


def test_since_is_kept_while_verdict_stage_and_hop_are() -> None:
    earlier = _earlier(broken=True)
    earlier["sensors"][0]["since"] = "2026-11-20T00:00:00+00:00"
    earlier["sensors"][1]["since"] = None
    results = _changes(demo(), earlier)
    assert [one["since"] for one in results["sensors"]] == ["2026-11-20T00:00:00+00:00", EARLIER]
    assert results["changes"] == []
    assert any("since 2026-11-20 00:00 UTC" in line for line in _table(results))


@pytest.mark.parametrize("change", [{"verdict": "degraded"}, {"stage": "tcp"}, {"hop": ""}])
def test_since_starts_anew_with_another_failure(change: dict[str, str]) -> None:
    earlier = _earlier(broken=True)
    earlier["sensors"][0] |= {"since": "2026-11-20T00:00:00+00:00", **change}
    results = _changes(demo(), earlier)
    assert results["sensors"][0]["since"] == results["time"]


def test_what_is_well_has_no_since() -> None:
    assert [one["since"] for one in _changes(demo(broken=False), _earlier(broken=True))["sensors"]] == [None, None]
