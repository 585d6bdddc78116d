# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role decides beside squid.conf: who may sign in, who reaches the port, what proves a change, which build it is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology

from tests.unit.rendered import admitted, arguments, firewall_of, ufw_of, unwanted_of, users_of

Vars = dict[str, Any]

SITE: Vars = {"squid_addresses": ["10.0.0.250"]}
TLS: Vars = {
    "squid_tls_port": 3129,
    "squid_tls_certificate": "/etc/squid/a.pem",
    "squid_tls_private_key": "/etc/squid/a.key",
}
AUTH: Vars = {**SITE, "squid_auth_enabled": True}
FORMER = {"sensor_proxy_previous_username": "former", "sensor_proxy_previous_password": "1"}
SENSORS: dict[str, Vars] = {
    "s1": {
        "ansible_host": "10.0.9.1",
        "sensor_proxy_via": "site",
        "sensor_proxy_username": "plant",
        "sensor_proxy_password": "2",
        **FORMER,
    }
}
CHILD: dict[str, Vars] = {
    "child": {
        "squid_addresses": ["10.0.8.1", "2001:db8::8"],
        "squid_parents": [{"host": "site", "username": "child", "password": "3"}],
    }
}


def graph_of(proxies: dict[str, Vars], sensors: dict[str, Vars] | None = None) -> Any:
    graph = topology.derive({**proxies, **(sensors or {})}, list(proxies), list(sensors or {}))
    assert graph["mistakes"] == []
    return graph


@pytest.mark.parametrize(
    ("given", "users"),
    [
        ({}, {"plant": "2", "former": "1", "child": "3"}),
        ({"squid_auth_accept_previous": True}, {"plant": "2", "former": "1", "child": "3"}),
        ({"squid_auth_accept_previous": False}, {"plant": "2", "child": "3"}),
        ({"squid_auth_enabled": False}, {}),
    ],
    ids=str,
)
def test_who_may_sign_in(given: Vars, users: dict[str, str]) -> None:
    site = AUTH | given
    proxies = {"site": site, **CHILD}
    graph = graph_of(proxies, SENSORS)
    assert users_of(graph, "site", {**proxies, **SENSORS}, **site) == users
    allowed = re.findall(r"^http_access allow \S+ user:(\S+)$", admitted(graph, "site", **site)["allows"], re.MULTILINE)
    assert set(allowed) == set(users)


def test_only_proxies_move_to_a_new_password_within_a_run() -> None:
    graph = graph_of({"site": AUTH, **CHILD}, SENSORS)
    assert admitted(graph, "site", **AUTH)["moving_users"] == ["child"]


def test_nobody_but_clients_reaches_a_port() -> None:
    site = SITE | TLS
    rules = firewall_of(graph_of({"site": site, **CHILD}, SENSORS), "site", **site).splitlines()
    found = [line.strip() for line in rules if not line.startswith("#")]
    assert found == [
        *("table inet ot_proxy", "delete table inet ot_proxy", "table inet ot_proxy {"),
        *("set clients4 {", "type ipv4_addr", "elements = {", "10.0.8.1,", "10.0.9.1,", "}", "}"),
        *("set clients6 {", "type ipv6_addr", "elements = {", "2001:db8::8,", "}", "}"),
        *("chain clients {", "iif lo accept", "ip saddr @clients4 accept", "ip6 saddr @clients6 accept", "drop", "}"),
        *("chain input {", "type filter hook input priority filter; policy accept;"),
        *("tcp dport { 3128, 3129 } jump clients", "}", "}"),
    ]


@pytest.mark.parametrize(
    ("given", "probed"),
    [
        ({"squid_endpoints": ["*.a.example", "hub.b.example"]}, ["hub.b.example"]),
        ({"squid_endpoints": ["a.example", "*.b.example", "c.example", "d.example"]}, ["a.example", "c.example"]),
        ({"squid_endpoints": ["*.b.example", "*.a.example"]}, ["probe.a.example"]),
        ({"squid_endpoints": ["*.a.example"], "squid_probe_endpoints": ["b.a.example"]}, ["b.a.example"]),
    ],
    ids=str,
)
def test_what_proves_a_change_is_a_name_and_no_wildcard(given: Vars, probed: list[str]) -> None:
    site = SITE | given
    assert arguments(site, graph_of({"site": site}), "site")["probed"] == probed


NAMED = {"host": "proxy.corp.example", "port": 8080}
BY_TLS = {"host": "10.9.9.9", "port": 3128, "tls": True}


