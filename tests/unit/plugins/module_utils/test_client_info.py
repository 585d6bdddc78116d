# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role's configuration, a log and the kernel's tables say together of each client."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.clients import ProxyHost

from tests.unit.rendered import squid_conf

SENSOR, OTHER, STRANGER = "10.0.0.1", "10.0.0.2", "10.0.0.3"
HUB = "hub.azure-devices.net"
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)
BEFORE, AFTER, LATER = (NOON + timedelta(minutes=minutes) for minutes in (-10, 10, 20))
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
OPEN = "   0: FA0200C0:0C38 0100000A:D431 01 00000000:00000000\n"

Result = dict[str, Any]
Client = dict[str, Any]


def _line(time: datetime, result: str, endpoint: str = f"{HUB}:443", source: str = SENSOR) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S%z}     41 {source} sensor1 - {result} 512 CONNECT {endpoint} HIER_NONE/-\n"


@functools.cache
def _config(**variables: Any) -> str:
    login = {"sensor_proxy_username": "plant", "sensor_proxy_password": "x"}
    return squid_conf(
        {"sensor1": {"sensor_proxy_src": SENSOR} | login, "sensor2": {"sensor_proxy_src": OTHER} | login}, **variables
    )


@dataclass(frozen=True)
class Given:
    """What a host has; by default a refusal that its configuration, last changed at noon, does not explain."""

    config: str = field(default_factory=_config)
    log: str = _line(AFTER, "TCP_DENIED/403")
    tcp: str = HEAD
    config_changed: datetime = NOON
    users_changed: datetime = NOON
    since: datetime = NOON - timedelta(days=1)


