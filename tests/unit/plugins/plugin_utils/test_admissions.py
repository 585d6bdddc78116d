# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a proxy admits, and who is kept while others move; as lines of squid.conf, which is where it counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text as squid_text

from tests.unit.rendered import admitted, of_graph

GraphOf = Callable[..., dict[str, Any]]
Vars = dict[str, Any]
Pair = tuple[Vars, Vars]
"""Variables of all proxies, and of all sensors."""

DMZ: Vars = {"squid_addresses": ["10.0.0.1"]}
SIGNING_IN: Vars = {**DMZ, "squid_auth_enabled": True}
EVIL = "{{7*7}}"
BY_LAYOUT = pytest.mark.parametrize("layout", ["per_sensor", "combined"])


def plant(parent: str = "dmz", address: str = "10.0.0.9", user: str | None = None) -> Vars:
    entry = {"host": parent} | ({"username": user, "password": "secret"} if user else {})
    return {"squid_addresses": [address], "squid_parents": [entry]}


def sensor(via: str, address: str = "10.0.9.1", user: str | None = None) -> Vars:
    login = {"sensor_proxy_username": user, "sensor_proxy_password": "secret"} if user else {}
    return {"ansible_host": address, "sensor_proxy_via": via, **login}


@pytest.fixture
def rerun(graph_of: GraphOf) -> Callable[..., str]:
    """Return what dmz is changed to when one pair of proxies and sensors follows another."""

    def run(before: Pair, after: Pair, arrived: tuple[str, ...] = ()) -> str:
        return of_graph(
            graph_of(*after), "dmz", running=_look(graph_of, before), squid_arrived=list(arrived), **after[0]["dmz"]
        )

    return run


@pytest.fixture
def kept(graph_of: GraphOf) -> Callable[..., Vars]:
    """Return what the filter says of the same."""

    def run(before: Pair, after: Pair, arrived: tuple[str, ...] = ()) -> Vars:
        return admitted(
            graph_of(*after), "dmz", running=_look(graph_of, before), squid_arrived=list(arrived), **after[0]["dmz"]
        )

    return run


def _look(graph_of: GraphOf, before: Pair) -> Vars:
    text = of_graph(graph_of(*before), "dmz", **before[0]["dmz"]) if "dmz" in before[0] else ""
    return {"configuration": squid_text.showable(text), "listeners": [vars(each) for each in squid_text.bound(text)]}


def who(config: str) -> list[str]:
    """Return the lines that say who is admitted."""
    begins = ("acl ", "http_access allow ", "note client ")
    ours = ("https_port", "endpoints", "probe_", "probe ", "vip_check", "unlogged", "proxies", "inside:")
    return [
        line
        for line in config.splitlines()
        if line.startswith(begins)
        and not line.split(" ", 2)[-1].startswith(ours)
        and not line.split()[1].startswith(ours)
    ]


def test_without_a_running_configuration_nobody_is_kept(graph_of: GraphOf) -> None:
    graph = graph_of({"dmz": DMZ, "plant": plant()}, {"s1": sensor("dmz")})
    assert who(of_graph(graph, "dmz")) == [
        "acl plant src 10.0.0.9",
        "acl s1 src 10.0.9.1",
        "http_access allow plant",
        "http_access allow s1",
        "note client plant plant",
        "note client s1 s1",
    ]


def test_a_proxy_that_is_new_has_nobody_to_keep(rerun: Callable[..., str], graph_of: GraphOf) -> None:
    after: Pair = ({"dmz": DMZ, "plant": plant()}, {})
    assert rerun(({}, {}), after) == of_graph(graph_of(*after), "dmz")


@BY_LAYOUT
def test_who_moves_is_kept_until_it_has_arrived(
    layout: str, rerun: Callable[..., str], kept: Callable[..., Vars]
) -> None:
    dmz = {**DMZ, "squid_acl_layout": layout}
    other = {"squid_addresses": ["10.0.0.2"]}
    before: Pair = ({"dmz": dmz, "other": other, "plant": plant()}, {"s1": sensor("dmz")})
    after: Pair = ({"dmz": dmz, "other": other, "plant": plant("other")}, {"s1": sensor("other")})
    assert who(rerun(before, after)) == [
        "acl leaving:1 src 10.0.0.9 # plant",
        "acl leaving:2 src 10.0.9.1 # s1",
        "http_access allow leaving:1",
        "http_access allow leaving:2",
        "note client plant leaving:1",
        "note client s1 leaving:2",
    ]
    assert kept(before, after)["leaving"] == ["plant", "s1"]
    assert kept(before, after, ("plant",))["leaving"] == ["s1"]
    assert who(rerun(before, after, ("plant", "s1"))) == []


def test_who_is_kept_stays_kept_in_a_later_run(graph_of: GraphOf) -> None:
    other = {"squid_addresses": ["10.0.0.2"]}
    before = graph_of({"dmz": DMZ, "other": other, "plant": plant()})
    after = graph_of({"dmz": DMZ, "other": other, "plant": plant("other")})
    text = of_graph(before, "dmz")
    for _run in range(2):
        text = of_graph(after, "dmz", running={"configuration": text, "listeners": []})
    assert "acl leaving:1 src 10.0.0.9 # plant" in text
    assert of_graph(
        after, "dmz", running={"configuration": text, "listeners": []}, squid_arrived=["plant"]
    ) == of_graph(after, "dmz")


