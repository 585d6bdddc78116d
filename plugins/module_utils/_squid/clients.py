# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put together what a proxy's configuration, log and connections say of each client.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import text
from .acls import Request
from .admitted import admitted
from .evidence import Entry, entries, open_connections, plain
from .rules import ALLOW, Decision, Rules

KERNEL_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


@dataclass
class ProxyHost:
    """The proxy on this host."""

    config: Path
    users: Path
    log: Path
    log_bytes: int
    """How much of the log is read, from its end."""

    since: datetime
    """What is older does not count."""

    tables: Sequence[Path] = KERNEL_TABLES
    rules_problem: str | None = field(default=None, init=False)
    """Why the configuration's lines could not be followed."""

    def look_up(self, clients: Sequence[Mapping[str, Any]], host: str, port: int) -> list[dict[str, Any]]:
        """Return what is known of each client.

        Args:
            clients: each with ``name``, ``addresses`` and perhaps ``username`` and ``previous_username``.
            host: an endpoint, for the line that decides.
            port: its TCP port.

        Raises:
            ValueError: the configuration or the log cannot be read.
        """
        try:
            config = self.config.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ValueError(
                f"{self.config} cannot be read ({error.strerror}); deploy the proxy first, and run this as root"
            ) from error
        rules = self._rules(config)
        opened = open_connections(self.tables, [listener.port for listener in text.listeners(config)])
        changed = self._changed()
        made: dict[str, list[Entry]] = {}
        for entry in entries(self.log, self.log_bytes, self.since):
            made.setdefault(entry.client, []).append(entry)
        return [
            _one(client, rules, Request("", host, port, client.get("username")), made, opened, changed)
            for client in clients
        ]

    def others(self, clients: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
        """Return ACL name and addresses of whom else the configuration admits."""
        theirs = {address for client in clients for address in client["addresses"]}
        config = self.config.read_text(encoding="utf-8", errors="replace")
        return [(who.acl, who.addresses) for who in admitted(config) if not theirs.issuperset(who.addresses)]

    def _rules(self, config: str) -> Rules | None:
        try:
            return Rules(config)
        except ValueError as error:
            self.rules_problem = f"{self.config}: {error}"
            return None

    def _changed(self) -> datetime:
        """When the configuration, or whom it lets sign in, last changed."""
        times = [path.stat().st_mtime for path in (self.config, self.users) if path.exists()]
        return datetime.fromtimestamp(max(times), timezone.utc)


def _one(
    client: Mapping[str, Any],
    rules: Rules | None,
    asked: Request,
    made: Mapping[str, list[Entry]],
    opened: Mapping[str, int],
    changed: datetime,
) -> dict[str, Any]:
    addresses = [plain(address) for address in client["addresses"]]
    log = sorted((entry for address in addresses for entry in made.get(address, [])), key=lambda entry: entry.time)
    passed = [entry for entry in log if entry.passed]
    connections = sum(opened.get(address, 0) for address in addresses)
    refused = None
    if rules is not None and connections == 0:
        refused = _refused(log, rules, asked.user, changed)
    return {
        "name": client["name"],
        "rule": _rule(rules, addresses, asked, client.get("previous_username")) if rules and addresses else None,
        "last": log[-1].as_result() if log else None,
        "last_ok": passed[-1].as_result() if passed else None,
        "refused_since_change": refused.as_result() if refused else None,
        "count": len(log),
        "refused": len(log) - len(passed),
        "open": connections,
    }


def _rule(rules: Rules, addresses: Sequence[str], asked: Request, previous_user: str | None) -> dict[str, Any]:
    """The line that decides; with several addresses, the first that is not allowed counts."""
    # Before a rotation the proxy knows only the previous user, whom the sensor still has then.
    users = [asked.user, *filter(None, [previous_user])]
    decisions = [
        _best([rules.decide(Request(address, asked.host, asked.port, user)) for user in users]) for address in addresses
    ]
    worst = next((decision for decision in decisions if decision.action != ALLOW), decisions[0])
    return worst._asdict()


def _best(decisions: Sequence[Decision]) -> Decision:
    return next((decision for decision in decisions if decision.action == ALLOW), decisions[0])


def _refused(log: Sequence[Entry], rules: Rules, user: str | None, changed: datetime) -> Entry | None:
    """The last refusal of this proxy's own that its present configuration does not explain, if nothing passed since."""
    explained: set[Request] = set()
    for entry in reversed(log):
        if entry.passed or entry.time < changed:
            return None
        request = Request(entry.client, entry.host, entry.port, user)
        if not entry.refused_here or entry.status not in (403, 407) or request in explained:
            continue
        if rules.decide(request).action == ALLOW:
            return entry
        explained.add(request)
    return None
