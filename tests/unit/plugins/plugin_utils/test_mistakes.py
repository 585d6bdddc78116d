# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every mistake in an inventory is one sentence that names host, variable and value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import names as chain_names
from hypothesis import given
from hypothesis import strategies as st

GraphOf = Callable[..., dict[str, Any]]
Hosts = dict[str, dict[str, Any]]

SENSOR = {"ansible_host": "10.0.0.1"}
SITE = {"ansible_host": "10.0.0.250"}
DMZ = {"ansible_host": "10.0.1.250"}
CORP = {"host": "proxy.corp.example", "port": 8080}


@dataclass(frozen=True)
class Mistake:
    """What the sentence must name, and the inventory that has the mistake."""

    host: str
    variable: str
    value: str
    says: str
    proxies: Hosts = field(default_factory=lambda: {"site": SITE})
    sensors: Hosts = field(default_factory=dict)


def _parents(*entries: object) -> Hosts:
    return {"site": SITE | {"squid_parents": list(entries)}}


def _cycle(*names: str) -> Hosts:
    return {
        name: {"ansible_host": f"10.9.{ord(name)}.1", "squid_parents": [parent]}
        for name, parent in zip(names, (*names[1:], names[0]), strict=True)
    }


def _port(value: object, shown: str = "") -> Mistake:
    return Mistake("site", "squid_port", shown or repr(value), "is not a port", {"site": SITE | {"squid_port": value}})


def _address(group: str, variable: str, value: object, shown: str, says: str = "is not a valid address") -> Mistake:
    if group == "proxies":
        return Mistake("site", variable, shown, says, {"site": SITE | {variable: value}})
    return Mistake("sensor1", variable, shown, says, sensors={"sensor1": SENSOR | {variable: value}})


SECRET = "s3cret"
CURRENT = {"sensor_proxy_username": "new", "sensor_proxy_password": "0ther"}
PREVIOUS = {"sensor_proxy_previous_username": "old", "sensor_proxy_previous_password": SECRET}


def _rotation(variable: str, value: str, says: str, changes: dict[str, Any]) -> Mistake:
    sensor = SENSOR | CURRENT | PREVIOUS | changes
    return Mistake("sensor1", variable, value, says, {"site": SITE | {"squid_auth_enabled": True}}, {"sensor1": sensor})


UNKNOWN_PARENT = "is not in the group 'proxies'; correct the name, or give an external parent with 'host' and 'port'"
HOST_NAME = "is a host name, and Squid refuses its whole configuration when such a name does not resolve"
LOGIN = "needs both username and password, or neither"

