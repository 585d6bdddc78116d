# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a squid.conf that was made by hand, and what of it is named as left out."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.acls import Request
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.rules import ALLOW, Rules
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import import hosts
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import.convert import Config, convert
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.imported import FILES, NAMES, Moved, generated
from tests.unit.rendered import PROBE_TOKEN, ROLE, squid_conf

SAMPLES = Path(__file__).parents[2] / "data/squid_conf"
NO_FILES = {"/etc/squid/conf.d/*.conf": ""}
HUB = "hub.azure-devices.net"
SITE = "site"
RunAction = Callable[..., dict[str, Any]]


class Imported:
    """One proxy, imported."""

    def __init__(self, text: str, address: str = "10.0.0.250", **files: str) -> None:
        config = Config(SITE, "squid.conf", {"squid.conf": text, **files}, address)
        found = convert([config])
        self.left_out = found.left_out
        self.wanted = found.wanted[SITE]
        children: Any = yaml.safe_load(found.inventory)["all"]["children"]
        self.proxy: dict[str, Any] = children["proxies"]["hosts"][SITE]
        groups = children["sensors"]["children"]
        self.hosts: dict[str, Any] = {}
        self.variables: dict[str, Any] = {}
        for group in groups.values():
            self.hosts |= group["hosts"]
            self.variables |= group["vars"]

    @property
    def sensors(self) -> dict[str, str]:
        """Address by name."""
        return {name: host["sensor_proxy_src"] for name, host in self.hosts.items()}

    def notes(self, word: str) -> list[str]:
        """The sentences that have a word."""
        return [line for line in self.left_out if word in line]


def imported(*lines: str, **more: Any) -> Imported:
    """Import lines, after which all is denied."""
    return Imported("\n".join([*lines, "http_access deny all", "http_port 3128", ""]), **more)


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.conf").read_text(encoding="utf-8")


def test_the_vendors_own_example() -> None:
    found = Imported(sample("vendor"), **NO_FILES)
    assert found.sensors == {"sensor1": "10.100.100.1", "sensor2": "10.100.100.2"}
    assert found.variables == {"sensor_proxy_via": SITE}
    assert found.proxy == {"ansible_host": "10.0.0.250", "squid_addresses": ["10.0.0.250"], "squid_port": 3128}
    assert found.left_out == [
        "site: lines 2-3, acl localnet src: no http_access line names it.",
        "site: line 11, http_access allow localhost manager: no sensor is carried over from it.",
        "site: lines 19-20, http_access allow sensor1, http_access allow sensor2: "
        "it also allows any endpoint; here squid_endpoints is all.",
        "site: lines 19-20, http_access allow sensor1, http_access allow sensor2: "
        "it also allows other methods; here CONNECT to port 443 is all.",
        "site: line 22, http_access allow localhost: it admits the proxy's own host, which gets no access here.",
        "site: lines 27-28, refresh_pattern: nothing is cached here.",
    ]


def test_the_documentation_shows_what_is_printed() -> None:
    page = (ROLE.parents[1] / "docs/migration.md").read_text(encoding="utf-8")
    found = convert([Config("plant-a-proxy", "squid.conf", {"squid.conf": sample("vendor"), **NO_FILES})])
    for text in (found.inventory, "\n".join(found.left_out)):
        assert "\n".join(f"    {line}" for line in text.splitlines()) in page


def test_two_hundred_sensors_are_let_in_by_the_rendered_configuration_and_nobody_else() -> None:
    addresses = [f"10.100.{number // 100}.{number % 100 + 1}" for number in range(200)]
    acls = [f"acl Sensor{number} src {address}" for number, address in enumerate(addresses)]
    rules = [f"http_access allow Sensor{number}" for number in range(200)]
    found = imported(*acls, *rules)
    assert list(found.sensors.values()) == addresses
    rendered = Rules(squid_conf(found.hosts, squid_addresses=found.proxy["squid_addresses"]))
    assert {rendered.decide(Request(address, HUB)).action for address in addresses} == {ALLOW}
    strangers = ["10.100.0.0", "10.100.0.101", "10.100.1.101", "10.0.0.250", "127.0.0.1"]
    assert ALLOW not in {rendered.decide(Request(address, HUB)).action for address in strangers}


def test_of_what_grew_over_the_years_the_sensors_that_can_be_said_are_carried_over() -> None:
    found = Imported(sample("other"))
    assert found.sensors == {
        **{f"line1-{number}": f"10.100.1.{number}" for number in range(1, 5)},
        **{"range-1": "10.100.2.10", "range-2": "10.100.2.11", "range-3": "10.100.2.13"},
        **{f"small-{number + 1}": f"10.100.3.{number}" for number in range(4)},
        "engineer": "10.104.7.7",
    }
    assert found.proxy["squid_endpoints"] == ["*.azure-devices.net", "download.microsoft.com"]
    assert found.proxy["squid_parents"] == [
        {"host": "10.101.0.80", "port": 443, "username": "plant", "password": "{{ vault_site_10_101_0_80_password }}"}
    ]
    assert (found.proxy["squid_addresses"], found.proxy["squid_port"]) == (["10.101.0.11"], 3128)
    assert "squid_auth_enabled" not in found.proxy