@pytest.mark.parametrize("was", ["per_sensor", "combined"])
@BY_LAYOUT
def test_the_old_address_and_the_new_one_have_their_own_user_each(
    was: str, layout: str, rerun: Callable[..., str], kept: Callable[..., Vars]
) -> None:
    before: Pair = ({"dmz": {**SIGNING_IN, "squid_acl_layout": was}, "plant": plant(user="old")}, {})
    after: Pair = (
        {"dmz": {**SIGNING_IN, "squid_acl_layout": layout}, "plant": plant(address="10.0.0.8", user="new")},
        {},
    )
    lines = rerun(before, after).splitlines()
    assert "acl leaving:1 src 10.0.0.9 # plant old" in lines
    assert "http_access allow leaving:1 user:old" in lines
    assert "acl user:old proxy_auth old" in lines
    assert ("acl plant src 10.0.0.8" if layout == "per_sensor" else "acl clients src 10.0.0.8 # plant new") in lines
    assert (
        "http_access allow plant user:new" if layout == "per_sensor" else "http_access allow clients users"
    ) in lines
    assert kept(before, after)["kept_users"] == ["old"]


@BY_LAYOUT
def test_who_need_not_sign_in_yet_is_not_asked_to(layout: str, rerun: Callable[..., str]) -> None:
    before: Pair = ({"dmz": {**DMZ, "squid_acl_layout": layout}, "plant": plant()}, {})
    after: Pair = ({"dmz": {**SIGNING_IN, "squid_acl_layout": layout}, "plant": plant(user="new")}, {})
    rules = [line for line in who(rerun(before, after)) if line.startswith("http_access")]
    assert rules[0] == "http_access allow leaving:1"
    assert len(rules) == 2


@BY_LAYOUT
def test_who_need_not_sign_in_any_more_is_not_asked_to_either(layout: str, rerun: Callable[..., str]) -> None:
    before: Pair = ({"dmz": {**SIGNING_IN, "squid_acl_layout": layout}, "plant": plant(user="old")}, {})
    after: Pair = ({"dmz": {**DMZ, "squid_acl_layout": layout}, "plant": plant()}, {})
    config = rerun(before, after)
    rules = [line for line in who(config) if line.startswith("http_access")]
    assert rules == [
        f"http_access allow {'plant' if layout == 'per_sensor' else 'clients'}",
        "http_access allow leaving:1 user:old",
    ]
    assert "auth_param basic program" in config


@pytest.mark.parametrize(
    ("proxies", "sensors"),
    [
        # The inventory has it no more.
        ({}, {}),
        # Its address is another client's now.
        ({"plant": plant("other"), "newcomer": plant(address="10.0.0.9")}, {}),
        # It is a sensor that has another address where it is now.
        ({}, {"plant": sensor("other", "10.0.9.7")}),
        # It stays, and only a rotation moves the user of a sensor.
        ({}, {"plant": sensor("dmz", "10.0.0.9", "new")}),
    ],
    ids=["gone", "another's address", "another address", "stays"],
)
def test_who_is_not_kept(proxies: Vars, sensors: Vars, kept: Callable[..., Vars]) -> None:
    other = {"squid_addresses": ["10.0.0.2"]}
    before: Pair = ({"dmz": SIGNING_IN, "other": other, "plant": plant(user="old")}, {})
    users = {"username": "u", "password": "p"}
    proxies = {name: given | {"squid_parents": [given["squid_parents"][0] | users]} for name, given in proxies.items()}
    found = kept(before, ({"dmz": SIGNING_IN, "other": other, **proxies}, sensors))
    assert (found["leaving"], found["kept_users"]) == ([], [])


def test_the_user_before_a_rotation_is_no_leaving_client(kept: Callable[..., Vars]) -> None:
    old = {"sensor_proxy_previous_username": "old", "sensor_proxy_previous_password": "secret"}
    before: Pair = ({"dmz": SIGNING_IN}, {"s1": sensor("dmz", user="new") | old})
    after: Pair = (
        {"dmz": {**SIGNING_IN, "squid_auth_accept_previous": False}},
        {"s1": sensor("dmz", user="new") | old},
    )
    found = kept(before, after)
    assert "acl user:new proxy_auth new\n" in found["sources"] + "\n"
    assert "proxy_auth old" not in found["sources"]


def test_a_configuration_that_names_no_client_keeps_nobody(graph_of: GraphOf) -> None:
    running = {"configuration": "acl clients src 10.0.0.9\nhttp_access allow clients\n", "listeners": []}
    assert admitted(graph_of({"dmz": DMZ, "plant": plant("dmz", "10.0.0.8")}), "dmz", running=running)["leaving"] == []


