# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for Azure refuses what Azure refuses, or a role that passes against it proves nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

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
    SCALE_SET,
    SECURITY,
    STORAGE,
    SUBNET,
    WORLD,
    Azure,
    Json,
    balancer,
    network,
    of,
    ref,
    rule,
    scale_set,
    subnet,
)

STANDARD = {"name": "Standard"}
SIZE = {"name": "Standard_DS1_v2", "capacity": 1}


def test_asks_for_a_token_and_an_api_version(azure: Azure) -> None:
    """Both before it looks at the resource."""
    none = azure.session.get(f"https://management.azure.com{GROUP}", timeout=10)
    assert (none.status_code, none.json()["error"]["code"]) == (400, "MissingApiVersionParameter")
    nobody = azure.session.get(
        f"https://management.azure.com{GROUP}", headers={"Authorization": "Bearer x"}, timeout=10
    )
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{WORLD}/resourceGroups/other/providers/Microsoft.Network/virtualNetworks/x", "ResourceGroupNotFound"),
        (f"{NET}/subnets/x", "ParentResourceNotFound"),
        (f"{WORLD[:-1]}2/resourceGroups/rg", "SubscriptionNotFound"),
    ],
)
def test_refuses_what_has_no_place(azure: Azure, path: str, code: str) -> None:
    """A resource group and a parent must be there before."""
    assert azure.refused(path, {"addressPrefix": "10.0.0.0/27"}) == (404, code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (NET, "ResourceNotFound"),
        (SUBNET, "NotFound"),
        (f"{WORLD}/resourceGroups/other", "ResourceGroupNotFound"),
        (f"{WORLD}/resourceGroups/other/providers/Microsoft.Network/virtualNetworks/x", "ResourceGroupNotFound"),
    ],
)
def test_says_what_is_not_there(azure: Azure, path: str, code: str) -> None:
    """Each kind of missing has its own code."""
    answer = azure.ask("GET", path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        (network(subnet("a", "10.0.1.0/27")), "NetcfgInvalidSubnet"),
        (network(subnet("a", "10.0.0.0/26"), subnet("b", "10.0.0.32/27")), "NetcfgSubnetRangesOverlap"),
        (network(subnet("a", "10.0.0.1/26")), "InvalidCIDRNotation"),
        (network(subnet("a", "10.0.0.0/27", natGateway=ref(NAT))), "InvalidResourceReference"),
    ],
)
def test_refuses_a_network(azure: Azure, properties: Json, code: str) -> None:
    """Subnets outside of the network, overlapping, or that refer to nothing."""
    assert azure.refused(NET, properties) == (400, code)


def test_refuses_an_overlapping_subnet_of_its_own(site: Azure) -> None:
    """A subnet that is written alone is checked against the others."""
    assert site.refused(f"{NET}/subnets/new", {"addressPrefix": "10.0.0.16/28"}) == (400, "NetcfgSubnetRangesOverlap")


def test_refuses_a_security_group_on_the_gateway_subnet(site: Azure) -> None:
    """The gateway would not work."""
    links = {"addressPrefix": "10.0.0.32/27", "networkSecurityGroup": ref(SECURITY)}
    assert site.refused(GATEWAY_SUBNET, links) == (400, "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet")


def test_refuses_a_priority_used_twice(azure: Azure) -> None:
    """In one direction only."""
    azure.put(SECURITY, {"securityRules": [rule("a", 100), rule("b", 100, "Outbound")]})
    assert azure.refused(SECURITY, {"securityRules": [rule("a", 100), rule("b", 100)]}) == (400, "SecurityRuleConflict")
    assert azure.refused(SECURITY, {"securityRules": [rule("a", 99)]}) == (400, "SecurityRuleInvalidPriority")


def test_refuses_basic_addresses(site: Azure) -> None:
    """They cannot be created any more, and those that exist do not mix with Standard."""
    basic = of("publicIPAddresses", "basic")
    assert site.refused(basic, {}) == (400, "IPv4BasicSkuPublicIpCountLimitReached")
    assert site.refused(basic, {}, sku=STANDARD) == (400, "StandardSkuPublicIPAddressesMustBeStatic")
    old: Json = {"id": basic, "location": "westeurope", "sku": {"name": "Basic"}, "zones": ["1"]}
    site.control("PUT", "/resources", [old])
    public = balancer(publicIPAddress=ref(basic))
    assert site.refused(BALANCER, public, sku=STANDARD) == (400, "PublicIPAndLBSkuDoNotMatch")
    configuration = {"subnet": ref(GATEWAY_SUBNET), "publicIPAddress": ref(basic)}
    assert site.refused(GATEWAY, _gateway(configuration)) == (400, "PublicIpWithBasicSkuNotAllowedOnVPNGateways")


