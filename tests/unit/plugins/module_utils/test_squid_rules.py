# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which line decides, in what the role's own template writes and in what it never does."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.acls import Request
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.rules import (
    ALLOW,
    CHALLENGE,
    DENY,
    Decision,
    Rules,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rendered import PROBE_TOKEN, squid_conf

HUB = "hub.azure-devices.net"
FIRST, SECOND, STRANGER = "10.0.0.1", "10.0.0.2", "10.0.0.3"
BY_LAYOUT = pytest.mark.parametrize("layout", ["per_sensor", "combined"])

NO_MATCH = Decision(DENY, 0, "no line allows it")


def _sensor(address: str, user: str | None = None, previous: str | None = None) -> dict[str, Any]:
    """Return a sensor's variables; a user has one password, whoever has it."""
    found: dict[str, Any] = {"sensor_proxy_src": address}
    if user:
        found |= {"sensor_proxy_username": user, "sensor_proxy_password": f"{user}'s"}
    if previous:
        found |= {"sensor_proxy_previous_username": previous, "sensor_proxy_previous_password": f"{previous}'s"}
    return found


def _two(**variables: Any) -> str:
    return squid_conf({"sensor1": _sensor(FIRST), "sensor2": _sensor(SECOND)}, **variables)


def _signing_in(**variables: Any) -> str:
    sensors = {"sensor1": _sensor(FIRST, "new", "old"), "sensor2": _sensor(SECOND, "other")}
    return squid_conf(sensors, squid_auth_enabled=True, **variables)


def _decide(config: str, source: str, host: str = HUB, port: int = 443, user: str | None = None) -> tuple[str, str]:
    """Return action and text, having seen that the line with the number has that text."""
    decision = Rules(config).decide(Request(source, host, port, user))
    assert config.splitlines()[decision.line - 1] == decision.text
    return decision.action, decision.text


@pytest.mark.parametrize(
    ("layout", "line"),
    [("per_sensor", "http_access allow sensor2"), ("combined", "http_access allow clients")],
)
def test_a_client_is_allowed_by_its_line(layout: str, line: str) -> None:
    assert _decide(_two(squid_acl_layout=layout), SECOND) == (ALLOW, line)


@BY_LAYOUT
@pytest.mark.parametrize(
    ("source", "host", "port", "line"),
    [
        (STRANGER, HUB, 443, "http_access deny all"),
        (FIRST, "example.org", 443, "http_access deny !endpoints"),
        (FIRST, "", 443, "http_access deny !endpoints"),
        (FIRST, FIRST, 443, "http_access deny !endpoints"),
        (FIRST, HUB, 2222, "http_access deny !https_port"),
        # The first that matches, of three that do.
        (STRANGER, "example.org", 80, "http_access deny !https_port"),
        # Its header is the probe's own, and no client's.
        ("127.0.0.1", HUB, 443, "http_access deny all"),
    ],
)
def test_what_is_denied_and_by_which_line(layout: str, source: str, host: str, port: int, line: str) -> None:
    assert _decide(_two(squid_acl_layout=layout), source, host, port) == (DENY, line)


@pytest.mark.parametrize(
    ("host", "action"),
    [
        ("azure-devices.net", ALLOW),
        (HUB, ALLOW),
        ("a.b.azure-devices.net", ALLOW),
        ("HUB.Azure-Devices.NET", ALLOW),
        (f"{HUB}.", ALLOW),
        ("download.microsoft.com", ALLOW),
        ("Download.Microsoft.COM.", ALLOW),
        ("myazure-devices.net", DENY),
        ("azure-devices.net.example.org", DENY),
        ("net", DENY),
        ("a.download.microsoft.com", DENY),
        ("microsoft.com", DENY),
        ("download.microsoft.com.example.org", DENY),
    ],
)
def test_names_and_wildcards(host: str, action: str) -> None:
    assert _decide(_two(), FIRST, host)[0] == action


@pytest.mark.parametrize(
    ("layout", "source", "user", "decision"),
    [
        ("per_sensor", FIRST, None, (CHALLENGE, "http_access allow sensor1 user:new")),
        ("per_sensor", FIRST, "new", (ALLOW, "http_access allow sensor1 user:new")),
        ("per_sensor", FIRST, "old", (ALLOW, "http_access allow sensor1 user:old")),
        ("per_sensor", FIRST, "other", (DENY, "http_access deny all")),
        ("per_sensor", FIRST, "NEW", (DENY, "http_access deny all")),
        ("per_sensor", SECOND, None, (CHALLENGE, "http_access allow sensor2 user:other")),
        ("per_sensor", SECOND, "other", (ALLOW, "http_access allow sensor2 user:other")),
        ("per_sensor", STRANGER, "new", (DENY, "http_access deny all")),
        # Nobody is asked for a user in vain.
        ("per_sensor", STRANGER, None, (DENY, "http_access deny all")),
        ("combined", FIRST, None, (CHALLENGE, "http_access allow clients users")),
        ("combined", FIRST, "other", (ALLOW, "http_access allow clients users")),
        ("combined", STRANGER, "other", (DENY, "http_access deny all")),
        ("combined", STRANGER, None, (DENY, "http_access deny all")),
    ],
)
def test_users(layout: str, source: str, user: str | None, decision: tuple[str, str]) -> None:
    assert _decide(_signing_in(squid_acl_layout=layout), source, user=user) == decision


@BY_LAYOUT
def test_who_may_not_reach_it_is_not_asked_for_a_user(layout: str) -> None:
    config = _signing_in(squid_acl_layout=layout)
    assert _decide(config, FIRST, "example.org") == (DENY, "http_access deny !endpoints")


def test_a_previous_user_that_is_not_accepted() -> None:
    config = _signing_in(squid_auth_accept_previous=False)
    assert _decide(config, FIRST, user="old") == (DENY, "http_access deny all")
    assert _decide(config, FIRST, user="new")[0] == ALLOW


def test_a_child_proxy_signs_in_as_each_of_its_users() -> None:
    parents = [
        {"host": "site", "username": "a", "password": "1"},
        {"host": "site", "port": 3129, "username": "b", "password": "2"},
    ]
    child = {"ansible_host": "192.0.2.9", "squid_parents": parents}
    config = squid_conf({}, {"plant": child}, squid_auth_enabled=True)
    assert _decide(config, "192.0.2.9", user="b") == (ALLOW, "http_access allow plant user:b")
    assert _decide(config, "192.0.2.9", user="c") == (DENY, "http_access deny all")


@BY_LAYOUT
@pytest.mark.parametrize("auth", [False, True])
def test_a_proxy_without_clients_lets_nobody_in(layout: str, auth: bool) -> None:
    config = squid_conf({}, squid_acl_layout=layout, squid_auth_enabled=auth)
    assert _decide(config, FIRST, user="new") == (DENY, "http_access deny all")


@BY_LAYOUT
def test_a_tls_listener_and_parents_change_nothing(layout: str) -> None:
    more: dict[str, Any] = {
        "squid_tls_port": 3129,
        "squid_tls_certificate": "/etc/squid/tls.pem",
        "squid_tls_private_key": "/etc/squid/tls.key",
        "squid_listen_addresses": ["192.0.2.250", "2001:db8::fa"],
        "squid_parents": [{"host": "proxy.corp.example", "port": 8080, "tls": True}],
    }
    config = _two(squid_acl_layout=layout, **more)
    assert "https_port [2001:db8::fa]:3129 tls-cert=" in config
    assert _decide(config, SECOND)[0] == ALLOW
    assert _decide(config, SECOND, port=3129) == (DENY, "http_access deny !https_port")
    assert _decide(config, "2001:db8::fa") == (DENY, "http_access deny all")


@BY_LAYOUT
@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("2001:db8::1", "2001:db8::1"),
        ("2001:db8::1", "2001:0DB8:0:0:0:0:0:1"),
        ("2001:DB8:0::1/64", "2001:db8::1"),
        (FIRST, f"::ffff:{FIRST}"),
        (f"::ffff:{FIRST}", FIRST),
    ],
)
def test_one_address_in_several_spellings(layout: str, address: str, source: str) -> None:
    config = squid_conf({"sensor1": _sensor(address)}, squid_acl_layout=layout)
    assert _decide(config, source)[0] == ALLOW


