# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a host; the host is the one of the tests of squid_config."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import evidence, state
from ansible_collections.ot_security.proxy_chaining.plugins.modules import squid_info

from ..module_utils.fake_squid import CONFIG, FakeHost, proven

Run = Callable[..., dict[str, Any]]

TOKEN = "0123456789abcdef" * 2
LOGIN = "cache_peer p parent 1 0 login=u:hunter2\n"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """The host that the module finds itself on."""
    fake = FakeHost(proven(TOKEN, more=f"{LOGIN}http_port 192.0.2.77:3200\n"))
    monkeypatch.setattr(squid_info, "Host", lambda *_arguments: fake)
    monkeypatch.setattr(state, "packages", lambda _run: ["squid"])
    monkeypatch.setattr(state, "diversions", lambda _run: ["/etc/squid/squid.conf"])
    monkeypatch.setattr(state, "is_enabled", lambda _run, service="squid": service == "squid")
    return fake


@pytest.fixture
def run(host: FakeHost, run_main: Callable[..., dict[str, Any]]) -> Run:
    """Run the module with these arguments; return what it prints."""

    def run_module(**given: Any) -> dict[str, Any]:
        return run_main(squid_info.main, {"path": CONFIG, "probe_endpoints": ["a.example", "b.example"], **given})

    return run_module


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_look(run: Run, host: FakeHost, check_mode: bool) -> None:
    host.down = {"b.example"}
    before = dict(host.files)
    found = run(files=["/etc/os-release", "/nowhere"], _ansible_check_mode=check_mode)
    assert (found["changed"], host.done(), host.files) == (False, [], before)
    assert (found["packages"], found["diversions"], found["enabled"]) == (["squid"], ["/etc/squid/squid.conf"], True)
    assert list(found["files"]) == ["/etc/os-release"]
    assert found["release"]
    assert found["configuration"].startswith("# Managed by Ansible, ot_security.proxy_chaining")
    assert found["endpoints"] == {"a.example": "200", "b.example": "503"}
    assert found["reached"] == ["a.example"]


def test_no_secret_is_printed(run: Run) -> None:
    printed = json.dumps(run())
    assert "login=u:********" in printed
    assert TOKEN not in printed
    assert "hunter2" not in printed


def test_a_listener_whose_address_has_gone_is_none(run: Run) -> None:
    assert run()["listeners"] == [{"address": "", "port": 3128, "tls": False}]


@pytest.mark.parametrize(
    "text", [None, "http_port 3128\nhttp_access allow all\n", proven(TOKEN).replace("# Managed", "# Made")]
)
def test_what_is_not_ours_is_not_asked(run: Run, host: FakeHost, text: str | None) -> None:
    host.files = {} if text is None else {CONFIG: text}
    found = run(expected=["a.example"])
    assert (found["configuration"], found["listeners"], found["endpoints"], host.log) == ("", [], {}, [])


def test_a_proxy_that_does_not_run_reaches_nothing(run: Run, host: FakeHost) -> None:
    host.loaded = None
    assert run()["endpoints"] == {"a.example": "Connection refused", "b.example": "Connection refused"}


def test_what_is_expected_is_given_time(run: Run, host: FakeHost) -> None:
    host.down = {"a.example"}
    pause = host.pause

    def recover(seconds: float) -> None:
        pause(seconds)
        if host.now() >= 15:
            host.down = set()

    host.pause = recover  # type: ignore[method-assign]
    assert run()["endpoints"]["a.example"] == "503"
    assert run(expected=["a.example"])["endpoints"]["a.example"] == "200"


def test_what_is_expected_in_vain_is_waited_for_as_long_as_after_a_reload(run: Run, host: FakeHost) -> None:
    host.down = {"a.example"}
    assert run(expected=["a.example"])["endpoints"]["a.example"] == "503"
    assert 20 <= host.now() < 21


def test_a_host_that_cannot_be_read_is_a_sentence(run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(host, "read", fail)
    assert run()["msg"] == (
        "this host could not be looked at: [Errno 13] Permission denied; see that it runs as root, on Debian or Ubuntu."
    )


def test_who_used_the_proxy_is_read_only_where_it_is_asked_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(timezone.utc)
    lines = [
        f"{(now - timedelta(days=days)).strftime('%Y-%m-%dT%H:%M:%S%z')} 5 10.0.0.1 - - {result} 9 CONNECT {host}:443 HIER_DIRECT/-"
        for days, result, host in (
            (9, "TCP_TUNNEL/200", "old.example"),
            (2, "TCP_TUNNEL/200", "a.example"),
            (2, "TCP_TUNNEL/200", "a.example"),
            (1, "TCP_DENIED/403", "b.example"),
        )
    ]
    log = tmp_path / "access.log"
    log.write_text("\n".join([*lines, ""]))
    monkeypatch.setattr(evidence, "open_connections", lambda _tables, ports: {"10.0.0.1": 2} if 3200 in ports else {})
    found = run(days=7, log=str(log))
    assert found["open"] == {"10.0.0.1": 2}
    assert {who: {host: use["tunnels"] for host, use in used.items()} for who, used in found["seen"].items()} == {
        "10.0.0.1": {"a.example": 2}
    }
    monkeypatch.setattr(squid_info, "MOST_NAMES", 1)
    assert list(run(days=30, log=str(log))["seen"]["10.0.0.1"]) == ["old.example"]
    without = run(log=str(log))
    assert (without["open"], without["seen"]) == ({}, {})


def test_a_file_made_by_hand_is_shown_without_what_may_be_a_password(run: Run, host: FakeHost) -> None:
    host.files[CONFIG] = "http_port 3128\nacl s src 10.0.0.1\ncachemgr_passwd hunter2 all\nhttp_access allow s\n"
    found = run()
    assert found["configuration"] == ""
    assert "acl s src 10.0.0.1\n" in found["by_hand"]
    assert "hunter2" not in json.dumps(found)
