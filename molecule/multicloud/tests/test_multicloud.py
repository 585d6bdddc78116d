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

NEXT_KEY = "lab.shared.key.2"

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
    assert set(clouds.google.compute.up()) == {"google-plant-1", "google-plant-2"}
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
        "multicloud_shared_key is not set, or is not 8 to 128 printable ASCII characters, of which Azure takes neither",
    ):
        assert sentence in run.text, run.output
    assert clouds.written() == []


def test_check_mode_says_what_would_be_built(clouds: Clouds) -> None:
    run = clouds.run("--check")
    assert run.code == 0, run.output
    assert all(number > 0 for number in changed(run).values()), run.output
    assert clouds.written() == []


def test_what_is_not_there_is_one_sentence(clouds: Clouds) -> None:
    site = {"multicloud_aws_vpc": "vpc-00000bad", "multicloud_aws_route_tables": [clouds.table]}
    change = {"all": {"children": {"cloud_sites": {"hosts": {"aws-plant": site}}}}}
    run = clouds.run(limit="aws-plant", change=change)
    assert run.code != 0
    assert (
        f"aws-plant: multicloud_aws_route_tables has {clouds.table}, and the VPC vpc-00000bad has no such route table."
        in run.text
    ), run.output
    assert clouds.written() == []


def test_what_somebody_else_made_is_neither_changed_nor_removed(clouds: Clouds) -> None:
    clouds.put_others("other-aws", "other-google")
    sites = {
        "aws-plant": {"multicloud_name": "other-aws", **clouds.site},
        "google-plant": {"multicloud_name": "other-google"},
    }
    change = {"all": {"children": {"cloud_sites": {"hosts": sites}}}}
    things = {
        "aws-plant": ("the local network gateway other-aws-1 in Azure", "the virtual private gateway vgw-"),
        "google-plant": (
            "the local network gateway other-google-1 in Azure",
            "the address other-google-2 in Google Cloud",
        ),
    }
    for site, (one, other) in things.items():
        run = clouds.run(limit=site, change=change)
        assert run.code != 0
        for thing in (one, other):
            assert re.search(rf"{site}: {thing}[^.]* is there already and has no tag or description", run.text), (
                run.output
            )
        assert clouds.written() == []
    run = clouds.run("-e", "multicloud_state=absent", change=change)
    assert (run.code, changed(run)) == (0, {"aws-plant": 0, "google-plant": 0}), run.output
    for thing in (*things["aws-plant"], *things["google-plant"]):
        assert f"keep {thing}" in run.text, run.output
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


def test_a_second_run_changes_nothing_though_others_have_set_tags(clouds: Clouds) -> None:
    clouds.tag(policy="theirs", Plant="lab")
    (connection,) = clouds.azure.find("connections", "google-plant-1")
    connection["properties"]["dpdTimeoutSeconds"] = 30
    clouds.azure.put(connection)
    # Nor if the gateway is given by its id, as one of others is.
    proxy = {"azure-proxy": {"azure_proxy_gateway_id": clouds.gateway}}
    groups = {"proxies": {"hosts": proxy}, "cloud_sites": {"hosts": {"aws-plant": clouds.site}}}
    run = clouds.run(change={"all": {"children": groups}})
    assert (run.code, changed(run)) == (0, {"aws-plant": 0, "google-plant": 0}), run.output
    assert clouds.written() == []
    assert clouds.gateway in {one["path"] for one in clouds.azure.sent("GET")}


def test_a_new_key_that_one_end_refuses_leaves_the_other_tunnel_up(clouds: Clouds) -> None:
    clouds.azure.faults({"kind": "forbidden", "path": "connections/google-plant-1/sharedkey$", "method": "PUT"})
    try:
        run = clouds.run("-vvv", limit="google-plant", key=NEXT_KEY)
    finally:
        clouds.azure.faults()
    assert run.code != 0
    assert "google-plant: 'Change the keys of connections that are there' failed" in run.text, run.output
    assert clouds.google.compute.up() == ["google-plant-2"]
    assert_no_key(clouds, run.output)


