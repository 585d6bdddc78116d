#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sensor_proxy_info
short_description: Read a sensor's proxy settings from its console
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Reads the proxy settings of an OT network sensor, its software version, and its own word on whether it reaches the cloud.
extends_documentation_fragment:
  - ot_security.proxy_chaining.read_only
  - ot_security.proxy_chaining.sensor_console
seealso:
  - module: ot_security.proxy_chaining.sensor_proxy
"""

EXAMPLES = r"""
- name: Read a sensor's proxy settings
  ot_security.proxy_chaining.sensor_proxy_info:
    console_url: https://192.0.2.10
    console_username: admin
    console_password: "{{ vault_console_password }}"
    fingerprint: "{{ sensor_proxy_fingerprint }}"
  delegate_to: localhost
"""

RETURN = r"""
settings:
  description: The proxy settings that are stored.
  returned: success
  type: dict
  contains:
    enabled:
      description: Whether the proxy is on.
      type: bool
    host:
      description: The proxy's address.
      type: str
    port:
      description: The proxy's port.
      type: int
    username:
      description: The user that the sensor signs in with.
      type: str
    password_set:
      description: Whether a password is stored; V(null) where the console does not show it.
      type: bool
    client_certificate:
      description: What the console shows of the client certificate; V(null) where it shows nothing about it.
      type: str
  sample:
    enabled: true
    host: 192.0.2.250
    port: 3128
    username: plant-a
    password_set: true
    client_certificate: ""
version:
  description: The sensor's software version, where the console shows it.
  returned: success
  type: str
  sample: 25.2.2
cloud:
  description: The sensor's own word on its way to the cloud; V(null) where the console has no such screen.
  returned: success
  type: dict
  contains:
    connected:
      description: Whether it reaches the cloud.
      type: bool
    issues:
      description: The documented classes of what hinders it.
      type: list
      elements: str
  sample:
    connected: false
    issues: [Proxy authentication issues]
evidence:
  description: The file with what can be kept of the latest screen or answer of a console that was not as expected.
  returned: failure, when O(evidence_dir) is given
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._console import options
from ..module_utils._console.model import ConsoleError
from ..module_utils._console.push import Session


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=options.ARGUMENTS, required_if=options.REQUIRED_IF, supports_check_mode=True)
    options.visit(module, lambda: _look(module.params))


def _look(params: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result."""
    try:
        console = options.open_console(params)
    except ConsoleError as error:
        return {"failed": True, "msg": f"{error}."}
    session = Session(console)
    try:
        session.open()
        reading = session.do(lambda each: each.read())
        cloud = session.do(lambda each: each.cloud())
    except ConsoleError as error:
        return {"failed": True, "msg": f"{error}.", "evidence": options.evidence_of(console, params)()}
    finally:
        console.close()
    return {
        "settings": options.settings_result(reading.settings),
        "version": reading.version,
        "cloud": options.verdict(cloud),
    }


if __name__ == "__main__":
    main()
