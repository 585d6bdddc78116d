# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's arguments, sentences and results."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http import profile as http_profile
from ansible_collections.ot_security.proxy_chaining.plugins.modules import console_profile

Run = Callable[..., dict[str, Any]]

CONSOLE_PASSWORD, PASSWORD = "console-S3cret", "proxy-S3cret"
SHOWN = {"enabled": True, "proxyHost": "192.0.2.77", "proxyPort": 3129, "proxyUser": "u1"}


def entry(method: str, path: str, sent: Any, answer: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"method": method, "url": f"https://192.0.2.10{path}", "headers": []}
    if sent is not None:
        request["postData"] = {"mimeType": "application/json", "text": json.dumps(sent)}
    content = {"mimeType": "application/json", "text": json.dumps(answer)}
    return {"request": request, "response": {"status": 200, "headers": [], "content": content}}


HAR = {
    "log": {
        "entries": [
            entry("POST", "/in", {"u": "admin", "p": CONSOLE_PASSWORD}, {}),
            entry("PUT", "/net", SHOWN | {"proxyPassword": PASSWORD, "x": "own-1"}, {}),
            entry("GET", "/net", None, SHOWN),
        ]
    }
}


@pytest.fixture
def run(tmp_path: Path, run_main: Callable[..., dict[str, Any]]) -> Run:
    """Run the module with these arguments on top of what it needs; return what it prints."""
    (tmp_path / "har").write_text(json.dumps(HAR))

    def run_module(**given: Any) -> dict[str, Any]:
        arguments = {
            "har": str(tmp_path / "har"),
            "dest": str(tmp_path / "profile.yml"),
            "console_username": "admin",
            "console_password": CONSOLE_PASSWORD,
            "host": "192.0.2.77",
            "port": 3129,
            "username": "u1",
            "password": PASSWORD,
            "_ansible_tmpdir": str(tmp_path),
            "_ansible_remote_tmp": str(tmp_path),
        }
        return run_main(console_profile.main, arguments | given)

    return run_module


def test_a_profile_is_written_for_review(run: Run, tmp_path: Path) -> None:
    result = run()
    dest = tmp_path / "profile.yml"
    text = dest.read_text()
    assert result["changed"]
    assert "REVIEW THIS" in text
    assert dest.stat().st_mode & 0o777 == 0o644
    assert yaml.safe_load(text) == result["profile"]
    assert http_profile.load(yaml.safe_load(text)).unconfirmed == result["unconfirmed"] == ["save/x"]
    assert any("delete it" in note for note in result["notes"])
    assert result["diff"]["after"] == text


def test_a_second_run_changes_nothing(run: Run, tmp_path: Path) -> None:
    run()
    (tmp_path / "profile.yml").write_text("# seen by Anna\n" + (tmp_path / "profile.yml").read_text())
    result = run()
    assert not result["changed"]
    assert "diff" not in result
    assert "Anna" in (tmp_path / "profile.yml").read_text()


def test_a_wrong_mode_is_put_right(run: Run, tmp_path: Path) -> None:
    run()
    (tmp_path / "profile.yml").chmod(0o600)
    assert run()["changed"]
    assert (tmp_path / "profile.yml").stat().st_mode & 0o777 == 0o644


def test_check_mode_writes_nothing(run: Run, tmp_path: Path) -> None:
    result = run(_ansible_check_mode=True)
    assert result["changed"]
    assert not (tmp_path / "profile.yml").exists()


def test_what_a_person_added_is_kept(run: Run, tmp_path: Path) -> None:
    dest = tmp_path / "profile.yml"
    profile = run()["profile"]
    profile["constants"]["save/x"]["confirmed"] = True
    profile["cloud"] = {"request": {"method": "GET", "path": "/cloud"}, "connected": "OK-1", "issues": {}}
    dest.write_text(yaml.safe_dump(profile))
    result = run()
    assert not result["changed"]
    assert result["unconfirmed"] == []
    changed = copy.deepcopy(HAR)
    changed["log"]["entries"][1] = entry("PUT", "/net", SHOWN | {"proxyPassword": PASSWORD, "x": "own-2"}, {})
    (tmp_path / "har").write_text(json.dumps(changed))
    result = run()
    assert result["changed"]
    assert result["unconfirmed"] == ["save/x"]
    assert result["profile"]["cloud"]["connected"] == "OK-1"


def test_no_secret_is_printed_or_written(run: Run, tmp_path: Path) -> None:
    text = json.dumps(run(_ansible_diff=True)) + (tmp_path / "profile.yml").read_text()
    assert CONSOLE_PASSWORD not in text
    assert PASSWORD not in text


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"console_password": "other"},
            "no request before the save carries the console's user name and password as typed",
        ),
        ({"host": "192.0.2.78"}, "no request carries the proxy's host as typed"),
        ({"har": "/nonexistent/har"}, "cannot be read"),
        ({"dest": "/nonexistent/folder/profile.yml"}, "cannot be written"),
    ],
)
def test_failures_are_sentences(run: Run, given: dict[str, Any], sentence: str) -> None:
    result = run(**given)
    assert result["failed"]
    assert sentence in result["msg"]
    assert "Traceback" not in json.dumps(result)


@pytest.mark.parametrize("text", ["no json", "[" * 100000, "\udcff"])
def test_a_file_that_is_no_recording(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "har").write_bytes(text.encode("utf-8", "surrogateescape"))
    result = run()
    assert result["failed"]
    assert result["msg"].startswith(str(tmp_path / "har"))


@pytest.mark.parametrize("text", ["a: [", "just: anything", "[]"])
def test_another_file_at_dest_is_not_overwritten(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "profile.yml").write_text(text)
    assert "no console profile" in run()["msg"]
    assert (tmp_path / "profile.yml").read_text() == text
