# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the browser transport makes of a page, in particular of one that is not as it should be; without a browser."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import tls
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser import (
    chromium as browser_chromium,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser import page as browser_page
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser import transport
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.transport import (
    BrowserConsole,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.labels import DOCUMENTED
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    Account,
    ClientCertificate,
    ConsoleError,
    ExpiredError,
    LockedError,
    ProxySettings,
    Push,
    Reading,
    RejectedError,
    SignInError,
    Trust,
    UnexpectedError,
    UnreachableError,
)
from playwright.sync_api import Error

from .fake_page import FakeSite, FakeTime, Widget

PASSWORD = "console-secret"
PROXY_PASSWORD = "proxy-secret"
PUSH = Push(True, "192.0.2.5", 3129, "bob", PROXY_PASSWORD, ClientCertificate("client-0a1b.pem", b"certificate"))
TIMEOUT = 5.0


class FakeChromium:
    """Hands out the site's page."""

    def __init__(self, site: FakeSite) -> None:
        self.site = site
        self.pages = 0
        self.stops = 0
        self.gate = SimpleNamespace(spent=False, refused=[])

    def page(self, timeout: float) -> Any:
        assert timeout == TIMEOUT
        self.pages += 1
        self.site.signed_in = False
        return self.site.page

    def stop(self) -> None:
        self.stops += 1


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    time = FakeTime()
    monkeypatch.setattr(browser_page, "time", time)
    return FakeSite(time, PASSWORD)


@pytest.fixture
def chromium(site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeChromium:
    found = FakeChromium(site)
    monkeypatch.setattr(browser_chromium, "start", lambda *_arguments: found)
    return found


@pytest.fixture
def console(chromium: FakeChromium) -> BrowserConsole:
    return _console(PASSWORD)


def _console(password: str, **labels: Any) -> BrowserConsole:
    return BrowserConsole(
        "https://192.0.2.1", Account("admin", password), Trust(False), DOCUMENTED.merge(labels), TIMEOUT
    )


def _refused(kind: type[ConsoleError], what: Any, *arguments: Any) -> str:
    """Return the sentence of an error of exactly this kind, which holds neither a secret, an address nor a line break."""
    with pytest.raises(ConsoleError) as caught:
        what(*arguments)
    assert caught.type is kind
    said = str(caught.value)
    for never in (PASSWORD, PROXY_PASSWORD, "wrong-secret", "192.0.2.1/", "https:", "\n"):
        assert never not in said
    return said


# Signing in


def test_signs_in_once(console: BrowserConsole, site: FakeSite) -> None:
    console.sign_in()
    assert (site.sign_ins, site.signed_in) == (1, True)


def test_signing_in_again_takes_a_new_page_of_the_same_browser(console: BrowserConsole, chromium: FakeChromium) -> None:
    console.sign_in()
    console.sign_in()
    assert (chromium.pages, chromium.stops, chromium.site.sign_ins) == (2, 0, 2)


def test_a_wrong_password_is_tried_once_and_not_again(chromium: FakeChromium, site: FakeSite) -> None:
    said = _refused(SignInError, _console("wrong-secret").sign_in)
    assert said == (
        "the console does not accept the password of 'admin' ('The username or password is incorrect'); correct "
        "console_username or console_password before another try, since a few failures lock the account"
    )
    assert site.sign_ins == 1


@pytest.mark.parametrize(
    "words",
    [
        "Too many failed attempts. Your account/IP is locked",
        "Too many attempts",
        "Your account is LOCKED.",
        "Locked out for many minutes",
    ],
)
def test_a_locked_account_is_told_from_a_wrong_password(console: BrowserConsole, site: FakeSite, words: str) -> None:
    site.sign_in_status, site.refusal = 403, words
    said = _refused(LockedError, console.sign_in)
    assert said == (
        f"the console does not let this controller sign in ({words!r}); wait until the lock is over, or let it be "
        "lifted there, before another try"
    )
    assert site.sign_ins == 1


@pytest.mark.parametrize("words", ["Wrong password", "Blocked characters in the name", "Invalid clock"])
def test_other_words_are_a_wrong_password(console: BrowserConsole, site: FakeSite, words: str) -> None:
    site.sign_in_status, site.refusal = 403, words
    assert repr(words) in _refused(SignInError, console.sign_in)


def test_a_sign_in_that_breaks_is_not_a_wrong_password(console: BrowserConsole, site: FakeSite) -> None:
    site.sign_in_status, site.refusal = 503, "The request failed"
    said = _refused(UnreachableError, console.sign_in)
    assert said == "the console answers the sign-in with status 503; see that it works"


def test_long_words_of_a_console_are_cut(console: BrowserConsole, site: FakeSite) -> None:
    site.sign_in_status, site.refusal = 403, "no " * 500
    assert len(_refused(SignInError, console.sign_in)) < 450


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "Page.goto: net::ERR_CONNECTION_REFUSED at https://192.0.2.1/\nCall log:\n  - navigating",
            "ERR_CONNECTION_REFUSED",
        ),
        ("Page.goto: net::ERR_NAME_NOT_RESOLVED at https://192.0.2.1/", "ERR_NAME_NOT_RESOLVED"),
        ("Page.goto: Timeout 5000ms exceeded.\nCall log:\n  - navigating to https://192.0.2.1/", "no page within 5 s"),
    ],
)
def test_a_console_that_does_not_answer(console: BrowserConsole, site: FakeSite, error: str, said: str) -> None:
    site.page.error = error
    assert _refused(UnreachableError, console.sign_in) == f"the console does not answer ({said}); see that it is up"