MISTAKES = {
    # Kinds.
    "unknown kind": Mistake(
        "site", "squid_kind", "'aws'", "is none of host, azure", {"site": SITE | {"squid_kind": "aws"}}
    ),
    # Parents.
    "unknown parent": Mistake("site", "squid_parents", "'dmz-proxi'", UNKNOWN_PARENT, _parents("dmz-proxi")),
    "unknown parent in a mapping": Mistake(
        "site", "squid_parents", "'dmz-proxi'", UNKNOWN_PARENT, _parents({"host": "dmz-proxi"})
    ),
    "external parent that is no host": Mistake(
        "site",
        "squid_parents",
        "'http://corp'",
        "is not a valid host name or address",
        _parents({"host": "http://corp", "port": 1}),
    ),
    "external parent with an invalid address": Mistake(
        "site",
        "squid_parents",
        "'10.0.0.300'",
        "is not a valid host name or address",
        _parents({"host": "10.0.0.300", "port": 1}),
    ),
    "parent with its port": Mistake(
        "site",
        "squid_parents",
        "'proxy.corp.example:8080'",
        "write {host: proxy.corp.example, port: 8080}, and in an INI inventory "
        """squid_parents='[{"host": "proxy.corp.example", "port": 8080}]'""",
        _parents("proxy.corp.example:8080"),
    ),
    "self-parent": Mistake("site", "squid_parents", "'site'", "is the proxy itself", _parents("site")),
    "self-parent among others": Mistake(
        "site", "squid_parents", "'site'", "is the proxy itself", _parents(CORP, "site")
    ),
    "cycle of two": Mistake("a", "squid_parents", "'b'", "closes a cycle: a -> b -> a", _cycle("a", "b")),
    "cycle of three": Mistake("a", "squid_parents", "'b'", "closes a cycle: a -> b -> c -> a", _cycle("a", "b", "c")),
    "cycle by a second parent": Mistake(
        "a",
        "squid_parents",
        "'b'",
        "closes a cycle: a -> b -> a",
        _cycle("a", "b") | {"b": {"ansible_host": "10.0.9.1", "squid_parents": [CORP, "a"]}},
    ),
    "cycle above a child": Mistake(
        "a", "squid_parents", "'b'", "closes a cycle", {"site": SITE | {"squid_parents": ["a"]}} | _cycle("a", "b")
    ),
    "parent twice": Mistake("site", "squid_parents", "'proxy.corp.example'", "is listed twice", _parents(CORP, CORP)),
    "inventory parent twice": Mistake(
        "site", "squid_parents", "'dmz'", "is listed twice", _parents("dmz", {"host": "dmz"}) | {"dmz": DMZ}
    ),
    "parents that are no list": Mistake(
        "site",
        "squid_parents",
        "{'host': 'dmz'}",
        "is not a list",
        {"site": SITE | {"squid_parents": {"host": "dmz"}}, "dmz": DMZ},
    ),
    "parent that is neither name nor mapping": Mistake(
        "site", "squid_parents", "42", "is neither a host's name nor a mapping with 'host'", _parents(42)
    ),
    "parent without host": Mistake(
        "site",
        "squid_parents",
        "'port': 8080",
        "is neither a host's name nor a mapping with 'host'",
        _parents({"port": 8080}),
    ),
    "parent with an unknown key": Mistake(
        "site",
        "squid_parents",
        "'prot'",
        "has the unknown key 'prot'; known are host, password, port, tls, tls_ca, tls_name, username",
        _parents(CORP | {"prot": 3128}),
    ),
    "parent's port out of range": Mistake(
        "site", "squid_parents.port", "70000", "is not a port", _parents(CORP | {"port": 70000})
    ),
    "parent with tls at a proxy without": Mistake(
        "site",
        "squid_parents",
        "'dmz'",
        "has tls, but that proxy has no squid_tls_port",
        _parents({"host": "dmz", "tls": True}) | {"dmz": DMZ},
    ),
    "parent's CA is no path": Mistake(
        "site",
        "squid_parents.tls_ca",
        "'ca.pem'",
        "is not an absolute path",
        _parents(CORP | {"tls": True, "tls_ca": "ca.pem"}),
    ),
    "parent's CA has a line break": Mistake(
        "site", "squid_parents.tls_ca", r"'/ca\nhttp_access'", "blanks", _parents(CORP | {"tls_ca": "/ca\nhttp_access"})
    ),
    "parent's certificate name has a blank": Mistake(
        "site", "squid_parents.tls_name", "'a b'", "not the name of a certificate", _parents(CORP | {"tls_name": "a b"})
    ),
    "parent's certificate name is a placeholder": Mistake(
        "site", "squid_parents.tls_name", "'@@probe-token@@'", "", _parents(CORP | {"tls_name": "@@probe-token@@"})
    ),
    "parent's CA is a placeholder": Mistake(
        "site", "squid_parents.tls_ca", "'/@@probe-token@@'", "", _parents(CORP | {"tls_ca": "/@@probe-token@@"})
    ),
    # Credentials.
    "parent's password without username": Mistake(
        "site", "squid_parents", "'proxy.corp.example'", LOGIN, _parents(CORP | {"password": "x"})
    ),
    "parent's username without password": Mistake(
        "site", "squid_parents", "'bob'", LOGIN, _parents(CORP | {"username": "bob"})
    ),
    "proxy without username where its parent wants one": Mistake(
        "site",
        "squid_parents",
        "'dmz'",
        "has squid_auth_enabled; give its entry a username and a password",
        _parents("dmz") | {"dmz": DMZ | {"squid_auth_enabled": True}},
    ),
    "sensor without username where its proxy wants one": Mistake(
        "sensor1",
        "sensor_proxy_username",
        "site has squid_auth_enabled",
        "is not set",
        {"site": SITE | {"squid_auth_enabled": True}},
        {"sensor1": SENSOR},
    ),
    # Rotation.
    "previous user without a current one": Mistake(
        "sensor1",
        "sensor_proxy_previous_username",
        "'old'",
        "is set, but sensor_proxy_username is not; set it and sensor_proxy_password, or remove the previous ones",
        {"site": SITE | {"squid_auth_enabled": True}},
        {"sensor1": SENSOR | PREVIOUS},
    ),
    "previous user without a password": _rotation(
        "sensor_proxy_previous_username", "'old'", "set both", {"sensor_proxy_previous_password": None}
    ),
    "previous user with an empty password": _rotation(
        "sensor_proxy_previous_password", "'old'", "is not set, but its", {"sensor_proxy_previous_password": ""}
    ),
    "previous password without a user": _rotation(
        "sensor_proxy_previous_username",
        "sensor_proxy_previous_password",
        "is not set, but its sensor_proxy_previous_password is; set both, or neither",
        {"sensor_proxy_previous_username": ""},
    ),
    "previous user without a password, at a proxy without sign-in": Mistake(
        "sensor1",
        "sensor_proxy_previous_password",
        "'old'",
        "is not set, but its sensor_proxy_previous_username is 'old'; set both",
        sensors={"sensor1": SENSOR | CURRENT | {"sensor_proxy_previous_username": "old"}},
    ),
    "previous password alone": Mistake(
        "sensor1",
        "sensor_proxy_previous_username",
        "sensor_proxy_previous_password",
        "set both, or neither",
        sensors={"sensor1": SENSOR | {"sensor_proxy_previous_password": SECRET}},
    ),
    "new password without a new name": _rotation(
        "sensor_proxy_previous_username",
        "'new'",
        "and Squid knows one password per user name; choose another name for the new credential",
        {"sensor_proxy_previous_username": "new"},
    ),
    "new name that differs by case only": _rotation(
        "sensor_proxy_previous_username",
        "'New'",
        "and Squid knows one password per user name; choose another name for the new credential",
        {"sensor_proxy_previous_username": "New"},
    ),
    "new name that differs by case only, with the same password": _rotation(
        "sensor_proxy_previous_username",
        "'New'",
        "differs only by case from 'new', the user of sensor1",
        {"sensor_proxy_previous_username": "New", "sensor_proxy_password": SECRET},
    ),
    "line break in the previous password": _rotation(
        "the password of the user", "'old'", "has a line break", {"sensor_proxy_previous_password": SECRET + "\n"}
    ),
    # Addresses.
    "invalid address of a sensor": _address("sensors", "ansible_host", "10.0.0.300", "'10.0.0.300'"),
    "invalid source of a sensor": _address("sensors", "sensor_proxy_src", "10.0.0.1.1", "'10.0.0.1.1'"),
    "invalid IPv6 address of a sensor": _address("sensors", "sensor_proxy_src", "2001:db8::x", "'2001:db8::x'"),
    "invalid address in a list": _address("sensors", "sensor_proxy_src", ["10.0.0.1", "10.0.0.1/33"], "'10.0.0.1/33'"),
    "address with a line break": _address(
        "sensors", "sensor_proxy_src", "10.0.0.1\n", r"'10.0.0.1\n'", "has a line break or another control character"
    ),
    "address with a zone": _address("sensors", "sensor_proxy_src", "fe80::1%eth0", "'fe80::1%eth0'", ""),
    "invalid address of a proxy": _address("proxies", "ansible_host", "10.0.0.256", "'10.0.0.256'"),
    "invalid listed address of a proxy": _address("proxies", "squid_addresses", ["10.0.0"], "'10.0.0'"),
    "invalid source of a proxy": _address("proxies", "squid_src", ["10.0.0.1", "::g"], "'::g'"),
    "host name as a sensor's address": _address(
        "sensors", "ansible_host", "sensor1.example", "'sensor1.example'", HOST_NAME
    ),
    "host name as a sensor's source": _address(
        "sensors", "sensor_proxy_src", "sensor1.example", "'sensor1.example'", HOST_NAME
    ),
    "sensor without any address": Mistake(
        "sensor1", "ansible_host", "'sensor1'", "sensor_proxy_src", sensors={"sensor1": {}}
    ),
    "host name as a proxy's source": _address("proxies", "squid_src", ["site.example"], "'site.example'", HOST_NAME),
    "host name is all that a parent's client has": Mistake(
        "site",
        "ansible_host",
        "'site.example'",
        "set squid_src to the address that dmz sees",
        {"site": {"ansible_host": "site.example", "squid_parents": ["dmz"]}, "dmz": DMZ},
    ),
    "host name is listed by a parent's client": Mistake(
        "site",
        "squid_addresses",
        "'site.example'",
        "set squid_src to the address that dmz sees",
        {"site": {"squid_addresses": ["site.example"], "squid_parents": ["dmz"]}, "dmz": DMZ},
    ),
    "loopback as a sensor's source": _address(
        "sensors", "sensor_proxy_src", "127.0.0.1", "'127.0.0.1'", "address of one host"
    ),
    "network as a sensor's source": _address(
        "sensors", "sensor_proxy_src", "10.0.0.0/24", "10.0.0.0/24", "address of one host"
    ),
    "everything as a sensor's source": _address(
        "sensors", "sensor_proxy_src", "0.0.0.0/0", "0.0.0.0/0", "address of one host"
    ),
    "two sensors with one address": Mistake(
        "sensor2",
        "ansible_host",
        "'10.0.0.1'",
        "is also that of sensor1, and site could not tell them apart",
        sensors={"sensor1": SENSOR, "sensor2": SENSOR},
    ),
    "two sensors with one source": Mistake(
        "sensor2",
        "sensor_proxy_src",
        "'10.0.0.1'",
        "is also that of sensor1",
        sensors={"sensor1": SENSOR, "sensor2": {"sensor_proxy_src": ["10.0.0.2", "10.0.0.1/24"]}},
    ),
    "two sensors with one IPv6 address, spelt differently": Mistake(
        "sensor2",
        "ansible_host",
        "'2001:db8::1'",
        "is also that of sensor1",
        sensors={"sensor1": {"ansible_host": "2001:db8::1"}, "sensor2": {"ansible_host": "2001:0DB8:0::0001"}},
    ),
    "IPv4 address that another sensor has in IPv6": Mistake(
        "sensor2",
        "ansible_host",
        "10.0.0.1",
        "is also that of sensor1",
        sensors={"sensor1": SENSOR, "sensor2": {"ansible_host": "::ffff:10.0.0.1"}},
    ),
    "sensor with the address of a child proxy": Mistake(
        "sensor1",
        "ansible_host",
        "'10.0.0.250'",
        "is also that of site, and dmz could not tell them apart",
        _parents("dmz") | {"dmz": DMZ},
        {"sensor1": SITE | {"sensor_proxy_via": "dmz"}},
    ),
    "sensor with the address of its own proxy": Mistake(
        "sensor1", "ansible_host", "'10.0.0.250'", "is also that of site", sensors={"sensor1": SITE}
    ),
    # First hops.
    "no first hop among several": Mistake(
        "sensor1",
        "sensor_proxy_via",
        "2 proxies",
        "is not set, and there are 2 proxies to choose from; name one of them",
        {"site": SITE, "dmz": DMZ},
        {"sensor1": SENSOR},
    ),
    "unknown first hop": Mistake(
        "sensor1",
        "sensor_proxy_via",
        "'siet'",
        "is not in the group 'proxies'",
        sensors={"sensor1": SENSOR | {"sensor_proxy_via": "siet"}},
    ),
    # Ports.
    **{
        f"port {value!r}": _port(value)
        for value in (0, -1, 65536, 3128.5, True, "http", "", " 3128", "31_28", "+3128", "٣١٢٨")
    },
    "list of ports": _port([3128], "'list'"),
    "TLS port out of range": Mistake(
        "site",
        "squid_tls_port",
        "65536",
        "is not a port; give a number from 1 to 65535",
        {"site": SITE | {"squid_tls_port": 65536}},
    ),
    "TLS port that is the default port": Mistake(
        "site",
        "squid_tls_port",
        "3128",
        "is also squid_port; give the TLS listener a port of its own",
        {"site": SITE | {"squid_tls_port": 3128}},
    ),
    "equal ports": Mistake(
        "site",
        "squid_tls_port",
        "8443",
        "is also squid_port",
        {"site": SITE | {"squid_port": "8443", "squid_tls_port": 8443}},
    ),
    # Names; the "variable" of a name is the name.
    "names that collide by case": Mistake(
        "sensor1",
        "the host's name",
        "'sensor1'",
        "becomes 'sensor1' in squid.conf, as that of Sensor1 does; rename one",
        sensors={"Sensor1": SENSOR, "sensor1": {"ansible_host": "10.0.0.2"}},
    ),
    "names that collide by normalising": Mistake(
        "a_b",
        "the host's name",
        "'a_b'",
        "as that of a:b does",
        sensors={"a:b": SENSOR, "a_b": {"ansible_host": "10.0.0.2"}},
    ),
    "sensor's name that collides with a proxy's": Mistake(
        "SITE", "the host's name", "'site'", "as that of site does", sensors={"SITE": SENSOR}
    ),
    "host in both groups": Mistake(
        "site",
        "group of proxies",
        "sensors",
        "keep it in one",
        {"site": SITE | {"squid_parents": [CORP]}},
        {"site": SITE},
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_one_sentence_names_host_variable_and_value(graph_of: GraphOf, mistake: Mistake) -> None:
    (sentence,) = graph_of(mistake.proxies, mistake.sensors)["mistakes"]
    assert sentence.startswith(f"{mistake.host}: ")
    assert mistake.variable in sentence
    assert mistake.value in sentence
    assert mistake.says in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize("group", ["proxies", "sensors"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a\nb", "line break"),
        ("a b", "blank"),
        ("a#b", "'#'"),
        ('a"b', "quote"),
        ("a'b", "quote"),
        ("a\\b", "backslash"),
        ("süd", "beyond ASCII"),
        ("x" * 63, "has 63 characters, and Squid takes 62 at most"),
        *[(change(name), "already uses") for name in sorted(chain_names.RESERVED) for change in (str.lower, str.upper)],
        ("CONNECT", "already uses"),
    ],
)
def test_one_sentence_for_a_name_that_squid_cannot_have(graph_of: GraphOf, group: str, name: str, says: str) -> None:
    proxies, sensors = ({name: SITE}, {}) if group == "proxies" else ({"site": SITE}, {name: SENSOR})
    (sentence,) = graph_of(proxies, sensors)["mistakes"]
    assert sentence.startswith(f"{name!r}: the host's name ")
    assert says in sentence
    assert sentence.endswith("; rename it.")


BAD_USERNAMES = [
    ("a b", "blank"),
    ("a:b", "colon"),
    ('a"b', "quote"),
    ("a'b", "quote"),
    ("a#b", "'#'"),
    ("a%b", "'%'"),
    ("a\\b", "backslash"),
    ("a\nhttp_access allow all", "blank"),
    ("jürgen", "ASCII"),
    ("x" * 58, "58 characters, and 57 fit"),
    ("{{x}}", "has '{{', with which Ansible begins a template"),
    pytest.param("REQUIRED", "", id="what Squid reads as any user"),
    pytest.param("-ivan", "", id="what Squid reads as an option"),
    pytest.param("-", "", id="what Squid reads as nobody"),
    pytest.param("@@probe-token@@", "", id="placeholder of a secret"),
]


@pytest.mark.parametrize(("username", "says"), BAD_USERNAMES)
def test_one_sentence_for_a_username_that_squid_cannot_have(graph_of: GraphOf, username: str, says: str) -> None:
    (sentence,) = graph_of({"site": SITE}, {"sensor1": SENSOR | {"sensor_proxy_username": username}})["mistakes"]
    assert sentence.startswith(f"sensor1: sensor_proxy_username {username!r} ")
    assert says in sentence


@pytest.mark.parametrize(("username", "says"), BAD_USERNAMES)
@pytest.mark.parametrize("current", [CURRENT, {}], ids=["with a current user", "without"])
def test_one_sentence_for_a_previous_username_that_squid_cannot_have(
    graph_of: GraphOf, username: str, says: str, current: dict[str, str]
) -> None:
    sensor = SENSOR | current | PREVIOUS | {"sensor_proxy_previous_username": username}
    (sentence,) = graph_of({"site": SITE}, {"sensor1": sensor})["mistakes"]
    assert sentence.startswith(f"sensor1: sensor_proxy_previous_username {username!r} ")
    assert says in sentence


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sensor_proxy_password": None}, id="no password"),
        pytest.param({"sensor_proxy_username": "a b"}, id="bad username"),
        pytest.param({"sensor_proxy_previous_username": "new", "sensor_proxy_password": None}, id="same user"),
    ],
)
def test_a_mistake_in_the_current_login_says_nothing_of_the_previous_one(
    graph_of: GraphOf, changes: dict[str, str | None]
) -> None:
    sensor = SENSOR | CURRENT | PREVIOUS | changes
    (sentence,) = graph_of({"site": SITE | {"squid_auth_enabled": True}}, {"sensor1": sensor})["mistakes"]
    assert "previous" not in sentence


