# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for Google refuses what Google refuses, or a role that passes against it proves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cloud.google.service import PROJECT, TOKEN, Service

Json = dict[str, Any]
REGION = "regions/europe-west3"
LINKS = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}"
NETWORK = f"{LINKS}/global/networks/plant"
GATEWAY = f"{LINKS}/{REGION}/targetVpnGateways/vpn"
TUNNEL = f"{LINKS}/{REGION}/vpnTunnels/vpn"
RULES = {"esp": ("ESP", None), "udp500": ("UDP", "500"), "udp4500": ("UDP", "4500-4500")}


@dataclass
class Google:
    """One session that goes the way of the real clients: through the proxy, with its CA."""

    service: Service
    environment: dict[str, str]
    folder: Path
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.proxies = {"https": self.environment["HTTPS_PROXY"]}
        self.session.verify = self.environment["REQUESTS_CA_BUNDLE"]

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN, **query: str) -> requests.Response:
        """Send one request."""
        url = f"https://compute.googleapis.com/compute/v1/projects/{PROJECT}/{path}"
        headers = {"Authorization": f"Bearer {token}"}
        return self.session.request(method, url, json=body, params=query, headers=headers, timeout=10)

    def get(self, path: str) -> Json:
        """Return what is there."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def post(self, collection: str, **body: Any) -> Json:
        """Make a resource, and return it."""
        answer = self.ask("POST", collection, body)
        assert answer.status_code == 200, answer.text
        return self.get(f"{collection}/{body['name']}")

    def refused(self, method: str, path: str, **body: Any) -> tuple[int, str]:
        """Return status and reason of what is refused."""
        answer = self.ask(method, path, body or None)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["error"]["errors"][0]["reason"]

    def log(self) -> list[Json]:
        """Return what was written down."""
        return [json.loads(line) for line in (self.folder / "requests.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """Start it and stop it."""
    folder = tmp_path_factory.mktemp("google")
    service = Service(folder)
    yield Google(service, service.start(), folder)
    service.stop()


@pytest.fixture
def google(running: Google) -> Google:
    """Return a project with a network and nothing else."""
    running.service.compute.reset()
    running.service.compute.network("plant")
    return running


@pytest.fixture
def heard(google: Google) -> Google:
    """Return one with a gateway that can be reached."""
    address = google.post(f"{REGION}/addresses", name="vpn")["address"]
    google.post(f"{REGION}/targetVpnGateways", name="vpn", network=NETWORK)
    for suffix, (protocol, ports) in RULES.items():
        rule = {"IPAddress": address, "IPProtocol": protocol, "portRange": ports, "target": GATEWAY}
        google.post(f"{REGION}/forwardingRules", name=f"vpn-{suffix}", **rule)
    return google


def tunnel(**change: Any) -> Json:
    """Return a tunnel's body."""
    sent = {"name": "vpn", "targetVpnGateway": GATEWAY, "peerIp": "192.0.2.1", "sharedSecret": "secret"}
    return {**sent, **change}


def test_a_whole_vpn(heard: Google) -> None:
    """Each part names its neighbours by their links, and the tunnel keeps its secret to itself."""
    made = heard.post(f"{REGION}/vpnTunnels", **tunnel())
    assert made["sharedSecret"].strip("*") == ""
    assert made["sharedSecretHash"]
    assert "secret" not in [value for value in made.values() if isinstance(value, str)]
    assert (made["selfLink"], made["ikeVersion"], made["remoteTrafficSelector"]) == (TUNNEL, 2, ["0.0.0.0/0"])
    route = heard.post(
        "global/routes",
        name="to",
        network=NETWORK,
        destRange="10.0.0.0/24",
        nextHopVpnTunnel=f"projects/{PROJECT}/{REGION}/vpnTunnels/vpn",
    )
    assert (route["nextHopVpnTunnel"], route["priority"]) == (TUNNEL, 1000)
    assert heard.get(f"{REGION}/forwardingRules/vpn-udp500")["portRange"] == "500-500"
    gateway = heard.get(f"{REGION}/targetVpnGateways/vpn")
    assert (gateway["tunnels"], len(gateway["forwardingRules"])) == ([TUNNEL], 3)
    assert heard.get(f"{REGION}/addresses/vpn")["status"] == "IN_USE"


