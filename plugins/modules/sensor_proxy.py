#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sensor_proxy
short_description: Push proxy settings to a sensor, and take them back if it loses the cloud
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Reads the proxy settings of an OT network sensor, saves only what differs, reads them back, and waits for the sensor's own
    word that it reaches the cloud.
  - If that word does not come, the previous settings are put back and the module fails with what the sensor says.
extends_documentation_fragment:
  - ot_security.proxy_chaining.sensor_console
options:
  state:
    description: V(absent) switches the proxy off and leaves the other fields alone.
    type: str
    choices: [present, absent]
    default: present
  host:
    description: Address of the proxy, without a scheme. Required with O(state=present).
    type: str
  port:
    description: Port of the proxy.
    type: int
    default: 3128
  username:
    description: The user that the sensor signs in with at the proxy. An empty one removes it; without it, it is left alone.
    type: str
  password:
    description: The password of O(username). The console does not tell which one is stored.
    type: str
  update_password:
    description:
      - V(on_create) sends the password when none is stored, when the proxy is switched on, and when O(username) changes.
      - V(always) sends it every time, so that every run changes something.
    type: str
    choices: [always, on_create]
    default: on_create
  previous_username:
    description: The user that O(previous_password) belongs to. Without it, whoever the sensor signs in as until now.
    type: str
  previous_password:
    description: The password in force until now. Without it, a password that was replaced cannot be put back.
    type: str
  client_certificate:
    description:
      - A file on the controller to upload as client certificate. The file's format is not documented.
      - Its name at the console carries a part of the content's hash, by which a later run recognises it. Where the console does
        not show a name, it is uploaded when another field changes, and every time with O(update_password=always).
    type: path
  wait_for_cloud:
    description: Whether to wait for the sensor's word that it reaches the cloud, after a change and without one.
    type: bool
    default: true
  cloud_timeout:
    description: Seconds to wait for that word.
    type: float
    default: 120
  cloud_delay:
    description: Seconds after a change before that word is believed, since how fresh the screen is is not documented.
    type: float
    default: 5
  rollback:
    description: Whether to put the previous settings back if the new ones cannot be shown to work.
    type: bool
    default: true
attributes:
  check_mode:
    description: Signs in and reads, saves nothing.
    support: full
  diff_mode:
    description: Shows the settings before and after, and of the password only whether one is stored or sent.
    support: full
  idempotency:
    description: Full, except with O(update_password=always).
    support: partial
seealso:
  - module: ot_security.proxy_chaining.sensor_proxy_info
"""

EXAMPLES = r"""
- name: Push the proxy to a sensor
  ot_security.proxy_chaining.sensor_proxy:
    console_url: https://192.0.2.10
    console_username: admin
    console_password: "{{ vault_console_password }}"
    fingerprint: "{{ sensor_proxy_fingerprint }}"
    host: 192.0.2.250
    username: plant-a
    password: "{{ vault_proxy_password }}"
  delegate_to: localhost

- name: Switch the proxy off
  ot_security.proxy_chaining.sensor_proxy:
    console_url: https://192.0.2.10
    console_username: admin
    console_password: "{{ vault_console_password }}"
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
before:
  description: The settings that were found, with the keys of RV(ot_security.proxy_chaining.sensor_proxy_info#module:settings).
  returned: when the console could be read
  type: dict
  sample:
    enabled: false
    host: ""
    port: null
    username: ""
    password_set: null
    client_certificate: null
after:
  description: The settings that are in force now, or would be in check mode. Same keys.
  returned: when the console could be read
  type: dict
  sample:
    enabled: true
    host: 192.0.2.250
    port: 3128
    username: ""
    password_set: null
    client_certificate: null
changed_fields:
  description: What was changed and has not been put back.
  returned: when the console could be read
  type: list
  elements: str
  sample: [enabled, host, port]
cloud:
  description: The sensor's own word on its way to the cloud; V(null) where it was not asked or has no such screen.
  returned: when the console could be read
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
    connected: true
    issues: []
version:
  description: The sensor's software version, where the console shows it.
  returned: when the console could be read
  type: str
  sample: 25.2.2
told:
  description: The same in a few words. In check mode what would be changed, beside what the sensor has.
  returned: success
  type: str
  sample: proxy 192.0.2.250:3128, connected to the cloud
rolled_back:
  description: Whether the previous settings were put back.
  returned: when the console could be read
  type: bool
gone:
  description: Whether nobody at all answers at the console's address, as where the sensor is scrapped.
  returned: failure, when the console could not be read
  type: bool
  sample: false
evidence:
  description: The file with what can be kept of the screen or answer that was not as expected.
  returned: failure, when O(evidence_dir) is given
  type: str
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._console import options
from ..module_utils._console.model import ClientCertificate, ConsoleError
from ..module_utils._console.push import Pushed, PushError, Sequence, Terms, WantedProxy, told

ARGUMENTS: dict[str, Any] = {
    **options.ARGUMENTS,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "host": {"type": "str"},
    "port": {"type": "int", "default": 3128},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "update_password": {
        "type": "str",
        "choices": ["always", "on_create"],
        "default": "on_create",
        "no_log": False,
    },
    "previous_username": {"type": "str"},
    "previous_password": {"type": "str", "no_log": True},
    "client_certificate": {"type": "path"},
    "wait_for_cloud": {"type": "bool", "default": True},
    "cloud_timeout": {"type": "float", "default": 120},
    "cloud_delay": {"type": "float", "default": 5},
    "rollback": {"type": "bool", "default": True},
}

MAX_CERTIFICATE = 1 << 20
"""Bytes; nothing that large is a client certificate."""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[*options.REQUIRED_IF, ("state", "present", ["host"])],
        supports_check_mode=True,
    )
    options.visit(module, lambda: _push(module.params, module.check_mode))


