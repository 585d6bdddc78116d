# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.credentials import (
    client_users,
    parent_passwords,
)

GraphOf = Callable[..., dict[str, Any]]
Hosts = dict[str, dict[str, Any]]

SITE = {"ansible_host": "10.0.0.250", "squid_auth_enabled": True}


def _sensor(number: int, username: str | None, password: str | None) -> dict[str, Any]:
    return {
        "ansible_host": f"10.0.0.{number}",
        "sensor_proxy_via": "site",
        "sensor_proxy_username": username,
        "sensor_proxy_password": password,
    }


def _users(graph_of: GraphOf, proxies: Hosts, sensors: Hosts) -> dict[str, str]:
    clients = graph_of(proxies, sensors)["proxies"]["site"]["clients"]
    return client_users("site", clients, proxies | sensors)


def test_each_sensor_has_its_user(graph_of: GraphOf) -> None:
    sensors = {"s1": _sensor(1, "u1", "p1"), "s2": _sensor(2, "u2", "p2")}
    assert _users(graph_of, {"site": SITE}, sensors) == {"u1": "p1", "u2": "p2"}


def test_sensors_may_share_a_user(graph_of: GraphOf) -> None:
    sensors = {"s1": _sensor(1, "plant", "pw"), "s2": _sensor(2, "plant", "pw")}
    assert _users(graph_of, {"site": SITE}, sensors) == {"plant": "pw"}


def test_a_sensor_without_a_user_is_left_out(graph_of: GraphOf) -> None:
    assert _users(graph_of, {"site": SITE}, {"s1": _sensor(1, None, None)}) == {}


@pytest.mark.parametrize("password", ["a b", "a:b", "s{ü}ß", "'\"#%"])
def test_a_password_may_have_any_character(graph_of: GraphOf, password: str) -> None:
    assert _users(graph_of, {"site": SITE}, {"s1": _sensor(1, "u", password)}) == {"u": password}


def test_a_child_proxy_is_a_user(graph_of: GraphOf) -> None:
    other = {"host": "other", "username": "elsewhere", "password": "no"}
    entry = {"host": "site", "username": "child", "password": "pw"}
    proxies: Hosts = {
        "site": SITE,
        "other": {"ansible_host": "10.0.0.251"},
        "child": {"ansible_host": "10.0.1.1", "squid_parents": ["other", other | {"port": 1}, entry]},
    }
    assert _users(graph_of, proxies, {"s1": _sensor(1, "u1", "p1")}) == {"u1": "p1", "child": "pw"}


def test_a_child_proxy_may_sign_in_at_two_ports_as_two_users(graph_of: GraphOf) -> None:
    entry = {"host": "site", "username": "first", "password": "p1"}
    proxies: Hosts = {
        "site": SITE,
        "child": {
            "ansible_host": "10.0.1.1",
            "squid_parents": [entry, {"host": "site", "port": 3129, "username": "second", "password": "p2"}],
        },
    }
    assert _users(graph_of, proxies, {}) == {"first": "p1", "second": "p2"}


@pytest.mark.parametrize("password", [None, ""])
def test_a_user_without_a_password_is_named(graph_of: GraphOf, password: str | None) -> None:
    with pytest.raises(ValueError, match=r"^s1: sensor_proxy_password is not set, but .* is 'u'"):
        _users(graph_of, {"site": SITE}, {"s1": _sensor(1, "u", password)})


@pytest.mark.parametrize("password", ["s3cret\n", "s3\rcret", "s3\0cret"])
def test_a_line_break_in_a_password_is_refused_without_showing_it(graph_of: GraphOf, password: str) -> None:
    with pytest.raises(ValueError, match=r"^s1: the password of the user 'u' has a line break") as caught:
        _users(graph_of, {"site": SITE}, {"s1": _sensor(1, "u", password)})
    assert "s3" not in str(caught.value)


def test_one_user_with_two_passwords_is_refused_without_showing_them(graph_of: GraphOf) -> None:
    sensors = {"s1": _sensor(1, "plant", "s3cret"), "s2": _sensor(2, "plant", "0ther")}
    with pytest.raises(ValueError, match=r"^s2: the user 'plant' has another password than with s1,") as caught:
        _users(graph_of, {"site": SITE}, sensors)
    assert "s3cret" not in str(caught.value)
    assert "0ther" not in str(caught.value)


