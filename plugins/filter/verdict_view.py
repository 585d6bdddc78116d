# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: verdict_view
short_description: The results of a verification as the HTML report shows them
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Sorts, counts and words the results for the template of the report.
  - No text in it is escaped.
options:
  _input:
    description: The results of a verification.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what fails
  ansible.builtin.debug:
    msg: "{{ (chain_verify_results | ot_security.proxy_chaining.verdict_view).failures }}"
"""

RETURN = r"""
_value:
  description:
    - The parts of the page, made for the template of this collection's report, with which they may change.
  type: dict
"""


def verdict_view(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of the page; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _report_view

    return _report_view.view(results)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"verdict_view": verdict_view}
