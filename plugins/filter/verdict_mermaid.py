# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: verdict_mermaid
short_description: The results of a verification as a Mermaid flowchart
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - The same boxes and arrows as those of P(ot_security.proxy_chaining.verdict_dot#filter), for wikis that draw
    Mermaid.
options:
  _input:
    description: The results of a verification.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the flowchart
  ansible.builtin.copy:
    content: "{{ chain_verify_results | ot_security.proxy_chaining.verdict_mermaid }}"
    dest: report/chain.mmd
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The Mermaid text.
  type: str
"""


def verdict_mermaid(results: Mapping[str, Any]) -> str:
    """Return the flowchart; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _report_mermaid

    return _report_mermaid.mermaid(results)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"verdict_mermaid": verdict_mermaid}
