# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for Azure fills in what Azure fills in, and keeps to itself what Azure does."""

from __future__ import annotations

import base64

import pytest

from .client import (
    ADDRESS,
    BALANCER,
    FLOW_LOG,
    GATEWAY,
    GATEWAY_SUBNET,
    GROUP,
    NAT,
    NET,
    REGION,
    SCALE_SET,
    SECURITY,
    STORAGE,
    SUBNET,
    WORKSPACE,
    WORLD,
    Azure,
    Json,
    network,
    of,
    ref,
    rule,
    scale_set,
    subnet,
)

SIZE = {"name": "Standard_DS1_v2", "capacity": 2}
POINT_TO_SITE: Json = {
    "vpnClientConfiguration": {"vpnClientAddressPool": {"addressPrefixes": ["172.31.0.0/24"]}},
    "customRoutes": {"addressPrefixes": ["10.8.0.0/16"]},
}
DIAGNOSTICS = f"{SECURITY}/providers/Microsoft.Insights/diagnosticSettings/to-workspace"


def test_takes_a_moment(azure: Azure) -> None:
    """A new resource is not ready at once."""
    answer = azure.ask("PUT", NET, {"location": "West Europe", "properties": network()})
    assert answer.status_code == 201
    assert answer.json()["properties"]["provisioningState"] == "Updating"
    assert azure.wait(answer) == {"status": "Succeeded"}
    found = azure.get(NET)
    assert found["properties"]["provisioningState"] == "Succeeded"
    assert found["location"] == "westeurope"
    assert azure.ask("PUT", NET, {"location": "westeurope", "properties": network()}).status_code == 200


def test_fills_in_defaults(site: Azure) -> None:
    """Those that clients compare with what they want."""
    assert len(site.get(SECURITY)["properties"]["defaultSecurityRules"]) == 6
    assert site.get(SUBNET)["properties"]["privateEndpointNetworkPolicies"] == "Disabled"
    assert site.get(ADDRESS)["properties"]["ipAddress"].startswith("203.0.113.")
    frontend = site.get(BALANCER)["properties"]["frontendIPConfigurations"][0]
    assert frontend["properties"]["privateIPAddress"] == "10.0.0.4"
    assert site.get(BALANCER)["properties"]["loadBalancingRules"][0]["properties"]["idleTimeoutInMinutes"] == 4
    account = site.put(STORAGE, sku={"name": "Standard_LRS"}, kind="StorageV2")
    assert account["properties"]["primaryEndpoints"]["blob"] == "https://logs123.blob.core.windows.net/"
    assert account["sku"]["tier"] == "Standard"
    assert len(site.put(WORKSPACE)["properties"]["customerId"]) == 36
    assert site.get(f"{STORAGE}/blobServices/default")["name"] == "default"


def test_shows_who_refers_to_it(site: Azure) -> None:
    """Subnets, security groups, NAT gateways and addresses know their users."""
    site.put(SCALE_SET, scale_set(), sku=SIZE)
    holders = [item["id"] for item in site.get(SUBNET)["properties"]["ipConfigurations"]]
    assert holders[0] == f"{BALANCER}/frontendIPConfigurations/front"
    assert len(holders) == 3
    assert site.get(SECURITY)["properties"]["subnets"] == [ref(SUBNET)]
    assert site.get(NAT)["properties"]["subnets"] == [ref(SUBNET)]
    assert site.get(ADDRESS)["properties"]["natGateway"] == ref(NAT)


def test_a_subnet_loses_what_is_left_out(site: Azure) -> None:
    """The whole subnet is written each time; the network's own PUT leaves subnets alone when it has none."""
    site.put(NET, {"addressSpace": {"addressPrefixes": ["10.0.0.0/24"]}})
    assert site.get(SUBNET)["properties"]["natGateway"] == ref(NAT)
    routes = of("routeTables", "routes")
    site.put(routes, {"routes": []})
    site.put(SUBNET, {"addressPrefix": "10.0.0.0/27", "routeTable": ref(routes), "natGateway": ref(NAT)})
    assert site.get(SUBNET)["properties"]["routeTable"] == ref(routes)
    site.put(SUBNET, {"addressPrefix": "10.0.0.0/27"})
    assert "routeTable" not in site.get(SUBNET)["properties"]
    assert "natGateway" not in site.get(SUBNET)["properties"]
    assert "networkSecurityGroup" not in site.get(SUBNET)["properties"]