@BY_LAYOUT
def test_every_address_of_a_client(layout: str) -> None:
    sensor = {"sensor_proxy_src": [FIRST, "2001:db8::1"]}
    config = squid_conf({"sensor1": sensor}, squid_acl_layout=layout)
    assert [_decide(config, source)[0] for source in (FIRST, "2001:db8::1", "2001:db8::2")] == [ALLOW, ALLOW, DENY]


@pytest.mark.parametrize(
    ("lines", "decision"),
    [
        (["http_access deny a", "http_access allow a"], Decision(DENY, 2, "http_access deny a")),
        (["http_access allow a", "http_access deny a"], Decision(ALLOW, 2, "http_access allow a")),
        (["", "# http_access deny all", "http_access allow a # why"], Decision(ALLOW, 4, "http_access allow a")),
        # Every ACL of a line must match.
        (["http_access deny a b", "http_access allow a !b"], Decision(ALLOW, 3, "http_access allow a !b")),
        (["http_access allow b"], NO_MATCH),
        ([], NO_MATCH),
    ],
)
def test_the_first_line_of_which_all_matches_decides(lines: list[str], decision: Decision) -> None:
    lines = [f"acl a src {FIRST}", *lines, f"acl b src {SECOND}"]
    assert Rules("\n".join(lines)).decide(Request(FIRST, HUB)) == decision


