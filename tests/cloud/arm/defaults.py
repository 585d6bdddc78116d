"""STAND-IN for Azure: what the service fills in where the client says nothing.

Values are those that the service's reference documents; where it documents none, they are ours, and marked so.
"""

from __future__ import annotations

import ipaddress
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from tests.cloud.arm import addresses, ids
from tests.cloud.arm.exchange import Json
from tests.cloud.arm.store import Store, elements

_DENY_ALL = 65500


def fill(document: Json, store: Store, before: Json | None) -> None:
    """Complete a document in place, before it is checked."""
    kind = ids.parse(document["id"]).kind
    properties = document.setdefault("properties", {})
    if kind.startswith("microsoft.network/"):
        old = (before or {}).get("properties", {})
        properties["resourceGuid"] = old.get("resourceGuid") or str(uuid.uuid4())
        document["etag"] = f'W/"{uuid.uuid4()}"'
    filler = _FILLERS.get(kind)
    if filler:
        filler(document, properties, store, before or {})
    _name_elements(document, properties)


def _name_elements(document: Json, properties: Json) -> None:
    """Give ids to the parts that have a name, which is what clients refer to."""
    for kind, value in properties.items():
        for item in value if isinstance(value, list) else []:
            if isinstance(item, dict) and "name" in item and isinstance(item.get("properties"), dict):
                item["id"] = f"{document['id']}/{kind}/{item['name']}"
                item["type"] = f"{document['type']}/{kind}"
                if document["type"].lower().startswith("microsoft.network/"):
                    item["etag"] = document["etag"]
                    item["properties"]["provisioningState"] = "Succeeded"


def _default(target: Json, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) is None:
            target[name] = value


def _inner(document: Json, kind: str) -> list[Json]:
    return [item.setdefault("properties", {}) for item in elements(document, kind)]


def settle_peerings(store: Store) -> None:
    """Let each side of a peering know whether the other one is there; one that has lost it knows that for good."""
    sides = {
        (str(network["id"]).lower(), str(peering["remoteVirtualNetwork"]["id"]).lower()): peering
        for network in store.of_kind("Microsoft.Network/virtualNetworks")
        for peering in _inner(network, "virtualNetworkPeerings")
    }
    for (own, remote), peering in sides.items():
        lost = peering.get("peeringState") in ("Connected", "Disconnected")
        both = (remote, own) in sides and peering.get("peeringState") != "Disconnected"
        peering["peeringState"] = "Connected" if both else "Disconnected" if lost else "Initiated"


def _virtual_network(document: Json, properties: Json, store: Store, before: Json) -> None:
    # A PUT that says nothing about subnets leaves them alone; that it is the same with peerings is ours.
    for parts in ("subnets", "virtualNetworkPeerings"):
        if properties.get(parts) is None:
            properties[parts] = before.get("properties", {}).get(parts, [])
    _default(properties, enableDdosProtection=False, privateEndpointVNetPolicies="Disabled")
    for peering in _inner(document, "virtualNetworkPeerings"):
        remote = store.find(str((peering.get("remoteVirtualNetwork") or {}).get("id", ""))) or {}
        peering["remoteAddressSpace"] = remote.get("properties", {}).get("addressSpace")
        _default(peering, allowForwardedTraffic=False, allowGatewayTransit=False, useRemoteGateways=False)
        _default(peering, allowVirtualNetworkAccess=True, peeringSyncLevel="FullyInSync")
    for subnet in _inner(document, "subnets"):
        _default(
            subnet,
            delegations=[],
            privateEndpointNetworkPolicies="Disabled",
            privateLinkServiceNetworkPolicies="Enabled",
        )


def _default_rule(name: str, priority: int, direction: str, access: str, source: str, destination: str) -> Json:
    return {
        "name": name,
        "properties": {
            "description": f"{access} {name}",
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "*",
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": destination,
            "access": access,
            "priority": priority,
            "direction": direction,
        },
    }


