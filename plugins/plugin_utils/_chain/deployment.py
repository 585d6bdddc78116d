# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run over all proxies stands: who may be changed, who has changed, what no longer works, who has arrived.

Private to this collection. It reads what the playbook proxies.yml registered on each host, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from .hostvars import raw_variables
from .model import ClientEntry, Graph, SensorEntry

LOCK = "__squid_lock"
"""What the host said to the lock (proxy_lock); one that cannot be reached then is not looked at."""

LOOK = "__squid_host"
"""The first look at a host, before any is touched (squid_info)."""

CHANGED = "__squid_changed"
"""That this run has changed it, and can take it back."""

PROBLEM = "__squid_problem"
"""Why its change failed."""

DONE = "__squid_done"
"""That its turn is over, and well."""

AGAIN = "__squid_again"
"""The look after all changes."""

RETURNED = "__squid_returned"
"""The look after they were taken back."""

KEPT = "__squid_kept"
"""What its change has kept for a while: ``names`` of clients, ``ports`` of listeners, whether it is ``patient`` with users, and
whether the ``whole`` proxy, which is to go away, has been kept."""

OUTCOME = "__squid_outcome"
"""How a run stood in the end, as the filter deployment returns it."""

PUSHED = "sensor_proxy_result"
"""What a sensor's console said (sensor_proxy)."""


@dataclass(frozen=True)
class Deployment:
    """A run, as far as it has come."""

    problems: dict[str, str]
    """Why a proxy was not brought to its state, one sentence each."""

    changed: list[str]
    lost: dict[str, list[str]]
    """The endpoints that a proxy reached when the run began and does not any more."""

    arrived: list[str]
    """Proxies, and sensors where they were asked for, that are known to be where the inventory has them."""

    finish: list[str]
    """Proxies that keep something for somebody who has arrived elsewhere."""

    left_over: list[str]
    """Who is kept by whom, one sentence each."""

    verdicts: dict[str, str]
    """What a proxy's host has to say of the run in the end, if it did not go well."""

    ready: list[str]
    """Proxies that are as the inventory has them, so that sensors may be sent to them."""

    rotating: list[str] = field(default_factory=list)
    """Sensors that have a previous user, where sensors were asked for."""

    left_behind: list[str] = field(default_factory=list)
    """Those of them that were not seen to reach the cloud as their new one, and may still need it."""


def deployment(
    graph: Graph, hostvars: Mapping[str, Any], *, before_tier: int | None = None, sensors: bool = False
) -> Deployment:
    """Say how the run stands.

    Args:
        graph: the topology.
        hostvars: Ansible's hostvars.
        before_tier: the tier whose turn it is; None when all have had theirs.
        sensors: whether the sensors have been pushed, and may have arrived.
    """
    found = {name: _registered(hostvars, name) for name, entry in graph["proxies"].items() if entry["kind"] == "host"}
    problems = dict(_problems(graph, found, before_tier))
    # One that had its turn signs in, comes from and listens where the inventory says.
    kept = {name: host[KEPT] for name, host in found.items() if host.get(KEPT)}
    stay = problems.keys() | {name for name, what in kept.items() if what["whole"]}
    arrived = {name for name, host in found.items() if host.get(DONE) and name not in stay}
    if sensors:
        arrived |= set(_pushed(graph, hostvars))
    changed = [name for name, host in found.items() if host.get(CHANGED)]
    lost = {name: gone for name, host in found.items() if (gone := _lost(host, AGAIN))}
    if lost:
        # What was changed is taken back: nobody is where the inventory has it, and nothing is kept any more.
        arrived, kept = set(), {}
    rotating = list(_rotating(graph)) if sensors else []
    verdicts = {name: _lost_verdict(name, gone, found[name], changed) for name, gone in lost.items()} | problems
    return Deployment(
        problems=problems,
        changed=changed,
        lost=lost,
        arrived=sorted(arrived),
        finish=[name for name, what in kept.items() if _may_end(graph["proxies"][name]["clients"], what, arrived)],
        left_over=[sentence for name, what in kept.items() for sentence in _left_over(name, what)],
        verdicts=verdicts,
        ready=[name for name in found if name not in verdicts and not (lost and name in changed)],
        rotating=[client["name"] for client in rotating],
        left_behind=[client["name"] for client in rotating if not _has_moved(client, hostvars)],
    )


def phase_of_change(phase: str, *, changed: bool) -> str:
    """Say what a change of a proxy is to the module squid_config.

    Args:
        phase: where the run over all proxies is, the role's squid_phase.
        changed: whether this run has changed the proxy before. What was live before that is what a later run goes back to.
    """
    if phase == "whole":
        return "whole"
    if changed:
        return "finish"
    # A half that is all there is to change is a whole.
    return {"begin": "begin", "finish": "whole"}[phase]


def _may_end(clients: Iterable[ClientEntry], kept: Mapping[str, Any], arrived: Set[str]) -> bool:
    proxies = {client["name"] for client in clients if client["kind"] == "proxy"}
    everybody = {client["name"] for client in clients} | set(kept["names"])
    return bool(
        (kept["patient"] and proxies <= arrived)
        or not arrived.isdisjoint(kept["names"])
        or (kept["ports"] and everybody <= arrived)
    )