@pytest.mark.parametrize("status", [500, 503, 404])
def test_a_console_that_answers_with_an_error(console: BrowserConsole, site: FakeSite, status: int) -> None:
    site.page.status = status
    said = _refused(UnreachableError, console.sign_in)
    assert said == f"the console answers with status {status}; see that it works"
    assert site.sign_ins == 0


def test_whatever_else_the_browser_says_is_one_sentence(console: BrowserConsole, site: FakeSite) -> None:
    console.sign_in()
    site.page.gone = True
    for method in (console.read, console.cloud):
        assert _refused(UnreachableError, method) == (
            "the browser could not operate the console (Target page, context or browser has been closed); "
            "see that it works in a browser by hand"
        )


def test_a_mistake_of_our_own_is_not_hidden(console: BrowserConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    console.sign_in()
    mistake: dict[str, str] = {}
    monkeypatch.setattr(console, "_open_settings", lambda: mistake["nothing"])
    with pytest.raises(KeyError):
        console.read()


# The browser


@pytest.fixture
def no_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "certificate", lambda *_arguments: b"")
    monkeypatch.setattr(browser_chromium, "_is_root", lambda: False)


@pytest.mark.usefixtures("no_console")
def test_without_playwright_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    assert _refused(ConsoleError, _console(PASSWORD).sign_in) == (
        "the Python that runs Ansible has no playwright; install it there with pip, or use transport http"
    )


class FakePlaywright:
    """Starts; its Chromium does not."""

    def __init__(self, launched: Exception | None) -> None:
        self.launched = launched
        self.options: dict[str, Any] = {}
        self.sandboxes: list[bool] = []
        self.stops = 0
        self.chromium = SimpleNamespace(launch=self._launch)

    def start(self) -> FakePlaywright:
        return self

    def stop(self) -> None:
        self.stops += 1
        if self.stops > 1:
            raise Error("stopped already")

    def _launch(self, **options: Any) -> Any:
        self.options = options
        self.sandboxes.append(options["chromium_sandbox"])
        if self.launched:
            raise self.launched
        return SimpleNamespace(close=self.stop)


@pytest.mark.usefixtures("no_console")
def test_a_chromium_that_does_not_start_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    playwright = FakePlaywright(Error("\nExecutable doesn't exist at /opt/chromium\n+------+\n"))
    monkeypatch.setattr("playwright.sync_api.sync_playwright", lambda: playwright)
    console = _console(PASSWORD)
    assert _refused(ConsoleError, console.sign_in) == (
        "Chromium did not start (Executable doesn't exist at /opt/chromium); install the system's chromium, or run "
        "'playwright install chromium'"
    )
    assert playwright.stops == 1
    console.close()


