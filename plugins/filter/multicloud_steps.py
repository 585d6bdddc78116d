# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: multicloud_steps
short_description: Say what has to be done for a site in another cloud
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Compares the plan of P(ot_security.proxy_chaining.multicloud_plan#filter) with what the clouds answered, and returns what the role
    P(ot_security.proxy_chaining.multicloud#role) does. It talks to nobody. Its result may hold keys of tunnels.
positional: _input, planned, host, wanted
options:
  _input:
    description: What the clouds' modules answered, by what was asked.
    type: dict
    required: true
  planned:
    description: The plan.
    type: dict
    required: true
  host:
    description: Name of the site in the inventory.
    type: str
    required: true
  wanted:
    description: The state, the cloud, the proxy and the key, and how far this run is.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what is done
  ansible.builtin.debug:
    msg: "{{ (found | ot_security.proxy_chaining.multicloud_steps(multicloud_planned, inventory_hostname, wanted)).lines }}"
"""

RETURN = r"""
_value:
  description: The steps.
  type: dict
  contains:
    refusals:
      description: One sentence for each reason to do nothing.
      type: list
      elements: str
    lines:
      description: What is created, changed or removed.
      type: list
      elements: str
    stays:
      description: What is there and stays, where it could be expected to go.
      type: list
      elements: str
    near:
      description: What is done in Azure.
      type: dict
    far:
      description: What is done in the other cloud.
      type: dict
"""


def multicloud_steps(
    found: Mapping[str, Any], planned: Mapping[str, Any], host: str, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Compare; see DOCUMENTATION."""
    from ..plugin_utils import _multicloud_steps

    return _multicloud_steps.steps(host, planned, found, wanted)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"multicloud_steps": multicloud_steps}
