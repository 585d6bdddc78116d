# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, compare, save, read back, wait for the sensor's word, put back: whatever the transport.

Private to this collection.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .model import (
    ClientCertificate,
    Cloud,
    Console,
    ConsoleError,
    ExpiredError,
    GoneError,
    ProxySettings,
    Push,
    Reading,
    RejectedError,
    UnreachableError,
)

T = TypeVar("T")

SETTLE = 30.0
"""Seconds in which a console may be silent after a save; whether Save restarts anything is not documented."""

POLL = 1.0
"""Seconds between two looks at the connectivity screen."""


@dataclass(frozen=True)
class WantedProxy:
    """What the sensor's proxy settings must be. None leaves a field as it is."""

    enabled: bool
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | None = None
    certificate: ClientCertificate | None = None
    always: bool = False
    """Send the password although one is stored and nothing else differs."""

    def push(self, now: ProxySettings) -> tuple[Push, list[str]]:
        """Return what to save, and the names of the fields that it changes; none when all is as wanted."""
        push = Push(enabled=self.enabled)
        if not self.enabled:
            return push, ["enabled"] if now.enabled else []
        changed = [] if now.enabled else ["enabled"]
        if self.host is not None and self.host.lower() != now.host.lower():
            push = replace(push, host=self.host)
            changed.append("host")
        if self.port is not None and self.port != now.port:
            push = replace(push, port=self.port)
            changed.append("port")
        if self.username is not None and self.username != now.username:
            push = replace(push, username=self.username)
            changed.append("username")
        # A stored one is kept where it may still be right: what was not replaced can be put back whole.
        if self.password and (self.always or now.password_set is False or {"enabled", "username"} & set(changed)):
            push = replace(push, password=self.password)
            changed.append("password")
        elif push.username == "":
            # Nobody to sign in as: the password goes with the name, as far as the console lets it go.
            push = replace(push, password="")
        if self.certificate and self._uploads(now.certificate, changed):
            push = replace(push, certificate=self.certificate)
            changed.append("client_certificate")
        return push, changed

    def _uploads(self, shown: str | None, changed: list[str]) -> bool:
        if shown is None:
            return self.always or bool(changed)
        return self.certificate is not None and self.certificate.filename not in shown

    def after(self, now: ProxySettings, push: Push) -> ProxySettings:
        """Return the settings as they are to be once `push` is saved."""
        return ProxySettings(
            enabled=push.enabled,
            host=now.host if push.host is None else push.host,
            port=now.port if push.port is None else push.port,
            username=now.username if push.username is None else push.username,
            password_set=now.password_set if push.password is None else bool(push.password),
            certificate=push.certificate.filename if push.certificate else now.certificate,
        )


@dataclass(frozen=True)
class Terms:
    """How a push is proven, and what happens if it cannot be."""

    wait: float | None
    """Seconds to wait for the sensor to say that the cloud is reachable; None to not ask."""
    delay: float
    """Seconds after a save before the sensor's word is believed."""
    rollback: bool
    previous_username: str | None = None
    previous_password: str | None = None
    """The password in force until now, which only the caller can know: that of previous_username, if that is given."""

    def password_of(self, username: str) -> str | None:
        """Return the previous password, if it is this user's."""
        return self.previous_password if self.previous_username in (None, "", username) else None


@dataclass
class Pushed:
    """What a run found and did."""

    before: Reading | None = None
    after: ProxySettings | None = None
    changed: list[str] = field(default_factory=list)
    cloud: Cloud | None = None
    rolled_back: bool = False
    gone: bool = False
    """Whether nobody at all answered, from the start."""
    warnings: list[str] = field(default_factory=list)


class PushError(Exception):
    """The sensor is not as wanted; one sentence says why and what it is instead."""

    def __init__(self, sentence: str, outcome: Pushed) -> None:
        super().__init__(sentence)
        self.outcome = outcome