def _security_group(document: Json, properties: Json, _store: Store, _before: Json) -> None:
    _default(properties, securityRules=[])
    for rule in _inner(document, "securityRules"):
        for lists in ("sourcePort", "destinationPort"):
            _default(rule, **{f"{lists}Ranges": []})
        for lists in ("sourceAddress", "destinationAddress"):
            _default(rule, **{f"{lists}Prefixes": []})
    network, internet, balancer = "VirtualNetwork", "Internet", "AzureLoadBalancer"
    properties["defaultSecurityRules"] = [
        _default_rule("AllowVnetInBound", 65000, "Inbound", "Allow", network, network),
        _default_rule("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", balancer, "*"),
        _default_rule("DenyAllInBound", _DENY_ALL, "Inbound", "Deny", "*", "*"),
        _default_rule("AllowVnetOutBound", 65000, "Outbound", "Allow", network, network),
        _default_rule("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", internet),
        _default_rule("DenyAllOutBound", _DENY_ALL, "Outbound", "Deny", "*", "*"),
    ]


def _public_address(document: Json, properties: Json, store: Store, before: Json) -> None:
    if len(document.get("zones") or []) > 1 and not before:
        # An address is in one zone or in all that its region has (learn.microsoft.com "Public IP addresses").
        document["zones"] = list(dict.fromkeys([*document["zones"], *store.zones_of(str(document.get("location")))]))
    _default(document, sku={"name": "Basic"})
    _default(document["sku"], tier="Regional")
    _default(
        properties,
        publicIPAddressVersion="IPv4",
        publicIPAllocationMethod="Dynamic",
        idleTimeoutInMinutes=4,
        ipTags=[],
        ddosSettings={"protectionMode": "VirtualNetworkInherited"},
    )
    # Any case is taken, as of all such words.
    properties["publicIPAllocationMethod"] = str(properties["publicIPAllocationMethod"]).capitalize()
    if properties["publicIPAllocationMethod"] == "Static":
        # Addresses of TEST-NET-3, which nobody owns.
        taken = {other["properties"].get("ipAddress") for other in store.of_kind("Microsoft.Network/publicIPAddresses")}
        free = (str(address) for address in ipaddress.ip_network("203.0.113.0/24").hosts() if str(address) not in taken)
        properties["ipAddress"] = before.get("properties", {}).get("ipAddress") or next(free)


def _nat_gateway(document: Json, properties: Json, _store: Store, _before: Json) -> None:
    _default(document, sku={"name": "Standard"})
    _default(document["sku"], tier="Regional")
    _default(properties, idleTimeoutInMinutes=4)


def _load_balancer(document: Json, properties: Json, store: Store, before: Json) -> None:
    _default(document, sku={"name": "Basic"})
    _default(document["sku"], tier="Regional")
    for kind in ("frontendIPConfigurations", "backendAddressPools", "loadBalancingRules", "probes"):
        _default(properties, **{kind: []})
    _default(properties, inboundNatRules=[], outboundRules=[], inboundNatPools=[])
    for probe in _inner(document, "probes"):
        _default(
            probe, intervalInSeconds=15, numberOfProbes=2, probeThreshold=1, noHealthyBackendsBehavior="AllProbedDown"
        )
    for rule in _inner(document, "loadBalancingRules"):
        _default(rule, idleTimeoutInMinutes=4, enableFloatingIP=False, enableTcpReset=False, disableOutboundSnat=False)
        _default(rule, loadDistribution="Default", backendPort=rule.get("frontendPort"))
    for item in elements(document, "backendAddressPools"):
        item.setdefault("properties", {})
    for item in elements(document, "frontendIPConfigurations"):
        frontend = item.setdefault("properties", {})
        subnet = store.find(str((frontend.get("subnet") or {}).get("id", "")))
        _default(frontend, privateIPAllocationMethod="Dynamic")
        if subnet is not None:
            _default(frontend, privateIPAddressVersion="IPv4")
        if subnet is not None and frontend["privateIPAllocationMethod"] == "Dynamic":
            own = next((old for old in elements(before, "frontendIPConfigurations") if old["name"] == item["name"]), {})
            kept = own.get("properties", {}).get("privateIPAddress")
            frontend["privateIPAddress"] = kept or addresses.first_free(subnet, store)