def test_whatever_is_not_carried_over_is_named_with_its_line() -> None:
    text = sample("other")
    told = "\n".join(Imported(text).left_out)
    lines = text.splitlines()
    named = {number for each in re.findall(r"lines? ([0-9, -]+)", told) for number in _numbers(each)}
    kept = [line for number, line in enumerate(lines, 1) if number not in named and line and line[0] not in "# "]
    assert kept == [
        "http_port 10.101.0.11:3128",
        "acl Safe_ports port 80 443 8443",
        "acl tls port 443",
        "acl sites dstdomain .azure-devices.net download.microsoft.com",
        "acl scanner dstdomain .azure-devices.net",
        "acl line1 src 10.100.1.1 10.100.1.2 \\",
        "acl line1 src 10.100.1.4/32",
        "acl small src 10.100.3.0/255.255.255.252",
        "acl plant src 10.104.0.0/16",
        "acl engineer src 10.104.7.7",
        "acl signed proxy_auth REQUIRED",
        "http_access deny printer",
        "http_access deny !Safe_ports",
        "http_access allow LINE1 CONNECT tls sites",
        "http_access allow small CONNECT sites tls",
        "http_access deny all",
    ]


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in filter(None, re.split(r"[, ]+", text)):
        low, _dash, high = part.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


def test_no_secret_is_shown() -> None:
    config = Config(SITE, "squid.conf", {"squid.conf": sample("other")})
    found = convert([config])
    shown = found.inventory + "\n".join(found.left_out)
    assert sample("other").count("kX9") == 5
    assert "kX9" not in shown
    assert "hunter" not in "".join(imported("login=plant:hunter1 x", "hunter2", "hunter3 x").left_out)


def test_the_default_endpoints_are_the_roles() -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))
    assert list(hosts.DEFAULT_ENDPOINTS) == defaults["squid_endpoints"]


SENSOR = "acl sensor1 src 10.0.0.1"
ALLOWED = "http_access allow sensor1"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["acl sensor1 src \\", "  10.0.0.1", ALLOWED], id="continued"),
        pytest.param(["acl sensor1 \\", "# why", "", "src 10.0.0.1", ALLOWED], id="continued past a comment"),
        pytest.param(["\t acl SENSOR1 src 10.0.0.1\r", "http_access allow Sensor1 # yes\r"], id="case and blanks"),
        pytest.param(["acl sensor1 src 10.0.0.1/255.255.255.255", ALLOWED], id="mask"),
        pytest.param(["acl sensor1 src ::ffff:10.0.0.1", ALLOWED], id="IPv4 in IPv6"),
        pytest.param([SENSOR, ALLOWED, "http_access deny sensor1"], id="the first line decides"),
        pytest.param([SENSOR, "acl other src 10.0.0.2", "http_access deny other", ALLOWED], id="another is denied"),
        pytest.param([SENSOR, "acl two src 10.0.0.1-10.0.0.2", "http_access deny two !sensor1", ALLOWED], id="negated"),
        pytest.param([SENSOR, "acl m method CONNECT", "acl p port 400-500", f"{ALLOWED} m p"], id="method and port"),
        pytest.param([SENSOR, "http_access deny to_localhost", "http_access deny manager", ALLOWED], id="stock lines"),
        pytest.param([SENSOR, "http_access deny !sensor1", "http_access allow all"], id="all that are left"),
    ],
)
def test_ways_to_let_in_one_address(lines: list[str]) -> None:
    assert imported(*lines).sensors == {"sensor1": "10.0.0.1"}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            [SENSOR, "http_access deny sensor1", ALLOWED],
            "line 3, http_access allow sensor1: no sensor is carried over from",
        ),
        (
            [SENSOR, f"{ALLOWED} manager"],
            "line 2, http_access allow sensor1 manager: no sensor is carried over from it",
        ),
        ([SENSOR, "acl GET method GET", f"{ALLOWED} GET"], "acl sensor1 src: nothing lets it CONNECT to port 443"),
        ([SENSOR, "acl web port 80", f"{ALLOWED} web"], "acl sensor1 src: nothing lets it CONNECT to port 443"),
        ([SENSOR, "acl re url_regex hub", "http_access deny re", ALLOWED], "acl sensor1 src: line 3 may refuse it"),
        ([SENSOR, "acl re url_regex hub", f"{ALLOWED} re"], "what only this line allows is not certain"),
        (
            [SENSOR, "http_access deny nobody", ALLOWED],
            "nobody is not defined; what it may refuse is not certain",
        ),
        ([SENSOR, "include /etc/squid/x.conf", ALLOWED], "line 2, include: no such file was given"),
        (
            [SENSOR, ALLOWED, "include /etc/squid/x.conf"],
            "line 1, acl sensor1 src: line 3 may refuse it, so it is in the group site_uncertain, which admits nobody",
        ),
        ([SENSOR, "if true", "http_access deny all", "endif", ALLOWED], "line 2, if: what is in a conditional part"),
        ([SENSOR, "miss_access deny all", ALLOWED], "line 2, miss_access: it is not read, and may refuse"),
        (
            ["acl manager url_regex .", SENSOR, "http_access deny manager", ALLOWED],
            "line 1, acl manager url_regex: the same",
        ),
        (
            ["acl to_localhost dst 203.0.113.0/24", SENSOR, "http_access deny to_localhost", ALLOWED],
            "line 1, acl to_localhost",
        ),
        (["acl a src 10.0.0.0/0.0.0.255", "http_access allow a"], "'10.0.0.0/0.0.0.255' is neither an address"),
        (["acl a src 10.0.0.9-10.0.0.1", "http_access allow a"], "'10.0.0.9-10.0.0.1' is neither an address"),
        (["acl a src ::/0", "http_access allow a"], "'::/0' is neither an address"),
        (["acl a src 10.0.0.0/24", "http_access allow a"], "it admits 10.0.0.0-10.0.0.255; a network of more than 64"),
        (
            ["http_access allow CONNECT"],
            "line 1, http_access allow CONNECT: it admits every IPv4 address (but 127.0.0.1), every IPv6",
        ),
        (
            ["acl a src 127.0.0.1", "http_access allow a"],
            "acl a src: it is not the address of one host outside of this one",
        ),
        (["acl a src 10.0.0.250", "http_access allow a"], "its own address 10.0.0.250 is let in, which is no sensor"),
        ([SENSOR, "acl a dstdomain intranet", f"{ALLOWED} a"], "it may reach nothing that squid_endpoints can name"),
        ([SENSOR, "acl a dstdomain .x.example *.y", f"{ALLOWED} !a"], "'*.y' is neither a host name nor a domain"),
        ([SENSOR, "http_access allow"], "line 2, http_access allow: it has no allow or deny, or no ACL"),
        (['acl a src "/etc/squid/a.txt"', "http_access allow a"], "'10.0.0.1 10.0.0.2' is neither an address"),
        (
            ["acl a src 10.0.0.2 10.0.0.0/30", "acl b src 10.0.0.1", "http_access deny a", "http_access allow b"],
            "line 1, acl a src: 10.0.0.0-10.0.0.3 overlaps a value before it; Squid 5 and 6 leave it out, 7 does not",
        ),
        (["acl a SRC 10.0.0.1", "http_access allow a"], "line 1, acl a SRC: ACLs of this type are not carried over"),
        (["acl", "acl a"], "lines 1-2, acl, acl a: it has no name or no type"),
        (
            ["login=plant:pass word", "hunter2"],
            "line 2, which begins with no directive: the role has no setting for it",
        ),
        ([SENSOR, "acl a proxy_auth Bob", f"{ALLOWED} a"], "it names users, as none of whom a sensor may sign in here"),
    ],
)
def test_what_cannot_be_said_lets_in_nobody_and_is_named(lines: list[str], sentence: str) -> None:
    found = imported(*lines, **{"/etc/squid/a.txt": "10.0.0.1 10.0.0.2\n"})
    assert found.sensors == {}
    assert any(sentence in line for line in found.left_out), found.left_out
    assert all(line.startswith("site: ") and line.endswith(".") for line in found.left_out)
    assert found.left_out[-1] == "site: no source is carried over, so the inventory has no sensor."


