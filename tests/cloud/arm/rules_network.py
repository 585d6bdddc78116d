"""STAND-IN for Azure: what Microsoft.Network refuses."""

from __future__ import annotations

import copy
import ipaddress
import itertools
import re
from collections.abc import Callable
from typing import Any

from tests.cloud.arm import addresses, ids, view
from tests.cloud.arm.exchange import Json
from tests.cloud.arm.rules_common import refuse
from tests.cloud.arm.store import Store, element, elements

GATEWAY_SUBNET = "GatewaySubnet"


def linked(owner: Json, name: str) -> str:
    """Return the id in {name: {"id": ...}}, empty for none."""
    found = owner.get(name)
    return str(found.get("id", "")) if isinstance(found, dict) else ""


def check_references(document: Json, store: Store) -> None:
    """Refuse ids of what is not there, or not in the same region.

    Raises:
        ArmError: one is wrong.
    """
    own = str(document["id"]).lower()
    known = copy.copy(store)
    known.documents = store.documents | {own: document}
    # Peerings have rules of their own: the other side may be in another region.
    for named in ids.references({**document["properties"], "virtualNetworkPeerings": None}):
        target = ids.parse(named)
        if not target.kind.startswith("microsoft.network/"):
            continue
        found = known.find(named)
        holder = known.find("/".join(named.split("/")[:9])) or {}
        moved = document.get("location") and holder.get("location") not in (None, document["location"])
        if found is None or moved:
            raise refuse(
                "InvalidResourceReference",
                f"Resource {named} referenced by resource {document['id']} was not found. Please make sure that the "
                "referenced resource exists, and that both resources are in the same region.",
            )


def _check_network(document: Json, store: Store, before: Json | None) -> None:
    properties = document["properties"]
    space = [ipaddress.ip_network(text) for text in properties.get("addressSpace", {}).get("addressPrefixes", [])]
    if not space:
        raise refuse("InvalidRequestFormat", "Cannot parse the request: addressSpace.addressPrefixes is missing.")
    seen: list[tuple[str, Any]] = []
    for subnet in elements(document, "subnets"):
        for network in _subnet_prefixes(subnet):
            if not any(network.version == outer.version and network.subnet_of(outer) for outer in space):  # type: ignore[arg-type]
                raise refuse(
                    "NetcfgInvalidSubnet",
                    f"Subnet '{subnet['name']}' is not valid because its IP address range is outside the IP address range "
                    f"of virtual network '{document['name']}'.",
                )
            if any(network.overlaps(other) for name, other in seen if name != subnet["name"]):
                raise refuse(
                    "NetcfgSubnetRangesOverlap",
                    f"Subnet '{subnet['name']}' is not valid because its IP address range overlaps with that of an "
                    f"existing subnet in virtual network '{document['name']}'.",
                )
            seen.append((subnet["name"], network))
        _check_subnet(document, subnet, store, before)
    for peering in elements(document, "virtualNetworkPeerings"):
        _check_peering(document, peering, store)
    for old in elements(before or {}, "subnets"):
        if element(document, "subnets", old["name"]) is None:
            check_deletion(str(old["id"]), store)


def _spaces(network: Json) -> list[Any]:
    return [
        ipaddress.ip_network(text) for text in network["properties"].get("addressSpace", {}).get("addressPrefixes", [])
    ]


def _has_gateway(network: Json, store: Store) -> bool:
    gateways = store.of_kind("Microsoft.Network/virtualNetworkGateways")
    return any(network["id"].lower() in _networks(gateway) for gateway in gateways)


