# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("state", ["held", "free"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_no_host_is_asked_in_check_mode(run_action: Callable[..., Any], state: str, check_mode: bool) -> None:
    executed: list[Any] = []
    result = run_action("proxy_lock", {"state": state}, executed=executed, check_mode=check_mode)
    assert [len(executed), result.get("held_by")] == ([0, ""] if check_mode else [1, None])
