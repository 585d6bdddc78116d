# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

DOCUMENTATION = r"""
name: connectivity
short_description: Choose how a site in another cloud connects to Azure
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Follows the flow chart of the vendor's documentation from the needs of a site to one of four methods. It talks to nobody.
  - Every mistake is collected and returned in RV(_value.mistakes); nothing is raised for them.
positional: _input, method, host
options:
  _input:
    description:
      - The needs, each true or false. They are V(private_addresses), V(predictable_throughput), V(sla), V(high_volume),
        V(avoid_public_internet) and V(own_routers). What is left out counts as false.
    type: dict
    required: true
  method:
    description:
      - The decision of a person, which wins over the needs. One of V(public), V(vpn), V(expressroute_customer) and
        V(expressroute_provider), or empty.
    type: str
    required: true
  host:
    description: Name of the site in the inventory.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the method
  ansible.builtin.debug:
    msg: "{{ (multicloud_needs | ot_security.proxy_chaining.connectivity('', inventory_hostname)).method }}"
"""

RETURN = r"""
_value:
  description: The choice.
  type: dict
  contains:
    method:
      description: The method, empty with any mistake.
      type: str
    chosen_by:
      description: V(needs) or V(inventory), empty with any mistake.
      type: str
    why:
      description: The reasons in few words.
      type: str
    assumed:
      description: Needs that are not set, and would change what the needs lead to if they were true.
      type: list
      elements: str
    reasons:
      description: One sentence for each step through the chart.
      type: list
      elements: str
    contradictions:
      description: One sentence for each need that the method does not meet.
      type: list
      elements: str
    mistakes:
      description: One sentence for each mistake, naming host, variable and value.
      type: list
      elements: str
"""


def connectivity(needs: object, method: object, host: str) -> dict[str, Any]:
    """Choose; see DOCUMENTATION."""
    from ..plugin_utils import _connectivity

    return asdict(_connectivity.choose(host, needs, method))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"connectivity": connectivity}
