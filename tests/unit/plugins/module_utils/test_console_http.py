# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Learn from a recording, write and load the profile, replay it: against invented consoles on the loopback interface."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http import profile as http_profile
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http.profile import Profile
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http.transport import HttpConsole
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.learn.har import learn
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.learn.typed import Typed
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    Account,
    ClientCertificate,
    Cloud,
    ExpiredError,
    GoneError,
    LockedError,
    Push,
    RejectedError,
    SignInError,
    Trust,
    UnexpectedError,
    UnreachableError,
    UntrustedError,
)

from . import fake_http_console as fake
from .fake_http_console import DIALECTS, State

UPLOADS = ("nested", "multipart")
SECRET = 'n3w/"pass+word&=%é'

Open = Callable[..., HttpConsole]


def typed(dialect: str) -> Typed:
    certificate = fake.CERTIFICATE if dialect in UPLOADS else ""
    return Typed(fake.USER, fake.PASSWORD, fake.HOST, fake.PORT, fake.PROXY_USER, fake.PROXY_PASSWORD, certificate)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key."""
    return fake.make_pem(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def profiles(pem: Path) -> dict[str, Profile]:
    """What is learned of each console, after it was a file."""
    found = {}
    for dialect in DIALECTS:
        learned = learn(fake.record(State(dialect, fake.own(10)), pem), typed(dialect))
        found[dialect] = http_profile.load(yaml.safe_load(yaml.safe_dump(learned.profile)))
    return found


@pytest.fixture
def opened(profiles: dict[str, Profile], pem: Path) -> Iterator[Open]:
    """Open consoles of given states."""
    with contextlib.ExitStack() as stack:

        def open_console(state: State, password: str = fake.PASSWORD, **changes: Any) -> HttpConsole:
            url = stack.enter_context(fake.serve(state, pem))
            profile = changes.pop("profile", profiles[state.dialect])
            console = HttpConsole(
                url,
                Account(fake.USER, password),
                changes.pop("trust", Trust(validate=False)),
                profile,
                changes.pop("timeout", 5),
            )
            stack.callback(console.close)
            return console

        yield open_console


def sensor(dialect: str, **proxy: Any) -> State:
    """Another sensor than the recorded one, with one name server more and DHCP on."""
    state = State(dialect, fake.own(77, dns=3))
    state.own["dhcp"] = True
    state.proxy |= proxy
    return state


def signed_in(opened: Open, state: State, **changes: Any) -> HttpConsole:
    console = opened(state, **changes)
    console.sign_in()
    return console


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_push_sets_the_proxy_and_nothing_else(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    before = dict(state.own)
    console = signed_in(opened, state)
    assert not console.read().settings.enabled
    certificate = ClientCertificate("client-ab12.pem", b"-----BEGIN\r\nx\0\xff") if dialect in UPLOADS else None
    console.save(Push(True, "proxy-b.example", 8080, "someone", SECRET, certificate))
    assert state.own == before
    assert (state.proxy["host"], state.proxy["port"], state.proxy["user"]) == ("proxy-b.example", 8080, "someone")
    assert (state.proxy["enabled"], state.proxy["password"]) == (True, SECRET)
    settings = console.read().settings
    assert (settings.enabled, settings.host, settings.port, settings.username) == (
        True,
        "proxy-b.example",
        8080,
        "someone",
    )
    assert settings.password_set is (None if dialect == "forms" else True)
    if certificate:
        assert (settings.certificate, state.uploaded) == (certificate.filename, certificate.content)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_not_pushed_stays(opened: Open, dialect: str) -> None:
    state = sensor(
        dialect, enabled=True, host="old.example", port=3130, user="old", password="stored", certificate="old.pem"
    )
    wanted = state.proxy | {"enabled": False}
    console = signed_in(opened, state)
    console.save(Push(enabled=False))
    assert state.proxy == wanted
    console.save(Push(enabled=True, port=3131))
    assert state.proxy == wanted | {"enabled": True, "port": 3131}
    assert state.own == sensor(dialect).own


@pytest.mark.parametrize("dialect", DIALECTS)
def test_one_connection_and_one_sign_in_serve_many_requests(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    console = signed_in(opened, state)
    for port in (1001, 1002, 1003):
        console.save(Push(True, "h.example", port))
        assert console.read().settings.port == port
    assert (state.connections, state.sign_ins) == (1, 1)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_wrong_password_is_sent_once(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    with pytest.raises(SignInError):
        opened(state, "wrong").sign_in()
    assert state.sign_ins == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_lock_is_told_from_a_wrong_password(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    state.locked = True
    with pytest.raises(LockedError, match="locked"):
        opened(state).sign_in()
    assert state.sign_ins == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_ended_session_is_told(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    console = signed_in(opened, state)
    console.read()
    state.sessions.clear()
    with pytest.raises(ExpiredError):
        console.save(Push(True, "h.example", 1))
    with pytest.raises(ExpiredError):
        console.read()
    console.sign_in()
    console.save(Push(True, "h.example", 1))
    assert state.proxy["host"] == "h.example"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_session_that_never_was_is_no_reason_to_sign_in_again(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    console = signed_in(opened, state)
    state.sessions.clear()
    with pytest.raises(SignInError):
        console.read()


def test_nothing_is_asked_before_the_sign_in(opened: Open) -> None:
    state = sensor("flat")
    with pytest.raises(ExpiredError):
        opened(state).read()
    assert state.requests == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refusal_has_the_consoles_words_without_secrets(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    console = signed_in(opened, state)
    with pytest.raises(RejectedError, match="Invalid value for Proxy Host") as caught:
        console.save(Push(True, "not a host", 8080, "u", SECRET))
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_long_words_are_cut(opened: Open) -> None:
    state = sensor("flat")
    console = signed_in(opened, state)
    state.answer, state.only = (400, "application/json", b'{"message": "' + b"no \\n" * 1000 + b'"}'), "PUT"
    with pytest.raises(RejectedError) as caught:
        console.save(Push(True, "h.example", 1))
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_success_that_says_no_is_a_refusal(opened: Open) -> None:
    state = sensor("flat")
    console = signed_in(opened, state)
    state.answer, state.only = (200, "application/json", b'{"success": false, "message": "bad port"}'), "PUT"
    with pytest.raises(RejectedError, match="bad port"):
        console.save(Push(True, "h.example", 1))


def test_the_sensors_word_on_the_cloud(opened: Open) -> None:
    state = sensor("nested")
    console = signed_in(opened, state)
    assert console.cloud() == Cloud(True)
    state.cloud = ["Time drift detected", "Proxy authentication issues: 407"]
    assert console.cloud() == Cloud(False, ("Proxy authentication issues", "Time drift detected"))
    state.cloud = ["Still checking"]
    assert console.cloud() == Cloud(False)


def test_without_a_screen_there_is_no_word_on_the_cloud(opened: Open) -> None:
    assert signed_in(opened, sensor("flat")).cloud() is None


def test_the_version_is_read_once(opened: Open) -> None:
    state = sensor("nested")
    console = signed_in(opened, state)
    assert [console.read().version for _count in range(3)] == ["25.2.2"] * 3
    assert state.requests.count(("GET", "/v9/about")) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, "text/plain", b"boom"), UnreachableError),
        ((503, "text/html", b"<p>later</p>"), UnreachableError),
        ((401, "text/plain", b""), ExpiredError),
        ((403, "text/plain", b""), ExpiredError),
        ((404, "application/json", b"{}"), UnexpectedError),
        ((200, "application/json", b"{}"), UnexpectedError),
        ((200, "application/json", b"[1, 2]"), UnexpectedError),
        ((200, "application/json", b"no json"), UnexpectedError),
        ((200, "application/json", b"[" * 5000), UnexpectedError),
        ((200, "application/json", b'{"proxyEnabled": true}'), UnexpectedError),
        ((200, "application/json", b'{"proxyEnabled": "maybe", "proxyHost": "h", "proxyPort": 1}'), UnexpectedError),
        ((200, "application/json", b'{"proxyEnabled": true, "proxyHost": "h", "proxyPort": "x"}'), UnexpectedError),
        ((200, "application/json", b'{"proxyEnabled": true, "proxyHost": {}, "proxyPort": 1}'), UnexpectedError),
        ((200, "application/json", b" " * (6 * 1024 * 1024)), UnexpectedError),
        ((200, "text/html", b"<input type=password name=x>"), ExpiredError),
        ((200, "text/html", b"<p>hello</p>"), UnexpectedError),
        ((200, "text/html", b"<![if <!-- \xff"), UnexpectedError),
    ],
)
def test_answers_that_are_no_settings(opened: Open, answer: tuple[int, str, bytes], error: type[Exception]) -> None:
    state = sensor("flat")
    console = signed_in(opened, state)
    console.read()
    state.answer, state.only = answer, "GET /net"
    with pytest.raises(error) as caught:
        console.read()
    assert caught.type is error
    with pytest.raises(error):
        console.save(Push(True, "h.example", 1))
    assert not state.proxy["enabled"]


def test_a_field_of_the_sensor_that_is_not_shown_stops_the_save(opened: Open) -> None:
    state = sensor("flat")
    console = signed_in(opened, state)
    del state.own["mtu"]
    with pytest.raises(UnexpectedError, match="/mtu"):
        console.save(Push(True, "h.example", 1))
    assert not [method for method, _path in state.requests if method == "PUT"]


def test_a_profile_that_nobody_confirmed_is_refused(profiles: dict[str, Profile]) -> None:
    constants = {"save/x": http_profile.Constant("abc-1", False)}
    with pytest.raises(UnexpectedError, match="save/x"):
        HttpConsole("https://192.0.2.1", Account("u", "p"), Trust(), replace(profiles["flat"], constants=constants), 1)


def test_a_mask_is_never_sent_back(opened: Open, profiles: dict[str, Profile]) -> None:
    state = sensor("multipart", enabled=True, host="h.example", password="stored")
    profile = profiles["multipart"]
    echoing = replace(
        profile,
        save=replace(profile.save, password_unchanged="current"),
        read=replace(profile.read, fields=profile.read.fields | {"password": "/cloudProxy/passwordMask"}),
    )
    signed_in(opened, state, profile=echoing).save(Push(enabled=True))
    assert state.proxy["password"] == "stored"


def test_what_the_profile_cannot_carry_is_said(opened: Open) -> None:
    state = sensor("flat")
    console = signed_in(opened, state)
    with pytest.raises(UnexpectedError, match="certificate"):
        console.save(Push(True, "h.example", 1, certificate=ClientCertificate("a.pem", b"x")))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_connection_that_was_closed_is_made_again(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    console = signed_in(opened, state)
    state.close_each = True
    console.save(Push(True, "h.example", 1234))
    assert console.read().settings.port == 1234
    assert state.connections > 2
    assert state.sign_ins == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_sign_in_without_an_answer_is_not_repeated(
    opened: Open, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few failures lock this client out, and one that got no answer may have been one."""

    def admit(handler: fake.Handler, *_given: object) -> None:
        handler.state.sign_ins += 1
        raise ConnectionResetError

    monkeypatch.setattr(fake.Handler, "admit", admit)
    state = sensor(dialect)
    with pytest.raises(UnreachableError):
        opened(state).sign_in()
    assert state.sign_ins == 1


