# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done, from the plan and from what the clouds answered: all of what is missing, and nothing to what others made."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.filter.multicloud_plan import multicloud_plan
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._cloud.multicloud.found import (
    OWNER,
    TUNNEL,
    merged,
)

Json = dict[str, Any]

MARK = {OWNER: "multicloud/plant"}
KEY = "lab.shared.key.1"
NETWORK = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"
DONE = {"provisioningState": "Succeeded"}
AZURE: Json = {
    "location": "westeurope",
    "gateway": f"{NETWORK}/virtualNetworkGateways/gateway",
    "gateway_address": f"{NETWORK}/publicIPAddresses/ip",
    "local_gateways": f"{NETWORK}/localNetworkGateways",
    "connections": f"{NETWORK}/connections",
    "remote": ["10.20.0.0/16"],
    "policy": {"dhGroup": "DHGroup14"},
    "tags": {"plant": "lab", **MARK},
    "tunnels": ["plant-1", "plant-2"],
}
AWS: Json = {
    "region": "eu-central-1",
    "vpc": "vpc-1",
    "route_tables": ["rtb-1"],
    "routes": ["10.60.0.0/26"],
    "name": "plant",
    "tags": {"plant": "lab", **MARK, "Name": "plant"},
}
GOOGLE: Json = {
    "project": "lab-project",
    "region": "europe-west3",
    "network": "plant",
    "remote": ["10.60.0.0/26"],
    "tunnels": ["plant-1", "plant-2"],
    "labels": {"plant": "lab"},
    "description": f"{OWNER}=multicloud/plant",
}
WANTED: Json = {"state": "present", "proxy": "azure-proxy", "key": KEY, "rotate": False, "made": {}, "only": ""}


def near(addresses: list[str], keys: list[str], *ids: str) -> Json:
    """What Azure has when all is done."""
    names = AZURE["tunnels"]
    gateways, connections = [], []
    for number, (name, address) in enumerate(zip(names, addresses, strict=True)):
        there: Json = {"name": name, "location": "westeurope", "tags": dict(AZURE["tags"])}
        space = {"localNetworkAddressSpace": {"addressPrefixes": AZURE["remote"]}, "gatewayIpAddress": address}
        gateways.append({**there, "id": f"{NETWORK}/localNetworkGateways/{name}", "properties": {**space, **DONE}})
        properties: Json = {
            "connectionType": "IPsec",
            "connectionProtocol": "IKEv2",
            # As Azure writes ids, which it compares without case.
            "virtualNetworkGateway1": {"id": AZURE["gateway"].upper()},
            "localNetworkGateway2": {"id": f"{NETWORK}/localNetworkGateways/{name}"},
            "enableBgp": False,
            "usePolicyBasedTrafficSelectors": False,
            "ipsecPolicies": [AZURE["policy"]],
            "dpdTimeoutSeconds": 30,
            "connectionStatus": "Connected",
            **DONE,
        }
        there["tags"] |= {TUNNEL: ids[number]} if ids else {}
        connections.append({**there, "id": f"{NETWORK}/connections/{name}", "properties": properties})
    answers = [{"item": name, "response": {"value": key}} for name, key in zip(names, keys, strict=True)]
    gateway = [{"name": "ip", "properties": {"ipAddress": "203.0.113.10"}}]
    return {"gateway": gateway, "local_gateways": gateways, "connections": connections, "keys": answers}


def in_aws() -> Json:
    tunnels = [{"outside_ip_address": f"198.51.100.{n}", "pre_shared_key": f"aws.key.{n}"} for n in (2, 1)]
    seen = [{"outside_ip_address": f"198.51.100.{n}", "status": status} for n, status in ((1, "UP"), (2, "DOWN"))]
    connection = {
        "vpn_connection_id": "vpn-1",
        "customer_gateway_id": "cgw-1",
        "vpn_gateway_id": "vgw-1",
        "routes": [{"destination_cidr_block": "10.60.0.0/26"}],
        "options": {"tunnel_options": tunnels},
        "vgw_telemetry": seen,
        "tags": dict(AWS["tags"]),
    }
    gateway = {"vpn_gateway_id": "vgw-1", "tags": [], "resource_tags": dict(AWS["tags"])}
    gateway["vpc_attachments"] = [{"vpc_id": "vpc-1", "state": "attached"}]
    customer = {"customer_gateway_id": "cgw-1", "ip_address": "203.0.113.10", "tags": dict(AWS["tags"])}
    table = {"route_table_id": "rtb-1", "propagating_vgws": [{"gateway_id": "vgw-1"}]}
    return {"customer_gateways": [customer], "gateways": [gateway], "connections": [connection], "tables": [table]}


