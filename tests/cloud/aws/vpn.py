"""STAND-IN for AWS: what moto lacks of a site-to-site VPN.

Static routes, the tunnels of a connection with their keys, routes that a gateway propagates, requests for what is there already,
and the refusal to delete what is in use.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

# It lies in the environment of the cloud modules only.
from moto.core.responses import ActionResult, EmptyResult  # type: ignore[import-not-found]
from moto.ec2.exceptions import EC2ClientError  # type: ignore[import-not-found]
from moto.ec2.models.customer_gateways import CustomerGatewayBackend  # type: ignore[import-not-found]
from moto.ec2.models.route_tables import RouteTable  # type: ignore[import-not-found]
from moto.ec2.models.vpn_connections import VPNConnection  # type: ignore[import-not-found]
from moto.ec2.responses import EC2Response  # type: ignore[import-not-found]

from tests.cloud.aws import published
from tests.cloud.log import RequestLog

_LETTERS = string.ascii_letters + string.digits

Response = Any
"""One request, with moto's methods."""


def extend(log: RequestLog) -> None:
    """Add all of it to moto, before its server starts."""
    for method in _ADDED:
        setattr(EC2Response, method.__name__, method)
    for method in _CHANGED:
        _wrap(EC2Response, method)
    _wrap(CustomerGatewayBackend, describe_customer_gateways)
    _log(log)
    RouteTable.propagating_vgws = property(lambda table: table.__dict__.setdefault("_propagating", []))
    VPNConnection.customer_gateway_configuration = property(_configuration)


def _wrap(owner: Any, method: Callable[..., Any]) -> None:
    """Put a method in front of moto's own one, which it gets first."""
    own = getattr(owner, method.__name__)
    setattr(owner, method.__name__, lambda self, *given, **named: method(own, self, *given, **named))


def _log(log: RequestLog) -> None:
    own = EC2Response.call_action

    def call_action(self: Response) -> Any:
        parameters = {name: values[0] for name, values in self.querystring.items() if name not in ("Action", "Version")}
        wrong = published.violation(
            self.querystring["Action"][0], self.querystring.get("Version", [None])[0], parameters
        )
        status, headers, body = own(self) if wrong is None else (400, self.response_headers, _refusal(*wrong))
        code = re.search(r"<Code>([^<]*)</Code>", str(body)) if int(status) >= 400 else None
        log.note(
            action=self.querystring["Action"][0],
            parameters=parameters,
            region=self.region,
            status=int(status),
            error=code and code[1],
            violation=wrong and wrong[1],
        )
        return status, headers, body

    EC2Response.call_action = call_action


def _refusal(code: str, message: str) -> str:
    """Return an error for an action that moto need not know."""
    return (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors></Response>"
    )


def _is_there(resource: Any) -> bool:
    return resource.state not in ("deleted", "deleting")


def _connections(response: Response, **wanted: str) -> list[Any]:
    """Return the connections that are there, of a gateway."""
    found = response.ec2_backend.vpn_connections.values()
    return [one for one in found if _is_there(one) and wanted.items() <= vars(one).items()]


def create_customer_gateway(own: Callable[[Response], Any], self: Response) -> Any:
    """Return the one that is there to an identical request."""
    for gateway in self.ec2_backend.customer_gateways.values():
        asked = (self._get_param("IpAddress") or self._get_param("PublicIp"), str(self._get_param("BgpAsn")))
        if _is_there(gateway) and (gateway.ip_address, str(gateway.bgp_asn)) == asked:
            return ActionResult({"CustomerGateway": gateway})
    return own(self)


def describe_customer_gateways(own: Callable[..., list[Any]], self: Any, filters: Any = None, *ids: Any) -> list[Any]:
    """Heed the filters that moto passes over."""
    named = {name: values for name, values in (filters or {}).items() if name == "state" or name.startswith("tag")}
    found = own(self, filters, *ids)
    return [one for one in found if all(one.get_filter_value(name) in values for name, values in named.items())]


def delete_customer_gateway(own: Callable[[Response], Any], self: Response) -> Any:
    """Refuse while a connection uses it."""
    if _connections(self, customer_gateway_id=self._get_param("CustomerGatewayId")):
        raise EC2ClientError("IncorrectState", "The customer gateway is in use.")
    return own(self)


def create_vpn_connection(own: Callable[[Response], Any], self: Response) -> Any:
    """Give it two tunnels with their addresses and keys, and return the one that is there to an identical request."""
    options = self._get_param("Options") or {}
    ends = {
        "customer_gateway_id": self._get_param("CustomerGatewayId"),
        "vpn_gateway_id": self._get_param("VpnGatewayId"),
    }
    self.ec2_backend.get_vpn_gateway(ends["vpn_gateway_id"])
    static = str(options.get("StaticRoutesOnly", False)).lower() == "true"
    for connection in _connections(self, **ends):
        if connection.options["StaticRoutesOnly"] == static:
            return ActionResult({"VpnConnection": connection})
    result = own(self)
    connection = result.result["VpnConnection"]
    first = 2 * len(self.ec2_backend.vpn_connections) - 1
    connection.routes = []
    connection.options = {
        "EnableAcceleration": False,
        "StaticRoutesOnly": static,
        "LocalIpv4NetworkCidr": options.get("LocalIpv4NetworkCidr", "0.0.0.0/0"),
        "RemoteIpv4NetworkCidr": "0.0.0.0/0",
        "OutsideIpAddressType": "PublicIpv4",
        "TunnelInsideIpVersion": "ipv4",
        "TunnelOptions": [_tunnel(number) for number in (first, first + 1)],
    }
    connection.vgw_telemetry = [
        {"OutsideIpAddress": tunnel["OutsideIpAddress"], "Status": "DOWN", "StatusMessage": "IPSEC IS DOWN"}
        for tunnel in connection.options["TunnelOptions"]
    ]
    return result


