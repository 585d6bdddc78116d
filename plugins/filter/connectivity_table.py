# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: connectivity_table
short_description: How the sites in other clouds connect, as lines for a terminal
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - One line for each site, then the contradictions of all of them.
options:
  _input:
    description: For each site what P(ot_security.proxy_chaining.connectivity#filter) returns, with C(site) and C(cloud).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the table
  ansible.builtin.debug:
    msg: "{{ connectivity_choices | ot_security.proxy_chaining.connectivity_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def connectivity_table(choices: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the lines; see DOCUMENTATION."""
    from ..plugin_utils import _connectivity

    return _connectivity.table(choices)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"connectivity_table": connectivity_table}
