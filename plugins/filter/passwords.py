# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: passwords
short_description: The passwords that a proxy must know
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Collects user name and password of each sensor and proxy that connects to a proxy, or the passwords with which it signs in at its
    parents.
  - Use it in the arguments of a module that keeps them to itself, such as M(ot_security.proxy_chaining.squid_config).
positional: _input, hostvars, proxy
options:
  _input:
    description: What M(ot_security.proxy_chaining.topology) returned.
    type: dict
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  proxy:
    description: Name of the proxy.
    type: str
    required: true
  of:
    description: Whose passwords.
    type: str
    choices: [clients, parents]
    required: true
  settings:
    description:
      - What the module P(ot_security.proxy_chaining.role_arguments#module) returned for the role squid on the proxy. It knows nobody
        without C(auth_enabled), and without C(auth_accept_previous) none of the users in force before a rotation
        (C(sensor_proxy_previous_username)).
      - By default all clients' users are returned.
    type: dict
"""

EXAMPLES = r"""
- name: Deploy a configuration that has users
  ot_security.proxy_chaining.squid_config:
    content: "{{ lookup('ansible.builtin.template', 'squid.conf.j2') }}"
    secrets: "{{ topology_result | ot_security.proxy_chaining.passwords(hostvars, inventory_hostname, of='parents') }}"
    users: "{{ topology_result | ot_security.proxy_chaining.passwords(hostvars, inventory_hostname, of='clients') }}"
    probe_endpoints:
      - download.microsoft.com
"""

RETURN = r"""
_value:
  description:
    - For clients a list of dictionaries of C(username) and C(password).
    - For parents the passwords by the names of their placeholders in the template, C(parent:) and the parent's ACL name.
  type: raw
"""


def passwords(
    topology: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    proxy: str,
    of: str,
    settings: Mapping[str, Any] | None = None,
) -> list[dict[str, str]] | dict[str, str]:
    """Collect them; see DOCUMENTATION."""
    from ..plugin_utils._chain import credentials, graph_file

    entry = graph_file.entry_of(topology, "proxies", proxy)
    if entry is None:
        raise AnsibleFilterError(f"there is no proxy {proxy!r} in the topology; add it to the group of proxies.")
    try:
        if of == "parents":
            found = credentials.parent_passwords(proxy, entry["parents"], hostvars)
            return {f"parent:{acl}": password for acl, password in found.items()}
        if settings is not None and not settings["auth_enabled"]:
            return []
        previous = settings is None or settings["auth_accept_previous"]
        users = credentials.client_users(proxy, entry["clients"], hostvars, previous)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error
    return [{"username": name, "password": password} for name, password in users.items()]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"passwords": passwords}
