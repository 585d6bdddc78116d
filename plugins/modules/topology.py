# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology
short_description: Derive the proxy chain from the inventory
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Turns groups of the inventory and their host variables into one graph. It holds the clients and parents of each proxy,
    the order of deployment and the path of each sensor. It holds no password.
  - Fails with every mistake in the inventory, one sentence each, naming host, variable and value.
  - The graph is kept in a file of the controller that ends with the run, where this collection's other plugins read it. What is
    registered is small, whatever the number of sensors, unless O(whole=true).
  - It runs on the controller and connects to no host. Run it once for all hosts; the role P(ot_security.proxy_chaining.topology#role)
    does so.
options:
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
      - Names of those that are gone, as a list, or as text with commas or white space between them. Sensors that the inventory still
        has are taken as gone.
    type: list
    elements: str
    default: []
  repository:
    description:
      - The repository's own inventory, a file or a folder, from the folder of the run. With it the module also fails where what the run was
        given differs, in hosts, groups or variables, since AWX keeps what was added to its inventory by hand.
    type: str
    default: ""
  about:
    description:
      - Names of the groups that the run is about. Where one is missing this fails, and where the only one has no host. Others may be
        missing, unless there is one whose name looks like a misspelling.
    type: list
    elements: str
    default: []
  whole:
    description: Whether RV(graph) is returned, too. Ansible copies it for each host and each task.
    type: bool
    default: false
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: Derive the topology
  ot_security.proxy_chaining.topology:
    whole: true
  register: chain
  run_once: true

- name: Show the path of each sensor
  ansible.builtin.debug:
    msg: "{{ chain.graph.sensors }}"
  run_once: true
"""

RETURN = r"""
file:
  description: Path of the file with the graph.
  type: str
  returned: success
graph:
  description: The graph.
  type: dict
  returned: with O(whole=true)
  contains:
    proxies:
      description:
        - For each proxy its C(acl) name, C(kind) (V(host) or V(azure)), C(addresses), C(port), C(tls_port), C(tier),
          C(parents) in order of preference and C(clients), C(after), which is changed before it, and C(pair) if it is in one, or C(leaves).
        - A parent has C(name), C(acl), C(kind) (V(inventory), V(pair) or V(external)), C(address), C(port), C(username), C(tls),
          C(tls_ca) and C(tls_name), and C(tunnel) if one leads there. The user name of an external one is URL-escaped where squid.conf
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
    pairs:
      description: As RV(pairs).
      type: dict
    tunnels:
      description: For each site in another cloud that has a tunnel its C(cloud), C(proxy) and C(prefixes).
      type: dict
    tiers:
      description: As RV(tiers).
      type: list
      elements: list
    mistakes:
      description: Empty, since the module fails with any.
      type: list
      elements: str
tiers:
  description: Names of the proxies in the order of deployment, parents before children.
  type: list
  elements: list
  returned: success
proxies:
  description: For each proxy its C(kind), C(tier), C(addresses) and C(port).
  type: dict
  returned: success
pairs:
  description:
    - For each pair its C(members) in the order in which they are changed, its C(router_id) and its C(addresses).
    - A shared address has its C(address), the length of its network's C(prefix), and in C(own) what each member has for itself there.
  type: dict
  returned: success
removed_sensors:
  description: O(removed_sensors) as a list.
  type: list
  elements: str
  returned: success
"""
