# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: verdict_table
short_description: The results of a verification as lines for a terminal
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - One line for each sensor, worst first; then a paragraph for each distinct failure, what changed since the report
    before, and the counts.
options:
  _input:
    description: The results of a verification.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the table
  ansible.builtin.debug:
    msg: "{{ chain_verify_results | ot_security.proxy_chaining.verdict_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


def verdict_table(results: Mapping[str, Any]) -> list[str]:
    """Return the lines; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _report_table

    return _report_table.table(results)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"verdict_table": verdict_table}
