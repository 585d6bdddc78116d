#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_lock
short_description: See that one run at a time changes the proxies
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Takes the lock of a proxy's host for this run of Ansible, and gives it back. Whoever does not get it is told who has it.
  - A lock that is not taken again ends after 30 minutes, or with the host's uptime, so that a run that was killed keeps nobody out.
  - In check mode no lock is taken.
  - V(judged) runs on the controller. It fails with one sentence if another run has a lock of one of O(hosts), or, with O(topology), if
    one of them admits somebody whom the inventory does not have and nobody has declared gone, or, where the role's C(squid_growth_gate)
    is on, if access grows that C(squid_declared_growth) does not name.
  - The role P(ot_security.proxy_chaining.squid#role) uses it.
options:
  state:
    description: What to do. The results of V(held) must be registered as C(__squid_lock) for V(judged).
    type: str
    choices: [held, judged, free]
    required: true
  path:
    description: The lock's file.
    type: path
    default: /run/ot-proxy.lock
  break_lock:
    description: Whether the lock is taken from whoever has it, since that run is known to be dead.
    type: bool
    default: false
  hosts:
    description: The hosts whose locks were taken. Only for O(state=judged).
    type: list
    elements: str
    default: []
  topology:
    description: What M(ot_security.proxy_chaining.topology) returned. Only for O(state=judged).
    type: dict
  run:
    description: What no other run has. Filled in.
    type: str
  holder:
    description: The run, for people. In AWX the job, its template and who has launched it. Filled in.
    type: str
attributes:
  check_mode:
    description: It takes nothing and refuses nobody.
    support: full
  diff_mode:
    description: A lock is no change.
    support: none
  platform:
    description: The systems that it runs on.
    support: full
    platforms: debian
"""

EXAMPLES = r"""
- name: Take the lock
  ot_security.proxy_chaining.proxy_lock:
    state: held
  register: __squid_lock
  failed_when: false

- name: Refuse to begin where another run is at work
  ot_security.proxy_chaining.proxy_lock:
    state: judged
    hosts: "{{ ansible_play_hosts_all }}"
  run_once: true
"""

RETURN = r"""
refused:
  description: Whether the run may not begin.
  returned: with O(state=judged)
  type: bool
held_by:
  description: Who has the lock; empty where it is this run.
  returned: with O(state=held)
  type: str
  sample: AWX job 42 (Deploy proxies), launched by alice,
since:
  description: Since when.
  returned: with RV(held_by)
  type: str
  sample: 10:40 UTC
ends:
  description: When it ends if it is not taken again.
  returned: with RV(held_by)
  type: str
  sample: 11:10 UTC
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._squid import lock


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["held", "judged", "free"], "required": True},
            "path": {"type": "path", "default": "/run/ot-proxy.lock"},
            "break_lock": {"type": "bool", "default": False},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "topology": {"type": "dict"},
            "run": {"type": "str"},
            "holder": {"type": "str"},
        },
        required_if=[("state", "held", ["run", "holder"]), ("state", "free", ["run"])],
        supports_check_mode=True,
    )
    given, held = module.params, None
    try:
        if given["state"] == "held":
            held = lock.take(given["path"], given["run"], given["holder"], break_lock=given["break_lock"])
        else:
            lock.give_back(given["path"], given["run"])
    except OSError as error:
        module.fail_json(msg=f"{given['path']}: could not be locked on this host: {error}; see that it runs as root.")
    found = {"held_by": held["holder"], "since": held["since"], "ends": lock.ends(held)} if held else {"held_by": ""}
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
