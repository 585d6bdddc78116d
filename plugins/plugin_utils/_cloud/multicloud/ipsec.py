# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one IPsec policy that both ends of a tunnel take. Private to this collection.

Azure's connection is given the policy; the other end proposes all that it knows, and its documentation says what that is
("Tunnel options for your Site-to-Site VPN connection" of AWS, "Supported IKE ciphers" of Google Cloud).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_ENCRYPTION = frozenset({"AES128", "AES256"})
_INTEGRITY = frozenset({"SHA256", "SHA384"})
_GCM = frozenset({"GCMAES128", "GCMAES256"})

TAKEN: dict[str, dict[str, frozenset[str]]] = {
    "aws": {
        "ike_encryption": _ENCRYPTION,
        "ike_integrity": _INTEGRITY,
        "dh_group": frozenset({"DHGroup14", "DHGroup24", "ECP256", "ECP384"}),
        "ipsec_encryption": _ENCRYPTION | _GCM,
        "ipsec_integrity": frozenset({"SHA256"}) | _GCM,
        "pfs_group": frozenset({"PFS2048", "PFS24", "ECP256", "ECP384"}),
    },
    "google": {
        "ike_encryption": _ENCRYPTION,
        "ike_integrity": _INTEGRITY,
        "dh_group": frozenset({"DHGroup14", "ECP256", "ECP384"}),
        "ipsec_encryption": _ENCRYPTION | _GCM,
        "ipsec_integrity": frozenset({"SHA256"}) | _GCM,
        "pfs_group": frozenset({"PFS2048", "ECP256", "ECP384"}),
    },
}
"""What Azure and the other cloud both have, by Azure's names."""

DEFAULTS: dict[str, Any] = {
    "ike_encryption": "AES256",
    "ike_integrity": "SHA256",
    "dh_group": "DHGroup14",
    "ipsec_encryption": "AES256",
    "ipsec_integrity": "SHA256",
    "pfs_group": "PFS2048",
    # Each end has a lifetime of its own, and the shorter one decides; that of AWS is 3,600 seconds.
    "sa_lifetime_seconds": 3600,
    "sa_data_size_kilobytes": 102400000,
}

_RANGES = {"sa_lifetime_seconds": (300, 172799), "sa_data_size_kilobytes": (1024, 2147483647)}
_AZURE_NAMES = {
    "ike_encryption": "ikeEncryption",
    "ike_integrity": "ikeIntegrity",
    "dh_group": "dhGroup",
    "ipsec_encryption": "ipsecEncryption",
    "ipsec_integrity": "ipsecIntegrity",
    "pfs_group": "pfsGroup",
    "sa_lifetime_seconds": "saLifeTimeSeconds",
    "sa_data_size_kilobytes": "saDataSizeKilobytes",
}


def policy(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy as Azure's connections take it."""
    chosen = {**DEFAULTS, **given}
    return {_AZURE_NAMES[key]: int(chosen[key]) if key in _RANGES else str(chosen[key]) for key in _AZURE_NAMES}


def problems(cloud: str, given: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
    """Yield value and problem of whatever one of the two ends would not take.

    Args:
        cloud: the other cloud.
        given: what differs from DEFAULTS.
    """
    for key in given:
        if key not in DEFAULTS:
            yield key, f"is no part of an IPsec policy; known are {', '.join(DEFAULTS)}"
    chosen = {**DEFAULTS, **given}
    for key, taken in TAKEN[cloud].items():
        if str(chosen[key]) not in taken:
            yield chosen[key], f"is no {key} that Azure and {cloud} both take; use one of {', '.join(sorted(taken))}"
    for key, (low, high) in _RANGES.items():
        if not re.fullmatch("[0-9]{1,10}", str(chosen[key])) or not low <= int(chosen[key]) <= high:
            yield chosen[key], f"is no {key} that Azure takes; use a number from {low} to {high}"
    pair = {str(chosen["ipsec_encryption"]), str(chosen["ipsec_integrity"])}
    if pair & _GCM and len(pair) > 1:
        problem = f"does not go with the ipsec_integrity {chosen['ipsec_integrity']!r}; with GCM both are the same"
        yield chosen["ipsec_encryption"], problem