def test_new_keys_are_at_both_ends_and_one_tunnel_is_always_up(clouds: Clouds) -> None:
    before, theirs = keys_of(clouds), clouds.tag()["policy"]
    tags = json.dumps({"multicloud_tags": {"plant": "lab", "line": "2"}})
    run = clouds.run("-vvv", "-e", "multicloud_rotate_key=true", "-e", tags, key=NEXT_KEY)
    assert run.code == 0, run.output
    assert_both_ends_match(clouds)
    assert clouds.fewest_up == 1
    written = clouds.written()
    assert [name for name in written if name == "ModifyVpnTunnelOptions"] == ["ModifyVpnTunnelOptions"] * 2
    # AWS's tunnels keep their addresses.
    assert not {"CreateVpnConnection", "DeleteVpnConnection"} & set(written)
    (first, second), (last,) = clouds.times("aws", "ModifyVpn"), clouds.times("azure", "aws-plant-2/sharedkey")
    (between,) = clouds.times("azure", "aws-plant-1/sharedkey")
    assert first < between < second < last
    after = keys_of(clouds)
    assert {name for name in VPN if before[name] == after[name]} == set()
    assert after["google-plant-1"] == after["google-plant-2"] == NEXT_KEY
    assert_no_key(clouds, run.output)
    # What others have set stays, and a connection is not written without what it had.
    found = clouds.tag()
    # Google's tunnels are new ones.
    assert {one for one in found["policy"] if "vpnTunnels" not in one} == {
        one for one in theirs if "vpnTunnels" not in one
    }
    assert len([one for one in found["line"] if "googleapis" in one]) == 12
    assert {name for name in VPN if any(one.endswith(f"connections/{name}") for one in found["line"])} == VPN
    assert clouds.connections()["google-plant-1"]["dpdTimeoutSeconds"] == 30
    again = clouds.run("-e", tags, key=NEXT_KEY)
    assert (again.code, changed(again)) == (0, {"aws-plant": 0, "google-plant": 0}), again.output
    assert clouds.written() == []


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
    assert [one["tags"] for one in circuits.values()] == [
        {**tags, "ot-proxy-chaining": f"multicloud/{name}"} for name in ("exchange-plant", "routers-plant")
    ]
    # Once more, with a third site, whose circuit is there already and another one.
    clouds.put_circuit("other-plant", bandwidth=100, tags={"ot-proxy-chaining": "multicloud/other-plant"})
    again = clouds.run(*options, limit="circuit_sites", change=more_sites("other-plant", {}))
    assert changed(again) == {"exchange-plant": 0, "other-plant": 0, "routers-plant": 0}, again.output
    assert again.code != 0
    assert (
        "other-plant: the circuit other-plant in Azure has bandwidth 100, and multicloud_expressroute wants bandwidth 50; no module "
        "changes a circuit that is there, so correct one of the two." in again.text
    ), again.output
    assert clouds.written() == []


# Gone -----------------------------------------------------------------------------------------------------------------


def test_absent_says_what_goes_and_what_stays_and_again_changes_nothing(clouds: Clouds, tmp_path: Path) -> None:
    clouds.put_circuit("other-plant", bandwidth=50)
    options = ("-e", "multicloud_state=absent", "-e", f"multicloud_handover_dir={tmp_path}/sheets")
    other = more_sites("other-plant", {})
    other["all"]["children"]["cloud_sites"] = {"hosts": {"aws-plant": clouds.site}}
    # Google removes a tunnel without its key.
    check = clouds.run("--check", *options, limit="cloud_sites", key="", change=other)
    assert check.code == 0, check.output
    assert clouds.written() == []
    run = clouds.run(*options, limit="cloud_sites", key="", change=other)
    assert run.code == 0, run.output
    for text in (check.text, run.text):
        for words in (
            "remove the connection aws-plant-1 in Azure",
            "remove the VPN connection vpn-",
            "remove the forwarding rule google-plant-2-udp500 in Google Cloud",
            "remove the ExpressRoute circuit routers-plant in Azure",
            "keep the ExpressRoute circuit other-plant in Azure, which this role did not make",
            f"keep the VPC {clouds.vpc} and its route tables in AWS",
            "keep the network plant in Google Cloud",
        ):
            assert words in text, run.output
    assert clouds.connections() == {}
    assert {one["name"] for one in clouds.azure.find("localNetworkGateways")} == {"other-aws-1", "other-google-1"}
    assert [one["name"] for one in clouds.azure.find("expressRouteCircuits")] == ["other-plant"]
    assert {one["name"] for one in clouds.azure.find("virtualNetworkGateways")} == {
        "azure-proxy-gateway",
        "azure-express-gateway",
    }
    assert clouds.aws_tunnels() == []
    customers = clouds.aws.ask("DescribeCustomerGateways").iterfind(".//customerGatewaySet/item")
    assert {one.findtext("state") for one in customers} <= {"deleted"}
    gateways = clouds.aws.ask("DescribeVpnGateways").iterfind(".//vpnGatewaySet/item")
    left = [one.findtext(".//tagSet/item/value") for one in gateways if one.findtext("state") != "deleted"]
    assert left == ["other-aws"]
    vpcs = [one.text for one in clouds.aws.ask("DescribeVpcs").iterfind(".//vpcId")]
    assert clouds.vpc in vpcs
    assert {one["name"] for one in clouds.google.compute.resources()} == {"plant", "other-google-2"}
    again = clouds.run(*options, limit="vpn_sites")
    assert (again.code, changed(again)) == (0, {"aws-plant": 0, "google-plant": 0}), again.output
    assert clouds.written() == []
