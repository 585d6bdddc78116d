# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A console's page in memory, with as much of Playwright's interface as the browser transport uses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from playwright.sync_api import Error

INPUTS = ("field", "file")
TOGGLES = ("switch", "checkbox")


class FakeTime:
    """Stands in for the module time; passes only while a page is waited for."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@dataclass
class Widget:
    """Something on the page."""

    kind: str
    """``field``, ``file``, a role, or ``text``."""
    name: str
    """Its label, or what it says."""
    value: str = ""
    placeholder: str = ""
    beside: str = ""
    checked: bool = False
    visible: bool = True
    stuck: bool = False
    """Whether a switch does not move."""
    click: Callable[[], None] | None = None


class FakeLocator:
    """What was found, at the time of looking."""

    def __init__(self, page: FakePage, widgets: list[Widget]) -> None:
        self.page = page
        self.widgets = widgets

    @property
    def first(self) -> FakeLocator:
        """The first one."""
        return FakeLocator(self.page, self.widgets[:1])

    def count(self) -> int:
        """How many there are."""
        return len(self.widgets)

    def locator(self, selector: str) -> FakeLocator:
        """Those that are visible."""
        assert selector == "visible=true"
        return FakeLocator(self.page, [widget for widget in self.widgets if widget.visible])

    def or_(self, other: FakeLocator) -> FakeLocator:
        """Both."""
        return FakeLocator(self.page, self.widgets + other.widgets)

    def click(self, **_options: Any) -> None:
        """Switch, then do what the page does."""
        self.page.did.append(("click", self._one.name))
        if self._one.kind in TOGGLES and not self._one.stuck:
            self._one.checked = not self._one.checked
        if self._one.click:
            self._one.click()

    def press(self, key: str) -> None:
        """Like a click."""
        assert key == "Space"
        self.click()

    def fill(self, value: str) -> None:
        """Enter a text."""
        self.page.did.append(("fill", self._one.name))
        self._one.value = value

    def set_input_files(self, file: dict[str, Any]) -> None:
        """Choose a file."""
        self.page.files.append(file)
        self._one.beside = file["name"]

    def input_value(self) -> str:
        """What is entered."""
        return self._one.value

    def get_attribute(self, name: str) -> str | None:
        """The placeholder, if it has one."""
        assert name == "placeholder"
        return self._one.placeholder or None

    def is_checked(self) -> bool:
        """Whether it is on."""
        return self._one.checked

    def is_visible(self) -> bool:
        """Whether it is seen."""
        return self._one.visible

    def evaluate(self, _script: str, _argument: object) -> str:
        """The text beside it."""
        return self._one.beside

    def inner_text(self) -> str:
        """What it says."""
        return " ".join(widget.name for widget in self.widgets if widget.visible)

    def all_inner_texts(self) -> list[str]:
        """What each of them says."""
        return [widget.name for widget in self.widgets]

    @property
    def _one(self) -> Widget:
        (widget,) = self.widgets
        return widget


@dataclass(eq=False)
class FakeRequest:
    """Something that the page has sent."""

    url: str = "https://192.0.2.1/api"


@dataclass
class FakePage:
    """A page; `load` shows what it starts with."""

    time: FakeTime
    load: Callable[[], None]
    status: int = 200
    error: str | None = None
    """With what going anywhere fails."""
    widgets: list[Widget] = field(default_factory=list)
    did: list[tuple[str, str]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    loads: int = 0
    url: str = "about:blank"
    gone: bool = False
    """Whether the browser has crashed."""
    _handlers: dict[str, list[Callable[[Any], None]]] = field(default_factory=dict)

    def goto(self, url: str, **_options: Any) -> SimpleNamespace | None:
        """Load; about:blank shows nothing."""
        self.widgets.clear()
        self.url = url
        if url == "about:blank":
            return None
        self.loads += 1
        if self.error:
            raise Error(self.error)
        self.load()
        return SimpleNamespace(status=self.status)

    def wait_for_timeout(self, milliseconds: float) -> None:
        """Let time pass."""
        self.time.now += milliseconds / 1000

    def on(self, event: str, handler: Callable[[Any], None]) -> None:
        """Call it on each event."""
        self._handlers.setdefault(event, []).append(handler)

    def sends(self, status: int | str | None) -> None:
        """Send a request: answered with a status, failed ("failed"), or never answered (None)."""
        request = FakeRequest()
        self._emit("request", request)
        if isinstance(status, int):
            self._emit("response", SimpleNamespace(request=request, status=status))
        elif status:
            self._emit("requestfailed", request)

    def _emit(self, event: str, argument: object) -> None:
        for handler in self._handlers.get(event, []):
            handler(argument)

    def get_by_label(self, name: re.Pattern[str]) -> FakeLocator:
        """Inputs."""
        return self._found(lambda widget: widget.kind in INPUTS and bool(name.search(widget.name)))

    def get_by_role(self, role: str, name: re.Pattern[str] | None = None) -> FakeLocator:
        """Widgets of a role."""
        return self._found(lambda widget: widget.kind == role and (name is None or bool(name.search(widget.name))))

    def get_by_text(self, text: re.Pattern[str]) -> FakeLocator:
        """Whatever says it."""
        return self._found(lambda widget: widget.kind not in INPUTS and bool(text.search(widget.name)))

    def locator(self, selector: str) -> FakeLocator:
        """Everything."""
        assert selector == "body"
        return self._found(lambda _widget: True)

    def screenshot(self) -> bytes:
        """Everything that is seen."""
        self._alive()
        return "\n".join(f"{widget.name}={widget.value}" for widget in self.widgets).encode()

    def _alive(self) -> None:
        if self.gone:
            raise Error("Target page, context or browser has been closed")

    def _found(self, condition: Callable[[Widget], bool]) -> FakeLocator:
        self._alive()
        return FakeLocator(self, [widget for widget in self.widgets if condition(widget)])


class FakeSite:
    """A console of two screens, whose answers a test chooses."""

    def __init__(self, time: FakeTime, password: str) -> None:
        self.page = FakePage(time, self.load)
        self.password = password
        self.signed_in = False
        self.sign_ins = 0
        self.refusal = "The username or password is incorrect"
        """What it says to a sign-in with a wrong password."""
        self.sign_in_status: int | str | None = None
        """With what it answers a sign-in; None for 200 or 403, as the password is."""
        self.save_status: int | str | None = 200
        self.save_alert: str | None = None
        self.save_signs_out = False
        self.without: set[str] = set()
        """Names of widgets that it lacks."""
        self.extra: list[Widget] = []
        self.stored = {"Proxy Host": "192.0.2.9", "Proxy Port": "3128", "Proxy Username": "old", "Proxy Password": ""}
        self.enabled = True
        self.mask = "********"
        self.certificate = "No file chosen"
        self.switch = Widget("switch", "Enable Proxy")

    def load(self) -> None:
        """Show the screen that is due."""
        if self.signed_in:
            self._show(Widget("link", "System settings", click=self._settings), Widget("text", "Version 25.2.2"))
        else:
            self._show(
                Widget("field", "Username"),
                Widget("field", "Password"),
                Widget("button", "Login", click=self._sign_in),
            )

    def _show(self, *widgets: Widget) -> None:
        shown = [*widgets, *self.extra]
        self.page.widgets[:] = [widget for widget in shown if widget.name not in self.without]

    def _value(self, name: str) -> str:
        return next(widget.value for widget in self.page.widgets if widget.name == name)

    def _sign_in(self) -> None:
        self.sign_ins += 1
        right = self._value("Password") == self.password and self._value("Username") == "admin"
        if self.sign_in_status is None and right:
            self.signed_in = True
            self.page.sends(200)
            self.load()
        else:
            self.page.sends(self.sign_in_status or 403)
            if self.refusal:
                self.page.widgets.append(Widget("alert", self.refusal))

    def _settings(self) -> None:
        if not self.signed_in:
            self.load()
            return
        self.switch.name, self.switch.checked = "Enable Proxy", self.enabled
        self._show(
            Widget("link", "System settings", click=self._settings),
            self.switch,
            *(Widget("field", name, value) for name, value in self.stored.items() if name != "Proxy Password"),
            Widget("field", "Proxy Password", placeholder=self.mask),
            Widget("file", "Client certificate", beside=self.certificate, visible=False),
            Widget("button", "Save", click=self._save),
            Widget("text", "Version 25.2.2"),
        )

    def _save(self) -> None:
        if self.save_signs_out:
            self.signed_in = False
            self.page.sends(401)
            self.load()
            return
        self.page.sends(self.save_status)
        if self.save_alert:
            self.page.widgets.append(Widget("alert", self.save_alert))
        if self.save_status == 200:
            self.enabled = self.switch.checked
            self.stored = {name: self._value(name) for name in self.stored}
