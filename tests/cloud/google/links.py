"""STAND-IN for Google: how resources are named, in paths, in links and in errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

HOSTS = ("compute.googleapis.com", "www.googleapis.com")
"""Clients ask the first; links have the second."""

_PREFIX = "/compute/v1/"
_BASE = f"https://{HOSTS[1]}{_PREFIX}"
_PATH = re.compile(
    r"projects/(?P<project>[^/]+)/(?P<scope>global|regions/[^/]+)/(?P<kind>[A-Za-z]+)(/(?P<name>[^/]+))?"
)

KINDS = {
    # Last part of a collection's path: singular as in "kind", singular as in errors, whether it is in a region.
    "networks": ("network", "network", False),
    "addresses": ("address", "address", True),
    "targetVpnGateways": ("targetVpnGateway", "target_vpn_gateway", True),
    "forwardingRules": ("forwardingRule", "forwarding_rule", True),
    "vpnTunnels": ("vpnTunnel", "vpn_tunnel", True),
    "routes": ("route", "route", False),
}


@dataclass(frozen=True)
class Place:
    """What a path names: a resource, or a collection when there is no name."""

    project: str
    scope: str
    kind: str
    name: str | None

    @property
    def path(self) -> str:
        """The path without its host and version, as errors have it."""
        collection = f"projects/{self.project}/{self.scope}/{self.kind}"
        return f"{collection}/{self.name}" if self.name else collection


def place(path: str) -> Place | None:
    """Read the path of a request."""
    found = _PATH.fullmatch(path.removeprefix(_PREFIX)) if path.startswith(_PREFIX) else None
    return found and Place(found["project"], found["scope"], found["kind"], found["name"])


def link(path: str) -> str:
    """Return the link to a path."""
    return _BASE + path


def target(reference: object) -> str:
    """Return the path that a link names, whether it is a whole one or only a path."""
    return re.sub(rf"^(https://({'|'.join(map(re.escape, HOSTS))}){_PREFIX})?", "", str(reference))
