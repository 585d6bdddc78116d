#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: squid_info
short_description: Say what a host has of Squid, and what its running proxy reaches
version_added: 0.2.0
author:
  - ot_security contributors (@ot-security)
description:
  - Reads in one look what the role P(ot_security.proxy_chaining.squid#role) decides by, and asks the running proxy for the endpoints of
    the probe, so that a later run can say what no longer works.
options:
  path:
    description: The configuration file.
    type: path
    default: /etc/squid/squid.conf
  files:
    description: Further files to look at.
    type: list
    elements: path
    default: []
  probe_endpoints:
    description: Endpoints to ask the running proxy for, on port 443, if its configuration is one of this collection.
    type: list
    elements: str
    default: []
  expected:
    description:
      - Those of O(probe_endpoints) that were reached before. They are asked for again and again for as long as Squid may take to find its
        next hops after a change, 20 seconds.
    type: list
    elements: str
    default: []
  probe_timeout:
    description: Seconds to wait for an answer.
    type: float
    default: 5
  days:
    description: How many days of the access log are read for who used the proxy, and whether connections are counted. V(0) is neither.
    type: int
    default: 0
  log:
    description: The access log, in the role's format.
    type: path
    default: /var/log/squid/access.log
attributes:
  platform:
    description: The systems that it runs on.
    support: full
    platforms: debian
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
"""

EXAMPLES = r"""
- name: Look at the proxy
  ot_security.proxy_chaining.squid_info:
    probe_endpoints:
      - download.microsoft.com
  register: proxy
"""

RETURN = r"""
release:
  description: Distribution and release.
  returned: always
  type: str
  sample: Debian 12
packages:
  description: Those installed of C(squid), C(squid-openssl) and C(python3-apt).
  returned: always
  type: list
  elements: str
diversions:
  description: Files of Squid's that dpkg leaves alone.
  returned: always
  type: list
  elements: str
enabled:
  description: Whether the service starts after a reboot.
  returned: always
  type: bool
watches_parents:
  description: Whether the role's service that looks up the names of parents runs, and starts after a reboot.
  returned: always
  type: bool
has_ufw_rules:
  description: Whether ufw has rules of the role.
  returned: always
  type: bool
has_apparmor_rules:
  description: Whether AppArmor's profile of Squid has the role's lines.
  returned: always
  type: bool
files:
  description: Mode, owner, group and SHA-256 hash of those of O(files) that exist.
  returned: always
  type: dict
configuration:
  description: The text of the configuration, if it is one of this collection, without its secrets.
  returned: always
  type: str
by_hand:
  description: The text of a configuration that is not of this collection, with nothing that may be a password.
  returned: always
  type: str
open:
  description: With O(days), the connections to its listeners that are open now, counted by the address that they come from.
  returned: always
  type: dict
seen:
  description:
    - With O(days), for each address that got a tunnel its endpoints, each with C(last), the time, and C(tunnels), how many have ended.
      1,000 of each address count, since who asks chooses the names.
  returned: always
  type: dict
listeners:
  description: Its listeners, each with C(address), C(port) and C(tls), whose addresses this host still has.
  returned: always
  type: list
  elements: dict
endpoints:
  description: The answer to a CONNECT to each of O(probe_endpoints), a status or an error. Empty without such a configuration.
  returned: always
  type: dict
  sample: {"download.microsoft.com": "200"}
reached:
  description: Those of RV(endpoints) that answered with 200.
  returned: always
  type: list
  elements: str
"""

from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._probe.connect import Answer
from ..module_utils._squid import evidence, state, text
from ..module_utils._squid.change_proof import Proof
from ..module_utils._squid.clients import KERNEL_TABLES
from ..module_utils._squid.host import Host

WATCH = "ot-proxy-parents"
"""The service of the role that watches the names of parents."""

LOG_BYTES = 50_000_000
MOST_NAMES = 1000

PATIENCE = 20.0
"""Seconds within which what is expected must be reached; as long as squid_config gives a reload."""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/etc/squid/squid.conf"},
            "files": {"type": "list", "elements": "path", "default": []},
            "probe_endpoints": {"type": "list", "elements": "str", "default": []},
            "expected": {"type": "list", "elements": "str", "default": []},
            "probe_timeout": {"type": "float", "default": 5},
            "days": {"type": "int", "default": 0},
            "log": {"type": "path", "default": "/var/log/squid/access.log"},
        },
        supports_check_mode=True,
    )
    given = module.params
    run = partial(module.run_command, handle_exceptions=False)
    host = Host(run, "/usr/sbin/squid", "squid", "proxy")
    try:
        config = host.read(given["path"]) or ""
        ours = config if config.startswith(text.OWNED_MARK) and text.token_of(config) else ""
        ports = [listener.port for listener in text.bound(config)] if given["days"] else []
        # Before this module asks for anything itself.
        opened = evidence.open_connections(KERNEL_TABLES, ports)
        proof = Proof(host, given["probe_endpoints"], given["probe_timeout"])
        if ours:
            proof.lost({endpoint: Answer(200) for endpoint in given["expected"]}, ours, PATIENCE)
        answers = proof.upstream(ours) if ours else {}
        module.exit_json(
            changed=False,
            release=state.release(Path("/etc/os-release").read_text(encoding="utf-8")),
            packages=state.packages(run),
            diversions=state.diversions(run),
            enabled=state.is_enabled(run),
            watches_parents=state.is_enabled(run, WATCH) and state.is_active(run, WATCH),
            has_ufw_rules=state.has_ufw_rules(),
            has_apparmor_rules=state.has_apparmor_rules(),
            files=state.files(given["files"]),
            configuration=text.showable(ours),
            by_hand="" if ours else text.showable(config),
            open=opened,
            seen=_seen(Path(given["log"]), given["days"]) if given["days"] else {},
            listeners=[vars(each) for each in text.bound(ours) if state.is_here(each)],
            endpoints={endpoint: str(answer) for endpoint, answer in answers.items()},
            reached=[endpoint for endpoint, answer in answers.items() if answer.status == 200],
        )
    except (OSError, ValueError) as error:
        module.fail_json(
            msg=f"this host could not be looked at: {error}; see that it runs as root, on Debian or Ubuntu."
        )


def _seen(log: Path, days: int) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for entry in evidence.entries(log, LOG_BYTES, datetime.now(timezone.utc) - timedelta(days=days)):
        used = found.setdefault(entry.client, {}) if entry.passed else {}
        if entry.passed and (entry.host in used or len(used) < MOST_NAMES):
            tunnels = used.get(entry.host, {}).get("tunnels", 0) + 1
            used[entry.host] = {"last": entry.time.isoformat(timespec="minutes"), "tunnels": tunnels}
    return found


if __name__ == "__main__":
    main()