def test_never_shows_secrets(site: Azure) -> None:
    """They stay when the next PUT lacks them, and tests can see them."""
    data = base64.b64encode(b"#cloud-config").decode()
    site.put(SCALE_SET, scale_set(customData=data, adminPassword="secret"), sku=SIZE)
    found = site.put(SCALE_SET, scale_set(), sku=SIZE)
    assert {"customData", "adminPassword"}.isdisjoint(found["properties"]["virtualMachineProfile"]["osProfile"])
    kept = next(item for item in site.control("GET", "/resources") if item["id"] == SCALE_SET)
    assert kept["properties"]["virtualMachineProfile"]["osProfile"]["customData"] == data


def test_shared_keys_have_their_own_address(azure: Azure) -> None:
    """As pre-shared keys of connections do."""
    azure.control("PUT", "/resources", [{"id": of("connections", "c"), "properties": {"sharedKey": "one"}}])
    key = of("connections", "c/sharedkey")
    assert azure.get(key) == {"value": "one"}
    assert "sharedKey" not in azure.get(of("connections", "c"))["properties"]
    assert azure.ask("PUT", key, {"value": "two"}).json() == {"value": "two"}
    assert azure.get(key) == {"value": "two"}


def _connection(site: Azure) -> Json:
    """Make a gateway and its peer, and return the properties of a connection between them."""
    address, peer = of("publicIPAddresses", "outside"), of("localNetworkGateways", "peer")
    site.put(address, {"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"}, zones=["1"])
    ends = {"subnet": ref(GATEWAY_SUBNET), "publicIPAddress": ref(address)}
    site.put(GATEWAY, {"ipConfigurations": [{"name": "default", "properties": ends}], **POINT_TO_SITE})
    site.put(peer, {"gatewayIpAddress": "192.0.2.1"})
    return {"connectionType": "IPsec", "virtualNetworkGateway1": ref(GATEWAY), "localNetworkGateway2": ref(peer)}


def test_a_put_of_a_connection_leaves_its_key(site: Azure) -> None:
    """Only the key's own call changes it; the answer to the PUT does not say so."""
    connection, path = _connection(site), of("connections", "c")
    site.put(path, connection | {"sharedKey": "one"})
    site.put(path, connection | {"sharedKey": "two", "routingWeight": 5})
    assert site.get(path)["properties"]["routingWeight"] == 5
    assert site.get(f"{path}/sharedkey") == {"value": "one"}
    site.put(path, connection)
    assert site.get(f"{path}/sharedkey") == {"value": "one"}
    assert site.ask("PUT", f"{path}/sharedkey", {"value": "schlüssel"}).status_code == 400
    assert site.ask("PUT", f"{path}/sharedkey", {"value": "two"}).status_code == 200
    assert site.get(f"{path}/sharedkey") == {"value": "two"}
    site.put(path + "2", connection)
    assert site.get(f"{path}2/sharedkey")["value"]


def test_a_put_of_a_gateway_replaces_all_of_it(site: Azure) -> None:
    """What others set on it is gone when it is left out."""
    _connection(site)
    found = site.get(GATEWAY)["properties"]
    assert POINT_TO_SITE.items() <= found.items()
    site.put(GATEWAY, {"ipConfigurations": found["ipConfigurations"]}, tags={"a": "1"})
    assert POINT_TO_SITE.keys().isdisjoint(site.get(GATEWAY)["properties"])


