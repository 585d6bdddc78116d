# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The access plan: what changes is said of clients and endpoints, and what grows must have been declared."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._plan import gate, learned, plan

from tests.unit.rendered import PROXY, of_graph

ALL = "*.azure-devices.net, *.blob.core.windows.net, *.servicebus.windows.net, download.microsoft.com"
SENSORS = {f"sensor{number}": {"sensor_proxy_src": f"10.0.0.{number}"} for number in range(1, 8)}
USERS = {name: {**host, "sensor_proxy_username": name, "sensor_proxy_password": "x"} for name, host in SENSORS.items()}
SEVEN = "7 clients (sensor1, sensor2, sensor3, ...)"
RELOAD = "site: Squid is reloaded, which drops no tunnel."
HAND_MADE = "http_port 3128\nacl plant src 10.0.0.0/24\nacl tls port 443\nhttp_access deny CONNECT !tls\nhttp_access allow plant\n"
Hosts = Mapping[str, Mapping[str, Any]]


def graph_of(sensors: Hosts, **variables: Any) -> Any:
    proxy = {"squid_addresses": ["192.0.2.250/24"], **variables}
    sensors = {name: {"sensor_proxy_via": PROXY, **host} for name, host in sensors.items()}
    found = topology.derive({PROXY: proxy, **sensors}, [PROXY], list(sensors))
    assert found["mistakes"] == []
    return found


def conf(sensors: Hosts = SENSORS, **variables: Any) -> str:
    variables = {"squid_addresses": ["192.0.2.250/24"], **variables}
    return of_graph(graph_of(sensors, **variables), PROXY, **variables)


def running(config: str, **more: Any) -> dict[str, Any]:
    """What squid_info says of a host."""
    ours = config.startswith(text.OWNED_MARK)
    shown = text.showable(config)
    return {"configuration": shown if ours else "", "by_hand": "" if ours else shown, "open": {}, "seen": {}, **more}


def planned(old: dict[str, Any] | None, sensors: Hosts = SENSORS, **variables: Any) -> plan.ProxyPlan:
    return plan.proxy_plan(graph_of(sensors, **variables), PROXY, old, conf(sensors, **variables))


AUTH: dict[str, Any] = {"squid_auth_enabled": True}
PRIVATE = [{"name": "*.azure-devices.net", "networks": ["10.96.0.0/11"]}]


@pytest.mark.parametrize(
    ("old", "sensors", "variables", "said"),
    [
        (conf(), SENSORS, {}, ["No access changes."]),
        (conf(), SENSORS, {"squid_acl_layout": "combined"}, [RELOAD]),
        (
            conf(),
            SENSORS,
            {"squid_extra_endpoints": ["*.bus.example", "a.b.example"]},
            [f"{SEVEN} gain *.bus.example, a.b.example at site.", RELOAD],
        ),
        ("", SENSORS, {}, [f"{SEVEN} gain {ALL} at site.", "site: Squid is started, which drops no tunnel."]),
        (conf(), USERS, AUTH, [f"{SEVEN} lose {ALL} at site.", RELOAD]),
        (conf(USERS, **AUTH), SENSORS, {}, [f"{SEVEN} gain {ALL} at site.", RELOAD]),
        (
            conf(USERS, **AUTH),
            USERS,
            {**AUTH, "squid_extra_endpoints": ["a.b.example"]},
            [f"{SEVEN} gain a.b.example at site.", RELOAD],
        ),
        (
            conf(USERS, **AUTH),
            USERS,
            {**AUTH, "squid_acl_layout": "combined"},
            [f"{SEVEN} gain {ALL} as any user at site.", RELOAD],
        ),
        (
            conf(),
            SENSORS,
            {"squid_private_endpoints": PRIVATE},
            [f"{SEVEN} gain *.azure-devices.net where that leads to 10.96.0.0-10.127.255.255 at site.", RELOAD],
        ),
        (
            conf(),
            SENSORS,
            {"squid_parents": [{"host": "192.0.2.1", "port": 3128}]},
            [
                "site: the next hop 192.0.2.1:3128 comes.",
                "site: connections no longer go straight to the endpoint.",
                RELOAD,
            ],
        ),
        (
            conf().replace(
                "http_access deny all", "acl more src 10.1.0.0/16\nhttp_access allow more\nhttp_access deny all"
            ),
            SENSORS,
            {},
            [f"addresses that nobody in the inventory owns (10.1.0.0-10.1.255.255) lose {ALL} at site.", RELOAD],
        ),
        (
            conf().replace(
                "http_access deny all", "acl late time 08:00-17:00\nhttp_access allow late\nhttp_access deny all"
            ),
            SENSORS,
            {},
            ["may lose", RELOAD],
        ),
    ],
)
def test_what_changes_is_said_of_who_and_where(
    old: str, sensors: Hosts, variables: dict[str, Any], said: list[str]
) -> None:
    found = plan.told([planned(running(old), sensors, **variables)])
    assert len(found) == len(said), found
    assert all(sentence in line for sentence, line in zip(said, found, strict=True)), found