@pytest.mark.parametrize(
    ("site", "changes"),
    [
        pytest.param({"squid_auth_enabled": True}, {}, id="rotation"),
        pytest.param({}, {}, id="proxy without sign-in"),
        pytest.param(
            {"squid_auth_enabled": True},
            {"sensor_proxy_previous_username": "", "sensor_proxy_previous_password": ""},
            id="no rotation",
        ),
        pytest.param(
            {"squid_auth_enabled": True},
            {"sensor_proxy_previous_username": "new", "sensor_proxy_password": SECRET},
            id="previous login that is the current one",
        ),
        pytest.param(
            {"squid_auth_enabled": True, "squid_auth_accept_previous": "no"},
            {"sensor_proxy_previous_username": "new"},
            id="previous login that the proxy leaves out",
        ),
    ],
)
def test_a_rotation_that_is_no_mistake(graph_of: GraphOf, site: dict[str, Any], changes: dict[str, str]) -> None:
    sensor = SENSOR | CURRENT | PREVIOUS | changes
    assert graph_of({"site": SITE | site}, {"sensor1": sensor})["mistakes"] == []


def test_a_sensors_bad_username_is_not_called_missing(graph_of: GraphOf) -> None:
    proxies = {"site": SITE | {"squid_auth_enabled": True}}
    (sentence,) = graph_of(proxies, {"sensor1": SENSOR | {"sensor_proxy_username": "a b"}})["mistakes"]
    assert sentence.startswith("sensor1: sensor_proxy_username 'a b' has a blank")


