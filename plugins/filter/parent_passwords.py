# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: parent_passwords
short_description: The passwords with which a proxy signs in at its parents
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Returns the secrets for the placeholders that the role's template writes into C(cache_peer) lines.
positional: _input, parents
options:
  _input:
    description: The proxy's C(squid_parents).
    type: list
    elements: raw
    required: true
  parents:
    description: The same proxy's C(parents) in the topology.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Use the secrets
  ot_security.proxy_chaining.squid_config:
    content: "{{ lookup('ansible.builtin.template', 'squid.conf.j2') }}"
    secrets: "{{ squid_parents | ot_security.proxy_chaining.parent_passwords(topology_graph.proxies[inventory_hostname].parents) }}"
    probe_endpoints:
      - download.microsoft.com
"""

RETURN = r"""
_value:
  description: Passwords by the name C(parent:) and the parent's ACL name.
  type: dict
"""


def parent_passwords(given: list[Any], parents: list[dict[str, Any]]) -> dict[str, str]:
    """Collect the passwords; see DOCUMENTATION."""
    from ..plugin_utils._chain import credentials

    return {f"parent:{acl}": password for acl, password in credentials.parent_passwords(given, parents).items()}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"parent_passwords": parent_passwords}
