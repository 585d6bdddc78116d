# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a variable holds, it is refused in a sentence or stays the one word of squid.conf that it was to be."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments, check
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.rendered import PROXY, of_graph

Json = dict[str, Any]

# Each part of the template is in use, so that each value reaches it that can.
PARENT = {
    "host": "dmz.corp.example",
    "port": 8080,
    "username": "up",
    "password": "secret",
    "tls": True,
    "tls_ca": "/etc/ssl/ca.pem",
    "tls_name": "dmz.corp.example",
}
SITE: Json = {
    "squid_addresses": ["192.0.2.250/24"],
    "squid_listen_addresses": ["192.0.2.250"],
    "squid_src": ["198.51.100.250"],
    "squid_parents": [PARENT, {"host": "10.9.9.9", "port": 3128}],
    "squid_tls_port": 3129,
    "squid_tls_certificate": "/etc/squid/a.pem",
    "squid_tls_private_key": "/etc/squid/a.key",
    "squid_auth_enabled": True,
    "squid_endpoints": ["hub.example.net"],
    "squid_extra_endpoints": ["other.example.net"],
    "squid_probe_endpoints": ["hub.example.net"],
    "squid_remote_syslog_host": "192.0.2.9",
}
SENSOR: Json = {
    "sensor_proxy_via": PROXY,
    "sensor_proxy_src": ["192.0.2.1"],
    "sensor_proxy_username": "plant",
    "sensor_proxy_password": "secret",
}
EVIL = [
    *("\n", "\r", "\x00", "\t", "\x0b", "\x1b[2J", "\u2028", "\u202e", "\x85"),
    *(" ", "#", '"', "'", "\\", "%", "@@", "@@probe-token@@", "${service_name}", "é", "中"),
    *("{{ 7 * 7 }}", "{% raw %}", "{#", "\nhttp_access allow all\n", " http_access allow all", "x" * 5000),
]
hostile = st.lists(st.sampled_from([*EVIL, "a", "/", "."]), min_size=1, max_size=4).map("".join)
numbers = st.one_of(st.integers(-2, 5), st.integers(-(10**12), 10**12))


def _rendered(site: Json, sensor: Json, name: str = "sensor1") -> str | None:
    """Return squid.conf, or None where the checks refuse what it is made of."""
    hosts = {PROXY: site, "dmz-1": {"squid_addresses": ["192.0.2.3"]}, name: sensor}
    graph = topology.derive(hosts, [PROXY, "dmz-1"], [name])
    given = {**{key: option["default"] for key, option in arguments.options("squid").items()}, **site}
    typed, mistakes = check.check("squid", PROXY, given)
    mistakes += graph["mistakes"] or ([] if mistakes else check.contradictions("squid", PROXY, typed))
    if not mistakes:
        return of_graph(graph, PROXY, **site)
    # A sentence is one line, however long the value is.
    assert name != "sensor1" or all(len(mistake) < 1000 and mistake.isprintable() for mistake in mistakes), mistakes
    return None


def _shape(config: str) -> list[int]:
    """Return how many words each directive has."""
    lines = config.split("\n")
    # What Squid takes as one line is one for people too.
    assert [line for line in lines if len(line.splitlines()) > 1 or re.search(r"[\x00-\x08\x0b-\x1f]", line)] == []
    realm = "auth_param basic realm "
    return [2 if line.startswith(realm) else len(line.split()) for line in lines if line and not line.startswith("#")]


WHOLE = _rendered(SITE, SENSOR) or ""
SHAPE = _shape(WHOLE)


def test_each_part_of_the_template_is_in_use() -> None:
    for directive in (
        "https_port",
        "auth_param",
        "cache_peer",
        "url_rewrite_program",
        "note client",
    ):
        assert directive in WHOLE


OPTIONS = {name: option for name, option in arguments.options("squid").items() if not arguments.is_secret(option)}


def _placed(name: str, value: Any) -> Any:
    return [value] if OPTIONS[name]["type"] == "list" else value


@pytest.mark.parametrize("name", OPTIONS)
@settings(max_examples=60, deadline=None)
@given(text=hostile, number=numbers, whole=st.booleans())
@example(text="\nhttp_access allow all", number=0, whole=False)
@example(text="/a b", number=5000, whole=True)
def test_a_variable_of_the_proxy(name: str, text: str, number: int, whole: bool) -> None:
    before = SITE.get(name, OPTIONS[name]["default"])
    before = before[0] if isinstance(before, list) and before else before
    values = [text if whole else f"{before}{text}", *([number, str(number)] if OPTIONS[name]["type"] == "int" else [])]
    for value in values:
        config = _rendered({**SITE, name: _placed(name, value)}, SENSOR)
        assert config is None or _shape(config) == SHAPE or name == "squid_tls_port"
        assert config is None or "\nhttp_access allow all" not in config


