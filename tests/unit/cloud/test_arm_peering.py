# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Peerings, locks and providers that are not registered, as the stand-in for Azure has them."""

from __future__ import annotations

from typing import Any

import pytest

from .client import ADDRESS, GATEWAY, GROUP, NET, SECURITY, WORLD, Azure, Json, network, of, ref, subnet

HUB, OTHER = of("virtualNetworks", "hub"), of("virtualNetworks", "other")
TO_HUB, TO_NET = f"{NET}/virtualNetworkPeerings/hub", f"{HUB}/virtualNetworkPeerings/net"


def peering(remote: str, **flags: bool) -> Json:
    return {"remoteVirtualNetwork": ref(remote), "allowVirtualNetworkAccess": True, **flags}


@pytest.fixture
def peers(azure: Azure) -> Azure:
    """Return one with a spoke and a hub, which has no gateway."""
    azure.put(NET, network(subnet("proxies", "10.0.0.0/27")))
    azure.put(HUB, network(subnet("GatewaySubnet", "10.1.0.0/27"), prefix="10.1.0.0/24"))
    return azure


def states(azure: Azure) -> list[str]:
    return [
        one["properties"]["peeringState"]
        for path in (NET, HUB)
        for one in azure.get(path)["properties"]["virtualNetworkPeerings"]
    ]


def test_a_peering_has_two_sides(peers: Azure) -> None:
    peers.put(TO_HUB, peering(HUB))
    assert states(peers) == ["Initiated"]
    peers.put(TO_NET, peering(NET))
    assert states(peers) == ["Connected", "Connected"]
    assert peers.get(TO_HUB)["properties"]["remoteAddressSpace"] == {"addressPrefixes": ["10.1.0.0/24"]}
    # A PUT of the VNET that says nothing of them leaves them alone.
    peers.put(NET, network(subnet("proxies", "10.0.0.0/27")))
    assert states(peers) == ["Connected", "Connected"]
    peers.delete(TO_NET)
    assert states(peers) == ["Disconnected"]
    assert peers.refused(TO_NET, peering(NET)) == (400, "RemotePeeringIsDisconnected")
    peers.delete(TO_HUB)
    peers.put(TO_NET, peering(NET))
    assert states(peers) == ["Initiated"]


@pytest.mark.parametrize(
    ("remote", "flags", "code"),
    [
        (of("virtualNetworks", "nowhere"), {}, "InvalidResourceReference"),
        (OTHER, {}, "VnetAddressSpacesOverlap"),
        (HUB, {"useRemoteGateways": True}, "RemoteVnetHasNoGateways"),
    ],
)
def test_a_peering_is_refused(peers: Azure, remote: str, flags: dict[str, Any], code: str) -> None:
    peers.put(OTHER, network(prefix="10.0.0.128/25"))
    assert peers.refused(TO_HUB, peering(remote, **flags)) == (400, code)


def test_a_peering_overlaps_with_none_that_the_hub_has(peers: Azure) -> None:
    peers.put(OTHER, network(prefix="10.0.0.128/25"))
    peers.put(TO_NET, peering(NET))
    assert peers.refused(f"{HUB}/virtualNetworkPeerings/other", peering(OTHER)) == (
        400,
        "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
    )


def test_a_gateway_in_the_hub_is_used_where_it_is_offered(peers: Azure) -> None:
    peers.put(ADDRESS, {"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"}, zones=["1", "2", "3"])
    ends = {"subnet": ref(f"{HUB}/subnets/GatewaySubnet"), "publicIPAddress": ref(ADDRESS)}
    whole = {"gatewayType": "Vpn", "sku": {"name": "VpnGw1AZ"}, "activeActive": True}
    two = {**whole, "ipConfigurations": [{"name": "default", "properties": ends}]}
    # Two instances need two addresses; the code is not published.
    assert peers.refused(GATEWAY, two) == (400, "BadRequest")
    peers.put(GATEWAY, {**two, "activeActive": False})
    peers.put(TO_NET, peering(NET))
    assert peers.refused(TO_HUB, peering(HUB, useRemoteGateways=True))[0] == 400
    peers.put(TO_NET, peering(NET, allowGatewayTransit=True))
    peers.put(TO_HUB, peering(HUB, useRemoteGateways=True))


LOCKS = "providers/Microsoft.Authorization/locks"


@pytest.mark.parametrize("scope", [WORLD, GROUP, NET])
@pytest.mark.parametrize("level", ["CanNotDelete", "ReadOnly"])
def test_what_is_locked_is_not_deleted(peers: Azure, scope: str, level: str) -> None:
    lock = f"{scope}/{LOCKS}/keep"
    document = {"id": lock, "properties": {"level": level}}
    peers.control("PUT", "/resources", [document])
    for path in (f"{NET}/subnets/proxies", NET, GROUP):
        answer = peers.ask("DELETE", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ScopeLocked"), answer.text
    listed = peers.ask("GET", f"{GROUP}/{LOCKS}", **{"api-version": "2016-09-01"}).json()["value"]
    assert [one["id"] for one in listed] == [lock]
    written = peers.ask("PUT", NET, {"location": "westeurope", "properties": network(subnet("proxies", "10.0.0.0/27"))})
    assert (written.status_code == 409) is (level == "ReadOnly")
    peers.wait(written)


def test_a_provider_that_is_not_registered_makes_nothing(azure: Azure) -> None:
    def registered() -> dict[str, str]:
        shown = azure.ask("GET", f"{WORLD}/providers", **{"api-version": "2021-04-01"}).json()["value"]
        return {one["namespace"]: one["registrationState"] for one in shown}

    needed = {
        "Microsoft.Network",
        "Microsoft.Compute",
        "Microsoft.Storage",
        "Microsoft.Insights",
        "Microsoft.OperationalInsights",
    }
    assert {registered()[name] for name in needed} == {"Registered"}
    azure.control("PUT", "/faults", [{"kind": "unregistered", "path": "Microsoft.Network"}])
    assert registered()["Microsoft.Network"] == "NotRegistered"
    answer = azure.ask("PUT", SECURITY, {"location": "westeurope", "properties": {}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    azure.control("PUT", "/faults", [])
    azure.put(SECURITY, {})
