"""The stand-ins for three clouds in one run; what is there, and what was sent, is read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import cloud_play
import play
from azure_lab import Azure

from tests.cloud import clouds

GATEWAY = "203.0.113.10"
"""Address of Azure's VPN gateway."""

KEY = "lab-shared-key-1"

Json = dict[str, Any]


class Clouds:
    """A VPC, a network of Google, and two proxies' gateways in Azure."""

    def __init__(self, folder: Path) -> None:
        self._stand_ins = clouds.Clouds(folder)
        self._environment = self._stand_ins.start()
        self.azure = Azure(folder / "azure", self._stand_ins.azure)
        self.google, self.aws = self._stand_ins.google, self._stand_ins.aws
        self._logs = {name: folder / name / "requests.jsonl" for name in ("aws", "google")}
        self._seen: dict[str, int] = {}
        self.vpc, (self.table,) = self.aws.network("10.20.0.0/16")
        self.google.compute.network("plant")
        self._put_gateways()

    def stop(self) -> None:
        """Let them go."""
        self._stand_ins.stop()

    def violations(self) -> list[str]:
        """Return what was refused in any run since it is not as its cloud publishes it."""
        return [*self.azure.violations(), *self.google.compute.violations, *self.aws.violations()]

    def run(self, *options: str, limit: str = "vpn_sites", key: str = KEY, change: Json | None = None) -> play.Run:
        """Run the playbook for some sites; what is sent from now on is what written() returns."""
        self.azure.mark()
        self._seen = {name: len(path.read_text().splitlines()) for name, path in self._logs.items()}
        site = {"multicloud_aws_vpc": self.vpc, "multicloud_aws_route_tables": [self.table]}
        whole = change or {"all": {"children": {"cloud_sites": {"hosts": {"aws-plant": site}}}}}
        environment = {"MULTICLOUD_SHARED_KEY": key, **self._environment}
        return cloud_play.playbook("multicloud", "--limit", limit, *options, environment=environment, change=whole)

    def written(self) -> list[str]:
        """Return what the last run wrote, in any cloud."""
        sent = {
            name: [json.loads(line) for line in path.read_text().splitlines()[self._seen.get(name, 0) :]]
            for name, path in self._logs.items()
        }
        return [
            *self.azure.written(),
            *(one["action"] for one in sent["aws"] if not one["action"].startswith("Describe")),
            *(f"{one['method']} {one['path']}" for one in sent["google"] if one["method"] != "GET"),
        ]

    def connections(self) -> dict[str, Json]:
        """Return Azure's connections by name, with their keys and where they lead."""
        gateways = {one["id"].lower(): one["properties"] for one in self.azure.find("localNetworkGateways")}
        found = {one["name"]: one["properties"] for one in self.azure.find("connections")}
        return {
            name: {**one, "far": gateways[one["localNetworkGateway2"]["id"].lower()]}
            if "localNetworkGateway2" in one
            else one
            for name, one in found.items()
        }

    def aws_connections(self) -> list[Element]:
        """Return the VPN connections that AWS has; it goes on to speak of those that were deleted."""
        found = self.aws.ask("DescribeVpnConnections").iterfind(".//vpnConnectionSet/item")
        return [one for one in found if one.findtext("state") != "deleted"]

    def aws_tunnels(self) -> list[tuple[str, str]]:
        """Return address and key of the tunnels that AWS has."""
        return [
            (str(tunnel.findtext("outsideIpAddress")), str(tunnel.findtext("preSharedKey")))
            for one in self.aws_connections()
            for tunnel in one.iterfind("./options/tunnelOptionSet/item")
        ]

    def provision(self, name: str, *peerings: Json) -> None:
        """Do what the provider of a circuit does."""
        (circuit,) = self.azure.find("expressRouteCircuits", name)
        circuit["properties"] |= {"serviceProviderProvisioningState": "Provisioned", "peerings": list(peerings)}
        self.azure.put(circuit)

    def put_circuit(self, name: str, bandwidth: int) -> None:
        """Put a circuit in place that somebody else has ordered."""
        group = f"/subscriptions/{self.azure.subscription}/resourceGroups/ot-express"
        provider = {"serviceProviderName": "Example Exchange", "peeringLocation": "Amsterdam"}
        self.azure.put(
            {
                "id": f"{group}/providers/Microsoft.Network/expressRouteCircuits/{name}",
                "location": "westeurope",
                "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
                "properties": {"serviceProviderProperties": {**provider, "bandwidthInMbps": bandwidth}},
            }
        )

    def _put_gateways(self) -> None:
        for group, proxy, kind, address in (
            ("ot-proxy", "azure-proxy", "Vpn", GATEWAY),
            ("ot-express", "azure-express", "ExpressRoute", "203.0.113.11"),
        ):
            base = f"/subscriptions/{self.azure.subscription}/resourceGroups/{group}"
            network = f"{base}/providers/Microsoft.Network"
            done = {"provisioningState": "Succeeded"}
            self.azure.put(
                {"id": base, "location": "westeurope"},
                {
                    "id": f"{network}/publicIPAddresses/{proxy}-gateway-ip",
                    "location": "westeurope",
                    "properties": {**done, "ipAddress": address},
                },
                {
                    "id": f"{network}/virtualNetworkGateways/{proxy}-gateway",
                    "location": "westeurope",
                    "properties": {**done, "gatewayType": kind},
                },
            )
