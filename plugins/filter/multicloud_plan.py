# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: multicloud_plan
short_description: Plan the way from a site in another cloud to the proxy in Azure, and say what has to be done
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Chooses the method and derives both ends of the tunnels from the variables of the role
    P(ot_security.proxy_chaining.multicloud#role), and collects every mistake in them. That is the plan.
  - Compares the plan with what the clouds answered, and returns what the role does. That may hold keys of tunnels.
  - It talks to nobody.
positional: _input, host
options:
  _input:
    description:
      - With O(topology) the role's variables without their prefix, and in C(azure) those of the proxy in Azure. Otherwise the plan.
    type: dict
    required: true
  host:
    description: Name of the site in the inventory.
    type: str
    required: true
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned.
    type: dict
  found:
    description: What the clouds' modules answered, by what was asked.
    type: dict
  wanted:
    description: The state, the cloud, the proxy and the key, and how far this run is. Needed with O(found).
    type: dict
"""

EXAMPLES = r"""
- name: Show what both ends of the tunnels are
  ansible.builtin.debug:
    msg: "{{ (settings | ot_security.proxy_chaining.multicloud_plan(inventory_hostname, topology=topology_result)).far }}"

- name: Say what is done
  ansible.builtin.debug:
    msg: "{{ (multicloud_planned | ot_security.proxy_chaining.multicloud_plan(inventory_hostname, found=found, wanted=wanted)).lines }}"
"""

RETURN = r"""
_value:
  description: The plan, or what has to be done.
  type: dict
  contains:
    far:
      description: What is built in the other cloud; with O(found) what is done there.
      type: dict
    method:
      description: The method, as the filter P(ot_security.proxy_chaining.connectivity#filter) chooses it.
      type: str
      returned: with O(topology)
    mistakes:
      description: One sentence for each mistake. With any of them the rest is not to be used.
      type: list
      elements: str
      returned: with O(topology)
    azure:
      description: What is built in Azure.
      type: dict
      returned: with O(topology)
    handover:
      description: What an exchange provider is told.
      type: dict
      returned: with O(topology)
    summary:
      description: The method and why, as lines of text.
      type: list
      elements: str
      returned: with O(topology)
    refusals:
      description: One sentence for each reason to do nothing.
      type: list
      elements: str
      returned: with O(found)
    lines:
      description: What is created, changed or removed.
      type: list
      elements: str
      returned: with O(found)
    stays:
      description: What is there and stays, where it could be expected to go.
      type: list
      elements: str
      returned: with O(found)
    near:
      description: What is done in Azure.
      type: dict
      returned: with O(found)
"""


def multicloud_plan(
    settings: Mapping[str, Any],
    host: str,
    topology: Mapping[str, Any] | None = None,
    found: Mapping[str, Any] | None = None,
    wanted: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Plan and compare; see DOCUMENTATION."""
    from ..plugin_utils._chain import graph_file
    from ..plugin_utils._cloud.multicloud import plan, steps

    if topology is not None:
        return plan.plan_connections(host, settings, graph_file.read(topology))
    return steps.steps(host, settings, found or {}, wanted or {})


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"multicloud_plan": multicloud_plan}