def test_a_hash_says_nothing_about_the_secret(heard: Google) -> None:
    """The same secret has another one in another tunnel, so that nobody can compare."""
    first = heard.post(f"{REGION}/vpnTunnels", **tunnel())["sharedSecretHash"]
    second = heard.post(f"{REGION}/vpnTunnels", **tunnel(name="other"))["sharedSecretHash"]
    assert first != second


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sharedSecret": None}, (400, "required")),
        ({"peerIp": None}, (400, "required")),
        ({"peerIp": "azure.example"}, (400, "invalid")),
        ({"ikeVersion": 3}, (400, "invalid")),
        ({"name": "Vpn"}, (400, "invalid")),
        ({"targetVpnGateway": None}, (400, "required")),
        ({"targetVpnGateway": GATEWAY + "2"}, (404, "notFound")),
    ],
)
def test_refuses_a_tunnel(heard: Google, change: Json, expected: tuple[int, str]) -> None:
    """Without it, a role could forget any of them."""
    assert heard.refused("POST", f"{REGION}/vpnTunnels", **tunnel(**change)) == expected


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("vpnTunnels", {"peerIP": "192.0.2.1"}, "badRequest"),
        ("vpnTunnels", {"ikeVersion": "two"}, "badRequest"),
        ("vpnTunnels", {"localTrafficSelector": "0.0.0.0/0"}, "badRequest"),
        ("vpnTunnels", {"detailedStatus": "x"}, "badRequest"),
        ("vpnTunnels", {"kind": "compute#route"}, "invalid"),
        ("addresses", {"addressType": "PUBLIC"}, "invalid"),
        ("addresses", {"labels": {"a": 1}}, "badRequest"),
        ("addresses", {"name": "Vpn"}, "invalid"),
    ],
)
def test_refuses_what_google_does_not_publish(heard: Google, kind: str, change: Json, reason: str) -> None:
    """And notes it, so that no role can pass over it."""
    body = tunnel() if kind == "vpnTunnels" else {"name": "other"}
    assert heard.refused("POST", f"{REGION}/{kind}", **{**body, **change}) == (400, reason)
    assert len(heard.service.compute.violations) == 1
    heard.post(f"{REGION}/{kind}", **body)


@pytest.mark.parametrize("suffix", RULES)
def test_refuses_a_tunnel_whose_gateway_hears_nothing(heard: Google, suffix: str) -> None:
    """All three rules are needed."""
    assert heard.ask("DELETE", f"{REGION}/forwardingRules/vpn-{suffix}").status_code == 200
    assert heard.refused("POST", f"{REGION}/vpnTunnels", **tunnel()) == (400, "invalid")


def test_a_tunnel_cannot_be_changed(heard: Google) -> None:
    """It is made anew instead."""
    heard.post(f"{REGION}/vpnTunnels", **tunnel())
    for method in ("PATCH", "PUT"):
        assert heard.refused(method, f"{REGION}/vpnTunnels/vpn", sharedSecret="other")[0] == 405
    assert heard.refused("POST", f"{REGION}/vpnTunnels", **tunnel(sharedSecret="other")) == (409, "alreadyExists")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"IPAddress": "203.0.113.250"}, (400, "invalid")),
        ({"IPProtocol": "AH", "portRange": None}, (400, "invalid")),
        ({"portRange": "80"}, (400, "invalid")),
        ({"IPProtocol": "ESP"}, (400, "invalid")),
        ({"target": None}, (400, "required")),
        ({"target": GATEWAY + "2"}, (404, "notFound")),
    ],
)
def test_refuses_a_forwarding_rule(google: Google, change: Json, expected: tuple[int, str]) -> None:
    """It leads from a reserved address to a gateway, for what a VPN needs."""
    address = google.post(f"{REGION}/addresses", name="vpn")["address"]
    google.post(f"{REGION}/targetVpnGateways", name="vpn", network=NETWORK)
    rule = {"name": "rule", "IPAddress": address, "IPProtocol": "UDP", "portRange": "500", "target": GATEWAY}
    assert google.refused("POST", f"{REGION}/forwardingRules", **{**rule, **change}) == expected
    google.post(f"{REGION}/forwardingRules", **rule)