@pytest.mark.parametrize(
    ("region", "asked", "answered"),
    [
        (["1", "2", "3"], ["2", "1"], ["2", "1", "3"]),
        (["1", "2"], ["1", "2"], ["1", "2"]),
        (["1", "2", "3"], ["2"], ["2"]),
        (["1", "2", "3"], None, None),
        ([], None, None),
    ],
)
def test_an_address_is_in_one_zone_or_in_all(
    azure: Azure, region: list[str], asked: list[str] | None, answered: list[str] | None
) -> None:
    """Whatever was asked for; sending the same again is then refused, unless that is what is there."""
    azure.control("PUT", "/zones", {REGION: region})
    static: Json = {"publicIPAllocationMethod": "Static"}
    top: Json = {"sku": {"name": "Standard"}} | ({"zones": asked} if asked else {})
    assert azure.put(ADDRESS, static, **top).get("zones") == answered
    if asked == answered:
        azure.put(ADDRESS, static, **top)
    else:
        assert azure.refused(ADDRESS, static, **top) == (400, "ResourceAvailabilityZonesCannotBeModified")


def test_a_region_without_zones_takes_a_gateway_without(site: Azure) -> None:
    """Its address has none, though the SKU is called AZ."""
    site.control("PUT", "/zones", {REGION: []})
    address = of("publicIPAddresses", "outside")
    site.put(address, {"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"})
    ends = {"subnet": ref(GATEWAY_SUBNET), "publicIPAddress": ref(address)}
    site.put(GATEWAY, {"ipConfigurations": [{"name": "default", "properties": ends}], "sku": {"name": "VpnGw1AZ"}})


def test_makes_the_network_watcher(azure: Azure) -> None:
    """With the first network of a region, and refuses a second one."""
    watcher = FLOW_LOG.rsplit("/", 2)[0]
    assert azure.ask("GET", watcher).status_code == 404
    azure.put(NET, network(subnet("a", "10.0.0.0/27")))
    assert azure.get(watcher)["location"] == "westeurope"
    assert azure.refused(of("networkWatchers", "mine")) == (400, "NetworkWatcherCountLimitReached")


def test_diagnostic_settings_outlive_their_resource(azure: Azure) -> None:
    """And get a retention policy that nobody sent."""
    azure.put(SECURITY, {"securityRules": [rule("a", 100)]})
    azure.put(WORKSPACE)
    logs = [{"categoryGroup": "allLogs", "enabled": True}]
    found = azure.put(DIAGNOSTICS, {"workspaceId": WORKSPACE, "logs": logs})
    assert found["properties"]["logs"][0]["retentionPolicy"] == {"days": 0, "enabled": False}
    assert azure.delete(SECURITY).status_code == 202
    azure.get(DIAGNOSTICS)


def test_tags_alone_can_be_changed(site: Azure) -> None:
    """PATCH replaces them; PUT without them drops them."""
    assert site.ask("PATCH", NET, {"tags": {"a": "1"}}).json()["tags"] == {"a": "1"}
    assert site.get(SUBNET)["properties"]["natGateway"] == ref(NAT)
    assert "tags" not in site.put(
        NET, network(subnet("proxies", "10.0.0.0/27"), subnet("GatewaySubnet", "10.0.0.32/27"))
    )


def test_lists(site: Azure) -> None:
    """Of one type, of a group, of subnets; sizes and images too, two of them as bare lists."""
    assert [item["id"] for item in site.get(f"{GROUP}/providers/Microsoft.Network/natGateways")["value"]] == [NAT]
    assert len(site.get(f"{GROUP}/resources")["value"]) == 5
    assert len(site.get(f"{NET}/subnets")["value"]) == 2
    compute = f"{WORLD}/providers/Microsoft.Compute/locations/westeurope"
    assert "Standard_DS1_v2" in {size["name"] for size in site.get(f"{compute}/vmSizes")["value"]}
    image = (
        "publishers/Canonical/artifacttypes/vmimage/offers/0001-com-ubuntu-server-jammy/skus/22_04-lts-gen2/versions"
    )
    assert isinstance(site.get(f"{compute}/{image}"), list)
    question = {"query": "Resources | where type =~ 'microsoft.network/natgateways' | project id, name"}
    rows = site.ask("POST", "/providers/Microsoft.ResourceGraph/resources", question).json()["data"]
    assert rows == [{"id": NAT, "name": "nat"}]


