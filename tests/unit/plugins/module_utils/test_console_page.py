# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the browser transport finds on real pages, in a real Chromium; one for all tests of this file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser import (
    chromium as browser_chromium,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.chromium import Chromium
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.page import (
    Screen,
    Walk,
    beside,
    until,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.transport import (
    BrowserConsole,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.labels import DOCUMENTED
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.messages import MASK
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    Account,
    ClientCertificate,
    ProxySettings,
    Push,
    Reading,
    RejectedError,
    SignInError,
    Trust,
)
from playwright.sync_api import Page

from .fake_web import CHROMIUM, PASSWORD, PROXY_PASSWORD, USERNAME, Web, certify, serve

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH; tools/programs installs one")

TIMEOUT = 8.0
PUSH = Push(True, "192.0.2.5", 3129, "bob", PROXY_PASSWORD, ClientCertificate("client-0a1b.pem", b"content"))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with serve(certify(tmp_path_factory.mktemp("tls"), "console")) as found:
        yield found


@pytest.fixture(scope="module")
def chromium(web: Web) -> Iterator[Chromium]:
    started = browser_chromium.start("127.0.0.1", web.port, Trust(False), TIMEOUT)
    yield started
    started.stop()


@pytest.fixture
def page(chromium: Chromium) -> Page:
    return chromium.page(TIMEOUT)


@pytest.fixture
def shared(chromium: Chromium, web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Let consoles use the one browser, which they must not close."""
    monkeypatch.setattr(browser_chromium, "start", lambda *_arguments: chromium)
    web.stored.update(enabled=False, host="", port="", username="", password="", certificate="")
    web.requests.clear()
    return web


def _console(url: str, password: str = PASSWORD) -> BrowserConsole:
    return BrowserConsole(url, Account(USERNAME, password), Trust(False), DOCUMENTED, TIMEOUT)


@pytest.mark.parametrize(
    "shape",
    ["for/checkbox/page", "wrap/switch/page", "aria-label/button/page", "aria-labelledby/checkbox/dialog"],
)
def test_operates_a_console_of_every_shape(shared: Web, shape: str, tmp_path: Path) -> None:
    console = _console(shared.url(shape))
    console.sign_in()
    assert console.read() == Reading(ProxySettings(False, "", None, "", None, ""), "25.2.2")
    console.save(PUSH)
    assert shared.stored == {
        "enabled": True,
        "host": "192.0.2.5",
        "port": "3129",
        "username": "bob",
        "password": PROXY_PASSWORD,
        "certificate": "client-0a1b.pem",
        "content": "content",
    }
    assert console.read().settings == ProxySettings(True, "192.0.2.5", 3129, "bob", True, "client-0a1b.pem")
    console.save(Push(False))
    assert (shared.stored["enabled"], shared.stored["password"]) == (False, PROXY_PASSWORD)
    assert shared.requests.count("/sign-in") == 1
    assert "Save" in Path(console.evidence(str(tmp_path / "sensor")) or "").read_text()


def test_a_wrong_password_is_sent_once(shared: Web) -> None:
    with pytest.raises(SignInError, match=r"'Wrong'"):
        _console(shared.url("for/checkbox/page"), "another").sign_in()
    assert shared.requests.count("/sign-in") == 1


def test_values_that_come_after_their_widgets_are_waited_for(shared: Web) -> None:
    """Read too early, they would be wrong; saved too early, they would be lost."""
    shared.stored.update(enabled=True, host="192.0.2.1", port="3128", username="bob")
    console = _console(shared.url("for/checkbox/page/late"))
    console.sign_in()
    console.save(Push(True, host="192.0.2.9"))
    assert [shared.stored[key] for key in ("enabled", "host", "port", "username")] == [True, "192.0.2.9", "3128", "bob"]
    assert console.read().settings.username == "bob"


def test_every_read_is_a_new_look(shared: Web) -> None:
    console = _console(shared.url("for/checkbox/page"))
    console.sign_in()
    assert console.read().settings.host == ""
    shared.stored["host"] = "192.0.2.99"
    assert console.read().settings.host == "192.0.2.99"


def test_values_that_the_page_itself_refuses(shared: Web) -> None:
    console = _console(shared.url("for/checkbox/page/rejects"))
    console.sign_in()
    with pytest.raises(RejectedError, match="'Invalid value for Proxy Host'"):
        console.save(PUSH)


def test_an_alert_that_repeats_the_password_is_quoted_without_it(shared: Web) -> None:
    console = _console(shared.url("for/checkbox/page/echoes"))
    console.sign_in()
    with pytest.raises(RejectedError, match=r"'Bad value …'"):
        console.save(PUSH)


LABELLED = {
    "for": "<label for=a>Proxy Host:</label><input id=a value=found>",
    "wrapping": "<label><span>Proxy  Host *</span><input value=found></label>",
    "aria-label": "<span>Server</span><input aria-label='proxy host' value=found>",
    "aria-labelledby": "<p id=b>Proxy Host (Optional)</p><input aria-labelledby=b value=found>",
}


@pytest.mark.parametrize("shape", LABELLED)
def test_a_field_is_found_by_its_label_alone(page: Page, shape: str) -> None:
    page.set_content(f"<label>Proxy Hostname<input value=no></label>{LABELLED[shape]}<input placeholder='Proxy Host'>")
    found = Screen(page).field(("Proxy Host",))
    assert found is not None
    assert found.input_value() == "found"


def test_a_hidden_field_is_none_but_for_uploads(page: Page) -> None:
    page.set_content("<label for=a>Client certificate</label><input id=a type=file style='display: none'>")
    screen = Screen(page)
    assert screen.field(("Client certificate",)) is None
    assert screen.hidden_field(("Client certificate",)) is not None


@pytest.mark.parametrize(
    "markup",
    [
        "<label><input type=checkbox checked> Enable Proxy</label>",
        "<label for=a>Enable Proxy</label><input id=a type=checkbox role=switch checked>",
        "<button role=switch aria-checked=true aria-label='Enable Proxy'></button>",
        "<button role=switch aria-checked=true>Enable proxy</button>",
        "<span id=b>Enable Proxy</span><div role=switch tabindex=0 aria-checked=true aria-labelledby=b>.</div>",
        "<div role=checkbox tabindex=0 aria-checked=true>Enable Proxy</div>",
    ],
)
def test_a_switch_is_found_whatever_it_is_made_of(page: Page, markup: str) -> None:
    page.set_content(f"<label><input type=checkbox>Enable Proxy Logging</label>{markup}")
    found = Screen(page).switch(("Enable Proxy",))
    assert found is not None
    assert found.is_checked()


def test_while_a_dialog_is_open_the_page_behind_it_is_not_there(page: Page) -> None:
    page.set_content(
        "<label>Proxy Host<input value=behind></label><button>Save</button>"
        "<div role=dialog aria-label=Network><label>Proxy Port<input value=before></label></div>"
    )
    screen = Screen(page)
    assert screen.field(("Proxy Host",)) is None
    assert screen.button(("Save",)) is None
    assert screen.field(("Proxy Port",)) is not None
    page.evaluate("document.querySelector('[role=dialog]').style.display = 'none'")
    assert screen.field(("Proxy Host",)) is not None


def test_what_appears_late_is_waited_for_and_what_never_does_is_not(page: Page) -> None:
    page.set_content("<script>setTimeout(() => document.body.innerHTML = '<button>Save</button>', 300)</script>")
    screen = Screen(page)
    assert screen.button(("Save",)) is None
    assert until(page, lambda: screen.button(("Save",)) is not None, 5)
    assert not until(page, lambda: screen.button(("Apply",)) is not None, 0.2)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (
            "<div><label for=a>Client certificate</label><input id=a type=file><span>client.pem</span></div>",
            "client.pem",
        ),
        ("<div><label for=a>Client certificate:</label><p><input id=a type=file></p> client.pem</div>", "client.pem"),
        ("<div><label for=a>Client certificate</label><input id=a type=file></div><p>client.pem</p>", "client.pem"),
        ("<div><label for=a>Client certificate</label><input id=a type=file><input value=x> client.pem</div>", ""),
        ("<div><label for=a>Client certificate</label><input id=a type=file></div>", ""),
    ],
)
def test_the_text_beside_a_field(page: Page, markup: str, text: str) -> None:
    page.set_content(markup)
    field = Screen(page).hidden_field(("Client certificate",))
    assert field is not None
    assert beside(field, ("Client certificate",)) == text


@pytest.mark.parametrize("text", ["********", "\u2022\u2022\u2022\u2022", "\u25cf\u25cf\u25cf", "..."])
def test_a_mask_is_one(text: str) -> None:
    assert MASK.fullmatch(text)


@pytest.mark.parametrize("text", ["", "**", "Password", "***a", "unchanged"])
def test_other_placeholders_are_none(text: str) -> None:
    assert not MASK.fullmatch(text)


def test_alerts_are_those_that_are_seen(page: Page) -> None:
    page.set_content(
        "<p role=alert>Invalid\n value</p><p role=alert></p><p role=alert style='display: none'>no</p><p role=status>no</p>"
    )
    assert Screen(page).alerts() == ["Invalid value"]


def test_what_a_page_says_is_found_across_line_breaks_and_case(page: Page) -> None:
    page.set_content("<h3>Proxy authentication\n<br>ISSUES</h3><p hidden>Time drift detected</p>")
    assert Screen(page).says(DOCUMENTED.issues) == ("Proxy authentication issues",)


def test_walks_to_a_screen_and_takes_the_less_likely_way_later(page: Page) -> None:
    page.set_content(
        "<button onclick='document.title += 1; more.hidden = false'>Settings</button>"
        "<button id=more hidden onclick='document.title += 2; there.hidden = false'>Network</button>"
        "<p id=there hidden>There</p>"
    )
    screen = Screen(page)
    walk = Walk(screen, (("Setup", "Basic"), ("Settings", "Network")))

    def arrived() -> bool:
        walk.step()
        return screen.text(("There",)) is not None

    assert until(page, arrived, 5)
    assert (page.title(), walk.steps) == ("12", 2)