@pytest.mark.parametrize("auth", [False, True])
def test_a_parents_bad_username_is_not_called_missing(graph_of: GraphOf, auth: bool) -> None:
    entry = {"host": "dmz", "username": "a b", "password": "pw"}
    (sentence,) = graph_of(_parents(entry) | {"dmz": DMZ | {"squid_auth_enabled": auth}})["mistakes"]
    assert sentence.startswith("site: squid_parents.username 'a b' has a blank")


def test_usernames_that_differ_by_case_share_an_acl(graph_of: GraphOf) -> None:
    """Squid compares ACL names without case: with Bob and bob at one proxy, either may sign in as the other (6.13)."""
    sensors = {
        "sensor1": SENSOR | {"sensor_proxy_username": "Bob", "sensor_proxy_password": "p1"},
        "sensor2": {"ansible_host": "10.0.0.2", "sensor_proxy_username": "bob", "sensor_proxy_password": "p2"},
    }
    (sentence,) = graph_of({"site": SITE | {"squid_auth_enabled": True}}, sensors)["mistakes"]
    assert sentence.startswith("sensor2: sensor_proxy_username 'bob' ")
    assert "sensor1" in sentence


def test_every_login_that_a_proxy_could_not_know_is_a_mistake(graph_of: GraphOf) -> None:
    def sensor(number: int, username: str, password: str | None) -> dict[str, Any]:
        login = {"sensor_proxy_username": username, "sensor_proxy_password": password}
        return {"ansible_host": f"10.0.0.{number}", "sensor_proxy_via": "dmz"} | login

    entry = {"host": "dmz", "username": "plant", "password": SECRET + "3"}
    proxies = _parents(entry) | {"dmz": DMZ | {"squid_auth_enabled": True}}
    sensors = {
        "s1": sensor(1, "plant", SECRET),
        "s2": sensor(2, "plant", SECRET + "2"),
        "s3": sensor(3, "other", None),
        "s4": sensor(4, "third", SECRET + "\n"),
    }
    mistakes = graph_of(proxies, sensors)["mistakes"]
    expected = [
        "s1: the user 'plant' has another password than with site, and dmz can know only one",
        "s2: the user 'plant' has another password than with site",
        "s3: sensor_proxy_password is not set, but its sensor_proxy_username is 'other'; set both.",
        "s4: the password of the user 'third' has a line break",
    ]
    assert [text for text in expected if not any(sentence.startswith(text) for sentence in mistakes)] == []
    assert len(mistakes) == len(expected)
    assert SECRET not in "".join(mistakes)
    assert graph_of(proxies | {"dmz": DMZ}, sensors)["mistakes"] == []


