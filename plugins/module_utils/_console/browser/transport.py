# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operates a console's documented screens in a headless Chromium, by their labels.

Private to this collection.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from ..labels import Labels, Texts
from ..messages import LOCKED, MASK, NOT_QUOTED, VERSION, judged, locked, refused
from ..model import (
    Account,
    Cloud,
    ConsoleError,
    ExpiredError,
    ProxySettings,
    Push,
    Reading,
    RejectedError,
    SignInError,
    Trust,
    UnexpectedError,
    UnreachableError,
    UntrustedError,
    keep,
    too_much,
)
from . import chromium
from .gate import authority
from .page import NO_FILE, Screen, Traffic, Walk, beside, until

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Method = TypeVar("Method", bound=Callable[..., Any])

QUIET = 0.2
"""Seconds without a request after which the page has dealt with an answer."""

NO_PANE = 1.5
"""Seconds without a next step, over three times the longest that a step to the settings took, after which a screen is taken not
to exist."""


def _in_a_sentence(method: Method) -> Method:
    """Let whatever Playwright raises be a ConsoleError."""

    @functools.wraps(method)
    def wrapped(self: BrowserConsole, *args: Any) -> Any:
        try:
            return method(self, *args)
        except ConsoleError:
            raise
        except Exception as error:
            self._own()
            if not type(error).__module__.startswith("playwright."):
                raise
            # A page may have a hand in it.
            said = judged((str(error).strip() or type(error).__name__).splitlines()[0], self._secrets)
            raise UnreachableError(
                f"the browser could not operate the console ({said or type(error).__name__}); see that it works in a browser by hand"
            ) from error

    return cast(Method, wrapped)