def _gateway(configuration: Json, **more: Any) -> Json:
    configurations = [{"name": "default", "properties": configuration}]
    return {"gatewayType": "Vpn", "sku": {"name": "VpnGw1AZ"}, "ipConfigurations": configurations, **more}


def test_refuses_a_gateway(site: Azure) -> None:
    """In another subnet than GatewaySubnet, with an address that is taken, or with a retired SKU."""
    free = of("publicIPAddresses", "free")
    site.put(free, {"publicIPAllocationMethod": "Static"}, sku=STANDARD, zones=["1", "2", "3"])
    wrong = {"subnet": ref(SUBNET), "publicIPAddress": ref(free)}
    assert site.refused(GATEWAY, _gateway(wrong)) == (400, "BadRequest")
    taken = {"subnet": ref(GATEWAY_SUBNET), "publicIPAddress": ref(ADDRESS)}
    assert site.refused(GATEWAY, _gateway(taken)) == (400, "PublicIPAddressInUse")
    right = {"subnet": ref(GATEWAY_SUBNET), "publicIPAddress": ref(free)}
    retired = _gateway(right, sku={"name": "VpnGw1"})
    assert site.refused(GATEWAY, retired) == (400, "NonAzSkusNotAllowedForVPNGateway")
    large = _gateway(right, sku={"name": "VpnGw4AZ"})
    assert site.refused(GATEWAY, large) == (400, "BadRequest")
    site.put(GATEWAY, large | {"vpnGatewayGeneration": "Generation2"})
    site.put(GATEWAY, _gateway(right))


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.0.0.40", "PrivateIPAddressNotInSubnet"),
        ("10.0.0.3", "PrivateIPAddressInReservedRange"),
        ("10.0.0.4", "PrivateIPAddressIsAllocated"),
    ],
)
def test_refuses_a_static_address(site: Azure, address: str, code: str) -> None:
    """Outside of the subnet, reserved, or taken by the other load balancer."""
    frontend = {"subnet": ref(SUBNET), "privateIPAllocationMethod": "Static", "privateIPAddress": address}
    properties = {"frontendIPConfigurations": [{"name": "front", "properties": frontend}]}
    assert site.refused(of("loadBalancers", "other"), properties, sku=STANDARD) == (400, code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (SECURITY, "InUseNetworkSecurityGroupCannotBeDeleted"),
        (NAT, "CannotDeleteNatGatewayAssociatedToSubnet"),
        (ADDRESS, "PublicIPAddressCannotBeDeleted"),
        (SUBNET, "InUseSubnetCannotBeDeleted"),
        (NET, "InUseSubnetCannotBeDeleted"),
        (BALANCER, "LoadBalancerInUseByVirtualMachineScaleSet"),
    ],
)
def test_refuses_to_delete_what_is_in_use(site: Azure, path: str, code: str) -> None:
    """Each has its own code; nothing goes."""
    site.put(SCALE_SET, scale_set(), sku=SIZE)
    answer = site.delete(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    site.get(path)


def test_refuses_to_move(azure: Azure) -> None:
    """A resource stays in its region."""
    azure.put(NET, network())
    assert azure.refused(NET, network(), location="northeurope") == (409, "InvalidResourceLocation")
    assert azure.refused(GROUP, location="northeurope") == (409, "InvalidResourceGroupLocation")
    assert azure.refused(of("virtualNetworks", "b"), network(), location=None) == (400, "LocationRequired")


def test_refuses_retired_storage(azure: Azure) -> None:
    """The vendor's page still names the kind."""
    sku = {"name": "Standard_LRS"}
    assert azure.refused(STORAGE, sku=sku, kind="BlobStorage") == (400, "BadRequest")
    bad = of("storageAccounts", "Not-A-Name", "Microsoft.Storage")
    assert azure.refused(bad, sku=sku, kind="StorageV2") == (400, "AccountNameInvalid")


def test_refuses_new_flow_logs_of_security_groups(site: Azure) -> None:
    """Since June 2025; those of networks are what is left."""
    site.put(STORAGE, sku={"name": "Standard_LRS"}, kind="StorageV2")
    of_group = {"targetResourceId": SECURITY, "storageId": STORAGE}
    assert site.refused(FLOW_LOG, of_group) == (400, "NsgFlowLogCreationBlocked")
    of_network = {"targetResourceId": NET, "storageId": STORAGE}
    assert site.put(FLOW_LOG, of_network)["properties"]["provisioningState"] == "Succeeded"
    assert site.refused(FLOW_LOG, of_network | {"storageId": STORAGE + "x"}) == (400, "InvalidResourceReference")


def _data(size: int) -> str:
    return base64.b64encode(b"x" * size).decode()


def test_refuses_much_custom_data(site: Azure) -> None:
    """64 KiB less one is the most."""
    site.put(SCALE_SET, scale_set(customData=_data(65535)), sku=SIZE)
    assert site.refused(SCALE_SET, scale_set(customData=_data(65536)), sku=SIZE) == (400, "InvalidParameter")
    assert site.refused(SCALE_SET, scale_set(customData="not base64"), sku=SIZE) == (400, "InvalidParameter")


def _version(profile: Json) -> None:
    profile["storageProfile"]["imageReference"]["version"] = "22.04.202604220"


def _noble(profile: Json) -> None:
    profile["storageProfile"]["imageReference"] |= {"offer": "ubuntu-24_04-lts", "sku": "server"}


def _no_probe(profile: Json) -> None:
    del profile["networkProfile"]["healthProbe"]


@pytest.mark.parametrize("change", [_version, _noble, _no_probe])
def test_refuses_automatic_upgrade(site: Azure, change: Callable[[Json], None]) -> None:
    """Of a fixed version, of an image that is not in the list, without a probe; all three are fine without it."""
    site.put(SCALE_SET, scale_set(change), sku=SIZE)
    assert site.refused(SCALE_SET, scale_set(change, automatic=True), sku=SIZE) == (400, "BadRequest")
    site.put(SCALE_SET + "2", scale_set(automatic=True), sku=SIZE)


def test_refuses_a_scale_set(site: Azure) -> None:
    """Sizes and images that do not exist, a probe that no rule uses, the word Standard, another user."""
    properties = scale_set()
    assert site.refused(SCALE_SET, properties, sku={"name": "Huge"}) == (400, "InvalidParameter")
    unknown = scale_set(lambda profile: profile["storageProfile"]["imageReference"].update(sku="none"))
    assert site.refused(SCALE_SET, unknown, sku=SIZE) == (404, "PlatformImageNotFound")
    standard = scale_set(lambda profile: profile.update(securityProfile={"securityType": "Standard"}))
    assert site.refused(SCALE_SET, standard, sku=SIZE) == (400, "InvalidParameter")
    site.put(SCALE_SET, properties, sku=SIZE)
    other = scale_set(adminUsername="other")
    assert site.refused(SCALE_SET, other, sku=SIZE) == (409, "PropertyChangeNotAllowed")
    without_rule = balancer() | {"loadBalancingRules": []}
    site.put(of("loadBalancers", "lb2"), without_rule, sku=STANDARD)
    elsewhere = scale_set(
        lambda profile: profile["networkProfile"].update(healthProbe=ref(of("loadBalancers", "lb2/probes/alive")))
    )
    assert site.refused(SCALE_SET, elsewhere, sku=SIZE) == (400, "CannotUseHealthProbeWithoutLoadBalancingRule")


def test_refuses_templates_that_it_does_not_understand(azure: Azure) -> None:
    """An expression would be evaluated by the real one, so that it must not pass here as text."""
    path = of("deployments", "d", "Microsoft.Resources")
    template: Json = {"$schema": "https://x#", "contentVersion": "1.0.0.0", "resources": []}
    resource = {"type": "Microsoft.Network/virtualNetworks", "apiVersion": "2024-03-01", "name": "[concat('a', 'b')]"}
    for wrong in ({}, template | {"resources": [resource]}, template | {"parameters": {"p": {"type": "string"}}}):
        assert azure.refused(path, {"mode": "Incremental", "template": wrong}) == (400, "InvalidTemplate")
