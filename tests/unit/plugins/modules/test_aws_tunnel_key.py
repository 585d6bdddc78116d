# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key that the module makes; that AWS takes it, the scenario multicloud shows."""

from __future__ import annotations

import re

from ansible_collections.ot_security.proxy_chaining.plugins.modules.aws_tunnel_key import new_key


def test_both_ends_take_the_key_and_no_two_are_the_same() -> None:
    keys = {new_key() for _number in range(100)}
    assert len(keys) == 100
    # AWS's form; what Azure refuses is not in it.
    assert all(re.fullmatch("[1-9A-Za-z._][0-9A-Za-z._]{7,63}", key) for key in keys)
