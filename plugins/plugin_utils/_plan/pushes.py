# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a push would change at each sensor, by its console's own word in check mode.

Private to this collection. What a console said is cut and cleaned here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils._untrusted_text import one_line
from .._chain.deployment import PUSHED
from .._chain.hostvars import raw_variables
from .plan import some_of

CHECKED = "__sensor_proxy"
"""What the check of the role sensor_proxy said of a sensor, where the run has asked the consoles."""

NOTHING = "nothing"


def pushes(hostvars: Mapping[str, Any], sensors: Iterable[str]) -> dict[str, str]:
    """Return what becomes of each sensor that was looked at, in a few words; ``nothing`` where it has all that is wanted."""
    found = {}
    for name in sensors:
        variables = raw_variables(hostvars, name) if name in hostvars else {}
        if CHECKED in variables:
            found[name] = _push(variables[CHECKED], variables.get(PUSHED) or {})
    return found


def _push(checked: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    if checked.get("state") == "handoff":
        return "a person has to enter what changes"
    if said.get("failed") or "told" not in said:
        why = one_line(next(iter(str(said.get("msg", "")).splitlines()), "")).rstrip(".")
        return f"the console could not be asked: {why or 'its variables have a mistake'}"
    return one_line(said["told"]) if said.get("changed") else NOTHING


def told(found: Mapping[str, str]) -> list[str]:
    """Say it, all sensors with the same in one sentence."""
    groups: dict[str, list[str]] = {}
    for name, what in found.items():
        groups.setdefault(what, []).append(name)
    return [f"{some_of(names, 'sensors')}: {what}." for what, names in groups.items() if what != NOTHING]
