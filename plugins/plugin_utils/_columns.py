# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines for a terminal. Private to this collection."""

from __future__ import annotations

from collections.abc import Sequence

from ansible import constants


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row, whose cells stand below one another; all rows are of one length."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def in_awx() -> bool:
    """Whether ansible-runner shows this run, as it does every job of AWX. It shows JSON, whatever the callback default would."""
    return bool(constants.DEFAULT_STDOUT_CALLBACK == "awx_display")


def shown(lines: Sequence[str]) -> str | list[str]:
    """Give lines the form in which the terminal shows them unbroken; see the filter shown."""
    form = constants.config.get_config_value("result_format", plugin_type="callback", plugin_name="default")
    return "\n".join(lines) if form == "yaml" and not in_awx() else list(lines)