def test_deletes_a_group_with_all_that_is_in_it(site: Azure) -> None:
    """Even what is in use by another part of it."""
    assert site.delete(GROUP).status_code == 202
    assert site.ask("GET", GROUP).status_code == 404
    site.put(GROUP)
    assert site.get(f"{GROUP}/resources")["value"] == []


def test_deploys(site: Azure) -> None:
    """Literal resources, with a secure parameter that is not shown afterwards."""
    data = base64.b64encode(b"#cloud-config").decode()
    resource: Json = {"type": "Microsoft.Compute/virtualMachineScaleSets", "apiVersion": "2024-07-01", "name": "set"}
    resource |= {"location": "westeurope", "sku": SIZE, "properties": scale_set(customData="[parameters('data')]")}
    template: Json = {"$schema": "https://x#", "contentVersion": "1.0.0.0", "resources": [resource]}
    template["parameters"] = {"data": {"type": "securestring"}}
    path = of("deployments", "d", "Microsoft.Resources")
    found = site.put(path, {"mode": "Incremental", "template": template, "parameters": {"data": {"value": data}}})
    assert data not in str(found)
    kept = next(item for item in site.control("GET", "/resources") if item["id"] == SCALE_SET)
    assert kept["properties"]["virtualMachineProfile"]["osProfile"]["customData"] == data
    # What the deployment's template refers to is not in use by it.
    assert path not in [item["id"] for item in site.get(f"{GROUP}/resources")["value"]]
    site.delete(SCALE_SET)
    assert site.delete(BALANCER).status_code == 202


def test_the_list_of_all_kinds_is_short(site: Azure) -> None:
    """It has no properties, and a state only for those who ask."""
    rows = site.get(f"{GROUP}/resources")["value"]
    assert all("properties" not in row and "provisioningState" not in row for row in rows)
    rows = site.get(f"{GROUP}/resources?$expand=provisioningState")["value"]
    assert {row["provisioningState"] for row in rows} == {"Succeeded"}
    assert site.ask("GET", f"{GROUP}x/resources").status_code == 404


def test_an_instance_can_be_made_anew(site: Azure) -> None:
    site.put(SCALE_SET, scale_set(), sku=SIZE)
    (one, _other) = site.get(f"{SCALE_SET}/virtualMachines")["value"]
    assert site.ask("POST", f"{one['id']}/reimage").status_code == 200
    assert site.ask("POST", f"{SCALE_SET}x/virtualMachines/0/reimage").status_code >= 400


def test_tags_are_added_to_those_that_are_there(site: Azure) -> None:
    site.put(SECURITY, tags={"Plant": "one", "owner": "them"})
    tags = f"{SECURITY}/providers/Microsoft.Resources/tags/default"
    merged = {"operation": "Merge", "properties": {"tags": {"plant": "two"}}}
    assert site.ask("PATCH", tags, merged).status_code == 200
    assert site.get(SECURITY)["tags"] == {"plant": "two", "owner": "them"}
    for wrong in (merged | {"operation": "Replace"}, merged | {"properties": {"tags": {"a/b": "c"}}}):
        assert site.ask("PATCH", tags, wrong).status_code == 400
    assert site.ask("PATCH", tags.replace(SECURITY, f"{SECURITY}x"), merged).status_code == 404


def test_a_subnet_that_nobody_uses_can_be_deleted_from_its_network(site: Azure) -> None:
    path = of("virtualNetworks", "hub")
    site.put(path, network(subnet("one", "10.0.0.0/26"), subnet("two", "10.0.0.64/26")))
    assert site.delete(f"{path}/subnets/one").status_code == 202
    assert [one["name"] for one in site.get(path)["properties"]["subnets"]] == ["two"]
