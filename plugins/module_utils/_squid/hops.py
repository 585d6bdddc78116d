# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hops of a walk as modules take them; the first may be this host's own Squid, which knows a test by its token.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._probe.path import Hop
from . import text

HOP = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "hostname": {"type": "str"},
    "tls": {"type": "bool", "default": False},
    "tls_ca": {"type": "path"},
    "tls_name": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
}
"""A module's option for one."""


def hops_of(given: Sequence[Mapping[str, Any]], own_config: str | None = None) -> list[Hop]:
    """Return the hops, the first of them by the configuration of this host's own proxy where that is given.

    Raises:
        ValueError: a port is none, or the configuration is not there or not of this collection.
    """
    hops = [_hop(each) for each in given]
    return _from_here(hops, own_config) if own_config else hops


def _hop(given: Mapping[str, Any]) -> Hop:
    values = {key: value for key, value in given.items() if value is not None}
    if not 0 < given["port"] < 65536:
        raise ValueError(f"hops: the port of {given['name']} is {given['port']}; give one from 1 to 65535")
    return Hop(**{"hostname": given["name"], **values})


def _from_here(hops: list[Hop], path: str) -> list[Hop]:
    """Put the proxy of this host in the first hop's place."""
    if not hops:
        raise ValueError("own_config is given and hops is empty; let hops begin with the proxy of this host")
    try:
        config = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); deploy the proxy first, and run this as root"
        ) from error
    token = text.token_of(config)
    if token is None:
        raise ValueError(f"{path} has no rule for tests; deploy it with the role squid of this collection")
    listener = text.listeners(config)[0]
    own = Hop(
        name=hops[0].name,
        address=listener.address,
        port=listener.port,
        hostname=text.visible_hostname(config),
        headers={text.PROBE_HEADER: token},
    )
    return [own, *hops[1:]]
