"""Sites in AWS and in Google Cloud come to the proxy in Azure, and two more by ExpressRoute; the order of the tests is the story.

The modules are the real ones, the clouds are not. What is compared is what both ends were told.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import play
import pytest
from clouds_lab import GATEWAY, KEY, Clouds

NEXT_KEY = "lab-shared-key-2"
VPN = {"aws-plant-1", "aws-plant-2", "google-plant-1", "google-plant-2"}
POLICY = {
    "saLifeTimeSeconds": 3600,
    "saDataSizeKilobytes": 102400000,
    "ipsecEncryption": "AES256",
    "ipsecIntegrity": "SHA256",
    "ikeEncryption": "AES256",
    "ikeIntegrity": "SHA256",
    "dhGroup": "DHGroup14",
    "pfsGroup": "PFS2048",
}

LOST_PROXY = {
    "squid_kind": "azure",
    "squid_addresses": ["10.62.0.40"],
    "azure_proxy_resource_group": "ot-express",
    "azure_proxy_location": "West Europe",
    "azure_proxy_address_prefix": "10.62.0.0/26",
    "azure_proxy_gateway": "expressroute",
}


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clouds]:
    stand_ins = Clouds(tmp_path_factory.mktemp("clouds"))
    yield stand_ins
    violations = stand_ins.violations()
    stand_ins.stop()
    assert violations == []


def changed(run: play.Run) -> dict[str, int]:
    """How many tasks changed something, for each site."""
    return {host: int(number) for host, number in re.findall(r"(?m)^(\S+-plant)\s.*changed=(\d+)", run.output)}


def keys_of(clouds: Clouds) -> dict[str, str]:
    return {name: one["sharedKey"] for name, one in clouds.connections().items() if "sharedKey" in one}


def more_sites(name: str, site: dict[str, Any], proxies: dict[str, Any] | None = None) -> dict[str, Any]:
    """One site more that uses ExpressRoute. It comes last."""
    site = {"multicloud_cloud": "other", "multicloud_prefixes": ["10.42.0.0/16"], **site}
    return {"all": {"children": {"circuit_sites": {"hosts": {name: site}}, "proxies": {"hosts": proxies or {}}}}}


def assert_both_ends_match(clouds: Clouds) -> None:
    """Every tunnel of AWS and Google has its connection in Azure, and they agree on all that two ends must agree on."""
    connections = {name: one for name, one in clouds.connections().items() if name in VPN}
    assert set(connections) == VPN
    far = {name: (one["far"]["gatewayIpAddress"], one["sharedKey"]) for name, one in connections.items()}
    assert [far["aws-plant-1"], far["aws-plant-2"]] == clouds.aws_tunnels()
    assert len(set(clouds.aws_tunnels())) == 2
    tunnels = {one["name"]: one for one in clouds.google.compute.resources("vpnTunnels")}
    addresses = {one["selfLink"]: one["address"] for one in clouds.google.compute.resources("addresses")}
    rules = clouds.google.compute.resources("forwardingRules")
    assert set(tunnels) == {"google-plant-1", "google-plant-2"}
    for name, tunnel in tunnels.items():
        gateway = tunnel["targetVpnGateway"]
        served = {one["IPAddress"] for one in rules if one["target"].rpartition("/")[2] == gateway.rpartition("/")[2]}
        (address,) = {addresses.get(one, one) for one in served}
        assert far[name] == (address, tunnel["sharedSecret"])
        assert (tunnel["peerIp"], tunnel["ikeVersion"]) == (GATEWAY, 2)
        assert tunnel["localTrafficSelector"] == tunnel["remoteTrafficSelector"] == ["0.0.0.0/0"]
    # What one end sends into the tunnels is what is behind the other.
    for name, one in connections.items():
        site = "10.20.0.0/16" if name.startswith("aws") else "10.30.0.0/16"
        assert one["far"]["localNetworkAddressSpace"]["addressPrefixes"] == [site]
        assert one["ipsecPolicies"] == [POLICY]
        assert (one["connectionType"], one["connectionProtocol"]) == ("IPsec", "IKEv2")
    routes = clouds.google.compute.resources("routes")
    assert sorted((one["destRange"], one["nextHopVpnTunnel"].rpartition("/")[2]) for one in routes) == [
        ("10.60.0.0/26", "google-plant-1"),
        ("10.60.0.0/26", "google-plant-2"),
    ]
    assert len({one["priority"] for one in routes}) == 1
    found = [one.findtext(".//routes/item/destinationCidrBlock") for one in clouds.aws_connections()]
    assert found == ["10.60.0.0/26"]
    customer = clouds.aws.ask("DescribeCustomerGateways").findtext(".//customerGatewaySet/item/ipAddress")
    assert customer == GATEWAY


def assert_no_key(clouds: Clouds, *outputs: str) -> None:
    for key in {KEY, NEXT_KEY, *keys_of(clouds).values()}:
        for output in outputs:
            assert key not in output


# Before anything is there ---------------------------------------------------------------------------------------------


def test_a_plan_says_which_way_each_site_takes_and_asks_nobody(clouds: Clouds) -> None:
    run = clouds.run("--tags", "plan", limit="cloud_sites")
    assert run.code == 0, run.output
    for words in (
        "aws-plant: two VPN tunnels to Azure",
        "google-plant: two VPN tunnels to Azure",
        "exchange-plant: an ExpressRoute circuit whose routers are a cloud exchange provider's",
        "routers-plant: an ExpressRoute circuit between the site's own routers and Azure",
        "public-plant: public addresses over the internet; nothing is built",
    ):
        assert words in run.text, run.output
    assert clouds.written() == []


def test_every_mistake_is_told_before_the_first_call(clouds: Clouds) -> None:
    wrong: dict[str, Any] = {
        "aws-plant": {"multicloud_prefixes": ["10.60.0.0/16"], "multicloud_aws_vpc": ""},
        "google-plant": {"multicloud_ipsec": {"dh_group": "DHGroup1"}, "multicloud_prefixes": ["10.10.0.0/16"]},
    }
    device = {"azure_proxy_gateway": "local_network", "azure_proxy_site_prefixes": ["10.10.1.0/24"]}
    groups = {"cloud_sites": {"hosts": wrong}, "proxies": {"hosts": {"azure-proxy": device}}}
    # The other sites have none.
    run = clouds.run(limit="vpn_sites:circuit_sites", key="short", change={"all": {"children": groups}})
    assert run.code != 0
    for sentence in (
        "multicloud_prefixes '10.60.0.0/16' overlaps the VNET 10.60.0.0/26 of azure-proxy",
        "multicloud_prefixes '10.10.0.0/16' overlaps 10.10.1.0/24 of azure_proxy_site_prefixes of azure-proxy",
        "multicloud_aws_vpc is not set",
        "multicloud_ipsec 'DHGroup1' is no dh_group that Azure and google both take",
        "multicloud_shared_key is not set, or is not 8 to 128 printable ASCII characters",
    ):
        assert sentence in run.text, run.output
    assert clouds.written() == []


def test_check_mode_says_what_would_be_built(clouds: Clouds) -> None:
    run = clouds.run("--check")
    assert run.code == 0, run.output
    assert all(number > 0 for number in changed(run).values()), run.output
    assert clouds.written() == []


def test_what_is_not_there_is_one_sentence(clouds: Clouds) -> None:
    site = {"multicloud_aws_vpc": "vpc-0bad", "multicloud_aws_route_tables": [clouds.table]}
    change = {"all": {"children": {"cloud_sites": {"hosts": {"aws-plant": site}}}}}
    run = clouds.run(limit="aws-plant", change=change)
    assert run.code != 0
    assert (
        f"aws-plant: multicloud_aws_route_tables has {clouds.table}, and the VPC vpc-0bad has no such route table."
        in run.text
    ), run.output
    assert clouds.written() == []


def test_a_cloud_that_refuses_is_one_sentence_and_the_next_run_goes_on(clouds: Clouds) -> None:
    clouds.azure.faults({"kind": "forbidden", "path": "connections/aws-plant-1$", "method": "PUT"})
    try:
        run = clouds.run(limit="aws-plant")
    finally:
        clouds.azure.faults()
    assert run.code != 0
    assert "aws-plant: 'Connect both' failed, since the account may not do this" in run.text, run.output
    assert_no_key(clouds, run.output)


# There they are -------------------------------------------------------------------------------------------------------


def test_both_vpns_are_built_from_both_ends(clouds: Clouds) -> None:
    run = clouds.run("-vvv")
    assert run.code == 0, run.output
    assert_both_ends_match(clouds)
    assert keys_of(clouds)["google-plant-1"] == KEY
    assert_no_key(clouds, run.output)


def test_a_second_run_changes_nothing(clouds: Clouds) -> None:
    run = clouds.run()
    assert (run.code, changed(run)) == (0, {"aws-plant": 0, "google-plant": 0}), run.output
    assert clouds.written() == []


def test_new_keys(clouds: Clouds) -> None:
    before = keys_of(clouds)
    run = clouds.run("-vvv", "-e", "multicloud_rotate_key=true", key=NEXT_KEY)
    assert run.code == 0, run.output
    assert_both_ends_match(clouds)
    after = keys_of(clouds)
    assert {name for name in VPN if before[name] == after[name]} == set()
    assert after["google-plant-1"] == after["google-plant-2"] == NEXT_KEY
    assert_no_key(clouds, run.output)


# ExpressRoute ---------------------------------------------------------------------------------------------------------


def test_a_circuit_is_ordered_and_the_provider_gets_a_sheet(clouds: Clouds, tmp_path: Path) -> None:
    # A third site, which comes last, leads to a proxy whose gateway nobody has built.
    change = more_sites("lost-plant", {"multicloud_proxy": "lost-proxy"}, {"lost-proxy": LOST_PROXY})
    run = clouds.run("-e", f"multicloud_handover_dir={tmp_path}/sheets", limit="circuit_sites", change=change)
    assert run.code != 0
    assert re.search(
        r"lost-plant: Azure has no ExpressRoute gateway at \S+/lost-proxy-gateway; build the proxy lost-proxy", run.text
    )
    circuits = {one["name"]: one for one in clouds.azure.find("expressRouteCircuits")}
    assert set(circuits) == {"exchange-plant", "routers-plant"}
    provider = circuits["exchange-plant"]["properties"]["serviceProviderProperties"]
    assert (provider["serviceProviderName"], provider["peeringLocation"]) == ("Example Exchange", "Amsterdam")
    assert str(provider["bandwidthInMbps"]) == "50"
    sheet = tmp_path / "sheets/exchange-plant.md"
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    key = circuits["exchange-plant"]["properties"]["serviceKey"]
    for words in (
        key,
        "| VLAN | 100 |",
        "| primary | 192.168.15.16/30 | 192.168.15.17 | 192.168.15.18 |",
        "10.40.0.0/16",
    ):
        assert words in sheet.read_text()
    assert key not in run.output
    assert not (tmp_path / "sheets/routers-plant.md").exists()
    for name in circuits:
        assert f"The circuit {name} waits for Example Exchange" in run.text
    assert {name for name in clouds.connections() if name not in VPN} == set()


def test_a_provisioned_circuit_is_connected(clouds: Clouds, tmp_path: Path) -> None:
    # An exchange provider makes the peering too. With new tags it stays.
    clouds.provision("exchange-plant", {"name": "AzurePrivatePeering", "properties": {"vlanId": 200}})
    clouds.provision("routers-plant")
    tags = {"plant": "lab", "line": "2"}
    options = (
        "-e",
        f"multicloud_handover_dir={tmp_path}/sheets",
        "-e",
        json.dumps({"multicloud_tags": tags}),
    )
    run = clouds.run(*options, limit="circuit_sites")
    assert run.code == 0, run.output
    for name in ("exchange-plant", "routers-plant"):
        assert clouds.connections()[name]["peer"]["id"].endswith(f"/expressRouteCircuits/{name}")
    circuits = {one["name"]: one for one in clouds.azure.find("expressRouteCircuits")}
    assert {
        name: [each["properties"]["vlanId"] for each in one["properties"]["peerings"]] for name, one in circuits.items()
    } == {"exchange-plant": [200], "routers-plant": [101]}
    assert [one["tags"] for one in circuits.values()] == [tags, tags]
    # Once more, with a third site, whose circuit is there already and another one.
    clouds.put_circuit("other-plant", bandwidth=100)
    again = clouds.run(*options, limit="circuit_sites", change=more_sites("other-plant", {}))
    assert changed(again) == {"exchange-plant": 0, "other-plant": 0, "routers-plant": 0}, again.output
    assert again.code != 0
    assert (
        "other-plant: the circuit other-plant in Azure has bandwidth 100, and multicloud_expressroute wants bandwidth 50; no module "
        "changes a circuit that is there, so correct one of the two." in again.text
    ), again.output
    assert clouds.written() == []


# Gone -----------------------------------------------------------------------------------------------------------------


def test_absent_leaves_what_was_there_before_and_again_changes_nothing(clouds: Clouds, tmp_path: Path) -> None:
    options = ("-e", "multicloud_state=absent", "-e", f"multicloud_handover_dir={tmp_path}/sheets")
    # Google removes a tunnel without its key.
    run = clouds.run(*options, limit="cloud_sites", key="")
    assert run.code == 0, run.output
    assert clouds.connections() == {}
    assert clouds.azure.find("localNetworkGateways") == []
    assert [one["name"] for one in clouds.azure.find("expressRouteCircuits")] == ["other-plant"]
    assert {one["name"] for one in clouds.azure.find("virtualNetworkGateways")} == {
        "azure-proxy-gateway",
        "azure-express-gateway",
    }
    assert clouds.aws_tunnels() == []
    for action, kind in (("DescribeCustomerGateways", "customerGatewaySet"), ("DescribeVpnGateways", "vpnGatewaySet")):
        states = {one.text for one in clouds.aws.ask(action).iterfind(f".//{kind}/item/state")}
        assert states <= {"deleted"}, action
    vpcs = [one.text for one in clouds.aws.ask("DescribeVpcs").iterfind(".//vpcId")]
    assert clouds.vpc in vpcs
    assert [one["name"] for one in clouds.google.compute.resources()] == ["plant"]
    again = clouds.run(*options, limit="vpn_sites")
    assert (again.code, changed(again)) == (0, {"aws-plant": 0, "google-plant": 0}), again.output
    assert clouds.written() == []
