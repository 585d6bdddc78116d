# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration would open or close: a configuration made by hand, and what the role renders of the inventory that was made of it.

Private to this collection. Of the role's template only what decides is written here; a test compares that with the template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ...module_utils._squid.rules import Evaluator
from .._chain.addresses import INSIDE
from .._chain.model import Graph
from .difference import Difference
from .plan import ProxyPlan, access_lines


def proposed(
    clients: Mapping[str, str], endpoints: Iterable[str], user: str | None, own: Iterable[str], direct: bool
) -> str:
    """Return the lines that decide.

    Args:
        clients: name by address.
        endpoints: as allow_list returns them.
        user: as whom they sign in; empty for a user that is not known yet, None where they need not.
        own: the proxy's own addresses.
        direct: whether it has no next hop.
    """
    inside = " ".join([*own, *map(str, INSIDE)])
    lines = [
        "auth_param basic casesensitive on",
        f"acl endpoints dstdomain -n {' '.join(endpoints)}",
        "acl https_port port 443",
        f"acl users proxy_auth {user or 'REQUIRED'}",
        *(f"acl clients src {address}" for address in clients),
        *(f"acl inside dst {each}" for each in inside.split()),
        *("http_access deny !CONNECT", "http_access deny !https_port", "http_access deny !endpoints"),
        "http_access deny inside" if direct else "never_direct allow all",
        *([f"http_access allow clients{'' if user is None else ' users'}"] if clients else []),
        "http_access deny all",
    ]
    return "\n".join([*lines, ""])


def migration(name: str, by_hand: Evaluator, clients: Mapping[str, str], text: str) -> ProxyPlan:
    """Compare.

    Args:
        name: of the proxy.
        by_hand: what it runs.
        clients: name by address.
        text: what proposed returned.
    """
    entries: list[dict[str, Any]] = [
        {"name": client, "addresses": [address], "username": None} for address, client in clients.items()
    ]
    graph = cast(Graph, {"sensors": {}, "proxies": {name: {"addresses": [], "clients": entries}}})
    return ProxyPlan(name, lines=access_lines(graph, Difference(by_hand, Evaluator("", {"": text})), name, ""))
