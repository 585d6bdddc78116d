# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proxy's host registered, whether its modules ended well, failed or never ran."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._proof.found import report_of
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._proof.verdict import Report

from .fake_found import HUB, client, probe

ENDPOINTS = [probe(HUB)]
ITEMS = [
    {"kind": "self", "target": "site", "parent": ""},
    {"kind": "parent", "target": "dmz", "parent": "dmz"},
]
ODD = "what it answered is not in the form of this collection's modules; see what runs there"
ODDITIES: list[dict[str, Any]] = [
    {"walks": 7, "clients": []},
    {"walks": [{"kind": "self"}], "clients": []},
    {"walks": [ITEMS[0] | {"endpoints": 7}], "clients": []},
    {"walks": [], "clients": {"a": "b"}},
    {"walks": []},
]
GONE = {"unreachable": True, "msg": "Failed to connect to the host via ssh: no route.\nMore of it."}


def _report(*walks: dict[str, Any], **more: Any) -> Report:
    """The report of a host where the walks ended so."""
    made = [item | walk for item, walk in zip(ITEMS, walks, strict=False)]
    walked = {"walks": made, "clients": [], "others": [], "clients_problem": None, **more}
    return report_of({"site": {"__chain_verify_walked": walked}}, "site")


def test_what_went_well_is_told_as_it_is() -> None:
    report = _report({"endpoints": ENDPOINTS}, {"endpoints": []}, clients=[client("s1")])
    assert [walk["endpoints"] for walk in report.walks] == [ENDPOINTS, []]
    assert [(walk["kind"], walk["target"]) for walk in report.walks] == [("self", "site"), ("parent", "dmz")]
    assert report.clients == [client("s1")]
    assert (report.problem, report.clients_problem) == (None, None)


def test_a_host_that_did_not_run_was_not_asked() -> None:
    report = report_of({"site": {"ansible_host": "10.0.0.1"}}, "site")
    assert (report.problem, report.walks) == ("it was not asked", [])


def test_a_walk_that_could_not_be_made_is_a_problem_of_its_own() -> None:
    failed = {"msg": "/etc/squid/squid.conf cannot be read; deploy the proxy.\nTraceback"}
    report = _report(failed, {"endpoints": ENDPOINTS})
    assert report.problem is None
    assert report.walks[0]["problem"] == "/etc/squid/squid.conf cannot be read; deploy the proxy"
    assert report.walks[1]["problem"] == ""
    assert report.walks[1]["endpoints"] == ENDPOINTS


@pytest.mark.parametrize(
    ("walked", "problem"),
    [
        (GONE, "Failed to connect to the host via ssh: no route"),
        ({"failed": True, "msg": "The module failed."}, "The module failed"),
        *(({"clients_problem": None, **odd}, ODD) for odd in ODDITIES),
    ],
)
def test_a_host_that_is_lost_or_says_something_odd(walked: dict[str, Any], problem: str) -> None:
    report = report_of({"site": {"__chain_verify_walked": walked}}, "site")
    assert (report.problem, report.walks, report.clients) == (problem, [], [])


def test_clients_that_were_not_told_do_not_take_the_walks_with_them() -> None:
    problem = "/var/log/squid/access.log cannot be read."
    report = _report({"endpoints": ENDPOINTS}, {"endpoints": ENDPOINTS}, clients_problem=problem)
    assert (report.clients_problem, report.clients, report.problem) == (problem.rstrip("."), [], None)
    assert [walk["endpoints"] for walk in report.walks] == [ENDPOINTS, ENDPOINTS]
