# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnels from other clouds in the topology, and what the proof says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.mermaid import mermaid
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.table import table
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.view import view

from .fake_found import Found

GraphOf = Callable[..., Any]

AZURE = {"squid_kind": "azure", "squid_addresses": ["10.60.0.40"]}
PROXIES: dict[str, Any] = {
    "azure-proxy": AZURE,
    "aws-proxy": {"ansible_host": "10.20.0.250", "squid_parents": ["azure-proxy"]},
    "site-proxy": {"ansible_host": "10.10.0.250", "squid_parents": ["azure-proxy"]},
}
SENSORS: dict[str, Any] = {
    "aws-sensor": {"ansible_host": "10.20.0.1", "sensor_proxy_via": "azure-proxy"},
    "inner-sensor": {"ansible_host": "10.20.0.2", "sensor_proxy_via": "aws-proxy"},
    "google-sensor": {"ansible_host": "10.30.0.1", "sensor_proxy_via": "azure-proxy"},
    "site-sensor": {"ansible_host": "10.10.0.1", "sensor_proxy_via": "azure-proxy"},
}
SITES: dict[str, Any] = {
    "aws-plant": {
        "multicloud_cloud": "aws",
        "multicloud_proxy": "azure-proxy",
        "multicloud_prefixes": ["10.20.0.0/16"],
    },
    "google-plant": {
        "multicloud_cloud": "google",
        "multicloud_proxy": "azure-proxy",
        "multicloud_prefixes": ["10.30.0.0/24"],
    },
    "public-plant": {"multicloud_cloud": "google"},
}


@pytest.fixture
def graph(graph_of: GraphOf) -> Any:
    found = graph_of(PROXIES, SENSORS, SITES)
    assert found["mistakes"] == []
    return found


def test_a_client_takes_the_tunnel_of_the_site_that_it_is_in(graph: Any) -> None:
    assert {name: entry.get("tunnel") for name, entry in graph["sensors"].items()} == {
        "aws-sensor": "aws-plant",
        "inner-sensor": None,
        "google-sensor": "google-plant",
        "site-sensor": None,
    }
    (parent,) = graph["proxies"]["aws-proxy"]["parents"]
    assert parent["tunnel"] == "aws-plant"
    (parent,) = graph["proxies"]["site-proxy"]["parents"]
    assert "tunnel" not in parent


def test_a_site_with_public_addresses_has_no_tunnel(graph: Any) -> None:
    assert graph["tunnels"] == {
        "aws-plant": {"cloud": "aws", "proxy": "azure-proxy", "prefixes": ["10.20.0.0/16"]},
        "google-plant": {"cloud": "google", "proxy": "azure-proxy", "prefixes": ["10.30.0.0/24"]},
    }


MISTAKES: dict[str, Any] = {
    "aws-plant: multicloud_proxy 'nowhere' is not a proxy of the inventory.": {"multicloud_proxy": "nowhere"},
    "aws-plant: multicloud_proxy 'site-proxy' is not a proxy in Azure (squid_kind: azure), where tunnels end.": {
        "multicloud_proxy": "site-proxy"
    },
    "aws-plant: multicloud_prefixes is empty; name the networks of its sensors.": {"multicloud_prefixes": []},
    "aws-plant: multicloud_prefixes '10.20.0.1/16' is not an IPv4 network: 10.20.0.1/16 has host bits set.": {
        "multicloud_prefixes": ["10.20.0.1/16"]
    },
    "google-plant: multicloud_prefixes '10.30.0.0/24' overlaps 10.30.0.0/16 of aws-plant, whose tunnel ends at azure-proxy "
    "too.": {"multicloud_prefixes": ["10.20.0.0/16", "10.30.0.0/16"]},
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_each_mistake_is_one_sentence(graph_of: GraphOf, sentence: str) -> None:
    wrong = {**SITES, "aws-plant": {**SITES["aws-plant"], **MISTAKES[sentence]}}
    assert graph_of(PROXIES, SENSORS, wrong)["mistakes"] == [sentence]


@pytest.mark.parametrize("name", ["aws-plant", "one"])
def test_no_two_sites_have_one_name(graph_of: GraphOf, name: str) -> None:
    # A site that says nothing has its own.
    named = {} if name == "aws-plant" else {"multicloud_name": name}
    sites = {
        "aws-plant": {**SITES["aws-plant"], **named},
        "google-plant": {**SITES["google-plant"], "multicloud_name": name},
        "public-plant": {"multicloud_name": name},
    }
    assert graph_of(PROXIES, SENSORS, sites)["mistakes"] == [
        f"google-plant: multicloud_name '{name}' is also that of aws-plant, and one would overwrite the tunnels of the other; give "
        "one of them another one."
    ]


def test_table_and_report_name_the_tunnel(graph: Any) -> None:
    results = Found(graph).judged()
    rows = {line.split()[0]: line for line in table(results) if " > " in line and "-sensor " in line}
    assert "tunnel aws-plant > azure-proxy > endpoints" in rows["aws-sensor"]
    for name in ("inner-sensor", "site-sensor"):
        assert "tunnel aws" not in rows[name]
    page = view(results)
    kinds = {(link["source"], link["target"]): link["kind"] for link in page["links"]}
    assert kinds["aws-proxy", "azure-proxy"] == "parent, tunnel aws-plant"
    assert kinds["site-proxy", "azure-proxy"] == "parent"
    drawn = mermaid(results)
    assert drawn.count("tunnel aws-plant") == 2
    assert drawn.count("tunnel google-plant") == 1


def test_a_removed_sensor_is_taken_as_gone() -> None:
    groups = {"proxies": list(PROXIES), "sensors": list(SENSORS), "cloud_sites": list(SITES)}
    hostvars = {**PROXIES, **SENSORS, **SITES}
    found = topology.of_groups(hostvars, groups, removed_sensors=["aws-sensor"])
    assert found["mistakes"] == []
    assert "aws-sensor" not in found["sensors"]
    assert "aws-sensor" not in [client["name"] for client in found["proxies"]["azure-proxy"]["clients"]]
    assert topology.of_groups(hostvars, groups, removed_sensors=["gone-before"])["mistakes"] == []
    wrong = topology.of_groups(hostvars, groups, removed_sensors=["site-proxy"])
    assert wrong["mistakes"] == [
        "site-proxy: topology_removed_sensors has it, and so has the group 'proxies'; take it out of one of them."
    ]
