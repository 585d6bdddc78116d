#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: squid_config
short_description: Change the configuration of a running Squid, prove it, and take it back if the proof fails
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Stages the configuration beside the running one, lets Squid parse it, renames it into place, reloads Squid and proves
    that the proxy works. If the proof fails, the previous configuration comes back.
  - All of this is one task, so that a lost connection or a killed playbook cannot stop it half way.
  - The proof is that the service runs, every C(http_port) and C(https_port) answers, a CONNECT from an unknown source is
    refused by this very proxy, and one that carries the probe's token is not. The token is new with every change, so the
    proof passes only once the new file is live.
  - What worked upstream before the change and does not after it counts as a failed proof. An upstream that did not work
    before is reported as a warning.
  - The configuration that was proven before the last change stays beside the running one, with its users, as
    C(.previous), which only V(root) can read. O(state=previous) brings it back in the same way.
  - The hashes of what was proven last are beside it too, as C(.proven) (C(sha256sum --check)), so that a change by hand can be told.
options:
  state:
    description:
      - What the host shall have, V(present) for O(content), or V(previous) for what was live before the last change.
      - Going back twice is going back once. Where there is nothing to go back to, a warning says so.
      - The next change with V(present) goes on from there.
    type: str
    choices: [present, previous]
    default: present
  path:
    description: The configuration file. Squid's AppArmor profile reads nothing outside C(/etc/squid).
    type: path
    default: /etc/squid/squid.conf
  content:
    description:
      - The whole text of the configuration.
      - C(@@name@@) stands for the secret of that name in O(secrets), URL-escaped. C(@@probe-token@@) is filled by the module, and
        C(@@probe-mark@@) with what follows from it, by which a C(reply_header_add) of C(X-Proxy-Chaining-Refused) tells this proxy's own
        refusals from those of a parent that uses its name.
      - It must hold C(visible_hostname), and a C(req_header) ACL of C(X-Proxy-Chaining-Probe) with C(^@@probe-token@@$).
      - Required with O(state=present).
    type: str
  secrets:
    description: The values of the placeholders in O(content).
    type: dict
    default: {}
  users:
    description: Users of Basic authentication. Anybody else leaves the file.
    type: list
    elements: dict
    default: []
    suboptions:
      username:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Password of the user. It is kept as a salted hash, which changes only when the password does.
        type: str
        required: true
  kept_users:
    description: Users that stay in the file with the passwords that they have.
    type: list
    elements: str
    default: []
  users_path:
    description: The password file. It is not created while there are no O(users).
    type: path
    default: /etc/squid/users
  probe_endpoints:
    description: Endpoints that the configuration allows, to which the proof connects on port 443.
    type: list
    elements: str
    required: true
  worked:
    description:
      - Those of O(probe_endpoints) that were reached when the run began. They must be reached after the change, even if they
        have stopped working by now.
    type: list
    elements: str
    default: []
  phase:
    description:
      - V(whole) is a change that is complete in itself.
      - V(begin) is the first half of one that goes over several proxies. If the password of one of O(moving_users) changes, whoever
        has signed in lately may go on with the old one for ten minutes.
      - V(finish) is the second half. What was live before the first one stays what O(state=previous) brings back.
    type: str
    choices: [whole, begin, finish]
    default: whole
  moving_users:
    description: Users whose clients are given their new password later in the same run.
    type: list
    elements: str
    default: []
  new:
    description: Whether this run has installed Squid, so that a restart drops no tunnel that anybody would miss.
    type: bool
    default: false
  probe_timeout:
    description: Seconds to wait for an upstream answer.
    type: float
    default: 5
  reload_timeout:
    description: Seconds after a reload within which the proof must pass.
    type: float
    default: 20
  restart_timeout:
    description: Seconds after a start or restart within which the proof must pass.
    type: float
    default: 45
  service:
    description: Name of the systemd unit.
    type: str
    default: squid
  binary:
    description: Path of Squid.
    type: path
    default: /usr/sbin/squid
  group:
    description: Group that may read the files, which belong to V(root) and have mode V(0640).
    type: str
    default: proxy
attributes:
  check_mode:
    description: Says what would change. Where Squid is installed, the new configuration is validated too.
    support: full
  diff_mode:
    description: Shows the lines that come and go, never a secret.
    support: full
  idempotency:
    description: Nothing changes when the files are as wanted and the running proxy is the one that they describe.
    support: full
  platform:
    description: The systems that it runs on.
    support: full
    platforms: debian
notes:
  - A reload keeps every tunnel. RV(restart_reasons) names what a reload cannot do and a restart was made for.
"""

EXAMPLES = r"""
- name: Change the configuration
  ot_security.proxy_chaining.squid_config:
    content: "{{ lookup('ansible.builtin.template', 'squid.conf.j2') }}"
    secrets:
      parent-1: "{{ vault_parent_password }}"
    probe_endpoints:
      - download.microsoft.com

