# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-core before 2.19 evaluates each variable that an expression names, in the branch that is not taken too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, nodes

ROLES = Path(__file__).parents[3] / "roles"
FILES = sorted([*ROLES.glob("*/defaults/*.yml"), *ROLES.glob("*/vars/*.yml")])


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def reads(node: nodes.Node) -> Iterator[nodes.Call]:
    """Look-ups of a file that a variable names."""
    for call in node.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "lookup":
            plugin, *terms = call.args
            if plugin == nodes.Const("ansible.builtin.file") and not all(isinstance(t, nodes.Const) for t in terms):
                yield call


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROLES)))
def test_a_variable_that_reads_a_file_says_itself_when(path: Path) -> None:
    """Whoever names it behind a condition of his own reads the file whatever the condition says."""
    for text in strings(yaml.safe_load(path.read_text())):
        template = Environment().parse(text)
        guarded = [id(call) for choice in template.find_all(nodes.CondExpr) for call in reads(choice)]
        assert [call for call in reads(template) if id(call) not in guarded] == [], text
