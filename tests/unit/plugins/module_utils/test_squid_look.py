# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has of Squid, from what its commands and files say."""

from __future__ import annotations

import grp
import hashlib
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.connect import Listener
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import state


class Says:
    """A host on which every command says the same."""

    def __init__(self, out: str, code: int = 0) -> None:
        self.out, self.code = out, code
        self.asked: list[str] = []

    def __call__(self, argv: Sequence[str]) -> tuple[int, str, str]:
        self.asked = list(argv)
        return self.code, self.out, ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n', "Debian 12"),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n', "Ubuntu 24.04"),
        ('PRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\nID=debian\n', "Debian forky"),
        ("ID=arch\n", "Arch"),
        ("", "Linux"),
    ],
)
def test_the_release(text: str, expected: str) -> None:
    assert state.release(text) == expected


def test_packages_that_are_installed() -> None:
    host = Says("squid config-files\nsquid-openssl installed\npython3-apt installed\n", code=1)
    assert state.packages(host) == ["squid-openssl", "python3-apt"]
    assert host.asked[-3:] == ["squid", "squid-openssl", "python3-apt"]
    assert state.packages(Says("")) == []


def test_lines_in_the_profile_of_apparmor(tmp_path: Path) -> None:
    path = tmp_path / "usr.sbin.squid"
    found = [state.has_apparmor_rules(str(path))]
    for content in ("# somebody's\n", "# somebody's\n# BEGIN ot_security.proxy_chaining\n/bin/sh rix,\n"):
        path.write_text(content)
        found.append(state.has_apparmor_rules(str(path)))
    assert found == [False, False, True]


def test_diversions() -> None:
    told = (
        "local diversion of /etc/squid/squid.conf to /etc/squid/squid.conf.factory\n"
        "diversion of /etc/logrotate.d/squid to /etc/squid/logrotate.factory by other\n"
    )
    assert state.diversions(Says(told)) == ["/etc/squid/squid.conf", "/etc/logrotate.d/squid"]
    assert state.diversions(Says("")) == []


@pytest.mark.parametrize(
    ("word", "expected"), [("enabled\n", True), ("enabled-runtime\n", False), ("disabled\n", False), ("", False)]
)
def test_whether_the_service_is_enabled(word: str, expected: bool) -> None:
    assert state.is_enabled(Says(word)) is expected


def test_files_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"text")
    there.chmod(0o4640)

    def nobody(number: int) -> Any:
        raise KeyError(number)

    def somebody(_number: int) -> Any:
        return ("somebody", "x")

    monkeypatch.setattr(pwd, "getpwuid", somebody)
    monkeypatch.setattr(grp, "getgrgid", nobody)
    assert state.files([str(there), str(tmp_path / "not there"), str(tmp_path)]) == {
        str(there): {
            "mode": "4640",
            "owner": "somebody",
            "group": str(there.stat().st_gid),
            "sha256": hashlib.sha256(b"text").hexdigest(),
        }
    }


@pytest.mark.parametrize(
    ("address", "expected"),
    [("", True), ("127.0.0.1", True), ("::", True), ("192.0.2.77", False), ("2001:db8::77", False)],
)
def test_whether_an_address_is_this_hosts(address: str, expected: bool) -> None:
    assert state.is_here(Listener(address, 3128)) is expected
