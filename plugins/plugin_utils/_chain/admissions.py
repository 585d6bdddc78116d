# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a proxy admits: its clients in the topology and, while a change goes over many hosts, those that are about to leave it.

Private to this collection. Whoever moves is admitted where it arrives before it is refused where it was: a proxy keeps what it
admits until its client has been seen at the other place. Only what the running configuration admits already, and the inventory
still declares somewhere, can be kept, so that nothing is ever open that was neither before nor is wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...module_utils._squid.admitted import admitted
from .addresses import is_address
from .model import ClientEntry, Graph
from .names import acl_name, username_problem


@dataclass(frozen=True, slots=True)
class Admission:
    """One client, the addresses from which it comes, and the user as which it signs in; None where it need not."""

    name: str
    acl: str
    addresses: tuple[str, ...]
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Admissions:
    """Whom a proxy admits."""

    clients: list[Admission]
    leaving: list[Admission] = field(default_factory=list)
    """Those that the inventory has elsewhere by now, or with another address or user."""

    listeners: list[dict[str, Any]] = field(default_factory=list)
    """Where clients connect that have not heard of another port or address yet: ``address``, ``port`` and ``tls``."""


def admissions(
    graph: Graph,
    proxy: str,
    *,
    auth: bool,
    accept_previous: bool,
    listeners: Collection[tuple[str, int, bool]] = (),
    running: Mapping[str, Any] | None = None,
    arrived: Collection[str] = (),
) -> Admissions:
    """Say whom a proxy admits.

    Args:
        graph: the topology.
        proxy: name of the proxy in it.
        auth: whether clients sign in.
        accept_previous: whether a sensor may sign in as the user in force before a rotation, too.
        listeners: address (empty for every one), port and TLS of each listener that is wanted.
        running: ``configuration`` and ``listeners`` of the proxy as it runs, as the module squid_info returns them, where what
            leaves it shall be kept; None where it shall not.
        arrived: names of sensors and proxies that are known to be where the inventory has them.
    """
    declared = graph["proxies"][proxy]["clients"]
    clients = list(_declared(declared, auth, accept_previous))
    if running is None:
        return Admissions(clients)
    found = _leaving(graph, clients, running["configuration"])
    leaving = [client for client in dict.fromkeys(found) if client.name not in arrived]
    waiting = leaving or any(client["name"] not in arrived for client in declared)
    kept = [each for each in running["listeners"] if waiting and _is_listener(each) and _is_free(each, listeners)]
    return Admissions(clients, leaving, kept)


def unknown(graph: Graph, running: Mapping[str, Iterable[Sequence[Any]]], removed: Collection[str]) -> str:
    """Say whom proxies admit and nobody knows, neither by name nor by all of their addresses; empty where there is nobody.

    A host that is switched off in AWX, or in another slice of a job, is not in the inventory; that alone takes nobody's access away.

    Args:
        graph: the topology.
        running: for each proxy, ACL name and addresses of each client that its running configuration admits, and perhaps more.
        removed: names of those that were declared gone.
    """
    entries = [*graph["proxies"].values(), *graph["sensors"].values()]
    names = {entry["acl"] for entry in entries} | {acl_name(name) for name in removed}
    clients = (client for entry in graph["proxies"].values() for client in entry["clients"])
    # With another name at the same address it is a new name, and no loss.
    known = {address for each in (*entries, *clients) for address in each["addresses"]}
    found = {
        # A host that somebody has taken over may write anything there.
        proxy: list(
            dict.fromkeys(
                acl_name(acl)
                for acl, addresses, *_user in given
                if acl not in names and not known.issuperset(addresses)
            )
        )
        for proxy, given in running.items()
    }
    admitting = "; ".join(f"{proxy} admits {', '.join(who)}" for proxy, who in found.items() if who)
    who = ", ".join(dict.fromkeys(name for names in found.values() for name in names))
    return admitting and (
        f"{admitting}, and the inventory has nobody of that name or address. A host that is switched off, or left out of the inventory, "
        "is not cut off for that: put it back (in AWX: switch it on, and use no slices), or declare it gone, in the inventory by "
        f"topology_removed_sensors: [{who}]. A sensor that is put back can be taken out with its console by the playbook remove_sensor."
    )


def _declared(clients: Collection[ClientEntry], auth: bool, accept_previous: bool) -> Iterator[Admission]:
    for client in clients:
        who = client["name"], client["acl"], tuple(client["addresses"])
        if not auth:
            yield Admission(*who)
            continue
        users = [client["username"], client["previous_username"] if accept_previous else None]
        yield from (Admission(*who, user) for user in dict.fromkeys(users) if user)


def _leaving(graph: Graph, clients: list[Admission], config: str) -> Iterator[Admission]:
    """Yield what of the running admissions is wanted no more here, but is of somebody whom the inventory still has."""
    sensors = {entry["acl"]: name for name, entry in graph["sensors"].items()}
    proxies = {entry["acl"]: name for name, entry in graph["proxies"].items()}
    owners = {address: client.acl for client in clients for address in client.addresses}
    wanted = {(client.acl, address, client.user) for client in clients for address in client.addresses}
    here = {client.acl for client in clients}
    for acl, addresses, user in _running(config):
        # Nobody may pass as whoever has the address now.
        usable = [address for address in addresses if owners.get(address, acl) == acl]
        if acl in sensors:
            # Where it stays, only its user can be another one, and a rotation moves that (sensor_proxy_previous_username).
            name = sensors[acl]
            known = graph["sensors"][name]["addresses"]
            usable = [address for address in usable if address in known and acl not in here]
        elif acl in proxies:
            name = proxies[acl]
            usable = [address for address in usable if (acl, address, user) not in wanted]
        else:
            continue
        if usable:
            yield Admission(name, acl, tuple(usable), user)


def _running(config: str) -> Iterator[tuple[str, list[str], str | None]]:
    """Yield whom a configuration admits. A host may say what it likes: what is neither an address nor a user's name is left out."""
    for acl, addresses, user in admitted(config):
        if user is None or username_problem(user) is None:
            yield acl, list(filter(is_address, addresses)), user


def _is_listener(said: Mapping[str, Any]) -> bool:
    port = said["port"]
    return (said["address"] == "" or is_address(said["address"])) and isinstance(port, int) and 1 <= port <= 65535


def _is_free(listener: Mapping[str, Any], wanted: Collection[tuple[str, int, bool]]) -> bool:
    """Whether a listener is wanted no more and can be there beside those that are."""
    if listener["tls"] and not any(tls for _address, _port, tls in wanted):
        return False
    return all(
        listener["port"] != port or (bool(address) and bool(listener["address"]) and listener["address"] != address)
        for address, port, _tls in wanted
    )
