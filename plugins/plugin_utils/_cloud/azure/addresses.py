# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address plan of the proxy in Azure: the VNET, its subnets, and who may not overlap whom.

Private to this collection. Sizes and names of the subnets: the vendor's page and Azure's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations

Mistake = Callable[[str, object, str], None]
"""Notes what is wrong with the value of a variable."""

RESERVED = 5
"""Addresses of a subnet that Azure keeps: the first four and the last."""

_FIRST_FREE = 4


@dataclass(frozen=True)
class Subnet:
    """A subnet of the VNET."""

    key: str
    name: str
    """GatewaySubnet and AzureBastionSubnet are names that Azure demands."""

    offset: int
    """Where it begins in the VNET, in addresses, when nothing else is said."""

    bits: int
    """Length of its prefix, when nothing else is said."""

    longest: int
    """The longest prefix that it may have."""


SUBNETS = (
    Subnet("gateway_subnet", "GatewaySubnet", 0, 27, 27),
    Subnet("proxy_subnet", "ProxyserverSubnet", 32, 27, 29),
    Subnet("bastion_subnet", "AzureBastionSubnet", 64, 26, 26),
)


def network_of(variable: str, value: object, mistake: Mistake) -> IPv4Network | None:
    """Read a prefix such as ``10.60.0.0/26``; what is none is a mistake."""
    try:
        return IPv4Network(str(value))
    except ValueError:
        mistake(variable, value, "is not an IPv4 network such as 10.60.0.0/26, whose host bits are zero")
        return None


def subnets_of(
    vnet: IPv4Network, given: Mapping[str, object], bastion: bool, mistake: Mistake
) -> dict[str, IPv4Network]:
    """Return each subnet's network by its key.

    Args:
        vnet: the VNET.
        given: prefixes that the inventory sets, by key; empty ones are derived.
        bastion: whether there is a subnet for Bastion.
        mistake: notes what is wrong.
    """
    found: dict[str, IPv4Network] = {}
    for subnet in SUBNETS[: 3 if bastion else 2]:
        value = given.get(subnet.key)
        network = network_of(subnet.key, value, mistake) if value else _derived(vnet, subnet, mistake)
        if network is None:
            continue
        if network.prefixlen > subnet.longest:
            mistake(subnet.key, network, f"is too small for {subnet.name}, which needs a /{subnet.longest} at least")
        if not network.subnet_of(vnet):
            mistake(subnet.key, network, f"is not inside the VNET {vnet}")
        found[subnet.key] = network
    for (one, network), (other, against) in combinations(found.items(), 2):
        if network.overlaps(against):
            mistake(other, against, f"overlaps {one} {network}")
    return found


def _derived(vnet: IPv4Network, subnet: Subnet, mistake: Mistake) -> IPv4Network | None:
    begin = int(vnet.network_address) + subnet.offset
    # Beyond the VNET there may be no address at all.
    if begin <= int(vnet.broadcast_address):
        network = IPv4Network((begin, subnet.bits), strict=False)
        if network.subnet_of(vnet):
            return network
    mistake("address_prefix", vnet, f"has no room for {subnet.name}; a /26 is enough, a /25 with Bastion")
    return None


def check_frontend(variable: str, address: str, subnet: IPv4Network, mistake: Mistake) -> None:
    """See that Azure can give this address of the subnet to the load balancer."""
    try:
        place = int(IPv4Address(address)) - int(subnet.network_address)
    except ValueError:
        mistake(variable, address, "is not an IPv4 address")
        return
    if not 0 <= place < subnet.num_addresses:
        mistake(variable, address, f"is not in proxy_subnet {subnet}")
    elif place < _FIRST_FREE or place == subnet.num_addresses - 1:
        mistake(variable, address, f"is kept by Azure in {subnet}; use {subnet[_FIRST_FREE]} to {subnet[-2]}")


def check_far_side(variable: str, networks: Iterable[IPv4Network], vnet: IPv4Network, mistake: Mistake) -> None:
    """See that what lies on the other side of the tunnel is not also in the VNET."""
    for network in networks:
        if network.overlaps(vnet):
            mistake(variable, network, f"overlaps the VNET {vnet}, so that answers would not leave it")
