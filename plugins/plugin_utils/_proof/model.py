# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form of walks, of what they found, and of the verdict; RESULTS is what the module chain_report returns and the report shows.

Private to this collection.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TypedDict

from .._chain.model import Tunnelled

FORMAT = 1
"""Number of RESULTS' format; a report is compared with an earlier one of the same format only."""

VERDICTS = ("broken", "unknown", "degraded", "ok")
"""The verdicts, worst first for the eye: what is known to be broken stands above what could not be asked."""


class ShownCertificate(TypedDict):
    """What an endpoint showed."""

    issuer: str
    authority: str
    subject: str
    not_after: str


class Ended(TypedDict):
    """Where something ended that did not get to its end; stage, hop and reason are null where it did."""

    verdict: str
    stage: str | None
    hop: str | None
    reason: str | None


class ProbeResult(Ended):
    """What came of a walk to one endpoint."""

    endpoint: str
    port: int
    times: dict[str, float]
    """Seconds by stage."""

    certificate: ShownCertificate | None


class HopOptions(TypedDict, total=False):
    """What else is said of a hop."""

    hostname: str
    tls: bool
    tls_ca: str
    tls_name: str
    username: str
    password: str


class HopEntry(HopOptions):
    """A hop, as modules take it."""

    name: str
    address: str
    port: int


class Way(TypedDict):
    """Which link of a proxy's host it is."""

    kind: str
    """self, parent, direct, or pair: whether a member has the addresses of its pair."""

    target: str
    """Name of the proxy that is asked; empty for the endpoints."""

    parent: str
    """The parent's name in squid.conf, since one at two ports is two links; empty for the other kinds."""


class LinkWalk(Way):
    """A walk that is to be made."""

    preferred: bool
    hops: list[HopEntry]


class Walked(Way):
    """A walk that was made."""

    endpoints: list[ProbeResult]
    problem: str
    """Why it could not be made; empty where it was."""


class DecidingRule(TypedDict):
    """The http_access line that decides on a sensor."""

    action: str
    line: int
    text: str


class LogEntry(TypedDict):
    """A CONNECT in a proxy's log."""

    time: str
    endpoint: str
    port: int
    status: int
    result: str


class Evidence(TypedDict):
    """What a proxy knows of one of its sensors."""

    name: str
    rule: DecidingRule | None
    last: LogEntry | None
    last_ok: LogEntry | None
    refused_since_change: LogEntry | None
    count: int
    refused: int
    open: int


class CloudWord(TypedDict):
    """What the cloud says of a sensor."""

    status: str
    time: str


class Link(Tunnelled):
    """A link, and what was found of it."""

    source: str
    target: str
    kind: str
    preferred: bool
    endpoints: list[ProbeResult]
    verdict: str
    reason: str | None


class Judged(Ended):
    """A verdict, and the link to blame."""

    endpoints: list[str]
    """Those that fail."""


class _Trend(TypedDict, total=False):
    trend: str
    """First letters of the verdicts in the last reports, the newest at the end."""


class SensorResult(Judged, Tunnelled, _Trend):
    """A sensor's path, judged."""

    name: str
    addresses: list[str]
    path: list[str]
    since: str | None
    evidence: Evidence | None
    cloud: CloudWord | None


class Installed(TypedDict, total=False):
    """What the host of a proxy has; null where it was not asked."""

    squid: str | None
    """Version of the Squid that is installed."""

    config_sha256: str | None
    """Of squid.conf without its secrets."""


class ProxyResult(Installed):
    """A proxy on some path."""

    kind: str
    """inventory, pair or external."""

    tier: int | None
    address: str
    port: int


class Paths(TypedDict, total=False):
    """The names of the proxies on a path, where they are others now."""

    before_path: list[str]
    after_path: list[str]


class ResultChange(Paths):
    """How a sensor's verdict or path differs from the earlier report's."""

    sensor: str
    before: str | None
    after: str | None


class SetupChange(TypedDict):
    """How what was verified, or what it was verified with, differs from the earlier report's."""

    what: str
    """proxy, configuration, squid, endpoints, inventory, collection or ansible-core."""

    subject: str
    """The proxy or the inventory; empty for the others."""

    before: str | None
    after: str | None


class Source(TypedDict):
    """An inventory that was given to Ansible."""

    path: str
    revision: str | None
    """The commit that is checked out; null where it is not in git."""

    modified: bool | None
    """Whether its folder differs from that commit; null where there is none."""

    modified_files: list[str]
    """Those that differ, relative to the repository; the first twenty."""


class Run(TypedDict):
    """Who verified, when and with what."""

    site: str
    by: str
    controller: str
    job: str
    """The job of AWX, GitLab or GitHub; empty for none."""

    began: str
    seconds: float
    collection: str
    ansible_core: str
    inventories: list[Source]
    playbooks: list[str]
    limit: str
    extra_vars: list[str]
    """Names only."""


class Past(TypedDict):
    """The counts of an earlier report, or of this one."""

    time: str
    counts: dict[str, int]


class LastPlan(TypedDict):
    """What the playbook plan said last, where it was written into the report's folder."""

    time: str
    sentences: list[str]


class _Later(TypedDict, total=False):
    plan: LastPlan
    previous_problem: str | None
    setup_changes: list[SetupChange]
    trend: list[Past]
    run: Run
    previous_sha256: str | None
    """Of results.json of the report before, as it is kept in the history; null for none."""


class Results(_Later):
    """RESULTS."""

    format: int
    time: str
    verdict: str
    counts: dict[str, int]
    never_seen: int
    proxies: dict[str, ProxyResult]
    links: list[Link]
    sensors: list[SensorResult]
    changes: list[ResultChange]
    previous: str | None


def moment(text: object) -> datetime | None:
    """Return a time written as in RESULTS, in UTC; None for what is no time."""
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
