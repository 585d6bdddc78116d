# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both ends of a way from another cloud: they match in every valid declaration, and every mistake has its sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.filter.multicloud_plan import multicloud_plan
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import graph_file, topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._cloud import connectivity
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._cloud.multicloud import (
    ipsec as multicloud_ipsec,
)
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._cloud.multicloud.plan import CLOUDS, METHODS
from hypothesis import assume, given
from hypothesis import strategies as st

Json = dict[str, Any]

CIRCUIT: Json = {
    "provider": "Example Exchange",
    "peering_location": "Amsterdam",
    "bandwidth": 50,
    "vlan": 100,
    "peer_asn": 65010,
    "primary_prefix": "192.168.15.16/30",
    "secondary_prefix": "192.168.15.20/30",
}
AZURE: Json = {
    "subscription_id": "00000000-0000-0000-0000-00000000000a",
    "resource_group": "ot-proxy",
    "location": "West Europe",
    "name": "azure-proxy",
    "names": {},
    "address_prefix": "10.60.0.0/26",
    "subnet_id": "",
    "proxy_subnet": "",
    "gateway": "vpn",
    "gateway_id": "",
    "site_prefixes": [],
}
SETTINGS: Json = {
    "state": "present",
    "name": "plant",
    "cloud": "aws",
    "prefixes": ["10.20.0.0/16"],
    "tags": {"plant": "lab"},
    "needs": {"private_addresses": True},
    "method": "",
    "proxy": "azure-proxy",
    "ipsec": {},
    "aws_region": "eu-central-1",
    "aws_vpc": "vpc-0123456789abcdef0",
    "aws_route_tables": ["rtb-01234567"],
    "google_project": "lab-project",
    "google_region": "europe-west3",
    "google_network": "plant",
    "shared_key": "lab.shared.key.1",
    "expressroute": CIRCUIT,
    "azure": AZURE,
}


def planned(**changes: Any) -> Json:
    settings = {**SETTINGS, **changes}
    tunnels = {"plant": {"prefixes": settings["prefixes"]}} if settings["proxy"] else {}
    graph = {"tunnels": tunnels, "proxies": {}, "sensors": {}}
    return multicloud_plan(settings, "plant", topology={"file": graph_file.keep(graph)})


# One declaration, two ends --------------------------------------------------------------------------------------------

networks = st.builds(
    lambda address, length: str(IPv4Network((address & (0xFFFFFFFF << (32 - length)), length))),
    st.integers(0x0A000000, 0x0AFFFFFF),
    st.integers(12, 28),
)


@st.composite
def policies(draw: st.DrawFn, cloud: str) -> Json:
    taken = multicloud_ipsec.TAKEN[cloud]
    chosen: Json = {key: draw(st.sampled_from(sorted(values))) for key, values in taken.items()}
    gcm = chosen["ipsec_encryption"].startswith("GCM")
    chosen["ipsec_integrity"] = chosen["ipsec_encryption"] if gcm else "SHA256"
    chosen["sa_lifetime_seconds"] = draw(st.integers(300, 172799))
    return chosen


@given(data=st.data(), cloud=st.sampled_from(["aws", "google"]), vnet=networks, sites=st.sets(networks, min_size=1))
def test_the_two_ends_of_a_valid_declaration_match(data: st.DataObject, cloud: str, vnet: str, sites: set[str]) -> None:
    assume(not any(IPv4Network(vnet).overlaps(IPv4Network(site)) for site in sites))
    policy = data.draw(policies(cloud))
    plan = planned(cloud=cloud, prefixes=sorted(sites), ipsec=policy, azure={**AZURE, "address_prefix": vnet})
    assert plan["mistakes"] == []
    near, far = plan["azure"], plan["far"]
    # What one end sends into the tunnels is what is behind the other.
    assert set(near["remote"]) == sites
    assert (far["routes"] if cloud == "aws" else far["remote"]) == [vnet]
    # Two tunnels at both ends; those of AWS are in its connection, and named after it.
    assert near["tunnels"] == ["plant-1", "plant-2"]
    if cloud == "google":
        assert far["tunnels"] == near["tunnels"]
    else:
        assert [f"{far['name']}-{number}" for number in (1, 2)] == near["tunnels"]
    # What Azure insists on, the other end proposes.
    names = {"ikeEncryption": "ike_encryption", "ikeIntegrity": "ike_integrity", "dhGroup": "dh_group"}
    names |= {"ipsecEncryption": "ipsec_encryption", "ipsecIntegrity": "ipsec_integrity", "pfsGroup": "pfs_group"}
    for azures, ours in names.items():
        assert near["policy"][azures] in multicloud_ipsec.TAKEN[cloud][ours]


