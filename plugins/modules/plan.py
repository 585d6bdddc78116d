# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Say who would gain and lose access by what the inventory renders
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Compares the configuration that each proxy runs with the one that was rendered for it, and says the difference in access.
  - It runs on the controller and reads what the role P(ot_security.proxy_chaining.squid#role) registered. The playbook C(plan) uses it.
options:
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned in the same run.
    type: dict
    required: true
  hosts:
    description: Names of the proxies.
    type: list
    elements: str
    required: true
  dest:
    description: Folder for C(plan.md) and C(plan.json), or for what was learned; none where it is empty.
    type: str
  learned:
    description:
      - Proposes instead the exact C(squid_endpoints) of each proxy, a file in YAML for each, by what
        M(ot_security.proxy_chaining.squid_info) read in its access log. The playbook C(learned_endpoints) uses it.
    type: bool
    default: false
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: Show what would change in access
  ot_security.proxy_chaining.plan:
    topology: "{{ topology_result }}"
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: The plan for people. What grows and is not declared is among the stats, too, as C(plan_undeclared).
  type: raw
  returned: always
"""
