# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options, sentences and results of both modules; the console is the one of the sequence's own tests."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import options, visit
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import push as console_push
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    ConsoleError,
    GoneError,
    SignInError,
)
from ansible_collections.ot_security.proxy_chaining.plugins.modules import sensor_proxy, sensor_proxy_info

from ..module_utils.fake_console import OFF, ON, FakeConsole, FastClock

URL = "https://192.0.2.10"
CONSOLE = {"console_url": URL, "console_username": "admin", "console_password": "console-secret"}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> FakeConsole:
    """The console that the modules find, whatever the transport; time costs nothing."""
    fake = FakeConsole(right="proxy-secret")
    monkeypatch.setattr(options, "open_console", lambda _params: fake)
    monkeypatch.setattr(console_push, "Clock", FastClock)
    # In this process, whose console a test looks at.
    monkeypatch.setattr(visit, "within", lambda _seconds, work: work())
    return fake


@pytest.fixture
def push(console: FakeConsole, run_main: Callable[..., dict[str, Any]]) -> Run:
    """Run sensor_proxy."""

    def run(**given: Any) -> dict[str, Any]:
        arguments = {"host": "192.0.2.250", "username": "plant", "password": "proxy-secret"}
        return run_main(sensor_proxy.main, {**CONSOLE, **arguments, **given})

    return run


class TestPush:
    """sensor_proxy."""

    def test_a_first_push(self, push: Run, console: FakeConsole) -> None:
        """Everything that a caller may want to know, and no secret."""
        result = push(_ansible_diff=True)
        assert result["changed"]
        assert result["before"]["enabled"] is False
        assert result["after"]["host"] == "192.0.2.250"
        assert result["changed_fields"] == ["enabled", "host", "port", "username", "password"]
        assert (result["cloud"], result["version"]) == ({"connected": True, "issues": []}, "25.2.2")
        assert "password: sent\n" in result["diff"]["after"]
        assert "password: none\n" in result["diff"]["before"]
        assert "secret" not in json.dumps(result)
        assert result["told"] == "proxy 192.0.2.250:3128, user plant, connected to the cloud"
        assert console.closed

    def test_a_second_push(self, push: Run) -> None:
        """Changes nothing and has no diff."""
        push()
        result = push()
        assert not result["changed"]
        assert "diff" not in result

    def test_check_mode(self, push: Run, console: FakeConsole) -> None:
        """Says what would be."""
        result = push(_ansible_check_mode=True)
        assert result["changed"]
        assert result["after"]["enabled"] is True
        assert console.settings == OFF
        # The verdict is that of what it has, and stands there.
        assert result["told"] == (
            "would be proxy 192.0.2.250:3128, user plant (changes enabled, host, port, username, password); now proxy off, "
            "Proxy authentication issues"
        )

    def test_a_push_that_does_not_work(self, push: Run, console: FakeConsole) -> None:
        """One sentence with the console, what the sensor says, and what is in force now."""
        console.right = "another"
        result = push(cloud_timeout=9)
        assert result["failed"]
        assert result["msg"] == (
            f"{URL}: the cloud was not reachable within 9 s (Proxy authentication issues); "
            "the previous settings (proxy off) are back."
        )
        assert (result["changed"], result["rolled_back"]) == (False, True)
        assert result["cloud"]["issues"] == ["Proxy authentication issues"]

    @pytest.mark.parametrize("error", [GoneError("nobody answers"), SignInError("no")], ids=repr)
    def test_it_says_whether_the_console_is_gone(self, error: ConsoleError, push: Run, console: FakeConsole) -> None:
        """Whoever removes a sensor goes on without a console that is."""
        console.raises["sign_in"] = [error]
        assert push(state="absent", host=None)["gone"] == isinstance(error, GoneError)

    def test_absent(self, push: Run, console: FakeConsole) -> None:
        """Needs no host and leaves the other fields."""
        console.settings = ON
        result = push(state="absent", host=None)
        assert (result["changed_fields"], console.settings.host) == (["enabled"], ON.host)

    def test_a_certificate_is_known_by_its_content(self, push: Run, console: FakeConsole, tmp_path: Path) -> None:
        """The same content is not uploaded twice, another one is."""
        file = tmp_path / "client.pem"
        file.write_bytes(b"one")
        assert "client_certificate" in push(client_certificate=str(file))["changed_fields"]
        assert console.settings.certificate == f"client-{hashlib.sha256(b'one').hexdigest()[:12]}.pem"
        assert not push(client_certificate=str(file))["changed"]
        file.write_bytes(b"two")
        assert push(client_certificate=str(file))["changed_fields"] == ["client_certificate"]

    def test_evidence(self, push: Run, console: FakeConsole, tmp_path: Path) -> None:
        """Kept where it was asked for, from before the rollback, for the user alone."""
        console.right = "another"
        folder = tmp_path / "evidence"
        result = push(evidence_dir=str(folder))
        assert result["evidence"] == str(folder / "192.0.2.10")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert console.calls.index("evidence") < len(console.calls) - 1 - console.calls[::-1].index("save")
        assert "evidence" not in push()

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"host": "http://192.0.2.250"}, "host 'http://192.0.2.250' is not a name or address"),
            ({"host": "a b"}, "host 'a b' is not a name or address"),
            ({"host": " "}, "host ' ' is not a name or address"),
            ({"port": 0}, "port 0 is not between 1 and 65535"),
            ({"port": 65536}, "port 65536 is not between 1 and 65535"),
            ({"username": "a:b"}, "username 'a:b' has a colon or a control character"),
            ({"password": "a\nb"}, "password has a control character"),
            ({"username": ""}, "password is set, but username is empty; set both or neither"),
            ({"client_certificate": "/nonexistent/c.pem"}, "/nonexistent/c.pem cannot be read: No such file"),
            ({"client_certificate": "/dev/null"}, "client_certificate /dev/null has 0 bytes"),
        ],
    )
    def test_bad_values(self, push: Run, console: FakeConsole, given: dict[str, Any], sentence: str) -> None:
        """Refused before anybody signs in."""
        result = push(**given)
        assert result["failed"]
        assert sentence in result["msg"]
        assert console.calls == []

    def test_a_wrong_console_password(self, push: Run, console: FakeConsole) -> None:
        """Tried once."""
        console.raises["sign_in"] = [SignInError("the console does not accept the password of 'admin'; correct it")]
        result = push()
        assert result["msg"] == f"{URL}: the console does not accept the password of 'admin'; correct it."
        assert (result["changed"], console.calls, console.closed) == (False, ["sign_in"], True)


