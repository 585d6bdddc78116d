# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection to a console: what is sent a second time, and which cookies go along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http.wire import Wire
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import Trust, UnreachableError

from . import fake_http_console as fake

PAST, FUTURE = "Wed, 09 Jun 1999 10:18:14 GMT", "Wed, 09 Jun 2077 10:18:14 GMT"


class Console:
    """Answers with what a test lays out, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.cookies: list[str] = []
        """The Cookie header of each request, "" for none."""
        self.sets: list[str] = []
        """Cookies that its next answer sets."""
        self.silent = 0
        """How many of the next requests get no answer but a closed connection."""

    def answer(self, handler: fake.Handler, _body: bytes) -> None:
        self.asked.append(f"{handler.command} {handler.path}")
        self.cookies.append(handler.headers.get("Cookie", ""))
        if self.silent:
            self.silent -= 1
            handler.close_connection = True
            return
        given, self.sets = self.sets, []
        handler.reply(200, "{}", **{f"Set_Cookie{number}": value for number, value in enumerate(given)})


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key."""
    return fake.make_pem(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    made = Console()

    def serve(handler: fake.Handler, body: bytes) -> None:
        made.answer(handler, body)

    monkeypatch.setattr(fake.Handler, "_serve", serve)
    return made


@pytest.fixture
def wire(pem: Path, console: Console) -> Iterator[Wire]:
    assert console.asked == []
    with fake.serve(fake.State("flat", {}), pem) as url:
        made = Wire(url, Trust(validate=False), 5)
        yield made
        made.close()


@pytest.mark.parametrize(
    ("method", "again", "kept", "silent", "sent"),
    [
        pytest.param("POST", False, True, 1, 1, id="it may have done what was asked"),
        pytest.param("POST", True, True, 1, 2, id="what may be done twice"),
        pytest.param("GET", False, True, 1, 2, id="what changes nothing"),
        pytest.param("GET", True, True, 2, 2, id="twice and no more"),
        pytest.param("POST", True, False, 1, 1, id="a new connection is not closed for its age"),
        pytest.param("GET", True, False, 1, 1, id="not even for what changes nothing"),
    ],
)
def test_what_got_no_answer_is_sent_again_only_where_that_does_no_harm(
    wire: Wire, console: Console, method: str, again: bool, kept: bool, silent: int, sent: int
) -> None:
    if kept:
        wire.send("GET", "/before", {}, None, again=False)
    console.silent = silent
    body = None if method == "GET" else b"{}"
    if sent > silent:
        assert wire.send(method, "/it", {}, body, again)[-1].status == 200
    else:
        with pytest.raises(UnreachableError, match=r"closed the connection|does not answer as a web server"):
            wire.send(method, "/it", {}, body, again)
    assert console.asked.count(f"{method} /it") == sent


@pytest.mark.parametrize(
    ("given", "path", "expected"),
    [
        (["a=1; Path=/; HttpOnly; Secure; SameSite=Lax"], "/x", "a=1"),
        (["a=1; Path=/in"], "/in", "a=1"),
        (["a=1; Path=/in"], "/in/side?x=/y", "a=1"),
        (["a=1; Path=/in"], "/inside", ""),
        (["a=1; Path=/in"], "/?x=/in", ""),
        (["a=1"], "/door/two", "a=1"),
        (["a=1"], "/other", ""),
        (["a=1; Path=/", "b=2; Path=/door", "a=3; Path=/"], "/door/two", "b=2; a=3"),
        ([f"a=1; Path=/; Expires={PAST}"], "/x", ""),
        ([f"a=1; Path=/; Expires={FUTURE}"], "/x", "a=1"),
        ([f"a=1; Path=/; Expires={PAST}; Max-Age=60"], "/x", "a=1"),
        (["a=1; Path=/; Max-Age=0"], "/x", ""),
        (["a=1; Path=/; Max-Age=-5"], "/x", ""),
        (["a=1; Path=/", f"a=; Path=/; Expires={PAST}"], "/x", ""),
        (["a=1; Path=/", f"a=; Path=/in; Expires={PAST}"], "/x", "a=1"),
        (["a=1; Path=/; Domain=127.0.0.1"], "/x", "a=1"),
        (["a=1; Path=/; Domain=other.example"], "/x", ""),
        (['a="1 2"; Path=/'], "/x", 'a="1 2"'),
        (["a=1\x01; Path=/"], "/x", ""),
        (["", "a", "=1", ";;", "a=1; Path=/; Expires=never"], "/x", "a=1"),
    ],
    ids=lambda value: "; ".join(value) if isinstance(value, list) else value,
)
def test_a_cookie_goes_where_and_while_it_is_for(
    wire: Wire, console: Console, given: list[str], path: str, expected: str
) -> None:
    for header in given:
        console.sets = [header]
        wire.send("GET", "/door/one", {}, None, again=False)
    wire.send("GET", path, {}, None, again=False)
    assert console.cookies[-1] == expected


def test_a_cookie_that_an_answer_ends_and_sets_anew_is_the_new_one(wire: Wire, console: Console) -> None:
    console.sets = ["sid=old; Path=/"]
    wire.send("GET", "/", {}, None, again=False)
    console.sets = [f"sid=ended; Path=/; Expires={PAST}", "sid=new; Path=/"]
    wire.send("GET", "/", {}, None, again=False)
    wire.send("GET", "/", {}, None, again=False)
    assert console.cookies == ["", "sid=old", "sid=new"]


def test_a_cookie_of_an_answer_that_redirects_goes_along_at_once(
    wire: Wire, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = console.answer

    def redirect(handler: fake.Handler, body: bytes) -> None:
        if handler.path == "/enter":
            console.asked.append("POST /enter")
            return handler.reply(302, "", Location="/inside", Set_Cookie="sid=1; Path=/")
        return answer(handler, body)

    monkeypatch.setattr(console, "answer", redirect)
    wire.send("POST", "/enter", {}, b"{}", again=False)
    assert (console.asked, console.cookies) == (["POST /enter", "GET /inside"], ["sid=1"])
