# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of a run's proxies, from what was registered on each host, and what stops the run.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._chain.deployment import LOOK
from .._chain.hostvars import raw_variables
from .._chain.model import Graph
from . import plan

RENDERED, CHECKED = "squid_rendered", "__squid"


def plans(hostvars: Mapping[str, Any], hosts: Iterable[str], graph: Graph, gated: bool = False) -> list[plan.ProxyPlan]:
    """Return the plan of each proxy for which a configuration was rendered.

    Args:
        hostvars: Ansible's hostvars.
        hosts: names of the run's proxies.
        graph: the topology.
        gated: whether only those with a gate are wanted.
    """
    found = []
    for host in hosts:
        variables = raw_variables(hostvars, host)
        checked, rendered = variables.get(CHECKED) or {}, variables.get(RENDERED)
        if rendered is None or (gated and not checked.get("growth_gate")):
            continue
        said = variables.get(LOOK) or {}
        wanted = "" if checked.get("state") == "absent" else str(rendered)
        try:
            found.append(plan.proxy_plan(graph, host, said if "configuration" in said else None, wanted))
        except (AttributeError, KeyError, TypeError, ValueError):
            # Somebody else's answer; the configurations themselves can be any text.
            odd = "what its host answers is not in the form of this collection's modules, so what it admits now is not known"
            found.append(plan.ProxyPlan(host, f"{host}: {odd}; see what runs there."))
    return found


def undeclared(hostvars: Mapping[str, Any], found: Iterable[plan.ProxyPlan]) -> list[str]:
    """Return what of these plans grows and was not declared."""
    found = list(found)
    checked = {each.name: raw_variables(hostvars, each.name).get(CHECKED) or {} for each in found}
    declared = {
        name: [*said.get("declared_growth", []), *said.get("declared_growth_once", [])]
        for name, said in checked.items()
    }
    return plan.undeclared(found, declared)


def refusal(hostvars: Mapping[str, Any], found: Iterable[plan.ProxyPlan]) -> str:
    """Say why the run must not begin; empty where it may."""
    grows = undeclared(hostvars, found)
    return " ".join(["Access grows that was not declared:", *grows, _WAY_OUT]) if grows else ""


_WAY_OUT = (
    "If that is meant, name in squid_declared_growth, or for one run in squid_declared_growth_once, the endpoint, the sensor, the proxy, "
    "or 'initial' for proxies that are new; if not, correct the inventory."
)


def warnings(found: Iterable[plan.ProxyPlan]) -> list[str]:
    """Say who loses what it used in the last days."""
    return [f"{each}." for one in found for each in one.in_use]
