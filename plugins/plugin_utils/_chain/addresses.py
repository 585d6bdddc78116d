# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses as the inventory gives them, with or without the prefix of their network.

Private to this collection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in (
        # This host, private, shared, loopback, link-local, for protocols and benchmarks, multicast and reserved (RFC 6890).
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
        # The same for IPv6, and prefixes that carry an IPv4 address: compatible, NAT64 within a site, Teredo, 6to4.
        *(
            "::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/32",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
"""Where no endpoint of a cloud is, in whichever notation. Squid takes an IPv4 address that is mapped into IPv6 as the former."""

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a host, and the network it lies in where the inventory says so (``10.0.0.5/24``)."""

    text: str
    ip: IPAddress | None
    network: IPNetwork | None
    variable: str
    """Variable of the inventory that holds it, for the sentences."""


def parse_address(value: object, variable: str = "") -> Address:
    """Read ``10.0.0.5``, ``10.0.0.5/24``, ``2001:db8::5`` or a host name.

    Raises:
        ValueError: the value is none of them.
    """
    # YAML's null, true and false would pass as the host names None, True and False.
    text = "" if value is None or isinstance(value, bool) else str(value)
    try:
        ip, network = _read(text)
    except ValueError:
        # A name of digits and dots only is a mistyped address, not a host name.
        if len(text) <= 253 and _HOST_NAME.fullmatch(text) and re.search("[A-Za-z]", text):
            return Address(text=text, ip=None, network=None, variable=variable)
        raise ValueError(f"{value!r} is neither an IP address nor a host name") from None
    return Address(text=str(ip), ip=ip, network=network, variable=variable)


def is_address(text: object) -> bool:
    """Whether it is the text of an IP address that squid.conf can carry."""
    try:
        return isinstance(text, str) and "%" not in text and bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _read(text: str) -> tuple[IPAddress, IPNetwork | None]:
    """Read an IP address as Squid sees it: without a zone, and an IPv4 address mapped into IPv6 as the former."""
    if "%" in text:
        raise ValueError("squid.conf cannot carry a zone")
    address, slash, _prefix = text.partition("/")
    ip = ipaddress.ip_address(address)
    # Most sensors have no prefix, and to read one takes three times as long as the address.
    network = ipaddress.ip_interface(text).network if slash else None
    if isinstance(ip, ipaddress.IPv4Address) or ip.ipv4_mapped is None:
        return ip, network
    ip = ip.ipv4_mapped
    return ip, ipaddress.IPv4Interface((ip, network.prefixlen - 96)).network if network else None


def inside_without(gaps: Iterable[IPNetwork]) -> list[IPNetwork]:
    """Return the networks of INSIDE without some."""
    left: list[IPNetwork] = list(INSIDE)
    for gap in gaps:
        left = [part for network in left for part in _without(network, gap)]
    return left


def _without(network: IPNetwork, gap: IPNetwork) -> Iterable[IPNetwork]:
    if not network.overlaps(gap):
        return [network]
    # mypy does not know that networks that overlap are of one version.
    return [] if network.subnet_of(gap) else network.address_exclude(gap)  # type: ignore[arg-type]


def shared_network(mine: list[Address], theirs: list[Address]) -> tuple[Address, Address] | None:
    """Return the first pair (one of mine, one of theirs) that lies in one network, in order of preference."""
    for their in theirs:
        for my in mine:
            if their.network is not None and my.ip is not None and my.ip in their.network:
                return my, their
            if my.network is not None and their.ip is not None and their.ip in my.network:
                return my, their
    return None
