# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: verdict_svg
short_description: Finishes the picture that Graphviz draws
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Takes the output of C(dot -Tsvg) for the text of P(ot_security.proxy_chaining.verdict_dot#filter).
  - Gives it light and dark colours, takes its prolog away, and makes its tooltips work in browsers, so that it can
    be part of a page or a file of its own.
options:
  _input:
    description: What C(dot) wrote.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write the picture
  ansible.builtin.copy:
    content: "{{ drawing.stdout | ot_security.proxy_chaining.verdict_svg }}"
    dest: report/chain.svg
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The SVG text.
  type: str
"""


def verdict_svg(svg: str) -> str:
    """Return the SVG; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _report_svg

    try:
        return _report_svg.finish(svg)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"verdict_svg": verdict_svg}