def test_an_acl_of_several_lines_matches_by_any_of_them() -> None:
    rules = Rules(f"acl a src {FIRST}\nacl a src {SECOND} {STRANGER}\nhttp_access allow a\n")
    assert [rules.decide(Request(source, HUB)).action for source in (FIRST, SECOND, STRANGER)] == [ALLOW] * 3
    assert rules.decide(Request("10.0.0.4", HUB)) == NO_MATCH


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("include /etc/squid/conf.d/*.conf", "has the directive include"),
        ("http_access allow plant", "uses the ACL plant, which is not defined"),
        ("http_access deny CONNECT !plant", "uses the ACL plant, which is not defined"),
    ],
)
def test_a_configuration_made_by_hand(line: str, problem: str) -> None:
    before = "acl a src 10.0.0.1\n\n"
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Rules(f"{before}{line}\nhttp_access deny all\n")
    assert str(caught.value) == f"line 3 {problem}, which the role squid of this collection never writes"


def test_no_problem_repeats_a_value() -> None:
    config = _two().replace("req_header", "browser")
    with pytest.raises(ValueError, match="type browser") as caught:
        Rules(config)
    assert PROBE_TOKEN in config
    assert PROBE_TOKEN not in str(caught.value)


def test_a_thousand_clients_are_decided_within_a_second() -> None:
    sources = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    sensors = {f"sensor{number}": _sensor(source) for number, source in enumerate(sources)}
    config = squid_conf(sensors)
    # CPU time, which what else runs on the machine hardly touches.
    started = time.process_time()
    rules = Rules(config)
    actions = [rules.decide(Request(source, HUB)).action for source in sources]
    assert time.process_time() - started < 1
    assert actions == [ALLOW] * 1000


ADDRESSES = [FIRST, SECOND, STRANGER, "192.0.2.7", "2001:db8::1", "2001:db8::2"]
ENDPOINTS = ["*.a.example", "b.a.example", "*.example.net", "example.org", "c.example.org"]
HOSTS = [
    *("a.example", "b.a.example", "c.b.a.example", "xa.example", "a.example.b"),
    *("example.net", "x.example.net", "example.org", "c.example.org", "d.c.example.org", "example"),
]
USERS = ["one", "two", "three"]

Drawn = dict[str, Any]


