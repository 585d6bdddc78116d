# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that a squid.conf made by hand tells apart, and the endpoints that they amount to.

Private to this collection. ``*.example.net`` stands for any host below example.net that no ACL names itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...module_utils._squid.acls import Acl, Request
from .._chain.endpoints import allow_list

ANY = "*.any"
"""Any host that no ACL says anything of."""

DEFAULT_ENDPOINTS = (
    "*.azure-devices.net",
    "*.blob.core.windows.net",
    "*.servicebus.windows.net",
    "download.microsoft.com",
)
"""Equal to the default of the role's squid_endpoints."""


class Hosts:
    """The hosts that are told apart: those that all ACLs treat alike are one class, named by the first of them."""

    def __init__(self, acls: Iterable[Acl]) -> None:
        acls = list(acls)
        named: dict[str, set[str]] = {each: set() for each in allow_list(DEFAULT_ENDPOINTS)}
        for acl in acls:
            for word in acl.words if acl.kind == "dstdomain" else ():
                named.setdefault(word, set()).add(acl.key)
        patterns = [acl for acl in acls if acl.kind == "dstdom_regex"]
        self._domains = sorted({word.removeprefix(".") for word in named})
        self._classes: dict[object, list[str]] = {}
        for host in [ANY, *self._domains, *(f"*.{domain}" for domain in self._domains)]:
            keys = frozenset[str]().union(*(named[name] for name in _names(host) if name in named))
            key = (keys, *(acl.match(Request("", host)) for acl in patterns))
            self._classes.setdefault(key, []).append(host)
        self.classes = {hosts[0]: hosts for hosts in self._classes.values()}

    def beyond(self, classes: Iterable[str], endpoints: Iterable[str]) -> list[str]:
        """Return the hosts of these classes that endpoints do not allow."""
        known = set(endpoints)
        return sorted(host for each in classes for host in self.classes[each] if known.isdisjoint(_names(host)))

    def covered(self, endpoints: Iterable[str]) -> frozenset[str]:
        """Return the classes in which endpoints allow a host."""
        wanted = set(endpoints)
        return frozenset(
            name for name, hosts in self.classes.items() if any(not wanted.isdisjoint(_names(host)) for host in hosts)
        )

    def endpoints(self, allowed: frozenset[str]) -> list[str]:
        """Return the endpoints that allow the hosts of these classes and no others, as far as endpoints can."""
        refused = {
            name for each in self.classes.keys() - allowed for host in self.classes[each] for name in _names(host)
        }
        if ANY in allowed:
            wanted = allow_list(DEFAULT_ENDPOINTS)
        else:
            wanted = [*self._domains, *(f".{domain}" for domain in self._domains)]
        return allow_list(each for each in wanted if each not in refused and _is_usable(each))


def _names(host: str) -> Iterator[str]:
    """What an ACL or an endpoint that has this host may say."""
    domain = host.removeprefix("*.")
    if domain == host:
        yield host
    while domain:
        yield f".{domain}"
        domain = domain.partition(".")[2]


def _is_usable(endpoint: str) -> bool:
    try:
        return bool(allow_list([endpoint]))
    except ValueError:
        return False


def written(endpoints: Iterable[str]) -> list[str]:
    """Return endpoints as the inventory writes them."""
    return [f"*{each}" if each.startswith(".") else each for each in endpoints]
