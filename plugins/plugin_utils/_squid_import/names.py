# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An imported inventory: the names of its hosts, groups and vaulted variables, each given once, and its text.

Private to this collection.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from .._chain.names import MAX_LENGTH, acl_name, name_problem

_GROUPS = ("all", "ungrouped", "proxies", "sensors")


class Names:
    """Gives out each name once."""

    def __init__(self, proxies: Iterable[str]) -> None:
        self._taken = {*_GROUPS, *map(acl_name, proxies)}
        self._variables: set[str] = set()

    def group(self, proxy: str, what: str) -> str:
        """Return the name of a group of a proxy's sensors."""
        return self._numbered(f"{identifier(proxy)}_{what}", self._taken)

    def variable(self, *parts: str) -> str:
        """Return the name of a vaulted variable."""
        return self._numbered(_plain("_".join(["vault", *parts])), self._variables)

    def sensors(self, proxy: str, acls: Mapping[str, str]) -> dict[str, str]:
        """Return the name of each address's host.

        Args:
            proxy: name of the proxy that they are clients of.
            acls: name of the ACL by address.
        """
        sizes, seen = Counter(acls.values()), Counter[str]()
        found = {}
        for address, acl in acls.items():
            seen[acl] += 1
            ending = f"-{seen[acl]}" if sizes[acl] > 1 else ""
            name = acl_name(acl).strip("._-") or "sensor"
            found[address] = self._sensor(name[: MAX_LENGTH - len(ending)] + ending, acl_name(proxy))
        return found

    def _sensor(self, name: str, proxy: str) -> str:
        """The name itself, or with the proxy's before it where another host has it or Squid does."""
        if name in self._taken or name_problem(name):
            name = f"{proxy[: MAX_LENGTH // 2]}-{name}"[:MAX_LENGTH]
        return self._numbered(name, self._taken)

    def _numbered(self, name: str, taken: set[str]) -> str:
        candidate, number = name, 2
        while candidate in taken:
            ending = f"_{number}"
            candidate = name[: MAX_LENGTH - len(ending)] + ending
            number += 1
        taken.add(candidate)
        return candidate


def identifier(name: str) -> str:
    """Return a name as it can begin that of a group or a variable."""
    part = _plain(name)
    return part if part[:1].isalpha() else f"_{part}"


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9_]", "_", name.lower())


class _OneLine(dict[str, Any]):
    """A mapping that takes one line."""


class _Dumper(yaml.SafeDumper):
    """Writes as inventories/example is written."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent a list below its key."""
        super().increase_indent(flow, False)


def _one_line(dumper: _Dumper, value: _OneLine) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)


def _list(dumper: _Dumper, value: list[Any]) -> yaml.SequenceNode:
    flow = not any(isinstance(each, dict) for each in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


_Dumper.add_representer(_OneLine, _one_line)
_Dumper.add_representer(list, _list)
# Until ansible-core 2.19 a host's name is of a type of Ansible's own.
_Dumper.add_multi_representer(str, yaml.SafeDumper.represent_str)


def one_line(**values: Any) -> dict[str, Any]:
    """Return a mapping that is written on one line."""
    return _OneLine(values)


def dump(inventory: dict[str, Any]) -> str:
    """Return the text of an inventory's file."""
    text: str = yaml.dump(inventory, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{text}"
