# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role chain_verify registered on a proxy, whether its modules ended well, failed or never ran.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _hostvars
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._verdict import Report

WALKS = "__chain_verify_walks"
CLIENTS = "__chain_verify_clients"


def report_of(hostvars: Mapping[str, Any], proxy: str) -> Report:
    """Read a proxy's report."""
    found = _hostvars.read(hostvars, proxy, (WALKS, CLIENTS))
    if WALKS not in found:
        return Report(problem="it was not asked")
    results = found[WALKS].get("results", [])
    lost = next((result for result in results if result.get("unreachable")), None)
    if not results or lost:
        return Report(problem=_first_line(lost or found[WALKS]))
    walks = []
    for result in results:
        walk = {key: result["item"][key] for key in ("kind", "target", "secret")}
        if "endpoints" in result:
            walk["endpoints"] = result["endpoints"]
        else:
            walk["problem"] = _first_line(result)
        walks.append(walk)
    clients = found.get(CLIENTS, {})
    if "clients" in clients:
        return Report(walks, clients["clients"])
    return Report(walks, clients_problem=_first_line(clients) or "it was not asked")


def _first_line(result: Mapping[str, Any]) -> str:
    return next(iter(str(result.get("msg", "")).splitlines()), "").rstrip(".")
