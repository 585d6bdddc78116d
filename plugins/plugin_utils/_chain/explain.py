# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""May a sensor reach an endpoint, and by which line on which hop? Answered from the configurations that would be deployed.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...module_utils._squid.acls import Request
from ...module_utils._squid.rules import ALLOW, DENY, Decision, Rules
from .model import Graph, ProxyEntry, SensorEntry, members_of


@dataclass(frozen=True)
class Step:
    """What one hop does."""

    hop: str
    text: str


@dataclass(frozen=True)
class Explanation:
    """Whether the sensor may, as far as the inventory knows, and what each hop does on the way."""

    allowed: bool
    steps: list[Step]
    sentence: str

    def lines(self) -> list[str]:
        """Return the answer for the terminal."""
        width = max(len(step.hop) for step in self.steps)
        return [self.sentence, *(f"  {step.hop:{width}}  {step.text}" for step in self.steps)]


def proxies_of(graph: Graph, sensor: str) -> list[str]:
    """Return the proxies of the inventory on the sensor's path.

    Raises:
        ValueError: there is no such sensor.
    """
    return [members[0] for hop in _entry(graph, sensor)["path"] if (members := members_of(graph, hop))]


def explain(graph: Graph, configs: Mapping[str, str], sensor: str, host: str, port: int) -> Explanation:
    """Walk the sensor's path by each proxy's preferred parent.

    Args:
        graph: the topology.
        configs: the text of squid.conf of each inventory proxy on the path.
        sensor: name of the sensor.
        host: the endpoint's name.
        port: its TCP port.

    Raises:
        ValueError: there is no such sensor.
    """
    entry = _entry(graph, sensor)
    who = f"{sensor} ({', '.join(entry['addresses'])})"
    client, steps, known = sensor, [], ""
    for place, name in enumerate(entry["path"]):
        # The members of a pair have the same rules.
        members = members_of(graph, name)
        if not members:
            steps.append(Step(name, "is not ours: what it allows is not known here"))
            known = ", as far as it is known here"
            break
        hop = members[0]
        decision = _decide(graph["proxies"][hop], configs[hop], client, host, port, _login(graph, client, hop))
        if decision.action != ALLOW:
            verb = "refuses it" if decision.action == DENY else "wants a sign-in (407)"
            where = f" by line {decision.line}" if decision.line else ""
            steps.append(Step(name, f"{verb}{where}: {decision.text}"))
            return Explanation(False, steps, f"{who} may not reach {host}:{port}.")
        following = _following(graph["proxies"][hop], entry["path"][place + 1 :])
        steps.append(Step(name, f"allows it by line {decision.line}: {decision.text}; then {following}"))
        client = hop
    return Explanation(True, steps, f"{who} may reach {host}:{port}{known}.")


def _entry(graph: Graph, sensor: str) -> SensorEntry:
    if sensor not in graph["sensors"]:
        raise ValueError(f"there is no sensor {sensor!r} in the inventory; correct explain_sensor")
    return graph["sensors"][sensor]


def _decide(proxy: ProxyEntry, config: str, client: str, host: str, port: int, user: str | None) -> Decision:
    """Ask for each address from which the client comes; the first that is not allowed decides."""
    rules = Rules(config)
    addresses = [
        address
        for entry in proxy["clients"]
        if entry["name"] == client and entry["username"] == user
        for address in entry["addresses"]
    ]
    decisions = [rules.decide(Request(address, host, port, user)) for address in addresses]
    refused = (decision for decision in decisions if decision.action != ALLOW)
    return next(refused, None) or next(iter(decisions), Decision(DENY, 0, "it is no client there"))


def _login(graph: Graph, client: str, hop: str) -> str | None:
    """The user as which a client signs in at a hop."""
    if client in graph["proxies"]:
        parents = graph["proxies"][client]["parents"]
        return next((parent["username"] for parent in parents if hop in members_of(graph, parent["name"])), None)
    entries = graph["proxies"][hop]["clients"]
    return next((entry["username"] for entry in entries if entry["name"] == client), None)


def _following(proxy: ProxyEntry, beyond: list[str]) -> str:
    if not beyond:
        return "straight to the endpoint"
    ways = [f"{parent['name']} ({parent['address']}:{parent['port']})" for parent in proxy["parents"]]
    return ", or if that fails ".join(ways)