@pytest.mark.usefixtures("no_console")
@pytest.mark.parametrize(
    "installed", [None, "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
)
def test_the_systems_chromium_is_preferred(monkeypatch: pytest.MonkeyPatch, installed: str | None) -> None:
    playwright = FakePlaywright(None)
    monkeypatch.setattr("playwright.sync_api.sync_playwright", lambda: playwright)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name == installed else None)
    browser_chromium.start("192.0.2.1", 443, Trust(False), TIMEOUT).stop()
    assert playwright.options["executable_path"] == (f"/usr/bin/{installed}" if installed else None)


@pytest.mark.usefixtures("no_console")
def test_a_browser_that_is_gone_already_ends_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    playwright = FakePlaywright(None)
    monkeypatch.setattr("playwright.sync_api.sync_playwright", lambda: playwright)
    started = browser_chromium.start("192.0.2.1", 443, Trust(False), TIMEOUT)
    started.stop()
    started.stop()
    assert playwright.stops == 2


@pytest.mark.usefixtures("no_console")
@pytest.mark.parametrize(("root", "sandboxes"), [(False, [True]), (True, [True, False])])
def test_without_a_sandbox_only_a_user_without_rights_goes_on(
    monkeypatch: pytest.MonkeyPatch, root: bool, sandboxes: list[bool]
) -> None:
    playwright = FakePlaywright(Error("Chromium sandboxing failed!"))
    monkeypatch.setattr("playwright.sync_api.sync_playwright", lambda: playwright)
    monkeypatch.setattr(browser_chromium, "_is_root", lambda: root)
    monkeypatch.setattr(browser_chromium, "_without_rights", lambda path, _folder: path)
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/chromium")
    said = _refused(ConsoleError, _console(PASSWORD).sign_in)
    assert playwright.sandboxes == sandboxes
    assert ("Chromium's sandbox cannot be used on this controller" in said) is not root


@pytest.mark.usefixtures("no_console")
def test_as_root_without_setpriv_no_browser_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    playwright = FakePlaywright(None)
    monkeypatch.setattr("playwright.sync_api.sync_playwright", lambda: playwright)
    monkeypatch.setattr(browser_chromium, "_is_root", lambda: True)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "setpriv" else f"/usr/bin/{name}")
    assert "there is no setpriv" in _refused(ConsoleError, _console(PASSWORD).sign_in)
    assert playwright.sandboxes == []


def test_closing_ends_the_browser_once(console: BrowserConsole, chromium: FakeChromium) -> None:
    console.close()
    console.sign_in()
    console.close()
    console.close()
    assert chromium.stops == 1


def test_after_closing_nobody_is_signed_in(console: BrowserConsole) -> None:
    for _attempt in range(2):
        for method in (console.read, lambda: console.save(PUSH), console.cloud):
            assert _refused(ExpiredError, method) == "nobody has signed in yet"
        console.sign_in()
        console.close()


# Reading


def test_reads_every_field(console: BrowserConsole, site: FakeSite) -> None:
    site.certificate = "client-0a1b.pem"
    console.sign_in()
    assert console.read() == Reading(ProxySettings(True, "192.0.2.9", 3128, "old", True, "client-0a1b.pem"), "25.2.2")


@pytest.mark.parametrize("beside", ["No file chosen", "No file selected.", "Choose file", "Browse\u2026", "", "Upload"])
def test_no_certificate(console: BrowserConsole, site: FakeSite, beside: str) -> None:
    site.certificate = beside
    console.sign_in()
    assert console.read().settings.certificate == ""


@pytest.mark.parametrize(
    ("mask", "stored"), [("********", True), ("\u2022" * 8, True), ("", None), ("Password", None), ("**", None)]
)
def test_a_mask_says_that_a_password_is_stored(
    console: BrowserConsole, site: FakeSite, mask: str, stored: bool | None
) -> None:
    site.mask = mask
    console.sign_in()
    assert console.read().settings.password_set is stored


def test_what_a_console_does_not_have_is_not_known(console: BrowserConsole, site: FakeSite) -> None:
    site.without = {"Proxy Username", "Proxy Password", "Client certificate", "Version 25.2.2"}
    console.sign_in()
    assert console.read() == Reading(ProxySettings(True, "192.0.2.9", 3128, "", None, None), None)