def _check_peering(network: Json, peering: Json, store: Store) -> None:
    """Codes of terraform-provider-azurerm's and others' reports; where none was found it is BadRequest."""
    properties, path = peering["properties"], f"{network['id']}/virtualNetworkPeerings/{peering['name']}"
    named = linked(properties, "remoteVirtualNetwork")
    remote = store.find(named)
    if remote is None:
        raise refuse("InvalidResourceReference", f"Resource {named} referenced by resource {path} was not found.")
    words = f"Cannot create or update peering {path}."
    for one, other in itertools.product(_spaces(network), _spaces(remote)):
        if one.overlaps(other):
            text = f"{words} Virtual networks {network['id']} and {named} cannot be peered because their address spaces overlap."
            raise refuse("VnetAddressSpacesOverlap", f"{text} Overlapping address prefixes: {one}, {other}")
    for other in elements(network, "virtualNetworkPeerings"):
        third = store.find(linked(other["properties"], "remoteVirtualNetwork"))
        if third and third is not remote and any(a.overlaps(b) for a in _spaces(third) for b in _spaces(remote)):
            text = f"{words} Address space of {named} overlaps with that of the already peered {third['id']}."
            raise refuse("VnetAddressSpaceOverlapsWithAlreadyPeeredVnet", text)
    back = next(
        (
            one["properties"]
            for one in elements(remote, "virtualNetworkPeerings")
            if linked(one["properties"], "remoteVirtualNetwork").lower() == network["id"].lower()
        ),
        None,
    )
    if back and back.get("peeringState") == "Disconnected":
        text = f"{words} Remote peering referencing parent virtual network {network['id']} is in Disconnected state."
        raise refuse("RemotePeeringIsDisconnected", text)
    if properties.get("useRemoteGateways"):
        if not _has_gateway(remote, store):
            raise refuse(
                "RemoteVnetHasNoGateways",
                f"Peering {path} cannot have UseRemoteGateway flag set to true because remote virtual network {named} referenced by the "
                "peering does not have any gateways.",
            )
        # learn.microsoft.com "Configure VPN gateway transit for virtual network peering".
        if _has_gateway(network, store) or (back and not back.get("allowGatewayTransit")):
            raise refuse("BadRequest", f"Peering {path} cannot use the gateways of {named}.")


def _subnet_prefixes(subnet: Json) -> list[addresses.Network]:
    try:
        found = addresses.prefixes(subnet)
    except ValueError as error:
        text = str(subnet["properties"].get("addressPrefix"))
        message = f"The address prefix {text} in resource {subnet['name']} has an invalid CIDR notation: {error}."
        raise refuse("InvalidCIDRNotation", message) from error
    if not found:
        text = f"Subnet {subnet['name']} must have exactly one of addressPrefix and addressPrefixes."
        raise refuse("InvalidRequestFormat", text)
    return found


def _check_subnet(network: Json, subnet: Json, store: Store, before: Json | None) -> None:
    name = str(subnet["name"])
    group = linked(subnet["properties"], "networkSecurityGroup")
    if name == GATEWAY_SUBNET and group:
        raise refuse(
            "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet",
            f"The operation failed because the network security group {ids.parse(group).name} can not be associated to the "
            "GatewaySubnet. Please remove the network security group associated to the GatewaySubnet. No changes have "
            "occurred on the gateway at this time. See here for additional details: https://aka.ms/GatewaySubnet.",
        )
    old = element(before or {}, "subnets", name)
    if old is not None and addresses.prefixes(old) != addresses.prefixes(subnet):
        path = f"{network['id']}/subnets/{name}"
        if store.users(path):
            raise refuse("InUseSubnetCannotBeUpdated", f"Subnet {name} is in use and cannot be updated.")


def _check_group(document: Json, _store: Store, _before: Json | None) -> None:
    rules = elements(document, "securityRules")
    for rule in rules:
        properties = rule["properties"]
        priority = properties.get("priority")
        if not isinstance(priority, int) or not 100 <= priority <= 4096:
            raise refuse(
                "SecurityRuleInvalidPriority",
                f"Security rule has invalid Priority. Value provided: {priority} Allowed range 100-4096.",
            )
        for side in ("source", "destination"):
            if not any(properties.get(f"{side}{what}") for what in ("AddressPrefix", "AddressPrefixes")):
                text = f"Security rule has invalid Address prefix. Value provided: '' ({side}, rule {rule['name']})."
                raise refuse("SecurityRuleInvalidAddressPrefix", text)
            for text in _both(properties, side, "AddressPrefix"):
                if not _is_prefix(text):
                    message = f"Security rule has invalid Address prefix. Value provided: {text}"
                    raise refuse("SecurityRuleInvalidAddressPrefix", message)
            for text in _both(properties, side, "PortRange") or [""]:
                if not _is_port_range(text):
                    raise refuse(
                        "SecurityRuleInvalidPortRange",
                        f"Security rule has invalid Port range. Value provided: {text}. Value should be an integer OR integer range "
                        "with '-' delimiter. Valid range 0-65535.",
                    )
    for one, other in itertools.combinations(rules, 2):
        same = ("priority", "direction")
        if all(one["properties"].get(name) == other["properties"].get(name) for name in same):
            raise refuse(
                "SecurityRuleConflict",
                f"Security rule {one['name']} conflicts with rule {other['name']}. Rules cannot have the same Priority and "
                "Direction.",
            )


