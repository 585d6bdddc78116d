#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ready
short_description: Refuse a run that lacks something
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Fails with everything that M(ot_security.proxy_chaining.role_arguments) found wrong on the hosts of the play, and with what the
    controller lacks for what their variables ask for, all in one list.
  - It runs on the controller and connects to no host. The playbooks run it before they touch any host.
options:
  controller:
    description: Whether what the controller lacks is looked for. A run that only reads needs nothing of that.
    type: bool
    default: true
  awx:
    description:
      - Compares instead the settings of the playbook C(configure_awx) with what AWX has, before anything is made there.
      - C(settings) has those of C(awx/settings.yml) without their prefix, C(wanted) the names of what shall be there by kind,
        C(workflows) the workflows, and C(found) what is there by kind.
    type: dict
  awx_inventory:
    description:
      - Counts instead the hosts of an inventory in AWX, and fails where it has none.
      - Its C(inventory) is a name, C(path) where the repository has it, and C(script) what AWX gives to a job.
    type: dict
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: Say everything that is missing or wrong, in one list
  ot_security.proxy_chaining.ready:
  run_once: true
"""

RETURN = r"""
ids:
  description: The ids of what the settings name, by setting and name.
  returned: with O(awx)
  type: dict
missing:
  description: The names of what the organization has not, by kind.
  returned: with O(awx)
  type: dict
strays:
  description: The nodes that no workflow wants as they are, as C(workflow) and C(identifier).
  returned: with O(awx)
  type: list
  elements: dict
"""