def _gateway(document: Json, properties: Json, _store: Store, _before: Json) -> None:
    _default(properties, gatewayType="Vpn", enableBgp=False, activeActive=False, enablePrivateIpAddress=False)
    _default(properties, disableIPSecReplayProtection=False, allowRemoteVnetTraffic=False, natRules=[])
    _default(properties.setdefault("sku", {"name": "VpnGw1AZ"}), tier=properties["sku"].get("name"), capacity=2)
    if properties["gatewayType"] == "Vpn":
        _default(properties, vpnType="RouteBased", vpnGatewayGeneration="Generation1")
        _default(properties, bgpSettings={"asn": 65515, "peerWeight": 0, "bgpPeeringAddress": ""})
    for configuration in _inner(document, "ipConfigurations"):
        _default(configuration, privateIPAllocationMethod="Dynamic")


def _connection(_document: Json, properties: Json, _store: Store, before: Json) -> None:
    # A connection that is there keeps its key whatever a PUT says: it has a call of its own (hashicorp/terraform-provider-azurerm
    # 11742, Azure/azure-sdk-for-java 18083). A new one without a key gets one (Azure/azure-cli 2799).
    if before:
        properties["sharedKey"] = before.get("properties", {}).get("sharedKey")
    elif properties.get("connectionType") == "IPsec":
        _default(properties, sharedKey=secrets.token_hex(24))
    _default(properties, routingWeight=0, enableBgp=False, useLocalAzureIpAddress=False, ipsecPolicies=[])
    _default(
        properties, usePolicyBasedTrafficSelectors=False, trafficSelectorPolicies=[], expressRouteGatewayBypass=False
    )
    _default(properties, connectionMode="Default", dpdTimeoutSeconds=45, ingressBytesTransferred=0)
    _default(properties, egressBytesTransferred=0, connectionStatus="NotConnected")
    if properties.get("connectionType") == "IPsec":
        _default(properties, connectionProtocol="IKEv2")


def _circuit(document: Json, properties: Json, _store: Store, before: Json) -> None:
    old = before.get("properties", {})
    _default(properties, peerings=[], authorizations=[], allowClassicOperations=False, globalReachEnabled=False)
    _default(properties, serviceKey=old.get("serviceKey") or str(uuid.uuid4()), circuitProvisioningState="Enabled")
    _default(properties, serviceProviderProvisioningState="NotProvisioned")
    _default(document, sku={"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"})


def _flow_log(_document: Json, properties: Json, store: Store, _before: Json) -> None:
    _default(properties, enabled=True, retentionPolicy={"days": 0, "enabled": False}, enabledFilteringCriteria="")
    # Ours: the reference gives 0 as the default, and no instance of it.
    _default(properties, format={"type": "JSON", "version": 1})
    target = store.find(str(properties.get("targetResourceId", ""))) or {}
    properties["targetResourceGuid"] = target.get("properties", {}).get("resourceGuid", "")
    analytics = (properties.get("flowAnalyticsConfiguration") or {}).get("networkWatcherFlowAnalyticsConfiguration")
    if analytics:
        workspace = store.find(str(analytics.get("workspaceResourceId", ""))) or {}
        _default(analytics, enabled=True, trafficAnalyticsInterval=60, workspaceRegion=workspace.get("location"))
        _default(analytics, workspaceId=workspace.get("properties", {}).get("customerId"))
    else:
        _default(properties, flowAnalyticsConfiguration={})


def _workspace(_document: Json, properties: Json, _store: Store, before: Json) -> None:
    old = before.get("properties", {})
    properties["customerId"] = old.get("customerId") or str(uuid.uuid4())
    sku = properties.setdefault("sku", {"name": "PerGB2018"})
    # The service spells it its own way, whatever was sent.
    sku["name"] = {"pergb2018": "PerGB2018"}.get(str(sku.get("name")).lower(), sku.get("name"))
    _default(
        properties, retentionInDays=30, workspaceCapping={"dailyQuotaGb": -1.0, "dataIngestionStatus": "RespectQuota"}
    )
    _default(properties, publicNetworkAccessForIngestion="Enabled", publicNetworkAccessForQuery="Enabled")
    _default(
        properties, features={"legacy": 0, "searchVersion": 1, "enableLogAccessUsingOnlyResourcePermissions": True}
    )


