#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: role_arguments
short_description: Check the variables of one of this collection's roles, and give each its type
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Reads the variables that the role's argument specification declares, as they are for this host, and converts each to the
    declared type. Text is taken for what it says, since INI inventories, surveys and C(-e name=value) have nothing else.
  - Fails with every value that cannot be converted or contradicts another, all in one list.
  - The roles run it first. It runs on the controller and connects to no host.
options:
  role:
    description: Name of the role.
    type: str
    choices: [squid, proxy_vip, sensor_proxy, chain_verify, chain_watch, topology, azure_proxy, multicloud]
    required: true
  variables:
    description: Names of the variables to look at. Default is all of the role's.
    type: list
    elements: str
    default: []
  document:
    description: What is in C(squid_endpoints_file), parsed. Only for O(role=squid).
    type: raw
  later:
    description:
      - Returns what is wrong as C(mistakes) instead of failing with it, for M(ot_security.proxy_chaining.ready) to say it with that of all
        hosts.
    type: bool
    default: false
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: Check the variables, and give each its type
  ot_security.proxy_chaining.role_arguments:
    role: sensor_proxy
  register: sensor_arguments

- name: Show the port, which is a number now
  ansible.builtin.debug:
    msg: "{{ sensor_arguments.port }}"
"""

RETURN = r"""
mistakes:
  description: What is wrong, one sentence each; nothing else is returned then.
  type: list
  elements: str
  returned: with O(later), if anything is wrong
allowed:
  description: Of the role squid, what clients may reach, as Squid's dstdomain wants it.
  type: list
  elements: str
  returned: with O(role=squid)
inside:
  description:
    - Of the role squid, dictionaries of C(name) and the C(networks) to which that name may not lead. The one with an empty name is for
      all others.
  type: list
  elements: dict
  returned: with O(role=squid)
learning:
  description: Of the role squid, whether clients may ask for other names too today, as C(squid_learn_until) says.
  type: bool
  returned: with O(role=squid)
proxy:
  description: Of the role squid, what the topology has of this proxy, without its clients.
  type: dict
  returned: with O(role=squid), all variables and the topology
acl:
  description: Of the role chain_watch, the name of this proxy's ACL at its parents, which their logs have.
  type: str
  returned: with O(role=chain_watch) and the topology
probes:
  description: Of the role chain_watch, what blackbox_exporter asks on this proxy, each with C(module), C(target), C(config) and C(labels).
  type: list
  elements: dict
  returned: with O(role=chain_watch) and the topology
targets:
  description:
    - Of the role chain_watch, what Prometheus scrapes on this proxy, as its file_sd has it, in C(probes), C(exporters) and C(clients).
  type: dict
  returned: with O(role=chain_watch) and the topology
path:
  description: Of the role sensor_proxy, the names of the proxies on the sensor's path.
  type: list
  elements: str
  returned: with O(role=sensor_proxy)
first_hop:
  description: Of the role sensor_proxy, the proxies of the inventory that it connects to; of a pair, all members.
  type: list
  elements: str
  returned: with O(role=sensor_proxy)
probed:
  description: Of the role squid, the endpoints that prove a change.
  type: list
  elements: str
  returned: with O(role=squid)
needs_openssl:
  description: Of the role squid, whether Squid must be the build with OpenSSL.
  type: bool
  returned: with O(role=squid), all variables and the topology
has_named_parent:
  description: Of the role squid, whether a parent is given by a name, which Squid looks up when it starts or reloads, and each hour.
  type: bool
  returned: with O(role=squid), all variables and the topology
proxy_addresses:
  description: Of the role squid without parents, the addresses of all proxies, to which no name may lead.
  type: list
  elements: str
  returned: with O(role=squid), all variables and the topology
"""
