# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: explain
short_description: Say whether a sensor may reach an endpoint, and by which line on which hop
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Follows a sensor's path through the topology and looks up, in the configuration of each proxy, the C(http_access) line that decides.
positional: _input, configs, sensor, endpoint
options:
  _input:
    description: The topology.
    type: dict
    required: true
  configs:
    description: The text of C(squid.conf) of each inventory proxy on the path, by its name.
    type: dict
    required: true
  sensor:
    description: Name of the sensor.
    type: str
    required: true
  endpoint:
    description: The endpoint, as C(host) or C(host:port).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Explain
  ansible.builtin.debug:
    msg: "{{ (topology_graph | ot_security.proxy_chaining.explain(configs, 'sensor1', 'hub.azure-devices.net')).lines }}"
"""

RETURN = r"""
_value:
  description: The answer.
  type: dict
  contains:
    allowed:
      description: Whether it may, as far as the inventory knows; another team's proxy may still refuse.
      type: bool
    lines:
      description: The answer for people, a line for each hop.
      type: list
      elements: str
"""


def explain(graph: Mapping[str, Any], configs: Mapping[str, str], sensor: str, endpoint: str) -> dict[str, Any]:
    """Explain; see DOCUMENTATION."""
    from ..module_utils._probe import paths
    from ..plugin_utils._chain import explain as chain_explain

    try:
        answer = chain_explain.explain(graph, configs, sensor, *paths.split(endpoint))
    except ValueError as error:
        raise AnsibleFilterError(f"{error}.") from error
    return {"allowed": answer.allowed, "lines": answer.lines()}


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"explain": explain}