def test_next_hops_that_change_their_order_are_named() -> None:
    parents = [{"host": f"192.0.2.{number}", "port": 3128} for number in (1, 2)]
    found = planned(running(conf(squid_parents=parents)), squid_parents=parents[::-1])
    assert found.hops == ["the next hops change their order: 192.0.2.2:3128, 192.0.2.1:3128"]
    assert found.lines == []


def test_a_file_made_by_hand_is_compared_too() -> None:
    found = planned(running(HAND_MADE))
    assert [line for line in found.lines if line.gains] == []
    assert any("any address" in line.what and "any port" in line.what for line in found.lines)
    assert found.initial


def test_a_restart_says_how_many_tunnels_it_drops() -> None:
    found = planned(running(conf(), open={"10.0.0.1": 2, "10.0.0.2": 1}), squid_max_filedescriptors=32768)
    assert plan.told([found]) == [
        "site: Squid is restarted for max_filedescriptors, which drops 3 tunnels that are open now."
    ]


USED = {"last": "2026-11-28T10:00+00:00", "tunnels": 3}


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            {"seen": {"10.0.0.3": {"hub.azure-devices.net": USED}}},
            "sensor3 (not in the inventory) loses at site what it used: hub.azure-devices.net, last at 2026-11-28T10:00+00:00",
        ),
        ({"open": {"10.0.0.3": 1}}, "sensor3 (not in the inventory) loses at site access, and has tunnels open now"),
        ({"seen": {"10.0.0.4": {"hub.azure-devices.net": USED}}}, None),
        ({"seen": {"10.0.0.3": {"www.example.com": USED}}}, None),
    ],
)
def test_who_loses_what_it_uses_is_named(host: dict[str, Any], said: str | None) -> None:
    sensors = {name: value for name, value in SENSORS.items() if name != "sensor3"}
    assert planned(running(conf(), **host), sensors).in_use == ([said] if said else [])


MORE: dict[str, Any] = {"squid_extra_endpoints": ["*.bus.example", "a.b.example"]}


@pytest.mark.parametrize(
    ("old", "declared", "refused"),
    [
        (conf(), [], [f"{SEVEN} gain *.bus.example, a.b.example at site."]),
        (conf(), ["*.bus.example"], [f"{SEVEN} gain a.b.example at site."]),
        (conf(), ["*.bus.example", "*.b.example"], []),
        (conf(), ["site"], []),
        (conf(), ["initial"], [f"{SEVEN} gain *.bus.example, a.b.example at site."]),
        (conf(), [f"sensor{number}" for number in range(2, 8)], ["sensor1 gains *.bus.example, a.b.example at site."]),
        ("", ["initial"], []),
        (None, ["initial", *SENSORS], ["site's host could not be looked at, so what it admits now is not known."]),
        (None, ["site"], []),
    ],
)
def test_what_grows_must_have_been_declared(old: str | None, declared: list[str], refused: list[str]) -> None:
    found = planned(None if old is None else running(old), **MORE)
    assert plan.undeclared([found], {PROXY: declared}) == refused


def test_an_endpoint_that_is_declared_allows_neither_another_user_nor_where_it_leads() -> None:
    ends = [each.strip() for each in ALL.split(",")]
    users = planned(running(conf(USERS, **AUTH)), USERS, **AUTH, squid_acl_layout="combined")
    inside = planned(running(conf()), squid_private_endpoints=PRIVATE)
    assert [len(plan.undeclared([each], {PROXY: ends})) for each in (users, inside)] == [1, 1]


