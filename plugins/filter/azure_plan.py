# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: azure_plan
short_description: Plan a proxy in Azure, and decide what becomes of each part
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - From the variables of the role P(ot_security.proxy_chaining.azure_proxy#role) and the topology it derives names, address plan and
    security rules, and collects every mistake in them. That is the plan.
  - From the plan and what Azure has listed and shown it says what is written, kept and removed, or what stands in the way.
  - From the plan and what an instance has answered it says whether that is a proxy.
  - It talks to nobody.
positional: _input, host
options:
  _input:
    description:
      - With O(topology) the role's variables without their prefix, and C(auth_enabled), C(firewall), C(listen_addresses),
        C(remote_syslog_host), C(probed) and C(endpoints) of the role squid, and what it has rendered, as C(package), C(configuration),
        C(files) and C(start).
      - Otherwise the plan.
    type: dict
    required: true
  host:
    description: Name of the proxy in the inventory.
    type: str
    required: true
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned.
    type: dict
  hostvars:
    description: Ansible's C(hostvars), for what is declared for the other proxies in Azure. Needed with O(topology).
    type: dict
  listed:
    description: What Azure lists of the resource group, or its error.
    type: list
    elements: dict
  read:
    description: What modules have answered that have read single resources, errors among it. Without it only what has to be read is
      returned.
    type: list
    elements: dict
  asked:
    description: What the instance is called that was asked for a CONNECT by Azure's run-command.
    type: str
  answer:
    description: What Azure has answered to that.
    type: raw
"""

EXAMPLES = r"""
- name: Show what would be created
  ansible.builtin.debug:
    msg: "{{ (settings | ot_security.proxy_chaining.azure_plan(inventory_hostname, topology=topology_result, hostvars=hostvars)).summary }}"

- name: Show what becomes of each part
  ansible.builtin.debug:
    msg: "{{ (plan | ot_security.proxy_chaining.azure_plan(inventory_hostname, listed=listed, read=read)).summary }}"

- name: End where an instance is no proxy
  ansible.builtin.assert:
    that: (plan | ot_security.proxy_chaining.azure_plan(inventory_hostname, asked='instance 0', answer=answer)).mistakes == []
"""

RETURN = r"""
_value:
  description: The plan, or what becomes of it; what is not needed for its state is not there. With O(asked) only C(mistakes).
  type: dict
  contains:
    mistakes:
      description: One sentence for each mistake, or for each thing that stands in the way. With any of them nothing may be changed.
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
      description:
        - The scale set as a resource of a deployment, without its type, name and tags; with O(read) the C(name) and C(id) of the one that
          serves, whether it is C(proven), the C(old) one that it replaces, and whether to C(drain) that.
      type: dict
    custom_data:
      description: What an instance does when it is made.
      type: str
    configuration:
      description: What changes when the scale set must.
      type: str
    summary:
      description:
        - What it consists of, what that is billed by, and what becomes of each part, as lines of text; without O(read) as if nothing of
          it were there.
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
      description: The tags of each resource; with O(read) what lacks some, with C(id), C(name) and those that it lacks as C(tags).
      type: raw
    wanted:
      description: The parts that the role creates, such as C(vnet).
      type: list
      elements: str
    existing:
      description: The parts that others have built, each with the variable that says so.
      type: dict
    reads:
      description: What is read before anything is decided, with C(id), C(api) and C(when); with O(listed) what of it has to be.
      type: list
      elements: dict
    storage_rules:
      description: Who may reach the storage account, as M(azure.azcollection.azure_rm_storageaccount) takes them.
      type: list
      elements: dict
    asks:
      description: What is asked that the account may not be allowed to see, the providers or the locks, with C(id) and C(api).
      type: list
      elements: dict
      returned: with O(listed)
    listed:
      description: The names of what is in the resource group.
      type: list
      elements: str
      returned: with O(listed)
    gone:
      description: Whether there is no resource group.
      type: bool
      returned: with O(read)
    new:
      description: The parts that are not there.
      type: list
      elements: str
      returned: with O(read)
    written:
      description: The parts that are not there, or are there another way.
      type: list
      elements: str
      returned: with O(read)
    unforeseen:
      description: Whether something is written that no module foresees in check mode.
      type: bool
      returned: with O(read)
    tags_of:
      description: The tags of each part, those that others have set among them.
      type: dict
      returned: with O(read)
    vnet_prefixes:
      description: The prefixes with which the VNET is written, none if it stays as it is.
      type: list
      elements: str
      returned: with O(read)
    peerings:
      description: The sides of the peering with the hub that are written.
      type: list
      elements: dict
      returned: with O(read)
    lost_peerings:
      description: Those that have lost their other side, and are removed first.
      type: list
      elements: dict
      returned: with O(read)
    subnets:
      description: The subnets that are written, each with all that belongs to it.
      type: list
      elements: dict
      returned: with O(read)
    nat_gateway:
      description: The NAT gateway as a resource of a deployment, nothing if it stays as it is.
      type: dict
      returned: with O(read)
    gateway:
      description: The virtual network gateway as a resource of a deployment, nothing if it stays as it is.
      type: dict
      returned: with O(read)
    address:
      description: The load balancer's address, empty as long as Azure has not chosen it.
      type: str
      returned: with O(read)
    frontend_zones:
      description: The zones of the load balancer's frontend.
      type: list
      elements: str
      returned: with O(read)
    scale_set_tags:
      description: The tags with which the scale set is written.
      type: dict
      returned: with O(read)
    group_location:
      description: Where the resource group is.
      type: str
      returned: with O(read)
    site:
      description: The local network gateway's body, nothing if it stays as it is or is not there.
      type: dict
      returned: with O(read)
    flow_log:
      description: Whether to C(remove) the flow log, and the body with which to C(write) it, nothing if it stays as it is.
      type: dict
      returned: with O(read)
    repairs:
      description: What a failed operation has left, with C(id), C(name), C(api) and C(body), as it is written once more.
      type: list
      elements: dict
      returned: with O(read)
    remove:
      description: The parts that are removed.
      type: list
      elements: str
      returned: with O(read)
"""


def azure_plan(
    settings: Mapping[str, Any],
    host: str,
    topology: Mapping[str, Any] | None = None,
    hostvars: Mapping[str, Any] | None = None,
    listed: Iterable[dict[str, Any]] = (),
    read: Iterable[dict[str, Any]] | None = None,
    asked: str = "",
    answer: Any = None,
) -> dict[str, Any]:
    """Plan and decide; see DOCUMENTATION."""
    from ..plugin_utils._chain import graph_file
    from ..plugin_utils._cloud.azure import decisions, plan, proof

    if topology is not None:
        return plan.plan_azure(host, settings, graph_file.read(topology), hostvars or {})
    if asked:
        return {"mistakes": proof.mistakes(host, settings, asked, answer)}
    return decisions.decide(host, dict(settings), listed, read)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"azure_plan": azure_plan}
