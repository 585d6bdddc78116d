"""Tables of the documentation that a scenario writes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
START, END = "<!-- faults: a scenario writes this table -->\n", "<!-- /faults -->"


def table(page: str, lines: Sequence[str], columns: Sequence[int]) -> None:
    """Compare a page's table with what was found; with UPDATE_DOCS=1 write it.

    Args:
        page: the file under docs.
        lines: all lines of the table.
        columns: which cells may not differ; times and sentences of Squid do.
    """
    path = DOCS / page
    before, start, rest = path.read_text().partition(START)
    written, end, after = rest.partition(END)
    assert end, f"{path} has no place for the table"
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(before + start + "\n".join(lines) + "\n" + end + after)
        return
    told, found = _cells(written.splitlines()[2:], columns), _cells(lines[2:], columns)
    assert told == found, f"{path} says {told}; found was {found}"


def _cells(lines: Sequence[str], columns: Sequence[int]) -> list[list[str]]:
    return [[line.strip("| ").split(" | ")[column] for column in columns] for line in lines]