def test_an_endpoint_that_is_new_may_lead_where_the_inventory_lets_it() -> None:
    private = [{"name": "*.bus.example", "networks": ["10.96.0.0/11"]}]
    found = planned(running(conf()), squid_private_endpoints=private, **MORE)
    said = f"{SEVEN} gain *.bus.example, also where that leads to 10.96.0.0-10.127.255.255 at site."
    assert said in plan.told([found])
    assert plan.undeclared([found], {PROXY: ["*.bus.example", "a.b.example"]}) == []


def test_what_cannot_be_judged_counts_as_growth() -> None:
    doubt = conf().replace(
        "http_access deny all", "acl late time 08:00-17:00\nhttp_access allow late\nhttp_access deny all"
    )
    found = plan.proxy_plan(graph_of(SENSORS), PROXY, running(conf()), doubt)
    assert any("may gain" in each and "known to the proxy only" in each for each in plan.undeclared([found], {}))


@pytest.mark.parametrize("odd", [{"seen": {"10.0.0.3": 7}}, {"open": 7}, {"open": {"10.0.0.3": "x"}}])
def test_what_a_host_says_in_another_form_is_not_known(odd: dict[str, Any]) -> None:
    sensors = {name: value for name, value in SENSORS.items() if name != "sensor3"}
    said = {"squid_rendered": conf(sensors), "__squid": {}, "__squid_host": running(conf(), **odd)}
    found = gate.plans({PROXY: said}, [PROXY], graph_of(sensors))
    assert "in the form of this collection's modules" in found[0].problem
    assert plan.undeclared(found, {}) == [found[0].problem]


def test_the_gate_is_off_unless_it_is_on_and_says_the_way_out() -> None:
    hostvars: dict[str, Any] = {
        PROXY: {"__squid": {"growth_gate": False}, "squid_rendered": conf(**MORE), "__squid_host": running(conf())}
    }
    graph = graph_of(SENSORS, **MORE)
    assert gate.refusal(hostvars, gate.plans(hostvars, [PROXY], graph, gated=True)) == ""
    hostvars[PROXY]["__squid"]["growth_gate"] = True
    said = gate.refusal(hostvars, gate.plans(hostvars, [PROXY], graph, gated=True))
    assert f"{SEVEN} gain *.bus.example" in said
    assert "squid_declared_growth" in said
    hostvars[PROXY]["__squid_host"] = {"unreachable": True}
    assert "could not be looked at" in gate.refusal(hostvars, gate.plans(hostvars, [PROXY], graph, gated=True))


def test_two_hundred_equal_lines_are_one_sentence_and_markdown_is_no_markup() -> None:
    many = {f"s{number}_x": {"sensor_proxy_src": f"10.0.{number // 200}.{number % 200 + 1}"} for number in range(212)}
    found = planned(running(conf(many)), many, **MORE)
    sentences = plan.told([found])
    assert sentences[0] == "212 clients (s0_x, s1_x, s2_x, ...) gain *.bus.example, a.b.example at site."
    assert r"- 212 clients (s0\_x, s1\_x, s2\_x, ...) gain \*.bus.example" in plan.markdown(sentences, [])
    assert plan.as_json([found])[0]["lines"][0]["clients"][:2] == ("s0_x", "s1_x")


def test_thousands_of_sensors_with_a_user_each_take_seconds() -> None:
    many = {
        f"s{number}": {
            "sensor_proxy_src": f"10.0.{number // 200}.{number % 200 + 1}",
            "sensor_proxy_username": f"u{number}",
            "sensor_proxy_password": "x",
        }
        for number in range(3000)
    }
    graph = graph_of(many, **AUTH)
    old = of_graph(graph, PROXY, squid_addresses=["192.0.2.250/24"], **AUTH)
    new = of_graph(graph, PROXY, squid_addresses=["192.0.2.250/24"], **AUTH, **MORE)
    start = time.process_time()
    found = plan.proxy_plan(graph, PROXY, running(old), new)
    assert time.process_time() - start < 10
    assert plan.told([found])[0].startswith("3000 clients (s0, s1, s2, ...) gain *.bus.example, a.b.example")


TODAY = datetime.now(timezone.utc).date()
NEXT_WEEK, TOMORROW = (str(TODAY + timedelta(days=days)) for days in (7, 1))
ANY = "any name that no line is about, *.download.microsoft.com"


