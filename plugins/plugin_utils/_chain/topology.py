# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology: who connects to whom, at which address, in which order, derived once from the inventory.

Private to this collection. Templates, roles, verification and the report read this one result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from ...module_utils._squid.evidence import plain
from .addresses import Address, parse_address, shared_network
from .credentials import check_users
from .groups import mistakes as group_mistakes
from .hostvars import Secret
from .inventory import WRONG_PORT, Inventory, Parent, Proxy, Sensor, read_inventory, sentence, source_problem
from .model import Graph, ParentEntry, ProxyEntry, SensorEntry
from .names import acl_name, text_problem, username_problem
from .pairs import pairs_of
from .tunnels import lay_tunnels


def of_groups(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, list[str]],
    proxies_group: str = "proxies",
    sensors_group: str = "sensors",
    cloud_sites_group: str = "cloud_sites",
    removed_sensors: Sequence[str] = (),
    about: Sequence[str] = (),
) -> Graph:
    """Derive the topology of an inventory; its options are those of the module topology."""
    proxies = groups.get(proxies_group, [])
    graph = derive(
        hostvars,
        proxies,
        [name for name in groups.get(sensors_group, []) if name not in removed_sensors],
        proxies_group,
        groups.get(cloud_sites_group, []),
    )
    graph["mistakes"] += [
        f"{name}: topology_removed_sensors has it, and so has the group '{proxies_group}'; take it out of one of them."
        for name in removed_sensors
        if name in proxies
    ]
    named = (proxies_group, sensors_group, cloud_sites_group)
    variables = ("topology_proxies_group", "topology_sensors_group", "topology_cloud_sites_group")
    graph["mistakes"][:0] = group_mistakes(groups, dict(zip(variables, named, strict=True)), about)
    return graph


def derive(
    hostvars: Mapping[str, Any],
    proxies: Iterable[str],
    sensors: Iterable[str],
    proxies_group: str = "proxies",
    cloud_sites: Iterable[str] = (),
) -> Graph:
    """Derive the topology of the given hosts.

    Args:
        hostvars: Ansible's hostvars, or a mapping of host to variables.
        proxies: names of the proxies, in the order of the inventory.
        sensors: names of the sensors, in the order of the inventory.
        proxies_group: name of the proxies' group, for the sentences in ``mistakes``.
        cloud_sites: names of the sites in other clouds.
    """
    inventory = read_inventory(hostvars, proxies, sensors, cloud_sites)
    return _Builder(inventory, proxies_group).build()