@pytest.mark.parametrize(
    ("parent", "dmz"),
    [
        pytest.param({"host": "dmz", "password": "pw"}, {"squid_auth_enabled": True}, id="no username"),
        pytest.param({"host": "dmz", "username": "u"}, {"squid_auth_enabled": True}, id="no password"),
        pytest.param({"host": "dmz", "tls": True}, {"squid_tls_port": 70000}, id="TLS port of the parent"),
        pytest.param({"host": "proxy.corp.example", "prot": 8080}, {}, id="misspelt port"),
        pytest.param({"host": "http://corp", "port": 1, "tls": True}, {}, id="host as a certificate's name"),
        pytest.param("dmz", {"squid_port": 0, "squid_tls_port": 3128}, id="port that falls back to the TLS port"),
    ],
)
def test_a_mistake_has_no_false_consequence(graph_of: GraphOf, parent: object, dmz: dict[str, Any]) -> None:
    assert len(graph_of(_parents(parent) | {"dmz": DMZ | dmz})["mistakes"]) == 1


def test_an_unusable_source_is_named_once_for_all_parents(graph_of: GraphOf) -> None:
    site = {"ansible_host": "site.example", "squid_parents": ["dmz", {"host": "dmz", "port": 3129}, "side"]}
    assert len(graph_of({"site": site, "dmz": DMZ, "side": {"ansible_host": "10.0.2.250"}})["mistakes"]) == 1


