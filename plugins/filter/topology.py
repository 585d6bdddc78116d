# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: topology
short_description: Derive the proxy chain from the inventory
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Turns groups of the inventory and their host variables into one graph. It holds the clients and parents of each proxy,
    the order of deployment and the path of each sensor.
  - Every mistake in the inventory is collected and returned in RV(_value.mistakes); nothing is raised for them.
  - The result holds no password.
positional: _input, groups
options:
  _input:
    description: Ansible's C(hostvars), or a dictionary of host name to variables.
    type: dict
    required: true
  groups:
    description: Ansible's C(groups), or a dictionary of group name to the names of its hosts.
    type: dict
    required: true
  proxies_group:
    description: Name of the group whose hosts are proxies.
    type: str
    default: proxies
  sensors_group:
    description: Name of the group whose hosts are sensors.
    type: str
    default: sensors
  cloud_sites_group:
    description: Name of the group whose hosts are sites in other clouds.
    type: str
    default: cloud_sites
  removed_sensors:
    description:
      - Names of sensors that are taken as gone, although the inventory still has them, as a list, or as text with commas or white space
        between them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the order of deployment
  ansible.builtin.debug:
    msg: "{{ (hostvars | ot_security.proxy_chaining.topology(groups)).tiers }}"
"""

RETURN = r"""
_value:
  description: The graph.
  type: dict
  contains:
    proxies:
      description:
        - For each proxy its C(acl) name, C(kind) (V(host) or V(azure)), C(addresses), C(port), C(tls_port), C(tier),
          C(parents) in order of preference and C(clients).
        - A parent has C(name), C(acl), C(kind) (V(inventory) or V(external)), C(address), C(port), C(username), C(tls),
          C(tls_ca) and C(tls_name), and C(tunnel) if one leads there. That of an external one is URL-escaped where squid.conf
          could not have it otherwise.
        - A client has C(name), C(acl), C(kind) (V(sensor) or V(proxy)), C(addresses), C(username) and
          C(previous_username), which only a sensor has, during a rotation.
          A proxy that signs in as several users is there once for each.
      type: dict
    sensors:
      description:
        - For each sensor its C(acl) name, C(addresses), C(proxy) (address and port of its first hop) and C(path), and C(tunnel)
          if one leads to its first hop.
      type: dict
    tunnels:
      description: For each site in another cloud that has a tunnel its C(cloud), C(proxy) and C(prefixes).
      type: dict
    tiers:
      description: Names of the proxies in the order of deployment, parents before children.
      type: list
      elements: list
    mistakes:
      description:
        - One sentence for each mistake, naming host, variable and value. Empty when the inventory can be deployed.
      type: list
      elements: str
"""


def topology(
    hostvars: Mapping[str, Any],
    groups: Mapping[str, list[str]],
    proxies_group: str = "proxies",
    sensors_group: str = "sensors",
    cloud_sites_group: str = "cloud_sites",
    removed_sensors: Sequence[str] | str = (),
) -> dict[str, Any]:
    """Derive the graph; see DOCUMENTATION."""
    from ..plugin_utils import _cores
    from ..plugin_utils._chain import topology as chain_topology

    _cores.refuse()
    sensors = groups.get(sensors_group, [])
    if isinstance(removed_sensors, str):
        # A survey answers with text.
        removed_sensors = re.findall(r"[^,\s]+", removed_sensors)
    graph = chain_topology.derive(
        hostvars,
        groups.get(proxies_group, []),
        [name for name in sensors if name not in removed_sensors],
        proxies_group,
        groups.get(cloud_sites_group, []),
    )
    graph["mistakes"] += [
        f"{name}: it is to be removed, and the inventory has no such sensor in the group '{sensors_group}'."
        for name in removed_sensors
        if name not in sensors
    ]
    if not graph["proxies"]:
        graph["mistakes"].insert(0, f"the inventory has no host in the group '{proxies_group}'; put the proxies there.")
    return graph


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"topology": topology}
