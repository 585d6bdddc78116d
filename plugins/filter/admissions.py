# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: admissions
short_description: Whom a proxy admits, and who of them is about to leave it
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Returns what the role P(ot_security.proxy_chaining.squid#role) writes into ACLs, rules and the firewall.
  - In other phases than V(whole) what the proxy admits now, O(running), is kept for a client that the inventory has elsewhere, or with
    another address or user, until it has O(arrived) there. Nothing is kept that is not both in the running configuration and of
    somebody in the inventory.
positional: _input, proxy, settings
options:
  _input:
    description: What M(ot_security.proxy_chaining.topology) returned.
    type: dict
    required: true
  proxy:
    description: Name of the proxy.
    type: str
    required: true
  settings:
    description: What the module P(ot_security.proxy_chaining.role_arguments#module) returned for the role squid on the proxy.
    type: dict
    required: true
  phase:
    description: The role's C(squid_phase). With V(whole) nothing is kept.
    type: str
    default: whole
  running:
    description: What the module P(ot_security.proxy_chaining.squid_info#module) returned.
    type: dict
  arrived:
    description: Names of sensors and proxies that are known to be where the inventory has them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show who may connect
  ansible.builtin.debug:
    msg: "{{ (topology_result | ot_security.proxy_chaining.admissions(inventory_hostname, squid_arguments)).acls }}"
"""

RETURN = r"""
_value:
  description: Whom the proxy admits.
  type: dict
  contains:
    acls:
      description:
        - Dictionaries of C(acl), its C(addresses), C(client), the ACL name of the one whose addresses they are, and C(users), as which
          it signs in. In the layout V(combined) the ACL of all that stay is C(clients).
      type: list
      elements: dict
    rules:
      description: Dictionaries of C(acl) and C(login), the ACL of its users, which is V(null) where none is needed.
      type: list
      elements: dict
    users:
      description: Names of the users that have an ACL of their own.
      type: list
      elements: str
    addresses:
      description: All addresses.
      type: list
      elements: str
    ports:
      description: All ports.
      type: list
      elements: int
    leaving:
      description: Names of the sensors and proxies that are kept until they have arrived elsewhere.
      type: list
      elements: str
    kept_users:
      description: Users of those.
      type: list
      elements: str
    moving_users:
      description: Users of proxies. Only they move to a new password within a run, and need the old one until then.
      type: list
      elements: str
    listeners:
      description: Listeners that are kept, each with C(address), C(port) and C(tls).
      type: list
      elements: dict
"""


def admissions(
    topology: Mapping[str, Any],
    proxy: str,
    settings: Mapping[str, Any],
    *,
    phase: str = "whole",
    running: Mapping[str, Any] | None = None,
    arrived: list[str] | None = None,
) -> dict[str, Any]:
    """Say whom the proxy admits; see DOCUMENTATION."""
    from ..plugin_utils._chain import admissions as chain_admissions
    from ..plugin_utils._chain import graph_file

    graph = graph_file.read(topology)
    auth, layout, tls_port = settings["auth_enabled"], settings["acl_layout"], settings["tls_port"]
    ports = [(settings["port"], False), *([(tls_port, True)] if tls_port else [])]
    addresses = settings["listen_addresses"] or [""]
    found = chain_admissions.admissions(
        graph,
        proxy,
        auth=auth,
        accept_previous=settings["auth_accept_previous"],
        listeners=[(address, number, tls) for address in addresses for number, tls in ports],
        running=None if phase == "whole" else running,
        arrived=set(arrived or ()),
    )
    # Who leaves has ACLs of its own, lest its user could come from its new address, or its new user from the old one.
    leaving = [(f"leaving:{number}", client) for number, client in enumerate(found.leaving, 1)]
    staying = [("clients" if layout == "combined" else client.acl, client) for client in found.clients]
    acls: dict[tuple[str, str], dict[str, Any]] = {}
    for acl, client in leaving + staying:
        new = {"acl": acl, "client": client.acl, "addresses": list(client.addresses), "users": []}
        acls.setdefault((acl, client.acl), new)["users"] += [client.user] if client.user else []
    own = leaving if layout == "combined" else leaving + staying
    rules = [(acl, f"user:{client.user}" if client.user else None) for acl, client in own]
    if layout == "combined" and staying:
        rules.append(("clients", "users" if auth else None))
    return {
        "acls": list(acls.values()),
        # A rule that needs no user must be met before one that asks for it.
        "rules": [
            {"acl": acl, "login": login}
            for acl, login in sorted(dict.fromkeys(rules), key=lambda rule: rule[1] is not None)
        ],
        "users": list(dict.fromkeys(client.user for _acl, client in own if client.user)),
        "addresses": list(dict.fromkeys(address for each in acls.values() for address in each["addresses"])),
        "ports": list(dict.fromkeys([port for port, _tls in ports] + [each["port"] for each in found.listeners])),
        "leaving": list(dict.fromkeys(client.name for client in found.leaving)),
        "kept_users": list(dict.fromkeys(client.user for client in found.leaving if client.user)),
        "moving_users": [
            client["username"]
            for client in graph["proxies"][proxy]["clients"]
            if client["kind"] == "proxy" and client["username"]
        ],
        "listeners": found.listeners,
    }


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"admissions": admissions}
