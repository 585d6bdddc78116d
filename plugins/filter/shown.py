# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: shown
short_description: Give lines the form in which the terminal shows them unbroken
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - As YAML a list of lines is folded in the middle of the long ones, as JSON a text is shown with its line ends escaped. So lines
    become one text where results are shown as YAML, and stay a list elsewhere.
positional: _input
options:
  _input:
    description: The lines.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show a table
  ansible.builtin.debug:
    msg: "{{ lines | ot_security.proxy_chaining.shown }}"
"""

RETURN = r"""
_value:
  description: One text, or the lines.
  type: raw
"""


def shown(lines: list[str]) -> str | list[str]:
    """Choose the form; see DOCUMENTATION."""
    from ..plugin_utils import _columns

    return _columns.shown(lines)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"shown": shown}
