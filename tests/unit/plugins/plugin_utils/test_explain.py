# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer of the playbook explain, hop by hop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import graph_file
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.explain import Explanation, explain

HUB = "hub.azure-devices.net"
CORP = {"host": "proxy.corp.example", "port": 8080}
SITE: dict[str, Any] = {"squid_addresses": ["10.0.0.250/24", "10.1.0.1/24"], "squid_parents": ["dmz"]}
DMZ: dict[str, Any] = {"squid_addresses": ["10.1.0.250/24"]}
SENSORS = {"sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_via": "site"}}

Graph = Any
GraphOf = Callable[..., Graph]
RunAction = Callable[..., dict[str, Any]]


def config(*clients: str, endpoint: str = f"-n {HUB}") -> str:
    """A configuration that lets in these clients, each as `name address...` or `name address user`."""
    lines = [f"acl endpoints dstdomain {endpoint}", "http_access deny !endpoints"]
    for client in clients:
        name, *words = client.split()
        users = [word for word in words if not word[0].isdigit()]
        addresses = [word for word in words if word[0].isdigit()]
        lines += [f"acl {name} src {' '.join(addresses)}", *(f"acl user:{user} proxy_auth {user}" for user in users)]
        lines.append(" ".join(["http_access allow", name, *(f"user:{user}" for user in users)]))
    return "\n".join([*lines, "http_access deny all"]) + "\n"


@pytest.fixture
def ask(graph_of: GraphOf) -> Callable[..., Explanation]:
    """Ask for a sensor behind two proxies, with some of what they have said otherwise."""

    def answer(host: str = HUB, dmz: str = config("site 10.1.0.1"), **more: Any) -> Explanation:
        graph = graph_of({"site": SITE | more.get("site", {}), "dmz": DMZ | more.get("parent", {})}, SENSORS)
        assert graph["mistakes"] == []
        configs = {"site": more.get("config", config("sensor1 10.0.0.1")), "dmz": dmz}
        return explain(graph, configs, "sensor1", host, 443)

    return answer


def test_every_hop_is_told(ask: Callable[..., Explanation]) -> None:
    answer = ask()
    assert answer.allowed
    assert answer.lines() == [
        f"sensor1 (10.0.0.1) may reach {HUB}:443.",
        "  site  allows it by line 4: http_access allow sensor1; then dmz (10.1.0.250:3128)",
        "  dmz   allows it by line 4: http_access allow site; then straight to the endpoint",
    ]


def test_the_first_hop_that_refuses_ends_it(ask: Callable[..., Explanation]) -> None:
    answer = ask(host="a.example")
    assert not answer.allowed
    assert answer.lines() == [
        "sensor1 (10.0.0.1) may not reach a.example:443.",
        "  site  refuses it by line 2: http_access deny !endpoints",
    ]


def test_a_later_hop_that_refuses(ask: Callable[..., Explanation]) -> None:
    answer = ask(dmz=config("site 10.1.0.1", endpoint="-n b.example"))
    assert not answer.allowed
    assert answer.lines()[2] == "  dmz   refuses it by line 2: http_access deny !endpoints"


def test_a_hop_sees_the_one_before_it_and_not_the_sensor(ask: Callable[..., Explanation]) -> None:
    assert not ask(dmz=config("sensor1 10.0.0.1")).allowed


def test_each_address_of_a_hop_must_pass(ask: Callable[..., Explanation]) -> None:
    site = {"squid_src": ["10.1.0.1", "10.1.0.2"]}
    assert not ask(site=site).allowed
    assert ask(site=site, dmz=config("site 10.1.0.1 10.1.0.2")).allowed


def test_a_hop_signs_in_as_the_user_of_its_parent(ask: Callable[..., Explanation]) -> None:
    site = {"squid_parents": [{"host": "dmz", "username": "plant", "password": "s3cret"}]}
    parent = {"squid_auth_enabled": True}
    assert ask(site=site, parent=parent, dmz=config("site 10.1.0.1 plant")).allowed
    answer = ask(site=site, parent=parent, dmz=config("site 10.1.0.1 other"))
    assert answer.lines()[2] == "  dmz   refuses it by line 6: http_access deny all"
    assert "s3cret" not in repr(answer)


def test_a_hop_that_wants_a_user_where_none_is_given(ask: Callable[..., Explanation]) -> None:
    answer = ask(dmz=config("site 10.1.0.1 plant"))
    assert not answer.allowed
    assert answer.lines()[2] == "  dmz   wants a sign-in (407) by line 5: http_access allow site user:plant"


def test_all_parents_are_named_and_the_first_is_walked(ask: Callable[..., Explanation]) -> None:
    answer = ask(site={"squid_parents": ["dmz", CORP]})
    told = "; then dmz (10.1.0.250:3128), or if that fails proxy.corp.example (proxy.corp.example:8080)"
    assert answer.lines()[1].endswith(told)
    assert [step.hop for step in answer.steps] == ["site", "dmz"]


def test_another_team_s_proxy_is_not_judged(ask: Callable[..., Explanation]) -> None:
    answer = ask(parent={"squid_parents": [CORP]})
    assert answer.allowed
    assert answer.lines() == [
        f"sensor1 (10.0.0.1) may reach {HUB}:443, as far as it is known here.",
        "  site                allows it by line 4: http_access allow sensor1; then dmz (10.1.0.250:3128)",
        "  dmz                 allows it by line 4: http_access allow site; then proxy.corp.example (proxy.corp.example:8080)",
        "  proxy.corp.example  is not ours: what it allows is not known here",
    ]


@pytest.mark.parametrize(
    ("sensor", "endpoint", "said"),
    [
        ("nobody", HUB, "there is no sensor 'nobody' in the inventory; correct explain_sensor."),
        (
            "sensor1",
            "https://a.example",
            "endpoints: 'https://a.example' is neither a host name nor host:port; correct it.",
        ),
        ("sensor1", "", "ask with -e explain_sensor=NAME -e explain_endpoint=HOST[:PORT]."),
        ("", HUB, "ask with -e explain_sensor=NAME -e explain_endpoint=HOST[:PORT]."),
    ],
)
def test_a_question_that_is_none(
    graph_of: GraphOf, run_action: RunAction, sensor: str, endpoint: str, said: str
) -> None:
    graph = graph_of({"site": {"squid_addresses": ["10.0.0.250"]}}, {"sensor1": {"ansible_host": "10.0.0.1"}})
    question = {"topology": {"file": graph_file.keep(graph)}, "sensor": sensor, "endpoint": endpoint}
    for configs in ({}, {"configs": {"site": config("sensor1 10.0.0.1")}}):
        assert run_action("explain", question | configs)["msg"] == said


def test_the_module(graph_of: GraphOf, run_action: RunAction) -> None:
    graph = graph_of({"site": {"squid_addresses": ["10.0.0.250"]}}, {"sensor1": {"ansible_host": "10.0.0.1"}})
    question = {"topology": {"file": graph_file.keep(graph)}, "sensor": "sensor1", "endpoint": f"{HUB}:443"}
    assert run_action("explain", question)["proxies"] == ["site"]
    found = run_action("explain", question | {"configs": {"site": config("sensor1 10.0.0.1")}})
    assert found["ansible_stats"]["data"] == {"explain_allowed": True}
    assert f"sensor1 (10.0.0.1) may reach {HUB}:443." in str(found["msg"])
