# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tunnel a client's traffic takes to a proxy in Azure, told from its address.

Private to this collection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_address
from itertools import combinations

from .inventory import CloudSite, sentence
from .model import ClientEntry, ProxyEntry, SensorEntry, TunnelEntry, Tunnelled


def lay_tunnels(
    sites: Iterable[CloudSite],
    proxies: Mapping[str, ProxyEntry],
    sensors: Mapping[str, SensorEntry],
    mistakes: list[str],
) -> dict[str, TunnelEntry]:
    """Return each site's tunnel, and name it at the sensors and parents whose traffic it carries.

    Args:
        sites: the sites in other clouds that have a tunnel.
        proxies: the topology's proxies; a parent that is reached through a tunnel gets its name as ``tunnel``.
        sensors: the topology's sensors, likewise.
        mistakes: where a sentence is added for each mistake.
    """
    by_proxy: dict[str, list[CloudSite]] = defaultdict(list)
    owners: dict[str, str] = {}
    for site in sites:
        other = owners.setdefault(site.begins, site.name)
        if other != site.name:
            clash = f"is also that of {other}, and one would overwrite the tunnels of the other; give one of them another one"
            mistakes.append(sentence(site.name, "multicloud_name", site.begins, clash))
        problem = _proxy_problem(proxies.get(site.proxy))
        if problem:
            mistakes.append(sentence(site.name, "multicloud_proxy", site.proxy, problem))
        by_proxy[site.proxy].append(site)
    for proxy, behind in by_proxy.items():
        mistakes.extend(_overlaps(proxy, behind))
        for client in proxies[proxy]["clients"] if proxy in proxies else ():
            tunnel = _tunnel_of(client["addresses"], behind)
            if tunnel:
                for through in _ways(client, proxy, proxies, sensors):
                    through["tunnel"] = tunnel
    return {
        site.name: {"cloud": site.cloud, "proxy": site.proxy, "prefixes": [str(each) for each in site.prefixes]}
        for behind in by_proxy.values()
        for site in behind
    }


def _ways(
    client: ClientEntry, proxy: str, proxies: Mapping[str, ProxyEntry], sensors: Mapping[str, SensorEntry]
) -> Iterable[Tunnelled]:
    """Where the topology says how a client comes to a proxy."""
    if client["kind"] == "sensor":
        return [sensors[client["name"]]]
    return [parent for parent in proxies[client["name"]]["parents"] if parent["name"] == proxy]


def _proxy_problem(proxy: ProxyEntry | None) -> str | None:
    if proxy is None:
        return "is not a proxy of the inventory"
    return None if proxy["kind"] == "azure" else "is not a proxy in Azure (squid_kind: azure), where tunnels end"


def _overlaps(proxy: str, sites: list[CloudSite]) -> Iterable[str]:
    """Azure sends what has two ways into either."""
    for one, other in combinations(sites, 2):
        for network in other.prefixes:
            clash = next((each for each in one.prefixes if each.overlaps(network)), None)
            if clash:
                problem = f"overlaps {clash} of {one.name}, whose tunnel ends at {proxy} too"
                yield sentence(other.name, "multicloud_prefixes", str(network), problem)


def _tunnel_of(addresses: Iterable[str], sites: Iterable[CloudSite]) -> str | None:
    """The site that has the addresses; a client with several has them in one site."""
    found = [address for text in addresses if isinstance(address := ip_address(text), IPv4Address)]
    return next(
        (site.name for site in sites if any(each in network for each in found for network in site.prefixes)), None
    )
