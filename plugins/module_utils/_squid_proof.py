# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof of life of the proxy on this host: its ports answer, what is allowed passes, what is foreign is refused.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._connect import Answer, Listener
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid_host import Host
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid_text import PROBE_HEADER

PORT = 443
"""TCP port of every endpoint."""

_QUICK = 2.0
"""Seconds within which Squid's own refusal is there; a later answer is being fetched from upstream."""

_PARALLEL = 8


class Proof:
    """Asks the listeners of this host."""

    def __init__(
        self, host: Host, hostname: str, listeners: Sequence[Listener], endpoints: Sequence[str], timeout: float
    ) -> None:
        self._host = host
        self._hostname = hostname
        self._listeners = list(listeners)
        self._endpoints = list(endpoints)
        self._timeout = timeout

    def missing(self, token: str) -> str | None:
        """Say what the running proxy does not do as the configuration with this token does, or return None."""
        if not self._host.is_active():
            return "the service is not running"
        for listener in self._listeners:
            answer = self._ask(listener, self._endpoints[0], None, _QUICK)
            if answer.status is None:
                return f"{listener} does not answer ({answer})"
            if not answer.refused_by(self._hostname):
                return f"{listener} does not refuse a CONNECT from an unknown source (it answered {answer})"
        answer = self._ask(self._listeners[0], self._endpoints[0], token, _QUICK)
        if answer.refused_by(self._hostname):
            return f"{self._listeners[0]} refuses a CONNECT to {self._endpoints[0]}:{PORT} that the new configuration allows"
        return None

    def wait(self, token: str, seconds: float) -> str | None:
        """Repeat missing() until nothing is missing; return what still was when the time ended."""
        deadline = self._host.now() + seconds
        while (problem := self.missing(token)) is not None:
            if self._host.now() >= deadline:
                return problem
            self._host.pause(0.1)
        return None

    def upstream(self, token: str) -> dict[str, Answer]:
        """Connect to every endpoint of the probe through the proxy."""
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            answers = pool.map(lambda e: self._ask(self._listeners[0], e, token, self._timeout), self._endpoints)
            return dict(zip(self._endpoints, answers, strict=True))

    def lost(self, before: Mapping[str, Answer], token: str, seconds: float) -> dict[str, Answer]:
        """Return the endpoints that worked before and do not now, giving Squid some time to find its parents again."""
        worked = [endpoint for endpoint, answer in before.items() if answer.status == 200]
        deadline = self._host.now() + seconds
        while True:
            now = {endpoint: self._ask(self._listeners[0], endpoint, token, self._timeout) for endpoint in worked}
            broken = {endpoint: answer for endpoint, answer in now.items() if answer.status != 200}
            if not broken or self._host.now() >= deadline:
                return broken
            self._host.pause(0.5)

    def _ask(self, listener: Listener, endpoint: str, token: str | None, timeout: float) -> Answer:
        headers = {PROBE_HEADER: token} if token else {}
        return self._host.connect(listener, f"{endpoint}:{PORT}", headers, timeout)
