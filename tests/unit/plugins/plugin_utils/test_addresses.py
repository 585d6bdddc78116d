# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import re

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.addresses import (
    IPAddress,
    parse_address,
    shared_network,
)
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.inventory import source_problem
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("given_text", "text", "network"),
    [
        ("10.0.0.5", "10.0.0.5", None),
        ("10.0.0.5/24", "10.0.0.5", "10.0.0.0/24"),
        ("10.0.0.5/255.255.255.0", "10.0.0.5", "10.0.0.0/24"),
        ("2001:DB8:0::5", "2001:db8::5", None),
        ("2001:db8::5/64", "2001:db8::5", "2001:db8::/64"),
        ("::ffff:10.0.0.5", "10.0.0.5", None),
        ("::ffff:10.0.0.5/120", "10.0.0.5", "10.0.0.0/24"),
    ],
)
def test_ip_addresses(given_text: str, text: str, network: str | None) -> None:
    address = parse_address(given_text)
    assert address.text == text
    assert address.ip == ipaddress.ip_address(text)
    assert address.network == (ipaddress.ip_network(network) if network else None)


@pytest.mark.parametrize(
    "name", ["proxy", "proxy.corp.example", "proxy.corp.example.", "10.0.0.x", "a" * 63 + ".example"]
)
def test_host_names(name: str) -> None:
    address = parse_address(name)
    assert (address.text, address.ip, address.network) == (name, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "10.0.0.256",
        "10.0.0",
        "10.0.0.1.2",
        "10.0.0.1/33",
        "10.0.0.1 ",
        "2001:db8::1/129",
        "2001:db8::g",
        "::ffff:10.0.0.5/64",
        "fe80::1%eth0",
        "[2001:db8::1]",
        "10.0.0.1:3128",
        "-proxy",
        "proxy-.example",
        "proxy..example",
        "proxy example",
        "proxy\nexample",
        "proxy\n",
        "proxy#",
        "süd.example",
        "a" * 64,
        "a." * 127,
    ],
)
def test_neither_address_nor_host_name(text: str) -> None:
    with pytest.raises(ValueError, match="neither an IP address nor a host name"):
        parse_address(text)


@pytest.mark.parametrize("value", [None, True, False])
def test_an_empty_or_boolean_value_is_no_host_name(value: object) -> None:
    with pytest.raises(ValueError, match="neither an IP address nor a host name"):
        parse_address(value)


@given(st.text() | st.builds("fe80::1%{}".format, st.text(min_size=1)))
def test_any_text_is_refused_or_safe_on_a_line_of_squid_conf(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert re.fullmatch(r"[A-Za-z0-9.:%_-]+", address.text)


@given(st.ip_addresses())
def test_every_ip_address_is_read_as_itself(ip: IPAddress) -> None:
    """But one of IPv4 that is mapped into IPv6: the former is what Squid sees."""
    assert parse_address(str(ip)).ip == (getattr(ip, "ipv4_mapped", None) or ip)


@pytest.mark.parametrize(
    ("mine", "theirs", "pair"),
    [
        pytest.param(["10.1.0.5"], ["10.0.0.1/24", "10.1.0.1/24"], ("10.1.0.5", "10.1.0.1"), id="by their prefix"),
        pytest.param(["10.1.0.5/24"], ["10.0.0.1", "10.1.0.1"], ("10.1.0.5", "10.1.0.1"), id="by my prefix"),
        pytest.param(
            ["2001:db8:1::5"], ["10.1.0.1/24", "2001:db8:1::1/64"], ("2001:db8:1::5", "2001:db8:1::1"), id="ipv6"
        ),
        pytest.param(
            ["10.2.0.5", "10.1.0.5"], ["10.1.0.1/24", "10.2.0.1/24"], ("10.1.0.5", "10.1.0.1"), id="their preference"
        ),
        pytest.param(["10.1.0.5", "10.1.0.6"], ["10.1.0.1/24"], ("10.1.0.5", "10.1.0.1"), id="my preference"),
        pytest.param(["10.1.0.5"], ["10.1.0.1"], None, id="no prefix"),
        pytest.param(["10.1.0.5"], ["10.2.0.1/24"], None, id="other network"),
        pytest.param(["2001:db8::5/64"], ["10.0.0.1/24"], None, id="other family"),
        pytest.param(["sensor.example"], ["10.0.0.1/24"], None, id="host name"),
        pytest.param([], ["10.0.0.1/24"], None, id="nothing"),
    ],
)
def test_shared_network(mine: list[str], theirs: list[str], pair: tuple[str, str] | None) -> None:
    found = shared_network([parse_address(text) for text in mine], [parse_address(text) for text in theirs])
    assert (found and (found[0].text, found[1].text)) == pair


@pytest.mark.parametrize("text", ["10.0.0.5", "10.0.0.5/24", "10.0.0.0/31", "2001:db8::5", "2001:db8::5/64", "fe80::5"])
def test_addresses_that_traffic_may_have(text: str) -> None:
    assert source_problem(parse_address(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "sensor.example",
        "0.0.0.0",
        "::",
        "127.0.0.1",
        "::1",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "10.0.0.0/24",
        "10.0.0.255/24",
    ],
)
def test_addresses_that_traffic_cannot_have(text: str) -> None:
    assert source_problem(parse_address(text))
