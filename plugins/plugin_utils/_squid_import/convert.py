# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory of this collection from squid.conf files that were made by hand, and what of them it does not carry over.

Private to this collection. It lets in nobody whom the files do not let in; what it does not know counts as refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from ...module_utils._squid.read import read
from ...module_utils._squid.rules import Evaluator
from .._chain.endpoints import allow_list
from .._chain.inventory import DEFAULT_PORT
from .._chain.names import name_problem
from .._plan.migration import migration, proposed
from .._plan.plan import ProxyPlan, sentences
from .access import Access, Where, read_access
from .hops import CachePeer, Listening, is_stuck, read_listening, read_parents
from .hosts import DEFAULT_ENDPOINTS, written
from .log import tunnels
from .names import Names, dump, identifier, one_line
from .notes import Notes
from .others import note_others, note_sign_in
from .pairs import KEEPALIVED, shared_addresses

LIMIT = 64
"""So many addresses of one network or range become hosts."""


@dataclass(frozen=True)
class Config:
    """A proxy as it is today."""

    name: str
    path: str
    """That of its squid.conf."""
    files: Mapping[str, str]
    """Text by path; keepalived's configuration may be among them."""
    address: str = ""
    """Where Ansible connects."""
    log: str = ""
    """Text of its access log."""


@dataclass(frozen=True)
class Import:
    """What became of the files."""

    inventory: str
    left_out: list[str]
    wanted: dict[str, list[str]]
    """For each proxy the files that are named and were not given."""
    access: list[str]
    """What of access comes and goes with the inventory, a sentence each."""


@dataclass
class _Proxy:
    config: Config
    notes: Notes
    wanted: list[str]
    listening: Listening
    parents: list[CachePeer]
    stuck: bool
    access: Access
    group: str
    """That of its sensors."""
    uncertain: str
    """That of those that it may refuse."""
    addresses: list[str] = field(default_factory=list)
    """Where clients connect, as far as it is known."""
    linked: dict[CachePeer, str] = field(default_factory=dict)
    """Its parents that are among these proxies, with their names there."""
    left_out: set[CachePeer] = field(default_factory=set)
    """Those that are among these proxies, too, and cannot be named."""
    sources: list[str] = field(default_factory=list)
    """The addresses by which all of those know it."""
    shared: tuple[str, ...] = ()
    """The addresses that it shares with others, and their prefixes."""
    pair: str = ""
    """The name of those with which it does."""

    def name_at(self, host: str) -> str:
        """By which name it is known to who connects to a host."""
        return self.pair if self.pair and host in map(_bare, self.shared) else self.config.name


def convert(configs: Iterable[Config], limit: int = LIMIT) -> Import:
    """Make one inventory of these proxies and the sensors behind them."""
    configs = list(configs)
    names = Names(config.name for config in configs)
    proxies = {config.name: _read(config, limit, names) for config in configs}
    _find_pairs(proxies.values(), names)
    for proxy in proxies.values():
        _link(proxy, proxies)
    for proxy in proxies.values():
        for name in proxy.linked.values():
            for parent in _members(proxies[name], proxies):
                parent.access.drop(proxy.sources)
    _join_pairs(proxies.values())
    hosts = {name: _proxy_host(proxy, proxies, names) for name, proxy in proxies.items()}
    direct = {name: "squid_parents" not in host for name, host in hosts.items()}
    pairs: dict[str, Any] = {}
    for proxy in proxies.values():
        if proxy.pair:
            variables = {"proxy_vip_name": proxy.pair, "proxy_vip_addresses": list(proxy.shared)}
            group = pairs.setdefault(identifier(proxy.pair), {"hosts": {}, "vars": variables})
            group["hosts"][proxy.config.name] = hosts.pop(proxy.config.name)
    groups: dict[str, Any] = {}
    uncertain: dict[str, Any] = {}
    for proxy in proxies.values():
        access = proxy.access
        if access.sources or access.uncertain or access.wide:
            variables = _sensor_variables(proxy, names)
            groups[proxy.group] = _sensor_group(proxy.config.name, access.sources, variables, names)
            if access.uncertain:
                uncertain[proxy.uncertain] = _sensor_group(proxy.config.name, access.uncertain, variables, names)
    plans = [_plan(proxy, proxies, groups, direct[name]) for name, proxy in proxies.items()]
    grouped = {"hosts": hosts, "children": pairs}
    proxies_group = {key: value for key, value in grouped.items() if value}
    children = {"proxies": proxies_group, "sensors": {"children": groups}, **uncertain}
    return Import(
        inventory=dump({"all": {"children": children}}),
        left_out=[line for name, proxy in proxies.items() for line in proxy.notes.lines(name)],
        wanted={name: proxy.wanted for name, proxy in proxies.items()},
        access=sentences(line for plan in plans for line in plan.lines) or ["No access changes."],
    )


