# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one source may do by a squid.conf made by hand.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._endpoints import PORT
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_acls import Acl, Request
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_hosts import Hosts
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import_rules import (
    Case,
    Decision,
    Policy,
)

_OTHER_METHOD = "another"
_LAST_PORT = 65535


class View(NamedTuple):
    """What becomes of a source's requests; a place is one among its cases."""

    plain: Mapping[str, Decision]
    """By host, for CONNECT to port 443 without a user."""
    signed_in: Mapping[str, Decision]
    """The same with a user."""
    more: Mapping[int, str]
    """What each place allows besides."""

    def allowed(self, signed_in: bool) -> frozenset[str]:
        """Return the hosts that it may reach."""
        return frozenset(host for host, decision in self.decisions(signed_in).items() if decision.allowed)

    def decisions(self, signed_in: bool) -> Mapping[str, Decision]:
        """Return the decisions by host."""
        return self.signed_in if signed_in else self.plain


class Views:
    """Finds what sources may, once for all that the rules treat alike."""

    def __init__(self, policy: Policy, hosts: Hosts, acls: Iterable[Acl]) -> None:
        acls = list(acls)
        self._policy = policy
        self._hosts = hosts
        self._methods = {_OTHER_METHOD}.union(*(acl.words for acl in acls if acl.kind == "method")) - {"CONNECT"}
        self._ports = _ports(acls)
        self._known: dict[Any, View] = {}

    def view(self, cases: list[Case]) -> View:
        """Return what a source with these cases may do."""
        key = tuple(case.key for case in cases)
        if key not in self._known:
            self._known[key] = View(self._by_host(cases, False), self._by_host(cases, True), self._more(cases))
        return self._known[key]

    def _by_host(self, cases: list[Case], signed_in: bool) -> dict[str, Decision]:
        found = {}
        for domains, hosts in self._hosts.classes.items():
            decision = self._policy.decide(cases, Request("CONNECT", PORT, domains, signed_in))
            found.update(dict.fromkeys(hosts, decision))
        return found

    def _more(self, cases: list[Case]) -> dict[int, str]:
        found: dict[int, dict[str, None]] = {}
        others = [("CONNECT", port, "CONNECT to other ports") for port in self._ports]
        others += [(method, port, "other methods") for method in sorted(self._methods) for port in (PORT, *self._ports)]
        for domains in self._hosts.classes:
            for method, port, what in others:
                decision = self._policy.decide(cases, Request(method, port, domains, True), doubt=True)
                if decision.allowed:
                    found.setdefault(decision.place, {})[what] = None
        return {place: " and ".join(what) for place, what in found.items()}


def _ports(acls: Iterable[Acl]) -> list[int]:
    """A port other than 443 of each kind that the ACLs tell apart."""
    acls = [acl for acl in acls if acl.kind == "port"]
    ranges = [ports for acl in acls for ports in acl.ports]
    cuts = sorted({0, PORT, PORT + 1, *(low for low, _high in ranges), *(high + 1 for _low, high in ranges)})
    alike = {
        frozenset(acl.key for acl in acls if any(low <= port <= high for low, high in acl.ports)): port
        for port in cuts
        if port != PORT and port <= _LAST_PORT
    }
    return list(alike.values())