def _both(properties: Json, side: str, what: str) -> list[str]:
    """Return the values of a member that exists in singular and in plural, of which a rule uses one."""
    one = properties.get(f"{side}{what}")
    return [
        *([str(one)] if one else []),
        *map(str, properties.get(f"{side}{what}es" if what.endswith("x") else f"{side}{what}s") or []),
    ]


def _is_prefix(text: str) -> bool:
    """Take a network, an address, or a service tag such as VirtualNetwork or Storage.WestEurope."""
    if text == "*" or re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)?", text):
        return True
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_port_range(text: str) -> bool:
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    if text == "*" or found is None:
        return text == "*"
    first, last = int(found[1]), int(found[2] or found[1])
    return first <= last <= 65535


def _check_address(document: Json, _store: Store, before: Json | None) -> None:
    sku = document["sku"].get("name")
    if sku == "Basic" and before is None:
        raise refuse(
            "IPv4BasicSkuPublicIpCountLimitReached",
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.",
        )
    if sku == "Standard" and document["properties"]["publicIPAllocationMethod"] != "Static":
        raise refuse(
            "StandardSkuPublicIPAddressesMustBeStatic",
            f"Standard sku publicIp {document['id']} must have AllocationMethod set to Static.",
        )


def _check_free(document: Json, address: str, store: Store) -> None:
    others = [user for user in store.users(address) if user.lower() != document["id"].lower()]
    if others:
        raise refuse(
            "PublicIPAddressInUse",
            f"Resource {document['id']} is referencing public IP address {address} that is already allocated to resource "
            f"{others[0]}.",
        )


def _check_nat_gateway(document: Json, store: Store, _before: Json | None) -> None:
    for reference in document["properties"].get("publicIpAddresses") or []:
        found = store.find(reference["id"]) or {}
        _check_free(document, reference["id"], store)
        if found.get("sku", {}).get("name") != document["sku"]["name"]:
            # The real code is not published.
            text = f"NAT gateway {document['id']} cannot reference Basic sku publicIP {reference['id']}."
            raise refuse("BadRequest", text)


def _check_load_balancer(document: Json, store: Store, before: Json | None) -> None:
    sku = document["sku"]["name"]
    if before is not None and before["sku"]["name"] != sku:
        raise refuse(
            "BadRequest", f"Sku of load balancer {document['id']} cannot be changed."
        )  # The code is not published.
    for item in elements(document, "frontendIPConfigurations"):
        frontend = item["properties"]
        public, subnet = linked(frontend, "publicIPAddress"), linked(frontend, "subnet")
        if public:
            other = (store.find(public) or {}).get("sku", {}).get("name")
            if other != sku:
                raise refuse(
                    "PublicIPAndLBSkuDoNotMatch",
                    f"{sku} sku load balancer {document['id']} cannot reference {other} sku publicIP {public}.",
                )
            _check_free(document, public, store)
        if subnet:
            _check_private_address(document, item, store)


