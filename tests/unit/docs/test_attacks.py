# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of attacks has one row for each test that sees one fail (molecule/shared/attack_table.py), and no other."""

from __future__ import annotations

import ast
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]


def _rows() -> set[tuple[str, ...]]:
    calls = [
        node
        for path in CHECKOUT.glob("molecule/*/tests/test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "answered"
    ]
    return {(*map(ast.literal_eval, call.args), "nowhere")[:4] for call in calls}


def test_the_table_is_what_tests_see() -> None:
    facts = (CHECKOUT / "docs" / "squid-facts.md").read_text(encoding="utf-8")
    lines = facts.partition("| Attack | Answer |")[2].splitlines()[2:]
    written = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines if line.startswith("|")]
    assert len(written) > 10
    assert len(set(written)) == len(written)
    assert set(written) == _rows()
