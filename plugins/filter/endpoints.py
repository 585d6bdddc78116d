# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: endpoints
short_description: Turn a list of endpoints into what Squid's dstdomain takes
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Lower-cases, sorts and removes duplicates, turns C(*.example.net) into C(.example.net), takes the host out of a URL, and
    drops names that a wildcard of the list already covers, since Squid refuses a file that has both in the wrong order.
options:
  _input:
    description: Host names, wildcards or HTTPS URLs.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the allow-list
  ansible.builtin.debug:
    msg: "{{ ['*.azure-devices.net', 'hub.azure-devices.net'] | ot_security.proxy_chaining.endpoints }}"
  # => ['.azure-devices.net']
"""

RETURN = r"""
_value:
  description: The names, sorted; a wildcard begins with a dot.
  type: list
  elements: str
"""


def endpoints(entries: list[Any]) -> list[str]:
    """Normalise a list of endpoints; see DOCUMENTATION."""
    from ..plugin_utils._chain import endpoints as chain_endpoints

    if not isinstance(entries, list | tuple):
        raise AnsibleFilterError(f"endpoints wants a list, and got {entries!r}; write it as a list.")
    try:
        return chain_endpoints.allow_list(entries)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"endpoints": endpoints}