@given(vnet=networks, site=networks)
def test_overlapping_ends_are_never_built(vnet: str, site: str) -> None:
    plan = planned(prefixes=[site], azure={**AZURE, "address_prefix": vnet})
    overlap = IPv4Network(vnet).overlaps(IPv4Network(site))
    assert bool(plan["mistakes"]) == overlap
    assert bool(plan["far"]) != overlap


def test_azures_end_is_where_the_role_azure_proxy_built_it() -> None:
    network = "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/ot-proxy/providers/Microsoft.Network"
    near = planned()["azure"]
    assert near["gateway"] == f"{network}/virtualNetworkGateways/azure-proxy-gateway"
    assert near["gateway_address"] == f"{network}/publicIPAddresses/azure-proxy-gateway-ip"
    assert near["location"] == "westeurope"
    named = planned(azure={**AZURE, "names": {"gateway": "g", "gateway_address": "a"}})["azure"]
    assert (named["gateway"][-2:], named["gateway_address"][-2:]) == ("/g", "/a")


HUB = "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/hub/providers/Microsoft.Network"
OF_OTHERS: Json = {**AZURE, "gateway_id": f"{HUB}/virtualNetworkGateways/hub"}


def test_the_gateway_may_be_of_others() -> None:
    """Only it knows its address; all that is made is in the proxy's resource group."""
    near = planned(azure=OF_OTHERS)["azure"]
    assert (near["gateway"], near["gateway_address"]) == (OF_OTHERS["gateway_id"], "")
    assert near["connections"] == planned()["azure"]["connections"]
    circuit = planned(method="expressroute_customer", azure={**OF_OTHERS, "gateway": "expressroute"})
    assert circuit["azure"]["gateway"] == OF_OTHERS["gateway_id"]


def test_a_proxy_in_a_subnet_of_others_has_that_network() -> None:
    subnet = {"subnet_id": f"{HUB}/virtualNetworks/hub/subnets/proxies", "proxy_subnet": "10.70.0.0/27"}
    azure = {**OF_OTHERS, **subnet, "address_prefix": ""}
    assert planned(azure=azure)["far"]["routes"] == ["10.70.0.0/27"]
    circuit = planned(method="expressroute_provider", azure={**azure, "gateway": "expressroute"})
    assert (circuit["mistakes"], circuit["handover"]["network"]) == ([], "10.70.0.0/27")


# Mistakes -----------------------------------------------------------------------------------------------------------

