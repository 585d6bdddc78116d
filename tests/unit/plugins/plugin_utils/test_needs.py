# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller lacks is said at once, and only where somebody needs it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser import chromium
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import needs

UFW = {"state": "present", "firewall": "ufw"}
BROWSER = {"state": "present", "transport": "browser"}


@pytest.mark.parametrize(
    ("proxy", "sensor", "lacks"),
    [
        (UFW, BROWSER, ["playwright, needed by s:", "Chromium, needed by s:", "community.general, needed by p:"]),
        (UFW | {"firewall": "nftables"}, BROWSER | {"transport": "http"}, []),
        ({"state": "absent", "firewall": "ufw"}, BROWSER | {"state": "handoff"}, []),
        # One with a mistake, and one that was not looked at.
        ({"mistakes": ["p: x"]}, {"skipped": True}, []),
    ],
)
def test_it_is_missed_where_it_is_needed(proxy: dict[str, Any], sensor: dict[str, Any], lacks: list[str]) -> None:
    found = needs.missing({"p": proxy}, {"s": sensor}, has=lambda _package: False)
    assert len(found) == len(lacks)
    for sentence, words in zip(found, lacks, strict=True):
        assert words in sentence
    assert needs.missing({"p": proxy}, {"s": sensor}, has=lambda _package: True) == []


def test_many_hosts_are_one_sentence() -> None:
    sensors = {f"s{number}": BROWSER for number in range(9)}
    (one, _two) = needs.missing({}, sensors, has=lambda _package: False)
    assert "needed by s0, s1, s2 and 6 more:" in one


def test_what_nobody_has_installed_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(chromium, "installed", lambda: None)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    found = needs.missing({"p": UFW}, {"s": BROWSER})
    assert ["Chromium" in sentence for sentence in found].count(True) == 1
    (tmp_path / "chromium-1").mkdir()
    assert not any("Chromium" in sentence for sentence in needs.missing({}, {"s": BROWSER}))
