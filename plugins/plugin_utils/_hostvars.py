# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a few variables of very many hosts quickly.

Private to this collection. ``hostvars[host]`` builds a template engine for every host, which is most of the
cost at 10,000 hosts; the raw values are read instead, and only one that holds a template goes through the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def read(hostvars: Mapping[str, Any], host: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the named variables that the host has, with templates rendered."""
    raw_get = getattr(hostvars, "raw_get", None)
    raw = raw_get(host) if raw_get else hostvars[host]
    found: dict[str, Any] = {}
    for name in names:
        if name in raw:
            value = raw[name]
            found[name] = hostvars[host][name] if raw_get and _may_be_template(value) else value
    return found


def _may_be_template(value: object) -> bool:
    if isinstance(value, str):
        return "{" in value
    return not (value is None or isinstance(value, bool | int | float))
