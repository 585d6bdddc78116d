# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that operate a sensor's console have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of every module of the action group sensor_console."""

    DOCUMENTATION = r"""
options:
  console_url:
    description: Address of the sensor's web console, such as C(https://192.0.2.10). Only HTTPS, and no path.
    type: str
    required: true
  console_username:
    description: Name of a console user who may change system settings.
    type: str
    required: true
  console_password:
    description: Password of O(console_username). A wrong one is tried once, so that the account is not locked.
    type: str
    required: true
  validate_certs:
    description: Whether the console's TLS certificate is checked. O(fingerprint) is the better way to trust a self-signed one.
    type: bool
    default: true
  ca_path:
    description: A file of CA certificates (PEM) on the controller. Without it, the system's are used.
    type: path
  fingerprint:
    description:
      - SHA-256 fingerprint of the console's certificate, with or without colons. Checked instead of name, date and CA.
      - C(openssl x509 -noout -fingerprint -sha256) prints it.
    type: str
  transport:
    description:
      - V(browser) operates the documented screen by its visible labels in a headless Chromium. It needs the Python package
        C(playwright), and Chromium, on the controller.
      - V(http) replays the requests of O(profile), without a browser.
    type: str
    choices: [browser, http]
    default: browser
  labels:
    description:
      - With O(transport=browser), labels of the console where they differ from the documented ones.
      - See the collection's C(docs/sensors.md) for the keys.
    type: dict
    default: {}
  profile:
    description:
      - With O(transport=http), the console profile that the playbook C(learn_console) made and a person reviewed.
    type: dict
  timeout:
    description:
      - Seconds to wait for each answer or screen.
      - The whole visit is ended from outside after eight times that and 90 seconds, and with M(ot_security.proxy_chaining.sensor_proxy)
        a minute and twice the time for the cloud more.
    type: float
    default: 30
  evidence_dir:
    description:
      - A folder on the controller for what a console that was not as expected has shown, readable by the controller's user only.
      - A screenshot is taken only before a password was typed. After that, of the screen or the answer only words are kept that this
        collection knows, since a console can repeat a password in any form. Without a folder, nothing is kept.
    type: path
attributes:
  action_group:
    description: C(module_defaults) for the group reach every module that operates a console.
    support: full
    membership: [ot_security.proxy_chaining.sensor_console]
  platform:
    description: It runs on the controller; the sensor is an appliance without Python.
    support: full
    platforms: posix
notes:
  - There is no documented interface to a sensor's proxy settings. The documented contract is a screen with labels.
  - Run it on the controller, with C(delegate_to) V(localhost).
"""