GOOGLE = {"cloud": "google"}
KEYS = (
    "multicloud_shared_key is not set, or is not 8 to 128 printable ASCII characters, of which Azure takes neither blanks nor '-' "
    "nor '~'"
)
MISTAKES: dict[str, Json] = {
    "multicloud_name 'Plant' is no name that every cloud takes: up to 42 lower case letters, digits and '-', a letter first": {
        "name": "Plant"
    },
    "multicloud_proxy is not set; name the proxy in Azure that its sensors use": {"proxy": ""},
    "azure_proxy_resource_group of azure-proxy is not set": {"azure": {**AZURE, "resource_group": ""}},
    "azure_proxy_proxy_subnet of azure-proxy is not set": {"azure": {**AZURE, "subnet_id": "x", "address_prefix": ""}},
    "azure_proxy_gateway_id of azure-proxy 'hub' is not the id of a gateway, which is /subscriptions/.../providers/"
    "Microsoft.Network/virtualNetworkGateways/*": {"azure": {**AZURE, "gateway_id": "hub"}},
    "azure_proxy_gateway_id of azure-proxy 7 is not a text; put a number in quotes": {
        "azure": {**AZURE, "gateway_id": 7}
    },
    "multicloud_prefixes '10.60.0.0/16' overlaps the VNET 10.60.0.0/26 of azure-proxy": {"prefixes": ["10.60.0.0/16"]},
    "multicloud_prefixes '10.20.0.0/16' overlaps 10.20.4.0/24 of azure_proxy_site_prefixes of azure-proxy, where the site's VPN device "
    "leads": {
        "azure": {**AZURE, "gateway": "local_network", "site_prefixes": ["10.10.0.0/16", "10.20.4.0/24", "wrong"]}
    },
    "multicloud_proxy 'azure-proxy' has azure_proxy_gateway 'expressroute', and a VPN needs 'vpn'": {
        "azure": {**AZURE, "gateway": "expressroute"}
    },
    "multicloud_cloud 'oracle' is no cloud in which the role can build the other end of a VPN; these are aws, google": {
        "cloud": "oracle"
    },
    "multicloud_aws_vpc is not set": {"aws_vpc": ""},
    "multicloud_aws_route_tables is not set": {"aws_route_tables": []},
    "multicloud_google_network is not set": {**GOOGLE, "google_network": ""},
    KEYS: {**GOOGLE, "shared_key": ""},
    "multicloud_aws_region 'Frankfurt' is no region of AWS such as eu-central-1": {"aws_region": "Frankfurt"},
    "multicloud_aws_vpc 'plant' is no id of a VPC such as vpc-0123456789abcdef0": {"aws_vpc": "plant"},
    "multicloud_aws_route_tables 'main' is no id of a route table such as rtb-0123456789abcdef0": {
        "aws_route_tables": ["rtb-01234567", "main"]
    },
    "multicloud_google_region 'europe-west3-a' is no region of Google Cloud such as europe-west3, without a zone": {
        **GOOGLE,
        "google_region": "europe-west3-a",
    },
    "multicloud_google_project 'My Project' is no id of a project in Google Cloud, as it is in its links": {
        **GOOGLE,
        "google_project": "My Project",
    },
    "multicloud_google_network 'Plant' is no name of a network in Google Cloud": {**GOOGLE, "google_network": "Plant"},
    "multicloud_prefixes '169.254.10.0/24' holds addresses that no network behind a gateway of Azure can have": {
        "prefixes": ["169.254.10.0/24"]
    },
    "multicloud_tags 'a/b' is no tag that Azure takes: a name of 1 to 512 characters without < > % & \\ ? / and a value of up to 256": {
        "tags": {"a/b": "lab"}
    },
    "multicloud_tags 'plant' is no tag that AWS takes: a name of up to 128 characters, and letters, digits, blanks and . : / = + - @ _ "
    "in both": {"tags": {"plant": "lab #1"}},
    "multicloud_tags 'Plant' is no label that Google takes: up to 63 lower case letters, digits, '_' and '-' in name and value, a "
    "letter first": {**GOOGLE, "tags": {"Plant": "lab"}},
    "multicloud_tags 'aws:x' is a tag that AWS or the role itself sets": {"tags": {"aws:x": "lab"}},
    "multicloud_tags 'OT-Proxy-Chaining' is the role's own tag": {"tags": {"OT-Proxy-Chaining": "lab"}},
    "multicloud_tags 'Plant, plant' is one tag for Azure, which compares names without case": {
        "tags": {"plant": "a", "Plant": "b"}
    },
    "multicloud_tags has 49 tags; 48 are the most": {"tags": {f"tag{number}": "" for number in range(49)}},
    "multicloud_ipsec 'DES' is no ike_encryption that Azure and aws both take; use one of AES128, AES256": {
        "ipsec": {"ike_encryption": "DES"}
    },
    "multicloud_ipsec 'DHGroup24' is no dh_group that Azure and google both take; use one of DHGroup14, ECP256, ECP384": {
        **GOOGLE,
        "ipsec": {"dh_group": "DHGroup24"},
    },
    "multicloud_ipsec 10 is no sa_lifetime_seconds that Azure takes; use a number from 300 to 172799": {
        "ipsec": {"sa_lifetime_seconds": 10}
    },
    "multicloud_ipsec 'GCMAES256' does not go with the ipsec_integrity 'SHA256'; with GCM both are the same": {
        "ipsec": {"ipsec_encryption": "GCMAES256"}
    },
    "multicloud_ipsec 'list' is no ike_encryption that Azure and aws both take; use one of AES128, AES256": {
        "ipsec": {"ike_encryption": ["AES256"]}
    },
    "multicloud_prefixes '10.20.0.0/16' is not a list of texts": {"prefixes": "10.20.0.0/16"},
    "multicloud_tags 'plant=lab' is not a mapping of texts": {"tags": "plant=lab"},
    "multicloud_expressroute None is not a mapping": {"expressroute": None},
    "multicloud_aws_region 5 is not a text; put a number in quotes": {"aws_region": 5},
    "multicloud_name None is no name that every cloud takes: up to 42 lower case letters, digits and '-', a letter first": {
        "name": None
    },
    "azure_proxy_address_prefix of azure-proxy '10.60.0.5/26' is not an IPv4 network such as 10.60.0.0/26, whose host bits are "
    "zero": {"azure": {**AZURE, "address_prefix": "10.60.0.5/26"}},
    "azure_proxy_resource_group of azure-proxy 2024 is not a text; put a number in quotes": {
        "azure": {**AZURE, "resource_group": 2024}
    },
    "multicloud_ipsec 'colour' is no part of an IPsec policy; known are " + ", ".join(multicloud_ipsec.DEFAULTS): {
        "ipsec": {"colour": "red"}
    },
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_each_mistake_is_one_sentence(sentence: str) -> None:
    plan = planned(**MISTAKES[sentence])
    assert plan["mistakes"] == [f"plant: {sentence}."]
    assert plan["far"] == {}


class _List(list[object]):
    """As ansible-core has some."""


def test_a_list_is_called_one_whoever_made_it() -> None:
    (mistake,) = planned(aws_region=_List(["x"]))["mistakes"]
    assert mistake == "plant: multicloud_aws_region 'list' is not a text; put a number in quotes."


def test_a_tunnel_is_removed_without_its_key() -> None:
    plan = planned(**GOOGLE, state="absent", shared_key="")
    assert plan["mistakes"] == []
    assert plan["far"]["tunnels"] == ["plant-1", "plant-2"]


@pytest.mark.parametrize(
    "key", ["short.7", "x" * 129, "lab-key-12", "lab key 12", "lab~key~12", "lab.kéy.12", "lab.key.12\n"]
)
def test_a_key_is_one_that_both_ends_take(key: str) -> None:
    assert planned(**GOOGLE, shared_key=key)["mistakes"] == [f"plant: {KEYS}."]


@given(st.text(), st.text())
def test_no_key_is_in_a_plan_and_no_key_or_tag_is_passed_that_azure_refuses(key: str, name: str) -> None:
    plan = planned(**GOOGLE, shared_key=key, tags={name: name})
    if not plan["mistakes"]:
        assert re.fullmatch("[!-,.-}]{8,128}", key, re.ASCII)
        assert 0 < len(name) <= 256
        assert not set(name) & set("<>%&\\?/")


def test_a_key_is_not_in_the_plan() -> None:
    assert "lab.shared.key.1" not in json.dumps(planned(**GOOGLE))


@pytest.mark.parametrize("region", ["us-gov-west-1", "ap-southeast-2", "eusc-de-east-1", "us-iso-east-1", "cn-north-1"])
def test_regions_of_aws(region: str) -> None:
    assert planned(aws_region=region)["mistakes"] == []


@pytest.mark.parametrize("region", ["northamerica-northeast1", "me-central2", "africa-south1", "us-east4"])
def test_regions_of_google(region: str) -> None:
    assert planned(**GOOGLE, google_region=region, google_project="example.com:lab-project")["mistakes"] == []


def test_all_mistakes_are_told_at_once() -> None:
    plan = planned(name="Plant", aws_vpc="", ipsec={"pfs_group": "None"})
    assert len(plan["mistakes"]) == 3


WORDS = (
    *CIRCUIT,
    *multicloud_ipsec.DEFAULTS,
    *connectivity.METHODS,
    *AZURE,
    "aws",
    "10.60.0.5/26",
    "192.168.15.16/30",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4),
    max_leaves=10,
)


