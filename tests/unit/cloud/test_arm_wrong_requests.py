# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One thing is wrong in each request, and the stand-in for Azure says which: what it took, a role could send and never notice."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from .client import (
    ADDRESS,
    BALANCER,
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
    Azure,
    Json,
    balancer,
    network,
    of,
    public_key,
    ref,
    rule,
    scale_set,
    subnet,
)

STANDARD = {"name": "Standard"}
ALL = ["1", "2", "3"]
OUTSIDE = of("publicIPAddresses", "outside")
FREE = of("publicIPAddresses", "free")
PEER = of("localNetworkGateways", "peer")
CONNECTION = of("connections", "peer")


def _whole() -> dict[str, tuple[str, Json]]:
    """Return the path and the body of each resource, in the order in which they are made."""
    links = {"networkSecurityGroup": ref(SECURITY), "natGateway": ref(NAT)}
    static = {"publicIPAllocationMethod": "Static"}
    ends = {"subnet": ref(GATEWAY_SUBNET), "publicIPAddress": ref(OUTSIDE)}
    gateway = {"gatewayType": "Vpn", "vpnType": "RouteBased", "sku": {"name": "VpnGw1AZ", "tier": "VpnGw1AZ"}}
    front = balancer(subnet=ref(SUBNET), privateIPAllocationMethod="Static", privateIPAddress="10.0.0.10")
    front["frontendIPConfigurations"][0]["zones"] = ALL
    machines = scale_set(automatic=True)
    machines["virtualMachineProfile"]["storageProfile"]["osDisk"] = {"createOption": "FromImage"}
    machines |= {"orchestrationMode": "Uniform", "singlePlacementGroup": False, "platformFaultDomainCount": 1}
    connection = {"connectionType": "IPsec", "virtualNetworkGateway1": ref(GATEWAY), "localNetworkGateway2": ref(PEER)}
    far = {"gatewayIpAddress": "192.0.2.1", "localNetworkAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    account = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    bodies: dict[str, tuple[str, Json, Json]] = {
        "security": (SECURITY, {"securityRules": [rule("deny", 4096)]}, {}),
        "nat address": (ADDRESS, static, {"sku": STANDARD, "zones": ALL}),
        "address": (OUTSIDE, static, {"sku": STANDARD, "zones": ALL}),
        "free address": (FREE, static, {"sku": STANDARD}),
        "nat": (NAT, {"publicIpAddresses": [ref(ADDRESS)]}, {"sku": STANDARD}),
        "network": (
            NET,
            network(subnet("proxies", "10.0.0.0/27", **links), subnet("GatewaySubnet", "10.0.0.32/27")),
            {},
        ),
        "balancer": (BALANCER, front, {"sku": STANDARD}),
        "scale set": (SCALE_SET, machines, {"sku": {"name": "Standard_DS1_v2", "capacity": 1}, "zones": ALL}),
        "gateway": (GATEWAY, {**gateway, "ipConfigurations": [{"name": "default", "properties": ends}]}, {}),
        "peer": (PEER, far, {}),
        "connection": (CONNECTION, {**connection, "sharedKey": "a.key"}, {}),
        "workspace": (WORKSPACE, {"sku": {"name": "PerGB2018"}, "retentionInDays": 30}, {}),
        "storage": (STORAGE, {"minimumTlsVersion": "TLS1_2"}, account),
    }
    return {name: (path, {"location": REGION, "properties": own, **top}) for name, (path, own, top) in bodies.items()}


@pytest.fixture(scope="module")
def whole(running: Azure) -> Iterator[Azure]:
    """Return a subscription with one of each, which no test changes."""
    running.control("POST", "/reset")
    running.put(GROUP)
    for path, body in _whole().values():
        answer = running.ask("PUT", path, body)
        assert answer.status_code in (200, 201), answer.text
        running.wait(answer)
    yield running
    running.control("POST", "/reset")