def test_without_a_last_denial_the_opposite_of_the_last_line_counts() -> None:
    text = "acl a src 10.0.0.1\nacl b src 10.0.0.2\nacl c src 10.0.0.3\nhttp_access allow b\nhttp_access deny a\n"
    found = Imported(text + "http_access deny c b\n")
    assert found.sensors == {"b": "10.0.0.2", "c": "10.0.0.3"}
    assert found.notes("the last one's opposite counts: it admits every IPv4 address (but 10.0.0.1, 127.0.0.1), every")


def test_a_line_that_the_end_of_the_file_cuts_is_dropped() -> None:
    text = f"{SENSOR}\nacl b src 10.0.0.2\n{ALLOWED}\nhttp_access allow b \\"
    assert Imported(text).sensors == {"sensor1": "10.0.0.1"}


def test_a_list_of_endpoints_is_one_for_all() -> None:
    found = imported(
        "acl most src 10.0.0.1 10.0.0.2",
        "acl more src 10.0.0.3",
        "acl less src 10.0.0.4",
        "acl hubs dstdomain .A.example b.example",
        "acl shop dstdomain c.example",
        "acl a dstdomain x.a.example",
        "http_access allow more shop",
        "http_access allow most hubs",
        "http_access allow more hubs",
        "http_access allow less a",
    )
    assert found.sensors == {"most-1": "10.0.0.1", "most-2": "10.0.0.2", "more": "10.0.0.3"}
    assert found.proxy["squid_endpoints"] == ["*.a.example", "b.example"]
    assert found.notes("line 7, http_access allow more shop: it also allows c.example; here squid_endpoints is all")
    assert found.notes("line 3, acl less src: it may not reach all of squid_endpoints")


def test_a_domain_with_a_host_that_is_refused_is_named_by_the_hosts_that_are_not() -> None:
    found = imported(
        SENSOR,
        "acl hubs dstdomain .a.example",
        "acl one dstdomain x.a.example",
        "acl bad dstdomain y.a.example",
        "http_access deny bad",
        f"{ALLOWED} one",
        f"{ALLOWED} hubs",
    )
    assert found.proxy["squid_endpoints"] == ["*.x.a.example", "a.example"]
    assert found.notes(
        "line 7, http_access allow sensor1 hubs: it also allows names below a.example, names below y.a.example; here squid_endpoints is all"
    )


