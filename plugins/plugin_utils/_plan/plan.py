# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run would change in access, from what each proxy runs and what the inventory renders; and whether it was meant.

Private to this collection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Any

from ...module_utils._squid import text as squid_text
from ...module_utils._squid.acls import Span, parse_span
from ...module_utils._squid.admitted import admitted
from ...module_utils._squid.rules import DIRECT, Evaluator
from ...module_utils._untrusted_text import one_line
from .._chain.endpoints import allow_list, is_allowed
from .._chain.model import Graph
from .._squid_import.access import spans_text
from .._squid_import.hosts import ANY, written
from .difference import CONNECT, LITERAL, Change, Difference, Grant, Space

INITIAL = "initial"
"""Declares the access that a proxy gives which had no configuration of this collection."""

_SHOWN = 3
_FEW = 256
"""Of so many addresses in a row, each owner is named."""

_OWN = ("probe_token", "guessing", "vip_check")
"""ACLs of the role that are about no client: its probe, and who guesses passwords."""


@dataclass(frozen=True)
class Line:
    """Clients of a proxy that gain or lose the same."""

    proxy: str
    gains: bool
    clients: tuple[str, ...]
    """Names, or addresses that nobody in the inventory owns."""
    owned: bool
    what: str
    hosts: tuple[str, ...] = ()
    """The endpoints, where it is about CONNECT to port 443 of those alone."""
    sure: bool = True


@dataclass
class ProxyPlan:
    """What becomes of one proxy."""

    name: str
    problem: str = ""
    """Why it could not be judged."""
    initial: bool = False
    lines: list[Line] = field(default_factory=list)
    hops: list[str] = field(default_factory=list)
    action: str = "none"
    restart_reasons: list[str] = field(default_factory=list)
    tunnels: int = 0
    """Those that are open now."""
    learns_until: str = ""
    """The last day on which its clients may reach any name."""
    in_use: list[str] = field(default_factory=list)
    """Who loses what it used in the last days, one sentence each."""


def proxy_plan(graph: Graph, name: str, running: Mapping[str, Any] | None, rendered: str) -> ProxyPlan:
    """Compare what a proxy runs with what it would be given.

    Args:
        graph: the topology.
        name: of the proxy.
        running: what the module squid_info returned of its host; None where the host could not be looked at.
        rendered: the text of squid.conf; empty where it is to have none.
    """
    if running is None:
        return ProxyPlan(name, f"{name}'s host could not be looked at, so what it admits now is not known.")
    own, by_hand = str(running["configuration"]), str(running.get("by_hand", ""))
    plan = ProxyPlan(name, initial=not own, tunnels=sum(running.get("open", {}).values()))
    plan.learns_until = squid_text.learns_until(rendered)
    old, new = (_comparable(each) for each in (own or by_hand, rendered))
    if old == new:
        return plan
    one, two = (evaluator(each) for each in (old, new))
    difference = Difference(one, two)
    owners = _Owners(graph, name, own)
    plan.lines = list(_lines(difference, name, owners))
    if owners.logins and plan.learns_until > squid_text.learns_until(own):
        # A later day alone is no other rule.
        plan.lines.append(Line(name, True, tuple(owners.logins), True, f"what it learns until {plan.learns_until}"))
    plan.hops = list(_hops(one, two))
    reasons = squid_text.restart_reasons(own or by_hand, rendered)
    plan.action = "stop" if not rendered else "start" if not (own or by_hand) else "restart" if reasons else "reload"
    plan.restart_reasons = reasons if plan.action == "restart" else []
    plan.in_use = list(_in_use(name, difference, owners, running))
    return plan


def evaluator(text: str) -> Evaluator:
    """Read a configuration; of one of this collection, what is about no client never matches."""
    found = Evaluator("", {"": text})
    for name in _OWN if text.startswith(squid_text.OWNED_MARK) else ():
        if name in found.acls:
            found.acls[name].kind, found.acls[name].unsure = "never", ""
    return found


