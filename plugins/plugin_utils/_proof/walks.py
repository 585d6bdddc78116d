# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which walks prove a chain: each proxy asks itself, and each link to a next hop once, however many sensors use it.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from .._chain.model import Graph, ParentEntry, ProxyEntry, members_of
from .model import HopEntry, LinkWalk


def walks_of(graph: Graph, proxy: str) -> list[LinkWalk]:
    """Return the walks that are made on a proxy's host.

    Args:
        graph: the topology.
        proxy: name of the proxy in it.

    The first asks the proxy itself and goes all the way. The others go around it: to each parent as the proxy would, or
    straight to the endpoints where it has none. What fails there and not behind it is that link.
    """
    entry = graph["proxies"][proxy]
    beyond = _hops(graph, entry["parents"][:1])
    walks = [_walk("self", proxy, [_own_hop(proxy, entry), *beyond])]
    for number, parent in enumerate(entry["parents"]):
        hops = _hops(graph, [parent])
        walks.append(_walk("parent", parent["name"], hops, preferred=number == 0, parent=parent["acl"]))
    if not entry["parents"]:
        walks.append(_walk("direct", "", []))
    return walks


def sensors_of(graph: Graph, proxy: str) -> list[dict[str, Any]]:
    """Return name, addresses and users of each sensor whose first hop is this proxy, as the module chain_walk takes them."""
    return [
        {key: client[key] for key in ("name", "addresses", "username", "previous_username") if client[key] is not None}
        for client in graph["proxies"][proxy]["clients"]
        if client["kind"] == "sensor"
    ]


def shared_by(graph: Graph, proxy: str) -> list[str]:
    """Return the addresses that this proxy shares with the others of its pair."""
    pair = graph["proxies"][proxy].get("pair")
    return [address["address"] for address in graph["pairs"][pair]["addresses"]] if pair else []


def _walk(kind: str, target: str, hops: Iterable[HopEntry], *, preferred: bool = True, parent: str = "") -> LinkWalk:
    return {"kind": kind, "target": target, "parent": parent, "preferred": preferred, "hops": list(hops)}


def _hops(graph: Graph, parents: list[ParentEntry]) -> Iterator[HopEntry]:
    """Yield a parent, and then what each proxy prefers, as far as the inventory knows; a cycle is a mistake found before."""
    seen: set[str] = set()
    while parents and parents[0]["name"] not in seen:
        parent = parents[0]
        seen.add(parent["name"])
        members = members_of(graph, parent["name"])
        yield _hop(graph, parent, members)
        parents = graph["proxies"][members[0]]["parents"] if members else []


def _hop(graph: Graph, parent: ParentEntry, members: list[str]) -> HopEntry:
    hop: HopEntry = {"name": parent["name"], "address": parent["address"], "port": parent["port"]}
    # An external proxy's own name for itself is not known; often enough it is the one that it is reached by.
    hop["hostname"] = " ".join(graph["proxies"][member]["acl"] for member in members) or parent["name"]
    if parent["tls"]:
        hop |= {"tls": True, "tls_name": parent["tls_name"]}
        if parent["tls_ca"]:
            hop["tls_ca"] = parent["tls_ca"]
    if parent["username"] is not None:
        hop["username"] = unquote(parent["username"]) if parent["kind"] == "external" else parent["username"]
    return hop


def _own_hop(name: str, entry: ProxyEntry) -> HopEntry:
    return {"name": name, "address": "127.0.0.1", "port": entry["port"], "hostname": entry["acl"]}
