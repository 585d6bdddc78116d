# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: chain_sensors
short_description: List the sensors whose first hop is a proxy
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Lists the sensors as P(ot_security.proxy_chaining.proxy_client_info#module) takes them.
positional: _input, proxy
options:
  _input:
    description: The topology.
    type: dict
    required: true
  proxy:
    description: Name of the proxy.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the sensors of this proxy
  ansible.builtin.debug:
    msg: "{{ topology_graph | ot_security.proxy_chaining.chain_sensors(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description:
    - The sensors, each with C(name), C(addresses) and, where it signs in, C(username), and C(previous_username) during a rotation.
  type: list
  elements: dict
"""


def chain_sensors(graph: Mapping[str, Any], proxy: str) -> list[dict[str, Any]]:
    """List the sensors; see DOCUMENTATION."""
    from ..plugin_utils._proof import walks

    return walks.sensors_of(graph, proxy)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"chain_sensors": chain_sensors}
