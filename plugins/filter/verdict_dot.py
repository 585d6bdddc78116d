# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: verdict_dot
short_description: The results of a verification as a picture in Graphviz' language
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Sensors, proxies by tier, other teams' proxies and endpoints are columns from left to right.
  - More than eight sensors of one first hop are one box.
options:
  _input:
    description: The results of a verification.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Draw the chain
  ansible.builtin.command:
    argv: [dot, -Tsvg]
    stdin: "{{ chain_verify_results | ot_security.proxy_chaining.verdict_dot }}"
  delegate_to: localhost
  changed_when: false
  register: drawing
"""

RETURN = r"""
_value:
  description: The DOT text.
  type: str
"""


def verdict_dot(results: Mapping[str, Any]) -> str:
    """Return the DOT text; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _report_dot

    return _report_dot.dot(results)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"verdict_dot": verdict_dot}
