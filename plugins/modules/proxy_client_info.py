#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_client_info
short_description: Read what a proxy knows of its clients
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - For each client of the proxy on this host, reads the line of the deployed C(squid.conf) that decides on its CONNECTs, its own
    CONNECTs in the access log, and how many connections it has open now.
  - That is evidence of real traffic, which a probe of ours is not. Squid writes a CONNECT into the log when its tunnel ends, so a
    sensor that holds one for days is seen by RV(clients[].open) only.
requirements:
  - Python 3.10 or later on the host on which it runs, and nothing more
options:
  clients:
    description: The clients.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the client is called in the result.
        type: str
        required: true
      addresses:
        description: Its addresses, as this proxy sees them.
        type: list
        elements: str
        required: true
      username:
        description: The user that it signs in as, where it does.
        type: str
      previous_username:
        description: The user that it signs in as until it is given O(clients[].username), during a rotation.
        type: str
  endpoint:
    description: The endpoint, as C(host) or C(host:port), for which the deciding line is looked up.
    type: str
    default: download.microsoft.com
  config_path:
    description: The configuration that the role P(ot_security.proxy_chaining.squid#role) deployed.
    type: path
    default: /etc/squid/squid.conf
  users_path:
    description: The file of users beside it.
    type: path
    default: /etc/squid/users
  log_path:
    description:
      - The access log; what was rotated away is read too. Without one nothing is known; one that cannot be read is an error.
    type: path
    default: /var/log/squid/access.log
  log_bytes:
    description: How many bytes of the log are read, from its end.
    type: int
    default: 16777216
  since:
    description: How many minutes back a CONNECT counts.
    type: int
    default: 1440
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
seealso:
  - module: ot_security.proxy_chaining.proxy_path_info
"""

EXAMPLES = r"""
- name: See whether a sensor's own traffic passes
  ot_security.proxy_chaining.proxy_client_info:
    clients:
      - name: sensor1
        addresses: [10.100.100.1]
  become: true
"""

RETURN = r"""
clients:
  description: What is known of each client, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The client.
      type: str
    rule:
      description: The line that decides on a CONNECT to O(endpoint); V(null) when the configuration is not this collection's.
      type: dict
      contains:
        action:
          description: V(allow), V(deny), or V(challenge) where it needs a user that is not given.
          type: str
        line:
          description: Its number.
          type: int
        text:
          description: Its text.
          type: str
    last:
      description: Its last CONNECT in the log, with C(time), C(endpoint), C(port), C(status) and C(result); V(null) without one.
      type: dict
    last_ok:
      description: The last one that got its tunnel, likewise.
      type: dict
    refused_since_change:
      description:
        - The last one that this proxy itself refused (403 or 407) to an endpoint that the configuration allows, after the
          configuration and its users were last changed. V(null) without one, when one passed later, or when a connection is open.
      type: dict
    count:
      description: How many CONNECTs the log has.
      type: int
    refused:
      description: How many of them did not get a tunnel.
      type: int
    open:
      description: How many connections it has open now.
      type: int
rules_problem:
  description: Why the lines of the configuration could not be followed, which is a warning too; V(null) when they could.
  returned: success
  type: str
"""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._probe import walk_all
from ..module_utils._squid import clients as squid_clients

CLIENT = {
    "name": {"type": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "required": True},
    "username": {"type": "str"},
    "previous_username": {"type": "str"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "clients": {"type": "list", "elements": "dict", "required": True, "options": CLIENT},
            "endpoint": {"type": "str", "default": "download.microsoft.com"},
            "config_path": {"type": "path", "default": "/etc/squid/squid.conf"},
            "users_path": {"type": "path", "default": "/etc/squid/users"},
            "log_path": {"type": "path", "default": "/var/log/squid/access.log"},
            "log_bytes": {"type": "int", "default": 16 * 1024 * 1024},
            "since": {"type": "int", "default": 1440},
        },
        supports_check_mode=True,
    )
    given = module.params
    for name in ("log_bytes", "since"):
        if given[name] < 0:
            module.fail_json(msg=f"{name} is {given[name]}; give 0 or more.")
    try:
        host, port = walk_all.split(given["endpoint"])
        proxy = squid_clients.ProxyHost(
            config=Path(given["config_path"]),
            users=Path(given["users_path"]),
            log=Path(given["log_path"]),
            log_bytes=given["log_bytes"],
            since=datetime.now(timezone.utc) - timedelta(minutes=given["since"]),
        )
        clients = proxy.look_up(given["clients"], host, port)
    except ValueError as error:
        module.fail_json(msg=f"{error}.")
    if proxy.rules_problem:
        module.warn(f"{proxy.rules_problem}; so nobody can tell whether a refusal in the log is right.")
    module.exit_json(changed=False, clients=clients, rules_problem=proxy.rules_problem)


if __name__ == "__main__":
    main()
