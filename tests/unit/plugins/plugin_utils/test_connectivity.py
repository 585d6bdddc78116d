# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a site in another cloud connects: the whole decision table, the documented chart, contradictions and mistakes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._cloud import connectivity

from tests.rendered_report import apply

HOST = "aws-site"
NEEDS = ("private_addresses", "predictable_throughput", "sla", "high_volume", "avoid_public_internet", "own_routers")
METHODS = ("public", "vpn", "expressroute_customer", "expressroute_provider")
Needs = dict[str, bool]

ALL: list[Needs] = [dict(zip(NEEDS, values, strict=True)) for values in product((False, True), repeat=len(NEEDS))]
PARTIAL: list[Needs] = [
    {need: value for need, value in zip(NEEDS, values, strict=True) if value is not None}
    for values in product((False, True, None), repeat=len(NEEDS))
]

RULES: list[tuple[Needs, str]] = [
    ({"private_addresses": False}, "public"),
    ({"predictable_throughput": False, "sla": False, "high_volume": False, "avoid_public_internet": False}, "vpn"),
    ({"own_routers": True}, "expressroute_customer"),
    ({}, "expressroute_provider"),
]
"""The vendor's list; the first rule of which everything is so decides."""

MET_BY: dict[str, set[str]] = {
    "private_addresses": {"vpn", "expressroute_customer", "expressroute_provider"},
    "predictable_throughput": {"expressroute_customer", "expressroute_provider"},
    "sla": {"expressroute_customer", "expressroute_provider"},
    "high_volume": {"expressroute_customer", "expressroute_provider"},
    "avoid_public_internet": {"expressroute_customer", "expressroute_provider"},
    "own_routers": {"expressroute_customer"},
}

DOCUMENT = Path(__file__).parents[4] / "docs/connectivity.md"


def choose(needs: object, method: object = "") -> dict[str, Any]:
    """Choose."""
    return asdict(connectivity.choose(HOST, needs, method))


def expected(needs: Needs) -> str:
    """Return the method by RULES."""
    return next(method for rule, method in RULES if all(needs[need] == value for need, value in rule.items()))


class Chart:
    """The flow chart of the documentation. A question's text has the names of its needs, any of which makes it yes."""

    def __init__(self, text: str) -> None:
        (chart,) = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
        self.questions = {
            name: [need for need in NEEDS if re.search(rf"\b{need}\b", label)]
            for name, label in re.findall(r'(\w+)\{"([^"]*)"\}', chart)
        }
        bare = re.sub(r'\{"[^"]*"\}|\["[^"]*"\]', "", chart)
        edges = re.findall(r"(\w+) -- (yes|no) --> (\w+)", bare)
        self.edges = {(source, answer): target for source, answer, target in edges}
        assert len(self.edges) == len(edges) == bare.count("-->")
        (self.start,) = set(self.questions) - set(self.edges.values())

    def walk(self, needs: Needs) -> Iterator[tuple[str, str]]:
        """Yield each question on the way with its answer, and then the method with none."""
        node = self.start
        while node in self.questions:
            answer = "yes" if any(needs.get(need) for need in self.questions[node]) else "no"
            yield node, answer
            node = self.edges[node, answer]
        yield node, ""


@pytest.fixture(scope="module")
def chart() -> Chart:
    return Chart(DOCUMENT.read_text())


def short(needs: Needs) -> str:
    """Name a test by what is needed."""
    return ",".join(need for need, value in needs.items() if value) or "nothing"


@pytest.mark.parametrize("needs", ALL, ids=short)
def test_the_needs_lead_to_the_vendors_method(needs: Needs) -> None:
    found = choose(needs)
    assert (found["method"], found["chosen_by"]) == (expected(needs), "needs")
    assert (found["assumed"], found["mistakes"]) == ([], [])


def test_the_documented_chart_asks_for_each_need_once_and_ends_at_each_method(chart: Chart) -> None:
    assert sorted(need for asked in chart.questions.values() for need in asked) == sorted(NEEDS)
    assert set(chart.edges) == set(product(chart.questions, ("yes", "no")))
    assert sorted(target for target in chart.edges.values() if target not in chart.questions) == sorted(METHODS)


@pytest.mark.parametrize("needs", ALL, ids=short)
def test_the_documented_chart_is_the_one_that_is_followed(chart: Chart, needs: Needs) -> None:
    *questions, (method, _label) = chart.walk(needs)
    found = choose(needs)
    assert found["method"] == method
    assert len(found["reasons"]) == len(questions)


def test_what_is_left_out_counts_as_no_and_is_named_where_it_decides(chart: Chart) -> None:
    assert len(PARTIAL) == 3**6
    for needs in PARTIAL:
        found = choose(needs)
        assert found["method"] == expected(dict.fromkeys(NEEDS, False) | needs)
        asked = [need for node, answer in chart.walk(needs) if answer == "no" for need in chart.questions[node]]
        assert found["assumed"] == [need for need in NEEDS if need in asked and need not in needs]
        said = [reason for reason in found["reasons"] if reason.endswith(" is not set, and counts as no.")]
        assert [reason.split()[0] for reason in said] == found["assumed"]


@pytest.mark.parametrize("needs", [None, {}, dict.fromkeys(NEEDS)])
def test_no_needs_at_all(needs: object) -> None:
    found = choose(needs, None)
    assert (found["method"], found["assumed"], found["mistakes"]) == ("public", ["private_addresses"], [])
    assert found["why"] == "no private addresses (not set: private_addresses)"


