# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: multicloud_plan
short_description: Plan the way from a site in another cloud to the proxy in Azure
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Chooses the method and derives both ends of the tunnels from the variables of the role
    P(ot_security.proxy_chaining.multicloud#role), and collects every mistake in them. It talks to nobody.
positional: _input, topology, host
options:
  _input:
    description: The role's variables without their prefix, and in C(azure) those of the proxy in Azure.
    type: dict
    required: true
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned.
    type: dict
    required: true
  host:
    description: Name of the site in the inventory.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what both ends of the tunnels are
  ansible.builtin.debug:
    msg: "{{ (settings | ot_security.proxy_chaining.multicloud_plan(topology_result, inventory_hostname)).far }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    method:
      description: The method, as the filter P(ot_security.proxy_chaining.connectivity#filter) chooses it.
      type: str
    mistakes:
      description: One sentence for each mistake. With any of them the rest is not to be used.
      type: list
      elements: str
    azure:
      description: What is built in Azure.
      type: dict
    far:
      description: What is built in the other cloud.
      type: dict
    handover:
      description: What an exchange provider is told.
      type: dict
    summary:
      description: The method and why, as lines of text.
      type: list
      elements: str
"""


def multicloud_plan(settings: Mapping[str, Any], topology: Mapping[str, Any], host: str) -> dict[str, Any]:
    """Plan; see DOCUMENTATION."""
    from ..plugin_utils import _multicloud_plan
    from ..plugin_utils._chain import kept

    return _multicloud_plan.plan(host, settings, kept.read(topology))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"multicloud_plan": multicloud_plan}
