# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: verdict_changes
short_description: Compares the results of a verification with earlier ones
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Fills in what changed, and since when each failure lasts. A sensor that is well, but takes another path, gets that as its reason.
  - Earlier results that are damaged or of another format are treated as none; RV(_value.previous_problem) says so.
positional: _input, earlier
options:
  _input:
    description: The results of a verification.
    type: dict
    required: true
  earlier:
    description: Earlier results, or their JSON text. Empty for none.
    type: raw
"""

EXAMPLES = r"""
- name: Compare with the report before
  ansible.builtin.set_fact:
    chain_verify_results: "{{ found | ot_security.proxy_chaining.verdict_changes(lookup('file', 'report/results.json')) }}"
"""

RETURN = r"""
_value:
  description: The results with what was filled in.
  type: dict
  contains:
    changes:
      description:
        - For each sensor whose verdict or path changed C(sensor), and the verdicts C(before) and C(after). C(before) is null for a
          new sensor, C(after) for one that is gone.
        - Where the path changed also C(before_path) and C(after_path), each the names of the proxies on it.
      type: list
      elements: dict
    previous:
      description: Time of the earlier results; null for none.
      type: str
    previous_problem:
      description: Why earlier results were not used; null otherwise.
      type: str
"""


def verdict_changes(results: Mapping[str, Any], earlier: object = None) -> dict[str, Any]:
    """Compare the results; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _report_changes

    return _report_changes.changes(results, earlier)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"verdict_changes": verdict_changes}
