# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The distinct failures of RESULTS: what is shown once, however many sensors it hits. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._proof.model import Results, moment
from .results import clean, fault_of, known, natural, rank, sensors_of


@dataclass
class Failure:
    """One cause.

    Attributes:
        verdict: the worst verdict of what it hits.
        stage: where in a connection it fails, or empty.
        hop: the proxy, or empty for the endpoint; None when not known.
        reason: one sentence.
        similar: whether others of it have the same reason with another name in it.
        since: the first time it was seen; None when not known.
        sensors: names of the sensors that it hits.
        links: links that it hits, such as ``a > b``; only when it hits no sensor.
        endpoints: names of the endpoints that fail.
    """

    verdict: str
    stage: str
    hop: str | None
    reason: str
    similar: bool = False
    since: str | None = None
    sensors: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What fails where, such as ``proxy-denied at dmz-proxy``."""
        return fault_of(self.stage, self.hop) or {"unknown": "not verified"}.get(self.verdict, self.verdict)


def failures_of(results: Results) -> list[Failure]:
    """Return each distinct failure once, worst first, then those that hit most sensors."""
    found: dict[tuple[object, ...], Failure] = {}
    for sensor in sensors_of(results):
        if known(sensor.get("verdict")) != "ok":
            _add_sensor(found, sensor)
    reasons = {failure.reason for failure in found.values()}
    faults = {(failure.stage, failure.hop) for failure in found.values()}
    for link in results.get("links") or []:
        for failure in _link_failures(link):
            # A cause that hits sensors is told with them, not again for each link on their way.
            if failure.reason in reasons or (failure.stage and (failure.stage, failure.hop) in faults):
                continue
            same = found.setdefault(("link", failure.stage, failure.hop, failure.reason), failure)
            same.links += [name for name in failure.links if name not in same.links]
            same.endpoints += [name for name in failure.endpoints if name not in same.endpoints]
    return sorted(
        found.values(),
        key=lambda one: (rank(one.verdict), -len(one.sensors), natural(one.hop), one.stage, natural(one.reason)),
    )


def link_name(link: Mapping[str, Any], arrow: str = " > ") -> str:
    """Return a link as words."""
    source, target, kind = clean(link.get("source")), clean(link.get("target")), link.get("kind")
    if kind == "self":
        return f"{source} itself"
    return f"{source}{arrow}{target or 'endpoints'}"


def _add_sensor(found: dict[tuple[object, ...], Failure], sensor: Mapping[str, Any]) -> None:
    verdict, stage = known(sensor.get("verdict")), clean(sensor.get("stage"))
    hop = None if sensor.get("hop") is None else clean(sensor["hop"])
    reason = clean(sensor.get("reason"))
    name = clean(sensor.get("name"))
    failure = found.setdefault((verdict, stage, hop, _impersonal(reason, sensor)), Failure(verdict, stage, hop, reason))
    failure.similar = failure.similar or failure.reason != reason
    failure.sensors.append(name)
    failure.endpoints += [one for one in map(clean, sensor.get("endpoints") or []) if one not in failure.endpoints]
    since = moment(sensor.get("since"))
    earliest = moment(failure.since)
    if since and (earliest is None or since < earliest):
        failure.since = since.isoformat()


def _impersonal(reason: str, sensor: Mapping[str, Any]) -> str:
    """Return a reason without the sensor's own name and addresses, which make no cause of its own."""
    own = [re.escape(clean(word)) for word in [sensor.get("name"), *(sensor.get("addresses") or [])] if clean(word)]
    return re.sub(rf"(?<![\w.-])(?:{'|'.join(own)})(?![\w-])", "*", reason) if own else reason


def _link_failures(link: Mapping[str, Any]) -> list[Failure]:
    verdict = known(link.get("verdict"))
    if verdict == "ok":
        return []
    name = link_name(link)
    failed = [probe for probe in link.get("endpoints") or [] if known(probe.get("verdict")) != "ok"]
    if not failed:
        return [Failure(verdict, "", None, clean(link.get("reason")) or "no reason was given.", links=[name])]
    return [
        Failure(
            known(probe.get("verdict")),
            clean(probe.get("stage")),
            None if probe.get("hop") is None else clean(probe["hop"]),
            clean(probe.get("reason")),
            links=[name],
            endpoints=[clean(probe.get("endpoint"))],
        )
        for probe in failed
    ]