def _comparable(text: str) -> str:
    """A configuration without what is another with every change."""
    return squid_text.showable(text) if text.startswith(squid_text.OWNED_MARK) else text


class _Owners:
    """Whose an address is: by the inventory, and else by what the running configuration calls it."""

    def __init__(self, graph: Graph, proxy: str, config: str) -> None:
        clients = graph["proxies"][proxy]["clients"]
        self.logins = {entry["name"]: entry["username"] for entry in clients}
        self._clients = set(self.logins)
        found = {address: f"{who.acl} (not in the inventory)" for who in admitted(config) for address in who.addresses}
        self._clients |= set(found.values())
        for entries in (graph["sensors"], graph["proxies"]):
            found |= {address: name for name, entry in entries.items() for address in entry["addresses"]}
        found |= {address: client["name"] for client in clients for address in client["addresses"]}
        # A host that somebody has taken over may write anything there.
        self._names = {
            parse_span(address): one_line(name, 100) for address, name in found.items() if _is_address(address)
        }
        self._spans = sorted(self._names)

    def of(self, span: Span) -> list[str]:
        """Return the owners among these addresses; of a network, those that are the proxy's clients."""
        found, place = [], bisect_left(self._spans, Span(span.version, span.low, 0))
        while place < len(self._spans) and self._spans[place].is_in(span):
            name = self._names[self._spans[place]]
            found += [name] if name in self._clients or span.size <= _FEW else []
            place += 1
        return found


def access_lines(graph: Graph, difference: Difference, proxy: str, config: str) -> list[Line]:
    """Say who gains and loses what; ``config`` is a running one of this collection, or empty."""
    return list(_lines(difference, proxy, _Owners(graph, proxy, config)))


def _lines(difference: Difference, proxy: str, owners: _Owners) -> Iterator[Line]:
    found: dict[tuple[Any, ...], dict[str, None]] = {}
    nobody = [change for change in difference.changes if change.user is None]
    said = cache(lambda grants, more: list(texts(difference.space, grants, more)))
    for change in difference.changes:
        # What needs no user is said once.
        if change.user is not None and any(_is_part(change, other) for other in nobody):
            continue
        left = []
        for span in change.sources:
            names = owners.of(span)
            left += [span] if span.size > len(names) else []
            for name in names:
                own = change.user is None or change.user == owners.logins.get(name)
                for what, hosts in said(change.grants, "" if own else _as(change.user)):
                    found.setdefault((change.gains, True, what, hosts, change.sure), {})[name] = None
        for what, hosts in said(change.grants, _as(change.user)) if left else ():
            found.setdefault((change.gains, False, what, hosts, change.sure), {})[spans_text(left)] = None
    for (gains, owned, what, hosts, sure), clients in found.items():
        yield Line(proxy, gains, tuple(clients), owned, what, hosts, sure)
    if difference.trusted:
        what = "may say for whom they speak (follow_x_forwarded_for), so that what they gain is not known"
        yield Line(proxy, True, (spans_text(difference.trusted),), False, what, sure=False)


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _is_part(change: Change, other: Change) -> bool:
    return change.gains is other.gains and change.grants <= other.grants and set(change.sources) <= set(other.sources)


def _as(user: str | None) -> str:
    return "" if user is None else f" as {one_line(user, 50)}" if user else " as any user"