def _storage_account(document: Json, properties: Json, _store: Store, _before: Json) -> None:
    name = document["name"]
    document["sku"]["tier"] = str(document["sku"].get("name", "")).partition("_")[0]
    hosts: Json = {
        kind: f"https://{name}.{kind}.core.windows.net/" for kind in ("blob", "queue", "table", "file", "dfs", "web")
    }
    properties["primaryEndpoints"] = hosts
    routing = properties.get("routingPreference") or {}
    if routing.get("publishMicrosoftEndpoints"):
        hosts["microsoftEndpoints"] = {
            kind: f"https://{name}-microsoftrouting.{kind}.core.windows.net/" for kind in ("blob", "file", "dfs", "web")
        }
    _default(properties, primaryLocation=document.get("location"), statusOfPrimary="available")
    _default(properties, supportsHttpsTrafficOnly=True, allowBlobPublicAccess=False, minimumTlsVersion="TLS1_0")
    if document.get("kind") == "StorageV2":
        _default(properties, accessTier="Hot")
    rules = properties.setdefault("networkAcls", {})
    _default(rules, bypass="AzureServices", defaultAction="Allow", virtualNetworkRules=[], ipRules=[])
    encryption = {"services": {kind: {"enabled": True, "keyType": "Account"} for kind in ("file", "blob")}}
    _default(properties, encryption=encryption | {"keySource": "Microsoft.Storage"})


def _diagnostics(_document: Json, properties: Json, _store: Store, _before: Json) -> None:
    for kind in ("logs", "metrics"):
        _default(properties, **{kind: []})
        for entry in properties[kind]:
            # The service adds this to what was sent without it.
            _default(entry, retentionPolicy={"days": 0, "enabled": False})


def _scale_set(document: Json, properties: Json, _store: Store, before: Json) -> None:
    old = before.get("properties", {})
    sku = document.setdefault("sku", {})
    _default(sku, tier="Standard", capacity=1)
    for fixed in ("singlePlacementGroup", "orchestrationMode", "platformFaultDomainCount"):
        _default(properties, **{fixed: old.get(fixed)})
    _default(properties, singlePlacementGroup=True, overprovision=True, orchestrationMode="Uniform")
    _default(properties, doNotRunExtensionsOnOverprovisionedVMs=False)
    properties["uniqueId"] = old.get("uniqueId") or str(uuid.uuid4())
    profile = properties.setdefault("virtualMachineProfile", {})
    account = profile.setdefault("osProfile", {})
    kept = old.get("virtualMachineProfile", {}).get("osProfile", {})
    for secret in ("customData", "adminPassword"):
        # They are never returned, so that a PUT without them keeps them.
        if account.get(secret) is None and secret in kept:
            account[secret] = kept[secret]
    _default(account, allowExtensionOperations=True, requireGuestProvisionSignal=True, secrets=[])
    linux = account.get("linuxConfiguration")
    if linux is not None:
        _default(linux, provisionVMAgent=True, enableVMAgentPlatformUpdates=False)
    disk = profile.setdefault("storageProfile", {}).setdefault("osDisk", {})
    _default(disk, createOption="FromImage", caching="ReadWrite", osType="Linux", diskSizeGB=30)
    kept_disk = old.get("virtualMachineProfile", {}).get("storageProfile", {}).get("osDisk", {}).get("managedDisk", {})
    _default(disk.setdefault("managedDisk", {}), storageAccountType=kept_disk.get("storageAccountType", "Premium_LRS"))
    for card in profile.get("networkProfile", {}).get("networkInterfaceConfigurations", []):
        _default(card.setdefault("properties", {}), enableAcceleratedNetworking=False, enableIPForwarding=False)
        for address in card["properties"].get("ipConfigurations", []):
            _default(address.setdefault("properties", {}), privateIPAddressVersion="IPv4")


_FILLERS: dict[str, Callable[[Json, Json, Store, Json], None]] = {
    "microsoft.network/virtualnetworks": _virtual_network,
    "microsoft.network/networksecuritygroups": _security_group,
    "microsoft.network/publicipaddresses": _public_address,
    "microsoft.network/natgateways": _nat_gateway,
    "microsoft.network/loadbalancers": _load_balancer,
    "microsoft.network/virtualnetworkgateways": _gateway,
    "microsoft.network/connections": _connection,
    "microsoft.network/expressroutecircuits": _circuit,
    "microsoft.network/networkwatchers/flowlogs": _flow_log,
    "microsoft.operationalinsights/workspaces": _workspace,
    "microsoft.storage/storageaccounts": _storage_account,
    "microsoft.insights/diagnosticsettings": _diagnostics,
    "microsoft.compute/virtualmachinescalesets": _scale_set,
}
