# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof of life of the proxy on this host: its ports answer, what is allowed passes, what is foreign is refused.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from .._probe.connect import Answer, Listener
from . import text
from .host import Host

PORT = 443
"""TCP port of every endpoint."""

_QUICK = 2.0
"""Seconds within which Squid's own refusal is there; a later answer is being fetched from upstream."""

_PARALLEL = 8

_IN_A_ROW = 3
"""Proofs in a row that several workers have to give: each reads the new file in its own time, and which one answers is chance."""


class Proof:
    """Asks the proxy on this host, as the configuration says that it should answer."""

    def __init__(self, host: Host, endpoints: Sequence[str], timeout: float) -> None:
        self._host = host
        self._endpoints = list(endpoints)
        self._timeout = timeout

    def missing(self, config: str) -> str | None:
        """Say what the running proxy does not do as this configuration does, or return None."""
        if not self._host.is_active():
            return "the service is not running"
        token, refused = text.token_of(config), _refusals(config)
        listeners = text.listeners(config)
        for listener in listeners:
            answer = self._ask(listener, self._endpoints[0], None, _QUICK)
            if answer.status is None:
                return f"{listener} does not answer ({answer})"
            if token and not refused(answer):
                return f"{listener} does not refuse a CONNECT from an unknown source (it answered {answer})"
        if not token:
            return None
        answer = self._ask(listeners[0], self._endpoints[0], token, _QUICK)
        if answer.status is None and not answer.pending:
            return f"{listeners[0]} does not answer a CONNECT that it allows ({answer})"
        if refused(answer):
            return f"{listeners[0]} refuses a CONNECT to {self._endpoints[0]}:{PORT} that the configuration allows"
        return None

    def wait(self, config: str, seconds: float) -> str | None:
        """Repeat missing() until nothing is missing; return what still was when the time ended."""
        deadline = self._host.now() + seconds
        proven, enough = 0, _IN_A_ROW if text.workers(config) > 1 else 1
        while True:
            problem = self.missing(config)
            proven = 0 if problem else proven + 1
            if proven == enough:
                return None
            if problem and self._host.now() >= deadline:
                return problem
            self._host.pause(0.1)

    def upstream(self, config: str, endpoints: Sequence[str] | None = None) -> dict[str, Answer]:
        """Connect to every endpoint of the probe through the proxy."""
        asked = self._endpoints if endpoints is None else endpoints
        listener, token = text.listeners(config)[0], text.token_of(config)
        with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
            answers = pool.map(lambda endpoint: self._ask(listener, endpoint, token, self._timeout), asked)
            return dict(zip(asked, answers, strict=True))

    def lost(self, before: Mapping[str, Answer], config: str, seconds: float) -> dict[str, Answer]:
        """Return the endpoints that worked before and do not now, giving Squid some time to find its parents again."""
        broken = [endpoint for endpoint, answer in before.items() if answer.status == 200]
        deadline = self._host.now() + seconds
        while True:
            now = self.upstream(config, broken)
            broken = [endpoint for endpoint in broken if now[endpoint].status != 200]
            if not broken or self._host.now() >= deadline:
                return {endpoint: now[endpoint] for endpoint in broken}
            self._host.pause(0.5)

    def _ask(self, listener: Listener, endpoint: str, token: str | None, timeout: float) -> Answer:
        headers = {text.PROBE_HEADER: token} if token else {}
        return self._host.connect(listener, f"{endpoint}:{PORT}", headers, timeout)


def _refusals(config: str) -> Callable[[Answer], bool]:
    """Return what tells this proxy's own refusals, which another one may forge, from a parent's."""
    mark, name = text.mark_of(config), text.visible_hostname(config)
    if mark is None:
        return lambda answer: answer.refused_by(name)
    header = text.REFUSED_HEADER.lower()
    return lambda answer: answer.status in (403, 407) and (answer.headers or {}).get(header) == mark