def in_google() -> Json:
    ours = {"description": GOOGLE["description"], "labels": {"plant": "lab", "policy": "theirs"}}
    end = "https://example.com/projects/lab-project/regions/europe-west3/vpnTunnels"
    found: Json = {kind: [] for kind in ("addresses", "gateways", "rules", "tunnels", "routes")}
    for number, name in enumerate(GOOGLE["tunnels"], 1):
        found["addresses"].append({"name": name, "address": f"198.51.100.{number}", **ours})
        found["gateways"].append({"name": name, **ours})
        found["rules"] += [{"name": f"{name}-{suffix}", **ours} for suffix in ("esp", "udp500", "udp4500")]
        tunnel = {"name": name, "id": f"id{number}", "peerIp": "203.0.113.10", "status": "ESTABLISHED"}
        found["tunnels"].append({**tunnel, **ours})
        route = {"destRange": "10.60.0.0/26", "nextHopVpnTunnel": f"{end}/{name}"}
        found["routes"].append({"name": f"{name}-10-60-0-0-26", **route, **ours})
    return {**found, "networks": None}


@pytest.fixture
def aws() -> Json:
    return {"near": near(["198.51.100.1", "198.51.100.2"], ["aws.key.1", "aws.key.2"]), "far": in_aws()}


@pytest.fixture
def google() -> Json:
    return {"near": near(["198.51.100.1", "198.51.100.2"], [KEY, KEY], "id1", "id2"), "far": in_google()}


def steps(found: Json, cloud: str, **wanted: Any) -> Json:
    planned = {"method": "vpn", "azure": AZURE, "far": AWS if cloud == "aws" else GOOGLE}
    return multicloud_plan(planned, "plant", found=found, wanted={**WANTED, "cloud": cloud, **wanted})


def empty(found: Json) -> Json:
    """As Azure's module says nothing is there."""
    nothing: list[Json] = [{"value": []}]
    found["near"] |= {"local_gateways": nothing, "connections": nothing, "keys": [{"skipped": True}]}
    found["far"] = {kind: [] for kind in found["far"]}
    return found


# Where all is done ---------------------------------------------------------------------------------------------------


def test_nothing_is_done_where_all_is_done(aws: Json, google: Json) -> None:
    for cloud, found in (("aws", aws), ("google", google)):
        said = steps(found, cloud)
        assert (said["lines"], said["refusals"], said["stays"]) == ([], [], [])