def texts(space: Space, grants: Iterable[Grant], more: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what is granted, and the endpoints where it is nothing else than CONNECT to port 443 of them."""
    by_host: dict[str, set[tuple[str, str, str]]] = {}
    for grant in grants:
        by_host.setdefault(grant.host, set()).add(grant[1:])
    alike: dict[frozenset[tuple[str, str, str]], list[str]] = {}
    for host, ways in by_host.items():
        alike.setdefault(frozenset(ways), []).append(host)
    for found, hosts in alike.items():
        names = _names(space, hosts)
        how, leads = _how(found, space), _leads(found, space)
        # An endpoint that is new may lead wherever the inventory lets it; only to let it lead elsewhere is another matter.
        is_plain = not how and not more and not leads.startswith(" where") and LITERAL not in hosts and ANY not in hosts
        yield f"{', '.join(names)}{how}{leads}{more}", tuple(names) if is_plain else ()


def _names(space: Space, classes: Collection[str]) -> list[str]:
    hosts = {host for each in classes if each != LITERAL for host in space.hosts.classes[each]}
    if ANY in hosts:
        every = hosts.issuperset(host for each in space.hosts.classes.values() for host in each)
        names = ["any name" if every else "any name that no line is about"]
        names += [] if every else _written(hosts - {ANY})
    else:
        names = _written(hosts)
    return names + (["any address"] if LITERAL in classes else [])


def _written(hosts: Iterable[str]) -> list[str]:
    both = set(hosts)
    # A domain and all below it are one entry in an inventory.
    wanted = [f".{host[2:]}" if host.startswith("*.") else host for host in both]
    try:
        return written(allow_list(wanted))
    except ValueError:
        return sorted(both)


def _how(ways: Collection[tuple[str, str, str]], space: Space) -> str:
    ports, methods = ({way[place] for way in ways} for place in (1, 2))
    only = [name for name, port in space.ports.items() if port == 443]
    text = ""
    if methods != {CONNECT}:
        text += " by any method" if methods == set(space.methods) else f" by {', '.join(sorted(methods))}"
    if ports != set(only) or "-" in only[0]:
        text += " at any port" if ports == set(space.ports) else f" at port {', '.join(sorted(ports))}"
    return text


def _leads(ways: Collection[tuple[str, str, str]], space: Space) -> str:
    leads = {way[0] for way in ways}
    inside = " or ".join(sorted(leads - {""}))
    if not inside or leads == set(space.destinations):
        return " wherever that leads" if inside else ""
    return f"{', also' if '' in leads else ''} where that leads to {inside}"


def _hops(old: Evaluator, new: Evaluator) -> Iterator[str]:
    one, two = ([hop.address for hop in side.hops] for side in (old, new))
    yield from (f"the next hop {one_line(hop, 100)} goes" for hop in one if hop not in two)
    yield from (f"the next hop {hop} comes" for hop in two if hop not in one)
    if [hop for hop in one if hop in two] != [hop for hop in two if hop in one]:
        yield f"the next hops change their order: {', '.join(two)}"
    direct = [side.goes_direct() for side in (old, new)]
    if direct[0] is not direct[1]:
        yield f"connections {'go' if direct[1] else 'no longer go'} {DIRECT}"


def _in_use(proxy: str, difference: Difference, owners: _Owners, running: Mapping[str, Any]) -> Iterator[str]:
    """Say of whom the log, or a tunnel that is open, shows that it uses what it loses."""
    for source in sorted({*running.get("seen", {}), *running.get("open", {})}):
        if not _is_address(source):
            continue
        span = parse_span(source)
        lost = [
            change
            for change in difference.changes
            if not change.gains and any(span.is_in(each) for each in change.sources)
        ]
        names = [name for change in lost for name in _names(difference.space, {grant.host for grant in change.grants})]
        if not lost:
            continue
        used = running.get("seen", {}).get(source, {})
        times = {one_line(host, 100): one_line(use["last"], 40) for host, use in used.items() if _covers(names, host)}
        who = f"{next(iter(owners.of(span)), source)} loses at {proxy}"
        if times:
            host, time = max(times.items(), key=lambda each: each[1])
            yield f"{who} what it used: {host}, last at {time}"
        elif running.get("open", {}).get(source) and not used:
            yield f"{who} access, and has tunnels open now"


def _covers(names: Iterable[str], host: str) -> bool:
    return any(name.startswith("any name") or is_allowed(host, [name.removeprefix("*")]) for name in names)


def undeclared(plans: Iterable[ProxyPlan], declared: Mapping[str, Collection[str]]) -> list[str]:
    """Say what grows at each proxy and was not declared there.

    Args:
        plans: of all proxies.
        declared: for each proxy what may grow: endpoints, names of sensors and proxies, ``initial``.
    """
    found, wrong = [], []
    for plan in plans:
        said = set(declared.get(plan.name, ()))
        if plan.name in said or (INITIAL in said and plan.initial and not plan.problem):
            continue
        if plan.problem:
            wrong.append(plan.problem)
        ends = [each.removeprefix("*") for each in said]
        for line in plan.lines:
            if line.gains:
                hosts = [
                    host for host in line.hosts if host.removeprefix("*") not in ends and not is_allowed(host, ends)
                ]
                clients = [client for client in line.clients if not line.owned or client not in said]
                if clients and (hosts or not line.hosts):
                    what = ", ".join(hosts) or line.what
                    found.append(Line(**{**asdict(line), "clients": tuple(clients), "what": what}))
    return [*sentences(found), *wrong]


def sentences(lines: Iterable[Line]) -> list[str]:
    """Return one sentence for all who gain or lose the same, wherever."""
    groups: dict[tuple[Any, ...], tuple[dict[str, None], dict[str, None]]] = {}
    for line in lines:
        clients, proxies = groups.setdefault((line.gains, line.owned, line.what, line.sure), ({}, {}))
        clients |= dict.fromkeys(line.clients)
        proxies[line.proxy] = None
    found = []
    for (gains, owned, what, sure), (clients, proxies) in groups.items():
        many = len(clients) > 1 or not owned
        verb = (
            ("may gain" if not sure else "gain" + "s" * (not many))
            if gains
            else ("may lose" if not sure else "lose" + "s" * (not many))
        )
        verb = verb if not what.startswith("may ") else ""
        who = some_of(list(clients)) if owned else f"addresses that nobody in the inventory owns ({', '.join(clients)})"
        unsure = "" if sure else "; what decides is known to the proxy only"
        found.append(f"{who} {verb} {what} at {_at(list(proxies))}{unsure}.".replace("  ", " "))
    return found


def some_of(names: list[str], kind: str = "clients") -> str:
    """Name a few, and count many."""
    if len(names) <= _SHOWN:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{len(names)} {kind} ({', '.join(names[:_SHOWN])}, ...)"


def _at(proxies: list[str]) -> str:
    return (
        proxies[0]
        if len(proxies) == 1
        else f"their {'' if len(proxies) > _SHOWN else 'proxies '}{some_of(proxies, 'proxies')}"
    )


def told(plans: list[ProxyPlan]) -> list[str]:
    """Return the whole plan, a sentence a line."""
    found = [plan.problem for plan in plans if plan.problem]
    lines = [line for plan in plans for line in plan.lines]
    found += sentences(line for line in lines if line.gains) + sentences(line for line in lines if not line.gains)
    found += [f"Warning: {each}." for plan in plans for each in plan.in_use]
    for plan in plans:
        found += [f"{plan.name}: {each}." for each in plan.hops]
        if plan.learns_until:
            found.append(
                f"{plan.name}: until {plan.learns_until} its clients may reach any name, and its log says which they do."
            )
        dropped = f"which drops {plan.tunnels} tunnels that are open now"
        if plan.action == "restart":
            found.append(f"{plan.name}: Squid is restarted for {', '.join(plan.restart_reasons)}, {dropped}.")
        elif plan.action == "stop":
            found.append(f"{plan.name}: Squid is removed, {dropped}.")
        elif plan.action != "none":
            found.append(f"{plan.name}: Squid is {plan.action}ed, which drops no tunnel.")
    return found or ["No access changes."]


def markdown(sentences: Iterable[str], refused: Collection[str]) -> str:
    """Return the plan for a pull request."""
    parts = ["## Access plan", "", *(f"- {_escaped(each)}" for each in sentences), ""]
    if refused:
        parts += ["**Grows without being declared:**", "", *(f"- {_escaped(each)}" for each in refused), ""]
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_<>[]|" else char for char in text)


def as_json(plans: Iterable[ProxyPlan]) -> list[dict[str, Any]]:
    """Return the plan for machines."""
    return [asdict(plan) for plan in plans]
