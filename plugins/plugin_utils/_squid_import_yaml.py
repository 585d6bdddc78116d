# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An imported inventory as YAML. Private to this collection."""

from __future__ import annotations

from typing import Any

import yaml


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
