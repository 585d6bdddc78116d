# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the two scale sets is to serve, since what Azure fixes at its creation is only changed by another one in its place.

Both have the same backend pool, and names that take turns: ``scale_set`` and ``scale_set_2``. Private to this collection; nothing
here talks to Azure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

KEYS = ("scale_set", "scale_set_2")
PROVEN = "configuration"
"""The tag that a scale set gets when its instances were proven; its value tells which configuration they have."""

_PROFILE = "properties.virtualMachineProfile"
_FIXED = {
    "azure_proxy_zones": "zones",
    "the publisher of azure_proxy_image": f"{_PROFILE}.storageProfile.imageReference.publisher",
    "the offer of azure_proxy_image": f"{_PROFILE}.storageProfile.imageReference.offer",
    "azure_proxy_admin_username": f"{_PROFILE}.osProfile.adminUsername",
}
"""What of the inventory is set at creation and never again: learn.microsoft.com "Modify a Virtual Machine Scale Set"."""


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what a scale set has another way than wanted, and Azure never changes, each as words."""
    said = []
    for name, path in _FIXED.items():
        has, wants = _shown(_at(found, path)), _shown(_at(wanted, path))
        # A member that is not shown says nothing, but an image of a gallery has neither publisher nor offer.
        known = path == "zones" or _at(found, path.rpartition(".")[0]) is not None
        if known and has.lower() != wants.lower():
            said.append(f"{name} is {wants}, and it was made with {has}")
    return said


def choose(plan: Json, there: Mapping[str, Json]) -> Json:
    """Return the keys of the one that serves, ``current``, and of the one that it replaces, ``old``, with ``why``, or a ``mistake``.

    Args:
        plan: what plan.plan_azure() returned.
        there: the role's own scale sets that are there, by key.
    """
    found = {key: differences(plan["scale_set"], there[key]) for key in KEYS if key in there}
    fit = sorted((key for key, said in found.items() if not said), key=lambda key: not is_proven(there[key]))
    nothing = {"current": fit[0] if fit else "scale_set", "old": "", "why": [], "mistake": ""}
    if len(found) == 2:
        # A run was ended in between.
        if not fit:
            names = " and ".join(plan["names"][key] for key in found)
            mistake = (
                f"the scale sets {names} are both there and neither has what is wanted ({'; '.join(found['scale_set'])}); "
                "set the inventory back to one of them, let a run with azure_proxy_replace=true end, and change it then"
            )
            return {**nothing, "current": max(found, key=lambda key: is_proven(there[key])), "mistake": mistake}
        old = next(key for key in KEYS if key != fit[0])
        return {**nothing, "old": old, "why": ["a run that replaced it did not come to its end"]}
    if fit or not found:
        return nothing
    ((old, why),) = found.items()
    return {**nothing, "current": next(key for key in KEYS if key != old), "old": old, "why": why}


def is_proven(scale_set: Mapping[str, Any]) -> bool:
    """Say whether its instances were proven when it was made."""
    return PROVEN in (scale_set.get("tags") or {})


def _at(document: Mapping[str, Any], path: str) -> Any:
    found: Any = document
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _shown(value: Any) -> str:
    return (", ".join(sorted(map(str, value))) if isinstance(value, list) else str(value or "")) or "none"