def test_default_endpoints_that_are_refused_are_no_endpoints() -> None:
    found = imported(SENSOR, "acl bad dstdomain .windows.net", "http_access deny bad", ALLOWED)
    assert found.proxy["squid_endpoints"] == ["*.azure-devices.net", "download.microsoft.com"]


def test_signing_in() -> None:
    auth = "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/users"
    found = imported(auth, SENSOR, "acl user proxy_auth REQUIRED", "http_access deny !user", ALLOWED)
    assert found.sensors == {"sensor1": "10.0.0.1"}
    assert found.proxy["squid_auth_enabled"] is True
    assert found.variables == {
        "sensor_proxy_via": SITE,
        "sensor_proxy_username": "{{ vault_site_sensors_username }}",
        "sensor_proxy_password": "{{ vault_site_sensors_password }}",
    }
    assert found.notes("line 1, auth_param: its users are not known here")


def test_one_that_signs_in_among_others_that_do_not() -> None:
    lines = ["auth_param basic program x", SENSOR, "acl b src 10.0.0.2", "acl user proxy_auth REQUIRED"]
    found = imported(*lines, ALLOWED, "http_access allow b user")
    assert found.sensors == {"sensor1": "10.0.0.1"}
    assert found.notes("line 3, acl b src: it must sign in, and most others need not")


def test_who_is_asked_for_a_user_before_its_line_must_sign_in() -> None:
    lines = ["auth_param basic program x", SENSOR, "acl b src 10.0.0.2", "acl user proxy_auth REQUIRED"]
    found = imported(*lines, "http_access allow user b", ALLOWED)
    assert found.proxy["squid_auth_enabled"] is True
    assert set(found.sensors.values()) == {"10.0.0.1", "10.0.0.2"}


def test_included_files_are_read_in_their_place_and_named() -> None:
    found = imported(
        "include /etc/squid/conf.d/*.conf",
        'acl more src "/etc/squid/more.txt"',
        "http_access allow more",
        **{
            "/etc/squid/conf.d/b.conf": "http_access deny bad\nworkers 2\n",
            "/etc/squid/conf.d/a.conf": "acl bad src 10.0.0.2\n",
            "/etc/squid/more.txt": "# two\n10.0.0.1\n10.0.0.2 # refused\n",
        },
    )
    assert found.sensors == {"more": "10.0.0.1"}
    assert found.wanted == []
    assert found.notes("site: /etc/squid/conf.d/b.conf line 2, workers: set squid_workers.")


def test_files_that_are_missing_are_wanted() -> None:
    found = imported(
        "include /a/*.conf /b.conf", 'acl a src "/c d.txt"', "include /e.conf", **{"/e.conf": "include /e.conf"}
    )
    assert found.wanted == ["/a/*.conf", "/b.conf", "/c d.txt"]
    assert found.notes("/e.conf line 1, include: no such file was given")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["http_port 8080"], {"squid_port": 8080, "squid_addresses": ["10.0.0.250"]}),
        (
            ["http_port 10.0.0.5:3128", "http_port 127.0.0.1:3128", "http_port [2001:db8::5]:3128 name=v6"],
            {"squid_addresses": ["10.0.0.5", "2001:db8::5"], "squid_port": 3128},
        ),
        (
            ["http_port 10.0.0.5:3128", "http_port 0.0.0.0:3128"],
            {"squid_addresses": ["10.0.0.250"], "squid_port": 3128},
        ),
    ],
)
def test_where_it_listens(lines: list[str], expected: dict[str, Any]) -> None:
    proxy = Imported("\n".join(lines)).proxy
    assert {name: proxy[name] for name in expected} == expected
    bound = [line.split()[1].rpartition(":")[0].strip("[]") for line in lines]
    assert proxy.get("squid_listen_addresses", []) == ([] if {"", "0.0.0.0"} & set(bound) else bound)


PARENT = "cache_peer proxy.corp.example parent 8080 0"


@pytest.mark.parametrize(
    ("lines", "parents"),
    [
        ([f"{PARENT} no-query no-digest"], [{"host": "proxy.corp.example", "port": 8080}]),
        (
            [f"{PARENT} default", "cache_peer 192.0.2.9 parent 3128 0"],
            [{"host": "192.0.2.9", "port": 3128}, {"host": "proxy.corp.example", "port": 8080}],
        ),
        ([f"{PARENT} weight=2", PARENT], [{"host": "proxy.corp.example", "port": 8080}]),
        (
            [f"{PARENT} ssl sslcafile=/etc/squid/ca.pem ssldomain=corp login=o%74:a%20b"],
            [
                {
                    **{"host": "proxy.corp.example", "port": 8080, "username": "ot"},
                    "password": "{{ vault_site_proxy_corp_example_password }}",
                    **{"tls": True, "tls_ca": "/etc/squid/ca.pem", "tls_name": "corp"},
                }
            ],
        ),
        ([f"{PARENT} login=PASS tls-cafile=x"], [{"host": "proxy.corp.example", "port": 8080, "tls": True}]),
        (
            [f"{PARENT} login=CORP%5Csvc%20ot:a%20b"],
            [
                {
                    **{"host": "proxy.corp.example", "port": 8080, "username": "CORP\\svc ot"},
                    "password": "{{ vault_site_proxy_corp_example_password }}",
                }
            ],
        ),
        ([f"{PARENT} login={{{{x}}}}:y"], [{"host": "proxy.corp.example", "port": 8080}]),
    ],
)
def test_parents(lines: list[str], parents: list[Any]) -> None:
    found = imported(*lines, "never_direct allow all")
    assert found.proxy["squid_parents"] == parents
    assert "{{x" not in "".join(found.left_out)


