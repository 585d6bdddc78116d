# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rendered
short_description: A template of a role, rendered
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Returns what P(ansible.builtin.template#lookup) does, without a copy of all variables for each template. With 10,000 hosts that copy
    is most of what rendering takes.
options:
  _terms:
    description: Names of templates. Each may include files of its own folder and of the role's.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the configuration of a proxy
  ansible.builtin.debug:
    msg: "{{ lookup('ot_security.proxy_chaining.rendered', 'squid.conf.j2') }}"
"""

RETURN = r"""
_raw:
  description: The text of each.
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase

from ..plugin_utils._trusted import trust_as_template


class LookupModule(LookupBase):  # type: ignore[misc]
    """Ansible's entry point; see DOCUMENTATION."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Render them."""
        return [self._render(Path(self.find_file_in_search_path(variables, "templates", name))) for name in terms]

    def _render(self, path: Path) -> str:
        templar = self._templar.copy_with_new_env(searchpath=[str(path.parent), str(path.parents[1])])
        text: str = templar.template(trust_as_template(path.read_text(encoding="utf-8")), escape_backslashes=False)
        return text