def _push(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """Bring the console to what is wanted; return the module's result."""
    try:
        wanted = _wanted(params)
        console = options.open_console(params)
    except ConsoleError as error:
        return {"failed": True, "msg": f"{error}."}
    evidence: dict[str, str | None] = {}
    save = options.evidence_of(console, params)
    sequence = Sequence(console, wanted, _terms(params), evidence=lambda: evidence.setdefault("evidence", save()))
    try:
        outcome = sequence.run(check)
    except PushError as error:
        kept = {name: path for name, path in evidence.items() if path}
        return {"failed": True, "msg": str(error), **_result(error.outcome), **kept}
    finally:
        console.close()
    result = {**_result(outcome), "told": told(outcome, check), "warnings": outcome.warnings}
    if outcome.changed:
        result["diff"] = {
            "before": _lines(result["before"], sends=False),
            "after": _lines(result["after"], sends="password" in outcome.changed),
            "before_header": params["console_url"],
            "after_header": params["console_url"],
        }
    return result


def _wanted(params: dict[str, Any]) -> WantedProxy:
    if params["state"] == "absent":
        return WantedProxy(enabled=False)
    host, port, username = params["host"].strip(), params["port"], params["username"]
    if not host or re.search(r"[\s/@]", host) or len(host) > 253:
        raise ConsoleError(f"host {params['host']!r} is not a name or address; give it without scheme, port or path")
    if not 0 < port < 65536:
        raise ConsoleError(f"port {port} is not between 1 and 65535")
    if username and re.search(r"[:\x00-\x1f\x7f]", username):
        raise ConsoleError(
            f"username {username!r} has a colon or a control character, which Basic sign-in cannot carry"
        )
    if params["password"] and re.search(r"[\x00-\x1f\x7f]", params["password"]):
        raise ConsoleError("password has a control character; choose another")
    if params["password"] and username == "":
        raise ConsoleError("password is set, but username is empty; set both or neither")
    return WantedProxy(
        enabled=True,
        host=host,
        port=port,
        username=username,
        password=params["password"],
        certificate=_certificate(params["client_certificate"]),
        always=params["update_password"] == "always",  # noqa: S105 - a choice, no password
    )


def _certificate(path: str | None) -> ClientCertificate | None:
    if not path:
        return None
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConsoleError(f"client_certificate {path} cannot be read: {error.strerror}") from None
    if not 0 < len(content) <= MAX_CERTIFICATE:
        raise ConsoleError(f"client_certificate {path} has {len(content)} bytes, which is no certificate")
    return ClientCertificate(f"{file.stem}-{hashlib.sha256(content).hexdigest()[:12]}{file.suffix}", content)


def _terms(params: dict[str, Any]) -> Terms:
    return Terms(
        wait=params["cloud_timeout"] if params["wait_for_cloud"] else None,
        delay=params["cloud_delay"],
        rollback=params["rollback"],
        previous_username=params["previous_username"],
        previous_password=params["previous_password"],
    )


def _result(outcome: Pushed) -> dict[str, Any]:
    if outcome.before is None or outcome.after is None:
        return {"changed": False, "gone": outcome.gone}
    return {
        "changed": bool(outcome.changed),
        "before": options.settings_result(outcome.before.settings),
        "after": options.settings_result(outcome.after),
        "changed_fields": outcome.changed,
        "cloud": options.verdict(outcome.cloud),
        "version": outcome.before.version,
        "rolled_back": outcome.rolled_back,
    }


def _lines(settings: dict[str, Any], *, sends: bool) -> str:
    """Return the settings as the diff shows them."""
    stored = {None: "not shown", True: "stored", False: "none"}[settings["password_set"]]
    shown = {**settings, "password": "sent" if sends else stored}
    del shown["password_set"]
    return "".join(f"{name}: {'' if value is None else value}\n" for name, value in shown.items())


if __name__ == "__main__":
    main()
