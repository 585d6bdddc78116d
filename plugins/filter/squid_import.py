# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: squid_import
short_description: Make an inventory of squid.conf files that were made by hand
version_added: 0.1.0
author:
  - ot_security contributors (@ot-security)
description:
  - Finds out which addresses may CONNECT to which endpoints on port 443, where the proxies listen and which parents they have,
    and writes the same as an inventory of this collection. It names each directive that the inventory does not carry over.
  - The inventory lets in nobody whom the files do not let in. What is not known counts as refused.
  - No password is in the result.
positional: _input
options:
  _input:
    description:
      - For each proxy its C(name), C(path) of its squid.conf, C(files), and perhaps C(address), where Ansible connects, and C(log),
        the text of its access log, Base64-encoded. Who got a tunnel to an endpoint by that becomes a sensor where a network lets it in.
      - C(files) has the content of squid.conf and of files that it includes, by path and Base64-encoded, as
        M(ansible.builtin.slurp) returns it. A pattern of an C(include) that is a path there stands for no files.
    type: list
    elements: dict
    required: true
  limit:
    description: So many addresses of one network or range become hosts. A larger one is named and not carried over.
    type: int
    default: 64
"""

EXAMPLES = r"""
- name: Show what is not carried over
  ansible.builtin.debug:
    msg: "{{ ([proxy] | ot_security.proxy_chaining.squid_import).left_out }}"
  vars:
    proxy:
      name: plant-a-proxy
      path: squid.conf
      files: {squid.conf: "{{ lookup('ansible.builtin.file', 'squid.conf') | b64encode }}"}
"""

RETURN = r"""
_value:
  description: What became of the files.
  type: dict
  contains:
    inventory:
      description: The text of the inventory's file, as lines.
      type: list
      elements: str
    left_out:
      description: One sentence for each thing that is not carried over, with its lines and why.
      type: list
      elements: str
    wanted:
      description: For each proxy the paths and patterns of files that are named and are not among its C(files).
      type: dict
"""


def squid_import(configs: list[Mapping[str, Any]], limit: int = 64) -> dict[str, Any]:
    """Import; see DOCUMENTATION."""
    from ..plugin_utils._squid_import.convert import Config, convert

    found = convert(
        [
            Config(
                name=str(config["name"]),
                path=str(config["path"]),
                files={str(path): _text(str(path), content) for path, content in config["files"].items()},
                address=str(config.get("address", "")),
                log=_text("its log", config.get("log", "")),
            )
            for config in configs
        ],
        int(limit),
    )
    return {"inventory": found.inventory.splitlines(), "left_out": found.left_out, "wanted": found.wanted}


def _text(path: str, content: Any) -> str:
    """Decode; Squid takes any byte, so no byte may end an import."""
    try:
        return base64.b64decode(str(content)).decode("utf-8", errors="replace")
    except ValueError as error:
        raise AnsibleFilterError(
            f"squid_import wants the content of {path} in Base64; pass it through b64encode."
        ) from error


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"squid_import": squid_import}