def test_refuses_a_second_rule_for_the_same(heard: Google) -> None:
    """An address serves one gateway."""
    address = heard.get(f"{REGION}/addresses/vpn")["address"]
    rule = {"name": "again", "IPAddress": address, "IPProtocol": "ESP", "target": GATEWAY}
    assert heard.refused("POST", f"{REGION}/forwardingRules", **rule) == (400, "invalid")


def test_refuses_what_leads_nowhere(google: Google) -> None:
    """A gateway without its network; a route without network, tunnel or next hop."""
    missing = {"name": "x", "network": NETWORK + "2"}
    assert google.refused("POST", f"{REGION}/targetVpnGateways", **missing) == (404, "notFound")
    assert google.refused("POST", f"{REGION}/targetVpnGateways", name="x") == (400, "required")
    route = {"name": "x", "network": NETWORK, "destRange": "10.0.0.0/24", "nextHopVpnTunnel": TUNNEL}
    assert google.refused("POST", "global/routes", **route) == (404, "notFound")
    assert google.refused("POST", "global/routes", **{**route, "destRange": "10.0.0.1/24"}) == (400, "invalid")
    assert google.refused("POST", "global/routes", **{**route, "nextHopVpnTunnel": None}) == (400, "invalid")


def test_does_not_delete_what_is_in_use(heard: Google) -> None:
    """From the outside in, each before what it uses."""
    heard.post(f"{REGION}/vpnTunnels", **tunnel())
    heard.post("global/routes", name="to", network=NETWORK, destRange="10.0.0.0/24", nextHopVpnTunnel=TUNNEL)
    rules = [f"{REGION}/forwardingRules/vpn-{suffix}" for suffix in RULES]
    parts = [f"{REGION}/{kind}/vpn" for kind in ("vpnTunnels", "targetVpnGateways", "addresses")]
    used = [*parts, "global/networks/plant"]
    for path in used:
        assert heard.refused("DELETE", path) == (400, "resourceInUseByAnotherResource"), path
    for path in ["global/routes/to", used[0], *rules, *used[1:]]:
        assert heard.ask("DELETE", path).status_code == 200, path
    assert heard.service.compute.resources() == []


def test_an_empty_list_has_no_items(google: Google) -> None:
    """Clients have to live with it, and what is not there is told apart."""
    assert "items" not in google.get("global/routes")
    assert [one["name"] for one in google.get("global/networks")["items"]] == ["plant"]
    for method in ("GET", "DELETE"):
        assert google.refused(method, "global/routes/to") == (404, "notFound")


def test_asks_who_it_is_and_for_which_project(google: Google) -> None:
    """Both before it looks at the resource."""
    assert google.ask("GET", "global/networks", token="other").status_code == 401
    assert google.ask("GET", "../other/global/networks").status_code == 403
    assert google.ask("GET", "global/networks", filter="name = plant").status_code == 400
    assert google.ask("GET", "global/vpnTunnels").status_code == 404


def test_an_operation_takes_its_time(tmp_path: Path) -> None:
    """The modules wait for it."""
    service = Service(tmp_path, seconds=60)
    google = Google(service, service.start(), tmp_path)
    operation = google.ask("POST", f"{REGION}/addresses", {"name": "vpn"}).json()
    assert (operation["status"], operation["targetLink"]) == ("RUNNING", f"{LINKS}/{REGION}/addresses/vpn")
    assert google.get(f"{REGION}/operations/{operation['name']}")["status"] == "RUNNING"
    service.stop()


def test_writes_down_what_it_was_sent(heard: Google) -> None:
    """With the secret, since that is what tests ask for."""
    heard.post(f"{REGION}/vpnTunnels", **tunnel())
    sent = heard.log()[-2]
    assert (sent["method"], sent["path"].rpartition("/")[2], sent["status"]) == ("POST", "vpnTunnels", 200)
    assert sent["body"]["sharedSecret"] == "secret"
    heard.ask("DELETE", f"{REGION}/targetVpnGateways/vpn")
    assert "already being used" in heard.log()[-1]["error"]