def _plan(proxy: _Proxy, proxies: Mapping[str, _Proxy], groups: Mapping[str, Any], direct: bool) -> ProxyPlan:
    """What the inventory opens and closes at a proxy, which has the clients of its pair."""
    pair = _members(proxy, proxies)
    sensors = [item for each in pair if each.group in groups for item in groups[each.group]["hosts"].items()]
    clients = {host["sensor_proxy_src"]: sensor for sensor, host in sensors}
    for child in proxies.values():
        if not {each.config.name for each in pair}.isdisjoint(child.linked.values()):
            clients |= dict.fromkeys(child.sources or child.addresses, child.config.name)
    endpoints = proxy.access.endpoints or allow_list(DEFAULT_ENDPOINTS)
    text = proposed(clients, endpoints, proxy.access.user, proxy.addresses, direct)
    return migration(proxy.config.name, Evaluator(proxy.config.path, proxy.config.files), clients, text)


def _read(config: Config, limit: int, names: Names) -> _Proxy:
    notes = Notes()
    reading = read(config.path, config.files)
    directives = reading.directives
    group = names.group(config.name, "sensors")
    uncertain = names.group(config.name, "uncertain")
    access = read_access(directives, Where(limit, group, uncertain, tunnels(config.log)), notes)
    listening = read_listening(directives, notes)
    parents = read_parents(directives, notes)
    stuck = is_stuck(directives, parents, notes)
    note_sign_in(directives, access.user is not None, notes)
    note_others(directives, notes)
    proxy = _Proxy(config, notes, reading.wanted, listening, parents, stuck, access, group, uncertain)
    if problem := name_problem(config.name):
        notes.say(f"the host's name {problem}; rename it")
    proxy.shared = shared_addresses(config.files.get(KEEPALIVED, ""))
    shared = set(map(_bare, proxy.shared))
    proxy.addresses = [each for each in listening.addresses if not ip_address(each).is_loopback and each not in shared]
    if not proxy.addresses and _is_address(config.address):
        proxy.addresses = [config.address]
    if not proxy.addresses:
        notes.say("http_port names no address, so give the ones at which clients connect in squid_addresses")
    for address in access.drop(proxy.addresses):
        notes.say(f"its own address {address} is let in, which is no sensor")
    if not access.sources:
        notes.say("no source is carried over, so the inventory has no sensor")
    return proxy


def _find_pairs(proxies: Iterable[_Proxy], names: Names) -> None:
    """Give those that share addresses a name, if a client of one may do the same at each."""
    sharing: dict[tuple[str, ...], list[_Proxy]] = {}
    for proxy in proxies:
        if proxy.shared:
            sharing.setdefault(proxy.shared, []).append(proxy)
    for shared, members in sharing.items():
        first, addresses = members[0], ", ".join(shared)
        if len(members) == 1:
            first.notes.say(
                f"keepalived has {addresses}, and who shares them is not among these proxies; import both in one run"
            )
        elif len({(_lets_in(member), member.listening.port) for member in members}) > 1:
            first.notes.say(
                f"{', '.join(member.config.name for member in members)} share {addresses} and do not let in the same"
            )
        else:
            pair = names.group(first.config.name, "pair").replace("_", "-")
            for member in members:
                member.pair = pair
                if member.listening.addresses:
                    member.listening.addresses = []
                    member.notes.say("a member of a pair listens on all its addresses")
                member.notes.say("keepalived's configuration is replaced, as docs/pair.md says")


def _members(proxy: _Proxy, proxies: Mapping[str, _Proxy]) -> list[_Proxy]:
    """The proxy and whoever is of its pair."""
    return [each for each in proxies.values() if each is proxy or (each.pair and each.pair == proxy.pair)]


def _lets_in(proxy: _Proxy) -> tuple[Any, ...]:
    access = proxy.access
    return (*sorted(access.sources), *access.endpoints, access.user)


def _join_pairs(proxies: Iterable[_Proxy]) -> None:
    """Of proxies that let in the very same, only the first has sensors: a sensor has one proxy."""
    first: dict[Any, _Proxy] = {}
    for proxy in proxies:
        access = proxy.access
        other = first.setdefault(_lets_in(proxy), proxy)
        if other is not proxy and access.sources:
            if proxy.pair and proxy.pair == other.pair:
                access.sources = {}
                continue
            one, two = other.config.name, proxy.config.name
            proxy.notes.say(
                f"the sensors are those of {one}, and a sensor has one proxy, so they are in {other.group} only and {two} lets "
                f"in none of them; give those that are to use {two} 'sensor_proxy_via: {two}'"
            )
            access.sources = {}


