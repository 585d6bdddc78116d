# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which endpoints the clients of each proxy use, by its access log: the exact list that may take the place of wildcards.

Private to this collection. Who asks chooses the names, so that only those that are host names, and only those of known clients, count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._chain.endpoints import is_allowed, is_host
from .._chain.hostvars import raw_variables
from .._chain.model import Graph, members_of
from .._chain.names import acl_name
from .gate import CHECKED

USED = "__ot_used"
"""What the module squid_info said of a host."""


@dataclass
class Proposal:
    """What one proxy, or a pair, may have as squid_endpoints."""

    hop: str
    silent: list[str]
    """Its hosts that could not be asked."""
    uses: dict[str, dict[str, int]] = field(default_factory=dict)
    """For each endpoint the tunnels of each client."""
    open: int = 0
    allowed: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{acl_name(self.hop)}.yml"

    def text(self) -> str:
        """Return it as YAML."""
        return "\n".join(
            ["squid_endpoints:", *(f"  - {json.dumps(name)}  # {self._use(name)}" for name in sorted(self.uses)), ""]
        )

    def told(self) -> Iterator[str]:
        """Say it."""
        yield from (
            f"{self.hop}: {host}'s log could not be read, so that nothing of it is here." for host in self.silent
        )
        if not self.uses:
            yield f"{self.hop}: no tunnel of a known client has ended, so that nothing is proposed."
        yield from (f"{self.hop}: {name}, {self._use(name)}." for name in sorted(self.uses))
        if self.open:
            yield f"{self.hop}: {self.open} tunnels are open now; the log has a tunnel when it ends."

    def _use(self, name: str) -> str:
        of = self.uses[name]
        new = "" if is_allowed(name, self.allowed) else ", not in the list yet"
        return f"{_many(len(of), 'client')}, {_many(sum(of.values()), 'tunnel')}{new}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def proposals(hostvars: Mapping[str, Any], hosts: Iterable[str], graph: Graph) -> list[Proposal]:
    """Return what may stand in squid_endpoints of each; of a pair, whose members take turns, together.

    Args:
        hostvars: Ansible's hostvars.
        hosts: names of the run's proxies.
        graph: the topology.
    """
    asked = [host for host in hosts if graph["proxies"][host]["kind"] == "host"]
    hops = dict.fromkeys(graph["proxies"][host].get("pair", host) for host in asked)
    return [_proposal(hostvars, hop, [host for host in members_of(graph, hop) if host in asked], graph) for hop in hops]


def _proposal(hostvars: Mapping[str, Any], hop: str, members: list[str], graph: Graph) -> Proposal:
    found = Proposal(hop, [])
    for host in members:
        variables = raw_variables(hostvars, host)
        said = variables.get(USED) or {}
        found.allowed = (variables.get(CHECKED) or {}).get("allowed", [])
        clients = {address: who["name"] for who in graph["proxies"][host]["clients"] for address in who["addresses"]}
        try:
            # A host that somebody has taken over may say what it likes.
            uses = [
                (str(source), str(name), int(use["tunnels"]))
                for source, used in said["seen"].items()
                for name, use in used.items()
            ]
            found.open += sum(int(number) for source, number in said["open"].items() if source in clients)
        except (AttributeError, KeyError, TypeError, ValueError):
            found.silent.append(host)
            continue
        for source, name, tunnels in uses:
            if source in clients and is_host(name):
                of = found.uses.setdefault(name.lower(), {})
                of[clients[source]] = of.get(clients[source], 0) + tunnels
    return found
