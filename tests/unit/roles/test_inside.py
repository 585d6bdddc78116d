"""The last hop, which looks names up, and where they may lead."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import check

from tests.unit.rendered import squid_conf


def test_the_last_hop_lets_no_name_lead_inside_but_those_that_may() -> None:
    """Microsoft's private links are names of its own domains with addresses of the customer's network."""
    private = [{"name": "*.blob.core.windows.net", "networks": ["10.60.1.0/24", "fd00:1::/64"]}]
    lines = squid_conf({}, squid_private_endpoints=private).splitlines()
    assert "acl private:1 dstdomain -n .blob.core.windows.net" in lines
    rules = [line for line in lines if line.startswith("http_access")]
    inside = ["deny proxies", "deny private:1 inside:1", "deny !private:1 inside:0"]
    assert rules[4:7] == [f"http_access {rule}" for rule in inside]
    networks = {
        line.split()[1]: list(map(ip_network, line.split()[3:])) for line in lines if line.startswith("acl inside:")
    }
    for address in (
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::",
        "::1",
        "fe80::1",
    ):
        for name, found in networks.items():
            assert any(ip_address(address) in network for network in found), (name, address)
    for address in ("10.60.1.9", "fd00:1::9"):
        assert any(ip_address(address) in network for network in networks["inside:0"])
        assert not any(ip_address(address) in network for network in networks["inside:1"])
    assert not any(ip_address("20.150.0.1") in network for network in networks["inside:0"])


def test_who_has_a_parent_looks_up_no_name() -> None:
    assert "inside" not in squid_conf({}, squid_parents=[{"host": "192.0.2.9", "port": 8080}])


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("*.example.net", "each entry is a name and a list of networks"),
        ({"name": "a.example.net"}, "each entry is a name and a list of networks"),
        ({"name": "10.0.0.1", "networks": ["10.0.0.0/8"]}, "not usable as endpoints"),
        ({"name": "a.example.net", "networks": ["10.0.0.1/8"]}, "has host bits set; give networks like 10.1.2.0/24"),
    ],
)
def test_what_may_not_lead_inside_is_a_sentence(entry: object, said: str) -> None:
    values: dict[str, object] = {"squid_endpoints_file": "", "squid_endpoints": ["a.example.net"]}
    values |= {"squid_extra_endpoints": [], "squid_probe_endpoints": []}
    with pytest.raises(ValueError, match=said):
        check.derived({**values, "squid_private_endpoints": [entry]})
