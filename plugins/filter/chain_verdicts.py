# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: chain_verdicts
short_description: Judge every sensor's path from what the proxies' hosts found
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Takes what P(ot_security.proxy_chaining.chain_verify#role) registered on each proxy and names, for each sensor, the link that
    is to blame when its path is broken. That is the outermost one that is broken, since all farther in break with it.
positional: _input, hostvars, time
options:
  _input:
    description: The topology.
    type: dict
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  time:
    description: When the walk ended, in UTC (ISO 8601).
    type: str
    required: true
  cloud:
    description: What the cloud says of each sensor, as rows with C(name), C(status) and C(time).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Judge
  ansible.builtin.debug:
    msg: "{{ topology_graph | ot_security.proxy_chaining.chain_verdicts(hostvars, '2026-11-24T10:40:00+00:00') }}"
"""

RETURN = r"""
_value:
  description: The results, plain and without secrets, as they are written to C(results.json).
  type: dict
  contains:
    format:
      description: Number of this format.
      type: int
    time:
      description: When the walk ended.
      type: str
    verdict:
      description: The worst of the sensors, of V(ok), V(degraded), V(unknown) and V(broken).
      type: str
    counts:
      description: Number of sensors by verdict.
      type: dict
    never_seen:
      description: Number of sensors of whose own traffic their first hop knows nothing, whatever their verdict.
      type: int
    proxies:
      description: For each proxy its C(kind), C(tier), C(address) and C(port).
      type: dict
    links:
      description:
        - Each link once, with C(source), C(target), C(kind), C(preferred), C(verdict), C(reason) and, in C(endpoints), what
          P(ot_security.proxy_chaining.proxy_path_info#module) returned, and C(tunnel) if it goes through one.
      type: list
      elements: dict
    sensors:
      description:
        - Each sensor with C(name), C(addresses), C(path), C(verdict), C(since), C(stage), C(hop), C(reason), C(endpoints) that
          fail, C(evidence) from its first hop (P(ot_security.proxy_chaining.proxy_client_info#module)) and C(cloud),
          and C(tunnel) if one leads to its first hop.
      type: list
      elements: dict
    changes:
      description: Empty; P(ot_security.proxy_chaining.verdict_changes#filter) fills it.
      type: list
      elements: dict
    previous:
      description: V(null), likewise.
      type: str
"""


def chain_verdicts(
    graph: Mapping[str, Any],
    hostvars: Mapping[str, Any],
    time: str,
    cloud: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Judge; see DOCUMENTATION."""
    from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _found, _verdict

    reports = {
        proxy: _found.report_of(hostvars, proxy)
        if entry["kind"] == "host"
        else _verdict.Report(problem="it is a scale set in Azure")
        for proxy, entry in graph["proxies"].items()
    }
    words = {row["name"]: {"status": row["status"], "time": row["time"]} for row in cloud or []}
    return _verdict.judge(graph, reports, time, words)


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"chain_verdicts": chain_verdicts}