@pytest.mark.parametrize("cloud", ["aws", "google"])
def test_tags_of_others_stay_and_change_nothing(cloud: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(cloud)
    for one in (*found["near"]["connections"], *found["near"]["local_gateways"]):
        one["tags"] = {"Plant": "lab", "policy": "theirs", **{k: v for k, v in one["tags"].items() if k != "plant"}}
    assert steps(found, cloud)["lines"] == []
    found["near"]["connections"][0]["tags"].pop("Plant")
    (written,) = steps(found, cloud)["near"]["connections"]
    assert written["body"]["tags"]["policy"] == "theirs"
    # A whole body keeps what others set, has nothing that is read-only, and no key, which a PUT would ignore.
    properties = written["body"]["properties"]
    assert properties["dpdTimeoutSeconds"] == 30
    assert not {"provisioningState", "connectionStatus", "sharedKey"} & set(properties)


def test_labels_that_are_missing_are_a_change(google: Json) -> None:
    google["far"]["rules"][0]["labels"] = {"policy": "theirs"}
    said = steps(google, "google")
    assert said["lines"] == ["change the labels of the forwarding rule plant-1-esp in Google Cloud"]
    assert len(said["far"]["labelled"]) == 12


def test_tags_are_merged_as_azure_compares_them() -> None:
    assert merged({"Plant": "old", "theirs": "1"}, {"plant": "new", "line": "2"}) == {
        "Plant": "new",
        "theirs": "1",
        "line": "2",
    }


# Where nothing is ----------------------------------------------------------------------------------------------------


def test_what_is_missing_is_made(aws: Json, google: Json) -> None:
    tables = aws["far"]["tables"]
    found = empty(aws)
    found["far"]["tables"] = [{**tables[0], "propagating_vgws": []}]
    far = steps(found, "aws")["far"]
    assert (far["customer_gateway"], far["gateway"], far["connection"]) == ("", "", "")
    assert (far["attach"], far["connect"], far["tables"]) == (True, True, ["rtb-1"])
    said = steps(empty(google), "google")
    far = said["far"]
    assert far["addresses"] == far["gateways"] == ["plant-1", "plant-2"]
    assert [(one["name"], one["protocol"], one["port"]) for one in far["rules"][:3]] == [
        ("plant-1-esp", "ESP", ""),
        ("plant-1-udp500", "UDP", "500"),
        ("plant-1-udp4500", "UDP", "4500"),
    ]
    assert [(one["name"], one["remove"], one["gone"]) for one in far["renew"]] == [
        ("plant-1", False, []),
        ("plant-2", False, []),
    ]
    # Azure is told of a tunnel when it is there.
    assert not any(said["near"].values())


def test_a_new_connection_has_its_key_and_the_id_of_its_tunnel(google: Json) -> None:
    google["near"] |= {"connections": [], "keys": []}
    made = steps(google, "google", made={"plant-1": "id1", "plant-2": "id2"}, only="plant-2")
    (written,) = made["near"]["connections"]
    assert (written["name"], written["body"]["properties"]["sharedKey"]) == ("plant-2", KEY)
    assert written["body"]["tags"][TUNNEL] == "id2"


# Keys ----------------------------------------------------------------------------------------------------------------


def test_awss_key_goes_to_azure_by_its_own_call(aws: Json) -> None:
    aws["near"]["keys"][1]["response"]["value"] = "old"
    said = steps(aws, "aws")
    assert said["near"]["new_keys"] == [{"name": "plant-2", "key": "aws.key.2"}]
    assert said["near"]["connections"] == []
    assert steps(aws, "aws", only="plant-1")["near"]["new_keys"] == []


def test_a_rotation_begins_with_the_tunnel_that_is_down(aws: Json) -> None:
    far = steps(aws, "aws", rotate=True)["far"]
    assert [(one["name"], one["is_up"]) for one in far["renew"]] == [("plant-2", False), ("plant-1", True)]
    assert far["up"] == ["plant-1"]


def test_a_key_that_aws_does_not_show_is_a_refusal(aws: Json) -> None:
    del aws["far"]["connections"][0]["options"]["tunnel_options"][0]["pre_shared_key"]
    assert steps(aws, "aws")["refusals"] == ["plant: AWS does not show the keys of the VPN connection vpn-1."]


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("key", "another key in Azure"),
        ("id", "the id of a tunnel that is no more"),
        ("peerIp", "192.0.2.1"),
    ],
)
def test_a_tunnel_of_google_whose_key_nobody_knows_is_made_anew(google: Json, what: str, value: str) -> None:
    if what == "key":
        google["near"]["keys"][0]["response"]["value"] = value
    elif what == "id":
        google["near"]["connections"][0]["tags"][TUNNEL] = value
    else:
        google["far"]["tunnels"][0][what] = value
    google["far"]["tunnels"][0]["status"] = "AUTHORIZATION_ERROR"
    said = steps(google, "google")
    (tunnel,) = said["far"]["renew"]
    assert (tunnel["name"], tunnel["remove"], tunnel["is_up"]) == ("plant-1", True, False)
    assert tunnel["gone"] == [{"name": "plant-1-10-60-0-0-26", "network": "10.60.0.0/26"}]
    # Not before it is made.
    assert said["near"]["new_keys"] == []
    made = steps(google, "google", made={"plant-1": "id3"}, only="plant-1")["near"]
    assert made["connections"][0]["body"]["tags"][TUNNEL] == "id3"
    assert bool(made["new_keys"]) == (what == "key")


def test_a_route_of_others_into_a_tunnel_that_has_to_go_is_a_refusal(google: Json) -> None:
    google["far"]["routes"].append({**google["far"]["routes"][0], "name": "theirs", "description": ""})
    assert steps(google, "google")["refusals"] == []
    (said,) = steps(google, "google", key="lab.shared.key.2")["refusals"]
    assert said.startswith("plant: the route theirs leads into the tunnel plant-1")


def test_routes_to_networks_that_azure_has_no_more_go(google: Json) -> None:
    old = {**google["far"]["routes"][0], "name": "plant-1-10-61-0-0-26", "destRange": "10.61.0.0/26"}
    google["far"]["routes"] = [old, google["far"]["routes"][1]]
    far = steps(google, "google")["far"]
    assert far["gone"] == [{"name": "plant-1-10-61-0-0-26", "network": "10.61.0.0/26"}]
    assert [one["name"] for one in far["routes"]] == ["plant-1-10-60-0-0-26"]


