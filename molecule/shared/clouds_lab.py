"""The stand-ins for three clouds in one run; what is there, and what was sent, is read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import cloud_play
import play
from azure_lab import Azure

from tests.cloud import clouds
from tests.cloud.exchange import Answer, Request

GATEWAY = "203.0.113.10"
"""Address of Azure's VPN gateway."""

KEY = "lab.shared.key.1"

Json = dict[str, Any]


class Clouds:
    """A VPC, a network of Google, and two proxies' gateways in Azure."""

    def __init__(self, folder: Path) -> None:
        self._stand_ins = clouds.Clouds(folder)
        self._environment = self._stand_ins.start()
        self.azure = Azure(folder / "azure", self._stand_ins.azure)
        self.google, self.aws = self._stand_ins.google, self._stand_ins.aws
        self.fewest_up: int | None = None
        """Of Google's tunnels, at any time since the last run began."""
        answer = self.google.compute.answer

        def watched(request: Request) -> Answer:
            answered = answer(request)
            if self.fewest_up is not None:
                self.fewest_up = min(self.fewest_up, len(self.google.compute.up()))
            return answered

        self.google.compute.answer = watched  # type: ignore[method-assign]
        self._logs = {name: folder / name / "requests.jsonl" for name in ("aws", "google")}
        self._seen: dict[str, int] = {}
        self.vpc, (self.table,) = self.aws.network("10.20.0.0/16")
        self.site = {"multicloud_aws_vpc": self.vpc, "multicloud_aws_route_tables": [self.table]}
        self.google.compute.network("plant")
        self.gateway = ""
        """The id of Azure's VPN gateway."""
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
        self.fewest_up = len(self.google.compute.up())
        whole = change or {"all": {"children": {"cloud_sites": {"hosts": {"aws-plant": self.site}}}}}
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

    def times(self, cloud: str, words: str) -> list[float]:
        """Return when the last run wrote what the log has these words of."""
        path = self._logs.get(cloud, self._logs["aws"].parents[1] / "azure/requests.jsonl")
        lines = path.read_text().splitlines()
        lines = lines[self._seen[cloud] :] if cloud in self._seen else lines
        found = [json.loads(line) for line in lines if re.search(words, line)]
        return [one["time"] for one in found if one.get("method") != "GET"]

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

    def tag(self, **tags: str) -> dict[str, set[str]]:
        """Tag all that can be, as a policy does, and return what has each of these tags; without any, change nothing."""
        for one in self.azure.resources():
            if tags and one.get("tags"):
                spelt = {name.lower() for name in tags}
                kept = {name: value for name, value in one["tags"].items() if name.lower() not in spelt}
                self.azure.put({**one, "tags": {**kept, **tags}})
        things = self.aws.ask("DescribeTags").findall(".//tagSet/item")
        ids = {str(one.findtext("resourceId")) for one in things}
        for name, value in tags.items():
            for thing in sorted(ids):
                self.aws.ask("CreateTags", **{"ResourceId.1": thing, "Tag.1.Key": name, "Tag.1.Value": value})
        self.google.compute.label({name: value for name, value in tags.items() if name.islower()})
        found: dict[str, set[str]] = {}
        for one in self.google.compute.resources():
            for name in one.get("labels", {}):
                found.setdefault(name, set()).add(str(one["selfLink"]))
        for one in self.azure.resources():
            for name in one.get("tags", {}):
                found.setdefault(name, set()).add(str(one["id"]))
        for each in self.aws.ask("DescribeTags").findall(".//tagSet/item"):
            found.setdefault(str(each.findtext("key")), set()).add(str(each.findtext("resourceId")))
        return found

    def put_others(self, aws: str, google: str) -> None:
        """Put things of others in place that have the names of a site."""
        network = f"/subscriptions/{self.azure.subscription}/resourceGroups/ot-proxy/providers/Microsoft.Network"
        there = {"location": "westeurope", "properties": {"gatewayIpAddress": "192.0.2.9"}}
        self.azure.put(*({"id": f"{network}/localNetworkGateways/{name}-1", **there} for name in (aws, google)))
        gateway = str(self.aws.ask("CreateVpnGateway", Type="ipsec.1").findtext(".//vpnGatewayId"))
        self.aws.ask("CreateTags", **{"ResourceId.1": gateway, "Tag.1.Key": "Name", "Tag.1.Value": aws})
        self.google.compute.put("addresses", f"{google}-2", address="203.0.113.99")

    def put_circuit(self, name: str, bandwidth: int, tags: dict[str, str] | None = None) -> None:
        """Put a circuit in place that somebody else has ordered."""
        group = f"/subscriptions/{self.azure.subscription}/resourceGroups/ot-express"
        provider = {"serviceProviderName": "Example Exchange", "peeringLocation": "Amsterdam"}
        self.azure.put(
            {
                "id": f"{group}/providers/Microsoft.Network/expressRouteCircuits/{name}",
                "location": "westeurope",
                "tags": tags or {},
                "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
                "properties": {"serviceProviderProperties": {**provider, "bandwidthInMbps": bandwidth}},
            }
        )

    def _put_gateways(self) -> None:
        for group, proxy, kind, address in (
            ("ot-proxy", "azure-proxy", "Vpn", GATEWAY),
            ("ot-express", "azure-express", "ExpressRoute", ""),
        ):
            base = f"/subscriptions/{self.azure.subscription}/resourceGroups/{group}"
            network = f"{base}/providers/Microsoft.Network"
            public = f"{network}/publicIPAddresses/{proxy}-gateway-ip"
            done = {"provisioningState": "Succeeded"}
            # That of an ExpressRoute gateway is Azure's own.
            end = {"publicIPAddress": {"id": public}} if address else {}
            properties = {**done, "gatewayType": kind, "ipConfigurations": [{"name": "default", "properties": end}]}
            gateway = f"{network}/virtualNetworkGateways/{proxy}-gateway"
            self.azure.put(
                {"id": base, "location": "westeurope"},
                {"id": gateway, "location": "westeurope", "properties": properties},
            )
            if address:
                self.gateway = gateway
                self.azure.put({"id": public, "location": "westeurope", "properties": {**done, "ipAddress": address}})
