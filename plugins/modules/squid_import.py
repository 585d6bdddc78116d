# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: squid_import
short_description: Make an inventory of squid.conf files that were made by hand
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Finds out which addresses may CONNECT to which endpoints on port 443, where the proxies listen and which parents they have,
    and writes the same as an inventory of this collection. It names each directive that the inventory does not carry over.
  - The inventory lets in nobody whom the files do not let in. What is not known counts as refused.
  - No password is in the result.
  - It runs on the controller and connects to no host. The playbook C(import_squid) uses it.
options:
  configs:
    description:
      - For each proxy its C(name), C(path) of its squid.conf, C(files), and perhaps C(address), where Ansible connects, and C(log),
        the text of its access log, Base64-encoded. Who got a tunnel to an endpoint by that becomes a sensor where a network lets it in.
      - C(files) has the content of squid.conf and of files that it includes, by path and Base64-encoded, as
        M(ansible.builtin.slurp) returns it. A pattern of an C(include) that is a path there stands for no files.
    type: list
    elements: dict
    required: true
  limit:
    description: So many addresses of one network or range become hosts. A larger one is named and not carried over.
    type: int
    default: 64
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: See what is not carried over
  ot_security.proxy_chaining.squid_import:
    configs:
      - name: plant-a-proxy
        path: squid.conf
        files:
          squid.conf: "{{ lookup('ansible.builtin.file', 'squid.conf') | b64encode }}"
  register: imported
"""

RETURN = r"""
inventory:
  description: The text of the inventory's file, as lines.
  returned: success
  type: list
  elements: str
left_out:
  description: One sentence for each thing that is not carried over, with its lines and why.
  returned: success
  type: list
  elements: str
access:
  description: Who would gain or lose access by the inventory, one sentence each, as the module M(ot_security.proxy_chaining.plan) says it.
  returned: success
  type: list
  elements: str
wanted:
  description: For each proxy the paths and patterns of files that are named and are not among its C(files).
  returned: success
  type: dict
"""