def anything_for(variables: Iterable[str]) -> st.SearchStrategy[Json]:
    """A few at a time, since what is found first hides the rest."""
    return st.dictionaries(st.sampled_from(list(variables)), ANYTHING, max_size=2)


@given(
    method=st.sampled_from(connectivity.METHODS),
    cloud=st.sampled_from(CLOUDS),
    site=anything_for(key for key in SETTINGS if key != "azure"),
    azure=anything_for(AZURE),
    circuit=anything_for([*CIRCUIT, "tier", "family"]),
    ipsec=anything_for(multicloud_ipsec.DEFAULTS),
)
def test_any_value_of_any_variable_is_used_or_a_mistake(
    method: str, cloud: str, site: Json, azure: Json, circuit: Json, ipsec: Json
) -> None:
    inner = {"azure": {**AZURE, **azure}, "expressroute": {**CIRCUIT, **circuit}, "ipsec": ipsec}
    settings = {**SETTINGS, "cloud": cloud, "method": method, **inner, **site}
    hosts = {
        "azure-proxy": {"squid_kind": "azure", "squid_addresses": ["10.60.0.40"]},
        "plant": {f"multicloud_{key}": settings[key] for key in ("name", "cloud", "proxy", "prefixes")},
    }
    graph = topology.of_groups(hosts, {"proxies": ["azure-proxy"], "cloud_sites": ["plant"]})
    plan = multicloud_plan(settings, "plant", topology={"file": graph_file.keep(graph)})
    json.dumps(plan)
    assert all(isinstance(mistake, str) for mistake in plan["mistakes"])


