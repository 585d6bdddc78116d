# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in for AWS adds to moto, and that all stand-ins go into one environment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cloud.aws.service import HEADERS, REGION, AwsError, Service
from tests.cloud.clouds import Clouds
from tests.cloud.google.service import PROJECT

from .client import GROUP, Azure

Json = dict[str, Any]


@dataclass
class Vpn:
    """Both gateways and the connection between them."""

    aws: Service
    log: Path
    vpc: str
    table: str
    customer_gateway: str
    gateway: str
    connection: str = ""

    def connect(self, static: str = "true") -> str:
        """Ask for the connection, and return its id."""
        ends = {"CustomerGatewayId": self.customer_gateway, "VpnGatewayId": self.gateway}
        options = {"Type": "ipsec.1", "Options.StaticRoutesOnly": static}
        return str(self.aws.ask("CreateVpnConnection", **ends, **options).findtext(".//vpnConnectionId"))

    def route(self, prefix: str, action: str = "CreateVpnConnectionRoute") -> None:
        """Add or take away a static route."""
        self.aws.ask(action, VpnConnectionId=self.connection, DestinationCidrBlock=prefix)

    def routes(self) -> list[str | None]:
        """Return the static routes."""
        found = self.aws.ask("DescribeVpnConnections", **{"VpnConnectionId.1": self.connection})
        return [one.text for one in found.findall(".//routes/item/destinationCidrBlock")]

    def propagate(self, what: str) -> None:
        """Enable or disable it."""
        self.aws.ask(f"{what}VgwRoutePropagation", RouteTableId=self.table, GatewayId=self.gateway)

    def propagating(self) -> list[str | None]:
        """Return the gateways whose routes the table learns."""
        found = self.aws.ask("DescribeRouteTables", **{"RouteTableId.1": self.table})
        return [one.text for one in found.findall(".//propagatingVgwSet/item/gatewayId")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where they keep their files."""
    return tmp_path_factory.mktemp("clouds")


@pytest.fixture(scope="module")
def clouds(folder: Path) -> Iterator[Clouds]:
    """Make them, and stop them."""
    clouds = Clouds(folder)
    yield clouds
    clouds.stop()


@pytest.fixture(scope="module")
def environment(clouds: Clouds) -> dict[str, str]:
    """Start them; it takes seconds, so that all tests share them."""
    return clouds.start()


@pytest.fixture
def aws(clouds: Clouds, environment: dict[str, str]) -> Service:
    """Return the one for AWS."""
    return clouds.aws


@pytest.fixture
def vpn(aws: Service, folder: Path, request: pytest.FixtureRequest) -> Vpn:
    """Return a connection of its own for each test."""
    vpc, (table,) = aws.network("172.31.0.0/16")
    number = len(aws.ask("DescribeCustomerGateways").findall(".//customerGatewayId")) + 1
    gateway = str(aws.ask("CreateVpnGateway", Type="ipsec.1").findtext(".//vpnGatewayId"))
    aws.ask("AttachVpnGateway", VpnGatewayId=gateway, VpcId=vpc)
    vpn = Vpn(aws, folder / "aws/requests.jsonl", vpc, table, customer_gateway(aws, f"192.0.2.{number}"), gateway)
    vpn.connection = vpn.connect()
    return vpn


def customer_gateway(aws: Service, address: str) -> str:
    """Make a customer gateway, and return its id."""
    asked = {"Type": "ipsec.1", "PublicIp": address, "BgpAsn": "65000"}
    return str(aws.ask("CreateCustomerGateway", **asked).findtext(".//customerGatewayId"))


def refused(aws: Service, action: str, **parameters: str) -> str:
    """Return the code of a refusal."""
    with pytest.raises(AwsError) as caught:
        aws.ask(action, **parameters)
    return str(caught.value)


def test_a_connection_has_two_tunnels(vpn: Vpn) -> None:
    """With all that the other end needs, and none of it twice."""
    found = vpn.aws.ask("DescribeVpnConnections", **{"VpnConnectionId.1": vpn.connection})
    assert found.findtext(".//staticRoutesOnly") == "true"
    assert found.find(".//routes") is not None
    tunnels = found.findall(".//tunnelOptionSet/item")
    assert len(tunnels) == 2
    for member in ("outsideIpAddress", "tunnelInsideCidr", "preSharedKey"):
        assert len({tunnel.findtext(member) for tunnel in tunnels} - {None}) == 2, member
    key = tunnels[0].findtext("preSharedKey") or ""
    assert len(key) == 32
    assert key.isalnum()
    assert key in (found.findtext(".//customerGatewayConfiguration") or "")


def test_the_same_request_again_makes_nothing(vpn: Vpn) -> None:
    """So the service answers an identical one; with other options it is another one."""
    assert vpn.connect() == vpn.connection
    assert vpn.connect(static="false") != vpn.connection
    address = vpn.aws.ask("DescribeCustomerGateways", **{"CustomerGatewayId.1": vpn.customer_gateway}).findtext(
        ".//ipAddress"
    )
    assert customer_gateway(vpn.aws, str(address)) == vpn.customer_gateway


def test_a_connection_that_was_deleted_is_made_anew(vpn: Vpn) -> None:
    """With other keys; the old one is still listed."""
    vpn.aws.ask("DeleteVpnConnection", VpnConnectionId=vpn.connection)
    assert vpn.connect() != vpn.connection
    found = vpn.aws.ask("DescribeVpnConnections", **{"VpnConnectionId.1": vpn.connection})
    assert found.findtext(".//item/state") == "deleted"


def test_static_routes(vpn: Vpn) -> None:
    """They can be added and taken away, and only once."""
    vpn.route("10.0.0.0/24")
    vpn.route("10.0.0.0/24")
    vpn.route("10.0.1.0/24")
    assert vpn.routes() == ["10.0.0.0/24", "10.0.1.0/24"]
    vpn.route("10.0.0.0/24", "DeleteVpnConnectionRoute")
    assert vpn.routes() == ["10.0.1.0/24"]
    parameters = {"VpnConnectionId": vpn.connection, "DestinationCidrBlock": "10.0.0.0/24"}
    assert refused(vpn.aws, "DeleteVpnConnectionRoute", **parameters) == "InvalidRoute.NotFound"


def test_static_routes_of_no_static_connection(vpn: Vpn) -> None:
    """Nor of one that is gone."""
    parameters = {"VpnConnectionId": vpn.connect(static="false"), "DestinationCidrBlock": "10.0.0.0/24"}
    assert refused(vpn.aws, "CreateVpnConnectionRoute", **parameters) == "InvalidParameterValue"
    vpn.aws.ask("DeleteVpnConnection", VpnConnectionId=vpn.connection)
    parameters["VpnConnectionId"] = vpn.connection
    assert refused(vpn.aws, "CreateVpnConnectionRoute", **parameters) == "InvalidVpnConnectionID.NotFound"


def test_a_route_table_learns_routes(vpn: Vpn) -> None:
    """Until it is told to forget them."""
    assert vpn.propagating() == []
    vpn.propagate("Enable")
    vpn.propagate("Enable")
    assert vpn.propagating() == [vpn.gateway]
    vpn.propagate("Disable")
    assert vpn.propagating() == []


def test_a_gateway_takes_its_routes_along(vpn: Vpn) -> None:
    """And nothing can be learnt from one that is not attached."""
    vpn.propagate("Enable")
    vpn.aws.ask("DetachVpnGateway", VpnGatewayId=vpn.gateway, VpcId=vpn.vpc)
    assert vpn.propagating() == []
    parameters = {"RouteTableId": vpn.table, "GatewayId": vpn.gateway}
    assert refused(vpn.aws, "EnableVgwRoutePropagation", **parameters) == "Gateway.NotAttached"


def test_does_not_delete_what_is_in_use(vpn: Vpn) -> None:
    """A gateway is in use by a connection, and by the VPC that it is attached to."""
    ends = {
        "DeleteCustomerGateway": {"CustomerGatewayId": vpn.customer_gateway},
        "DeleteVpnGateway": {"VpnGatewayId": vpn.gateway},
    }
    attachment = {"VpnGatewayId": vpn.gateway, "VpcId": vpn.vpc}
    vpn.aws.ask("DetachVpnGateway", **attachment)
    for action, parameters in ends.items():
        assert refused(vpn.aws, action, **parameters) == "IncorrectState"
    vpn.aws.ask("DeleteVpnConnection", VpnConnectionId=vpn.connection)
    vpn.aws.ask("AttachVpnGateway", **attachment)
    assert refused(vpn.aws, "DeleteVpnGateway", VpnGatewayId=vpn.gateway) == "IncorrectState"
    vpn.aws.ask("DetachVpnGateway", **attachment)
    for action, parameters in ends.items():
        vpn.aws.ask(action, **parameters)


def test_customer_gateways_by_state(vpn: Vpn) -> None:
    """One that was deleted is still there, and not available."""
    vpn.aws.ask("DeleteVpnConnection", VpnConnectionId=vpn.connection)
    vpn.aws.ask("DeleteCustomerGateway", CustomerGatewayId=vpn.customer_gateway)

    def listed(**filters: str) -> list[str | None]:
        found = vpn.aws.ask("DescribeCustomerGateways", **filters)
        return [one.text for one in found.findall(".//customerGatewayId")]

    assert vpn.customer_gateway in listed()
    assert vpn.customer_gateway not in listed(**{"Filter.1.Name": "state", "Filter.1.Value.1": "available"})


def test_customer_gateways_by_name(vpn: Vpn) -> None:
    """By their tag."""
    name = {"Filter.1.Name": "tag:Name", "Filter.1.Value.1": "plant"}
    assert vpn.aws.ask("DescribeCustomerGateways", **name).find(".//customerGatewayId") is None
    vpn.aws.ask("CreateTags", **{"ResourceId.1": vpn.customer_gateway, "Tag.1.Key": "Name", "Tag.1.Value": "plant"})
    assert vpn.aws.ask("DescribeCustomerGateways", **name).findtext(".//customerGatewayId") == vpn.customer_gateway


def test_no_connection_to_a_gateway_that_is_not_there(vpn: Vpn) -> None:
    """moto alone would make it."""
    ends = {"CustomerGatewayId": vpn.customer_gateway, "VpnGatewayId": "vgw-00000000"}
    assert refused(vpn.aws, "CreateVpnConnection", Type="ipsec.1", **ends) == "InvalidVpnGatewayID.NotFound"


@pytest.mark.parametrize(
    ("action", "change", "code"),
    [
        ("CreateVpnConnection", {"CustomerGateway": "cgw-1"}, "UnknownParameter"),
        ("CreateVpnConnection", {"Options.StaticRoutesOnly": "yes"}, "InvalidParameterValue"),
        ("CreateVpnConnection", {"Options.TunnelOptions.1.PresharedKey": "x"}, "UnknownParameter"),
        ("CreateVpnConnection", {"Type": ""}, "MissingParameter"),
        ("CreateVpnConnection", {"TagSpecification.1.ResourceType": "vpn"}, "InvalidParameterValue"),
        ("CreateVpnConnection", {"Version": "2016-11-16"}, "InvalidAction"),
    ],
)
def test_refuses_what_aws_does_not_publish(vpn: Vpn, action: str, change: dict[str, str], code: str) -> None:
    """And notes it, so that no role can pass over it; moto alone takes most of it."""
    right = {"Type": "ipsec.1", "CustomerGatewayId": vpn.customer_gateway, "VpnGatewayId": vpn.gateway}
    asked = {name: value for name, value in (right | change).items() if value}
    before = vpn.aws.violations()
    assert refused(vpn.aws, action, **asked) == code
    assert len(vpn.aws.violations()) == len(before) + 1


def test_writes_down_what_it_was_sent(vpn: Vpn) -> None:
    """What was refused too."""
    vpn.route("10.0.0.0/24")
    refused(vpn.aws, "DeleteVpnGateway", VpnGatewayId=vpn.gateway)
    added, deleted = (json.loads(line) for line in vpn.log.read_text().splitlines()[-2:])
    assert (added["action"], added["status"], added["error"]) == ("CreateVpnConnectionRoute", 200, None)
    assert added["parameters"] == {"VpnConnectionId": vpn.connection, "DestinationCidrBlock": "10.0.0.0/24"}
    assert (deleted["action"], deleted["region"]) == ("DeleteVpnGateway", REGION)
    assert (deleted["status"], deleted["error"]) == (400, "IncorrectState")


def test_all_of_them_in_one_environment(
    clouds: Clouds, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As clients see it that take proxy and CA from the environment: two behind the proxy, and AWS without it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # A person's own, which leads nowhere.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    clouds.google.compute.network("plant")
    bearer = {"Authorization": f"Bearer {environment['GCP_ACCESS_TOKEN']}"}
    networks = f"https://compute.googleapis.com/compute/v1/projects/{PROJECT}/global/networks"
    assert requests.get(networks, headers=bearer, timeout=10).json()["items"][0]["name"] == "plant"
    azure = Azure(environment)
    azure.session.trust_env, azure.session.proxies, azure.session.verify = True, {}, True
    azure.put(GROUP)
    asked = {"Action": "DescribeVpcs", "Version": "2016-11-15"}
    assert requests.post(environment["AWS_ENDPOINT_URL"], asked, headers=HEADERS, timeout=10).status_code == 200
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://example.com", timeout=10)