@pytest.mark.parametrize("key", [key for key in PARENT if key not in ("password", "tls")])
@settings(max_examples=60, deadline=None)
@given(text=hostile, whole=st.booleans())
def test_a_key_of_a_parent(key: str, text: str, whole: bool) -> None:
    site = copy.deepcopy(SITE)
    site["squid_parents"][0][key] = text if whole else f"{PARENT[key]}{text}"
    config = _rendered(site, SENSOR)
    assert config is None or _shape(config) == SHAPE


@pytest.mark.parametrize("name", ["sensor_proxy_via", "sensor_proxy_src", "sensor_proxy_username", "name"])
@settings(max_examples=60, deadline=None)
@given(text=hostile, whole=st.booleans())
def test_a_variable_of_a_sensor(name: str, text: str, whole: bool) -> None:
    if name == "name":
        config = _rendered(SITE, SENSOR, text if whole else f"sensor1{text}")
    else:
        before = SENSOR[name]
        value = [f"{before[0]}{text}"] if isinstance(before, list) else f"{before}{text}"
        config = _rendered(SITE, {**SENSOR, name: text if whole else value})
    assert config is None or _shape(config) == SHAPE


TEXTS = [
    pytest.param(role, name, id=name)
    for role in arguments.ROLES
    for name, option in arguments.options(role).items()
    if option["type"] in ("str", "path", "list") and not arguments.is_secret(option)
]


@pytest.mark.parametrize(("role", "name"), TEXTS)
@pytest.mark.parametrize("evil", ["\n", "\r", "\x00", "\x1b", "\x7f"], ids=repr)
def test_no_text_of_any_role_has_a_control_character_or_no_end(role: str, name: str, evil: str) -> None:
    for text in (f"a{evil}b", "x" * 5000):
        typed, (mistake,) = check.check(role, "host", {name: [text] if "list" in name else text})
        assert typed == {}
        assert mistake.startswith(f"host: {name} ")
        assert len(mistake) < 1000
        assert mistake.isprintable()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("squid_workers", 0),
        ("squid_workers", "5000"),
        ("squid_max_filedescriptors", -1),
        ("squid_max_filedescriptors", 0),
        ("squid_parent_connect_timeout", 0),
        ("squid_tls_certificate", "/etc/a.pem http_access"),
        ("squid_tls_private_key", "etc/a.key"),
        ("squid_auth_realm", "@@probe-token@@"),
        ("squid_listen_addresses", ["::::"]),
        ("squid_listen_addresses", ["fe80::1%eth0"]),
        ("squid_remote_syslog_host", 'a" port="1'),
        ("squid_remote_syslog_host", "10.0.0.0/8"),
        ("squid_probe_endpoints", ["-a.example"]),
        ("squid_probe_endpoints", ["*.example.net"]),
        ("squid_probe_endpoints", ["hub.example.net", ".example.net"]),
        # No change could be proven by what the proxy itself refuses.
        ("squid_probe_endpoints", ["hub.example.net", "example.net"]),
        ("squid_probe_endpoints", ["a.hub.example.net"]),
        ("squid_probe_endpoints", ["10.9.9.9"]),
    ],
    ids=str,
)
def test_it_is_refused(name: str, value: Any) -> None:
    assert _rendered({**SITE, name: value}, SENSOR) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("squid_auth_realm", "OT proxy, plant 'Süd' (ops@example.net)"),
        ("squid_listen_addresses", ["2001:db8::1"]),
        ("squid_remote_syslog_host", "log.example.net"),
        ("squid_workers", 64),
        ("squid_probe_endpoints", ["HUB.example.net", "other.example.net"]),
        ("squid_extra_endpoints", ["*.example.net"]),
    ],
    ids=str,
)
def test_it_is_taken(name: str, value: Any) -> None:
    assert _rendered({**SITE, name: value}, SENSOR) is not None


OF_THE_PLAN = ("azure_proxy_capacity", "azure_proxy_idle_timeout", "azure_proxy_workspace_retention_days")
NUMBERS = [
    pytest.param(role, name, id=name)
    for role in arguments.ROLES
    for name, option in arguments.options(role).items()
    if option["type"] in ("int", "float")
    and "choices" not in option
    and not name.endswith("_port")
    and name not in OF_THE_PLAN
]


@pytest.mark.parametrize(("role", "name"), NUMBERS)
@pytest.mark.parametrize("number", [-1, 10**12])
def test_each_number_has_its_range(role: str, name: str, number: int) -> None:
    typed, (mistake,) = check.check(role, "host", {name: number})
    assert typed == {}
    assert re.fullmatch(rf"host: {name} {number} is .*\.", mistake)
    assert number < 0 or re.search(r"give (a number|one|a whole number) from [0-9.]+ to [0-9.]+\.$", mistake)
