# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Both modules against consoles on loopback that want to keep them, or to have them repeat a password."""

from __future__ import annotations

import base64
import codecs
import contextlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import options, visit
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser import gate
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http import wire
from ansible_collections.ot_security.proxy_chaining.plugins.modules import sensor_proxy, sensor_proxy_info

from ..module_utils.fake_console import ON, FakeConsole
from ..module_utils.fake_web import CHROMIUM, PASSWORD, USERNAME, Certified, certify, serve

NEEDS_CHROMIUM = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH; tools/programs installs one")

Run = Callable[..., dict[str, Any]]

PROFILE: dict[str, Any] = {
    "format": 1,
    "sign_in": {"request": {"method": "GET", "path": "/"}},
    "read": {
        "request": {"method": "GET", "path": "/"},
        "format": "html",
        "fields": {"enabled": "e", "host": "h", "port": "p"},
    },
    "save": {
        "requests": [
            {
                "method": "POST",
                "path": "/",
                "format": "form",
                "body": {"e": "${enabled}", "h": "${host}", "p": "${port}"},
            }
        ]
    },
}


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return certify(tmp_path, "console")


@contextlib.contextmanager
def _raw(certified: Certified, answer: Callable[[ssl.SSLSocket, threading.Event], None]) -> Iterator[int]:
    """Let something answer each TLS connection as it likes, until the end of the block."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.file, certified.key)
    done = threading.Event()

    def one(plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as connection:
            connection.recv(65536)
            answer(connection, done)

    def accept(server: socket.socket) -> None:
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(5)


def _drip(connection: ssl.SSLSocket, done: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not done.wait(0.05):
        connection.sendall(b"x")


def _continue(connection: ssl.SSLSocket, done: threading.Event) -> None:
    while not done.is_set():
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def _forever(connection: ssl.SSLSocket, done: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><body>")
    while not done.is_set():
        connection.sendall(b"<p>more" * 9000)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visits whose time is short."""
    within = visit.within
    monkeypatch.setattr(visit, "within", lambda seconds, work: within(min(seconds, 6), work))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("module", "more"), [(sensor_proxy, {"host": "192.0.2.5"}), (sensor_proxy_info, {})])
@pytest.mark.parametrize("answer", [_drip, _continue])
def test_an_answer_by_http_that_never_ends(
    module: Any, more: dict[str, Any], answer: Any, certified: Certified, run_main: Run
) -> None:
    with _raw(certified, answer) as port:
        result = run_main(module.main, _options(port, certified, transport="http", profile=PROFILE, **more))
    assert result["failed"]
    assert result["msg"].startswith(f"https://127.0.0.1:{port}: the console was not done with after 6 s")


def _options(port: int, certified: Certified, **more: Any) -> dict[str, Any]:
    options = {"console_url": f"https://127.0.0.1:{port}", "console_username": USERNAME, "console_password": PASSWORD}
    return {**options, "ca_path": str(certified.file), "timeout": 3, **more}


@pytest.mark.parametrize("transport", ["http", pytest.param("browser", marks=NEEDS_CHROMIUM)])
def test_what_a_visit_may_cost_in_bytes(
    transport: str, certified: Certified, run_main: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (gate, wire):
        monkeypatch.setattr(module, "BUDGET", 3_000_000)
    with _raw(certified, _forever) as port:
        result = run_main(
            sensor_proxy_info.main, _options(port, certified, transport=transport, profile=PROFILE, timeout=10)
        )
    assert "has sent more than" in result["msg"]


FOREVER = "while (true) {}"


@NEEDS_CHROMIUM
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "script", [FOREVER, f"setTimeout(() => {{ {FOREVER} }}, 300)", "while (true) alert(1)", "while (true) open()"]
)
def test_a_page_that_computes_for_ever(script: str, certified: Certified, run_main: Run) -> None:
    page = f"<label>Username<input></label><label>Password<input type=password></label><script>{script}</script>"
    with serve(certified) as web:
        web.answers["/"] = (200, {}, page)
        result = run_main(sensor_proxy_info.main, _options(web.port, certified))
    assert result["failed"]
    assert visit._children() == set()
    assert not list(Path("/tmp").glob(f"console-{os.getpid()}-*"))


