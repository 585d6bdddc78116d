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
ITEMS: list[dict[str, Any]] = [
    {"kind": "self", "target": "site", "preferred": True, "hops": [], "secret": ""},
    {"kind": "parent", "target": "dmz", "preferred": True, "hops": [], "secret": "parent:dmz"},
]
GONE = {"unreachable": True, "msg": "Failed to connect to the host via ssh: no route.\nMore of it."}


def _report(*walks: dict[str, Any], clients: dict[str, Any] | None = None) -> Report:
    """The report of a host where the walks ended so."""
    results = [{"item": item, **walk} for item, walk in zip(ITEMS, walks, strict=False)]
    registered = {"__chain_verify_walks": {"results": results}, "__chain_verify_clients": clients}
    return report_of({"site": {key: value for key, value in registered.items() if value is not None}}, "site")


def test_what_went_well_is_told_as_it_is() -> None:
    report = _report({"endpoints": ENDPOINTS}, {"endpoints": []}, clients={"clients": [client("s1")]})
    assert [walk["endpoints"] for walk in report.walks] == [ENDPOINTS, []]
    assert [(walk["kind"], walk["target"]) for walk in report.walks] == [("self", "site"), ("parent", "dmz")]
    assert report.clients == [client("s1")]
    assert (report.problem, report.clients_problem) == (None, None)


def test_a_host_that_did_not_run_was_not_asked() -> None:
    report = report_of({"site": {"ansible_host": "10.0.0.1"}}, "site")
    assert (report.problem, report.walks) == ("it was not asked", [])


def test_a_module_that_failed_is_the_problem_of_its_walk() -> None:
    failed = {"failed": False, "msg": "/etc/squid/squid.conf cannot be read; deploy the proxy.\nTraceback"}
    report = _report(failed, {"endpoints": ENDPOINTS})
    assert report.problem is None
    assert report.walks[0]["problem"] == "/etc/squid/squid.conf cannot be read; deploy the proxy"
    assert "problem" not in report.walks[1]
    assert report.walks[1]["endpoints"] == ENDPOINTS


@pytest.mark.parametrize("walks", [(GONE, GONE), (GONE, {"endpoints": ENDPOINTS}), ({"endpoints": ENDPOINTS}, GONE)])
def test_a_host_that_is_lost_could_not_be_asked_and_it_is_said_why(walks: tuple[dict[str, Any], ...]) -> None:
    assert _report(*walks).problem == "Failed to connect to the host via ssh: no route"


def test_a_loop_that_failed_before_it_began_is_the_problem_of_the_host() -> None:
    walks = {"failed": True, "msg": "The filter chain_walks failed."}
    assert report_of({"site": {"__chain_verify_walks": walks}}, "site").problem == "The filter chain_walks failed"


@pytest.mark.parametrize(
    ("clients", "problem"),
    [
        (None, "it was not asked"),
        ({}, "it was not asked"),
        (
            {"failed": False, "msg": "/var/log/squid/access.log cannot be read."},
            "/var/log/squid/access.log cannot be read",
        ),
        (GONE, "Failed to connect to the host via ssh: no route"),
    ],
)
def test_clients_that_were_not_told_do_not_take_the_walks_with_them(
    clients: dict[str, Any] | None, problem: str
) -> None:
    report = _report({"endpoints": ENDPOINTS}, {"endpoints": ENDPOINTS}, clients=clients)
    assert (report.clients_problem, report.clients, report.problem) == (problem, [], None)
    assert [walk["endpoints"] for walk in report.walks] == [ENDPOINTS, ENDPOINTS]