@pytest.mark.parametrize(
    ("old", "new"), [("old", EVIL), ("10.0.0.9", EVIL), ("10.0.0.9", f"fe80::1%{EVIL}"), ("10.0.0.9", "0.0.0.0/0")]
)
def test_what_no_role_has_written_is_not_kept(old: str, new: str, graph_of: GraphOf) -> None:
    """Older ansible-cores evaluate what a task keeps (CVE-2024-11079), and a host may say what it likes."""
    running = _look(graph_of, ({"dmz": SIGNING_IN, "plant": plant(user="old")}, {}))
    after = {"dmz": SIGNING_IN, "other": {"squid_addresses": ["10.0.0.2"]}, "plant": plant("other")}
    assert admitted(graph_of(after), "dmz", running=running, **SIGNING_IN)["leaving"] == ["plant"]
    running["configuration"] = running["configuration"].replace(old, new)
    found = admitted(graph_of(after), "dmz", running=running, **SIGNING_IN)
    assert (found["leaving"], found["sources"], found["kept_users"]) == ([], "", [])


class TestListeners:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"address": EVIL},
            {"address": f"fe80::1%{EVIL}"},
            {"address": None},
            {"port": EVIL},
            {"port": 0},
            {"tls": EVIL},
        ],
        ids=str,
    )
    def test_what_is_no_listener_is_not_kept(self, wrong: Vars, graph_of: GraphOf) -> None:
        after = {"dmz": {**DMZ, "squid_port": 3200}, "plant": plant()}
        running = _look(graph_of, ({"dmz": DMZ, "plant": plant()}, {}))
        running["listeners"].append({"address": "10.0.0.1", "port": 3300, "tls": False} | wrong)
        found = admitted(graph_of(after), "dmz", running=running, **after["dmz"])
        assert (found["listeners"], found["ports"]) == ([{"address": "", "port": 3128, "tls": False}], [3200, 3128])

    @staticmethod
    def ports(config: str) -> list[str]:
        return [
            " ".join(line.split()[:2]) for line in config.splitlines() if line.startswith(("http_port", "https_port"))
        ]

    def test_an_old_port_stays_behind_the_new_one_until_all_clients_have_arrived(
        self, rerun: Callable[..., str]
    ) -> None:
        before: Pair = ({"dmz": DMZ, "plant": plant()}, {"s1": sensor("dmz")})
        after: Pair = ({"dmz": {**DMZ, "squid_port": 3200}, "plant": plant()}, {"s1": sensor("dmz")})
        # The proof asks the first one, with the addresses of the new configuration.
        assert self.ports(rerun(before, after)) == ["http_port 3200", "http_port 3128"]
        assert self.ports(rerun(before, after, ("plant",))) == ["http_port 3200", "http_port 3128"]
        assert self.ports(rerun(before, after, ("plant", "s1"))) == ["http_port 3200"]

    def test_who_leaves_needs_the_old_port_too(self, rerun: Callable[..., str]) -> None:
        other = {"squid_addresses": ["10.0.0.2"]}
        before: Pair = ({"dmz": DMZ, "other": other, "plant": plant()}, {})
        after: Pair = ({"dmz": {**DMZ, "squid_port": 3200}, "other": other, "plant": plant("other")}, {})
        assert self.ports(rerun(before, after)) == ["http_port 3200", "http_port 3128"]
        assert self.ports(rerun(before, after, ("plant",))) == ["http_port 3200"]

    @pytest.mark.parametrize(
        ("was", "wanted", "expected"),
        [
            ({}, {}, ["http_port 3128"]),
            ({"squid_listen_addresses": ["10.0.0.1"]}, {}, ["http_port 3128"]),
            ({}, {"squid_listen_addresses": ["10.0.0.1"]}, ["http_port 10.0.0.1:3128"]),
            (
                {"squid_listen_addresses": ["10.0.0.1"]},
                {"squid_listen_addresses": ["2001:db8::1"]},
                ["http_port [2001:db8::1]:3128", "http_port 10.0.0.1:3128"],
            ),
            (
                {"squid_listen_addresses": ["2001:db8::1"]},
                {"squid_port": 3200},
                ["http_port 3200", "http_port [2001:db8::1]:3128"],
            ),
            (
                {"squid_tls_port": 3443},
                {"squid_tls_port": 3444},
                ["http_port 3128", "https_port 3444", "https_port 3443"],
            ),
            # Without a TLS listener there may be no certificate any more.
            ({"squid_tls_port": 3443}, {}, ["http_port 3128"]),
            # One port is one of both.
            (
                {"squid_tls_port": 3443},
                {"squid_port": 3443, "squid_tls_port": 3128},
                ["http_port 3443", "https_port 3128"],
            ),
        ],
        ids=["same", "more", "less", "another address", "another port", "another TLS port", "no TLS", "swapped"],
    )
    def test_what_can_be_there_beside_the_new_ones(
        self, was: Vars, wanted: Vars, expected: list[str], rerun: Callable[..., str]
    ) -> None:
        tls = {"squid_tls_certificate": "/c", "squid_tls_private_key": "/k"}
        sensors = {"s1": sensor("dmz")}
        before, after = ({"dmz": {**DMZ, **tls, **which}} for which in (was, wanted))
        assert self.ports(rerun((before, sensors), (after, sensors))) == expected
