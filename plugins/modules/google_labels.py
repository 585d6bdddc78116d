#!/usr/bin/python
# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: google_labels
short_description: Label resources of a region in Google Cloud
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Adds labels to resources that are there; their other labels stay. The modules of google.cloud label none of the resources that a VPN
    consists of.
  - It signs in as the modules of google.cloud do, with what the environment holds, such as C(GCP_AUTH_KIND) and
    C(GCP_SERVICE_ACCOUNT_FILE).
options:
  project:
    description: The project.
    type: str
    required: true
  region:
    description: The region.
    type: str
    required: true
  resources:
    description: What to label, as C(addresses/plant-1), with the name that the kind has in the API.
    type: list
    elements: str
    required: true
  labels:
    description: The labels.
    type: dict
    required: true
attributes:
  check_mode:
    description: Says whether a label would change, without changing it.
    support: full
  diff_mode:
    description: It shows none.
    support: none
  idempotency:
    description: Nothing changes when all have the labels.
    support: full
  platform:
    description: The systems that it runs on; the controller, as a rule.
    support: full
    platforms: posix
requirements:
  - the collection google.cloud
  - google-auth
  - requests
"""

EXAMPLES = r"""
- name: Label the addresses of a VPN
  ot_security.proxy_chaining.google_labels:
    project: lab-project
    region: europe-west3
    resources: [addresses/plant-1, addresses/plant-2]
    labels: {plant: lab}
"""

RETURN = r"""
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

try:
    from ansible_collections.google.cloud.plugins.module_utils import gcp_utils  # type: ignore[import-untyped,import-not-found,unused-ignore]
except ImportError:
    gcp_utils = None

_COMPUTE = "https://compute.googleapis.com/compute/v1/projects"
_SECONDS = 300


def _asked(module: AnsibleModule, answer: Any) -> dict[str, Any]:
    """Return a document, or fail with what the service says."""
    try:
        found: dict[str, Any] = answer.json()
    except ValueError:
        found = {}
    # An operation that failed has its errors in the same place.
    if answer.status_code >= 400 or found.get("error"):
        module.fail_json(msg=f"Google answers {answer.status_code}: {found.get('error', 'nothing')}")
    return found


def main() -> None:
    """Run the module."""
    kind = AnsibleModule if gcp_utils is None else gcp_utils.GcpModule
    module = kind(
        argument_spec={
            "project": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "resources": {"type": "list", "elements": "str", "required": True},
            "labels": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    if gcp_utils is None:
        module.fail_json(msg="The collection google.cloud is not there; install what requirements-cloud.yml names.")
    if not module.params.get("scopes"):
        module.params["scopes"] = ["https://www.googleapis.com/auth/compute"]
    session = gcp_utils.GcpSession(module, "compute")
    changed = False
    region = f"{_COMPUTE}/{module.params['project']}/regions/{module.params['region']}"
    for resource in module.params["resources"]:
        link = f"{region}/{resource}"
        now = _asked(module, session.get(link))
        labels = {**now.get("labels", {}), **module.params["labels"]}
        if labels == now.get("labels", {}):
            continue
        changed = True
        if module.check_mode:
            continue
        # With an old fingerprint the service refuses it: somebody else has just changed them.
        body = {"labels": labels, "labelFingerprint": now.get("labelFingerprint", "")}
        operation = _asked(module, session.post(f"{link}/setLabels", body))
        end = time.monotonic() + _SECONDS
        while operation.get("status") != "DONE":
            if time.monotonic() > end:
                module.fail_json(msg=f"Google has not labelled {resource} within {_SECONDS} seconds.")
            time.sleep(1)
            operation = _asked(module, session.get(f"{region}/operations/{operation['name']}"))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