@pytest.mark.parametrize("gateway", ["vpn", "local_network"])
def test_networks_behind_the_sites_own_device_may_lie_beside_those_of_the_cloud(gateway: str) -> None:
    # Without that device, nobody looks at the list.
    behind = ["10.20.0.0/16"] if gateway == "vpn" else ["10.10.0.0/16"]
    plan = planned(azure={**AZURE, "gateway": gateway, "site_prefixes": behind})
    assert plan["mistakes"] == []


# ExpressRoute ---------------------------------------------------------------------------------------------------------

EXPRESS: Json = {"azure": {**AZURE, "gateway": "expressroute"}, "cloud": "other"}


def test_a_provider_gets_a_sheet_and_own_routers_do_not() -> None:
    provider = planned(**EXPRESS, method="expressroute_provider")
    assert provider["mistakes"] == []
    assert provider["handover"]["links"] == {
        "primary": {"prefix": "192.168.15.16/30", "customer": "192.168.15.17", "azure": "192.168.15.18"},
        "secondary": {"prefix": "192.168.15.20/30", "customer": "192.168.15.21", "azure": "192.168.15.22"},
    }
    own = planned(**EXPRESS, method="expressroute_customer")
    assert own["handover"] == {}
    assert own["azure"]["peering"] == {
        "peeringType": "AzurePrivatePeering",
        "peerASN": 65010,
        "vlanId": 100,
        "primaryPeerAddressPrefix": "192.168.15.16/30",
        "secondaryPeerAddressPrefix": "192.168.15.20/30",
    }


def test_a_circuit_is_compared_with_what_is_there_in_lower_case() -> None:
    plan = planned(**EXPRESS, method="expressroute_customer", expressroute={**CIRCUIT, "bandwidth": "0050"})
    assert plan["azure"]["declared"] == {
        "provider": "example exchange",
        "peering_location": "amsterdam",
        "bandwidth": "50",
        "tier": "standard",
        "family": "metereddata",
    }