def _check_private_address(document: Json, item: Json, store: Store) -> None:
    frontend = item["properties"]
    if frontend["privateIPAllocationMethod"] != "Static":
        return
    text = frontend.get("privateIPAddress")
    if not text:
        raise refuse("PrivateIPAddressMissing", f"Static private IP address of {item['id']} is missing.")
    address = ipaddress.ip_address(text)
    subnet = linked(frontend, "subnet")
    network = next((one for one in addresses.prefixes(store.find(subnet) or {}) if address in one), None)
    if network is None:
        shown = ", ".join(map(str, addresses.prefixes(store.find(subnet) or {})))
        message = f"Private static IP address {text} does not belong to the range of subnet prefix {shown}."
        raise refuse("PrivateIPAddressNotInSubnet", message)
    if address in list(network)[: addresses.RESERVED] or address == network.broadcast_address:
        message = f"Private static IP address {text} falls within reserved IP range of subnet prefix {network}."
        raise refuse("PrivateIPAddressInReservedRange", message)
    holder = addresses.taken(subnet, store, but=document["id"]).get(text)
    if holder:
        message = f"IP configuration {item['id']} is using the private IP address {text} which is already allocated to {holder}."
        raise refuse("PrivateIPAddressIsAllocated", message)


def _check_gateway(document: Json, store: Store, before: Json | None) -> None:
    properties = document["properties"]
    vpn = properties["gatewayType"] == "Vpn"
    _check_only_gateway(document, store)
    sku = str(properties["sku"].get("name"))
    old_configurations = elements(before or {}, "ipConfigurations")
    for configuration in elements(document, "ipConfigurations"):
        subnet = linked(configuration["properties"], "subnet")
        if ids.parse(subnet).name != GATEWAY_SUBNET:
            # The real code is not published; every client checks this before it asks.
            raise refuse(
                "BadRequest",
                f"Subnet {subnet} of ip configuration {configuration['id']} must be named {GATEWAY_SUBNET}.",
            )
        address = linked(configuration["properties"], "publicIPAddress")
        if vpn and not address:
            # Words of hashicorp/terraform-provider-azurerm 6548.
            text = f"Public IP address reference is required for gateway IP configration {document['id']}."
            raise refuse("PublicIpForGatewayIsRequired", text)
        if (
            not vpn
            and address
            and address not in [linked(old["properties"], "publicIPAddress") for old in old_configurations]
        ):
            # learn.microsoft.com "About ExpressRoute virtual network gateways", section Auto-assigned public IP: since August 2025
            # it is Azure's own. PaloAltoNetworks/terraform-azurerm-swfw-modules 204 says that one of the customer's is refused; its
            # words are not published. A gateway from before keeps its address.
            text = f"ExpressRoute gateway {document['id']} cannot reference public IP address {address}: it is managed by Azure."
            raise refuse("BadRequest", text)
        if address:
            _check_free(document, address, store)
            zones = (store.find(address) or {}).get("zones")
            if vpn and sku.endswith("AZ") and not zones and store.zones_of(str(document["location"])):
                # Words of ansible-collections/azure 2208.
                text = "Standard Public IPs associated with VPN Gateways with AZ VPN skus must have zones configured."
                raise refuse("VmssVpnGatewayPublicIpsMustHaveZonesConfigured", text)
            if vpn and (store.find(address) or {}).get("sku", {}).get("name") != "Standard":
                raise refuse(
                    "PublicIpWithBasicSkuNotAllowedOnVPNGateways",
                    "Basic IP configuration for VPN Virtual Network Gateways is not supported. Follow the link for more "
                    "details : https://go.microsoft.com/fwlink/p/?linkid=2241350",
                )
    given = [one for one in elements(document, "ipConfigurations") if linked(one["properties"], "publicIPAddress")]
    if properties.get("activeActive") and (not vpn or len(given) < 2):
        # learn.microsoft.com "About active-active mode VPN gateways"; the code is not published.
        raise refuse("BadRequest", f"Gateway {document['id']} is active-active, and has not two public addresses.")
    if vpn and sku in ("VpnGw1", "VpnGw2", "VpnGw3", "VpnGw4", "VpnGw5", "Standard", "HighPerformance"):
        raise refuse(
            "NonAzSkusNotAllowedForVPNGateway",
            "VpnGw1-5 non-AZ SKUs are no longer supported for creating VPN gateways. Only VpnGw1-5AZ SKUs can be created.",
        )
    if sku in ("VpnGw4AZ", "VpnGw5AZ") and properties["vpnGatewayGeneration"] != "Generation2":
        # That they exist in the second generation only is documented, the code is not.
        raise refuse("BadRequest", f"Sku {sku} does not exist in {properties['vpnGatewayGeneration']}.")
    if vpn != sku.startswith(("VpnGw", "Basic")):
        # The real code is not published.
        raise refuse("BadRequest", f"Sku {sku} does not fit a gateway of type {properties['gatewayType']}.")