@dataclass
class Clock:
    """Time, which tests make run faster."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Session:
    """A console with one session, which is renewed once when it expires."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def open(self) -> None:
        """Sign in."""
        self._console.sign_in()

    def do(self, step: Callable[[Console], T]) -> T:
        """Do a step; sign in again and repeat it, once, where the session is over.

        Raises:
            ConsoleError: whatever the step raises; ExpiredError when it expired twice in a row.
        """
        try:
            return step(self._console)
        except ExpiredError:
            self._console.sign_in()
        return step(self._console)


class Sequence:
    """The whole of a change of one sensor's proxy settings."""

    def __init__(
        self,
        console: Console,
        wanted: WantedProxy,
        terms: Terms,
        *,
        evidence: Callable[[], object] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            console: the sensor's console, not signed in.
            wanted: what the settings must be.
            terms: how to prove it.
            evidence: called as soon as something is wrong, while the console still shows it.
            clock: the time.
        """
        self._session = Session(console)
        self._wanted = wanted
        self._terms = terms
        self._evidence = evidence
        self._clock = clock or Clock()
        self._outcome = Pushed()

    def run(self, check: bool) -> Pushed:
        """Bring the settings to what is wanted.

        Args:
            check: say what would change, change nothing.

        Raises:
            PushError: it did not work; its outcome says what is in force now.
        """
        outcome = self._outcome
        answered = False
        try:
            self._session.open()
            answered = True
            before = outcome.before = self._session.do(lambda console: console.read())
            outcome.after = before.settings
            push, changed = self._wanted.push(before.settings)
            if check:
                if self._terms.wait is not None:
                    outcome.cloud = self._session.do(lambda console: console.cloud())
                outcome.changed = changed
                outcome.after = self._wanted.after(before.settings, push) if changed else before.settings
                return outcome
            if not changed:
                self._prove(delay=0.0)
                return outcome
        except ConsoleError as error:
            self._evidence()
            outcome.gone = isinstance(error, GoneError) and not answered
            raise PushError(f"{error}.", outcome) from error
        self._change(before.settings, push, changed)
        return outcome

    def _change(self, before: ProxySettings, push: Push, changed: list[str]) -> None:
        outcome = self._outcome
        try:
            self._session.do(lambda console: console.save(push))
            outcome.changed = changed
            outcome.after = self._settled()
            self._compare(before, push, outcome.after)
            self._prove(delay=self._terms.delay)
        except ConsoleError as error:
            self._evidence()
            refused = isinstance(error, RejectedError)
            raise PushError(f"{error}; {self._take_back(before, push, refused)}.", outcome) from error

    def _settled(self) -> ProxySettings:
        """Read back, with patience for a console that restarts."""
        deadline = self._clock.now() + SETTLE
        while True:
            try:
                return self._session.do(lambda console: console.read()).settings
            except UnreachableError:
                if self._clock.now() >= deadline:
                    raise
                self._clock.sleep(POLL)

    def _compare(self, before: ProxySettings, push: Push, found: ProxySettings) -> None:
        wanted = self._wanted.after(before, push)
        wrong = [
            f"{name} is {getattr(found, name)!r} instead of {getattr(wanted, name)!r}"
            for name in ("enabled", "host", "port", "username")
            if getattr(found, name) != getattr(wanted, name) and (name == "enabled" or push.enabled)
        ]
        if push.password and found.password_set is False:
            wrong.append("no password is stored")
        if wrong:
            raise ConsoleError(f"the console took the settings but does not show them: {', '.join(wrong)}")
        shown = found.certificate
        if push.certificate and shown is not None and push.certificate.filename not in shown:
            self._outcome.warnings.append(
                f"The console shows {shown!r} for the client certificate and not its file name, so a later run "
                "cannot tell whether it is still the same and will upload it again."
            )

    def _prove(self, delay: float) -> None:
        """Wait for the sensor's word, where it is asked for and can be given."""
        wait = self._terms.wait
        if not self._wanted.enabled or wait is None:
            return
        cloud = self._outcome.cloud = self._wait(delay, wait)
        if cloud is None:
            self._outcome.warnings.append(
                "The console has no screen that tells whether the cloud is reachable, so nothing was proven; "
                "look at the sensor in the portal, or at the first hop's access log."
            )
        elif not cloud.connected:
            why = ", ".join(cloud.issues) or "the sensor names no issue"
            raise ConsoleError(f"the cloud was not reachable within {wait:g} s ({why})")

    def _wait(self, delay: float, seconds: float) -> Cloud | None:
        """Return the sensor's word as soon as it is good, or the last one."""
        self._clock.sleep(delay)
        deadline = self._clock.now() + seconds
        while True:
            cloud = self._look()
            if cloud is None or cloud.connected or self._clock.now() >= deadline:
                return cloud
            self._clock.sleep(POLL)

    def _look(self) -> Cloud | None:
        try:
            return self._session.do(lambda console: console.cloud())
        except UnreachableError as error:
            return Cloud(connected=False, issues=(f"its console: {error}",))

    def _take_back(self, previous: ProxySettings, push: Push, refused: bool) -> str:
        """Put the previous settings back; return half a sentence on what is in force now."""
        outcome = self._outcome
        if not self._terms.rollback:
            return "the new settings stay, since rollback is off"
        try:
            found = self._settled()
            if refused and self._same(found, previous):
                outcome.after = found
                return "nothing was changed"
            self._session.do(lambda console: console.save(self._back(push, previous)))
            outcome.after = self._settled()
        except ConsoleError as error:
            return f"and the previous settings could not be put back: {error}; correct it at the console"
        if not self._same(outcome.after, previous):
            return (
                f"and the console does not show the previous settings ({described(previous)}) again; correct it there"
            )
        outcome.rolled_back = True
        outcome.changed = []
        text = f"the previous settings ({described(previous)}) are back"
        lost = self._lost(push, previous)
        if lost:
            return f"{text}, but {lost}; enter it at the console"
        if previous.enabled and self._terms.wait is not None:
            text += " and the sensor is connected again" if self._connected() else ", but it is not connected yet"
        return text

    def _back(self, push: Push, previous: ProxySettings) -> Push:
        if not previous.enabled:
            return Push(enabled=False)
        password = None
        if push.password:
            password = "" if previous.password_set is False else self._terms.password_of(previous.username)
        return Push(True, previous.host, previous.port, previous.username, password)

    def _lost(self, push: Push, previous: ProxySettings) -> str:
        if not previous.enabled:
            return ""
        lost = []
        known = previous.password_set is False or self._terms.password_of(previous.username)
        if push.password is not None and previous.username and not known:
            lost.append("its previous password, which nobody told (previous_password)")
        if push.certificate and previous.certificate != "":
            lost.append("its previous client certificate")
        return f"without {' and '.join(lost)}" if lost else ""

    def _connected(self) -> bool:
        try:
            cloud = self._wait(self._terms.delay, self._terms.wait or 0.0)
        except ConsoleError:
            return False
        return cloud is not None and cloud.connected

    @staticmethod
    def _same(found: ProxySettings, previous: ProxySettings) -> bool:
        fields = ("enabled", "host", "port", "username") if previous.enabled else ("enabled",)
        return all(getattr(found, name) == getattr(previous, name) for name in fields)


def told(outcome: Pushed, check: bool) -> str:
    """Return how the sensor is in a few words; in check mode what would be changed beside what it has, whose verdict it is."""
    if outcome.before is None or outcome.after is None:
        return "not known"
    cloud = ""
    if outcome.cloud is not None:
        issues = ", ".join(outcome.cloud.issues) or "not connected to the cloud"
        cloud = f", {'connected to the cloud' if outcome.cloud.connected else issues}"
    if check and outcome.changed:
        fields = ", ".join(outcome.changed)
        return (
            f"would be {described(outcome.after)} (changes {fields}); now {described(outcome.before.settings)}{cloud}"
        )
    return f"{described(outcome.after)}{cloud}"


def described(settings: ProxySettings) -> str:
    """Return the settings in a few words, without anything secret."""
    if not settings.enabled:
        return "proxy off"
    user = f", user {settings.username}" if settings.username else ""
    return f"proxy {settings.host}:{settings.port}{user}"