@pytest.mark.parametrize(
    ("old", "until", "said"),
    [
        ("", NEXT_WEEK, [f"{SEVEN} gain {ANY} at site.", f"{SEVEN} gain what it learns until {NEXT_WEEK} at site."]),
        (TOMORROW, NEXT_WEEK, [f"{SEVEN} gain what it learns until {NEXT_WEEK} at site."]),
        (NEXT_WEEK, TOMORROW, []),
        (NEXT_WEEK, NEXT_WEEK, []),
    ],
)
def test_what_is_learned_is_growth_until_a_day(old: str, until: str, said: list[str]) -> None:
    found = planned(running(conf(squid_learn_until=old)), squid_learn_until=until)
    assert plan.undeclared([found], {}) == said
    assert plan.undeclared([found], {PROXY: ["site"]}) == []
    may = f"site: until {until} its clients may reach any name, and its log says which they do."
    assert [each for each in plan.told([found]) if "may reach" in each] == [may]


def test_the_day_after_is_loss() -> None:
    with_it = conf(squid_learn_until=TOMORROW)
    used = {"seen": {"10.0.0.3": {"other.example.com": USED}}}
    found = planned(running(with_it, **used), squid_learn_until=str(TODAY - timedelta(days=1)))
    assert plan.told([found])[0] == f"{SEVEN} lose {ANY} at site."
    assert found.in_use == [f"sensor3 loses at site what it used: other.example.com, last at {USED['last']}"]


def test_what_the_log_proposes_is_of_known_clients_and_names_only() -> None:
    graph = graph_of(SENSORS)
    bad = [
        "*.example.net",
        ".example.net",
        "10.0.0.9",
        "a",
        "{{ lookup('env') }}.example.net",
        "a\nb.example.net",
        "x" * 254,
    ]
    seen = {
        "10.0.0.1": {"New.Example.net": USED, "hub.azure-devices.net": USED, **dict.fromkeys(bad, USED)},
        "10.0.0.2": {"new.example.net": USED},
        "10.9.9.9": {"nobody.example.net": USED},
    }
    hostvars: dict[str, Any] = {
        PROXY: {
            "__squid": {"allowed": [".azure-devices.net"]},
            "__ot_used": {"seen": seen, "open": {"10.0.0.1": 2, "10.9.9.9": 5}},
        }
    }
    (found,) = learned.proposals(hostvars, [PROXY], graph)
    new = "new.example.net, 2 clients, 6 tunnels, not in the list yet"
    assert list(found.told()) == [
        "site: hub.azure-devices.net, 1 client, 3 tunnels.",
        f"site: {new}.",
        "site: 2 tunnels are open now; the log has a tunnel when it ends.",
    ]
    assert found.file == "site.yml"
    assert found.text().splitlines()[1:] == [
        '  - "hub.azure-devices.net"  # 1 client, 3 tunnels',
        '  - "new.example.net"  # 2 clients, 6 tunnels, not in the list yet',
    ]
    assert yaml.safe_load(found.text()) == {"squid_endpoints": ["hub.azure-devices.net", "new.example.net"]}


@pytest.mark.parametrize(
    "said", [None, {"unreachable": True}, {"seen": {"10.0.0.1": {"a.example.net": 3}}, "open": {}}]
)
def test_a_log_that_could_not_be_read_is_no_proposal(said: Any) -> None:
    (found,) = learned.proposals({PROXY: {"__ot_used": said}}, [PROXY], graph_of(SENSORS))
    assert list(found.told()) == [
        "site: site's log could not be read, so that nothing of it is here.",
        "site: no tunnel of a known client has ended, so that nothing is proposed.",
    ]


def test_the_members_of_a_pair_take_turns_and_have_one_list() -> None:
    pair = {"squid_addresses": ["192.0.2.250/24"]}
    names = ("site", "other")
    graph: Any = {
        "proxies": {
            name: {"kind": "host", "pair": "both", "clients": [{"name": "sensor1", "addresses": ["10.0.0.1"]}], **pair}
            for name in names
        },
        "pairs": {"both": {"members": list(names)}},
    }
    hostvars = {
        name: {"__ot_used": {"seen": {"10.0.0.1": {f"{name}.example.net": USED}}, "open": {}}} for name in names
    }
    (found,) = learned.proposals(hostvars, names, graph)
    assert (found.file, list(found.uses)) == ("both.yml", ["site.example.net", "other.example.net"])
