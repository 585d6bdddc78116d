# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS as the page shows them: sorted, counted and in words. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .._proof.model import VERDICTS, LastPlan, Results, moment
from .failures import failures_of
from .results import (
    ago,
    clean,
    clock,
    counts_of,
    fault_of,
    known,
    many,
    never_seen,
    path_before,
    path_of,
    rank,
    seen_of,
    sensors_of,
    tunnel_of,
)
from .stages import MEANINGS
from .svg import PALETTE
from .table import changes_of, setup_of

STAGES = ("resolve", "tcp", "connect", "tls")
"""The stages that are timed, in their order."""

_MOST_LINES = 100

SOON = 30
"""So many days before its end a certificate is marked."""

Row = dict[str, Any]


def view(results: Results) -> Row:
    """Return what the page shows, as plain text that its template escapes."""
    now = moment(results.get("time"))
    moved = {change.get("sensor"): path_before(change, " → ") for change in results.get("changes") or []}
    sensors = [{**_sensor(one, now), "path_before": moved.get(one.get("name"), "")} for one in sensors_of(results)]
    run: Mapping[str, Any] = results.get("run") or {}
    links = [_link(one, now) for one in results.get("links") or []]
    return {
        "palette": PALETTE,
        "verdict": known(results.get("verdict")),
        "headline": _headline(results, len(sensors)),
        "time": now.strftime("%Y-%m-%d %H:%M UTC") if now else clean(results.get("time")),
        "counts": [{"verdict": verdict, "count": count} for verdict, count in counts_of(results).items()],
        "failures": _failures(results, now),
        "sensors": sensors,
        "has_cloud": any(one["cloud"] for one in sensors),
        "links": sorted(links, key=lambda one: rank(one["verdict"])),
        "changes": [
            {"verdict": one.now, "kind": one.kind, "count": many(len(one.sensors), "sensor"), "names": one.sensors}
            for one in changes_of(results, " → ")
        ],
        "setup": [{"kind": one.kind, "names": ", ".join(one.names)} for one in setup_of(results, " → ")],
        "site": clean(run.get("site")),
        "run": _run(run, now),
        "proxies": [
            {
                "name": clean(name),
                "address": f"{clean(proxy.get('address'))}:{clean(proxy.get('port'))}",
                "squid": clean(proxy.get("squid")) or "not known",
                "config": clean(proxy.get("config_sha256")) or "not known",
            }
            for name, proxy in (results.get("proxies") or {}).items()
            if proxy.get("kind") == "inventory"
        ],
        "plan": _plan(results.get("plan"), now),
        "trend": [_past(one, now) for one in results.get("trend") or []],
        "previous": clock(results.get("previous"), now) if results.get("previous") else "",
        "previous_problem": clean(results.get("previous_problem")),
    }


def _plan(said: LastPlan | None, now: datetime | None) -> Row | None:
    if not said:
        return None
    lines = [clean(each) for each in said["sentences"]]
    return {"time": clock(said["time"], now), "lines": lines[:_MOST_LINES], "more": max(len(lines) - _MOST_LINES, 0)}


def _headline(results: Results, total: int) -> str:
    counts = counts_of(results)
    if not total:
        return "There is no sensor to report on"
    if counts["broken"]:
        which = "The only sensor" if total == 1 else f"{counts['broken']:,} of {many(total, 'sensor')}"
        return f"{which} cannot reach the endpoints"
    if counts["unknown"]:
        return f"{counts['unknown']:,} of {many(total, 'sensor')} could not be verified"
    # A path that works is no sensor that goes it.
    works = "The only path works" if total == 1 else f"All {total:,} paths work"
    repair = f"{counts['degraded']:,} with something to repair" if counts["degraded"] else ""
    return "; ".join(filter(None, [works, repair, never_seen(results)]))


def _failures(results: Results, now: datetime | None) -> list[Row]:
    told: set[str] = set()
    rows = []
    for one in failures_of(results):
        # The same advice twice would hide the reasons.
        what = one.stage or one.title
        meaning, first = MEANINGS.get(what, ("", "")) if what not in told else ("", "")
        told.add(what)
        rows.append(
            {
                "verdict": one.verdict,
                "title": one.title,
                "reason": one.reason or "No reason was given.",
                "similar": one.similar,
                "since": clock(one.since, now) if one.since else "",
                "hit": many(len(one.sensors), "sensor") if one.sensors else many(len(one.links), "link"),
                "names": one.sensors or one.links,
                "meaning": meaning,
                "first": first,
            }
        )
    return rows


def _sensor(sensor: Mapping[str, Any], now: datetime | None) -> Row:
    evidence = sensor.get("evidence") or {}
    rule = evidence.get("rule") or {}
    cloud = sensor.get("cloud") or {}
    verdict = known(sensor.get("verdict"))
    last = moment((evidence.get("last") or {}).get("time"))
    since = moment(sensor.get("since"))
    return {
        "name": clean(sensor.get("name")),
        "addresses": ", ".join(map(clean, sensor.get("addresses") or [])),
        "path": path_of(sensor, " → "),
        "verdict": verdict,
        "rank": rank(verdict),
        "fault": "" if verdict == "ok" else fault_of(sensor.get("stage"), sensor.get("hop")),
        "reason": "" if verdict == "ok" else clean(sensor.get("reason")),
        "since": clock(sensor.get("since"), now) if sensor.get("since") else "",
        "since_order": int(since.timestamp()) if since else 0,
        "trend": _trend(clean(sensor.get("trend"))),
        "seen": seen_of(sensor, now),
        # An open tunnel is seen now; what was never seen is last.
        "seen_order": _age(evidence, last, now),
        "rule": f"line {clean(rule.get('line'))}: {clean(rule.get('text'))}" if rule else "",
        "cloud": clean(cloud.get("status")),
        "cloud_time": ago(cloud.get("time"), now) if cloud.get("time") else "",
    }


