# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: verdict_junit
short_description: The results of a verification as JUnit XML
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - One test suite with a test case for each sensor and each link between proxies.
  - A sensor or link that is V(broken) is a failure, one that is V(unknown) an error. One that is V(degraded)
    passes, with the reason in its output.
options:
  _input:
    description: The results of a verification.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write what the pipeline shows
  ansible.builtin.copy:
    content: "{{ chain_verify_results | ot_security.proxy_chaining.verdict_junit }}"
    dest: report/junit.xml
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The XML text.
  type: str
"""


def verdict_junit(results: Mapping[str, Any]) -> str:
    """Return the XML; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _report_junit

    return _report_junit.junit(results)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"verdict_junit": verdict_junit}