def test_a_child_with_the_address_of_its_parent_is_a_mistake(graph_of: GraphOf) -> None:
    (sentence,) = graph_of(_parents("dmz") | {"dmz": SITE})["mistakes"]
    assert sentence.startswith("site: ansible_host '10.0.0.250' is also that of dmz")


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_address(graph_of: GraphOf, value: bool) -> None:
    (sentence,) = graph_of({"site": SITE}, {"s": SENSOR | {"sensor_proxy_src": value}})["mistakes"]
    assert sentence.startswith(f"s: sensor_proxy_src {value} is not a list")


def test_an_empty_ansible_host_is_the_hosts_name(graph_of: GraphOf) -> None:
    graph = graph_of({"site.example": {"ansible_host": None}}, {"10.0.0.1": {"ansible_host": None}})
    assert graph["mistakes"] == []
    assert graph["sensors"]["10.0.0.1"]["proxy"]["address"] == "site.example"


@pytest.mark.parametrize("username", ["bob", "Bob.Smith-1_x", "bob@corp.example", "x" * 57])
def test_usable_usernames(graph_of: GraphOf, username: str) -> None:
    login = {"sensor_proxy_username": username, "sensor_proxy_password": "pw"}
    graph = graph_of({"site": SITE | {"squid_auth_enabled": True}}, {"sensor1": SENSOR | login})
    assert graph["mistakes"] == []


