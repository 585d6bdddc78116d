# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every command of the documentation is executed by something that exists, and nothing is listed that nobody reads."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

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


BY_A_TEST = [(command, by) for command, by in LISTED.executor.items() if "::" in by and "test_run.py" not in by]


@pytest.mark.parametrize(("command", "executor"), BY_A_TEST)
def test_what_executes_it_has_its_playbook_and_what_it_is_given(command: str, executor: str) -> None:
    """A scenario has an inventory of its own, and no passwords to ask for."""
    words = re.findall(
        r"(?:playbooks/|ot_security\.proxy_chaining\.|-e |--tags )(\w+)|(--(?:check|diff|limit))", command
    )
    text = _with_shared(ROOT / executor.partition("::")[0])
    if any(f'"{pages.name(block.page)}"' in text for block in TYPED if command in block.lines):
        # It reads the page, and types what is printed there.
        return
    missing = [name or option for name, option in words if (name or option) not in text]
    assert not missing, f"{executor} has no {missing} of {command!r}"


def _with_shared(path: Path) -> str:
    """Return the text of a file of tests, and of what it imports of molecule/shared."""
    text = path.read_text(encoding="utf-8")
    shared = (
        ROOT / "molecule/shared" / f"{name}.py" for name in re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)
    )
    return "".join([text, *(file.read_text(encoding="utf-8") for file in shared if file.is_file())])


def test_every_manual_check_stands_for_something() -> None:
    """Those that stand for no command say so by being listed here."""
    headings = set(
        re.findall(r"^## (.*)$", (ROOT / "tests/manual-checks.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    used = {executor.removeprefix("manual: ") for executor in LISTED.executor.values()}
    without = {"Real connections between clouds", "The site repository's workflow", "A signed release"}
    assert headings - used == without
