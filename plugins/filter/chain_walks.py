# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: chain_walks
short_description: List the walks that prove a proxy's part of the chain
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Lists what P(ot_security.proxy_chaining.proxy_path_info#module) has to walk on one proxy's host. The proxy itself is asked once,
    and each of its links to a next hop once, however many sensors there are.
  - The result holds no password.
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
- name: Show the walks of this proxy
  ansible.builtin.debug:
    msg: "{{ topology_graph | ot_security.proxy_chaining.chain_walks(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description:
    - The walks. Each has C(kind) (V(self), V(parent) or V(direct)), C(target), C(preferred), C(hops), as the
      module takes them, and C(secret), the name of the first hop's password in
      P(ot_security.proxy_chaining.parent_passwords#filter).
  type: list
  elements: dict
"""


def chain_walks(graph: Mapping[str, Any], proxy: str) -> list[dict[str, Any]]:
    """List the walks; see DOCUMENTATION."""
    from ..plugin_utils._proof import walks

    return walks.walks_of(graph, proxy)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"chain_walks": chain_walks}