def _networks(gateway: Json) -> set[str]:
    subnets = (linked(item["properties"], "subnet") for item in elements(gateway, "ipConfigurations"))
    return {subnet.lower().rpartition("/subnets/")[0] for subnet in subnets if subnet}


def _check_only_gateway(document: Json, store: Store) -> None:
    """A VNET has one gateway of a type (learn.microsoft.com "What is Azure VPN Gateway?"); the code is not published."""
    for other in store.of_kind("Microsoft.Network/virtualNetworkGateways"):
        same = other["properties"].get("gatewayType", "Vpn") == document["properties"]["gatewayType"]
        if same and other["id"].lower() != document["id"].lower() and _networks(other) & _networks(document):
            raise refuse(
                "BadRequest", f"A virtual network can't be associated with more than one gateway: {other['id']}."
            )


def check_shared_key(key: object) -> None:
    """Refuse a key that no tunnel takes: 1 to 128 characters of printable ASCII, without blank, "-" and "~".

    learn.microsoft.com "Set-AzureVNetGatewayKey" for the length, "VPN Gateway FAQ" for the characters; the code is not published.

    Raises:
        ArmError: it is none.
    """
    if not isinstance(key, str) or not re.fullmatch("[!-,.-}]{1,128}", key):
        raise refuse(
            "BadRequest", "The shared key must have 1 to 128 printable ASCII characters except space, - and ~."
        )


def _check_connection(document: Json, _store: Store, _before: Json | None) -> None:
    properties = document["properties"]
    if not linked(properties, "virtualNetworkGateway1"):
        raise refuse("InvalidRequestFormat", "Cannot parse the request: virtualNetworkGateway1 is missing.")
    if properties.get("connectionType") == "IPsec" and not linked(properties, "localNetworkGateway2"):
        raise refuse("InvalidRequestFormat", "Cannot parse the request: localNetworkGateway2 is missing.")
    if properties.get("sharedKey") is not None:
        check_shared_key(properties["sharedKey"])


def _check_local_gateway(document: Json, _store: Store, _before: Json | None) -> None:
    properties = document["properties"]
    if not properties.get("gatewayIpAddress") and not properties.get("fqdn"):
        text = "Local network gateway needs gatewayIpAddress or fqdn."
        raise refuse("LocalNetworkGatewayIpAddressOrFqdnRequired", text)


def _check_watcher(document: Json, store: Store, before: Json | None) -> None:
    others = store.of_kind("Microsoft.Network/networkWatchers")
    if before is None and any(other["location"] == document["location"] for other in others):
        text = "Cannot create more than 1 network watchers for this subscription in this region."
        raise refuse("NetworkWatcherCountLimitReached", text)


def _check_flow_log(document: Json, store: Store, before: Json | None) -> None:
    properties = document["properties"]
    target = ids.parse(str(properties.get("targetResourceId", "")))
    if target.kind == "microsoft.network/networksecuritygroups" and before is None:
        raise refuse(
            "NsgFlowLogCreationBlocked",
            "On September 30, 2027, Network Security Group (NSG) flow logs will be retired. As part of this retirement, "
            "creation of new NSG flow logs is blocked starting June 30, 2025, but you will be able to continue using and "
            "modifying settings for existing NSG flow logs that are previously deployed/configured until Sept 30th 2027. We "
            "recommend migrating to virtual network flow logs, which overcome the limitations of NSG flow logs. For "
            "migration, please refer to https://learn.microsoft.com/en-us/azure/network-watcher/nsg-flow-logs-migrate.",
        )
    for name in ("targetResourceId", "storageId"):
        named = str(properties.get(name, ""))
        found = store.find(named)
        # A subnet, which can be a target too (learn.microsoft.com "Virtual network flow logs"), is where its VNET is.
        place = (store.find("/".join(named.split("/")[:9])) or {}).get("location")
        if found is None or place != document["location"]:
            raise refuse(
                "InvalidResourceReference",
                f"Resource {properties.get(name)} referenced by resource {document['id']} was not found. Please make sure "
                "that the referenced resource exists, and that both resources are in the same region.",
            )
    days = (properties.get("retentionPolicy") or {}).get("days", 0)
    if not 0 <= days <= 365:
        raise refuse(
            "BadRequest", f"Retention days {days} is not in the range 0-365."
        )  # The real code is not published.


