# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that a squid.conf made by hand tells apart, and the endpoints that they amount to.

Private to this collection. ``.example.net`` stands for any host below example.net that no ACL names itself, and the empty name for
any host that no ACL says anything of.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._endpoints import allow_list
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_acls import Acl

ANY = ""

DEFAULT_ENDPOINTS = (
    "*.azure-devices.net",
    "*.blob.core.windows.net",
    "*.servicebus.windows.net",
    "download.microsoft.com",
)
"""Equal to the default of the role's squid_endpoints."""


class Hosts:
    """The hosts that are told apart."""

    def __init__(self, acls: Iterable[Acl]) -> None:
        acls = [acl for acl in acls if acl.kind == "dstdomain"]
        words = {word for acl in acls for word in acl.words} | set(allow_list(DEFAULT_ENDPOINTS))
        self._domains = sorted({word.removeprefix(".") for word in words})
        self._below: dict[str, set[str]] = {domain: {domain, f".{domain}"} for domain in self._domains}
        for domain in self._domains:
            labels = domain.split(".")
            for start in range(1, len(labels)):
                self._below.get(".".join(labels[start:]), set()).update((domain, f".{domain}"))
        self.classes: dict[frozenset[str], list[str]] = {}
        """Hosts by the ACLs that they match."""
        for host in [ANY, *self._domains, *(f".{domain}" for domain in self._domains)]:
            key = frozenset(acl.key for acl in acls if acl.has_domain(host))
            self.classes.setdefault(key, []).append(host)

    def covered(self, endpoint: str) -> set[str]:
        """Return the hosts that an endpoint allows: one, or with a dot before it all of a domain."""
        return self._below[endpoint[1:]] if endpoint.startswith(".") else {endpoint}

    def endpoints(self, allowed: frozenset[str]) -> list[str]:
        """Return the endpoints that allow these hosts and no others, as far as endpoints can."""
        if ANY in allowed:
            wanted = allow_list(DEFAULT_ENDPOINTS)
        else:
            wanted = [*self._domains, *(f".{domain}" for domain in self._domains)]
        return allow_list(each for each in wanted if self.covered(each) <= allowed and _is_usable(each))


def _is_usable(endpoint: str) -> bool:
    try:
        return bool(allow_list([endpoint]))
    except ValueError:
        return False


def written(endpoints: Iterable[str]) -> list[str]:
    """Return endpoints as the inventory writes them."""
    return [f"*{each}" if each.startswith(".") else each for each in endpoints]