@st.composite
def _inventories(draw: st.DrawFn) -> Drawn:
    sources = draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=5))
    clients = {source: (draw(st.sampled_from(USERS)), draw(st.none() | st.sampled_from(USERS))) for source in sources}
    return {
        "clients": clients,
        "endpoints": draw(st.lists(st.sampled_from(ENDPOINTS), unique=True, min_size=1)),
        "layout": draw(st.sampled_from(["per_sensor", "combined"])),
        "auth": draw(st.booleans()),
        "accept_previous": draw(st.booleans()),
    }


def _spelled(host: str) -> st.SearchStrategy[str]:
    return st.sampled_from([host, host.upper(), f"{host}."])


REQUESTS = st.builds(
    Request,
    source=st.sampled_from([*ADDRESSES, "203.0.113.1", f"::ffff:{FIRST}"]),
    host=st.sampled_from(HOSTS).flatmap(_spelled),
    port=st.sampled_from([443, 443, 443, 80, 4430]),
    user=st.none() | st.sampled_from([*USERS, "stranger"]),
)


def _expected(drawn: Drawn, request: Request) -> str:
    """What the inventory means, whatever the template makes of it."""
    host = request.host.rstrip(".").lower()
    covered = any(f".{host}".endswith(end[1:]) if end[0] == "*" else host == end for end in drawn["endpoints"])
    client = drawn["clients"].get(request.source.removeprefix("::ffff:"))
    if client is None or not covered or request.port != 443:
        return DENY
    if not drawn["auth"]:
        return ALLOW
    if request.user is None:
        return CHALLENGE
    user, previous = client
    its = {user, previous} if drawn["accept_previous"] else {user}
    return ALLOW if drawn["layout"] == "combined" or request.user in its else DENY


# The first template to be rendered takes longer than an example may.
@settings(deadline=None)
@given(_inventories(), st.lists(REQUESTS, min_size=1, max_size=20))
def test_the_lines_mean_what_the_inventory_means(drawn: Drawn, requests: list[Request]) -> None:
    config = squid_conf(
        {f"sensor{number}": _sensor(source, *users) for number, (source, users) in enumerate(drawn["clients"].items())},
        squid_endpoints=drawn["endpoints"],
        squid_acl_layout=drawn["layout"],
        squid_auth_enabled=drawn["auth"],
        squid_auth_accept_previous=drawn["accept_previous"],
    )
    rules = Rules(config)
    lines = config.splitlines()
    for request in requests:
        decision = rules.decide(request)
        assert decision.action == _expected(drawn, request), request
        assert lines[decision.line - 1] == decision.text


@BY_LAYOUT
@pytest.mark.parametrize("signs_in", [False, True])
def test_a_proxy_that_learns_lets_known_clients_ask_for_names_and_nothing_else(layout: str, signs_in: bool) -> None:
    until = str(datetime.now(timezone.utc).date())
    config = (_signing_in if signs_in else _two)(squid_acl_layout=layout, squid_learn_until=until)
    user = "new" if signs_in else None
    for host, port, action in (
        (HUB, 443, ALLOW),
        ("other.example.com", 443, ALLOW),
        ("Other.Example.Com.", 443, ALLOW),
        ("other.example.com", 8443, DENY),
        ("intranet", 443, DENY),
        ("10.9.9.9", 443, DENY),
        ("2001:db8::a", 443, DENY),
        ("[2001:db8::a]", 443, DENY),
        ("0x7f.1", 443, DENY),
        ("2130706433", 443, DENY),
    ):
        assert _decide(config, FIRST, host, port, user)[0] == action, host
        assert _decide(config, STRANGER, host, port)[0] == DENY, host
    for way in ("GET", "POST"):
        assert Rules(config).decide(Request(FIRST, "other.example.com", 443, user, way)).action == DENY
    # The probe proves what the list lets through.
    assert "http_access allow probe_source probe_token endpoints\n" in config
    assert "learn" not in _two(squid_acl_layout=layout, squid_learn_until="2026-01-01")