- name: Go back to what was live before
  ot_security.proxy_chaining.squid_config:
    state: previous
    probe_endpoints:
      - download.microsoft.com
"""

RETURN = r"""
action:
  description: What was done to the service.
  returned: always
  type: str
  sample: reload
restart_reasons:
  description: Directives whose change needed a restart.
  returned: always
  type: list
  elements: str
patient:
  description: Whether a user may go on with an old password until O(phase=finish).
  returned: always
  type: bool
replaced:
  description: Whether O(state=previous) brings back what was live before this change.
  returned: always
  type: bool
endpoints:
  description: The answer to a CONNECT to each of O(probe_endpoints) after the change, a status or an error.
  returned: always
  type: dict
  sample: {"download.microsoft.com": "200"}
"""

import signal
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._squid import text
from ..module_utils._squid.change import Change, ChangeError, Outcome, Wanted
from ..module_utils._squid.change_proof import Proof
from ..module_utils._squid.host import Host

PLACEHOLDER = f"@@{text.PROBE_TOKEN}@@"

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "previous"], "default": "present"},
    "path": {"type": "path", "default": "/etc/squid/squid.conf"},
    "content": {"type": "str"},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "users": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
        },
    },
    "kept_users": {"type": "list", "elements": "str", "default": []},
    "users_path": {"type": "path", "default": "/etc/squid/users"},
    "probe_endpoints": {"type": "list", "elements": "str", "required": True},
    "worked": {"type": "list", "elements": "str", "default": []},
    "phase": {"type": "str", "choices": ["whole", "begin", "finish"], "default": "whole"},
    "moving_users": {"type": "list", "elements": "str", "default": []},
    "new": {"type": "bool", "default": False},
    "probe_timeout": {"type": "float", "default": 5},
    "reload_timeout": {"type": "float", "default": 20},
    "restart_timeout": {"type": "float", "default": 45},
    "service": {"type": "str", "default": "squid"},
    "binary": {"type": "path", "default": "/usr/sbin/squid"},
    "group": {"type": "str", "default": "proxy"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS, required_if=[("state", "present", ["content"])], supports_check_mode=True
    )
    params = module.params
    if not params["probe_endpoints"]:
        module.fail_json(msg="probe_endpoints must not be empty; without an endpoint nothing could be proven.")
    content = params["content"] or ""
    provable = text.visible_hostname(content) and text.token_of(content.replace(PLACEHOLDER, "0" * 32))
    if params["state"] == "present" and not provable:
        module.fail_json(
            msg=f"content must set visible_hostname and have a line 'acl NAME req_header {text.PROBE_HEADER} "
            f"^{PLACEHOLDER}$'; without them nothing could be proven."
        )
    # A connection that breaks must not stop the sequence between swap and proof.
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    try:
        outcome = _change(module).run(module.check_mode)
    except ChangeError as error:
        module.fail_json(msg=f"{params['path']}: {error}")
    except (OSError, KeyError) as error:
        module.fail_json(msg=f"{params['path']}: could not be changed on this host: {error}; see that it runs as root.")
    if outcome.restart_reasons and not params["new"]:
        will = "would be" if module.check_mode else "was"
        reasons = ", ".join(outcome.restart_reasons)
        module.warn(f"Squid {will} restarted, which drops every tunnel: a reload cannot change {reasons}.")
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(**_result(outcome, params["path"]))


def _change(module: AnsibleModule) -> Change:
    params = module.params
    host = Host(
        partial(module.run_command, handle_exceptions=False), params["binary"], params["service"], params["group"]
    )
    proof = Proof(host, params["probe_endpoints"], params["probe_timeout"])
    wanted = Wanted(
        path=params["path"],
        content=params["content"] or "",
        secrets={str(name): str(value) for name, value in params["secrets"].items() if value is not None},
        users_path=params["users_path"],
        users={user["username"]: user["password"] for user in params["users"]},
        reload_timeout=params["reload_timeout"],
        restart_timeout=params["restart_timeout"],
        previous=params["state"] == "previous",
        kept_users=params["kept_users"],
        worked=params["worked"],
        phase=params["phase"],
        moving_users=params["moving_users"],
    )
    return Change(host, proof, wanted)


def _result(outcome: Outcome, path: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "changed": outcome.changed,
        "action": outcome.action,
        "restart_reasons": outcome.restart_reasons,
        "patient": outcome.patient,
        "replaced": outcome.replaced,
        "endpoints": outcome.endpoints,
    }
    if outcome.before or outcome.after:
        result["diff"] = {
            "before": outcome.before,
            "after": outcome.after,
            "before_header": path,
            "after_header": path,
        }
    return result


if __name__ == "__main__":
    main()
