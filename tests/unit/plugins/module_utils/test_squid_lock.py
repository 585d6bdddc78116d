# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has a proxy's lock."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import lock


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


def test_of_many_at_once_one_gets_it(path: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: lock.take(path, f"run {number}", f"holder {number}"), range(40)))
    got = [number for number, held in enumerate(found) if held is None]
    assert len(got) == 1
    assert {held["holder"] for held in found if held} == {f"holder {got[0]}"}
    assert Path(path).stat().st_mode & 0o777 == 0o600


def test_it_is_taken_again_and_given_back_by_its_run_alone(path: str) -> None:
    assert lock.take(path, "one", "One") is None
    assert lock.take(path, "one", "One") is None
    lock.give_back(path, "other")
    held = lock.take(path, "other", "Other")
    assert held is not None
    assert held["holder"] == "One"
    assert 1799 < held["until"] - lock._now() <= 1800
    lock.give_back(path, "one")
    assert lock.take(path, "other", "Other") is None


def test_it_can_be_broken(path: str) -> None:
    lock.take(path, "one", "One")
    assert lock.take(path, "other", "Other", break_lock=True) is None
    held = lock.take(path, "one", "One")
    assert held is not None
    assert held["holder"] == "Other"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        *(
            json.dumps({"run": "one", "holder": "One", "since": "10:40 UTC", "until": 0} | odd)
            for odd in ({}, {"until": 1e12}, {"until": "soon"}, {"holder": 1, "until": lock._now() + 60})
        ),
    ],
    ids=range(9),
)
def test_what_has_ended_or_is_none_keeps_nobody_out(text: str, path: str) -> None:
    Path(path).write_text(text)
    assert lock.take(path, "other", "Other") is None


def test_a_link_is_not_followed(path: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("of somebody else")
    Path(path).symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        lock.take(path, "one", "One")
    assert target.read_text() == "of somebody else"