class _Builder:
    def __init__(self, inventory: Inventory, proxies_group: str) -> None:
        self._inventory = inventory
        self._group = proxies_group
        self._mistakes = inventory.mistakes
        self._proxies = {proxy.name: _proxy_entry(proxy) for proxy in inventory.proxies.values()}
        self._pairs = pairs_of(inventory)
        # Who has which address, as each proxy sees it.
        self._owners = {name: dict.fromkeys(entry["addresses"], name) for name, entry in self._proxies.items()}

    def build(self) -> Graph:
        for proxy in self._inventory.proxies.values():
            self._link_parents(proxy)
            self._add_child(proxy)
        tiers = self._tiers()
        sensors = {sensor.name: self._sensor_entry(sensor) for sensor in self._inventory.sensors.values()}
        self._check_users()
        tunnels = lay_tunnels(self._inventory.cloud_sites, self._proxies, sensors, self._mistakes)
        return {
            "proxies": self._proxies,
            "pairs": {name: pair.entry() for name, pair in self._pairs.items()},
            "sensors": sensors,
            "tiers": tiers,
            "tunnels": tunnels,
            "mistakes": self._mistakes,
        }

    def _mistake(self, host: str, variable: str, value: object, problem: str) -> None:
        self._mistakes.append(sentence(host, variable, value, problem))

    def _link_parents(self, child: Proxy) -> None:
        entry = self._proxies[child.name]
        seen: set[tuple[str, int]] = set()
        for given in child.parents:
            parent = self._parent_entry(child, given)
            if parent is None:
                continue
            where = (parent["address"], parent["port"])
            if where in seen and given.port != WRONG_PORT:
                self._mistake(
                    child.name, "squid_parents", given.host, f"is listed twice (address {where[0]}, port {where[1]})"
                )
                continue
            seen.add(where)
            parent["acl"] = _unique(parent["acl"], {other["acl"] for other in entry["parents"]})
            entry["parents"].append(parent)

    def _parent_entry(self, child: Proxy, given: Parent) -> ParentEntry | None:
        own_port = given.port in (child.port, child.tls_port)
        if child.is_meant(given) or (own_port and given.host in ("localhost", "127.0.0.1", "::1")):
            self._mistake(child.name, "squid_parents", given.host, "is the proxy itself")
            return None
        parents = self._meant(given)
        name = _hop_of(parents) or given.host
        entry: ParentEntry = {
            "name": name,
            "acl": acl_name(name),
            "kind": ("pair" if name in self._pairs else "inventory") if parents else "external",
            "address": "",
            "port": given.port or 0,
            "username": given.username,
            "tls": given.tls,
            "tls_ca": given.tls_ca,
            "tls_name": given.tls_name,
        }
        if parents:
            addresses = self._pairs[name].vip.addresses if name in self._pairs else parents[0].addresses
            return self._inventory_parent(child, parents[0], addresses, given, entry)
        try:
            entry["address"] = parse_address(given.host).text
        except ValueError:
            self._mistake(child.name, "squid_parents", given.host, "is not a valid host name or address")
            return None
        if given.port is None:
            self._mistake(
                child.name,
                "squid_parents",
                given.host,
                f"is not in the group '{self._group}'; "
                "correct the name, or give an external parent with 'host' and 'port'",
            )
            return None
        if given.username and text_problem(given.username):
            entry["username"] = quote(given.username, safe="")
        return entry

    def _hop(self, name: str) -> list[Proxy]:
        """The proxy of a name, or the members of the pair of that name."""
        if name in self._pairs:
            return self._pairs[name].members
        return [self._inventory.proxies[name]] if name in self._inventory.proxies else []

    def _meant(self, given: Parent) -> list[Proxy]:
        """The proxy or the members of the pair that a parent is: by its name, or else by address and port."""
        if found := self._hop(given.host):
            return found
        # Of several with one address, as in plants with the same plan of addresses, none is meant.
        meant = [proxy for proxy in self._inventory.proxies.values() if proxy.is_meant(given)]
        return meant if len(meant) == 1 or _hop_of(meant) else []

    def _inventory_parent(
        self, child: Proxy, parent: Proxy, addresses: list[Address], given: Parent, entry: ParentEntry
    ) -> ParentEntry | None:
        if not addresses:
            return None
        if given.tls and parent.tls_port is None and given.port is None:
            self._mistake(child.name, "squid_parents", given.host, "has tls, but that proxy has no squid_tls_port")
        if parent.auth and given.username is None:
            self._mistake(
                child.name,
                "squid_parents",
                given.host,
                "has squid_auth_enabled; give its entry a username and a password",
            )
        if given.username and (problem := username_problem(given.username)):
            self._mistake(child.name, "squid_parents.username", given.username, problem)
        pair = shared_network(child.sources or child.addresses, addresses)
        named = [address for address in addresses if address.text == plain(given.host)]
        entry["address"] = (named or ([pair[1]] if pair else addresses))[0].text
        if given.port is None:
            entry["port"] = parent.tls_port if given.tls and parent.tls_port is not None else parent.port
        return entry

    def _add_child(self, child: Proxy) -> None:
        """Make the child a client of each of its parents, once for each user as which it signs in there."""
        logins = dict.fromkeys(
            (proxy.name, parent["username"])
            for parent in self._proxies[child.name]["parents"]
            for proxy in self._hop(parent["name"])
        )
        unusable: set[str] = set()
        for name, username in logins:
            usable = []
            for address in self._sources(child, self._inventory.proxies[name]):
                problem = source_problem(address)
                if problem is None:
                    usable.append(address)
                elif address.text not in unusable:
                    unusable.add(address.text)
                    hint = f"{problem}; set squid_src to the address that {name} sees"
                    self._mistake(child.name, address.variable, address.text, hint)
            self._add_client(name, child.name, "proxy", usable, username)

    def _sources(self, child: Proxy, parent: Proxy) -> list[Address]:
        """The addresses from which a child comes: the one in the network that both share, unless it says otherwise."""
        if child.sources is not None:
            return child.sources
        pair = shared_network(child.addresses, parent.addresses)
        return [pair[0]] if pair else child.addresses

    def _add_client(
        self,
        proxy: str,
        name: str,
        kind: str,
        addresses: list[Address],
        username: str | None,
        previous_username: str | None = None,
    ) -> None:
        owners = self._owners[proxy]
        for address in addresses:
            other = owners.setdefault(address.text, name)
            if other != name:
                problem = f"is also that of {other}, and {proxy} could not tell them apart"
                self._mistake(name, address.variable, address.text, problem)
        self._proxies[proxy]["clients"].append(
            {
                "name": name,
                "acl": acl_name(name),
                "kind": kind,
                "addresses": [address.text for address in addresses],
                "username": username,
                "previous_username": previous_username,
            }
        )

    def _check_users(self) -> None:
        for proxy in self._inventory.proxies.values():
            if proxy.auth:
                problems = check_users(
                    proxy.name,
                    self._proxies[proxy.name]["clients"],
                    sensor_passwords=self._sensor_passwords,
                    proxy_parents=partial(self._logins, proxy),
                    previous=proxy.accept_previous,
                )[1]
                self._mistakes.extend(problems)

    def _logins(self, parent: Proxy, name: str) -> list[Parent]:
        return [each for each in self._inventory.proxies[name].parents if parent.is_meant(each)]

    def _sensor_passwords(self, name: str) -> tuple[Secret, Secret]:
        sensor = self._inventory.sensors[name]
        return sensor.password, sensor.previous_password

    def _sensor_entry(self, sensor: Sensor) -> SensorEntry:
        entry: SensorEntry = {"acl": acl_name(sensor.name), "addresses": [a.text for a in sensor.addresses], "path": []}
        via = sensor.via
        if not self._proxies:
            # Which is said once, and not of each sensor.
            return entry
        if via is None:
            via = _hop_of(list(self._inventory.proxies.values()))
        if via is None:
            self._mistakes.append(
                f"{sensor.name}: sensor_proxy_via is not set, and there are {len(self._proxies)} proxies to choose "
                "from; name one of them."
            )
            return entry
        members = self._hop(via)
        if not members:
            self._mistake(sensor.name, "sensor_proxy_via", via, f"is not in the group '{self._group}'")
            return entry
        first_hop = members[0]
        addresses = self._pairs[via].vip.addresses if via in self._pairs else first_hop.addresses
        if first_hop.auth and sensor.username is None:
            self._mistakes.append(
                f"{sensor.name}: sensor_proxy_username is not set, and {via} has squid_auth_enabled; "
                "set it and sensor_proxy_password."
            )
        pair = shared_network(sensor.addresses, addresses)
        if addresses:
            entry["proxy"] = {"address": (pair[1] if pair else addresses[0]).text, "port": first_hop.port}
        entry["path"] = self._path(via)
        for each in members:
            self._add_client(
                each.name, sensor.name, "sensor", sensor.addresses, sensor.username, sensor.previous_username
            )
        return entry

    def _path(self, first_hop: str) -> list[str]:
        """The hops of a sensor by each proxy's preferred parent, of a pair its first member's; an external parent ends it."""
        path = [first_hop]
        while (hop := self._hop(path[-1])) and (parents := self._proxies[hop[0].name]["parents"]):
            if parents[0]["name"] in path:
                break
            path.append(parents[0]["name"])
        return path

    def _tiers(self) -> list[list[str]]:
        """Proxies by their distance from the outside: those without an inventory parent first; cycles are mistakes.

        The members of a pair are in tiers of their own, so that no two of them are changed at the same time.
        """
        for name, entry in self._proxies.items():
            parents = [proxy.name for parent in entry["parents"] for proxy in self._hop(parent["name"])]
            pair = [proxy.name for proxy in self._pairs[entry["pair"]].members] if "pair" in entry else [name]
            entry["after"] = list(dict.fromkeys([*parents, *pair[: pair.index(name)]]))
        waiting = {name: entry["after"] for name, entry in self._proxies.items()}
        tiers: list[list[str]] = []
        while waiting:
            ready = [name for name, parents in waiting.items() if waiting.keys().isdisjoint(parents)]
            if not ready:
                self._report_cycles(waiting)
                break
            for name in ready:
                self._proxies[name]["tier"] = len(tiers)
                del waiting[name]
            tiers.append(ready)
        return tiers

    def _report_cycles(self, parents: dict[str, list[str]]) -> None:
        """Walk every proxy's parents depth first; each that is already on the trail closes a cycle of its own."""
        done: set[str] = set()
        for start, above in parents.items():
            trail = {} if start in done else {start: iter(above)}
            while trail:
                name, following = next(reversed(trail.items()))
                parent = next(following, None)
                if parent is None:
                    done.add(name)
                    del trail[name]
                elif parent in trail:
                    names = list(trail)
                    cycle = [*names[names.index(parent) :], parent]
                    self._mistake(cycle[0], "squid_parents", cycle[1], f"closes a cycle: {' -> '.join(cycle)}")
                elif parent in parents and parent not in done:
                    trail[parent] = iter(parents[parent])


def _proxy_entry(proxy: Proxy) -> ProxyEntry:
    entry: ProxyEntry = {
        "acl": acl_name(proxy.name),
        "kind": proxy.kind,
        "addresses": [address.text for address in [*proxy.addresses, *(proxy.vip.addresses if proxy.vip else ())]],
        "port": proxy.port,
        "tls_port": proxy.tls_port,
        "parents": [],
        "clients": [],
    }
    if proxy.vip:
        entry["pair"] = proxy.vip.name
    if proxy.leaves:
        entry["leaves"] = proxy.leaves
    return entry


def _hop_of(proxies: Sequence[Proxy]) -> str | None:
    """The name of the only proxy, or of the pair whose members they all are."""
    if len(proxies) == 1:
        return proxies[0].name
    pairs = {proxy.vip.name if proxy.vip else None for proxy in proxies}
    return next(iter(pairs)) if len(pairs) == 1 else None


def _unique(name: str, taken: set[str]) -> str:
    """A cache_peer name of its own for a parent that is listed at two ports."""
    number = 2
    candidate = name
    while candidate in taken:
        candidate = f"{name}-{number}"
        number += 1
    return candidate