class TestInfo:
    """sensor_proxy_info."""

    def test_it_reads(self, console: FakeConsole, run_main: Callable[..., dict[str, Any]]) -> None:
        """Settings, version and the sensor's word."""
        console.settings = ON
        result = run_main(sensor_proxy_info.main, CONSOLE)
        assert result["settings"] == {
            "enabled": True,
            "host": "192.0.2.250",
            "port": 3128,
            "username": "plant-a",
            "password_set": True,
            "client_certificate": "",
        }
        assert (result["version"], result["cloud"]["connected"]) == ("25.2.2", False)
        assert console.calls == ["sign_in", "read", "cloud"]
        assert console.closed

    def test_it_fails_in_a_sentence(self, console: FakeConsole, run_main: Callable[..., dict[str, Any]]) -> None:
        """And lets go of the console."""
        console.raises["sign_in"] = [SignInError("no")]
        assert run_main(sensor_proxy_info.main, CONSOLE)["msg"] == f"{URL}: no."
        assert console.closed


class TestOptions:
    """What the modules say of a console that cannot even be looked for."""

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"console_url": "http://192.0.2.10"}, "console_url must be like https://192.0.2.10"),
            ({"console_url": "https://"}, "console_url must be like"),
            ({"console_url": "https://192.0.2.10/login"}, "console_url must be like"),
            ({"console_url": "https://u:p@192.0.2.10"}, "console_url must be like"),
            ({"console_url": "https://192.0.2.10:99999"}, "console_url must be like"),
            ({"console_url": "https://[::1"}, "console_url must be like"),
            ({"console_password": ""}, "console_password is empty"),
            ({"fingerprint": "AB:CD"}, "the fingerprint 'AB:CD' is not a SHA-256 fingerprint"),
        ],
    )
    def test_bad_values(self, given: dict[str, Any], sentence: str, run_main: Callable[..., dict[str, Any]]) -> None:
        """One sentence each."""
        assert sentence in run_main(sensor_proxy_info.main, {**CONSOLE, **given})["msg"]

    def test_http_needs_a_profile(self, run_main: Callable[..., dict[str, Any]]) -> None:
        """There is none that could be shipped."""
        assert "profile" in run_main(sensor_proxy_info.main, {**CONSOLE, "transport": "http"})["msg"]

    @pytest.mark.parametrize("given", ["AA:" * 31 + "AA", "aa" * 32, None, ""])
    def test_fingerprints(self, given: str | None) -> None:
        """As openssl prints them and without colons."""
        assert options.checked_fingerprint(given) == ("aa" * 32 if given else None)
