# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: azure_said
short_description: Judge what an instance in Azure said of its proxy
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Reads the answer of Azure's run-command to the scripts of the role P(ot_security.proxy_chaining.azure_proxy#role). It talks to nobody.
positional: _input, instance, endpoint, sure
options:
  _input:
    description: The answer.
    type: raw
    required: true
  instance:
    description: What the instance is called.
    type: str
    required: true
  endpoint:
    description: The name that it was to reach.
    type: str
    required: true
  sure:
    description: Whether there is such a name. Of a wildcard nobody knows one, and then it is enough that Squid tried.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: End where an instance is no proxy
  ansible.builtin.assert:
    that: answer.response | ot_security.proxy_chaining.azure_said('instance 0', 'hub.example.net') == ''
"""

RETURN = r"""
_value:
  description: Why it is no proxy yet, and what to do; empty if it is one.
  type: str
"""


def azure_said(response: Any, instance: str, endpoint: str, sure: bool = True) -> str:
    """Judge; see DOCUMENTATION."""
    from ..plugin_utils import _azure_proof

    return _azure_proof.verdict(instance, response, endpoint, sure=sure)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"azure_said": azure_said}
