# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the way of giving an AWX what the folder awx describes, found before anything is made.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Item = Mapping[str, Any]


def problems(settings: Mapping[str, Any], found: Mapping[str, Iterable[Item]]) -> list[str]:
    """Return a sentence for each.

    Args:
        settings: the settings of awx/settings.yml, without their prefix.
        found: what AWX has: ``organizations`` and ``credentials``, ``galaxy_credentials`` of the organization, and as ``same_names``
            all that has a name with the prefix.
    """
    return list(_problems(settings, found))


def _problems(settings: Mapping[str, Any], found: Mapping[str, Iterable[Item]]) -> Iterator[str]:
    name, prefix = settings["organization"], settings["prefix"]
    organizations = {item["id"]: item["name"] for item in found["organizations"]}
    if name not in organizations.values():
        yield (
            f"The organization '{name}' is not there, or whoever runs this may not see it; create it, or correct "
            "configure_awx_organization."
        )
    credentials = {item["name"] for item in found["credentials"]}
    wanted = [
        *(("galaxy_credentials", each) for each in settings["galaxy_credentials"]),
        *(("vault_credentials", each) for each in settings["vault_credentials"]),
        ("project_credential", settings["project_credential"]),
    ]
    for setting, credential in wanted:
        if credential and credential not in credentials:
            yield f"The credential '{credential}' is not there; create it in AWX, or correct configure_awx_{setting}."
    if name in organizations.values() and not settings["galaxy_credentials"] and not list(found["galaxy_credentials"]):
        yield (
            f"The organization '{name}' has no Galaxy credential, and without one AWX installs no collection: the project's update is "
            'green, and every job ends with "role not found". Name one in configure_awx_galaxy_credentials, such as AWX\'s own '
            "'Ansible Galaxy'; nothing is asked of its server."
        )
    # The modules of awx.awx look some of these up by their name alone (job_template.py, resolve_name_to_id, 24.6.1).
    others: dict[str, list[str]] = {}
    for item in found["same_names"]:
        owner = organizations.get(item.get("organization"), "another one")
        if item.get("organization") is not None and owner != name:
            others.setdefault(owner, []).append(item["name"])
    for owner, names in sorted(others.items()):
        yield (
            f"The organization '{owner}' has '{min(names)}' already, one of {len(names)} whose names begin with '{prefix}: '; choose "
            "another configure_awx_prefix."
        )
