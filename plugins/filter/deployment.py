# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

DOCUMENTATION = r"""
name: deployment
short_description: How a run over all proxies stands
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Says from what the role P(ot_security.proxy_chaining.squid#role) registered on each host who may be changed, who has changed, what no
    longer works, and who has arrived where the inventory has it.
positional: _input, hostvars
options:
  _input:
    description: What M(ot_security.proxy_chaining.topology) returned.
    type: dict
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  before_tier:
    description: The tier whose turn it is. By default all have had theirs.
    type: int
  sensors:
    description: Whether the sensors have been pushed, and may have arrived.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what went wrong
  ansible.builtin.debug:
    msg: "{{ (topology_result | ot_security.proxy_chaining.deployment(hostvars)).problems }}"
"""

RETURN = r"""
_value:
  description: The state of the run.
  type: dict
  contains:
    problems:
      description: For each proxy that was not brought to its state, a sentence.
      type: dict
    changed:
      description: Names of the proxies that have changed, and can go back.
      type: list
      elements: str
    lost:
      description: For each proxy the endpoints that it reached when the run began and does not any more.
      type: dict
    arrived:
      description: Names of the proxies and sensors that are known to be where the inventory has them.
      type: list
      elements: str
    finish:
      description: Names of the proxies that keep something for somebody who has arrived elsewhere.
      type: list
      elements: str
    left_over:
      description: Who is kept by whom, one sentence each.
      type: list
      elements: str
    verdicts:
      description: For each proxy that has not ended well, a sentence.
      type: dict
    ready:
      description: Names of the proxies that are as the inventory has them, so that sensors may be sent to them.
      type: list
      elements: str
    rotating:
      description: With O(sensors), names of the sensors that have a previous user.
      type: list
      elements: str
    left_behind:
      description: With O(sensors), those of them that were not seen to reach the cloud as their new user.
      type: list
      elements: str
"""


def deployment(
    topology: Mapping[str, Any], hostvars: Mapping[str, Any], before_tier: int | None = None, sensors: bool = False
) -> dict[str, Any]:
    """Say how the run stands; see DOCUMENTATION."""
    from ..plugin_utils._chain import deployment as chain_deployment
    from ..plugin_utils._chain import graph_file

    graph = graph_file.read(topology, sensors=sensors)
    return asdict(chain_deployment.deployment(graph, hostvars, before_tier=before_tier, sensors=sensors))


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"deployment": deployment}