CIRCUITS: dict[str, Json] = {
    "multicloud_expressroute.tier 'gold' is none of standard, premium": {"tier": "gold"},
    "multicloud_expressroute.tier None is none of standard, premium": {"tier": None},
    "multicloud_expressroute.family 'x' is none of metereddata, unlimiteddata": {"family": "x"},
    "multicloud_expressroute.vlan None is not set": {"vlan": None},
    "multicloud_expressroute.vlan 5000 is not a VLAN from 1 to 4094": {"vlan": 5000},
    "multicloud_expressroute.bandwidth 60 is none of 50, 100, 200, 500, 1000, 2000, 5000, 10000 Mbit/s": {
        "bandwidth": 60
    },
    "multicloud_expressroute.peer_asn 65515 is not a number of an autonomous system that Azure leaves free": {
        "peer_asn": 65515
    },
    "multicloud_expressroute.provider 5 is not a text; put a number in quotes": {"provider": 5},
    "multicloud_expressroute.peer_asn '"
    + "9" * 197
    + "..."
    + "' is not a number of an autonomous system that Azure leaves free": {"peer_asn": "9" * 5000},
    "multicloud_expressroute.primary_prefix 3232239376 is not an IPv4 network: Expected 4 octets in '3232239376'": {
        "primary_prefix": 3232239376
    },
    "multicloud_expressroute.primary_prefix '192.168.15.16/29' is not a /30": {
        "primary_prefix": "192.168.15.16/29",
        "secondary_prefix": "192.168.16.0/30",
    },
    "multicloud_expressroute.primary_prefix '192.168.15.20/30' overlaps secondary_prefix 192.168.15.20/30": {
        "primary_prefix": "192.168.15.20/30"
    },
    "multicloud_expressroute.secondary_prefix '10.60.0.4/30' overlaps the VNET 10.60.0.0/26": {
        "secondary_prefix": "10.60.0.4/30"
    },
    "multicloud_expressroute 'colour' is no key of a circuit; known are provider, peering_location, bandwidth, vlan, peer_asn, "
    "primary_prefix, secondary_prefix, tier and family": {"colour": "red"},
}


def test_a_prefix_is_sent_in_one_form() -> None:
    written = {"primary_prefix": "192.168.15.16/255.255.255.252", "secondary_prefix": "192.168.15.20/0.0.0.3"}
    plan = planned(**EXPRESS, method="expressroute_provider", expressroute={**CIRCUIT, **written})
    assert plan == planned(**EXPRESS, method="expressroute_provider")


@pytest.mark.parametrize("sentence", CIRCUITS)
def test_a_circuit_with_a_mistake_is_not_ordered(sentence: str) -> None:
    circuit = {**CIRCUIT, **CIRCUITS[sentence]}
    plan = planned(**EXPRESS, method="expressroute_customer", expressroute=circuit)
    assert plan["mistakes"] == [f"plant: {sentence}."]


def test_a_circuit_needs_its_own_gateway() -> None:
    plan = planned(method="expressroute_provider")
    problem = "has azure_proxy_gateway 'vpn', and expressroute_provider needs 'expressroute'"
    assert plan["mistakes"] == [f"plant: multicloud_proxy 'azure-proxy' {problem}."]


def test_what_is_made_of_the_longest_name_is_not_too_long_for_google() -> None:
    name = "p" * 42
    assert planned(cloud="google", name=name)["mistakes"] == []
    assert len(f"{name}-1-255-255-255-255-32") <= 63
    assert len(planned(cloud="google", name=f"{name}p")["mistakes"]) == 1


def test_each_method_of_the_chart_is_known() -> None:
    assert tuple(METHODS) == connectivity.METHODS


def test_public_addresses_need_nothing() -> None:
    plan = planned(method="public", proxy="", cloud="", needs={})
    assert (plan["mistakes"], plan["azure"], plan["far"]) == ([], {}, {})
    assert plan["summary"][0] == "plant: public addresses over the internet; nothing is built"


def test_networks_behind_the_device_may_be_text() -> None:
    azure = {**AZURE, "gateway": "local_network", "site_prefixes": "10.10.0.0/16, 10.20.4.0/24"}
    (mistake,) = planned(azure=azure)["mistakes"]
    assert "overlaps 10.20.4.0/24 of azure_proxy_site_prefixes" in mistake