def test_two_separate_cycles_are_two_sentences(graph_of: GraphOf) -> None:
    first, second = graph_of(_cycle("a", "b") | _cycle("c", "d", "e"))["mistakes"]
    assert "a -> b -> a" in first
    assert "c -> d -> e -> c" in second


def test_two_cycles_are_two_sentences_when_one_chains_to_the_other(graph_of: GraphOf) -> None:
    proxies = _cycle("a", "b") | _cycle("c", "d")
    proxies["a"]["squid_parents"] = ["c", "b"]
    mistakes = graph_of(proxies)["mistakes"]
    assert len(mistakes) == 2
    assert any("a -> b -> a" in sentence or "b -> a -> b" in sentence for sentence in mistakes)
    assert any("c -> d -> c" in sentence or "d -> c -> d" in sentence for sentence in mistakes)


@pytest.mark.parametrize(
    ("proxies", "sensors"),
    [
        pytest.param(
            {"site": SITE, "dmz": DMZ},
            {"s1": SENSOR | {"sensor_proxy_via": "site"}, "s2": SENSOR | {"sensor_proxy_via": "dmz"}},
            id="one address behind two proxies",
        ),
        pytest.param({"site": SITE}, {"x" * 62: SENSOR}, id="62 characters"),
        pytest.param({"site": SITE | {"squid_port": 1, "squid_tls_port": 65535}}, {}, id="first and last port"),
        pytest.param({"site": SITE | {"squid_port": "8080"}}, {}, id="port as text"),
        pytest.param(
            _parents({"host": "dmz", "tls": True, "port": 8443}) | {"dmz": DMZ}, {}, id="tls at a port of its own"
        ),
        pytest.param(_parents(CORP, CORP | {"port": 8081}), {}, id="one parent at two ports"),
        pytest.param(_parents({"host": "localhost", "port": 8080}), {}, id="external parent on the proxy itself"),
        pytest.param(
            _parents({"host": "x" * 60 + ".corp.example", "port": 8080}), {}, id="external parent of 73 characters"
        ),
        pytest.param({"site": {"ansible_host": "site.example"}}, {"s": SENSOR}, id="first hop by its name"),
        pytest.param(
            {"site": SITE | {"squid_parents": None, "squid_port": None, "squid_src": None}}, {}, id="nothing given"
        ),
    ],
)
def test_what_is_no_mistake(graph_of: GraphOf, proxies: Hosts, sensors: Hosts) -> None:
    assert graph_of(proxies, sensors)["mistakes"] == []