class BrowserConsole:
    """A console in a browser; implements Console."""

    def __init__(self, url: str, account: Account, trust: Trust, labels: Labels, timeout: float) -> None:
        """Prepare; nothing is started before sign_in.

        Args:
            url: ``https://address[:port]``.
            account: who signs in.
            trust: how the certificate is checked.
            labels: what is looked for.
            timeout: seconds for each screen.
        """
        self._url = url
        self._account = account
        self._trust = trust
        self._labels = labels
        self._timeout = timeout
        self._chromium: chromium.Chromium | None = None
        self._page: Page | None = None
        self._traffic: Traffic | None = None
        self._secrets = [account.password]
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 443
        self._origin = f"https://{authority(*self._address)}".removesuffix(":443")
        self._typed = False
        """Whether a password was typed, after which the page may show it in any form."""
        self._seen = False
        """Whether the settings were seen since the sign-in."""
        self._fresh = False
        """Whether the page was loaded since the last look."""
        self._ready = False
        """Whether the page shows the settings, all of them."""
        self._slowest = 0.0
        """Seconds that a step to the settings took to appear, at most."""
        self._has_pane = True
        """Whether the connectivity screen may exist."""

    @_in_a_sentence
    def sign_in(self) -> None:
        """Sign in, once; see Console."""
        if self._chromium is None:
            self._chromium = chromium.start(*self._address, self._trust, self._timeout)
        self._seen = False
        page = self._page = self._chromium.page(self._timeout)
        self._traffic = Traffic(page, self._origin)
        screen, labels = Screen(page), self._labels
        self._load()
        if not until(page, lambda: screen.field(labels.sign_in_password) is not None, self._timeout):
            raise self._missing("sign_in_password", labels.sign_in_password)
        self._field("sign_in_username", labels.sign_in_username).fill(self._account.username)
        self._typed = True
        self._field("sign_in_password", labels.sign_in_password).fill(self._account.password)
        button = screen.button(labels.sign_in_button)
        if button is None:
            raise self._missing("sign_in_button", labels.sign_in_button)
        before = screen.alerts()
        self._traffic.start()
        button.click()
        self._signed_in(before)

    @_in_a_sentence
    def read(self) -> Reading:
        """Read the settings from a freshly loaded screen; see Console."""
        if not self._fresh:
            self._load()
        settings = self._shown()
        # The next one is about another moment.
        self._fresh = False
        self._ready = True
        version = VERSION.search(Screen(self._current()).everything())
        return Reading(settings, version[1] if version else None)

    @_in_a_sentence
    def save(self, push: Push) -> None:
        """Enter and save; see Console."""
        page, screen, labels = self._current(), Screen(self._current()), self._labels
        if push.password:
            self._secrets.append(push.password)
        # Saved before its values are there, a form would be saved empty.
        if not self._ready:
            self._shown()
        switch = self._switch()
        if switch.is_checked() != push.enabled:
            self._flip(switch, push.enabled)
        for key, texts, value in (
            ("host", labels.host, push.host),
            ("port", labels.port, None if push.port is None else str(push.port)),
            ("username", labels.username, push.username),
            ("password", labels.password, push.password),
        ):
            if value is not None:
                until(page, lambda texts=texts: screen.field(texts) is not None, self._timeout)  # type: ignore[misc]
                self._field(key, texts).fill(value)
        if push.certificate:
            upload = screen.hidden_field(labels.certificate)
            if upload is None:
                raise self._missing("certificate", labels.certificate)
            content = push.certificate.content
            upload.set_input_files(
                {"name": push.certificate.filename, "mimeType": "application/octet-stream", "buffer": content}
            )
        button = screen.button(labels.save)
        if button is None:
            raise self._missing("save", labels.save)
        before = screen.alerts()
        self._fresh = self._ready = False
        self._sent().start()
        button.click()
        self._saved(before)

    @_in_a_sentence
    def cloud(self) -> Cloud | None:
        """Look once at the connectivity screen; see Console."""
        page, screen, labels = self._current(), Screen(self._current()), self._labels
        if not self._has_pane:
            return None
        self._ready = False
        answers = (*labels.connected, *labels.issues)
        if screen.says(answers):
            # What is shown already may be what was; a new look needs a new page.
            self._load()
        walk = Walk(screen, labels.cloud_paths, self._sent())
        patience = NO_PANE + 3 * self._slowest
        last = labels.cloud_paths[0][-1:]

        def arrived() -> bool:
            self._not_signed_out()
            if screen.says(answers):
                return True
            walk.step()
            return screen.text(last) is None and walk.idle > patience

        until(page, arrived, self._timeout)
        said = screen.says(answers)
        if not said and walk.steps < len(labels.cloud_paths[0]):
            self._has_pane = False
            return None
        # An issue's list appears at once, but not in the same instant.
        page.wait_for_timeout(100)
        issues = screen.says(labels.issues)
        return Cloud(connected=bool(screen.says(labels.connected)) and not issues, issues=issues)

    def evidence(self, path: str) -> str | None:
        """Save a screenshot, or after a password was typed the known words of the page; see Console."""
        if self._page is None:
            return None
        try:
            if not self._typed:
                return keep(f"{path}.png", self._page.screenshot())
            lines = (judged(line, self._secrets) for line in Screen(self._page).everything().splitlines())
            return keep(f"{path}.txt", "".join(f"{line}\n" for line in lines if line).encode())
        except OSError:
            raise
        except Exception:
            # Nothing can be shown of a page that is gone; the sentence says what happened.
            return None

    def close(self) -> None:
        """End the browser; see Console."""
        self._page = None
        if self._chromium is not None:
            self._chromium.stop()
            self._chromium = None

    def _current(self) -> Page:
        """Return the page, as long as it is the console's own; every step begins here."""
        if self._page is None:
            raise ExpiredError("nobody has signed in yet")
        self._own()
        return self._page

    def _own(self) -> None:
        """See that the console has led nowhere else, and has not sent without end."""
        if self._chromium is None or self._page is None:
            return
        if self._chromium.gate.spent:
            raise too_much()
        if self._page.url != "about:blank" and not f"{self._page.url}/".startswith(f"{self._origin}/"):
            raise self._led_elsewhere(self._chromium.gate.refused)

    def _led_elsewhere(self, refused: list[str]) -> UnexpectedError:
        # A name can be made of a password.
        place = refused[-1] if refused and not self._typed else "another place"
        return UnexpectedError(
            f"the console leads to {place}, which is not the console; see that console_url is the console's own address"
        )

    def _sent(self) -> Traffic:
        if self._traffic is None:
            raise ExpiredError("nobody has signed in yet")
        return self._traffic

    def _load(self) -> None:
        """Load the console anew; going to another hash of the same page would load nothing."""
        page = self._current()
        self._ready = False
        page.goto("about:blank")
        refused = self._chromium.gate.refused if self._chromium else []
        refused.clear()
        try:
            answer = page.goto(self._url, wait_until="domcontentloaded")
        except Exception as error:
            self._own()
            if refused:
                raise self._led_elsewhere(refused) from error
            code = re.search(r"net::(ERR_\w+)", str(error))
            if code and code[1].startswith("ERR_CERT_"):
                raise UntrustedError(
                    f"its certificate is another one than a moment before ({code[1]}); find out who answers at the address"
                ) from error
            what = code[1] if code else f"no page within {self._timeout:g} s"
            raise UnreachableError(f"the console does not answer ({what}); see that it is up") from error
        self._own()
        if answer is not None and answer.status >= 400:
            raise UnreachableError(f"the console answers with status {answer.status}; see that it works")
        self._fresh = True

    def _signed_in(self, before: list[str]) -> None:
        page, screen = self._current(), Screen(self._current())
        traffic = self._sent()

        def decided() -> bool:
            gone = screen.field(self._labels.sign_in_password) is None
            new = [text for text in screen.alerts() if text not in before]
            return bool(gone or new) and traffic.is_over(0.0)

        until(page, decided, self._timeout)
        alerts = " ".join(screen.alerts())
        said = judged(alerts, self._secrets)
        if screen.field(self._labels.sign_in_password) is None and not LOCKED.search(alerts):
            return
        broken = [status for status in traffic.statuses if status >= 500]
        if broken:
            raise UnreachableError(f"the console answers the sign-in with status {broken[0]}; see that it works")
        if not alerts and traffic.waits():
            raise UnreachableError(
                f"the console did not answer the sign-in within {self._timeout:g} s; see that it works"
            )
        if LOCKED.search(alerts or screen.everything()):
            raise locked(said)
        raise refused(self._account.username, said)

    def _open_settings(self) -> None:
        page, screen = self._current(), Screen(self._current())
        walk = Walk(screen, self._labels.settings_paths, self._sent())

        def arrived() -> bool:
            if screen.switch(self._labels.enable) is not None:
                return True
            self._not_signed_out()
            walk.step()
            return False

        if not until(page, arrived, self._timeout):
            if broken := [status for status in self._sent().statuses if status >= 500]:
                raise UnreachableError(
                    f"the console answers the settings screen with status {broken[0]}; see that it works"
                )
            raise self._missing("enable", self._labels.enable)
        self._seen = True
        self._slowest = max(self._slowest, walk.slowest)

    def _shown(self) -> ProxySettings:
        """Return what the settings screen shows once it shows all of it."""
        page = self._current()
        self._open_settings()
        until(page, lambda: not self._sent().waits(), self._timeout)
        settings = self._settings()
        # Widgets may be there before their values are.
        for _attempt in range(20):
            page.wait_for_timeout(100)
            again = self._settings()
            if again == settings:
                break
            settings = again
        return settings

    def _not_signed_out(self) -> None:
        if Screen(self._current()).field(self._labels.sign_in_password) is not None:
            if not self._seen:
                raise SignInError(
                    f"the console asks to sign in again right after the sign-in of {self._account.username!r}; see that "
                    "console_username and console_password are right before another try"
                )
            raise ExpiredError("the console asks to sign in again, although this session is new")

    def _settings(self) -> ProxySettings:
        screen, labels = Screen(self._current()), self._labels
        port = self._value(labels.port)
        password = screen.field(labels.password)
        masked = password is not None and (
            MASK.fullmatch(password.get_attribute("placeholder") or "") or MASK.fullmatch(password.input_value())
        )
        upload = screen.hidden_field(labels.certificate)
        shown = None if upload is None else beside(upload, labels.certificate)
        return ProxySettings(
            enabled=self._switch().is_checked(),
            host=self._value(labels.host),
            port=int(port) if port.isdecimal() else None,
            username=self._value(labels.username),
            password_set=True if masked else None,
            certificate="" if shown is not None and NO_FILE.match(shown) else shown,
        )

    def _value(self, texts: Texts) -> str:
        field = Screen(self._current()).field(texts)
        return "" if field is None else field.input_value().strip()

    def _switch(self) -> Locator:
        page, screen = self._current(), Screen(self._current())
        # A screen that was there a moment ago may be drawn anew.
        until(page, lambda: screen.switch(self._labels.enable) is not None, self._timeout)
        switch = screen.switch(self._labels.enable)
        if switch is None:
            raise self._missing("enable", self._labels.enable)
        return switch

    def _flip(self, switch: Locator, enabled: bool) -> None:
        if switch.is_visible():
            switch.click()
        else:
            # Hidden behind something prettier, but the keyboard still reaches it.
            switch.press("Space")
        if not until(self._current(), lambda: switch.is_checked() == enabled, self._timeout):
            raise UnexpectedError("the switch for the proxy does not move; see that the account may change settings")

    def _field(self, key: str, texts: Texts) -> Locator:
        field = Screen(self._current()).field(texts)
        if field is None:
            raise self._missing(key, texts)
        return field

    def _saved(self, before: list[str]) -> None:
        """Wait until the console has dealt with a save; what is stored is for the next read to say."""
        page, screen, traffic = self._current(), Screen(self._current()), self._sent()
        done = until(page, lambda: traffic.is_over(QUIET), self._timeout)
        self._not_signed_out()
        alerts = [text for text in screen.alerts() if text not in before]
        broken = [status for status in traffic.statuses if status >= 500]
        rejected = [status for status in traffic.statuses if 400 <= status < 500]
        # An alert after an answer may as well say that all is saved; before anything is sent it cannot.
        if alerts and (rejected or not (traffic.statuses or traffic.failed)):
            said = judged(alerts[0], self._secrets)
            raise RejectedError(f"the console refused the values: {repr(said) if said else NOT_QUOTED}")
        if broken:
            raise UnreachableError(f"the console answers the save with status {broken[0]}; see that it works")
        if rejected:
            raise RejectedError(f"the console refused the values with status {rejected[0]} and without a word")
        if traffic.failed:
            raise UnreachableError("the connection to the console broke during the save; see that it works")
        if not done:
            raise UnreachableError(f"the console did not answer the save within {self._timeout:g} s; see that it works")

    def _missing(self, key: str, texts: Texts) -> ConsoleError:
        looked = " or ".join(repr(text) for text in texts)
        return UnexpectedError(
            f"the screen has nothing with the label {looked} after {self._timeout:g} s; if this console calls it otherwise, "
            f"say so in labels.{key}"
        )
