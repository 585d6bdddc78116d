"""The result: kept as JSON, shown as text or as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Row = dict[str, str | float]


@dataclass(frozen=True)
class Target:
    """A figure that must not be larger than its limit."""

    name: str
    value: float
    limit: float

    def __str__(self) -> str:
        verdict = "met" if self.value <= self.limit else "MISSED"
        return f"target {verdict}: {self.name}: {self.value:g} (at most {self.limit:g})"


@dataclass(frozen=True)
class Part:
    """The tables of one part by their titles, and what they should reach."""

    tables: dict[str, list[Row]]
    targets: list[Target]


def save(path: Path, machine: dict[str, str], name: str, part: Part) -> None:
    """Put one part's figures, and the machine they come from, beside those of the others."""
    document = load(path)
    document[name] = {"machine": machine, **asdict(part)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def load(path: Path) -> dict[str, Any]:
    """Return what was saved."""
    return json.loads(path.read_text()) if path.exists() else {}


def text(part: Part) -> str:
    """Return a part for the terminal."""
    lines = []
    for title, rows in part.tables.items():
        lines += ["", title, *_aligned(rows)]
    return "\n".join([*lines, *map(str, part.targets), ""])


def markdown(document: dict[str, Any]) -> str:
    """Return all parts for docs/figures.md."""
    lines = []
    for _name, part in sorted(document.items()):
        for title, rows in part["tables"].items():
            header, *cells = _cells(rows)
            rule = ["---:" if isinstance(value, int | float) else "---" for value in rows[0].values()]
            lines += ["", f"**{title}** ({', '.join(part['machine'].values())})", ""]
            lines += [f"| {' | '.join(line)} |" for line in (header, rule, *cells)]
    return "\n".join(lines[1:])


def _cells(rows: list[Row]) -> Iterator[list[str]]:
    yield list(rows[0])
    for row in rows:
        yield [f"{value:,}" if isinstance(value, int | float) else value for value in row.values()]


def _aligned(rows: list[Row]) -> Iterator[str]:
    cells = list(_cells(rows))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [isinstance(value, int | float) for value in rows[0].values()]
    for line in cells:
        columns = zip(line, widths, numeric, strict=True)
        yield (
            "  "
            + "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in columns).rstrip()
        )
