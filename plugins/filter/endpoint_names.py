# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: endpoint_names
short_description: Find the endpoints in the file that the Azure portal gives
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - The portal's I(Download endpoint details) gives a JSON file whose schema is not published. This filter walks all of it
    and returns every host name with at least two dots, and the host of every URL.
options:
  _input:
    description: The parsed JSON document.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the endpoints of this subscription
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'endpoints.json') | from_json | ot_security.proxy_chaining.endpoint_names }}"
"""

RETURN = r"""
_value:
  description: The host names, sorted.
  type: list
  elements: str
"""


def endpoint_names(document: Any) -> list[str]:
    """Find host names in a document; see DOCUMENTATION."""
    from ..plugin_utils._chain import endpoints

    names = endpoints.names_in(document)
    if not names:
        raise AnsibleFilterError("the endpoint file holds no host name and no URL; download it again from the portal.")
    return names


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"endpoint_names": endpoint_names}