def _run(run: Mapping[str, Any], now: datetime | None) -> list[tuple[str, str]]:
    """Return who verified, when and with what, as names and values."""
    if not run:
        return []
    job = f", {clean(run.get('job'))}" if run.get("job") else ""
    rows = [
        ("Site", clean(run.get("site"))),
        ("Run by", f"{clean(run.get('by'))} on {clean(run.get('controller'))}{job}"),
        ("Began", f"{clock(run.get('began'), None)}, took {clean(run.get('seconds'))} s"),
        (
            "With",
            f"ot_security.proxy_chaining {clean(run.get('collection'))}, ansible-core {clean(run.get('ansible_core'))}",
        ),
    ]
    if run.get("playbooks"):
        limit = f", limited to {clean(run.get('limit'))}" if run.get("limit") else ""
        extra = f", with extra vars: {', '.join(map(clean, run['extra_vars']))}" if run.get("extra_vars") else ""
        rows.append(("Playbook", f"{', '.join(map(clean, run['playbooks']))}{limit}{extra}"))
    for source in run.get("inventories") or []:
        files = ", ".join(map(clean, source.get("modified_files") or []))
        modified = f", and what was modified since{': ' * bool(files)}{files}" if source.get("modified") else ""
        revision = f"revision {clean(source.get('revision'))}{modified}" if source.get("revision") else "not in git"
        rows.append(("Inventory", f"{clean(source.get('path'))}, {revision}"))
    return rows


def _past(past: Mapping[str, Any], now: datetime | None) -> Row:
    counts = past.get("counts") or {}
    total = sum(counts.values()) or 1
    return {
        "time": clock(past.get("time"), now),
        "words": ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts.get(verdict))
        or "no sensor",
        # From the bottom, what is well; a single broken sensor of a thousand is still to be seen.
        "parts": [
            (verdict, max(round(100 * counts[verdict] / total), 4))
            for verdict in reversed(VERDICTS)
            if counts.get(verdict)
        ],
    }


_WORDS = {verdict[0]: verdict for verdict in VERDICTS}


def _trend(letters: str) -> Row:
    """Return how a sensor's last reports went; nothing where all were the same."""
    if len(set(letters)) < 2:
        return {"words": "", "colours": ""}
    step = 100 / len(letters)
    stops = [
        f"var(--{_WORDS.get(letter, 'unknown')}) {step * place:.1f}% {step * (place + 1):.1f}%"
        for place, letter in enumerate(letters)
    ]
    return {"words": f"{letters.count('o')} of {len(letters)} ok", "colours": ",".join(stops)}


def _age(evidence: Mapping[str, Any], last: datetime | None, now: datetime | None) -> int:
    if evidence.get("open"):
        return 0
    if last and now:
        return max(0, int((now - last).total_seconds()))
    return 10**9 if evidence else 10**9 + 1


def _link(link: Mapping[str, Any], now: datetime | None) -> Row:
    kind = clean(link.get("kind"))
    words = {"self": "its own Squid", "direct": "no parent"}
    words["pair"] = "has the pair's addresses" if link.get("preferred") else "stands by"
    parent = "parent" if link.get("preferred") is not False else "backup parent"
    return {
        "source": clean(link.get("source")),
        "target": "itself" if kind == "self" else clean(link.get("target")) or "endpoints",
        "kind": ", ".join(filter(None, [words.get(kind, parent), tunnel_of(link)])),
        "verdict": known(link.get("verdict")),
        "reason": clean(link.get("reason")),
        "probes": [_probe(one, now) for one in link.get("endpoints") or []],
    }


def _probe(probe: Mapping[str, Any], now: datetime | None) -> Row:
    times = probe.get("times") or {}
    certificate = probe.get("certificate") or {}
    end = moment(certificate.get("not_after"))
    days = (end - now).days if end and now else None
    return {
        "endpoint": f"{clean(probe.get('endpoint'))}:{clean(probe.get('port'))}",
        "verdict": known(probe.get("verdict")),
        "fault": fault_of(probe.get("stage"), probe.get("hop")),
        "reason": clean(probe.get("reason")),
        "times": [_milliseconds(times.get(stage)) for stage in STAGES],
        "total": _milliseconds(sum(float(times.get(stage) or 0) for stage in STAGES)) if times else "",
        "issuer": _issuer(certificate.get("issuer")),
        "issuer_full": clean(certificate.get("issuer")),
        "expires": end.strftime("%Y-%m-%d") if end else "",
        "days": "" if days is None else "expired" if days < 0 else f"in {many(days, 'day')}",
        "soon": days is not None and days < SOON,
    }


def _milliseconds(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return ""
    return f"{seconds * 1000:.1f}" if seconds < 0.01 else f"{seconds * 1000:,.0f}"


def _issuer(name: object) -> str:
    """Return the common name of an issuer such as ``CN=Example CA,O=Example``, or all of it when it has none."""
    text = clean(name)
    return next((part[3:] for part in text.split(",") if part.startswith("CN=")), text)