def _link(child: _Proxy, proxies: Mapping[str, _Proxy]) -> None:
    """Find the child's parents that are among the proxies, as far as it is known by which address they know the child.

    Naming a proxy as a parent lets in the child there, so it is done only for an address that is let in there now.
    """
    owners = {
        address: name
        for name, proxy in reversed(list(proxies.items()))
        for address in (name, *proxy.addresses, *(map(_bare, proxy.shared) if proxy.pair else ()))
    }
    management = [child.config.address] if _is_address(child.config.address) else []
    known = list(dict.fromkeys([*child.addresses, *management]))
    for parent in child.parents:
        name = owners.get(parent.host)
        port = (proxies[name].listening.port or DEFAULT_PORT) if name else None
        # At another port of the host another service may be; a name is always the proxy of this inventory.
        if name is None or not (parent.host == name or parent.tls or parent.port == port):
            continue
        if name == child.config.name:
            child.left_out.add(parent)
            child.notes.add(parent.directive, "it is the proxy itself, so it is left out")
            continue
        shared = [each for each in child.sources or known if each in proxies[name].access.sources]
        if shared:
            child.sources = shared
            child.linked[parent] = name
        else:
            # Whoever named it would let the child in there.
            child.left_out.add(parent)
            child.notes.add(
                parent.directive,
                f"it is {name}, which lets in none of the known addresses of {child.config.name}; set squid_src to the one that "
                f"{name} sees, take that out of the sensors, and name {name} in squid_parents",
            )


def _proxy_host(proxy: _Proxy, proxies: Mapping[str, _Proxy], names: Names) -> dict[str, Any]:
    config, listening, access = proxy.config, proxy.listening, proxy.access
    host: dict[str, Any] = {
        "ansible_host": config.address if config.address != config.name else "",
        "squid_addresses": proxy.addresses,
        "squid_src": proxy.sources if proxy.sources != proxy.addresses else [],
        "squid_port": listening.port,
        "squid_listen_addresses": listening.addresses,
        "squid_parents": [entry for each in proxy.parents if (entry := _parent(each, proxy, proxies, names))],
        "squid_auth_enabled": access.user is not None,
        "squid_endpoints": written(access.endpoints) if access.endpoints != allow_list(DEFAULT_ENDPOINTS) else [],
    }
    if proxy.stuck or (proxy.parents and not host["squid_parents"]):
        # Whoever runs this without having set it is told its name.
        host["squid_parents"] = f"{{{{ {identifier(config.name)}_parents }}}}"
    return {variable: value for variable, value in host.items() if value}


def _parent(parent: CachePeer, proxy: _Proxy, proxies: Mapping[str, _Proxy], names: Names) -> Any:
    """Return an entry of squid_parents."""
    name = proxy.linked.get(parent, "")
    if parent in proxy.left_out:
        return None
    entry: dict[str, Any] = {"host": proxies[name].name_at(parent.host) if name else parent.host}
    if not name or parent.port != (proxies[name].listening.port or DEFAULT_PORT):
        entry["port"] = parent.port
    if parent.username:
        variable = names.variable(proxy.config.name, parent.host, "password")
        entry |= {"username": parent.username, "password": f"{{{{ {variable} }}}}"}
    entry |= {"tls": True} if parent.tls else {}
    entry |= {key: value for key, value in (("tls_ca", parent.tls_ca), ("tls_name", parent.tls_name)) if value}
    return entry["host"] if name and len(entry) == 1 else entry


def _sensor_variables(proxy: _Proxy, names: Names) -> dict[str, Any]:
    variables = {"sensor_proxy_via": proxy.pair or proxy.config.name}
    if proxy.access.user is not None:
        username = proxy.access.user or f"{{{{ {names.variable(proxy.group, 'username')} }}}}"
        password = f"{{{{ {names.variable(proxy.group, 'password')} }}}}"
        variables |= {"sensor_proxy_username": username, "sensor_proxy_password": password}
    return variables


def _sensor_group(proxy: str, sources: Mapping[str, str], variables: dict[str, Any], names: Names) -> dict[str, Any]:
    hosts = {name: one_line(sensor_proxy_src=address) for address, name in names.sensors(proxy, sources).items()}
    return {"hosts": hosts, "vars": dict(variables)}


def _bare(shared: str) -> str:
    return shared.partition("/")[0]


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