@pytest.mark.parametrize("port", ["", "none", "-1", "3128x"])
def test_a_port_that_is_no_number_is_none(console: BrowserConsole, site: FakeSite, port: str) -> None:
    site.stored["Proxy Port"] = port
    console.sign_in()
    assert console.read().settings.port is None


def test_what_is_read_after_a_save_is_loaded_anew(console: BrowserConsole, site: FakeSite) -> None:
    console.sign_in()
    console.read()
    loads = site.page.loads
    console.save(PUSH)
    site.stored["Proxy Host"] = "192.0.2.77"
    assert console.read().settings.host == "192.0.2.77"
    assert site.page.loads == loads + 1


def test_an_expired_session_is_not_signed_in_again(console: BrowserConsole, site: FakeSite) -> None:
    console.sign_in()
    console.save(PUSH)
    site.signed_in = False
    assert "asks to sign in again" in _refused(ExpiredError, console.read)
    assert site.sign_ins == 1


# Labels that are not found


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("sign_in_username", "Username"),
        ("sign_in_password", "Password"),
        ("sign_in_button", "Login"),
        ("enable", "Enable Proxy"),
        ("host", "Proxy Host"),
        ("port", "Proxy Port"),
        ("username", "Proxy Username"),
        ("password", "Proxy Password"),
        ("certificate", "Client certificate"),
        ("save", "Save"),
    ],
)
def test_a_missing_label_is_named_with_its_key(console: BrowserConsole, site: FakeSite, key: str, name: str) -> None:
    site.without = {name}

    def operate() -> None:
        console.sign_in()
        console.save(PUSH)

    said = _refused(UnexpectedError, operate)
    assert repr(name) in said
    assert said.endswith(f"say so in labels.{key}")
    assert site.stored["Proxy Host"] == "192.0.2.9"


def test_another_label_is_found_when_it_is_told(chromium: FakeChromium, site: FakeSite) -> None:
    site.stored["Upstream"] = site.stored.pop("Proxy Host")
    console = _console(PASSWORD, host="upstream")
    console.sign_in()
    assert console.read().settings.host == "192.0.2.9"


# Saving


def test_saves_every_field(console: BrowserConsole, site: FakeSite) -> None:
    site.enabled = False
    console.sign_in()
    console.save(PUSH)
    assert site.stored == {
        "Proxy Host": "192.0.2.5",
        "Proxy Port": "3129",
        "Proxy Username": "bob",
        "Proxy Password": PROXY_PASSWORD,
    }
    assert site.enabled
    assert [(file["name"], file["buffer"]) for file in site.page.files] == [("client-0a1b.pem", b"certificate")]


def test_a_field_that_is_not_to_change_is_not_touched(console: BrowserConsole, site: FakeSite) -> None:
    console.sign_in()
    console.save(Push(True, port=8080))
    assert ("fill", "Proxy Port") in site.page.did
    touched = {name for what, name in site.page.did if what == "fill"}
    assert touched == {"Username", "Password", "Proxy Port"}
    assert ("click", "Enable Proxy") not in site.page.did
    assert not site.page.files


def test_switching_off_touches_the_switch_alone(console: BrowserConsole, site: FakeSite) -> None:
    console.sign_in()
    site.page.did.clear()
    console.save(Push(False))
    assert [name for _what, name in site.page.did] == ["System settings", "Enable Proxy", "Save"]
    assert not site.enabled


def test_a_hidden_switch_is_moved_by_the_keyboard(console: BrowserConsole, site: FakeSite) -> None:
    site.switch.visible = False
    console.sign_in()
    console.save(Push(False))
    assert not site.enabled


def test_a_switch_that_does_not_move(console: BrowserConsole, site: FakeSite) -> None:
    site.switch.stuck = True
    console.sign_in()
    assert _refused(UnexpectedError, console.save, Push(False)) == (
        "the switch for the proxy does not move; see that the account may change settings"
    )


