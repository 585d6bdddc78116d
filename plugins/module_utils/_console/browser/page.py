# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds things on a console's page as a person does: by what is visible and what it is called.

Private to this collection. Every wait is bounded by the time that it is given.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..labels import Paths, Texts, pattern

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request, Response

TICK = 0.05
"""Seconds between two looks."""

DOUBT = 0.5
"""Seconds without progress after which a less likely path is tried."""

CLICK = 0.5
"""Seconds within which something visible can be clicked."""

AGAIN = 3.0
"""Seconds after which a click that led nowhere is repeated."""

LONG_POLL = 5.0
"""Seconds after which a request without an answer is taken for one that waits for events."""

NO_FILE = re.compile(r"^(no file (chosen|selected)|choose file|browse|upload)?[\s.\u2026]*$", re.IGNORECASE)
"""What stands beside a file field without a file."""

_BESIDE = """(field, label) => {
  // The text beside a field: that of the smallest element around it that says more than the label, as long as no other
  // field is in it.
  for (let box = field.parentElement, up = 0; box && up < 4; box = box.parentElement, up++) {
    if (box.querySelectorAll('input, select, textarea').length > 1) return '';
    const text = (box.innerText || '').replace(new RegExp(label, 'i'), '').replace(/^[\\s:*]+|[\\s:*]+$/g, '');
    if (text) return text;
  }
  return '';
}"""


@dataclass(frozen=True)
class Screen:
    """What a page shows now."""

    page: Page

    def field(self, texts: Texts) -> Locator | None:
        """Return the visible field with one of these labels."""
        return _first(self._scope().get_by_label(pattern(texts)).locator("visible=true"))

    def hidden_field(self, texts: Texts) -> Locator | None:
        """Return the field with one of these labels, which a console may hide behind something prettier."""
        return _first(self._scope().get_by_label(pattern(texts)))

    def switch(self, texts: Texts) -> Locator | None:
        """Return the checkbox or switch with one of these labels."""
        scope, name = self._scope(), pattern(texts)
        return _first(scope.get_by_role("switch", name=name).or_(scope.get_by_role("checkbox", name=name)))

    def button(self, texts: Texts) -> Locator | None:
        """Return the visible button with one of these names."""
        return _first(self._scope().get_by_role("button", name=pattern(texts)).locator("visible=true"))

    def text(self, texts: Texts) -> Locator | None:
        """Return the visible element that says just one of these texts."""
        return _first(self.page.get_by_text(pattern(texts)).locator("visible=true"))

    def says(self, texts: Texts) -> tuple[str, ...]:
        """Return those of the texts that stand somewhere on the page."""
        shown = " ".join(self.everything().split()).lower()
        return tuple(text for text in texts if " ".join(text.split()).lower() in shown)

    def everything(self) -> str:
        """Return all visible text."""
        return self.page.locator("body").inner_text()

    def alerts(self) -> list[str]:
        """Return the texts of the visible alerts."""
        texts = self.page.get_by_role("alert").locator("visible=true").all_inner_texts()
        return [" ".join(text.split()) for text in texts if text.strip()]

    def _scope(self) -> Page | Locator:
        dialog = _first(self.page.get_by_role("dialog").locator("visible=true"))
        return self.page if dialog is None else dialog


def _first(found: Locator) -> Locator | None:
    return found.first if found.count() else None


def beside(field: Locator, texts: Texts) -> str:
    """Return the text beside a field that is not its label."""
    label = "|".join("\\s+".join(map(re.escape, text.split())) for text in texts)
    return str(field.evaluate(_BESIDE, label)) if field.count() else ""


def until(page: Page, condition: Callable[[], bool], seconds: float) -> bool:
    """Look until the condition holds or the time is over; return whether it holds."""
    deadline = time.monotonic() + seconds
    while not _holds(condition):
        if time.monotonic() >= deadline:
            return False
        # Not time.sleep: the page's events are delivered meanwhile.
        page.wait_for_timeout(TICK * 1000)
    return True


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except Exception as error:
        # Between two pages there is nothing to look at.
        if "Execution context was destroyed" in str(error):
            return False
        raise


class Walk:
    """Clicks its way to a screen."""

    def __init__(self, screen: Screen, paths: Paths, traffic: Traffic | None = None) -> None:
        self._screen = screen
        self._traffic = traffic
        self._paths = paths
        self._clicked: dict[str, float] = {}
        self._moved = time.monotonic()
        self.slowest = 0.0
        """Seconds that the next thing to click took to appear, at most."""

    @property
    def idle(self) -> float:
        """Seconds since something new was clicked."""
        return time.monotonic() - self._moved

    @property
    def steps(self) -> int:
        """How many different things were clicked."""
        return len(self._clicked)

    def step(self) -> None:
        """Click the next thing on the way, if it is there."""
        if self._traffic is not None and self._traffic.waits():
            # What was clicked is still loading; another click may undo it.
            self._moved += min(TICK, self.idle)
            return
        for doubt, path in enumerate(self._paths):
            if self.idle < doubt * DOUBT:
                return
            for text in reversed(path):
                if time.monotonic() - self._clicked.get(text, -AGAIN) < AGAIN:
                    break
                found = self._screen.text((text,))
                if found is not None:
                    try:
                        found.click(timeout=CLICK * 1000)
                    except Exception as error:
                        # Behind a dialog, or gone in the meantime.
                        if "Timeout" not in str(error):
                            raise
                        continue
                    self._note(text, doubt * DOUBT)
                    return

    def _note(self, text: str, hesitated: float) -> None:
        now = time.monotonic()
        if text not in self._clicked:
            self.slowest = max(self.slowest, now - self._moved - hesitated)
            self._moved = now
        self._clicked[text] = now


class Traffic:
    """The page's requests of its own console since a moment; others reach nobody, and their failure says nothing."""

    def __init__(self, page: Page, origin: str) -> None:
        self._origin = f"{origin}/"
        self._open: set[Request] = set()
        self.statuses: list[int] = []
        self.failed = 0
        self._last = time.monotonic()
        page.on("request", self._begin)
        page.on("response", self._answer)
        page.on("requestfailed", self._fail)

    def start(self) -> None:
        """Forget what was."""
        self._open.clear()
        self.statuses.clear()
        self.failed = 0
        self._last = time.monotonic()

    def waits(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._open) and time.monotonic() - self._last < LONG_POLL

    def is_over(self, quiet: float) -> bool:
        """Whether something was sent and answered, or nothing was sent for a second."""
        passed = time.monotonic() - self._last
        return not self._open and passed > (quiet if self.statuses or self.failed else 1.0)

    def _begin(self, request: Request) -> None:
        if request.url.startswith(self._origin):
            self._open.add(request)
            self._last = time.monotonic()

    def _answer(self, response: Response) -> None:
        # Not "requestfinished": a page that does not read an answer's body never finishes it.
        if response.request in self._open:
            self._open.discard(response.request)
            self.statuses.append(response.status)
            self._last = time.monotonic()

    def _fail(self, request: Request) -> None:
        if request in self._open:
            self._open.discard(request)
            self.failed += 1
            self._last = time.monotonic()
