# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS as JUnit XML, for what shows the tests of a pipeline. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from .._proof.model import Results, moment
from .failures import link_name
from .results import ENDPOINTS, clean, fault_of, known, path_of, seen_of, sensors_of

SUITE = "chain_verify"
"""Name of the test suite."""

_TAGS = {"broken": "failure", "unknown": "error"}


def junit(results: Results) -> str:
    """Return one test suite with a test case for each sensor and each link.

    Broken is a failure, unknown an error; degraded passes, and says why in its output, as does what takes another path.
    """
    now = moment(results.get("time"))
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", name=SUITE)
    ET.SubElement(suite, "properties")
    for sensor in sensors_of(results):
        path = sensor.get("path") or []
        case = _case(suite, clean(path[0]) if path else ENDPOINTS, clean(sensor.get("name")), 0.0)
        lines = [f"path: {path_of(sensor)}", f"seen by its first hop: {seen_of(sensor, now)}"]
        fault = fault_of(sensor.get("stage"), sensor.get("hop"))
        _judge(case, known(sensor.get("verdict")), fault, clean(sensor.get("reason")), lines)
    for link in results.get("links") or []:
        probes = link.get("endpoints") or []
        name = f"{link_name(link)} ({clean(link.get('kind'))})"
        case = _case(suite, "links", name, sum(_seconds(probe) for probe in probes))
        failed = [probe for probe in probes if known(probe.get("verdict")) != "ok"]
        reason = clean(failed[0].get("reason")) if failed else clean(link.get("reason"))
        fault = fault_of(failed[0].get("stage"), failed[0].get("hop")) if failed else ""
        _judge(case, known(link.get("verdict")), fault, reason, [_line(probe) for probe in probes])
    for element in (suites, suite):
        element.set("tests", str(len(suite.findall("testcase"))))
        element.set("failures", str(len(suite.findall("testcase/failure"))))
        element.set("errors", str(len(suite.findall("testcase/error"))))
        element.set("time", f"{sum(float(case.get('time', 0)) for case in suite.findall('testcase')):.3f}")
    # The common schema wants the time without a zone; it is UTC.
    suite.set("timestamp", now.strftime("%Y-%m-%dT%H:%M:%S") if now else "1970-01-01T00:00:00")
    suite.set("hostname", "localhost")
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ET.Element, group: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=group, name=name, time=f"{seconds:.3f}")


def _judge(case: ET.Element, verdict: str, fault: str, reason: str, lines: list[str]) -> None:
    tag = _TAGS.get(verdict)
    if tag:
        ET.SubElement(case, tag, type=fault or verdict, message=reason or verdict).text = "\n".join([reason, *lines])
    elif reason or verdict == "degraded":
        word = "warning" if verdict == "degraded" else "changed"
        ET.SubElement(case, "system-out").text = "\n".join([f"{word}: {reason or verdict}", *lines])


def _seconds(probe: Mapping[str, Any]) -> float:
    return float(sum(float(one or 0) for one in (probe.get("times") or {}).values()))


def _line(probe: Mapping[str, Any]) -> str:
    where = f"{clean(probe.get('endpoint'))}:{clean(probe.get('port'))}"
    fault = fault_of(probe.get("stage"), probe.get("hop"))
    return f"{where}: {known(probe.get('verdict'))}" + (f", {fault}: {clean(probe.get('reason'))}" if fault else "")