ECHOES = {
    "as it is": PASSWORD,
    "base64": base64.b64encode(PASSWORD.encode()).decode(),
    "base64 with the name": base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode(),
    "hexadecimal": PASSWORD.encode().hex(),
    "spaced": " ".join(PASSWORD),
    "with dashes": "-".join(PASSWORD),
    "backwards": PASSWORD[::-1],
    "upper case": PASSWORD.upper(),
    "rotated": codecs.encode(PASSWORD, "rot13"),
    "numbers": " ".join(str(ord(mark)) for mark in PASSWORD),
    "drawn": "\n".join("#" * (ord(mark) % 16) for mark in PASSWORD),
}


def _assert_kept_nowhere(echo: str, result: dict[str, Any], folder: Path) -> None:
    kept = [json.dumps(result, ensure_ascii=False)]
    for file in folder.iterdir():
        assert file.suffix == ".txt", "a picture was taken after a password was typed"
        assert file.stat().st_mode & 0o777 == 0o600
        kept.append(file.read_text())
    for text in kept:
        assert "".join(echo.split()) not in "".join(text.replace("\\n", "").split())
        assert "Invalid password" in text


@NEEDS_CHROMIUM
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_a_screen_that_repeats_the_password(echo: str, certified: Certified, run_main: Run, tmp_path: Path) -> None:
    said = json.dumps(f"Invalid password: {echo}")
    page = (
        "<label>Username<input></label><label>Password<input type=password></label><button>Login</button><p role=alert></p>"
        f"<script>document.querySelector('button').onclick = () => document.querySelector('p').innerText = {said}</script>"
    )
    with serve(certified) as web:
        web.answers["/"] = (200, {}, page)
        options = _options(web.port, certified, evidence_dir=str(tmp_path / "kept"))
        result = run_main(sensor_proxy_info.main, options)
    assert "does not accept the password" in result["msg"]
    _assert_kept_nowhere(echo, result, tmp_path / "kept")


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain"])
def test_an_answer_that_repeats_the_password(
    echo: str, kind: str, certified: Certified, run_main: Run, tmp_path: Path
) -> None:
    said = f"Invalid password: {echo}"
    body = (json.dumps({"message": said}) if kind == "application/json" else said).encode()

    def answer(connection: ssl.SSLSocket, _done: threading.Event) -> None:
        head = f"HTTP/1.1 400 Bad\r\nContent-Type: {kind}\r\nX-Said: {PASSWORD}\r\nContent-Length: {len(body)}\r\n\r\n"
        for _request in range(3):
            connection.sendall(head.encode() + body)
            connection.recv(65536)

    sign_in = {"request": {"method": "POST", "path": "/in", "format": "json", "body": {"p": "${console_password}"}}}
    with _raw(certified, answer) as port:
        options = _options(port, certified, transport="http", profile={**PROFILE, "sign_in": sign_in})
        result = run_main(sensor_proxy_info.main, {**options, "evidence_dir": str(tmp_path / "kept")})
    assert "does not accept the password" in result["msg"]
    _assert_kept_nowhere(
        echo, {"msg": "Invalid password" + result["msg"], "path": result["evidence"]}, tmp_path / "kept"
    )


@pytest.mark.parametrize("what", ["host", "username", "certificate"])
@pytest.mark.parametrize(
    "echo",
    [ECHOES[name] for name in ("base64", "base64 with the name", "hexadecimal", "spaced", "with dashes", "backwards")],
)
def test_a_setting_that_is_the_password(what: str, echo: str, run_main: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, Any] = {what: f"x {echo}"}
    fake = FakeConsole(replace(ON, **shown))
    fake.stores = False
    monkeypatch.setattr(options, "open_console", lambda _params: fake)
    given = {"console_url": "https://192.0.2.1", "console_username": USERNAME, "console_password": PASSWORD}
    more = {"host": "192.0.2.5", "wait_for_cloud": False, "rollback": False}
    result = run_main(sensor_proxy.main, {**given, **more})
    assert "does not show them" in result["msg"]
    kept = json.dumps(result)
    assert base64.b64encode(PASSWORD.encode()).decode()[:20] not in kept
    assert echo not in kept