# What others made ----------------------------------------------------------------------------------------------------

OTHERS: dict[str, tuple[str, str, str, int]] = {
    "the local network gateway plant-1 in Azure": ("google", "near", "local_gateways", 0),
    "the connection plant-2 in Azure": ("aws", "near", "connections", 1),
    "the VPN connection vpn-1 in AWS": ("aws", "far", "connections", 0),
    "the virtual private gateway vgw-1 in AWS": ("aws", "far", "gateways", 0),
    "the address plant-1 in Google Cloud": ("google", "far", "addresses", 0),
    "the target VPN gateway plant-1 in Google Cloud": ("google", "far", "gateways", 0),
    "the forwarding rule plant-1-esp in Google Cloud": ("google", "far", "rules", 0),
    "the VPN tunnel plant-2 in Google Cloud": ("google", "far", "tunnels", 1),
    "the route plant-2-10-60-0-0-26 in Google Cloud": ("google", "far", "routes", 1),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_others_made_is_refused_and_stays(what: str, request: pytest.FixtureRequest) -> None:
    cloud, end, kind, place = OTHERS[what]
    found = request.getfixturevalue(cloud)
    one = found[end][kind][place]
    one["description"] = "theirs"
    for tags in ("tags", "resource_tags"):
        if isinstance(one.get(tags), dict):
            # Another site's is another's, too.
            one[tags] |= {OWNER: "multicloud/other"}
    said = steps(found, cloud)
    assert any(refusal.startswith(f"plant: {what} is there already") for refusal in said["refusals"])
    gone = steps(found, cloud, state="absent")
    assert f"keep {what}, which this role did not make" in gone["stays"]
    assert f"remove {what}" not in gone["lines"]


def test_a_customer_gateway_of_others_is_used_and_stays(aws: Json) -> None:
    aws["far"]["customer_gateways"][0]["tags"] = {"Name": "theirs"}
    assert steps(aws, "aws")["lines"] == []
    gone = steps(aws, "aws", state="absent")
    assert gone["far"]["customer_gateways"] == []


def test_of_two_customer_gateways_with_one_address_none_is_removed(aws: Json) -> None:
    # The module removes the first one that has the address.
    aws["far"]["customer_gateways"].append({**aws["far"]["customer_gateways"][0], "tags": {}})
    gone = steps(aws, "aws", state="absent")
    assert gone["far"]["customer_gateways"] == []
    assert "keep the customer gateway cgw-1 (203.0.113.10) in AWS, which may be somebody else's" in gone["stays"]


def test_of_two_customer_gateways_that_of_the_connection_is_used(aws: Json) -> None:
    theirs = {"customer_gateway_id": "cgw-0", "ip_address": "203.0.113.10", "tags": {}}
    aws["far"]["customer_gateways"].insert(0, theirs)
    assert steps(aws, "aws")["lines"] == []
    aws["far"]["connections"][0]["customer_gateway_id"] = "cgw-0"
    assert steps(aws, "aws")["far"]["customer_gateway"] == "cgw-0"
    aws["far"]["connections"][0]["customer_gateway_id"] = "cgw-9"
    far = steps(aws, "aws")["far"]
    assert (far["old"], far["customer_gateway"], far["connection"]) == (["vpn-1"], "cgw-1", "")


def test_a_vpc_with_another_gateway_is_a_refusal(aws: Json) -> None:
    aws["far"]["gateways"][0]["resource_tags"] = {"Name": "theirs"}
    (said,) = steps(aws, "aws")["refusals"]
    assert said.startswith("plant: the VPC vpc-1 has the virtual private gateway vgw-1, which this role did not make")


def test_all_of_ours_goes(aws: Json, google: Json) -> None:
    gone = steps(aws, "aws", state="absent")
    assert [one.rpartition("/")[2] for one in gone["near"]["remove"]] == ["plant-1", "plant-2", "plant-1", "plant-2"]
    ours = {"connections": ["vpn-1"], "gateways": ["vgw-1"], "customer_gateways": ["203.0.113.10"]}
    assert gone["far"] == {**gone["far"], **ours}
    gone = steps(google, "google", state="absent")
    assert {kind: len(names) for kind, names in gone["far"].items() if names} == {
        "routes": 2,
        "tunnels": 2,
        "rules": 6,
        "gateways": 2,
        "addresses": 2,
    }


def test_what_is_not_there_is_a_refusal(aws: Json, google: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    aws["far"]["tables"] = []
    said = "plant: multicloud_aws_route_tables has rtb-1, and the VPC vpc-1 has no such route table."
    assert steps(aws, "aws")["refusals"] == [said]
    found = empty(copy.deepcopy(google))
    said = "plant: multicloud_google_network is plant, and the project lab-project has no such network."
    assert steps(found, "google")["refusals"] == [said]
    google["near"]["gateway"] = [{"error": {"code": "ResourceNotFound"}}]
    said = f"plant: Azure has no VPN gateway with a public address at {AZURE['gateway']}; "
    assert steps(google, "google")["refusals"] == [f"{said}build the proxy azure-proxy first, with the playbook azure."]
    # One of others knows its address alone, which only a gateway for a VPN has.
    monkeypatch.setitem(AZURE, "gateway_address", "")
    google["near"]["gateway"] = [{"name": "hub", "properties": {"gatewayType": "ExpressRoute"}}]
    assert steps(google, "google")["refusals"] == [f"{said}correct azure_proxy_gateway_id of azure-proxy."]


# A circuit -----------------------------------------------------------------------------------------------------------

CIRCUIT: Json = {
    "method": "expressroute_customer",
    "handover": {},
    "azure": {
        "location": "westeurope",
        "gateway": f"{NETWORK}/virtualNetworkGateways/gateway",
        "circuit": f"{NETWORK}/expressRouteCircuits/plant",
        "circuit_name": "plant",
        "connection": f"{NETWORK}/connections/plant",
        "declared": {"provider": "example", "peering_location": "amsterdam", "bandwidth": "50", "tier": "standard"},
        "peering": {"vlanId": 100},
        "tags": dict(MARK),
    },
}


def circuit(state: str = "present", **changes: Any) -> Json:
    provider = {"serviceProviderName": "Example", "peeringLocation": "Amsterdam", "bandwidthInMbps": 50}
    peering = {"name": "AzurePrivatePeering", "properties": {"vlanId": 100, "state": "Enabled"}}
    properties = {"serviceProviderProvisioningState": "Provisioned", "serviceProviderProperties": provider}
    there = {"name": "plant", "id": CIRCUIT["azure"]["circuit"], "tags": {**MARK, "policy": "theirs"}}
    found: Json = {
        "gateway": [{"name": "gateway", "properties": {"gatewayType": "ExpressRoute"}}],
        "circuit": [{**there, "sku": {"tier": "Standard"}, "properties": {**properties, "peerings": [peering]}}],
        "connection": [{**there, "id": CIRCUIT["azure"]["connection"], "properties": {}}],
        **changes,
    }
    return multicloud_plan(
        CIRCUIT, "plant", found={"near": found, "far": {}}, wanted={**WANTED, "cloud": "other", "state": state}
    )


NOTHING: list[Json] = [{"error": {"code": "ResourceNotFound"}}]


def test_a_circuit_that_is_done_is_left_alone() -> None:
    said = circuit()
    assert (said["lines"], said["refusals"]) == ([], [])


def test_a_circuit_and_its_connection_get_their_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CIRCUIT["azure"], "tags", {**MARK, "line": "2"})
    written = circuit()["near"]["tags"]
    assert [one["url"].rpartition("/")[0] for one in written] == [
        f"{NETWORK}/connections",
        f"{NETWORK}/expressRouteCircuits",
    ]
    assert all(one["body"]["tags"] == {**MARK, "line": "2", "policy": "theirs"} for one in written)


def test_a_circuit_is_ordered_and_connected_later() -> None:
    said = circuit(circuit=NOTHING, connection=NOTHING)
    assert (said["near"]["order"], said["near"]["provisioned"], said["near"]["connection"]) == (True, False, {})
    said = circuit(connection=NOTHING)
    assert said["near"]["connection"]["properties"]["peer"] == {"id": CIRCUIT["azure"]["circuit"]}


def test_no_circuit_is_ordered_without_a_gateway() -> None:
    (said,) = circuit(circuit=NOTHING, connection=NOTHING, gateway=NOTHING)["refusals"]
    assert said.startswith("plant: Azure has no ExpressRoute gateway at ")


def test_a_circuit_of_others_is_refused_and_stays() -> None:
    theirs = [{"name": "plant", "id": "x", "tags": {"plant": "lab"}, "properties": {}}]
    assert any("is there already" in said for said in circuit(circuit=theirs)["refusals"])
    gone = circuit("absent", circuit=theirs)
    assert gone["near"]["remove"] == [CIRCUIT["azure"]["connection"]]
    assert gone["stays"][0] == "keep the ExpressRoute circuit plant in Azure, which this role did not make"