def _put_at(body: Any, path: str, value: Any) -> None:
    """Set what a path such as ``properties.rules[0].name`` leads to; None takes it away."""
    *parts, last = (int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path))
    for part in parts:
        body = body.setdefault(part, {}) if isinstance(body, dict) else body[part]
    if value is None:
        del body[last]
    else:
        body[last] = value


PROFILE = "properties.virtualMachineProfile"
IMAGE = f"{PROFILE}.storageProfile.imageReference"
DISK = f"{PROFILE}.storageProfile.osDisk"
KEY = f"{PROFILE}.osProfile.linuxConfiguration.ssh.publicKeys[0].keyData"
RULE = "properties.securityRules[0].properties"
FRONT = "properties.frontendIPConfigurations[0]"
ENDS = "properties.ipConfigurations[0].properties"
MANY = {f"tag{number}": "x" for number in range(51)}
ER = {"properties.gatewayType": "ExpressRoute", "properties.vpnType": None, "properties.sku.name": "ErGw1AZ"}
ER["properties.sku.tier"] = "ErGw1AZ"

# What it is, what is changed in it, and the code; a name after the colon makes it a new resource.
WRONG: list[tuple[str, Json, str]] = [
    # Names and tags of anything.
    ("network:-x", {}, "InvalidResourceName"),
    ("network:" + "x" * 81, {}, "InvalidResourceName"),
    ("nat:x.", {}, "InvalidResourceName"),
    ("security", {"properties.securityRules[0].name": "a b"}, "InvalidResourceName"),
    ("scale set:a_b-", {}, "BadRequest"),
    ("workspace:a", {}, "BadRequest"),
    ("network", {"tags": MANY}, "BadRequest"),
    ("network", {"tags": {"a/b": "x"}}, "InvalidTagNameCharacters"),
    ("network", {"tags": {"a?": "x"}}, "InvalidTagNameCharacters"),
    ("network", {"tags": {"a": "x" * 257}}, "InvalidTagValueLength"),
    ("network", {"tags": {"a" * 513: "x"}}, "InvalidTagName"),
    ("storage", {"tags": {"a" * 129: "x"}}, "InvalidTagName"),
    ("network", {"tags": {"azure-x": "x"}}, "BadRequest"),
    ("network", {"tags": {"a": "1", "A": "2"}}, "BadRequest"),
    # Zones.
    ("address", {"zones": ["1", "2"]}, "ResourceAvailabilityZonesCannotBeModified"),
    ("address", {"zones": None}, "ResourceAvailabilityZonesCannotBeModified"),
    ("free address", {"zones": ALL}, "ResourceAvailabilityZonesCannotBeModified"),
    ("address:new", {"zones": ["4"]}, "AvailabilityZoneNotSupported"),
    ("address:new", {"location": "westus"}, "LocationNotSupportAvailabilityZones"),
    ("nat:new", {"zones": ["1", "2"]}, "ResourceCannotHaveMultipleZonesSpecified"),
    ("balancer", {f"{FRONT}.zones": ["1"]}, "ResourceAvailabilityZonesCannotBeModified"),
    ("balancer", {f"{FRONT}.zones": None}, "ResourceAvailabilityZonesCannotBeModified"),
    ("balancer", {f"{FRONT}.zones": ["1", "2"]}, "ResourceCannotHaveMultipleZonesSpecified"),
    (
        "balancer:new",
        {f"{FRONT}.properties": {"publicIPAddress": ref(FREE)}},
        "LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress",
    ),
    ("scale set", {"zones": ["1", "2"]}, "PropertyChangeNotAllowed"),
    ("scale set", {"zones": None}, "PropertyChangeNotAllowed"),
    # What a scale set keeps for ever.
    ("scale set", {f"{IMAGE}.offer": "ubuntu-24_04-lts", f"{IMAGE}.sku": "server-arm64"}, "PropertyChangeNotAllowed"),
    ("scale set", {f"{DISK}.managedDisk.storageAccountType": "StandardSSD_LRS"}, "PropertyChangeNotAllowed"),
    ("scale set", {"properties.orchestrationMode": "Flexible"}, "PropertyChangeNotAllowed"),
    ("scale set", {"properties.platformFaultDomainCount": 2}, "PropertyChangeNotAllowed"),
    ("scale set", {"properties.singlePlacementGroup": True}, "PropertyChangeNotAllowed"),
    ("scale set", {f"{PROFILE}.osProfile.computerNamePrefix": "other"}, "PropertyChangeNotAllowed"),
    ("scale set", {KEY: public_key("ssh-rsa", b"\x01\x00\x01", b"\x7f" * 128)}, "InvalidParameter"),
    ("scale set", {KEY: "ssh-ed25519 AAAA test"}, "InvalidParameter"),
    ("scale set", {KEY: public_key("ssh-dss", bytes(32))}, "InvalidParameter"),
    ("scale set:new", {"sku.name": "Standard_D2ps_v5"}, "BadRequest"),
    # Automatic OS upgrade.
    ("scale set", {"properties.upgradePolicy.mode": "Manual"}, "BadRequest"),
    ("scale set", {f"{PROFILE}.networkProfile.healthProbe": None}, "BadRequest"),
    # Gateways.
    ("gateway:second", {f"{ENDS}.publicIPAddress": ref(ADDRESS)}, "BadRequest"),
    ("gateway", {f"{ENDS}.publicIPAddress": ref(FREE)}, "VmssVpnGatewayPublicIpsMustHaveZonesConfigured"),
    ("gateway", {f"{ENDS}.publicIPAddress": None}, "PublicIpForGatewayIsRequired"),
    ("gateway:express", {**ER, f"{ENDS}.publicIPAddress": ref(FREE)}, "BadRequest"),
    ("connection:new", {"properties.sharedKey": "schlüssel"}, "BadRequest"),
    ("connection:new", {"properties.sharedKey": "x" * 129}, "BadRequest"),
    ("connection:new", {"properties.sharedKey": "a key"}, "BadRequest"),
    ("connection:new", {"properties.sharedKey": "a-key"}, "BadRequest"),
    ("connection:new", {"properties.sharedKey": "a~key"}, "BadRequest"),
    # Security rules.
    ("security", {f"{RULE}.priority": 99}, "SecurityRuleInvalidPriority"),
    ("security", {f"{RULE}.priority": 4097}, "SecurityRuleInvalidPriority"),
    ("security", {f"{RULE}.destinationPortRange": "65536"}, "SecurityRuleInvalidPortRange"),
    ("security", {f"{RULE}.destinationPortRange": "90-80"}, "SecurityRuleInvalidPortRange"),
    ("security", {f"{RULE}.destinationPortRange": "any"}, "SecurityRuleInvalidPortRange"),
    ("security", {f"{RULE}.destinationPortRange": None}, "SecurityRuleInvalidPortRange"),
    ("security", {f"{RULE}.sourceAddressPrefix": "10.0.0.300"}, "SecurityRuleInvalidAddressPrefix"),
    # Regions, and days.
    ("network:new", {"location": "westeuropa"}, "LocationNotAvailableForResourceType"),
    ("workspace", {"properties.retentionInDays": 9999}, "BadRequest"),
    # What Azure publishes of its requests: members, types, words, what must be there.
    ("network", {"properties.addresSpace": {}}, "InvalidRequestFormat"),
    ("network", {"tags": {"a": 1}}, "InvalidRequestFormat"),
    ("network", {"sku": STANDARD}, "InvalidRequestFormat"),
    ("network", {"properties.provisioningState": "Failed"}, "InvalidRequestFormat"),
    ("network", {"properties.subnets[0].properties.purpose": "x"}, "InvalidRequestFormat"),
    ("network:new", {"properties.provisioningState": "Succeeded"}, "InvalidRequestFormat"),
    ("address", {"properties.publicIPAllocationMethod": "Sometimes"}, "InvalidRequestFormat"),
    ("security", {f"{RULE}.priority": "100"}, "InvalidRequestFormat"),
    ("security", {f"{RULE}.protocol": None}, "InvalidRequestFormat"),
    ("security", {f"{RULE}.access": "Block"}, "InvalidRequestFormat"),
    ("balancer", {"properties.loadBalancingRules[0].properties.frontendPort": None}, "InvalidRequestFormat"),
    ("gateway", {"properties.enableBgp": "yes"}, "InvalidRequestFormat"),
    ("gateway", {f"{ENDS}.publicIPAddress": ADDRESS}, "InvalidRequestFormat"),
    ("connection", {"properties.connectionType": None}, "InvalidRequestFormat"),
    ("connection", {"properties.ipsecPolicies": [{"ikeEncryption": "AES256"}]}, "InvalidRequestFormat"),
    ("peer", {"properties.localNetworkAddressSpace": ["10.9.0.0/16"]}, "InvalidRequestFormat"),
    ("scale set", {"properties.upgradePolicy.mode": "Never"}, "InvalidParameter"),
    ("scale set", {"sku.capacity": "1"}, "InvalidParameter"),
    ("scale set", {f"{PROFILE}.osProfile.customdata": "eA=="}, "InvalidParameter"),
    ("scale set", {f"{DISK}.createOption": None}, "InvalidParameter"),
    ("workspace", {"properties.retentionInDays": "30"}, "InvalidRequestContent"),
    ("workspace", {"properties.customerId": "x"}, "InvalidRequestContent"),
    ("storage", {"kind": "Blobs"}, "InvalidRequestContent"),
    ("storage", {"properties.primaryEndpoints": {}}, "InvalidRequestContent"),
    ("storage", {"sku": None}, "InvalidRequestContent"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change", "code"), WRONG)
def test_is_refused(whole: Azure, what: str, change: Json, code: str) -> None:
    """With this code, and nothing is changed."""
    name, _colon, new = what.partition(":")
    path, body = copy.deepcopy(_whole()[name])
    for place, value in change.items():
        _put_at(body, place, value)
    if new:
        path = f"{path.rpartition('/')[0]}/{new}"
    before = whole.control("GET", "/resources")
    answer = whole.ask("PUT", path, body)
    assert answer.status_code in (400, 409), answer.text
    assert answer.json()["error"]["code"] == code, answer.text
    assert whole.control("GET", "/resources") == before


@pytest.mark.parametrize(
    ("method", "path", "asked", "body", "code"),
    [
        ("PUT", NET, "2024-03-02", {}, "NoRegisteredProviderFound"),
        ("GET", STORAGE, "2024-03-01", None, "NoRegisteredProviderFound"),
        (
            "GET",
            of("trafficControllers", "x", "Microsoft.ServiceNetworking"),
            "2024-03-01",
            None,
            "NoRegisteredProviderFound",
        ),
        ("GET", GROUP, "2022-09-02", None, "InvalidApiVersionParameter"),
        ("PATCH", NET, "2024-03-01", {"properties": {"enableDdosProtection": False}}, "InvalidRequestFormat"),
        ("PATCH", SCALE_SET, "2024-07-01", {"properties": {"overProvision": False}}, "InvalidParameter"),
        ("PUT", f"{CONNECTION}/sharedkey", "2024-03-01", {"key": "x"}, "InvalidRequestFormat"),
    ],
)
def test_is_refused_whatever_is_there(whole: Azure, method: str, path: str, asked: str, body: Any, code: str) -> None:
    """Api-versions that a type does not have, and bodies of other calls; each is noted, so that no role can pass over it."""
    before = whole.control("GET", "/violations")
    answer = whole.ask(method, path, body, **{"api-version": asked})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert len(whole.control("GET", "/violations")) == len(before) + 1


def test_what_was_read_can_be_sent_back(whole: Azure) -> None:
    """With all that the service has added, which nothing describes."""
    for path, _body in _whole().values():
        answer = whole.ask("PUT", path, whole.get(path))
        assert answer.status_code == 200, answer.text
        whole.wait(answer)


def test_nothing_else_is_wrong_with_them(whole: Azure) -> None:
    """Each is taken as it is, so that it is the change that is refused."""
    for path, body in _whole().values():
        answer = whole.ask("PUT", path, body)
        assert answer.status_code == 200, answer.text
        whole.wait(answer)