@pytest.mark.parametrize("status", [400, 403, 409, 422])
def test_the_consoles_own_words_are_quoted(console: BrowserConsole, site: FakeSite, status: int) -> None:
    site.save_status, site.save_alert = status, "Invalid value for Proxy Host"
    console.sign_in()
    said = _refused(RejectedError, console.save, PUSH)
    assert said == "the console refused the values: 'Invalid value for Proxy Host'"


def test_words_from_before_the_save_are_not_its_answer(console: BrowserConsole, site: FakeSite) -> None:
    site.save_status = 400
    site.extra = [Widget("alert", "The licence has expired")]
    console.sign_in()
    said = _refused(RejectedError, console.save, PUSH)
    assert said == "the console refused the values with status 400 and without a word"


@pytest.mark.parametrize("alert", [None, "The request failed (502)"])
def test_a_save_that_breaks(console: BrowserConsole, site: FakeSite, alert: str | None) -> None:
    site.save_status, site.save_alert = 502, alert
    console.sign_in()
    said = _refused(UnreachableError, console.save, PUSH)
    assert said == "the console answers the save with status 502; see that it works"


@pytest.mark.parametrize("status", [None, "failed"])
def test_a_save_without_an_answer(console: BrowserConsole, site: FakeSite, status: str | None) -> None:
    site.save_status = status
    console.sign_in()
    assert "save" in _refused(UnreachableError, console.save, PUSH)


@pytest.mark.parametrize("alert", [None, "Settings saved", "Check your input"])
def test_an_alert_alone_decides_nothing(console: BrowserConsole, site: FakeSite, alert: str | None) -> None:
    site.save_alert = alert
    console.sign_in()
    console.save(PUSH)


def test_a_session_that_ends_with_the_save(console: BrowserConsole, site: FakeSite) -> None:
    console.sign_in()
    site.save_signs_out = True
    assert "asks to sign in again" in _refused(ExpiredError, console.save, PUSH)
    assert (site.sign_ins, site.stored["Proxy Host"]) == (1, "192.0.2.9")


# Evidence


def test_evidence_is_for_its_owner_alone_and_of_known_words(
    console: BrowserConsole, site: FakeSite, tmp_path: Path
) -> None:
    console.sign_in()
    console.save(PUSH)
    site.page.widgets.append(Widget("text", f"Invalid {PASSWORD} and {PROXY_PASSWORD}"))
    path = console.evidence(str(tmp_path / "sensor-1"))
    assert path == str(tmp_path / "sensor-1.txt")
    file = Path(path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Enable Proxy" in file.read_text()
    assert "Invalid \u2026 and \u2026" in file.read_text()


def test_a_picture_is_taken_only_before_a_password_is_typed(
    console: BrowserConsole, site: FakeSite, tmp_path: Path
) -> None:
    site.without = {"Password"}
    _refused(UnexpectedError, console.sign_in)
    path = console.evidence(str(tmp_path / "sensor-1"))
    assert path == str(tmp_path / "sensor-1.png")
    assert b"Username" in Path(path).read_bytes()


def test_evidence_of_before_is_replaced_and_closed_to_others(console: BrowserConsole, tmp_path: Path) -> None:
    file = tmp_path / "sensor-1.txt"
    file.write_text("an older and much longer content" * 100)
    file.chmod(0o644)
    console.sign_in()
    console.evidence(str(tmp_path / "sensor-1"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"older" not in file.read_bytes()


def test_evidence_is_nothing_before_the_sign_in_and_after_a_crash(
    console: BrowserConsole, site: FakeSite, tmp_path: Path
) -> None:
    assert console.evidence(str(tmp_path / "one")) is None
    console.sign_in()
    site.page.gone = True
    assert console.evidence(str(tmp_path / "two")) is None
    assert not list(tmp_path.iterdir())


def test_every_use_is_bounded_by_its_timeout(console: BrowserConsole, site: FakeSite) -> None:
    site.without = {"Enable Proxy"}
    console.sign_in()
    before = site.page.time.now
    with pytest.raises(UnexpectedError):
        console.read()
    assert site.page.time.now - before == pytest.approx(TIMEOUT, abs=2 * browser_page.TICK)
    assert transport.NO_PANE < TIMEOUT
