# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies that share addresses, and what is wrong with how they do. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .addresses import Address, shared_network
from .inventory import SAID, Inventory, Proxy, Vip, sentence
from .model import PairEntry, SharedAddress
from .names import acl_name, name_problem


@dataclass(frozen=True, slots=True)
class Pair:
    """Two proxies or more, one of which has the shared addresses."""

    name: str
    members: list[Proxy]
    """In the order of the inventory."""

    vip: Vip
    left: list[Proxy]
    """Those that are members no more. The others go on telling them who serves, so that nothing changes there when one leaves or comes."""

    def entry(self) -> PairEntry:
        """Return it as the topology has it."""
        return {
            "members": [member.name for member in self.members],
            "router_id": self.vip.router_id,
            "addresses": [self._shared(address) for address in self.vip.addresses],
        }

    def _shared(self, address: Address) -> SharedAddress:
        own = {proxy.name: _own(proxy, address) for proxy in [*self.members, *self.left]}
        return {
            "address": address.text,
            "prefix": address.network.prefixlen if address.network else 0,
            "own": {name: mine.text for name, mine in own.items() if mine},
        }


def pairs_of(inventory: Inventory) -> dict[str, Pair]:
    """Return the pairs by name; what is wrong with them is added to the inventory's mistakes."""
    members: dict[str, list[Proxy]] = {}
    for proxy in inventory.proxies.values():
        if proxy.vip:
            members.setdefault(proxy.vip.name, []).append(proxy)
    left: dict[str, list[Proxy]] = {}
    for proxy in inventory.proxies.values():
        left.setdefault(proxy.leaves, []).append(proxy)
    pairs = {
        name: Pair(name, found, found[0].vip, left.get(name, [])) for name, found in members.items() if found[0].vip
    }
    for pair in pairs.values():
        inventory.mistakes += _of_name(pair, inventory)
        inventory.mistakes += _of_members(pair)
        inventory.mistakes += _of_addresses(pair, inventory)
    inventory.mistakes += _of_router_ids(list(pairs.values()))
    return pairs


def _of_name(pair: Pair, inventory: Inventory) -> Iterator[str]:
    member = pair.members[0].name
    taken = {acl_name(name): name for name in [*inventory.proxies, *inventory.sensors]}
    if problem := name_problem(pair.name):
        yield sentence(member, "proxy_vip_name", pair.name, f"{problem}; choose another")
    elif other := taken.get(acl_name(pair.name)):
        yield sentence(member, "proxy_vip_name", pair.name, f"is also the name of the host {other}; choose another")


def _of_members(pair: Pair) -> Iterator[str]:
    first = pair.members[0]
    # While a pair is taken apart, the last member keeps the addresses for those who still use them.
    if len(pair.members) == 1 and not pair.left:
        yield sentence(
            first.name, "proxy_vip_name", pair.name, "has no other member; give it to a second proxy, or remove it"
        )
    for member in pair.members:
        if member.kind != "host":
            problem = "is given to a proxy in Azure, which has a load balancer; remove it there"
            yield sentence(member.name, "proxy_vip_name", pair.name, problem)
    for member in pair.members[1:]:
        vip = member.vip or pair.vip
        mine, other = _must_be_equal(member, vip), _must_be_equal(first, pair.vip)
        whose = f"{first.name}, the other member of {pair.name}"
        for variable in mine:
            if mine[variable] != other[variable]:
                problem = f"is not that of {whose} ({other[variable]}); give both the same"
                yield sentence(member.name, variable, mine[variable], problem)
        for variable in SAID:
            if vip.said.get(variable) != pair.vip.said.get(variable):
                yield f"{member.name}: its {variable} is not that of {whose}; give both the same."
    if pair.vip.said.get("squid_listen_addresses"):
        # Measured: on an address that comes after Squid has started it does not listen.
        problem = "and Squid would not listen on an address that comes to it later; remove it"
        yield f"{first.name}: squid_listen_addresses is set in the pair {pair.name}, {problem}."


def _must_be_equal(member: Proxy, vip: Vip) -> dict[str, object]:
    """Clients must not see a difference between the members. Their parents may differ."""
    return {
        "proxy_vip_addresses": ", ".join(address.text for address in vip.addresses),
        "proxy_vip_router_id": vip.router_id,
        "squid_port": member.port,
        "squid_tls_port": member.tls_port or 0,
        "squid_auth_enabled": member.auth,
    }


def _of_addresses(pair: Pair, inventory: Inventory) -> Iterator[str]:
    owners = {address.text: proxy.name for proxy in inventory.proxies.values() for address in proxy.addresses}
    owners |= {address.text: sensor.name for sensor in inventory.sensors.values() for address in sensor.addresses}
    first = pair.members[0].name
    for address in pair.vip.addresses:
        if address.network is None:
            yield sentence(first, "proxy_vip_addresses", address.text, "has no prefix; write it like 10.10.0.250/24")
            continue
        if address.text in owners:
            problem = f"is an address of {owners[address.text]}; choose one that no host has"
            yield sentence(first, "proxy_vip_addresses", address.text, problem)
        for member in pair.members:
            if not _own(member, address):
                problem = f"is in {address.network}, where {member.name} has no address of its own; add it to its squid_addresses"
                yield sentence(member.name, "proxy_vip_addresses", address.text, problem)


def _of_router_ids(pairs: list[Pair]) -> Iterator[str]:
    for number, pair in enumerate(pairs):
        for other in pairs[:number]:
            same = shared_network(other.vip.addresses, pair.vip.addresses)
            if same and other.vip.router_id == pair.vip.router_id:
                problem = f"is also that of {other.name}, in the same network ({same[1].network}); give one of them another one"
                yield sentence(pair.members[0].name, "proxy_vip_router_id", pair.vip.router_id, problem)


def _own(member: Proxy, shared: Address) -> Address | None:
    return next(
        (mine for mine in member.addresses if mine.ip is not None and shared.network and mine.ip in shared.network),
        None,
    )
