# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of the stand-in for Azure that goes the way of the real ones: through its proxy, with its CA."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.cloud.arm import manager, sign_in

Json = dict[str, Any]
NETWORK = "Microsoft.Network"
WORLD = "/subscriptions/11111111-1111-4111-8111-111111111111"
GROUP = f"{WORLD}/resourceGroups/rg"
REGION = "westeurope"
VERSIONS = {
    "microsoft.compute": "2024-07-01",
    "microsoft.insights": "2021-05-01-preview",
    "microsoft.network": "2024-03-01",
    "microsoft.operationalinsights": "2022-10-01",
    "microsoft.resourcegraph": "2021-03-01",
    "microsoft.storage": "2023-05-01",
}


def version(path: str) -> Json:
    """Return the api-version for a path, as the modules have it."""
    namespace = path.lower().rpartition("/providers/")[2].partition("/")[0]
    return {"api-version": VERSIONS.get(namespace, "2022-09-01")}


def _body(path: str, properties: Json | None, top: Json) -> Json:
    """Return a body with the region, but for what is where its parent is."""
    part = re.search(r"/providers/[^/]+/[^/]+/[^/]+/(?!flowLogs)|/deployments/", path)
    return ({} if part else {"location": REGION}) | {**top, "properties": properties or {}}


def ref(path: str) -> Json:
    """Return a reference."""
    return {"id": path}


def of(kind: str, name: str, namespace: str = NETWORK) -> str:
    """Return the id of a resource in the group."""
    return f"{GROUP}/providers/{namespace}/{kind}/{name}"


NET = of("virtualNetworks", "net")
SUBNET = f"{NET}/subnets/proxies"
GATEWAY_SUBNET = f"{NET}/subnets/GatewaySubnet"
SECURITY = of("networkSecurityGroups", "nsg")
NAT = of("natGateways", "nat")
ADDRESS = of("publicIPAddresses", "ip")
BALANCER = of("loadBalancers", "lb")
GATEWAY = of("virtualNetworkGateways", "vpn")
WORKSPACE = of("workspaces", "logs", "Microsoft.OperationalInsights")
STORAGE = of("storageAccounts", "logs123", "Microsoft.Storage")
SCALE_SET = of("virtualMachineScaleSets", "set", "Microsoft.Compute")
FLOW_LOG = (
    f"{WORLD}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers/"
    f"NetworkWatcher_{REGION}/flowLogs/flow"
)


@dataclass
class Azure:
    """One session."""

    environment: dict[str, str]
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.proxies = {"https": self.environment["HTTPS_PROXY"]}
        self.session.verify = self.environment["REQUESTS_CA_BUNDLE"]
        self.session.headers["Authorization"] = f"Bearer {sign_in.TOKEN}"

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> requests.Response:
        """Send one request."""
        url = f"https://{manager.HOST}{path}"
        return self.session.request(method, url, json=body, params=version(path) | query, timeout=10)

    def get(self, path: str) -> Json:
        """Return a resource that is there."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def put(self, path: str, properties: Json | None = None, **top: Any) -> Json:
        """Create or replace a resource, and wait until it is ready."""
        answer = self.ask("PUT", path, _body(path, properties, top))
        assert answer.status_code in (200, 201), answer.text
        assert self.wait(answer)["status"] == "Succeeded"
        return self.get(path)

    def delete(self, path: str) -> requests.Response:
        """Delete, and wait."""
        answer = self.ask("DELETE", path)
        self.wait(answer)
        return answer

    def wait(self, answer: requests.Response) -> Json:
        """Return how the operation ended that an answer speaks of."""
        status: Json = {"status": "Succeeded"}
        while "Azure-AsyncOperation" in answer.headers:
            status = self.session.get(answer.headers["Azure-AsyncOperation"], timeout=10).json()
            if status["status"] != "InProgress":
                break
            time.sleep(0.005)
        return status

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Use the control port."""
        answer = requests.request(method, self.environment["STAND_IN_CONTROL"] + path, json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, path: str, properties: Json | None = None, **top: Any) -> tuple[int, str]:
        """Return status and code of a PUT that is refused."""
        answer = self.ask("PUT", path, _body(path, properties, top))
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["error"]["code"]


def network(*subnets: Json, prefix: str = "10.0.0.0/24") -> Json:
    """Return a network's properties."""
    return {"addressSpace": {"addressPrefixes": [prefix]}, "subnets": list(subnets)}


def subnet(name: str, prefix: str, **more: Any) -> Json:
    """Return a subnet."""
    return {"name": name, "properties": {"addressPrefix": prefix, **more}}


def rule(name: str, priority: int, direction: str = "Inbound") -> Json:
    """Return a security rule."""
    properties = {"protocol": "*", "access": "Deny", "priority": priority, "direction": direction}
    ends = {f"{side}{what}": "*" for side in ("source", "destination") for what in ("PortRange", "AddressPrefix")}
    return {"name": name, "properties": properties | ends}


def balancer(**frontend: Any) -> Json:
    """Return a load balancer's properties, with a rule and a probe."""

    def own(kind: str, name: str) -> Json:
        return ref(f"{BALANCER}/{kind}/{name}")

    links = {
        "frontendIPConfiguration": own("frontendIPConfigurations", "front"),
        "backendAddressPool": own("backendAddressPools", "pool"),
        "probe": own("probes", "alive"),
    }
    return {
        "frontendIPConfigurations": [{"name": "front", "properties": frontend or {"subnet": ref(SUBNET)}}],
        "backendAddressPools": [{"name": "pool"}],
        "probes": [{"name": "alive", "properties": {"protocol": "Tcp", "port": 3128}}],
        "loadBalancingRules": [
            {"name": "squid", "properties": {"protocol": "Tcp", "frontendPort": 3128, "backendPort": 3128, **links}}
        ],
    }


def public_key(name: str, *parts: bytes) -> str:
    """Return a line of authorized_keys."""
    raw = b"".join(len(part).to_bytes(4, "big") + part for part in (name.encode(), *parts))
    return f"{name} {base64.b64encode(raw).decode()} test"


def scale_set(change: Callable[[Json], None] = lambda profile: None, automatic: bool = False, **account: Any) -> Json:
    """Return a scale set's properties behind the load balancer.

    Args:
        change: alters the profile of its machines.
        automatic: with automatic OS upgrade.
        account: more of osProfile.
    """
    key = {"path": "/home/azureuser/.ssh/authorized_keys", "keyData": public_key("ssh-ed25519", bytes(32))}
    image = {
        "publisher": "Canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts-gen2",
        "version": "latest",
    }
    address = {"subnet": ref(SUBNET), "loadBalancerBackendAddressPools": [ref(f"{BALANCER}/backendAddressPools/pool")]}
    card = {"primary": True, "ipConfigurations": [{"name": "ip", "properties": address}]}
    profile: Json = {
        "osProfile": {
            "computerNamePrefix": "proxy",
            "adminUsername": "azureuser",
            "linuxConfiguration": {"ssh": {"publicKeys": [key]}},
            **account,
        },
        "storageProfile": {"imageReference": image},
        "networkProfile": {
            "healthProbe": ref(f"{BALANCER}/probes/alive"),
            "networkInterfaceConfigurations": [{"name": "nic", "properties": card}],
        },
    }
    change(profile)
    policy = {"mode": "Automatic", "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": automatic}}
    return {"upgradePolicy": policy, "virtualMachineProfile": profile}
