"""STAND-IN for Google: what the service refuses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping

from tests.cloud import specs
from tests.cloud.exchange import Answer, Json
from tests.cloud.google.links import KINDS, target

Resources = Mapping[str, Json]
"""By path."""

_NAME = r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
_REFERENCES = {
    "targetVpnGateways": ("network",),
    "forwardingRules": ("target",),
    "vpnTunnels": ("targetVpnGateway",),
    "routes": ("network", "nextHopVpnTunnel"),
}
_NEXT_HOPS = ("nextHopGateway", "nextHopInstance", "nextHopIp", "nextHopVpnTunnel", "nextHopIlb")
_NEEDED_RULES = {("ESP", ""), ("UDP", "500-500"), ("UDP", "4500-4500")}


class GoogleError(Exception):
    """The service refuses, with its own reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def answer(self) -> Answer:
        """Return it in the form that every client expects."""
        error = {"message": self.message, "domain": "global", "reason": self.reason}
        return Answer(self.status, {"error": {"code": self.status, "message": self.message, "errors": [error]}})


def not_found(path: str) -> GoogleError:
    """Return the error for what is not there."""
    return GoogleError(404, "notFound", f"The resource '{path}' was not found")


def invalid(member: str, value: object, why: str = "") -> GoogleError:
    """Return the error for a member that is no good."""
    return GoogleError(400, "invalid", f"Invalid value for field 'resource.{member}': '{value}'. {why}".rstrip())


def needed(member: str) -> GoogleError:
    """Return the error for a member that is missing."""
    return GoogleError(400, "required", f"Required field 'resource.{member}' not specified")


def references(kind: str, document: Json) -> Iterator[tuple[str, str]]:
    """Yield member and path of each other resource that a resource names."""
    for member in _REFERENCES.get(kind, ()):
        if document.get(member):
            yield member, target(document[member])


def users(path: str, resources: Resources) -> list[str]:
    """Return the paths of what uses a resource."""
    address = resources[path].get("address")

    def uses(document: Json, kind: str) -> bool:
        named = path in (other for _field, other in references(kind, document))
        return named or (kind == "forwardingRules" and address is not None and document["IPAddress"] == address)

    return [other for other, document in resources.items() if uses(document, other.split("/")[-2])]


class PublishedError(GoogleError):
    """Refused since it is not as Google publishes it. No request of a role may end so."""


def check_published(kind: str, sent: Json) -> None:
    """Refuse a body that is not as Google's discovery document has it (tests/cloud/specs).

    More is refused than by Google, which passes over what it calls output only.

    Raises:
        PublishedError: something in it is wrong.
    """
    described = specs.load("google")
    if kind not in described["kinds"]:
        return
    for wrong in specs.violations(sent, f"#{described['kinds'][kind]}", described["definitions"]):
        place, _dot, name = f"resource.{wrong.path}".rpartition(".")
        if wrong.kind == "unknown":
            message = f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."
            raise PublishedError(400, "badRequest", message)
        if wrong.kind == "type":
            raise PublishedError(
                400, "badRequest", f"Invalid value at '{place}.{name}' ({wrong.wanted}), \"{wrong.value}\""
            )
        raise PublishedError(
            400, "invalid", f"Invalid value for field '{place}.{name}': '{wrong.value}'. Must be {wrong.wanted}"
        )


def check(kind: str, path: str, document: Json, resources: Resources) -> None:
    """Refuse a new resource.

    Raises:
        GoogleError: something is wrong with it.
    """
    if not re.fullmatch(_NAME, str(document.get("name", ""))):
        raise invalid("name", document.get("name"), f"Must be a match of regex '{_NAME}'")
    if path in resources:
        raise GoogleError(409, "alreadyExists", f"The resource '{path}' already exists")
    _CHECKS.get(kind, _nothing)(document, resources)
    for _field, other in references(kind, document):
        if other not in resources:
            raise not_found(other)
    if kind == "vpnTunnels":
        _check_rules(document, resources)


def check_deletion(path: str, resources: Resources) -> None:
    """Refuse to delete what is in use.

    That a tunnel is in use while a route leads into it is a guess.

    Raises:
        GoogleError: something uses it.
    """
    for user in users(path, resources):
        noun = KINDS[path.split("/")[-2]][1]
        message = f"The {noun} resource '{path}' is already being used by '{user}'"
        raise GoogleError(400, "resourceInUseByAnotherResource", message)


def _nothing(document: Json, resources: Resources) -> None:
    """Most need no more."""


def _check_gateway(document: Json, resources: Resources) -> None:
    if not document.get("network"):
        raise needed("network")


def _check_forwarding_rule(document: Json, resources: Resources) -> None:
    """Refuse what is no part of a classic VPN. The words are guessed."""
    protocol, ports = document.get("IPProtocol"), document.get("portRange")
    if not document.get("target"):
        raise needed("target")
    if protocol not in ("ESP", "UDP"):
        raise invalid("IPProtocol", protocol, "A VPN gateway takes ESP and UDP.")
    if (protocol == "UDP") != (ports in ("500-500", "4500-4500")):
        raise invalid("portRange", ports, "A VPN gateway takes UDP ports 500 and 4500, and ESP has no ports.")
    others = [other for path, other in resources.items() if "/forwardingRules/" in path]
    if any(_served(other) == _served(document) for other in others):
        raise invalid(
            "IPAddress", document.get("IPAddress"), "Specified IP address is in-use and would result in a conflict."
        )
    if not any(other.get("address") == document.get("IPAddress") for other in resources.values()):
        raise invalid("IPAddress", document.get("IPAddress"), "It is not reserved in this region.")


def _served(rule: Json) -> tuple[object, ...]:
    return rule.get("IPAddress"), rule.get("IPProtocol"), rule.get("portRange")


def _check_tunnel(document: Json, resources: Resources) -> None:
    for member in ("targetVpnGateway", "peerIp", "sharedSecret"):
        if not document.get(member):
            raise needed(member)
    if document["ikeVersion"] not in (1, 2):
        raise invalid("ikeVersion", document["ikeVersion"])
    try:
        ipaddress.IPv4Address(document["peerIp"])
    except ValueError:
        raise invalid("peerIp", document["peerIp"], "Must be an IPv4 address.") from None


def _check_rules(tunnel: Json, resources: Resources) -> None:
    """Refuse a tunnel whose gateway hears nothing. The words are guessed."""
    gateway = target(tunnel["targetVpnGateway"])
    found = {
        (rule["IPProtocol"], rule.get("portRange", ""))
        for path, rule in resources.items()
        if "/forwardingRules/" in path and target(rule["target"]) == gateway
    }
    if _NEEDED_RULES - found:
        why = "The gateway needs forwarding rules for ESP, UDP 500 and UDP 4500."
        raise invalid("targetVpnGateway", tunnel["targetVpnGateway"], why)


def _check_route(document: Json, resources: Resources) -> None:
    for member in ("network", "destRange"):
        if not document.get(member):
            raise needed(member)
    try:
        ipaddress.IPv4Network(document["destRange"])
    except ValueError:
        raise invalid("destRange", document["destRange"], "Must be a CIDR address range.") from None
    if sum(bool(document.get(hop)) for hop in _NEXT_HOPS) != 1:
        raise GoogleError(400, "invalid", "Exactly one next hop must be specified.")


_CHECKS: dict[str, Callable[[Json, Resources], None]] = {
    "targetVpnGateways": _check_gateway,
    "forwardingRules": _check_forwarding_rule,
    "vpnTunnels": _check_tunnel,
    "routes": _check_route,
}
