# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the clouds have: whose it is, and what is said of it. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

OWNER = "ot-proxy-chaining"
"""The tag, or what a description begins with, of all that the role makes. Nothing without it is changed or removed."""

TUNNEL = "ot-proxy-chaining-tunnel"
"""The tag of a connection in Azure with the id of Google's tunnel, whose key is the connection's."""


def owner(name: str) -> str:
    """Return the value of the tag OWNER."""
    return f"multicloud/{name}"


def tags(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of all that the role makes."""
    return {**settings["tags"], OWNER: owner(settings["name"])}


def named(answer: Iterable[Mapping[str, Any]]) -> dict[str, Json]:
    """Return the resources of an answer by name; of nothing, Azure's module returns a thing without a name."""
    return {str(one["name"]): dict(one) for one in answer if one.get("name")}


def merged(now: Mapping[str, str] | None, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the tags with those of others, whose spelling stays: Azure compares their names without case."""
    spelt = {name.lower(): name for name in now or {}}
    return {**(now or {}), **{spelt.get(name.lower(), name): value for name, value in wanted.items()}}


def lacking(now: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are missing or differ."""
    return {name: value for name, value in wanted.items() if now.get(name) != value}


@dataclass
class Tally:
    """What is done, in words."""

    host: str
    tags: Mapping[str, str]
    refusals: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)

    def told(self, found: Mapping[str, Any]) -> Json:
        """Return the steps with the words."""
        words = {"refusals": self.refusals, "lines": self.lines, "stays": self.stays}
        near, far = {"remove": [], **found.get("near", {})}, {"renew": [], "labelled": [], **found.get("far", {})}
        return {"near": near, "far": far, **words}

    def refuse(self, problem: str) -> None:
        """Say why nothing can be done."""
        self.refusals.append(f"{self.host}: {problem}.")

    def create(self, what: str) -> None:
        """Say so."""
        self.lines.append(f"create {what}")

    def change(self, what: str) -> None:
        """Say so."""
        self.lines.append(f"change {what}")

    def own(self, what: str, tags: Mapping[str, str] | None) -> bool:
        """Refuse what somebody else made."""
        ours = self.is_ours(tags)
        if not ours:
            whose = f"has no tag or description {OWNER}={self.tags[OWNER]}, so that this role did not make it"
            self.refuse(f"{what} is there already and {whose}; rename or remove it, or set another multicloud_name")
        return ours

    def remove(self, what: str, tags: Mapping[str, str] | None) -> bool:
        """Say what becomes of what is there."""
        ours = self.is_ours(tags)
        if ours:
            self.lines.append(f"remove {what}")
        else:
            self.stays.append(f"keep {what}, which this role did not make")
        return ours

    def is_ours(self, tags: Mapping[str, str] | None) -> bool:
        """Tell what the role made for this site."""
        return (tags or {}).get(OWNER) == self.tags[OWNER]