@pytest.mark.parametrize(
    "peer",
    [
        "cache_peer",
        "cache_peer a",
        "cache_peer a parent x 0",
        "cache_peer http://a parent 80 0",
        "cache_peer a sibling 1 1",
    ],
)
def test_a_proxy_whose_only_parent_is_not_carried_over_does_not_go_directly(peer: str) -> None:
    found = imported(peer, "never_direct allow all")
    assert found.proxy["squid_parents"] == "{{ site_parents }}"
    assert found.notes("so name the parents in squid_parents")
    assert found.notes("line 1, cache_peer: ")


def test_a_chain_is_one_inventory() -> None:
    site = (
        f"{SENSOR}\n{ALLOWED}\nhttp_port 10.0.0.250:3128\ncache_peer 10.1.0.250 parent 3128 0\nnever_direct allow all\n"
    )
    dmz = "acl plant src 10.1.0.1\nacl sensor1 src 10.1.0.7\nhttp_access allow plant\nhttp_access allow sensor1\nhttp_port 3128\n"
    found = convert(
        [
            Config("site", "a", {"a": site + "http_access deny all\n"}, "10.1.0.1"),
            Config("dmz", "a", {"a": dmz + "http_access deny all\n"}, "10.1.0.250"),
        ]
    )
    children = yaml.safe_load(found.inventory)["all"]["children"]
    proxies = children["proxies"]["hosts"]
    sensors = {
        name: {**host, **group["vars"]}
        for group in children["sensors"]["children"].values()
        for name, host in group["hosts"].items()
    }
    assert proxies["site"]["squid_parents"] == ["dmz"]
    graph = topology.derive({**proxies, **sensors}, list(proxies), list(sensors))
    assert graph["mistakes"] == []
    clients = {client["name"]: client["addresses"] for client in graph["proxies"]["dmz"]["clients"]}
    assert clients == {"site": ["10.1.0.1"], "dmz-sensor1": ["10.1.0.7"]}
    assert graph["sensors"]["sensor1"]["path"] == ["site", "dmz"]


def test_a_parent_that_knows_the_child_by_an_unknown_address_is_not_named() -> None:
    dmz = "acl plant src 10.1.0.2\nhttp_access allow plant\nhttp_access deny all\nhttp_port 3128\n"
    for host in ("10.1.0.250", "dmz"):
        site = f"http_port 10.0.0.250:3128\ncache_peer {host} parent 3128 0\nhttp_access deny all\n"
        found = convert([Config("site", "a", {"a": site}, "10.1.0.1"), Config("dmz", "a", {"a": dmz}, "10.1.0.250")])
        children = yaml.safe_load(found.inventory)["all"]["children"]
        # By its address it would be dmz, too, which would then let site in.
        assert children["proxies"]["hosts"]["site"]["squid_parents"] == "{{ site_parents }}"
        assert children["sensors"]["children"]["dmz_sensors"]["hosts"] == {"plant": {"sensor_proxy_src": "10.1.0.2"}}
        assert any("it is dmz, which lets in none of the known addresses of site" in line for line in found.left_out)


@pytest.mark.parametrize(
    ("acls", "names"),
    [
        (["all-ok", "Sensors", "proxies"], ["all-ok", "site-sensors", "site-proxies"]),
        (["a/b", "a:b"], ["a_b", "site-a_b"]),
        (["endpoints", "to_localhost2", "site_sensors"], ["site-endpoints", "to_localhost2", "site-site_sensors"]),
        (["x" * 80, "x" * 81], ["x" * 62, "site-" + "x" * 57]),
        (["--", "ü", "_"], ["sensor", "site-sensor", "site-sensor_2"]),
    ],
)
def test_names_of_hosts(acls: list[str], names: list[str]) -> None:
    lines = [
        line
        for number, name in enumerate(acls)
        for line in (f"acl {name} src 10.0.0.{number}", f"http_access allow {name}")
    ]
    found = imported(*lines)
    assert list(found.sensors) == names
    graph = topology.derive({SITE: found.proxy, **found.hosts}, [SITE], list(found.hosts))
    assert graph["mistakes"] == []


def test_what_the_role_itself_writes_gives_the_same_sensors() -> None:
    sensors = {f"sensor{number}": {"sensor_proxy_src": f"10.0.0.{number}"} for number in range(1, 4)}
    parents = [{"host": "proxy.corp.example", "port": 8080}]
    endpoints = ["*.example.net", "hub.example.org"]
    text = squid_conf(sensors, squid_endpoints=endpoints, squid_parents=parents, squid_port=3129)
    found = Imported(text)
    assert found.hosts == sensors
    assert found.proxy["squid_endpoints"] == endpoints
    assert (found.proxy["squid_parents"], found.proxy["squid_port"]) == (parents, 3129)
    assert PROBE_TOKEN in text
    assert PROBE_TOKEN not in "".join(found.left_out)


# Text of a type of its own, as Ansible's is, which even str() does not make plain.
Tagged = type("Tagged", (str,), {"__slots__": (), "__str__": lambda self: self})


