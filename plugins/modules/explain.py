# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: explain
short_description: Say whether a sensor may reach an endpoint, and by which line on which hop
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Follows a sensor's path through the topology and looks up, in the configuration of each proxy, the C(http_access) line that decides.
  - It runs on the controller and connects to no host. The playbook C(explain) uses it.
options:
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned in the same run.
    type: dict
    required: true
  sensor:
    description: Name of the sensor.
    type: str
  endpoint:
    description: The endpoint, as C(host) or C(host:port).
    type: str
  configs:
    description:
      - The text of C(squid.conf) of each proxy in RV(proxies), by its name. Without it the question is checked, and those named.
    type: dict
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: Show which line decides
  ot_security.proxy_chaining.explain:
    topology: "{{ topology_result }}"
    sensor: sensor1
    endpoint: hub.azure-devices.net
    configs:
      site: "{{ hostvars['site'].squid_rendered }}"
"""

RETURN = r"""
proxies:
  description: Names of the proxies of the inventory on the path.
  type: list
  elements: str
  returned: without O(configs)
allowed:
  description: Whether it may, as far as the inventory knows; another team's proxy may still refuse. It is among the stats, too.
  type: bool
  returned: with O(configs)
msg:
  description: The answer for people, a line for each hop.
  type: raw
  returned: with O(configs)
"""