def _left_over(proxy: str, kept: Mapping[str, Any]) -> Iterator[str]:
    until = "This ends with a run in which they are (of sensors: sensors.yml), or with -e squid_phase=whole."
    if kept["names"]:
        names = ", ".join(kept["names"])
        yield f"{proxy} still admits {names} as before: they were not seen yet where the inventory has them. {until}"
    if kept["ports"]:
        ports = ", ".join(str(port) for port in kept["ports"])
        yield f"{proxy} still listens at port {ports}: not all of its clients were seen at the new one. {until}"


def _registered(hostvars: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Return what was registered, as it is: results are no templates, and what a host said must never become one."""
    raw = raw_variables(hostvars, host)
    return {name: raw[name] for name in (LOCK, LOOK, CHANGED, PROBLEM, DONE, AGAIN, RETURNED, KEPT) if name in raw}


def _problems(
    graph: Graph, found: Mapping[str, Mapping[str, Any]], before_tier: int | None
) -> Iterator[tuple[str, str]]:
    """Go through the tiers: what chains to a proxy that has a problem is not touched either."""
    known: set[str] = set()
    for tier in graph["tiers"]:
        for name in tier:
            # A limited run has not looked at all of them, and says nothing of the others.
            if LOOK not in found.get(name, {}):
                continue
            entry = graph["proxies"][name]
            had_its_turn = before_tier is None or entry["tier"] < before_tier
            problem = _own_problem(name, found[name])
            if problem is None and not found[name].get(DONE):
                behind = next((other for other in entry["after"] if other in known), None)
                if behind:
                    is_parent = graph["proxies"][behind].get("pair") != entry.get("pair", name)
                    who = f"its parent {behind}" if is_parent else f"{behind}, of the same pair,"
                    problem = f"{name}: it was not touched, since {who} was not brought to its state."
                elif had_its_turn:
                    problem = f"{name}: it was lost during its change; see what it runs, and run this again."
            if problem:
                known.add(name)
                yield name, problem


def _own_problem(name: str, host: Mapping[str, Any]) -> str | None:
    look = host[LOOK]
    if look.get("skipped"):
        look = host.get(LOCK) or {}
    if look.get("unreachable"):
        return f"{name}: it could not be reached, and was not touched: {_first_line(look)}."
    if "release" not in look:
        return f"{name}: it could not be looked at, and was not touched: {_first_line(look)}."
    if host.get(PROBLEM):
        return f"{name}: {str(host[PROBLEM]).strip().rstrip('.')}."
    return None


def _first_line(result: Mapping[str, Any]) -> str:
    return next(iter(str(result.get("msg", "")).splitlines()), "no reason was given").strip().rstrip(".")


def _lost_verdict(name: str, lost: Iterable[str], host: Mapping[str, Any], changed: Iterable[str]) -> str:
    answers = host[AGAIN]["endpoints"]
    what = ", ".join(f"{endpoint} ({answers.get(endpoint, 'not asked')})" for endpoint in lost)
    sentence = f"{name}: it reached this when the run began, and not after it: {what}."
    if not host.get(RETURNED):
        return f"{sentence} Those who had arrived elsewhere were let in as before."
    still = _lost(host, RETURNED)
    end = f"Still not reached: {', '.join(still)}." if still else "All of it is reached again."
    return f"{sentence} What this run had changed was taken back ({', '.join(changed)}). {end}"


def _lost(host: Mapping[str, Any], look: str) -> list[str]:
    now = host.get(look, {})
    # One that cannot be asked any more is a problem of its own, and one that was removed has nothing to reach.
    if not now.get("configuration"):
        return []
    return [name for name in host[LOOK].get("reached", []) if name not in now["reached"]]


def _pushed(graph: Graph, hostvars: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sensors whose console has the proxy that the inventory says, as this run has seen."""
    for name, entry in graph["sensors"].items():
        after = _push(hostvars, name).get("after") or {}
        if after.get("enabled") and (after.get("host"), after.get("port")) == _where(entry):
            yield name


def _push(hostvars: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what a sensor's console said, if it went well."""
    pushed: Mapping[str, Any] = raw_variables(hostvars, name).get(PUSHED, {})
    return {} if pushed.get("failed") else pushed


def _rotating(graph: Graph) -> Iterator[ClientEntry]:
    for proxy in graph["proxies"].values():
        yield from (client for client in proxy["clients"] if client["previous_username"])


def _has_moved(client: ClientEntry, hostvars: Mapping[str, Any]) -> bool:
    pushed = _push(hostvars, client["name"])
    user = (pushed.get("after") or {}).get("username")
    return bool((pushed.get("cloud") or {}).get("connected")) and user == client["username"]


def _where(sensor: SensorEntry) -> tuple[str | None, int | None]:
    return (sensor["proxy"]["address"], sensor["proxy"]["port"]) if "proxy" in sensor else (None, None)