def test_a_closed_port_and_silence_are_unreachable(profiles: dict[str, Profile]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        console = HttpConsole(url, Account("u", "p"), Trust(validate=False), profiles["flat"], 0.2)
        # Nothing but its own time ends it.
        with pytest.raises(UnreachableError) as silent:
            console.sign_in()
        assert not isinstance(silent.value, GoneError)
    with pytest.raises(GoneError):
        console.sign_in()


def test_certificates_are_checked(opened: Open, pem: Path) -> None:
    state = sensor("flat")
    with pytest.raises(UntrustedError):
        opened(state, trust=Trust()).sign_in()
    with pytest.raises(UntrustedError, match="fingerprint"):
        opened(state, trust=Trust(fingerprint="0" * 64)).sign_in()
    assert state.requests == []
    opened(state, trust=Trust(ca_path=str(pem))).sign_in()


def test_a_redirect_to_another_host_is_not_followed(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    state = sensor("forms")
    console = signed_in(opened, state)
    monkeypatch.setattr(
        fake.Handler, "forms", lambda self, _what: self.reply(302, "", Location="https://198.51.100.1/frag/network")
    )
    with pytest.raises(UnexpectedError, match="another host"):
        console.read()


def test_endless_redirects_end(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    state = sensor("forms")
    console = signed_in(opened, state)
    monkeypatch.setattr(fake.Handler, "forms", lambda self, _what: self.reply(302, "", Location="/frag/network"))
    with pytest.raises(UnexpectedError, match="redirects"):
        console.read()
    assert len(state.requests) < 12


@pytest.mark.parametrize("dialect", DIALECTS)
def test_evidence_holds_no_secret(opened: Open, dialect: str, tmp_path: Path) -> None:
    state = sensor(dialect)
    console = signed_in(opened, state)
    assert console.evidence(str(tmp_path / "a")) == str(tmp_path / "a.txt")
    console.save(Push(True, "h.example", 1, "u", SECRET))
    console.read()
    spelled = [SECRET, quote(SECRET, safe=""), quote_plus(SECRET), state.token, *state.sessions, fake.PASSWORD]
    text = "\n".join(spelled) + ' {"password": "unknown-1"} <input type=password value=unknown-2> stored'
    state.answer, state.only = (418, "text/plain", text.encode()), "GET"
    with pytest.raises(UnexpectedError):
        console.read()
    name = console.evidence(str(tmp_path / "b"))
    assert name
    written = Path(name).read_text()
    assert "HTTP 418" in written
    assert "stored" in written
    for secret in (*spelled, "unknown-1", "unknown-2"):
        assert secret not in written
    assert Path(name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_push_costs_little_cpu(opened: Open, dialect: str) -> None:
    state = sensor(dialect)
    started = time.thread_time()  # the fake console's threads do not count
    console = signed_in(opened, state)
    console.read()
    console.save(Push(True, "h.example", 1234, "u", "p"))
    console.read()
    console.cloud()
    assert time.thread_time() - started < 0.2  # about 0.01 where it was written; the margin is for a busy machine
