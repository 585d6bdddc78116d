# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One page over the reports of many sites. Private to this collection."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from typing import Any

from .._proof.model import FORMAT, VERDICTS, moment
from .results import ago, clean, counts_of, known, rank
from .svg import PALETTE


def index(texts: Mapping[str, str], signed: Container[str], now: str) -> dict[str, Any]:
    """Return what the page shows: the sites, worst first, then by the age of their report.

    Args:
        texts: the JSON text of each report's results, by the name of its folder.
        signed: the folders whose reports have signatures. Whether they are right is for whoever has the signers' keys to see.
        now: the time of the page (ISO 8601).
    """
    sites = [{**_site(folder, text, now), "signed": folder in signed} for folder, text in texts.items()]
    sites.sort(key=lambda one: (rank(one["verdict"]), one["time"], one["folder"]))
    made = moment(now)
    return {
        "palette": PALETTE,
        "time": made.strftime("%Y-%m-%d %H:%M UTC") if made else clean(now),
        "verdicts": VERDICTS,
        "sites": sites,
    }


def _site(folder: str, text: str, now: str) -> dict[str, Any]:
    try:
        results = json.loads(text)
    except ValueError:
        results = None
    shown: dict[str, Any] = {"folder": folder, "site": clean(folder)}
    if not isinstance(results, dict) or results.get("format") != FORMAT or not isinstance(results.get("counts"), dict):
        return {
            **shown,
            "verdict": "unknown",
            "problem": "Its results cannot be read; verify again.",
            "time": "",
            "counts": {},
        }
    run = results.get("run")
    run = run if isinstance(run, Mapping) else {}
    time, made = moment(results.get("time")), moment(now)
    try:
        counts = counts_of(results)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        counts = {}
    return {
        **shown,
        "site": clean(run.get("site")) or clean(folder),
        "verdict": known(results.get("verdict")),
        "problem": "",
        "time": time.strftime("%Y-%m-%d %H:%M UTC") if time else "",
        "age": ago(results.get("time"), made),
        "counts": counts,
        "by": ", ".join(filter(None, [clean(run.get("by")), clean(run.get("job"))])),
    }
