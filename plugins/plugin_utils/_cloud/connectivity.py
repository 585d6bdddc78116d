# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a site in another cloud connects to Azure: the vendor's flow chart, and where a site's needs contradict the outcome.

Private to this collection. Source: Microsoft Defender for IoT, "Connect your sensors", the section on multicloud vendors.
The chart there is a picture; the list below it, which says the same in words, is what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._chain import hostvars as chain_hostvars
from .._chain.inventory import sentence
from .._columns import aligned
from .._report.results import clean

METHODS = ("public", "vpn", "expressroute_customer", "expressroute_provider")

NEEDS = {
    "private_addresses": "private addresses",
    "predictable_throughput": "predictable throughput",
    "sla": "an SLA",
    "high_volume": "high volumes",
    "avoid_public_internet": "no public internet",
    "own_routers": "own routers",
}
"""The inputs of the chart, and each in words."""

_BEYOND_VPN = ("predictable_throughput", "sla", "high_volume", "avoid_public_internet")
_INTERNET = {
    "predictable_throughput": "nobody promises throughput on the internet",
    "sla": "the internet has no SLA",
    "high_volume": "the internet is not for high volumes",
    "avoid_public_internet": "it goes through the public internet",
    "own_routers": "no router of your own takes part",
}
_LACKS = {
    "public": {"private_addresses": "it reaches public addresses only", **_INTERNET},
    "vpn": _INTERNET,
    "expressroute_customer": {},
    "expressroute_provider": {"own_routers": "the routers are the provider's"},
}
"""What each method does not give, and why."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The method of one site. With any mistake there is none."""

    method: str = ""
    chosen_by: str = ""
    """needs or inventory."""

    why: str = ""
    """In few words, for a table."""

    assumed: list[str] = field(default_factory=list)
    """Needs that are not set, count as no, and would change what the needs lead to."""

    reasons: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)


def choose(host: str, needs: object, method: object = "") -> Choice:
    """Choose a site's method.

    Args:
        host: name of the site in the inventory.
        needs: its multicloud_needs, a mapping of booleans; what is left out counts as no.
        method: its multicloud_method, the decision of a person, which wins; empty to go by the needs.
    """
    mistakes = [*_needs_mistakes(host, needs), *_method_mistakes(host, method)]
    if mistakes:
        return Choice(mistakes=mistakes)
    given = {key: value for key, value in needs.items() if value is not None} if isinstance(needs, Mapping) else {}
    return _by_inventory(host, given, str(method)) if method else _by_needs(host, given)


@dataclass(frozen=True, slots=True)
class Choices:
    """The methods of all sites."""

    lines: list[str]
    """A row for each site, then the contradictions."""

    methods: dict[str, str]
    mistakes: list[str]


def choose_all(hostvars: Mapping[str, Any], sites: Iterable[str]) -> Choices:
    """Choose the method of each site by its variables multicloud_needs, multicloud_method and multicloud_cloud."""
    mistakes: list[str] = []
    rows: list[tuple[str, ...]] = [("SITE", "CLOUD", "METHOD", "CHOSEN BY", "WHY")]
    contradictions: list[str] = []
    methods = {}
    for site in sites:
        names = ("multicloud_needs", "multicloud_method", "multicloud_cloud")
        given = chain_hostvars.read(hostvars, site, names, mistakes=mistakes)
        choice = choose(site, given.get("multicloud_needs"), given.get("multicloud_method"))
        cells = (site, given.get("multicloud_cloud"), choice.method, choice.chosen_by, choice.why)
        rows.append(tuple(clean(str(cell or "")) or "-" for cell in cells))
        contradictions += map(clean, choice.contradictions)
        mistakes += choice.mistakes
        methods[site] = choice.method
    lines = [*aligned(rows), *(["", "contradictions:", *contradictions] if contradictions else [])]
    return Choices(lines, methods, mistakes)