def _used(path: str, store: Store) -> list[str]:
    """Return who stands in the way: flow logs and diagnostic settings do not."""
    return [
        user for user in store.users(path) if not user.lower().rsplit("/", 2)[-2].startswith(("flowlog", "diagnost"))
    ]


def check_deletion(path: str, store: Store) -> None:
    """Refuse to delete what is in use.

    Raises:
        ArmError: something refers to it.
    """
    target = ids.parse(path)
    if not target.kind.startswith("microsoft.network/"):
        return
    users = _used(path, store)
    if not users:
        return
    found = _DELETIONS.get(target.kind)
    if found is None:
        # The real codes are not published.
        raise refuse("BadRequest", f"{target.types[-1]} {path} is in use by {', '.join(users)} and cannot be deleted.")
    code, message = found
    # The message names parts, such as a subnet, where one of them refers to the whole.
    named = list(view.holders(path, store)) or users
    values = {"id": path, "name": target.name, "user": named[0], "users": ", ".join(named), "count": len(named)}
    raise refuse(code, message.format(**values, part=_part(path, users[0], store)))


def _part(path: str, user: str, store: Store) -> str:
    """Return the name of the part that its user refers to."""
    named = ids.references((store.find(user) or {}).get("properties", {}))
    return next((ids.parse(name).name for name in named if name.lower().startswith(path.lower() + "/")), "")


_DELETIONS = {
    "microsoft.network/networksecuritygroups": (
        "InUseNetworkSecurityGroupCannotBeDeleted",
        "Network security group {id} cannot be deleted because it is in use by the following resources: {users}. In order to "
        "delete the Network security group, remove the association with the resource(s). To learn how to do this, see "
        "aka.ms/deletensg.",
    ),
    "microsoft.network/virtualnetworks/subnets": (
        "InUseSubnetCannotBeDeleted",
        "Subnet {name} is in use by {users} and cannot be deleted. In order to delete the subnet, delete all the resources "
        "within the subnet. See aka.ms/deletesubnet.",
    ),
    "microsoft.network/virtualnetworks": (
        "InUseSubnetCannotBeDeleted",
        "Subnet {part} is in use by {users} and cannot be deleted. In order to delete the subnet, delete all the resources "
        "within the subnet. See aka.ms/deletesubnet.",
    ),
    "microsoft.network/natgateways": (
        "CannotDeleteNatGatewayAssociatedToSubnet",
        "NAT Gateway {id} is still configured on {count} subnets. Remove NAT Gateway from all referenced subnets and then "
        "delete NAT Gateway.",
    ),
    "microsoft.network/publicipaddresses": (
        "PublicIPAddressCannotBeDeleted",
        "Public IP address {id} can not be deleted since it is still allocated to resource {user}. In order to delete the "
        "public IP, disassociate/detach the Public IP address from the resource. To learn how to do this, see "
        "aka.ms/deletepublicip.",
    ),
    "microsoft.network/loadbalancers": (
        "LoadBalancerInUseByVirtualMachineScaleSet",
        "Cannot delete load balancer {id} since its child resources {part} are in use by virtual machine scale set {user}.",
    ),
}

CHECKS: dict[str, Callable[[Json, Store, Json | None], None]] = {
    "microsoft.network/virtualnetworks": _check_network,
    "microsoft.network/networksecuritygroups": _check_group,
    "microsoft.network/publicipaddresses": _check_address,
    "microsoft.network/natgateways": _check_nat_gateway,
    "microsoft.network/loadbalancers": _check_load_balancer,
    "microsoft.network/virtualnetworkgateways": _check_gateway,
    "microsoft.network/localnetworkgateways": _check_local_gateway,
    "microsoft.network/connections": _check_connection,
    "microsoft.network/networkwatchers": _check_watcher,
    "microsoft.network/networkwatchers/flowlogs": _check_flow_log,
}
