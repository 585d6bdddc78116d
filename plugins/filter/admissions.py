# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
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
  changed:
    description: Whether this run has changed the proxy before.
    type: bool
    default: false
  arrived:
    description: Names of sensors and proxies that are known to be where the inventory has them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show who may connect
  ansible.builtin.debug:
    msg: "{{ (topology_result | ot_security.proxy_chaining.admissions(inventory_hostname, squid_arguments)).sources }}"
"""

RETURN = r"""
_value:
  description: Whom the proxy admits.
  type: dict
  contains:
    sources:
      description: Lines of C(acl) with the addresses of each client, and with each user. In the layout V(combined) the ACL of all that
        stay is C(clients).
      type: str
    signs_in:
      description: Whether any of them has to sign in.
      type: bool
    allows:
      description: Lines of C(http_access allow).
      type: str
    notes:
      description: Lines of C(note) that name each client in the access log.
      type: str
    addresses:
      description: All addresses, separated by blanks.
      type: str
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
    phase:
      description: What the change is to M(ot_security.proxy_chaining.squid_config).
      type: str
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
    changed: bool = False,
    arrived: list[str] | None = None,
) -> dict[str, Any]:
    """Say whom the proxy admits; see DOCUMENTATION."""
    from ..plugin_utils._chain import acl_lines, deployment, graph_file
    from ..plugin_utils._chain import admissions as chain_admissions

    if phase == "whole":
        running = None
    auth, tls_port = settings["auth_enabled"], settings["tls_port"]
    ports = [(settings["port"], False), *([(tls_port, True)] if tls_port else [])]
    addresses = settings["listen_addresses"] or [""]
    # Sensors elsewhere are asked for only where somebody may be about to leave.
    graph = graph_file.read(topology, sensors=running is not None)
    found = chain_admissions.admissions(
        graph,
        proxy,
        auth=auth,
        accept_previous=settings["auth_accept_previous"],
        listeners=[(address, number, tls) for address in addresses for number, tls in ports],
        running=running,
        arrived=set(arrived or ()),
    )
    lines = acl_lines.acl_lines(found, combined=settings["acl_layout"] == "combined", auth=auth)
    return asdict(lines) | {
        "addresses": " ".join(
            dict.fromkeys(address for client in found.leaving + found.clients for address in client.addresses)
        ),
        "ports": list(dict.fromkeys([port for port, _tls in ports] + [each["port"] for each in found.listeners])),
        "leaving": list(dict.fromkeys(client.name for client in found.leaving)),
        "kept_users": list(dict.fromkeys(client.user for client in found.leaving if client.user)),
        "moving_users": [
            client["username"]
            for client in graph["proxies"][proxy]["clients"]
            if client["kind"] == "proxy" and client["username"]
        ],
        "phase": deployment.phase_of_change(phase, changed=changed),
        "listeners": found.listeners,
    }


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"admissions": admissions}