def _config(content: bytes) -> dict[str, Any]:
    return {
        "name": Tagged(SITE),
        "path": Tagged("squid.conf"),
        "address": Tagged("10.0.0.250"),
        "files": {Tagged("squid.conf"): Tagged(base64.b64encode(content).decode())},
    }


def test_the_module_takes_any_bytes_and_ansibles_own_text(run_action: RunAction) -> None:
    odd = [_config(b"# \xff\nacl s\xfc src 10.0.0.0/31\nhttp_access allow s\xfc\n")]
    found = run_action("squid_import", {"configs": odd, "limit": Tagged("2")})
    assert "            s-1: {sensor_proxy_src: 10.0.0.0}" in found["inventory"]
    assert found["wanted"] == {SITE: []}
    given = {"configs": [_config(b"acl s src 10.0.0.0/31\nhttp_access allow s\n")], "limit": 1}
    assert run_action("squid_import", given)["left_out"][0] == (
        "site: line 2, http_access allow s: it admits 10.0.0.0-10.0.0.1; a network of more than 1 addresses gets no hosts, so "
        "enter the sensors in it by hand, in the group site_sensors."
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            {"configs": [{"name": SITE, "path": "squid.conf", "files": {"squid.conf": "a"}}]},
            "squid.conf is not in Base64",
        ),
        ({"configs": [{"name": SITE}]}, "'path'"),
        ({"configs": [], "limit": "many"}, "many"),
    ],
)
def test_the_module_refuses_what_is_not_documented(run_action: RunAction, given: dict[str, Any], why: str) -> None:
    found = run_action("squid_import", given)
    assert found["failed"]
    assert why in found["msg"]


@pytest.mark.parametrize("text", [*map(sample, NAMES), *map(generated, range(40))])
def test_nobody_gets_in_by_what_is_printed_or_done_after_it_and_whoever_lost_something_is_listed(text: str) -> None:
    """The same is asked of Squid itself in molecule/default/tests/test_import.py, which shows that our reading is its own."""
    moved = Moved(text)
    questions = moved.questions(most=40)
    for follow in (False, True):
        after = Rules(moved.rendered(questions, follow))
        for source, host, user in questions:
            before = moved.expected((source, host, user))
            if after.decide(Request(source, host, 443, user)).action == ALLOW:
                assert before is True, (source, host, user)
            elif before is not False and follow:
                assert moved.is_listed((source, host, user)), (source, host, user)


def test_a_network_with_a_password_keeps_the_sign_in() -> None:
    found = Imported(sample("authenticated"))
    assert found.sensors == {}
    assert found.proxy["squid_auth_enabled"] is True
    assert found.proxy["squid_endpoints"] == ["*.azure-devices.net", "*.example.com"]
    assert found.variables["sensor_proxy_username"] == "{{ vault_site_sensors_username }}"
    assert found.notes("it admits 10.100.4.0-10.100.4.255; a network of more than 64 addresses gets no hosts, so enter")


def test_a_network_keeps_the_names_that_it_may_reach() -> None:
    found = Imported(sample("whitelist"), **FILES)
    assert found.proxy["squid_endpoints"] == ["*.azure-devices.net", "download.microsoft.com", "update.vendor.example"]
    assert found.notes("it admits 0.0.0.1-0.255.255.255, 10.0.0.0-10.255.255.255, 100.64.0.0-100.127.255.255, ")


def test_whoever_has_a_password_from_wherever() -> None:
    found = Imported(sample("password"))
    assert found.proxy["squid_auth_enabled"] is True
    assert found.notes("line 9, http_access allow password: it admits every IPv4 address (but 127.0.0.1), every IPv6")
    assert found.notes("line 8, http_access allow admin: it wants no user")


def test_two_hundred_sensors_without_a_password_beside_whoever_has_one() -> None:
    found = imported(
        "auth_param basic program x",
        "acl s src 10.0.0.1-10.0.0.60",
        "acl t src 10.0.1.1-10.0.1.60",
        "acl user proxy_auth REQUIRED",
        "http_access allow s",
        "http_access allow t",
        "http_access allow user",
    )
    assert len(found.sensors) == 120
    assert "squid_auth_enabled" not in found.proxy
    assert found.notes("line 7, http_access allow user: it admits every IPv4 address")
    assert found.notes("gets no hosts; it must sign in, and most others need not")


def test_a_user_by_his_name() -> None:
    found = Imported(sample("users"))
    assert list(found.sensors.values()) == ["10.100.5.1", "10.100.5.2", "10.100.5.3"]
    assert found.variables["sensor_proxy_username"] == "plant"
    assert found.notes("line 6, acl desk src: it must sign in as another user than most others")


