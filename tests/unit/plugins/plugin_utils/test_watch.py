# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked on each proxy between two runs, by which labels its answers are known, and what is wrong in the variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments, check
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._watch.probes import (
    PROOF,
    probes_of,
    targets_of,
)

GraphOf = Callable[..., Any]
HUB = "hub.azure-devices.net"
PASSWORD = "s3cret-of-the-plant"
PROXIES: dict[str, dict[str, Any]] = {
    "site": {
        "squid_addresses": ["10.0.0.250"],
        "squid_tls_port": 3129,
        "squid_tls_certificate": "/c",
        "squid_tls_private_key": "/k",
        "squid_parents": [
            "dmz",
            {"host": "2001:db8::1", "port": 8080, "username": "plant", "password": PASSWORD},
            {"host": "tls.example", "port": 8443, "tls": True, "tls_ca": "/ca.pem"},
        ],
    },
    "dmz": {"squid_addresses": ["10.1.0.250"]},
}


@pytest.fixture(name="entries")
def _entries(graph_of: GraphOf) -> dict[str, Any]:
    graph = graph_of(PROXIES, {})
    assert graph["mistakes"] == []
    found: dict[str, Any] = graph["proxies"]
    return found


def _dialogue(probe: Any) -> list[Any]:
    return [next(iter(step.values())) for step in probe["config"]["tcp"]["query_response"]]


def test_each_link_is_asked_by_itself(entries: dict[str, Any]) -> None:
    found = probes_of(entries["site"], "127.0.0.1", [HUB, HUB], "/srv/plant.pem")
    assert [(probe["module"], probe["target"]) for probe in found] == [
        (f"self_{HUB}:443", "127.0.0.1:3128"),
        (f"parent_dmz_{HUB}:443", "10.1.0.250:3128"),
        (f"parent_2001:db8::1_{HUB}:443", "[2001:db8::1]:8080"),
        (f"parent_tls.example_{HUB}:443", "tls.example:8443"),
        ("certificate", "127.0.0.1:3129"),
    ]
    assert [probe["labels"]["preferred"] for probe in found] == ["true", "true", "false", "false", "true"]
    own, dmz, secret, tls, _listener = found
    head = [f"CONNECT {HUB}:443 HTTP/1.1\r", f"Host: {HUB}:443\r"]
    through = [r"^HTTP/1\.[01] 200 ", "^$", True]
    quiet = [f"X-Proxy-Chaining-Probe: {PROOF}\r", "X-Proxy-Chaining-Check: 1\r"]
    assert _dialogue(own) == [*head, *quiet, "\r", *through]
    assert _dialogue(dmz) == [*head, "\r", *through]
    for probe in (own, dmz):
        assert probe["config"]["tcp"]["tls_config"] == {"server_name": HUB, "ca_file": "/srv/plant.pem"}
    # Nobody's password is there, so being asked for it is an answer.
    assert _dialogue(secret) == [*head, "\r", r"^HTTP/1\.[01] (200|407) "]
    assert PASSWORD not in str(found)
    assert tls["config"]["tcp"]["tls"] is True
    assert tls["config"]["tcp"]["tls_config"] == {"server_name": "tls.example", "ca_file": "/ca.pem"}


def test_the_last_hop_asks_the_endpoint_and_for_its_certificate_whatever_it_is(entries: dict[str, Any]) -> None:
    found = probes_of(entries["dmz"], "127.0.0.1", [f"{HUB}:8443"], "")
    assert [(probe["labels"]["kind"], probe["target"]) for probe in found] == [
        ("self", "127.0.0.1:3128"),
        ("direct", f"{HUB}:8443"),
        ("certificate", f"{HUB}:8443"),
    ]
    assert [probe["config"]["tcp"]["tls_config"].get("insecure_skip_verify", False) for probe in found] == [
        False,
        False,
        True,
    ]


def test_what_prometheus_scrapes(entries: dict[str, Any]) -> None:
    found = targets_of("a", "pair", "2001:db8::9", "north", probes_of(entries["dmz"], "127.0.0.1", [HUB], ""))
    labels = {"site": "north", "proxy": "a", "known_as": "pair"}
    assert found["exporters"] == [{"targets": ["[2001:db8::9]:9115"], "labels": labels}]
    assert found["clients"] == [{"targets": ["[2001:db8::9]:3903"], "labels": labels}]
    assert found["probes"][1] == {
        "targets": ["[2001:db8::9]:9115"],
        "labels": {
            "__param_module": f"direct_{HUB}:443",
            "__param_target": f"{HUB}:443",
            **labels,
            "kind": "direct",
            "parent": "",
            "endpoint": f"{HUB}:443",
            "preferred": "true",
        },
    }


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("address", "mgmt.example", "chain_watch_address is 'mgmt.example'; give an IP address of the proxy's own."),
        ("proxy_address", "site", "chain_watch_proxy_address is 'site'; give an IP address of the proxy's own."),
        (
            "scrapers",
            ["10.0.0.1/24"],
            "chain_watch_scrapers has '10.0.0.1/24': 10.0.0.1/24 has host bits set; give addresses",
        ),
        ("endpoints", ["*.x"], "chain_watch_endpoints: '*.x' is neither a host name nor host:port; correct it"),
        ("ca_path", "ca.pem", "chain_watch_ca_path must be the path of a file on the proxy"),
        ("site", "a{b", "chain_watch_site is 'a{b'; give up to 100 letters"),
    ],
)
def test_a_mistake_is_one_sentence(variable: str, value: Any, said: str) -> None:
    given = {name: option["default"] for name, option in arguments.options("chain_watch").items()}
    given |= {"chain_watch_endpoints": [HUB], "chain_watch_dest": "/x", "chain_watch_proxy_address": "127.0.0.1"}
    typed, mistakes = check.check("chain_watch", "site", {**given, f"chain_watch_{variable}": value})
    assert mistakes == []
    (mistake,) = check.contradictions("chain_watch", "site", typed)
    assert mistake.startswith(f"site: {said}")
