# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines for a terminal. Private to this collection."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from ansible import constants

MARGIN = 12
"""What Ansible needs of a line for its own indentation and quotes."""

LEAST = 20
"""Columns of a cell that is folded."""


def width() -> int:
    """Return how long a line may be on the terminal that the run is shown on; without one, as long as it likes."""
    try:
        # A task runs in a process that ansible-core has detached from it.
        terminal = os.open(f"/proc/{os.getppid()}/fd/1", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return sys.maxsize
    try:
        return os.get_terminal_size(terminal).columns - MARGIN
    except OSError:
        return sys.maxsize
    finally:
        os.close(terminal)


def aligned(rows: Sequence[Sequence[str]], most: int = sys.maxsize) -> list[str]:
    """Return each row as a line, whose cells stand below one another; the widest column is folded where a line would be too long.

    Args:
        rows: the cells, of which all rows have as many.
        most: how long a line may be.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    excess = sum(widths) + 2 * (len(widths) - 1) - most
    if excess > 0:
        widest = widths.index(max(widths))
        widths[widest] = max(LEAST, widths[widest] - excess)
        rows = [part for row in rows for part in _folded(row, widest, widths[widest])]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _folded(row: Sequence[str], column: int, most: int) -> list[list[str]]:
    parts = textwrap.wrap(row[column], most, break_long_words=False, break_on_hyphens=False) or [""]
    cells = [[cell] if at != column else parts for at, cell in enumerate(row)]
    return [list(line) for line in zip_longest(*cells, fillvalue="")]


def in_awx() -> bool:
    """Whether ansible-runner shows this run, as it does every job of AWX. It shows JSON, whatever the callback default would."""
    return bool(constants.DEFAULT_STDOUT_CALLBACK == "awx_display")


def shown(lines: Sequence[str]) -> str | list[str]:
    """Give lines the form in which the terminal shows them unbroken; see the filter shown."""
    form = constants.config.get_config_value("result_format", plugin_type="callback", plugin_name="default")
    return "\n".join(lines) if form == "yaml" and not in_awx() else list(lines)
