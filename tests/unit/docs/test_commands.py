# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command of the documentation is executed by something that exists, and nothing is listed that nobody reads."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from . import pages

ROOT = pages.ROOT
LISTED = pages.listed()
BLOCKS = [block for page in pages.pages() if page.parts[-3] != "roles" for block in pages.blocks(page)]
TYPED = [block for block in BLOCKS if block.may_be_commands and block.lines[0] not in LISTED.outputs]


@pytest.mark.parametrize("block", TYPED, ids=lambda block: block.where)
def test_commands_are_listed(block: pages.Block) -> None:
    for line in block.lines:
        assert line in LISTED.executor, (
            f"{block.where}: tests/unit/docs/commands.yml does not say what executes {line!r}; if it is no command, its block's first line "
            "belongs under outputs"
        )


def test_nothing_is_listed_that_is_gone() -> None:
    typed = {line for block in TYPED for line in block.lines}
    assert set(LISTED.executor) <= typed, f"in no page any more: {sorted(set(LISTED.executor) - typed)}"
    first = {block.lines[0] for block in BLOCKS if block.may_be_commands}
    assert LISTED.outputs <= first, f"in no page any more: {sorted(LISTED.outputs - first)}"


def test_nothing_is_listed_twice() -> None:
    twice = [command for command, times in Counter(LISTED.commands).items() if times > 1]
    assert not twice


@pytest.mark.parametrize("executor", sorted(set(LISTED.executor.values())))
def test_what_executes_them_exists(executor: str) -> None:
    kind, _colon, heading = executor.partition(": ")
    path, _colons, test = executor.partition("::")
    if kind == "manual":
        checks = (ROOT / "tests/manual-checks.md").read_text(encoding="utf-8")
        assert f"\n## {heading}\n" in checks, f"tests/manual-checks.md has no check {heading!r}"
        return
    assert (ROOT / path).is_file(), f"there is no file {path}"
    text = (ROOT / path).read_text(encoding="utf-8")
    if test:
        assert re.search(rf"^\s*def {test}\(", text, re.MULTILINE), f"{path} has no test {test}"
    elif not path.endswith("/molecule.yml"):
        missing = [command for command, by in LISTED.executor.items() if by == executor and command not in text]
        assert not missing, f"{path} does not have {missing}"


def test_every_manual_check_stands_for_something() -> None:
    """Those that stand for no command say so by being listed here."""
    headings = set(
        re.findall(r"^## (.*)$", (ROOT / "tests/manual-checks.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    used = {executor.removeprefix("manual: ") for executor in LISTED.executor.values()}
    without = {"Real connections between clouds", "The site repository's workflow", "A signed release"}
    assert headings - used == without
