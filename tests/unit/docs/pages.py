# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation's pages: their commands, links, code and headings; for tests."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[3]

_SHELL = ("", "bash", "console", "sh", "shell")
"""Languages of blocks that hold commands; a block without a language may hold something else."""

_COMMENT = re.compile(r"\s+#\s.*")


@dataclass(frozen=True)
class Block:
    """A block of code."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """Where a person finds it."""
        return f"{name(self.page)}:{self.line}"

    @property
    def may_be_commands(self) -> bool:
        """Whether somebody might type it into a shell."""
        return self.language in _SHELL

    @property
    def lines(self) -> list[str]:
        """The commands in it: continued lines are joined, comments left out."""
        joined = re.sub(r"\s*\\\n\s*", " ", self.text)
        return [line for line in (_COMMENT.sub("", line).strip() for line in joined.splitlines()) if line]


def pages() -> list[Path]:
    """Return what users read; what has a README of its own for developers is not in it."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    found += [*(ROOT / "roles").glob("*/README.md"), *(ROOT / "examples").rglob("README.md")]
    return sorted(path for path in found if "docsite" not in path.parts)


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of code; where there may be commands, each part between blank lines, since one part may be what one sees."""
    for token in _tokens(page):
        if token.type in ("fence", "code_block"):
            assert token.map
            language, line = token.info.strip(), token.map[0] + 1 + (token.type == "fence")
            for part in re.split(r"\n(?=\n)", token.content) if language in _SHELL else [token.content]:
                yield Block(page, line + len(part) - len(part.lstrip("\n")), language, part.lstrip("\n"))
                line += part.count("\n") + 1


def code(page: Path) -> Iterator[str]:
    """Yield what is in backticks in the text."""
    return (child.content for child in _inline(page) if child.type == "code_inline")


def links(page: Path) -> Iterator[str]:
    """Yield the targets of links and images."""
    for child in _inline(page):
        target = child.attrGet("href") or child.attrGet("src")
        if target:
            yield str(target)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    tokens = _tokens(page)
    texts = (tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open")
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in texts}


def _inline(page: Path) -> Iterator[Token]:
    return (child for token in _tokens(page) if token.type == "inline" for child in token.children or [])


@functools.cache
def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Listed:
    """What commands.yml says."""

    commands: list[str]
    executor: dict[str, str]
    """By command."""
    outputs: set[str]
    """First lines of blocks that hold no commands."""


def listed() -> Listed:
    """Read commands.yml."""
    said = yaml.safe_load(Path(__file__).with_name("commands.yml").read_text(encoding="utf-8"))
    pairs = [(command, by) for by, commands in said["executed_by"].items() for command in commands]
    return Listed([command for command, by in pairs], dict(pairs), set(said["outputs"]))
