# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology's form, free of secrets: what everything after the inventory reads. Private to this collection."""

from __future__ import annotations

from typing import TypedDict


class Tunnelled(TypedDict, total=False):
    """What may be reached through the tunnel of a site in another cloud."""

    tunnel: str
    """Name of the site."""


class ParentEntry(Tunnelled):
    """A next hop of a proxy."""

    name: str
    acl: str
    """Its name in squid.conf."""

    kind: str
    """inventory, pair (of the inventory) or external."""

    address: str
    port: int
    username: str | None
    """URL-escaped at an external one where squid.conf could not have it otherwise."""

    tls: bool
    tls_ca: str | None
    tls_name: str


class ClientEntry(TypedDict):
    """Who connects to a proxy; a proxy that signs in as several users is there once for each."""

    name: str
    acl: str
    kind: str
    """sensor or proxy."""

    addresses: list[str]
    username: str | None
    previous_username: str | None
    """The user in force before a rotation."""


class Placed(TypedDict, total=False):
    """What the tiers add."""

    tier: int
    after: list[str]
    """The proxies that are changed before it: its parents, and the earlier members of its pair."""

    pair: str
    """The pair that it is a member of."""

    leaves: str
    """The pair that it is a member of no more."""


class ProxyEntry(Placed):
    """A proxy of the inventory."""

    acl: str
    kind: str
    """host or azure."""

    addresses: list[str]
    """Its own, and then those of its pair."""

    port: int
    tls_port: int | None
    parents: list[ParentEntry]
    """In order of preference."""

    clients: list[ClientEntry]


class SharedAddress(TypedDict):
    """An address that the members of a pair share."""

    address: str
    prefix: int
    """Length of its network's prefix."""

    own: dict[str, str]
    """The address that each member, and whoever was one, has for itself in the same network."""


class PairEntry(TypedDict):
    """Proxies of which one has the shared addresses, and may stand where a proxy does."""

    members: list[str]
    """In the order of the inventory, in which they are changed."""

    router_id: int
    addresses: list[SharedAddress]


class FirstHop(TypedDict):
    """Where a sensor connects."""

    address: str
    port: int


class Hopping(Tunnelled, total=False):
    """What a sensor has whose first hop has an address."""

    proxy: FirstHop


class SensorEntry(Hopping):
    """A sensor."""

    acl: str
    addresses: list[str]
    path: list[str]
    """Names of its hops, by each proxy's preferred parent; empty with a mistake."""


class TunnelEntry(TypedDict):
    """The tunnel of a site in another cloud."""

    cloud: str
    proxy: str
    prefixes: list[str]


class Graph(TypedDict):
    """The topology."""

    proxies: dict[str, ProxyEntry]
    pairs: dict[str, PairEntry]
    sensors: dict[str, SensorEntry]
    tiers: list[list[str]]
    """Names of the proxies in the order of deployment, parents before children."""

    tunnels: dict[str, TunnelEntry]
    mistakes: list[str]
    """Sentences; with any, the rest is not to be used."""


def members_of(graph: Graph, hop: str) -> list[str]:
    """Return the proxies of the inventory that a hop is: itself, the members of a pair, or none."""
    return [hop] if hop in graph["proxies"] else graph["pairs"][hop]["members"] if hop in graph["pairs"] else []
