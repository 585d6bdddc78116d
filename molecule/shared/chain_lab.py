"""The hosts of the scenario chain, as its tests use them."""

from __future__ import annotations

import lab

ENDPOINT = "hub.azure-devices.net"
SITES = {
    "ot-chain-site-1": ("ot-chain-sensor1", "sensor1:pass: word #1"),
    "ot-chain-site-2": ("ot-chain-sensor2", None),
    "ot-chain-site-3": ("ot-chain-sensor3", None),
}
"""For each site's proxy its sensor, and as whom this signs in."""

PARENTS = ("ot-chain-dmz-1", "ot-chain-dmz-2")


def visit(site: str, endpoint: str = ENDPOINT, user: str | None = None) -> lab.Visit:
    """Let a site's sensor request an endpoint through the site's proxy."""
    sensor, credentials = SITES[site]
    return lab.visit(sensor, f"http://{lab.address(site, 'ot-chain-ot')}:3128", endpoint, user=user or credentials)
