# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: client_users
short_description: The users that a proxy must know
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Collects user name and password of each sensor and proxy that connects to a proxy.
positional: _input, hostvars, proxy, settings
options:
  _input:
    description: The proxy's C(clients) in the topology.
    type: list
    elements: dict
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  proxy:
    description: Name of the proxy.
    type: str
    required: true
  settings:
    description:
      - What the module P(ot_security.proxy_chaining.role_arguments#module) returned for the role squid on the proxy. It knows nobody
        without C(auth_enabled), and without C(auth_accept_previous) none of the users in force before a rotation
        (C(sensor_proxy_previous_username)).
      - By default all users are returned.
    type: dict
"""

EXAMPLES = r"""
- name: Count the users
  ansible.builtin.debug:
    msg: "{{ topology_graph.proxies[inventory_hostname].clients
             | ot_security.proxy_chaining.client_users(hostvars, inventory_hostname) | length }}"
"""

RETURN = r"""
_value:
  description: Dictionaries of C(username) and C(password).
  type: list
  elements: dict
"""


def client_users(
    clients: list[dict[str, Any]], hostvars: Mapping[str, Any], proxy: str, settings: Mapping[str, Any] | None = None
) -> list[dict[str, str]]:
    """Collect the users; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _credentials

    if settings is not None and not settings["auth_enabled"]:
        return []
    previous = settings is None or settings["auth_accept_previous"]
    try:
        users = _credentials.client_users(proxy, clients, hostvars, previous)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return [{"username": name, "password": password} for name, password in users.items()]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"client_users": client_users}