Place = Callable[[Given], ProxyHost]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Put files where a host has them."""

    def proxy(given: Given) -> ProxyHost:
        config, users, log, tcp = (tmp_path / name for name in ("squid.conf", "users", "access.log", "tcp"))
        for path, content in ((config, given.config), (users, ""), (log, given.log), (tcp, given.tcp)):
            path.write_text(content, encoding="utf-8")
        for path, changed in ((config, given.config_changed), (users, given.users_changed)):
            os.utime(path, (changed.timestamp(), changed.timestamp()))
        return ProxyHost(config, users, log, 1_000_000, given.since, (tcp, tmp_path / "tcp6"))

    return proxy


@pytest.fixture
def look(place: Place) -> Callable[..., Result]:
    """Look up one client, sensor1 unless something else is said of it."""

    def look_up(given: Given, **client: Any) -> Result:
        (found,) = place(given).look_up([{"name": "sensor1", "addresses": [SENSOR]} | client], HUB, 443)
        return found

    return look_up


Look = Callable[..., Result]


def test_a_refusal_that_the_configuration_does_not_explain(look: Look) -> None:
    refusal = {"time": AFTER.isoformat(), "endpoint": HUB, "port": 443, "status": 403, "result": "TCP_DENIED"}
    line = _config().splitlines().index("http_access allow sensor1") + 1
    assert look(Given()) == {
        "name": "sensor1",
        "rule": {"action": "allow", "line": line, "text": "http_access allow sensor1"},
        "last": refusal,
        "last_ok": None,
        "refused_since_change": refusal,
        "count": 1,
        "refused": 1,
        "open": 0,
    }


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(Given(log=""), id="nothing was refused"),
        pytest.param(Given(log=_line(AFTER, "TCP_DENIED/403") + _line(LATER, "TCP_TUNNEL/200")), id="one passed later"),
        pytest.param(Given(tcp=HEAD + OPEN), id="a connection is open"),
        pytest.param(Given(config_changed=LATER), id="the configuration changed later"),
        pytest.param(Given(users_changed=LATER), id="the users changed later"),
        pytest.param(Given(since=LATER), id="too long ago"),
        pytest.param(Given(log=_line(AFTER, "TCP_TUNNEL/403")), id="the next hop refused it"),
        pytest.param(Given(log=_line(AFTER, "TCP_DENIED/400")), id="it was no proper request"),
        pytest.param(Given(log=_line(AFTER, "TCP_DENIED/403", "example.org:443")), id="not an allowed endpoint"),
        pytest.param(Given(log=_line(AFTER, "TCP_DENIED/403", f"{HUB}:80")), id="not an allowed port"),
        pytest.param(Given(log=_line(AFTER, "TCP_DENIED/403", source=OTHER)), id="another client's"),
        pytest.param(Given(config=_config().replace("allow sensor1", "deny sensor1")), id="the rule denies it"),
        pytest.param(Given(config=_config(squid_auth_enabled=True)), id="the rule wants a user"),
        pytest.param(Given(config=_config() + "include /etc/squid/more.conf\n"), id="made by hand"),
    ],
)
def test_each_condition_alone_takes_that_away(look: Look, given: Given) -> None:
    assert look(Given())["refused_since_change"] is not None
    assert look(given)["refused_since_change"] is None


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(Given(log=_line(AFTER, "TCP_DENIED/407")), id="for want of a user"),
        pytest.param(
            Given(log=_line(BEFORE, "TCP_TUNNEL/200") + _line(AFTER, "TCP_DENIED/403")), id="one passed earlier"
        ),
        pytest.param(Given(tcp=HEAD + OPEN.replace("0100000A", "0200000A")), id="another's connection is open"),
        pytest.param(Given(tcp=HEAD + OPEN.replace("0C38", "0016")), id="a connection to something else is open"),
        pytest.param(Given(config_changed=AFTER, users_changed=AFTER), id="changed in the same second"),
        pytest.param(
            Given(log=_line(AFTER, "TCP_DENIED/403") + _line(LATER, "TCP_TUNNEL/503")), id="the next hop failed later"
        ),
        pytest.param(
            Given(log=_line(AFTER, "TCP_DENIED/403") + _line(LATER, "TCP_DENIED/403", "example.org:443")),
            id="something else was refused rightly later",
        ),
    ],
)
def test_what_does_not_take_it_away(look: Look, given: Given) -> None:
    assert look(given)["refused_since_change"]["time"] == AFTER.isoformat()


def test_the_last_of_several_refusals(look: Look) -> None:
    log = _line(AFTER, "TCP_DENIED/403") + _line(LATER, "TCP_DENIED/407")
    assert look(Given(log=log))["refused_since_change"]["status"] == 407


def test_a_refusal_of_a_user_that_is_known(look: Look) -> None:
    given = Given(config=_config(squid_auth_enabled=True), log=_line(AFTER, "TCP_DENIED/407"))
    found = look(given, username="plant")
    assert (found["rule"]["action"], found["refused_since_change"]["status"]) == ("allow", 407)
    found = look(given, username="someone-else")
    assert (found["rule"]["action"], found["refused_since_change"]) == ("deny", None)


def test_a_proxy_without_a_file_of_users(place: Place) -> None:
    proxy = place(Given())
    proxy.users.unlink()
    (found,) = proxy.look_up([{"name": "sensor1", "addresses": [SENSOR]}], HUB, 443)
    assert found["refused_since_change"] is not None


def test_what_is_counted(look: Look) -> None:
    log = "".join(
        [
            _line(NOON, "TCP_TUNNEL/200"),
            _line(AFTER, "TCP_TUNNEL/200", "download.microsoft.com:443"),
            _line(AFTER, "TCP_TUNNEL/200", source=OTHER),
            _line(LATER, "TCP_TUNNEL/503"),
        ]
    )
    found = look(Given(log=log, tcp=HEAD + OPEN + OPEN))
    assert (found["count"], found["refused"], found["open"]) == (3, 1, 2)
    assert (found["last"]["time"], found["last"]["status"]) == (LATER.isoformat(), 503)
    assert (found["last_ok"]["time"], found["last_ok"]["endpoint"]) == (AFTER.isoformat(), "download.microsoft.com")


def test_a_silent_client(look: Look) -> None:
    found = look(Given(log=""))
    nothing = {"last": None, "last_ok": None, "refused_since_change": None, "count": 0, "refused": 0, "open": 0}
    assert {key: found[key] for key in nothing} == nothing


def test_a_client_of_several_addresses(look: Look) -> None:
    log = (
        _line(LATER, "TCP_TUNNEL/503")
        + _line(AFTER, "TCP_TUNNEL/200", source=OTHER)
        + _line(LATER, "TCP_TUNNEL/503", source=STRANGER)
    )
    found = look(Given(log=log, tcp=HEAD + OPEN + OPEN.replace("0100000A", "0200000A")), addresses=[OTHER, SENSOR])
    # By time, whatever the order of the addresses.
    assert (found["count"], found["open"], found["last"]["status"]) == (2, 2, 503)
    assert found["rule"]["action"] == "allow"


@pytest.mark.parametrize("addresses", [[SENSOR, STRANGER], [STRANGER, SENSOR]])
def test_one_address_that_is_not_allowed_counts(look: Look, addresses: list[str]) -> None:
    assert look(Given(), addresses=addresses)["rule"]["text"] == "http_access deny all"


def test_an_address_may_be_written_in_any_way(look: Look) -> None:
    found = look(Given(tcp=HEAD + OPEN), addresses=[f"::ffff:{SENSOR}"])
    assert (found["rule"]["action"], found["count"], found["open"]) == ("allow", 1, 1)


def test_connections_to_the_tls_listener(look: Look) -> None:
    more = {"squid_tls_port": 3129, "squid_tls_certificate": "/etc/squid/a", "squid_tls_private_key": "/etc/squid/b"}
    tcp = HEAD + OPEN.replace("0C38", "0C39")
    assert look(Given(tcp=tcp))["open"] == 0
    assert look(Given(config=_config(**more), tcp=tcp))["open"] == 1


def test_clients_keep_their_order_and_do_not_mix(place: Place) -> None:
    log = _line(AFTER, "TCP_TUNNEL/200", source=OTHER)
    clients = [{"name": name, "addresses": [source]} for name, source in (("b", OTHER), ("a", SENSOR), ("c", STRANGER))]
    found = place(Given(log=log)).look_up(clients, HUB, 443)
    assert [(one["name"], one["count"], one["rule"]["action"]) for one in found] == [
        ("b", 1, "allow"),
        ("a", 0, "allow"),
        ("c", 0, "deny"),
    ]


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [("example.org", 443, "http_access deny !endpoints"), (HUB, 80, "http_access deny !https_port")],
)
def test_the_rule_is_that_of_the_endpoint_asked_for(place: Place, host: str, port: int, text: str) -> None:
    (found,) = place(Given()).look_up([{"name": "sensor1", "addresses": [SENSOR]}], host, port)
    assert found["rule"]["text"] == text


def test_a_configuration_made_by_hand_hides_the_rule_only(place: Place) -> None:
    config = "http_port 3128\nacl office time 08:00-17:00\nhttp_access allow office\n"
    proxy = place(Given(config=config, tcp=HEAD + OPEN))
    (found,) = proxy.look_up([{"name": "sensor1", "addresses": [SENSOR]}], HUB, 443)
    assert (found["rule"], found["count"], found["open"]) == (None, 1, 1)
    says = "line 3 uses the ACL office, which has the type time, which the role squid of this collection never writes"
    assert proxy.rules_problem == f"{proxy.config}: {says}"


def test_no_problem_with_the_roles_own(place: Place) -> None:
    proxy = place(Given())
    proxy.look_up([], HUB, 443)
    assert proxy.rules_problem is None


def test_a_configuration_that_cannot_be_read(place: Place) -> None:
    proxy = place(Given())
    proxy.config.unlink()
    with pytest.raises(ValueError, match="cannot be read") as caught:
        proxy.look_up([], HUB, 443)
    says = f"{proxy.config} cannot be read (No such file or directory); deploy the proxy first, and run this as root"
    assert str(caught.value) == says
