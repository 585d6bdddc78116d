# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: azure_plan
short_description: Plan the proxy in Azure
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Derives names, address plan and security rules of the role P(ot_security.proxy_chaining.azure_proxy#role) from its variables and
    the topology, and collects every mistake in them. It talks to nobody.
positional: _input, topology, host, hostvars
options:
  _input:
    description: The role's variables without their prefix, C(auth_enabled), C(firewall), C(listen_addresses) and
      C(remote_syslog_host) of the role squid, and what it has rendered, as C(package), C(configuration), C(files) and C(start).
    type: dict
    required: true
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned.
    type: dict
    required: true
  host:
    description: Name of the proxy in the inventory.
    type: str
    required: true
  hostvars:
    description: Ansible's hostvars, where those proxies in Azure are looked up that would share a VNET with this one.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what would be created
  ansible.builtin.debug:
    msg: "{{ (settings | ot_security.proxy_chaining.azure_plan(topology_result, inventory_hostname, hostvars)).summary }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    mistakes:
      description: One sentence for each mistake that matters for C(state). With any of them the rest is not to be used.
      type: list
      elements: str
    names:
      description: Names of the resources by what they are.
      type: dict
    ids:
      description: Their ids in Azure.
      type: dict
    location:
      description: The region as Azure writes it.
      type: str
    prefixes:
      description: C(vnet), C(gateway_subnet), C(proxy_subnet) and perhaps C(bastion_subnet).
      type: dict
    frontend:
      description: The load balancer's address, empty when Azure chooses it.
      type: str
    sources:
      description: IPv4 addresses of the clients.
      type: list
      elements: str
    rules:
      description: The security group's rules, as M(azure.azcollection.azure_rm_securitygroup) takes them.
      type: list
      elements: dict
    scale_set:
      description: The scale set as a resource of a deployment, without its type, name and tags.
      type: dict
    custom_data:
      description: What an instance does when it is made.
      type: str
    configuration:
      description: What changes when the scale set must.
      type: str
    summary:
      description: What it consists of and what that is billed by, as lines of text, as if nothing of it were there.
      type: list
      elements: str
    site_prefixes:
      description: The networks behind the site's VPN device, as Azure writes them.
      type: list
      elements: str
    owner:
      description: The value of the tag by which the role knows what it has created.
      type: str
    owner_tag:
      description: The name of that tag.
      type: str
    tags:
      description: The tags of each resource.
      type: dict
    wanted:
      description: The parts that the role creates, such as C(vnet).
      type: list
      elements: str
    existing:
      description: The parts that others have built, each with the variable that says so.
      type: dict
    reads:
      description: What is read before anything is decided, with C(id), C(api) and C(when).
      type: list
      elements: dict
    storage_rules:
      description: Who may reach the storage account, as M(azure.azcollection.azure_rm_storageaccount) takes them.
      type: list
      elements: dict
"""


def azure_plan(
    settings: Mapping[str, Any], topology: Mapping[str, Any], host: str, hostvars: Mapping[str, Any]
) -> dict[str, Any]:
    """Plan; see DOCUMENTATION."""
    from ..plugin_utils import _azure_plan
    from ..plugin_utils._chain import kept

    return _azure_plan.plan(host, settings, kept.read(topology), hostvars)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"azure_plan": azure_plan}