def test_all_mistakes_are_reported_together(graph_of: GraphOf) -> None:
    mistakes = graph_of(
        _cycle("a", "b") | {"all": SITE | {"squid_port": 0, "squid_parents": ["ghost", "all"]}},
        {
            "s1": {"ansible_host": "10.0.0.999", "sensor_proxy_via": "a"},
            "s2": SENSOR | {"sensor_proxy_via": "a"},
            "s3": SENSOR | {"sensor_proxy_via": "a"},
            "s4": {"ansible_host": "10.0.0.4"},
            "S4": {"ansible_host": "10.0.0.5", "sensor_proxy_via": "ghost"},
        },
    )["mistakes"]
    expected = [
        "closes a cycle",
        "'all': the host's name",
        "all: squid_port 0",
        "all: squid_parents 'ghost'",
        "all: squid_parents 'all'",
        "s1: ansible_host '10.0.0.999'",
        "'10.0.0.1' is also that of s2",
        "s4: sensor_proxy_via is not set",
        "S4: the host's name becomes 's4'",
        "S4: sensor_proxy_via 'ghost'",
    ]
    assert [text for text in expected if not any(text in sentence for sentence in mistakes)] == []
    assert len(mistakes) == len(expected)


@pytest.mark.parametrize(
    "parents",
    [
        pytest.param([CORP | {"password": SECRET}], id="no username"),
        pytest.param([CORP | {"username": "a:b", "password": SECRET}], id="bad username"),
        pytest.param([CORP | {"username": "a", "password": SECRET, "prot": 1}], id="unknown key"),
        pytest.param([CORP | {"username": "a", "passwd": SECRET}], id="misspelt password"),
        pytest.param([CORP | {"username": "a", "Password": SECRET}], id="password in another case"),
        pytest.param([{"username": "a", "password": SECRET}], id="no host"),
        pytest.param([["proxy.corp.example", SECRET]], id="entry is a list"),
        pytest.param([{"host": "dmz", "username": "a", "password": SECRET}], id="unknown parent"),
        pytest.param([CORP | {"username": "a", "password": SECRET, "port": 0}], id="bad port"),
        pytest.param({"host": "dmz", "username": "a", "password": SECRET}, id="mapping in the place of the list"),
        pytest.param([f"http://a:{SECRET}@proxy.corp.example:8080"], id="URL"),
        pytest.param(f"http://a:{SECRET}@proxy.corp.example:8080", id="URL in the place of the list"),
        pytest.param([{"host": ["proxy.corp.example", SECRET], "port": 8080}], id="list as host"),
        pytest.param([CORP | {"username": [SECRET], "password": SECRET}], id="list as username"),
        pytest.param([CORP | {"tls_ca": f"http://a:{SECRET}@proxy.corp.example"}], id="URL as CA"),
        pytest.param([{"host": f"http://a:{SECRET}@proxy.corp.example", "port": 8080}], id="URL as host"),
    ],
)
def test_no_sentence_shows_a_password(graph_of: GraphOf, parents: object) -> None:
    mistakes = graph_of({"site": SITE | {"squid_parents": parents}})["mistakes"]
    assert mistakes
    assert SECRET not in "".join(mistakes)


@given(name=st.text(min_size=1), other=st.text(min_size=1))
def test_any_two_names_are_refused_or_have_acl_names_of_their_own(graph_of: GraphOf, name: str, other: str) -> None:
    graph = graph_of({name: SITE}, {other: SENSOR})
    if not graph["mistakes"]:
        acls = {graph["proxies"][name]["acl"], graph["sensors"][other]["acl"]}
        assert len(acls) == 2
        assert not acls & chain_names.RESERVED
