# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A console in memory, whose sensor reaches the cloud when its settings are the right ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    Cloud,
    ConsoleError,
    ProxySettings,
    Push,
    Reading,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.push import Clock

OFF = ProxySettings(enabled=False, password_set=False, certificate="")
ON = ProxySettings(True, "192.0.2.250", 3128, "plant-a", password_set=True, certificate="")


class FakeConsole:
    """Keeps settings and a password as a sensor does; raises what a test lays into its way."""

    def __init__(self, settings: ProxySettings = OFF, password: str = "", *, right: str = "right") -> None:
        self.settings = settings
        self.password = password
        self.right = right
        """The password with which the sensor reaches the cloud."""
        self.calls: list[str] = []
        self.pushes: list[Push] = []
        self.raises: dict[str, list[ConsoleError]] = {}
        """For each method, what its next calls raise instead of doing anything."""
        self.raises_after_save: list[ConsoleError] = []
        """What saves raise although they have stored the settings."""
        self.stores = True
        self.has_cloud = True
        self.closed = False

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.raises.get(name):
            raise self.raises[name].pop(0)

    def sign_in(self) -> None:
        """Sign in."""
        self._called("sign_in")

    def read(self) -> Reading:
        """What is stored."""
        self._called("read")
        return Reading(self.settings, "25.2.2")

    def save(self, push: Push) -> None:
        """Store it."""
        self._called("save")
        self.pushes.append(push)
        if self.stores:
            fields = {name: getattr(push, name) for name in ("host", "port", "username")}
            given = {name: value for name, value in fields.items() if value is not None}
            self.settings = replace(self.settings, enabled=push.enabled, **given)
            if push.password is not None:
                self.password = push.password
                if self.settings.password_set is not None:
                    self.settings = replace(self.settings, password_set=bool(push.password))
            if push.certificate and self.settings.certificate is not None:
                self.settings = replace(self.settings, certificate=push.certificate.filename)
        if self.raises_after_save:
            raise self.raises_after_save.pop(0)

    def cloud(self) -> Cloud | None:
        """Whether the password is the right one."""
        self._called("cloud")
        if not self.has_cloud:
            return None
        if self.settings.enabled and self.password == self.right:
            return Cloud(connected=True)
        return Cloud(connected=False, issues=("Proxy authentication issues",))

    def evidence(self, path: str) -> str | None:
        """A file that holds nothing."""
        self._called("evidence")
        Path(path).touch(mode=0o600)
        return path

    def close(self) -> None:
        """Note it."""
        self.closed = True


class FastClock(Clock):
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.time = 0.0
        super().__init__(now=lambda: self.time, sleep=self._pass)

    def _pass(self, seconds: float) -> None:
        self.time += seconds
