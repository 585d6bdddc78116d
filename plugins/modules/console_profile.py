#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: console_profile
short_description: Learn how a sensor's web console saves its proxy settings, from one recording
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Reads a HAR file in which a person signed in at a sensor's web console, entered proxy settings and saved them, and
    writes a console profile with which the transport C(http) does the same at other sensors of that version.
  - The vendor documents no interface for this. No route of a console is shipped; all of it comes from the recording.
  - What the person typed is found by its value, and stands in the profile as a placeholder. What a save carries beside the
    proxy settings becomes the value that each sensor itself shows. A value that cannot be traced to that is listed under
    C(constants), and the transport refuses the profile until a person has set its C(confirmed) to V(true).
  - Passwords, cookies and tokens are never written.
options:
  har:
    description: The recording. It holds passwords; delete it afterwards.
    type: path
    required: true
  dest:
    description:
      - The profile to write, as YAML with mode V(0644).
      - Where there is one already, its confirmations of unchanged constants are kept, and so are its C(cloud) and C(version)
        if the recording has none.
    type: path
    required: true
  console_username:
    description: The user who signed in in the recording.
    type: str
    required: true
  console_password:
    description: That user's password.
    type: str
    required: true
  host:
    description: What was typed as the proxy's host. Best one that is nowhere else on the screen.
    type: str
    required: true
  port:
    description: What was typed as the proxy's port.
    type: int
    required: true
  username:
    description: What was typed as the proxy's user. Without it the profile cannot set one.
    type: str
    default: ""
  password:
    description: What was typed as the proxy's password. Without it the profile cannot set one.
    type: str
    default: ""
  certificate:
    description: Name of the client certificate's file that was uploaded. Without it the profile cannot upload one.
    type: str
    default: ""
attributes:
  check_mode:
    description: Learns and says whether the file would change, without writing it.
    support: full
  diff_mode:
    description: Shows the profile before and after.
    support: full
  idempotency:
    description: Nothing changes when the file holds the profile that the recording gives.
    support: full
  platform:
    description: The systems that it runs on; the controller, as a rule.
    support: full
    platforms: posix
notes:
  - How to record, and what to look at in the profile, is described in C(docs/console-profile.md) of this collection.
requirements:
  - PyYAML
"""

EXAMPLES = r"""
- name: Learn the console's profile
  ot_security.proxy_chaining.console_profile:
    har: console.har
    dest: console-profile.yml
    console_username: admin
    console_password: "{{ lookup('ansible.builtin.env', 'SENSOR_CONSOLE_PASSWORD') }}"
    host: 192.0.2.77
    port: 3129
    username: recording-user
    password: "{{ lookup('ansible.builtin.env', 'SENSOR_PROXY_PASSWORD') }}"
    certificate: recording.pem
  delegate_to: localhost
"""

RETURN = r"""
profile:
  description: The profile.
  returned: success
  type: dict
notes:
  description: Sentences for the person who reviews the profile.
  returned: success
  type: list
  elements: str
unconfirmed:
  description: Names of the constants that a person has to confirm.
  returned: success
  type: list
  elements: str
"""

import json
import os
import traceback
from pathlib import Path
from typing import Any

try:
    import yaml
except ImportError:
    HAS_YAML = False
    YAML_ERROR: str | None = traceback.format_exc()
else:
    HAS_YAML = True
    YAML_ERROR = None

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils._console.http import profile as http_profile
from ..module_utils._console.http.profile import ProfileError
from ..module_utils._console.learn.entries import HarError
from ..module_utils._console.learn.har import learn
from ..module_utils._console.learn.typed import Typed

MODE = 0o644

HEAD = """\
# A console profile, learned from a recording. REVIEW THIS before it is used:
#  - nothing in it may belong to one sensor alone (an address, a name, an identifier);
#  - each constant is right for every sensor; then set its confirmed to true;
#  - it holds no password, cookie or token.
# docs/console-profile.md of the collection ot_security.proxy_chaining says how.
"""

ARGUMENTS: dict[str, Any] = {
    "har": {"type": "path", "required": True},
    "dest": {"type": "path", "required": True},
    "console_username": {"type": "str", "required": True},
    "console_password": {"type": "str", "required": True, "no_log": True},
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "username": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "certificate": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=YAML_ERROR)
    params = module.params
    dest = Path(params["dest"])
    if not os.access(dest.parent, os.W_OK | os.X_OK):
        module.fail_json(msg=f"{dest}: cannot be written: its folder is not there or not writable; create it first.")
    try:
        learned = learn(_recording(Path(params["har"])), _typed(params))
    except HarError as error:
        module.fail_json(msg=f"{params['har']}: {error}.")
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=f"{params['har']}: cannot be read: {error}.")
    profile, notes = learned.profile, list(learned.notes)
    before, old = _existing(module, dest)
    if old is not None:
        notes += _keep(old, profile)
    after = HEAD + yaml.safe_dump(profile, sort_keys=False, width=120)
    # A person's comments and layout in the file are no difference.
    changed = old != profile
    try:
        if changed and not module.check_mode:
            _write(module, dest, after)
        elif old is not None and not changed and dest.stat().st_mode & 0o777 != MODE:
            changed = True
            if not module.check_mode:
                dest.chmod(MODE)
    except OSError as error:
        module.fail_json(msg=f"{dest}: cannot be written: {error}.")
    result: dict[str, Any] = {
        "changed": changed,
        "profile": profile,
        "notes": notes,
        "unconfirmed": http_profile.load(profile).unconfirmed,
    }
    if old != profile:
        result["diff"] = {
            "before": before,
            "after": after,
            "before_header": str(dest),
            "after_header": str(dest),
        }
    module.exit_json(**result)


def _recording(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, RecursionError):
        raise HarError("this is no JSON, so it is no HAR file; export the recording again") from None


def _typed(params: dict[str, Any]) -> Typed:
    return Typed(
        console_username=params["console_username"],
        console_password=params["console_password"],
        host=params["host"],
        port=params["port"],
        username=params["username"],
        password=params["password"],
        certificate=Path(params["certificate"]).name,
    )


def _existing(module: AnsibleModule, dest: Path) -> tuple[str, dict[str, Any] | None]:
    """Return the text at dest and the profile that it holds, None where there is no file."""
    try:
        text = dest.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "", None
    except (OSError, UnicodeDecodeError) as error:
        module.fail_json(msg=f"{dest}: cannot be read: {error}.")
    try:
        return text, http_profile.dump(http_profile.load(yaml.safe_load(text)))
    except (yaml.YAMLError, ProfileError, RecursionError):
        module.fail_json(
            msg=f"{dest}: there is a file that is no console profile; see what it is, and move it away or choose another dest."
        )
    raise AssertionError  # fail_json does not return


def _keep(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Carry over what a person added to the file; say what."""
    notes = []
    for name, constant in new.get("constants", {}).items():
        known = old.get("constants", {}).get(name)
        if known and known["confirmed"] and known["value"] == constant["value"]:
            constant["confirmed"] = True
    for section in ("version", "cloud"):
        if section in old and section not in new:
            new[section] = old[section]
            notes.append(f"The section {section} was kept from the file that was there.")
    return notes


def _write(module: AnsibleModule, dest: Path, text: str) -> None:
    candidate = Path(module.tmpdir) / "console-profile.yml"
    candidate.write_text(text, encoding="utf-8")
    module.atomic_move(str(candidate), str(dest))
    dest.chmod(MODE)


if __name__ == "__main__":
    main()