def _by_needs(host: str, needs: Mapping[str, bool]) -> Choice:
    method, path = _follow(needs)
    assumed = _assumed(needs)
    return Choice(
        method=method,
        chosen_by="needs",
        why=", ".join(words for words, _reason in path) + (f" (not set: {', '.join(assumed)})" if assumed else ""),
        assumed=assumed,
        reasons=[*(reason for _words, reason in path), *map(_unset, assumed)],
        contradictions=[
            sentence(host, f"multicloud_needs.{need}", value, f"contradicts {method!r}, where the needs lead: {why}")
            for need, value, why in _unmet(method, needs)
        ],
    )


def _by_inventory(host: str, needs: Mapping[str, bool], method: str) -> Choice:
    words, reasons = "multicloud_method", ["multicloud_method is set, and wins."]
    assumed = _assumed(needs) if needs else []
    if needs:
        led_to, _path = _follow(needs)
        too = f"the needs lead {'there too' if led_to == method else f'to {led_to}'}"
        words, reasons = f"{words}; {too}", [*reasons, f"{too.capitalize()}.", *map(_unset, assumed)]
    return Choice(
        method=method,
        chosen_by="inventory",
        why=words,
        assumed=assumed,
        reasons=reasons,
        contradictions=[
            sentence(host, "multicloud_method", method, f"contradicts multicloud_needs.{need} {value}: {why}")
            for need, value, why in _unmet(method, needs)
        ],
    )


def _follow(needs: Mapping[str, bool]) -> tuple[str, list[tuple[str, str]]]:
    """Walk the chart; return the method, and for each question the answer in words and what follows from it."""
    if not needs.get("private_addresses"):
        return "public", [("no private addresses", "No private addresses are needed, so public ones do.")]
    path = [("private addresses", "Private addresses are needed, so public ones are out.")]
    beyond = ", ".join(NEEDS[need] for need in _BEYOND_VPN if needs.get(need))
    if not beyond:
        return "vpn", [*path, ("no more than a VPN gives", "Nothing is needed that a VPN over the internet lacks.")]
    path.append((beyond, f"This is needed too: {beyond}; so a VPN over the internet is out."))
    if needs.get("own_routers"):
        return "expressroute_customer", [
            *path,
            ("own routers", "Own routers are wanted, so the customer manages the routing."),
        ]
    return "expressroute_provider", [
        *path,
        ("no own routers", "No own routers are wanted, so a cloud exchange provider manages the routing."),
    ]


def _assumed(needs: Mapping[str, bool]) -> list[str]:
    """Return the needs that are not set, and would change the method if they were true."""
    method, _path = _follow(needs)
    return [need for need in NEEDS if need not in needs and _follow({**needs, need: True})[0] != method]


def _unset(need: str) -> str:
    return f"{need} is not set, and counts as no."


def _unmet(method: str, needs: Mapping[str, bool]) -> list[tuple[str, bool, str]]:
    """Return the needs that a method does not meet, each with its value and why."""
    unmet = [(need, True, why) for need, why in _LACKS[method].items() if needs.get(need)]
    # Only a no that somebody gave: one that was left out is answered by the method.
    if method == "expressroute_customer" and needs.get("own_routers") is False:
        unmet.append(("own_routers", False, "its routers are yours to own and to manage"))
    return unmet


def _needs_mistakes(host: str, needs: object) -> list[str]:
    if needs is None:
        return []
    if not isinstance(needs, Mapping):
        return [sentence(host, "multicloud_needs", needs, "is not a mapping of needs")]
    unknown = f"is not a need; known are {', '.join(NEEDS)}"
    return [
        sentence(host, f"multicloud_needs.{key}", value, "is neither true nor false")
        if key in NEEDS
        else sentence(host, "multicloud_needs", str(key), unknown)
        for key, value in needs.items()
        if key not in NEEDS or not (value is None or isinstance(value, bool))
    ]


def _method_mistakes(host: str, method: object) -> list[str]:
    if method is None or method == "" or method in METHODS:
        return []
    return [sentence(host, "multicloud_method", method, f"is none of {', '.join(METHODS)}")]