def test_what_a_log_says_are_the_sensors_of_a_network() -> None:
    lines = [
        "1764000000.123 200 10.100.4.7 TCP_TUNNEL/200 5000 CONNECT hub.azure-devices.net:443 plant HIER_DIRECT/192.0.2.8 -",
        '10.100.4.9 - - [01/Jan/2026:00:00:00 +0000] "CONNECT hub.azure-devices.net:443 HTTP/1.1" 200 50 "-" "-" TCP_TUNNEL:X',
        "1764000000.123 200 10.100.4.8 TCP_DENIED/403 5000 CONNECT hub.azure-devices.net:443 - HIER_NONE/- -",
        "1764000000.123 200 10.100.4.10 TCP_TUNNEL/200 5000 CONNECT elsewhere.example.net:443 - HIER_DIRECT/192.0.2.8 -",
        "1764000000.123 200 10.100.4.11 TCP_MISS/200 5000 GET http://hub.azure-devices.net/ - HIER_DIRECT/192.0.2.8 -",
        "1764000000.123 200 10.109.0.1 TCP_TUNNEL/200 5000 CONNECT hub.azure-devices.net:443 - HIER_DIRECT/192.0.2.8 -",
        "\x00 CONNECT",
    ]
    config = Config(SITE, "c", {"c": sample("authenticated")}, "192.0.2.1", "\n".join(lines))
    groups = yaml.safe_load(convert([config]).inventory)["all"]["children"]["sensors"]["children"]
    assert groups["site_sensors"]["hosts"] == {
        "localnet-1": {"sensor_proxy_src": "10.100.4.7"},
        "localnet-2": {"sensor_proxy_src": "10.100.4.9"},
    }


@pytest.mark.parametrize(
    "line",
    [
        "acl x dst 10.0.0.0/8 fc00::/7\nhttp_access deny x",
        "acl x dstdom_regex ^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$\nhttp_access deny CONNECT x",
        "acl x maxconn 9\nhttp_access deny x",
        "acl x proto FTP\nhttp_access deny x",
        "acl x urlpath_regex \\.exe$\nhttp_access deny x",
        "http_port 3128\nhttp_port 3129 name=guests\nacl x myportname guests\nhttp_access deny x",
        "acl x localport 3129\nhttp_access deny x\nhttp_port 3128",
    ],
)
def test_a_line_of_hardening_that_can_be_judged_loses_nobody(line: str) -> None:
    assert imported(*line.split("\n"), SENSOR, ALLOWED).sensors == {"sensor1": "10.0.0.1"}


@pytest.mark.parametrize(
    "line",
    [
        "acl x time 08:00-17:00\nhttp_access deny x",
        "acl x browser wget\nhttp_access deny x",
        "acl x dst 203.0.113.0/24\nhttp_access deny x",
        "acl x dstdom_regex (\nhttp_access deny x",
        "include /etc/squid/x.conf",
        "follow_x_forwarded_for allow sensor1",
    ],
)
def test_whom_a_line_may_refuse_is_in_a_group_that_admits_nobody(line: str) -> None:
    text = "\n".join([SENSOR, *line.split("\n"), ALLOWED, "http_access deny all", "http_port 3128", ""])
    children = yaml.safe_load(convert([Config(SITE, "c", {"c": text})]).inventory)["all"]["children"]
    assert children["site_uncertain"] == {
        "hosts": {"sensor1": {"sensor_proxy_src": "10.0.0.1"}},
        "vars": {"sensor_proxy_via": SITE},
    }
    assert children["sensors"]["children"]["site_sensors"]["hosts"] == {}
    assert Imported(text).notes("line 1, acl sensor1 src: line ")


@pytest.mark.parametrize("regex", [r"[0-9]+\.[0-9]+", "^[0-9]|net$", "^[0-9]*$", "Facebook"])
def test_a_regular_expression_that_may_match_below_a_domain_leaves_the_names_that_it_does_not(regex: str) -> None:
    found = imported(f"acl x dstdom_regex -i {regex}", "http_access deny x", SENSOR, ALLOWED)
    assert found.sensors == {"sensor1": "10.0.0.1"}
    assert "download.microsoft.com" in found.proxy["squid_endpoints"]
    assert not any(each.startswith("*") for each in found.proxy["squid_endpoints"])
    assert found.notes("line 2, http_access deny x: whether it decides on ")


def test_a_pair_with_the_same_file_has_each_sensor_once() -> None:
    text = f"{SENSOR}\n{ALLOWED}\nhttp_access deny all\nhttp_port 3128\n"
    found = convert([Config("a", "c", {"c": text}, "10.0.0.251"), Config("b", "c", {"c": text}, "10.0.0.252")])
    groups = yaml.safe_load(found.inventory)["all"]["children"]["sensors"]["children"]
    assert {name: list(group["hosts"]) for name, group in groups.items()} == {"a_sensors": ["sensor1"]}
    assert any(line.startswith("b: the sensors are those of a, and a sensor has one proxy") for line in found.left_out)


VRRP = """vrrp_instance plant {
  authentication { auth_type PASS
    auth_pass hunter2 }
  virtual_ipaddress {
    10.0.0.250/24 dev eth0  # ours
    ! 10.0.0.249/24
  }
}
"""


