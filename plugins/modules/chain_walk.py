#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chain_walk
short_description: Walk every link that a proxy's host can see, and read what the proxy knows of its sensors
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Walks through the proxy on this host, and around it to each of its next hops, to each endpoint, as
    M(ot_security.proxy_chaining.proxy_path_info) does, and reads of each of its sensors what
    M(ot_security.proxy_chaining.proxy_client_info) reads, all in one go.
  - Which walks and sensors there are is taken from the topology that M(ot_security.proxy_chaining.topology) derived in the same run, and
    the passwords of parents from the inventory.
  - The role P(ot_security.proxy_chaining.chain_verify#role) uses it.
requirements:
  - Python 3.10 or later on the host on which it runs, and nothing more
options:
  endpoints:
    description: The endpoints, each as C(host) or C(host:port).
    type: list
    elements: str
    required: true
  ca_path:
    description: A file of CA certificates, on the host, that sign those of the endpoints. By default the system's.
    type: str
    default: ""
  authorities:
    description: Who may issue the endpoints' certificates. By default whoever is trusted.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for each stage of a walk.
    type: float
    default: 5.0
  parallel:
    description: How many endpoints are walked to at once.
    type: int
    default: 8
  log_minutes:
    description: How many minutes back a sensor's CONNECT counts.
    type: int
    default: 1440
  walks:
    description: The walks. Filled in from the topology.
    type: list
    elements: dict
    default: []
  passwords:
    description: The password for each parent that has a user, by its name in squid.conf. Filled in from the inventory.
    type: dict
    default: {}
  clients:
    description: The sensors. Filled in from the topology.
    type: list
    elements: dict
    default: []
  shared:
    description: The addresses that this host shares with the others of its pair. Filled in from the topology.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
seealso:
  - module: ot_security.proxy_chaining.proxy_path_info
  - module: ot_security.proxy_chaining.proxy_client_info
"""

EXAMPLES = r"""
- name: Walk every link
  ot_security.proxy_chaining.chain_walk:
    endpoints: [hub.azure-devices.net]
  become: true
"""

RETURN = r"""
walks:
  description:
    - Each walk with C(kind) (V(self), V(parent) or V(direct)), C(target) and C(parent), and in C(endpoints) what
      M(ot_security.proxy_chaining.proxy_path_info) returns, or in C(msg) why there is nothing.
  returned: success
  type: list
  elements: dict
clients:
  description: What M(ot_security.proxy_chaining.proxy_client_info) returns.
  returned: success, unless RV(clients_problem)
  type: list
  elements: dict
holds:
  description: Those of O(shared) that are at this host now.
  returned: success
  type: list
  elements: str
holds_since:
  description: Since when it has them, by keepalived's own word in the journal (ISO 8601); empty where it has none, or that is not known.
  returned: success
  type: str
  sample: "2026-11-24T10:38:27+00:00"
others:
  description: ACL name and addresses of each client that the running configuration admits and that is none of O(clients).
  returned: success
  type: list
  elements: list
learns_until:
  description: The last day on which the running configuration lets clients reach any name (C(squid_learn_until)); empty where it does not.
  returned: success
  type: str
clients_problem:
  description: Why nothing is known of the sensors; V(null) otherwise.
  returned: success
  type: str
squid_version:
  description: The version of the Squid that is installed; empty where there is none.
  returned: success
  type: str
  sample: "6.13"
config_sha256:
  description:
    - SHA-256 of C(squid.conf) as M(ot_security.proxy_chaining.squid_info) shows it, without its secrets. Whoever knows the rest of the file
      could try passwords against a hash that covers one. Empty where the file cannot be read.
  returned: success
  type: str
"""

import hashlib
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._probe import connect, walk_all
from ..module_utils._squid import text
from ..module_utils._squid.clients import ProxyHost
from ..module_utils._squid.hops import hops_of

FOLDER = Path("/etc/squid")
LOG = Path("/var/log/squid/access.log")
SQUID = "/usr/sbin/squid"
_LOG_BYTES = 16 * 1024 * 1024


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "ca_path": {"type": "str", "default": ""},
            "authorities": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 5.0},
            "parallel": {"type": "int", "default": 8},
            "log_minutes": {"type": "int", "default": 1440},
            "walks": {"type": "list", "elements": "dict", "default": []},
            "passwords": {"type": "dict", "default": {}, "no_log": True},
            "clients": {"type": "list", "elements": "dict", "default": []},
            "shared": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    walks = [_walk(given, walk) for walk in given["walks"]]
    clients, others, problem = [], [], None
    try:
        proxy = ProxyHost(
            config=FOLDER / "squid.conf",
            users=FOLDER / "users",
            log=LOG,
            log_bytes=_LOG_BYTES,
            since=datetime.now(timezone.utc) - timedelta(minutes=given["log_minutes"]),
        )
        clients = proxy.look_up(given["clients"], *walk_all.split(given["endpoints"][0]))
        others = proxy.others(given["clients"])
    except ValueError as error:
        problem = f"{error}."
    else:
        if proxy.rules_problem:
            module.warn(f"{proxy.rules_problem}; so nobody can tell whether a refusal in the log is right.")
    config = _config(FOLDER / "squid.conf")
    holds = [address for address in given["shared"] if connect.is_here(address)]
    module.exit_json(
        changed=False,
        walks=walks,
        clients=clients,
        others=others,
        clients_problem=problem,
        learns_until=text.learns_until(config),
        squid_version=_version(module),
        config_sha256=_config_sha256(config),
        holds=holds,
        holds_since=_serves_since(module) if holds else "",
    )


def _serves_since(module: AnsibleModule) -> str:
    asked = ["journalctl", "--unit=keepalived", "--grep=Entering MASTER STATE", "--lines=1", "--output=json", "--quiet"]
    try:
        _code, out, _err = module.run_command(asked, handle_exceptions=False)
        microseconds = int(json.loads(out)["__REALTIME_TIMESTAMP"])
    except (OSError, ValueError):
        return ""
    return datetime.fromtimestamp(microseconds // 1_000_000, timezone.utc).isoformat()


def _version(module: AnsibleModule) -> str:
    try:
        _code, out, _err = module.run_command([SQUID, "-v"], handle_exceptions=False)
    except OSError:
        return ""
    found = re.match(r"Squid Cache: Version (\S+)", out)
    return found[1] if found else ""


def _config(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _config_sha256(content: str) -> str:
    return hashlib.sha256(text.showable(content).encode("utf-8", "surrogateescape")).hexdigest() if content else ""


def _walk(given: dict[str, Any], walk: dict[str, Any]) -> dict[str, Any]:
    first, others = walk["hops"][:1], walk["hops"][1:]
    if walk["parent"] in given["passwords"]:
        first = [{**first[0], "password": given["passwords"][walk["parent"]]}]
    which = {key: walk[key] for key in ("kind", "target", "parent")}
    try:
        probes = walk_all.walk_all(
            hops_of(first + others, str(FOLDER / "squid.conf") if walk["kind"] == "self" else None),
            [walk_all.split(endpoint) for endpoint in given["endpoints"]],
            ca_path=given["ca_path"],
            authorities=given["authorities"],
            timeout=given["timeout"],
            parallel=given["parallel"],
        )
    except ValueError as error:
        return {**which, "msg": f"{error}."}
    return {**which, "endpoints": [probe.as_result() for probe in probes]}


if __name__ == "__main__":
    main()