@pytest.mark.parametrize(
    ("given", "openssl", "named", "addresses"),
    [
        ({}, False, False, ["127.0.0.1", "10.0.0.250", "10.0.8.1", "2001:db8::8"]),
        (TLS, True, False, ["127.0.0.1", "10.0.0.250", "10.0.8.1", "2001:db8::8"]),
        ({"squid_parents": [BY_TLS]}, True, False, []),
        ({"squid_parents": [{"host": "2001:db8::1", "port": 3128}, NAMED]}, False, True, []),
        ({"squid_parents": [{"host": "2001:db8::1", "port": 3128}]}, False, False, []),
    ],
    ids=str,
)
def test_what_follows_from_parents_and_listeners(given: Vars, openssl: bool, named: bool, addresses: list[str]) -> None:
    site = SITE | given
    found = arguments(site, graph_of({"site": site, **CHILD}), "site")
    assert (found["needs_openssl"], found["has_named_parent"]) == (openssl, named)
    assert found["proxy_addresses"] == addresses


UFW = """Added user rules (see 'ufw status' for running firewall):
ufw allow 22/tcp
ufw allow from 10.0.8.1 to any port 3128 proto tcp comment 'ot_proxy'
ufw allow from 2001:db8::8 to any port 3128 proto tcp comment 'ot_proxy'
ufw allow from 10.0.9.9 to any port 3128 proto tcp comment 'ot_proxy'
ufw allow from 10.0.9.8 to any port 3128 proto tcp comment 'not ot_proxy'
ufw allow from 10.0.9.7 to any port 3128 proto tcp
"""
CHILDS = [["10.0.8.1", "3128"], ["2001:db8::8", "3128"]]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"squid_firewall": "ufw"}, CHILDS),
        ({"squid_firewall": "ufw", "squid_port": 3200}, [[address, "3200"] for address, _port in CHILDS]),
        ({"squid_firewall": "ufw", "squid_state": "absent"}, []),
        ({"squid_firewall": "nftables"}, []),
    ],
    ids=str,
)
def test_ufw_lets_in_clients_and_loses_no_rule_of_others(given: Vars, wanted: list[list[str]]) -> None:
    site = SITE | given
    # What is there already must look like what is wanted, or each run would take it away.
    assert ufw_of(graph_of({"site": site, **CHILD}), "site", UFW, **site) == (wanted, [*CHILDS, ["10.0.9.9", "3128"]])


RULES = ["/etc/squid/firewall.nft", "/etc/systemd/system/nftables.service.d/ot-proxy.conf"]
GUESSES = "/usr/lib/squid/ot_proxy_guesses.py"
PARENTS = "/usr/lib/squid/ot_proxy_parents.py"
SERVICE = "/etc/systemd/system/ot-proxy-parents.service"
SYSLOG = "/etc/rsyslog.d/30-ot-proxy.conf"
ALWAYS = ["/etc/systemd/system/ot-proxy-logrotate.timer", "/usr/lib/squid/ot_proxy_hold.sh"]
EVERY = [*RULES, GUESSES, PARENTS, SERVICE, SYSLOG, *ALWAYS]


@pytest.mark.parametrize(
    ("given", "phase", "kept"),
    [
        ({}, "whole", ALWAYS),
        ({"squid_firewall": "nftables"}, "whole", [*ALWAYS, *RULES]),
        ({"squid_auth_enabled": True}, "whole", [*ALWAYS, GUESSES]),
        # Who leaves may still have to sign in.
        ({}, "begin", [*ALWAYS, GUESSES]),
        ({"squid_remote_syslog_host": "192.0.2.9"}, "whole", [*ALWAYS, SYSLOG]),
        ({"squid_parents": [NAMED]}, "whole", [*ALWAYS, PARENTS, SERVICE]),
        ({"squid_parents": [BY_TLS, {**BY_TLS, "port": 3129}]}, "whole", [*ALWAYS, PARENTS]),
        ({"squid_parents": [BY_TLS]}, "whole", ALWAYS),
        ({"squid_state": "absent", "squid_firewall": "nftables", "squid_auth_enabled": True}, "whole", []),
    ],
    ids=str,
)
def test_what_squid_and_its_firewall_need_stays(given: Vars, phase: str, kept: list[str]) -> None:
    site = SITE | given
    removed = unwanted_of(graph_of({"site": site}), "site", dict.fromkeys(EVERY), phase, **site)
    assert set(EVERY) - set(removed) == set(kept)