@pytest.mark.parametrize("method", ["", *METHODS])
def test_contradictions_are_where_a_need_is_not_met_and_nowhere_else(method: str) -> None:
    for needs in PARTIAL:
        found = choose(needs, method)
        unmet = {f"{need} True" for need, value in needs.items() if value and found["method"] not in MET_BY[need]}
        if method == "expressroute_customer" and needs.get("own_routers") is False:
            unmet.add("own_routers False")
        named = [re.findall(r"multicloud_needs\.(\w+ (?:True|False))", each) for each in found["contradictions"]]
        assert sorted(named) == sorted([each] for each in unmet)
        assert all(each.startswith(f"{HOST}: multicloud_") for each in found["contradictions"])


def test_the_sentences_of_contradictions() -> None:
    assert choose({"private_addresses": False, "avoid_public_internet": True})["contradictions"] == [
        "aws-site: multicloud_needs.avoid_public_internet True contradicts 'public', where the needs lead: "
        "it goes through the public internet."
    ]
    assert choose({"private_addresses": True, "own_routers": True})["contradictions"] == [
        "aws-site: multicloud_needs.own_routers True contradicts 'vpn', where the needs lead: "
        "no router of your own takes part."
    ]
    assert choose({"sla": True}, "vpn")["contradictions"] == [
        "aws-site: multicloud_method 'vpn' contradicts multicloud_needs.sla True: the internet has no SLA."
    ]
    assert choose({"own_routers": False}, "expressroute_customer")["contradictions"] == [
        "aws-site: multicloud_method 'expressroute_customer' contradicts multicloud_needs.own_routers False: "
        "its routers are yours to own and to manage."
    ]


@pytest.mark.parametrize("method", METHODS)
def test_the_decision_of_a_person_wins(method: str) -> None:
    for needs in PARTIAL:
        found = choose(needs, method)
        assert (found["method"], found["chosen_by"], found["mistakes"]) == (method, "inventory", [])
        led_to = choose(needs)["method"]
        too = "the needs lead there too" if led_to == method else f"the needs lead to {led_to}"
        assert found["why"] == (f"multicloud_method; {too}" if needs else "multicloud_method")


def test_the_reasons_follow_the_way_through_the_chart() -> None:
    needs = {"private_addresses": True, "sla": True, "high_volume": True}
    found = choose(needs)
    assert found["reasons"] == [
        "Private addresses are needed, so public ones are out.",
        "This is needed too: an SLA, high volumes; so a VPN over the internet is out.",
        "No own routers are wanted, so a cloud exchange provider manages the routing.",
        "own_routers is not set, and counts as no.",
    ]
    assert found["why"] == "private addresses, an SLA, high volumes, no own routers (not set: own_routers)"
    assert choose(needs, "vpn")["reasons"] == [
        "multicloud_method is set, and wins.",
        "The needs lead to expressroute_provider.",
        "own_routers is not set, and counts as no.",
    ]


KNOWN = "known are " + ", ".join(NEEDS)
MISTAKES: list[tuple[object, object, list[str]]] = [
    ({"privat": True}, "", [f"multicloud_needs 'privat' is not a need; {KNOWN}."]),
    ({7: True}, "", [f"multicloud_needs '7' is not a need; {KNOWN}."]),
    ({"sla": "yes"}, "", ["multicloud_needs.sla 'yes' is neither true nor false."]),
    ({"sla": 1}, "", ["multicloud_needs.sla 1 is neither true nor false."]),
    ({"sla": [True]}, "", ["multicloud_needs.sla 'list' is neither true nor false."]),
    (["sla"], "", ["multicloud_needs 'list' is not a mapping of needs."]),
    ("sla", "", ["multicloud_needs 'sla' is not a mapping of needs."]),
    ({}, "VPN", [f"multicloud_method 'VPN' is none of {', '.join(METHODS)}."]),
    ({}, ["vpn"], [f"multicloud_method 'list' is none of {', '.join(METHODS)}."]),
    ({}, False, [f"multicloud_method False is none of {', '.join(METHODS)}."]),
    (
        {"slo": True, "sla": "no", "own_routers": 0},
        "tunnel",
        [
            f"multicloud_needs 'slo' is not a need; {KNOWN}.",
            "multicloud_needs.sla 'no' is neither true nor false.",
            "multicloud_needs.own_routers 0 is neither true nor false.",
            f"multicloud_method 'tunnel' is none of {', '.join(METHODS)}.",
        ],
    ),
]


@pytest.mark.parametrize(("needs", "method", "sentences"), MISTAKES)
def test_each_mistake_is_a_sentence_and_stops_the_choice(needs: object, method: object, sentences: list[str]) -> None:
    found = choose(needs, method)
    assert found["mistakes"] == [f"{HOST}: {each}" for each in sentences]
    assert not any(found[key] for key in found if key != "mistakes")


def test_the_table() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        HOST: {"multicloud_cloud": "aws", "multicloud_needs": {"private_addresses": True, "own_routers": True}},
        "google": {"multicloud_needs": {"sla": "yes"}},
        "gcp\x1b[2J-site": {"multicloud_cloud": "google", "multicloud_method": "public"},
    }
    more = "predictable_throughput, sla, high_volume, avoid_public_internet"
    found = apply("connectivity", hostvars, list(hostvars))
    assert found["lines"] == [
        "SITE          CLOUD   METHOD  CHOSEN BY  WHY",
        f"{HOST:12}  aws     vpn     needs      private addresses, no more than a VPN gives (not set: {more})",
        "google        -       -       -          -",
        "gcp [2J-site  google  public  inventory  multicloud_method",
        "",
        "contradictions:",
        *choose(hostvars[HOST]["multicloud_needs"])["contradictions"],
    ]
    assert found["methods"] == {HOST: "vpn", "google": "", "gcp\x1b[2J-site": "public"}
    assert found["mistakes"] == ["google: multicloud_needs.sla 'yes' is neither true nor false."]
    assert len(apply("connectivity", hostvars, list(hostvars)[1:])["lines"]) == 3
