# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable

DOCUMENTATION = r"""
name: cloud_problem
short_description: Say in one sentence why a call to a cloud failed
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Tells a refused sign-in, a missing permission, too many calls and a missing resource group from anything else, and says what to do.
positional: _input, task, host, action
options:
  _input:
    description: What the module said, or its whole result.
    type: raw
    required: true
  task:
    description: Name of the task that failed.
    type: str
    required: true
  host:
    description: Name of the proxy or the site in the inventory.
    type: str
    required: true
  action:
    description: Full name of the module of that task. Its namespace tells which cloud it is; Azure, where it tells none.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Fail with one sentence
  ansible.builtin.fail:
    msg: >-
      {{ ansible_failed_result
         | ot_security.proxy_chaining.cloud_problem(ansible_failed_task.name, inventory_hostname, ansible_failed_task.action) }}
"""

RETURN = r"""
_value:
  description: The sentence.
  type: str
"""


def cloud_problem(message: object, task: str, host: str, action: str = "") -> str:
    """Say it; see DOCUMENTATION."""
    from ..plugin_utils._cloud import problem

    return problem.problem(host, task, action, problem.said(message))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"cloud_problem": cloud_problem}
