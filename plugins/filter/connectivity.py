# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

DOCUMENTATION = r"""
name: connectivity
short_description: Choose how sites in other clouds connect to Azure
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Follows the flow chart of the vendor's documentation from the needs of each site (C(multicloud_needs)) to one of four methods; the
    decision of a person (C(multicloud_method)) wins. It talks to nobody.
  - Every mistake is collected and returned in RV(_value.mistakes); nothing is raised for them.
positional: _input, sites
options:
  _input:
    description: Ansible's C(hostvars), or a dictionary of host name to variables.
    type: dict
    required: true
  sites:
    description: Names of the sites.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the methods
  ansible.builtin.debug:
    msg: "{{ (hostvars | ot_security.proxy_chaining.connectivity(groups.cloud_sites)).methods }}"
"""

RETURN = r"""
_value:
  description: The choices.
  type: dict
  contains:
    lines:
      description: A table for the terminal, and after it what contradicts the needs of a site.
      type: list
      elements: str
    methods:
      description: The method of each site by its name, empty for one with a mistake.
      type: dict
    mistakes:
      description: One sentence for each mistake, naming host, variable and value.
      type: list
      elements: str
"""


def connectivity(hostvars: Mapping[str, Any], sites: Iterable[str]) -> dict[str, Any]:
    """Choose; see DOCUMENTATION."""
    from ..plugin_utils._cloud import connectivity as cloud_connectivity

    return asdict(cloud_connectivity.choose_all(hostvars, sites))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"connectivity": connectivity}
