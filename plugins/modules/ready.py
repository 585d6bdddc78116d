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
      - C(settings) has C(organization), C(prefix), C(galaxy_credentials), C(vault_credentials) and C(project_credential). C(found) has
        C(organizations), C(credentials), C(galaxy_credentials) of the organization, and as C(same_names) what begins with the prefix.
    type: dict
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: Say everything that is missing or wrong, in one list
  ot_security.proxy_chaining.ready:
  run_once: true
"""

RETURN = r"""#"""