def test_a_pair_behind_a_shared_address_stays_one() -> None:
    """Two members made by hand with keepalived, and a child whose parent is the address that they share."""
    text = (
        f"{SENSOR}\nacl child src 10.0.0.31\n{ALLOWED}\nhttp_access allow child\nhttp_access deny all\nhttp_port 3128\n"
    )
    child = (
        "acl deep src 10.9.0.1\ncache_peer 10.0.0.250 parent 3128 0\nnever_direct allow all\nhttp_access allow deep\n"
    )
    child += "http_access deny all\nhttp_port 3128\n"
    members = [
        Config(name, "c", {"c": text, "/etc/keepalived/keepalived.conf": VRRP}, f"10.0.0.1{place}")
        for place, name in enumerate("ab", 1)
    ]
    found = convert([Config("child", "c", {"c": child}, "10.0.0.31"), *members])
    assert "hunter2" not in found.inventory + str(found.left_out)
    children = yaml.safe_load(found.inventory)["all"]["children"]
    pair = children["proxies"]["children"]["a_pair"]
    assert pair["vars"] == {"proxy_vip_name": "a-pair", "proxy_vip_addresses": ["10.0.0.250/24"]}
    assert list(pair["hosts"]) == ["a", "b"]
    assert children["proxies"]["hosts"]["child"]["squid_parents"] == ["a-pair"]
    sensors = children["sensors"]["children"]["a_sensors"]
    assert (list(sensors["hosts"]), sensors["vars"]) == (["sensor1"], {"sensor_proxy_via": "a-pair"})
    assert list(children["sensors"]["children"]) == ["child_sensors", "a_sensors"]
    proxies = {name: {**pair["vars"], **host} for name, host in pair["hosts"].items()} | children["proxies"]["hosts"]
    assert topology.derive(proxies, list(proxies), [])["mistakes"] == []


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (
            [],
            "a: keepalived has 10.0.0.250/24, and who shares them is not among these proxies; import both in one run.",
        ),
        ([""], "a: a, b share 10.0.0.250/24 and do not let in the same."),
    ],
)
def test_what_is_no_pair_here_is_named(others: list[str], said: str) -> None:
    rest = "http_access deny all\nhttp_port 3128\n"
    texts = [f"{SENSOR}\n{ALLOWED}\n{rest}", *(f"{other}{rest}" for other in others)]
    configs = [
        Config(name, "c", {"c": text, "/etc/keepalived/keepalived.conf": VRRP}, f"10.0.0.1{name}")
        for name, text in zip("ab", texts, strict=False)
    ]
    found = convert(configs)
    assert said in found.left_out
    assert "proxy_vip" not in found.inventory


def test_a_proxy_that_is_its_own_parent() -> None:
    found = imported("cache_peer 10.0.0.250 parent 3128 0", SENSOR, ALLOWED)
    assert found.proxy["squid_parents"] == "{{ site_parents }}"
    assert found.notes("line 1, cache_peer: it is the proxy itself, so it is left out")


def test_another_service_on_the_host_of_a_proxy_is_no_proxy_of_the_inventory() -> None:
    for host in ("10.0.0.250", "10.1.0.250"):
        site = f"http_port 3128\ncache_peer {host} parent 8080 0\nhttp_access deny all\n"
        dmz = "http_port 3128\nhttp_access deny all\n"
        found = convert([Config("site", "a", {"a": site}, "10.0.0.250"), Config("dmz", "a", {"a": dmz}, "10.1.0.250")])
        proxies = yaml.safe_load(found.inventory)["all"]["children"]["proxies"]["hosts"]
        assert proxies["site"]["squid_parents"] == [{"host": host, "port": 8080}]
        graph = topology.derive(proxies, list(proxies), [])
        assert graph["mistakes"] == []
        assert graph["proxies"]["site"]["parents"][0]["kind"] == "external"


@pytest.mark.parametrize("wanted", ["deny", "deny !"])
def test_fifty_thousand_names_and_two_hundred_sensors_take_seconds(wanted: str) -> None:
    names = "\n".join(
        f".bad{number}.example.org" if number % 2 else f"x{number}.example.net" for number in range(50_000)
    )
    acls = [f"acl s{number} src 10.0.{number // 100}.{number % 100 + 1}" for number in range(200)]
    rules = [f"http_access allow s{number}" for number in range(200)]
    start = time.process_time()
    found = imported('acl named dstdomain "/names"', *acls, f"http_access {wanted}named", *rules, **{"/names": names})
    # Some 2 s; it was 130 s.
    assert time.process_time() - start < 10
    assert len(found.sensors) == 200


WORDS = st.sampled_from(
    [
        *(
            "acl",
            "http_access",
            "include",
            "http_port",
            "cache_peer",
            "never_direct",
            "auth_param",
            "if",
            "endif",
            "basic",
        ),
        *(
            "src",
            "port",
            "method",
            "dstdomain",
            "proxy_auth",
            "allow",
            "deny",
            "all",
            "!all",
            "a",
            "!a",
            "manager",
            "parent",
        ),
        *(
            "10.0.0.1",
            "10.0.0.1-",
            "/",
            "1/1",
            "::1",
            "login=a:b",
            "tls_name=",
            '"',
            '"x"',
            "\\",
            "#",
            "443",
            "-1",
            "0-99999",
        ),
        *("\n", "\n", "\n", "\r", "\x00", "{{ x }}", "ü", "." * 300),
    ]
)


@settings(deadline=None)
@given(st.text() | st.lists(WORDS | st.text(max_size=3)).map(" ".join))
def test_any_text_gives_an_inventory_and_sentences(text: str) -> None:
    found = Imported(text)
    assert set(found.proxy) <= {
        *("ansible_host", "squid_addresses", "squid_port", "squid_listen_addresses", "squid_parents"),
        *("squid_auth_enabled", "squid_endpoints"),
    }
    assert all(line.isascii() and line.isprintable() and "{" not in line for line in found.left_out)
