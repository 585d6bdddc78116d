# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses that a keepalived.conf made by hand shares between hosts. Private to this collection."""

from __future__ import annotations

import re
from ipaddress import ip_interface

KEEPALIVED = "/etc/keepalived/keepalived.conf"
_BLOCK = re.compile(r"virtual_ipaddress\s*\{([^}]*)\}")


def shared_addresses(text: str) -> tuple[str, ...]:
    """Return the shared addresses, with their prefixes as far as they are written, each once."""
    text = re.sub(r"[#!].*", "", text)
    words = [line.split()[0] for block in _BLOCK.findall(text) for line in block.splitlines() if line.strip()]
    return tuple(sorted({word for word in words if _is_interface(word)}))


def _is_interface(word: str) -> bool:
    try:
        return bool(ip_interface(word))
    except ValueError:
        return False
