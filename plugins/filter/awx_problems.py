# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: awx_problems
short_description: What stands in the way of giving AWX its objects
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Compares the settings of the playbook C(configure_awx) with what AWX has, before anything is made.
positional: _input, found
options:
  _input:
    description: C(organization), C(prefix), C(galaxy_credentials), C(vault_credentials) and C(project_credential).
    type: dict
    required: true
  found:
    description:
      - C(organizations), C(credentials), C(galaxy_credentials) of the organization, and as C(same_names) what begins with the prefix.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse wrong settings
  ansible.builtin.assert:
    that: settings | ot_security.proxy_chaining.awx_problems(found) == []
"""

RETURN = r"""
_value:
  description: A sentence for each.
  type: list
  elements: str
"""


def awx_problems(settings: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Find them; see DOCUMENTATION."""
    from ..plugin_utils import _awx

    return _awx.problems(settings, found)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"awx_problems": awx_problems}
