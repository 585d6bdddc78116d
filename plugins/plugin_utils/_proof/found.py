# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role chain_verify registered on a proxy, whether its modules ended well, failed or never ran.

Private to this collection. A host that somebody has taken over says what it likes: each text is cut and cleaned here, and an answer
of another form is a problem of that host alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...module_utils._untrusted_text import one_line
from .._chain import hostvars as chain_hostvars
from .._chain.model import Graph
from .model import CloudWord, DecidingRule, Evidence, LogEntry, ProbeResult, ShownCertificate, Walked
from .verdict import Report

WALKED = "__chain_verify_walked"
CLOUD = "__chain_verify_asked"

_ODD = (AttributeError, KeyError, OverflowError, TypeError, ValueError)

_MOST = 500
"""Characters of one text."""


def reports_of(graph: Graph, hostvars: Mapping[str, Any]) -> dict[str, Report]:
    """Read the reports of all proxies of a topology."""
    return {
        proxy: report_of(hostvars, proxy) if entry["kind"] == "host" else Report(problem="it is a scale set in Azure")
        for proxy, entry in graph["proxies"].items()
    }


def cloud_of(variables: Mapping[str, Any]) -> dict[str, CloudWord]:
    """Read what the cloud said of each sensor, from the variables of the host that asked it."""
    pages = variables.get(CLOUD, {}).get("results", [])
    return {
        str(row["name"]): {"status": _text(row["status"]), "time": _text(row["time"])}
        for page in pages
        for row in page["response"]["data"]
    }


def report_of(hostvars: Mapping[str, Any], proxy: str) -> Report:
    """Read a proxy's report."""
    # As it is registered: what a host said must never become a template.
    found = chain_hostvars.raw_variables(hostvars, proxy)
    result = found.get(WALKED)
    if result is None:
        return Report(problem="it was not asked")
    if result.get("unreachable") or "walks" not in result:
        return Report(problem=_first_line(result))
    try:
        walks = [_walk(each) for each in result["walks"]]
        clients = [_client(each) for each in result["clients"]]
        others = [(_text(acl), [_text(address) for address in addresses]) for acl, addresses in result["others"]]
        problem = _text(result["clients_problem"] or "").rstrip(".")
        version, digest = _text(result["squid_version"]), _text(result["config_sha256"])
        holds = [_text(each) for each in result["holds"]]
        learns_until = _text(result["learns_until"])
        since = datetime.fromisoformat(_text(result["holds_since"])) if result["holds_since"] else None
    except _ODD:
        return Report(problem="what it answered is not in the form of this collection's modules; see what runs there")
    return Report(
        walks,
        clients,
        others,
        clients_problem=problem or None,
        squid=version or None,
        # Ansible blanks out a password that happens to be a part of it.
        config_sha256=digest if re.fullmatch("[0-9a-f]{64}", digest) else None,
        holds=holds,
        holds_since=since,
        learns_until=learns_until,
    )


def _walk(said: Mapping[str, Any]) -> Walked:
    return {
        "kind": _text(said["kind"]),
        "target": _text(said["target"]),
        "parent": _text(said["parent"]),
        "endpoints": [_probe(each) for each in said.get("endpoints", ())],
        "problem": "" if "endpoints" in said else _first_line(said) or "no answer",
    }


def _probe(said: Mapping[str, Any]) -> ProbeResult:
    end = [_text(said[key] or "") if said["verdict"] != "ok" else None for key in ("stage", "hop", "reason")]
    return {
        "endpoint": _text(said["endpoint"]),
        "port": int(said["port"]),
        "verdict": "ok" if said["verdict"] == "ok" else "broken",
        "stage": end[0],
        "hop": end[1],
        "reason": end[2],
        "times": {_text(stage): float(seconds) for stage, seconds in said["times"].items()},
        "certificate": _certificate(said["certificate"]),
    }


def _certificate(said: Mapping[str, Any] | None) -> ShownCertificate | None:
    if said is None:
        return None
    return {
        "issuer": _text(said["issuer"]),
        "authority": _text(said["authority"]),
        "subject": _text(said["subject"]),
        "not_after": _text(said["not_after"]),
    }


def _client(said: Mapping[str, Any]) -> Evidence:
    rule: DecidingRule | None = None
    if said["rule"]:
        given = said["rule"]
        rule = {"action": _text(given["action"]), "line": int(given["line"]), "text": _text(given["text"])}
    return {
        "name": _text(said["name"]),
        "rule": rule,
        "last": _logged(said["last"]),
        "last_ok": _logged(said["last_ok"]),
        "refused_since_change": _logged(said["refused_since_change"]),
        "count": int(said["count"]),
        "refused": int(said["refused"]),
        "open": int(said["open"]),
    }


def _logged(said: Mapping[str, Any] | None) -> LogEntry | None:
    if said is None:
        return None
    return {
        "time": _text(said["time"]),
        "endpoint": _text(said["endpoint"]),
        "port": int(said["port"]),
        "status": int(said["status"]),
        "result": _text(said["result"]),
    }


def _text(said: object) -> str:
    return one_line(said, _MOST)


def _first_line(result: Mapping[str, Any]) -> str:
    return _text(next(iter(str(result.get("msg", "")).splitlines()), "")).rstrip(".")
