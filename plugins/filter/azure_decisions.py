# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

DOCUMENTATION = r"""
name: azure_decisions
short_description: Decide what becomes of each part of the proxy in Azure
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Compares the plan of the role P(ot_security.proxy_chaining.azure_proxy#role) with what is there, and says what is written, kept
    and removed. It talks to nobody.
positional: _input, host, listed, read
options:
  _input:
    description: The plan, as P(ot_security.proxy_chaining.azure_plan#filter) returns it.
    type: dict
    required: true
  host:
    description: Name of the proxy in the inventory.
    type: str
    required: true
  listed:
    description: What Azure lists of the resource group, or its error.
    type: list
    elements: dict
    required: true
  read:
    description: What modules have answered that have read single resources, errors among it. Without it only C(reads) and C(listed)
      are returned.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Show what would be removed
  ansible.builtin.debug:
    msg: "{{ (plan | ot_security.proxy_chaining.azure_decisions(inventory_hostname, listed, read)).summary }}"
"""

RETURN = r"""
_value:
  description: The decisions; what is not needed for the plan's state is not there.
  type: dict
  contains:
    mistakes:
      description: One sentence for each thing that stands in the way. With any of them nothing may be changed.
      type: list
      elements: str
    reads:
      description: What has to be read before anything can be decided, with C(id), C(api) and C(when).
      type: list
      elements: dict
    asks:
      description: What is asked that the account may not be allowed to see, the providers or the locks, with C(id) and C(api).
      type: list
      elements: dict
    listed:
      description: The names of what is in the resource group.
      type: list
      elements: str
    gone:
      description: Whether there is no resource group.
      type: bool
    new:
      description: The parts that are not there.
      type: list
      elements: str
    written:
      description: The parts that are not there, or are there another way.
      type: list
      elements: str
    unforeseen:
      description: Whether something is written that no module foresees in check mode.
      type: bool
    tags:
      description: What lacks tags, with C(id), C(name) and those that it lacks as C(tags).
      type: list
      elements: dict
    tags_of:
      description: The tags of each part, those that others have set among them.
      type: dict
    vnet_prefixes:
      description: The prefixes with which the VNET is written, none if it stays as it is.
      type: list
      elements: str
    peerings:
      description: The sides of the peering with the hub that are written.
      type: list
      elements: dict
    lost_peerings:
      description: Those that have lost their other side, and are removed first.
      type: list
      elements: dict
    subnets:
      description: The subnets that are written, each with all that belongs to it.
      type: list
      elements: dict
    nat_gateway:
      description: The NAT gateway as a resource of a deployment, nothing if it stays as it is.
      type: dict
    gateway:
      description: The virtual network gateway as a resource of a deployment, nothing if it stays as it is.
      type: dict
    address:
      description: The load balancer's address, empty as long as Azure has not chosen it.
      type: str
    frontend_zones:
      description: The zones of the load balancer's frontend.
      type: list
      elements: str
    scale_set_tags:
      description: The tags with which the scale set is written.
      type: dict
    group_location:
      description: Where the resource group is.
      type: str
    site:
      description: The local network gateway's body, nothing if it stays as it is or is not there.
      type: dict
    flow_log:
      description: Whether to C(remove) the flow log, and the body with which to C(write) it, nothing if it stays as it is.
      type: dict
    repairs:
      description: What a failed operation has left, with C(id), C(name), C(api) and C(body), as it is written once more.
      type: list
      elements: dict
    remove:
      description: The parts that are removed.
      type: list
      elements: str
    summary:
      description: What becomes of each part, as lines of text.
      type: list
      elements: str
"""


def azure_decisions(
    plan: dict[str, Any], host: str, listed: Iterable[dict[str, Any]], read: Iterable[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Decide; see DOCUMENTATION."""
    from ..plugin_utils import _azure_decisions

    return _azure_decisions.decide(host, plan, listed, read)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"azure_decisions": azure_decisions}