def _tunnel(number: int) -> dict[str, str]:
    return {
        "OutsideIpAddress": f"198.51.100.{number % 254 + 1}",
        "TunnelInsideCidr": f"169.254.{10 + number // 64}.{4 * (number % 64)}/30",
        # A first zero is not allowed.
        "PreSharedKey": secrets.choice(string.ascii_letters)
        + "".join(secrets.choice(_LETTERS) for _place in range(31)),
    }


def _configuration(connection: Any) -> str:
    """Return what a person would load into a device, cut short; the keys are in it as in the real one."""
    tunnels = (connection.options or {}).get("TunnelOptions", [])
    keys = "".join(f"<pre_shared_key>{tunnel['PreSharedKey']}</pre_shared_key>" for tunnel in tunnels)
    return f'<vpn_connection id="{connection.id}">{keys}</vpn_connection>'


def create_vpn_connection_route(self: Response) -> Any:
    """Add a static route."""
    connection, prefix = _static(self)
    if prefix not in [route["DestinationCidrBlock"] for route in connection.routes]:
        connection.routes.append({"DestinationCidrBlock": prefix, "Source": "Static", "State": "available"})
    return EmptyResult()


def delete_vpn_connection_route(self: Response) -> Any:
    """Take a static route away."""
    connection, prefix = _static(self)
    kept = [route for route in connection.routes if route["DestinationCidrBlock"] != prefix]
    if len(kept) == len(connection.routes):
        raise EC2ClientError("InvalidRoute.NotFound", f"The route {prefix} does not exist.")
    connection.routes = kept
    return EmptyResult()


def _static(self: Response) -> tuple[Any, str]:
    found = _connections(self, id=self._get_param("VpnConnectionId"))
    if not found:
        raise EC2ClientError("InvalidVpnConnectionID.NotFound", "The vpnConnection ID does not exist.")
    if not found[0].options["StaticRoutesOnly"]:
        raise EC2ClientError("InvalidParameterValue", "The connection does not use static routes.")
    return found[0], self._get_param("DestinationCidrBlock")


def enable_vgw_route_propagation(self: Response) -> Any:
    """Let a route table learn a gateway's routes."""
    table, gateway = _table(self)
    if table.vpc_id not in [one.vpc_id for one in gateway.vpc_attachments if one.state == "attached"]:
        raise EC2ClientError("Gateway.NotAttached", f"The gateway {gateway.id} is not attached to the table's VPC.")
    if {"GatewayId": gateway.id} not in table.propagating_vgws:
        table.propagating_vgws.append({"GatewayId": gateway.id})
    return EmptyResult()


def disable_vgw_route_propagation(self: Response) -> Any:
    """Let a route table forget a gateway's routes."""
    table, gateway = _table(self)
    _forget(table, gateway.id)
    return EmptyResult()


def _table(self: Response) -> tuple[Any, Any]:
    table = self.ec2_backend.get_route_table(self._get_param("RouteTableId"))
    return table, self.ec2_backend.get_vpn_gateway(self._get_param("GatewayId"))


def _forget(table: Any, gateway: str) -> None:
    table.propagating_vgws[:] = [one for one in table.propagating_vgws if one["GatewayId"] != gateway]


def detach_vpn_gateway(own: Callable[[Response], Any], self: Response) -> Any:
    """Take its routes along."""
    result = own(self)
    for table in self.ec2_backend.route_tables.values():
        _forget(table, self._get_param("VpnGatewayId"))
    return result


def delete_vpn_gateway(own: Callable[[Response], Any], self: Response) -> Any:
    """Refuse while it is attached, or while a connection uses it."""
    gateway = self.ec2_backend.get_vpn_gateway(self._get_param("VpnGatewayId"))
    attached = [one for one in gateway.vpc_attachments if one.state == "attached"]
    if attached or _connections(self, vpn_gateway_id=gateway.id):
        raise EC2ClientError("IncorrectState", f"The virtual private gateway {gateway.id} is in use.")
    return own(self)


_ADDED: tuple[Callable[..., Any], ...] = (
    create_vpn_connection_route,
    delete_vpn_connection_route,
    enable_vgw_route_propagation,
    disable_vgw_route_propagation,
)
_CHANGED: tuple[Callable[..., Any], ...] = (
    create_customer_gateway,
    delete_customer_gateway,
    create_vpn_connection,
    detach_vpn_gateway,
    delete_vpn_gateway,
)
