# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the sequence does to a real file system; commands are answered by the test."""

from __future__ import annotations

import grp
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.host import Host


class Commands:
    """Answers every command, and remembers it."""

    def __init__(self, code: int = 0, out: str = "", err: str = "") -> None:
        self.answer = (code, out, err)
        self.run: list[list[str]] = []

    def __call__(self, argv: Sequence[str]) -> tuple[int, str, str]:
        self.run.append(list(argv))
        return self.answer


@pytest.fixture
def chowned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The owners that files were given; only root could really give them."""
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _handle, user, group: given.append((user, group)))
    return given


def host(commands: Commands | None = None, binary: str = sys.executable) -> Host:
    return Host(commands or Commands(), binary, "squid", grp.getgrgid(os.getgid()).gr_name)


def test_a_staged_file_lies_beside_its_destination_for_root_and_the_group_only(
    tmp_path: Path, chowned: list[tuple[int, int]]
) -> None:
    staged = Path(host().stage(str(tmp_path / "squid.conf"), "text"))
    assert (staged.parent, staged.read_text()) == (tmp_path, "text")
    assert staged.name.startswith(".squid.conf.")
    assert staged.name.endswith(".staged")
    assert staged.stat().st_mode & 0o7777 == 0o640
    assert chowned == [(0, os.getgid())]


@pytest.mark.parametrize("content", ["a\nb\n", "a\r\nb\r\n", "grün\n", ""], ids=["unix", "dos", "utf-8", "empty"])
@pytest.mark.usefixtures("chowned")
def test_what_is_read_is_what_was_written(tmp_path: Path, content: str) -> None:
    # Else a file would never be as wanted, and every run would change it.
    path = str(tmp_path / "squid.conf")
    host().swap(host().stage(path, content), path)
    assert host().read(path) == content


def test_what_is_not_there_reads_as_none_and_can_be_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "absent")
    assert host().read(path) is None
    host().remove(path)


def test_a_foreign_file_in_another_encoding_can_be_read(tmp_path: Path) -> None:
    # A comment that somebody wrote by hand must not keep the plant's proxy from being taken over, or brought back.
    (tmp_path / "squid.conf").write_bytes(b"# f\xfcr Halle 3\nhttp_port 3128\n")
    assert "http_port 3128" in str(host().read(str(tmp_path / "squid.conf")))


@pytest.mark.usefixtures("chowned")
def test_a_file_that_cannot_be_written_leaves_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        host().stage(str(tmp_path / "squid.conf"), "login=u:secret")
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_survives_the_swap(tmp_path: Path) -> None:
    path, kept, staged = (tmp_path / name for name in ("squid.conf", "squid.conf.unproven", ".staged"))
    path.write_text("old")
    kept.write_text("older")
    staged.write_text("new")
    host().keep(str(path), str(kept))
    host().swap(str(staged), str(path))
    assert (path.read_text(), kept.read_text(), staged.exists()) == ("new", "old", False)


@pytest.mark.usefixtures("chowned")
def test_a_power_failure_after_a_step_does_not_undo_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_disk: list[tuple[str, dict[str, str]]] = []

    def fsync(handle: int) -> None:
        what = Path(f"/proc/self/fd/{handle}").readlink()
        on_disk.append((what.name, {found.name: found.read_text() for found in tmp_path.iterdir()}))

    monkeypatch.setattr(os, "fsync", fsync)
    path, kept = tmp_path / "squid.conf", tmp_path / "squid.conf.unproven"
    path.write_text("old")
    staged = Path(host().stage(str(path), "new"))
    host().keep(str(path), str(kept))
    host().swap(str(staged), str(path))
    assert on_disk == [
        (staged.name, {path.name: "old", staged.name: "new"}),
        (tmp_path.name, {path.name: "old", staged.name: "new", kept.name: "old"}),
        (tmp_path.name, {path.name: "new", kept.name: "old"}),
    ]


def test_parse_gives_all_that_squid_says() -> None:
    commands = Commands(1, "out\n", "err\n")
    assert host(commands, "/usr/sbin/squid").parse("/etc/squid/.x") == (1, "out\nerr\n")
    assert commands.run == [["runuser", "-u", "root", "--", "/usr/sbin/squid", "-k", "parse", "-f", "/etc/squid/.x"]]


@pytest.mark.parametrize(("says", "version"), [("Squid Cache: Version 7.2\nService Name: squid\n", "7.2"), ("", "")])
def test_version_is_squids_own_word(says: str, version: str) -> None:
    commands = Commands(0, says, "")
    assert host(commands, "/usr/sbin/squid").version() == version
    assert commands.run == [["/usr/sbin/squid", "-v"]]


@pytest.mark.parametrize("verb", ["start", "restart", "stop"])
def test_the_start_limit_is_lifted_where_squid_starts(verb: str) -> None:
    commands = Commands()
    assert host(commands).systemctl(verb) == ""
    assert commands.run == [["systemctl", "reset-failed", "squid"], ["systemctl", verb, "squid"]]


def test_a_reload_lifts_nothing_and_passes_on_the_complaint() -> None:
    commands = Commands(1, "", "not active, cannot reload.\n")
    assert host(commands).systemctl("reload") == "not active, cannot reload."
    assert commands.run == [["systemctl", "reload", "squid"]]


def test_a_process_of_another_program_is_recognised() -> None:
    assert not host(Commands(out=f"{os.getpid()}\n")).runs_another_binary()
    assert host(Commands(out=f"{os.getpid()}\n"), "/usr/sbin/squid").runs_another_binary()


@pytest.mark.parametrize("answer", ["", "0\n", "[not set]\n", "99999999\n"])
def test_no_process_runs_no_other_program(answer: str) -> None:
    assert not host(Commands(out=answer)).runs_another_binary()


@pytest.mark.usefixtures("chowned")
def test_what_a_killed_run_staged_is_swept_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "squid.conf")
    others = {".users.x.staged", ".squid.conf.swp", "squid.conf.staged", "squid.conf", "squid.conf.unproven"}
    for name in others:
        (tmp_path / name).write_text("x")
    host().stage(path, "login=u:secret")
    host().stage(path, "login=u:secret")
    host().sweep(path)
    assert {found.name for found in tmp_path.iterdir()} == others


def test_where_there_is_no_folder_nothing_is_swept(tmp_path: Path) -> None:
    host().sweep(str(tmp_path / "squid" / "squid.conf"))


@pytest.mark.parametrize(
    ("owner", "group", "mode", "private"),
    [
        (0, os.getgid(), 0o100640, True),
        (0, os.getgid(), 0o100644, False),
        (0, os.getgid(), 0o100600, False),
        (0, os.getgid(), 0o104640, False),
        (1000, os.getgid(), 0o100640, False),
        (0, os.getgid() + 1, 0o100640, False),
    ],
    ids=["as staged", "others read", "squid cannot read", "setuid", "owner", "group"],
)
def test_a_file_is_private_with_the_owner_and_mode_of_a_staged_one(
    monkeypatch: pytest.MonkeyPatch, owner: int, group: int, mode: int, private: bool
) -> None:
    monkeypatch.setattr(Path, "stat", lambda _path: os.stat_result((mode, 1, 1, 1, owner, group, 0, 0, 0, 0)))
    assert host().is_private("/etc/squid/squid.conf") is private


def test_a_file_that_is_not_there_needs_no_other_mode(tmp_path: Path) -> None:
    assert host().is_private(str(tmp_path / "users"))


def test_what_is_kept_comes_back_where_nothing_was_swapped_yet(tmp_path: Path) -> None:
    # Both names are of one file then, and rename(2) leaves them so.
    path, kept = tmp_path / "squid.conf", tmp_path / "squid.conf.unproven"
    path.write_text("old")
    host().keep(str(path), str(kept))
    host().swap(str(kept), str(path))
    host().remove(str(kept))
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("squid.conf", "old")]


@pytest.mark.usefixtures("chowned")
def test_what_was_proven_is_told_from_what_was_changed_by_hand(tmp_path: Path) -> None:
    path, users = str(tmp_path / "squid.conf"), str(tmp_path / "users")
    texts = {path: "gr\udcfcn\n", users: "anna:$6$x$y\n"}
    for each, text in texts.items():
        host().swap(host().stage(each, text), each)
    host().remember(path, texts)
    check = ["sha256sum", "--check", "--status", "--strict", f"{path}.proven"]
    assert subprocess.run(check, check=False).returncode == 0
    written = Path(f"{path}.proven").stat().st_ino
    host().remember(path, texts)
    assert Path(f"{path}.proven").stat().st_ino == written
    Path(users).write_text("mallory:$6$x$y\n", encoding="utf-8")
    assert subprocess.run(check, check=False).returncode != 0
