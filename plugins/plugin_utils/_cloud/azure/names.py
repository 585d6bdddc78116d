# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the role azure_proxy puts things, for whoever else has to find them. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OWNER_TAG = "ot-proxy-chaining"
"""The tag by which the role knows what it has created; its value is the proxy's azure_proxy_name."""


def region(location: object) -> str:
    """Return a region as Azure writes it: ``West Europe`` is ``westeurope``."""
    return str(location).replace(" ", "").lower()


def group_id(settings: Mapping[str, Any]) -> str:
    """Return the id of the resource group."""
    return f"/subscriptions/{settings['subscription_id']}/resourceGroups/{settings['resource_group']}"


def network_id(settings: Mapping[str, Any]) -> str:
    """Return what the id of each resource of the network begins with."""
    return f"{group_id(settings)}/providers/Microsoft.Network"


def gateway_names(name: str) -> dict[str, str]:
    """Return what the gateway and its address are called if nothing else is said."""
    return {"gateway": f"{name}-gateway", "gateway_address": f"{name}-gateway-ip"}


def gateway_ids(network: str, names: Mapping[str, str]) -> dict[str, str]:
    """Return the ids of both.

    Args:
        network: what network_id() returns.
        names: the names of both, at least.
    """
    return {
        "gateway_address": f"{network}/publicIPAddresses/{names['gateway_address']}",
        "gateway": f"{network}/virtualNetworkGateways/{names['gateway']}",
    }