def _rotating(number: int, username: str, password: str, previous: tuple[str, str]) -> dict[str, Any]:
    return _sensor(number, username, password) | {
        "sensor_proxy_previous_username": previous[0],
        "sensor_proxy_previous_password": previous[1],
    }


def test_a_proxy_knows_both_users_during_a_rotation(graph_of: GraphOf) -> None:
    sensors = {"s1": _rotating(1, "u2", "p2", ("u1", "p1")), "s2": _sensor(2, "u3", "p3")}
    assert _users(graph_of, {"site": SITE}, sensors) == {"u1": "p1", "u2": "p2", "u3": "p3"}


def test_the_previous_user_may_still_be_the_current_one_elsewhere(graph_of: GraphOf) -> None:
    sensors = {"s1": _rotating(1, "u2", "p2", ("u1", "p1")), "s2": _sensor(2, "u1", "p1")}
    assert _users(graph_of, {"site": SITE}, sensors) == {"u1": "p1", "u2": "p2"}


def test_previous_users_can_be_left_out(graph_of: GraphOf) -> None:
    sensors = {"s1": _rotating(1, "u2", "p2", ("u1", "p1")), "s2": _rotating(2, "u4", "p4", ("u4", "p3"))}
    clients = graph_of({"site": SITE}, sensors)["proxies"]["site"]["clients"]
    assert client_users("site", clients, sensors, previous=False) == {"u2": "p2", "u4": "p4"}


def test_a_previous_user_that_is_the_current_one_is_one_user(graph_of: GraphOf) -> None:
    assert _users(graph_of, {"site": SITE}, {"s1": _rotating(1, "u", "p", ("u", "p"))}) == {"u": "p"}


@pytest.mark.parametrize("previous", ["plant", "PLANT"])
def test_a_new_password_without_a_new_name_is_refused_without_showing_either(graph_of: GraphOf, previous: str) -> None:
    sensors = {"s1": _rotating(1, "plant", "s3cret", (previous, "0ther"))}
    says = rf"^s1: sensor_proxy_previous_username '{previous}' has another password than sensor_proxy_username 'plant',"
    with pytest.raises(ValueError, match=says) as caught:
        _users(graph_of, {"site": SITE}, sensors)
    assert "Squid knows one password per user name; choose another name for the new credential." in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "0ther" not in str(caught.value)


def test_a_previous_user_with_another_password_elsewhere_is_refused(graph_of: GraphOf) -> None:
    sensors = {"s1": _sensor(1, "u1", "s3cret"), "s2": _rotating(2, "u2", "p2", ("u1", "0ther"))}
    with pytest.raises(ValueError, match=r"^s2: the user 'u1' has another password than with s1, and site") as caught:
        _users(graph_of, {"site": SITE}, sensors)
    assert "0ther" not in str(caught.value)


def _passwords(graph_of: GraphOf, *given: object) -> dict[str, str]:
    proxies = {
        "site": {"ansible_host": "10.0.0.250", "squid_parents": list(given)},
        "dmz": {"ansible_host": "10.0.1.1"},
    }
    graph = graph_of(proxies)
    assert graph["mistakes"] == []
    return parent_passwords("site", graph["proxies"]["site"]["parents"], proxies)


def test_passwords_are_found_by_the_parents_acl_name(graph_of: GraphOf) -> None:
    corp = {"host": "Proxy.Corp.Example", "port": 8080, "username": "u", "password": 1234}
    assert _passwords(graph_of, "dmz", corp) == {"proxy.corp.example": "1234"}


def test_one_parent_at_two_ports_has_two_passwords(graph_of: GraphOf) -> None:
    corp = {"host": "2001:db8::1", "username": "u"}
    first, second = corp | {"port": 1, "password": "p1"}, corp | {"port": 2, "password": "p2"}
    assert sorted(_passwords(graph_of, first, second).values()) == ["p1", "p2"]


def test_no_parents_have_no_passwords(graph_of: GraphOf) -> None:
    assert _passwords(graph_of) == {}
