#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chain_report
short_description: Judge every sensor's path, and write the report
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Judges every path from what the role P(ot_security.proxy_chaining.chain_verify#role) registered on each proxy, compares with the report
    that is in the folder, and writes the new one. Its steps after that show the table and fail when a path is not proven.
  - It reads what was registered as it is, since names and messages in it were chosen by hosts, endpoints and sensors, and must not
    pass through a template.
  - It runs on the controller and connects to no host. That role uses it; it is of no use without what the role registers.
options:
  step:
    description:
      - V(judge) judges, and writes the report. Register it as C(chain_verify_results).
      - V(show) shows the lines of C(chain_verify_results). V(prove) fails when a path in it is not proven, or RV(unknown) is not empty.
      - V(history) fails with what is missing or was exchanged among the results that are kept in O(report_dir).
      - V(index) writes C(index.html) over the reports that are in the folders of O(report_dir). It needs nothing that
        was registered, nor does V(history).
    type: str
    choices: [judge, show, prove, history, index]
    required: true
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned in the same run. Only for O(step=judge).
    type: dict
  report_dir:
    description:
      - The folder that the report is written to. Empty for none. With O(step=index) the folder that has a folder for each site.
    type: str
  site:
    description: The site's name. Empty for the name of the inventory in AWX, or of the folder that it is in. Only for O(step=judge).
    type: str
  history:
    description: How many results are kept. Only for O(step=judge).
    type: int
  signing_key:
    description: The key of OpenSSH that signs page and results. Empty for none. Only for O(step=judge).
    type: str
attributes:
  check_mode:
    description: It does the same, since it changes no host.
    support: full
  diff_mode:
    description: It changes no host.
    support: none
"""

EXAMPLES = r"""
- name: Judge every path, and write the report
  ot_security.proxy_chaining.chain_report:
    step: judge
    topology: "{{ topology_result }}"
    report_dir: /srv/chain-report
    site: plant-a
    history: 30
    signing_key: ""
  register: chain_verify_results

- name: Show every sensor's path
  ot_security.proxy_chaining.chain_report:
    step: show

- name: See that none of the results that are kept is missing or was exchanged
  ot_security.proxy_chaining.chain_report:
    step: history
    report_dir: /srv/chain-report

- name: Write one page over the reports of many sites
  ot_security.proxy_chaining.chain_report:
    step: index
    report_dir: /srv/reports
"""

RETURN = r"""
format:
  description: Number of the format of the results, which are all but RV(lines), without secrets, as C(results.json) has them.
  type: int
  returned: with O(step=judge), as all others
time:
  description: When the paths were judged, in UTC (ISO 8601).
  type: str
  returned: with O(step=judge)
verdict:
  description: The worst of the sensors, of V(ok), V(degraded), V(unknown) and V(broken).
  type: str
  returned: with O(step=judge)
counts:
  description: Number of sensors by verdict.
  type: dict
  returned: with O(step=judge)
never_seen:
  description: Number of sensors of whose own traffic their first hop knows nothing, whatever their verdict.
  type: int
  returned: with O(step=judge)
proxies:
  description:
    - For each proxy its C(kind), C(tier), C(address) and C(port), and of the inventory's the version of C(squid) and the
      C(config_sha256) of its C(squid.conf) without secrets, null where its host was not asked.
  type: dict
  returned: with O(step=judge)
links:
  description:
    - Each link once, with C(source), C(target), C(kind), C(preferred), C(verdict), C(reason) and, in C(endpoints), what
      P(ot_security.proxy_chaining.proxy_path_info#module) returned, and C(tunnel) if it goes through one.
  type: list
  elements: dict
  returned: with O(step=judge)
sensors:
  description:
    - Each sensor with C(name), C(addresses), C(path), C(verdict), C(since), C(stage), C(hop), C(reason), C(endpoints) that
      fail, C(evidence) from its first hop (P(ot_security.proxy_chaining.proxy_client_info#module)) and C(cloud),
      C(tunnel) if one leads to its first hop, and in C(trend) the first letters of its verdicts in the last reports.
  type: list
  elements: dict
  returned: with O(step=judge)
changes:
  description:
    - For each sensor whose verdict or path changed C(sensor), and the verdicts C(before) and C(after). C(before) is null for a
      new sensor, C(after) for one that is gone.
    - Where the path changed also C(before_path) and C(after_path), each the names of the proxies on it.
  type: list
  elements: dict
  returned: with O(step=judge)
setup_changes:
  description:
    - What else changed, each with C(what) (V(proxy), V(configuration), V(squid), V(endpoints), V(inventory), V(collection) or
      V(ansible-core)), the C(subject) that it is of, C(before) and C(after).
  type: list
  elements: dict
  returned: with O(step=judge)
trend:
  description: C(time) and C(counts) of the last reports, this one at the end.
  type: list
  elements: dict
  returned: with O(step=judge)
run:
  description:
    - Who verified, when and with what, C(site), C(by), C(controller), C(job), C(began), C(seconds), C(collection), C(ansible_core) and, in
      C(inventories), C(path), C(revision) and C(modified) of each, both null where it is not in git, and C(modified_files). How it was
      started is C(playbooks), C(limit) and the names of C(extra_vars).
  type: dict
  returned: with O(step=judge)
previous:
  description: Time of the earlier report; null for none.
  type: str
  returned: with O(step=judge)
plan:
  description: C(time) and C(sentences) of what the playbook C(plan) said last, if it wrote that into the report's folder.
  type: dict
  returned: with O(step=judge), where there is one
previous_sha256:
  description: SHA-256 of the earlier report's C(results.json); null for none.
  type: str
  returned: with O(step=judge)
previous_problem:
  description: Why an earlier report was not used; null otherwise.
  type: str
  returned: with O(step=judge)
unknown:
  description: A sentence that names whom a proxy admits although the inventory has nobody of that name or address. Empty for nobody.
  type: str
  returned: with O(step=judge)
lines:
  description: The table for a terminal.
  type: list
  elements: str
  returned: with O(step=judge)
"""
