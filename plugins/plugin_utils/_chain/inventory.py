# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory model: what hosts say of themselves, as typed records, and every mistake in it.

Private to this collection, and the only place that knows the names of the inventory's variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from ...module_utils._squid.evidence import plain
from ...module_utils._untrusted_text import short
from .._roles import arguments
from .._roles.variables import Variables, declared, variables_of
from . import hostvars as chain_hostvars
from . import names
from .addresses import Address, parse_address
from .hostvars import Secret

DEFAULT_PORT = 3128
"""TCP port of a proxy that says nothing; equal to the default of the role's squid_port."""

_PROXY_VARIABLES = (
    "ansible_host",
    "squid_kind",
    "squid_addresses",
    "squid_src",
    "squid_port",
    "squid_tls_port",
    "squid_parents",
    "squid_auth_enabled",
    "squid_auth_accept_previous",
    "proxy_vip_state",
    "proxy_vip_name",
    "proxy_vip_addresses",
    "proxy_vip_router_id",
)
_SENSOR_VARIABLES = (
    "ansible_host",
    "sensor_proxy_src",
    "sensor_proxy_via",
    "sensor_proxy_username",
    "sensor_proxy_previous_username",
)
_SITE_VARIABLES = ("multicloud_name", "multicloud_cloud", "multicloud_proxy", "multicloud_prefixes")
_SENSOR_SECRETS = ("sensor_proxy_password", "sensor_proxy_previous_password")
SAID = ("squid_endpoints", "squid_extra_endpoints", "squid_endpoints_file", "squid_listen_addresses")
"""What of a member is compared with the others, as it is written."""

KINDS = ("host", "azure")
"""Where a proxy runs: on a host that Ansible connects to, or as a scale set in Azure."""

_PARENT_KEYS = frozenset({"host", "port", "username", "password", "tls", "tls_ca", "tls_name"})

_HOST_AND_PORT = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")

WRONG_PORT = 0
"""Stands for a port with a mistake, which is named: it is not missing, and nothing else is said of it."""

WRONG_USERNAME = ""
"""The same for a user name, or for a login of which one half is missing."""


@dataclass(frozen=True, slots=True)
class Parent:
    """One entry of a proxy's squid_parents."""

    host: str
    port: int | None
    username: str | None
    password: Secret
    tls: bool
    tls_ca: str | None
    tls_name: str
    """Name that the parent's certificate must carry; Squid does not look at the addresses in it (measured)."""


@dataclass(frozen=True, slots=True)
class Vip:
    """What a proxy shares with the others of its pair."""

    name: str
    addresses: list[Address]
    router_id: int
    said: Mapping[str, object]
    """What else matters for a pair, as it is written."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A host of the proxies' group."""

    name: str
    kind: str
    """One of KINDS."""

    addresses: list[Address]
    sources: list[Address] | None
    port: int
    tls_port: int | None
    parents: list[Parent]
    auth: bool
    accept_previous: bool
    """Whether its sensors may also sign in with what was in force before a rotation."""

    vip: Vip | None
    leaves: str
    """Name of the pair that it is a member of no more, empty for none."""

    def is_meant(self, parent: Parent) -> bool:
        """Say whether a parent is this proxy or its pair: by a name, or by one of the addresses and ports."""
        addresses = {address.text for address in [*self.addresses, *(self.vip.addresses if self.vip else ())]}
        return parent.host in (self.name, self.vip and self.vip.name) or (
            parent.port in (None, self.port, self.tls_port) and plain(parent.host) in addresses
        )


@dataclass(frozen=True, slots=True)
class Sensor:
    """A host of the sensors' group."""

    name: str
    addresses: list[Address]
    via: str | None
    username: str | None
    password: Secret
    previous_username: str | None
    """The user in force before a rotation; None outside of one."""
    previous_password: Secret


@dataclass(frozen=True, slots=True)
class CloudSite:
    """A host of the group of sites in other clouds: networks behind a tunnel that ends at a proxy in Azure."""

    name: str
    begins: str
    """What the names of its resources begin with."""

    cloud: str
    proxy: str
    prefixes: list[IPv4Network]


@dataclass(slots=True)
class Inventory:
    """Everything that was read, in the order of the inventory."""

    proxies: dict[str, Proxy] = field(default_factory=dict)
    sensors: dict[str, Sensor] = field(default_factory=dict)
    cloud_sites: list[CloudSite] = field(default_factory=list)
    """Those with a tunnel; a site that uses public addresses has none."""

    mistakes: list[str] = field(default_factory=list)


def read_inventory(
    hostvars: Mapping[str, Any], proxies: Iterable[str], sensors: Iterable[str], cloud_sites: Iterable[str] = ()
) -> Inventory:
    """Read the groups; what cannot be used is left out and named in ``mistakes``."""
    inventory = Inventory()
    variables = Variables()
    others = variables_of("squid", "proxy_vip", "azure_proxy", "chain_verify") - {*_PROXY_VARIABLES}
    for name in proxies:
        raw = chain_hostvars.raw_variables(hostvars, name)
        variables.look(name, raw, others)
        values = chain_hostvars.read(hostvars, name, _PROXY_VARIABLES, raw=raw, mistakes=inventory.mistakes)
        inventory.proxies[name] = _Reader(name, values, inventory.mistakes).proxy(
            {variable: raw.get(variable) for variable in SAID}
        )
    others = variables_of("sensor_proxy") - {*_SENSOR_VARIABLES}
    for name in sensors:
        if name in inventory.proxies:
            inventory.mistakes.append(
                f"{name}: the host is in the group of proxies and in that of sensors; keep it in one."
            )
            continue
        raw = chain_hostvars.raw_variables(hostvars, name)
        variables.look(name, raw, others)
        values = chain_hostvars.read(hostvars, name, _SENSOR_VARIABLES, _SENSOR_SECRETS, raw, inventory.mistakes)
        inventory.sensors[name] = _Reader(name, values, inventory.mistakes).sensor()
    _check_names(inventory)
    others = variables_of("multicloud") - {*_SITE_VARIABLES}
    for name in cloud_sites:
        raw = chain_hostvars.raw_variables(hostvars, name)
        variables.look(name, raw, others)
        values = chain_hostvars.read(hostvars, name, _SITE_VARIABLES, raw=raw, mistakes=inventory.mistakes)
        inventory.cloud_sites += _Reader(name, values, inventory.mistakes).cloud_sites()
    inventory.mistakes += [sentence(*mistake) for mistake in variables.mistakes()]
    inventory.mistakes += variables.misspelt()
    return inventory


def read_sensor_passwords(hostvars: Mapping[str, Any], name: str) -> tuple[Secret, Secret]:
    """Read the password of one sensor, and its previous one."""
    found = chain_hostvars.read(hostvars, name, (), _SENSOR_SECRETS)
    password, previous = (found.get(variable, Secret()) for variable in _SENSOR_SECRETS)
    return password, previous


def read_logins(hostvars: Mapping[str, Any], proxy: str, name: str) -> list[Parent]:
    """Read of one proxy the entries of squid_parents that are another one."""
    parent = _Reader(proxy, chain_hostvars.read(hostvars, proxy, _PROXY_VARIABLES), []).proxy()
    return [each for each in read_parents(hostvars, name) if parent.is_meant(each)]


def read_parents(hostvars: Mapping[str, Any], name: str) -> list[Parent]:
    """Read a proxy's squid_parents."""
    return _Reader(name, chain_hostvars.read(hostvars, name, ("squid_parents",)), []).parents()


def _check_names(inventory: Inventory) -> None:
    owner: dict[str, str] = {}
    for name in [*inventory.proxies, *inventory.sensors]:
        problem = names.name_problem(name)
        if problem:
            inventory.mistakes.append(f"{short(name)!r}: the host's name {problem}; rename it.")
            continue
        other = owner.setdefault(names.acl_name(name), name)
        if other != name:
            inventory.mistakes.append(
                f"{name}: the host's name becomes {names.acl_name(name)!r} in squid.conf, as that of {other} does; "
                "rename one."
            )


class _Reader:
    """Turns one host's variables into a record, noting each mistake with host, variable and value."""

    def __init__(self, host: str, values: dict[str, Any], mistakes: list[str]) -> None:
        self._host = host
        self._values = values
        self._mistakes = mistakes

    def proxy(self, said: Mapping[str, object] | None = None) -> Proxy:
        port = self._typed("squid_port", default=DEFAULT_PORT, wrong=WRONG_PORT)
        # The role's default of squid_tls_port is 0, which means none.
        given = self._typed("squid_tls_port", default=0, wrong=None)
        tls_port = WRONG_PORT if given is None else given or None
        if port == tls_port != WRONG_PORT:
            self._mistake("squid_tls_port", port, "is also squid_port; give the TLS listener a port of its own")
        leaves = self._typed("proxy_vip_state", default="present", wrong="present") == "absent"
        return Proxy(
            name=self._host,
            kind=self._typed("squid_kind", default=KINDS[0], wrong=KINDS[0]),
            addresses=self._addresses("squid_addresses"),
            sources=self._addresses("squid_src", source=True) if self._is_set("squid_src") else None,
            port=port,
            tls_port=tls_port,
            parents=self.parents(),
            auth=self._typed("squid_auth_enabled", default=False, wrong=False),
            accept_previous=self._typed("squid_auth_accept_previous", default=True, wrong=True),
            vip=None if leaves else self._vip(said or {}),
            leaves=str(self._values.get("proxy_vip_name") or "") if leaves else "",
        )

    def _vip(self, said: Mapping[str, object]) -> Vip | None:
        name = self._typed("proxy_vip_name", default="", wrong="")
        if not name:
            return None
        if not self._is_set("proxy_vip_addresses"):
            self._mistakes.append(
                f"{self._host}: proxy_vip_addresses is empty, and proxy_vip_name is {name!r}; give the addresses that its "
                "members share, each with its prefix."
            )
            return None
        router_id = self._typed("proxy_vip_router_id", default=51, wrong=51)
        if not 1 <= router_id <= 255:
            self._mistake("proxy_vip_router_id", router_id, "is out of its range; give a number from 1 to 255")
        return Vip(name, self._addresses("proxy_vip_addresses", source=True), router_id, said)

    def _typed(self, variable: str, default: Any, wrong: Any) -> Any:
        """Return the value as the type that its role declares, or what stands for none and for one with a mistake."""
        value = self._values.get(variable)
        if value is None:
            return default
        try:
            return arguments.convert(variable, declared()[variable], value)
        except ValueError as error:
            self._mistake(variable, value, str(error))
            return wrong

    def sensor(self) -> Sensor:
        via = self._typed("sensor_proxy_via", default="", wrong="")
        addresses = self._addresses("sensor_proxy_src", source=True)
        username = self._username("sensor_proxy_username", self._values.get("sensor_proxy_username"))
        previous = self._previous_username()
        if previous and username is None:
            self._mistakes.append(
                f"{self._host}: sensor_proxy_previous_username {previous!r} is set, but sensor_proxy_username is not; "
                "set it and sensor_proxy_password, or remove the previous ones."
            )
            username = WRONG_USERNAME
        return Sensor(
            name=self._host,
            addresses=addresses,
            via=via or None,
            username=username,
            password=self._values.get("sensor_proxy_password", Secret()),
            previous_username=previous,
            previous_password=self._values.get("sensor_proxy_previous_password", Secret()),
        )

    def cloud_sites(self) -> list[CloudSite]:
        """Return the site, if it has a tunnel."""
        proxy = self._values.get("multicloud_proxy")
        if not proxy:
            return []
        given = self._typed("multicloud_prefixes", default=[], wrong=None)
        prefixes = []
        for value in given or []:
            try:
                prefixes.append(IPv4Network(str(value)))
            except ValueError as error:
                self._mistake("multicloud_prefixes", value, f"is not an IPv4 network: {error}")
        if given == []:
            self._mistakes.append(f"{self._host}: multicloud_prefixes is empty; name the networks of its sensors.")
        begins = str(self._values.get("multicloud_name", self._host))
        return [CloudSite(self._host, begins, str(self._values.get("multicloud_cloud") or ""), str(proxy), prefixes)]

    def _previous_username(self) -> str | None:
        variable = "sensor_proxy_previous_username"
        username = self._username(variable, self._values.get(variable))
        password: Secret = self._values.get("sensor_proxy_previous_password", Secret())
        if username and not _is_given(password):
            problem = f"sensor_proxy_previous_password is not set, but its {variable} is {username!r}; set both"
        elif username is None and _is_given(password) and not _renders_to_nothing(password):
            problem = f"{variable} is not set, but its sensor_proxy_previous_password is; set both, or neither"
        else:
            return username
        self._mistakes.append(f"{self._host}: {problem}.")
        return WRONG_USERNAME

    def parents(self) -> list[Parent]:
        given = self._typed("squid_parents", default=[], wrong=[])
        return [parent for entry in given if (parent := self._parent(entry)) is not None]

    def _mistake(self, variable: str, value: object, problem: str) -> None:
        self._mistakes.append(sentence(self._host, variable, value, problem))

    def _is_set(self, variable: str) -> bool:
        value = self._values.get(variable)
        # Text of blanks and commas is a list of nothing.
        return value not in (None, []) and not (isinstance(value, str) and not value.strip(", "))

    def _addresses(self, variable: str, source: bool = False) -> list[Address]:
        """Read a list of addresses (or one), falling back to ansible_host and then to the host's name."""
        hint = ""
        if not self._is_set(variable):
            hint = f"; set {variable} to the address that its traffic has"
            variable = "ansible_host"
            value = self._values.get(variable)
            given = [self._host if value is None else value]
        else:
            given = self._typed(variable, default=[], wrong=[])
        found = []
        for value in given:
            try:
                address = parse_address(value, variable)
            except ValueError:
                self._mistake(variable, value, f"is not a valid address{hint}")
                continue
            problem = source_problem(address) if source else None
            if problem:
                self._mistake(variable, value, f"{problem}{hint}")
                continue
            found.append(address)
        return found

    def _port(self, variable: str, value: object) -> int | None:
        if value is None:
            return None
        port = int(str(value)) if re.fullmatch("[0-9]{1,5}", str(value)) else WRONG_PORT
        if not 1 <= port <= 65535:
            self._mistake(variable, value, "is not a port; give a number from 1 to 65535")
            return WRONG_PORT
        return port

    def _username(
        self, variable: str, value: object, find: Callable[[str], str | None] = names.username_problem
    ) -> str | None:
        if value is None or value == "":
            return None
        problem = "is no text" if isinstance(value, list | Mapping) else find(str(value))
        if problem:
            self._mistake(variable, value, problem)
            return WRONG_USERNAME
        return str(value)

    def _parent(self, entry: object) -> Parent | None:
        if isinstance(entry, str):
            entry = {"host": entry}
        if not isinstance(entry, Mapping) or not entry.get("host") or isinstance(entry["host"], list | Mapping):
            self._mistake("squid_parents", entry, "is neither a host's name nor a mapping with 'host'")
            return None
        unknown = sorted(str(key) for key in entry if key not in _PARENT_KEYS)
        if unknown:
            known = ", ".join(sorted(_PARENT_KEYS))
            self._mistake("squid_parents", entry, f"has the unknown key {shortened(unknown[0])!r}; known are {known}")
            return None
        host = str(entry["host"])
        if found := _HOST_AND_PORT.fullmatch(host):
            name, port = found[1].strip("[]"), found[2]
            self._mistake(
                "squid_parents",
                host,
                f"has a port in the host's name; write {{host: {name}, port: {port}}}, and in an INI inventory "
                f"""squid_parents='[{{"host": "{name}", "port": {port}}}]'""",
            )
            return None
        return Parent(
            host=host,
            port=self._port("squid_parents.port", entry.get("port")),
            username=self._parent_username(entry),
            password=Secret(entry.get("password")),
            tls=self._parent_tls(entry.get("tls")),
            tls_ca=self._tls_ca(entry.get("tls_ca")),
            tls_name=self._tls_name(entry.get("tls_name")) or host,
        )

    def _parent_username(self, entry: Mapping[str, Any]) -> str | None:
        username = self._username("squid_parents.username", entry.get("username"), names.login_problem)
        if (username is None) != (entry.get("password") in (None, "")) and username != WRONG_USERNAME:
            self._mistake("squid_parents", entry, "needs both username and password, or neither")
            return WRONG_USERNAME
        return username

    def _parent_tls(self, value: object) -> bool:
        if value is None:
            return False
        try:
            return bool(arguments.convert("tls", {"type": "bool"}, value))
        except ValueError as error:
            self._mistake("squid_parents.tls", value, str(error))
            return False

    def _tls_ca(self, value: object) -> str | None:
        if not value:
            return None
        if not str(value).startswith("/") or names.text_problem(str(value)):
            problem = "is not an absolute path without blanks, quotes, '#', '%', '@@' and backslashes"
            self._mistake("squid_parents.tls_ca", value, problem)
        return str(value)

    def _tls_name(self, value: object) -> str | None:
        """Check a name that is given; otherwise it is the parent's own, which is checked as such."""
        if not value:
            return None
        if names.text_problem(str(value)):
            self._mistake("squid_parents.tls_name", value, "is not the name of a certificate")
        return str(value)


def sentence(host: str, variable: str, value: object, problem: str) -> str:
    """Say what is wrong with the value of a variable."""
    return f"{host}: {variable} {shortened(value)!r} {problem}."


def shortened(value: object) -> object:
    """What of a value may be shown: a password may stand in the wrong place, or in a URL."""
    if isinstance(value, Mapping):
        return {key: shortened(value[key]) for key in value if key in _PARENT_KEYS and key != "password"}
    if isinstance(value, str):
        return short(_USER_INFO.sub("********@", value))
    if isinstance(value, list):
        # Also where ansible-core has a class of its own for it.
        return "list"
    return value if value is None or isinstance(value, int | float) else type(value).__name__


_USER_INFO = re.compile(r".*:.*@", re.DOTALL)


def source_problem(address: Address) -> str | None:
    """Say why traffic cannot come from this address, or return None."""
    ip, network = address.ip, address.network
    if ip is None:
        return "is a host name, and Squid refuses its whole configuration when such a name does not resolve"
    if ip.is_unspecified or ip.is_multicast or ip.is_loopback or str(ip) == "255.255.255.255":
        return "is not the address of one host"
    # A network of one or two addresses has none of its own, and IPv6 has no broadcast.
    if network is not None and network.num_addresses > 2:
        not_a_host = {network.network_address} | ({network.broadcast_address} if network.version == 4 else set())
        return f"is not the address of one host in {network}" if ip in not_a_host else None
    return None


def _renders_to_nothing(secret: Secret) -> bool:
    try:
        return bool(secret.render) and not secret.text()
    except ValueError:
        return False


def _is_given(secret: Secret) -> bool:
    """Say whether there is a secret, without opening it: a template and what is vaulted are taken as given."""
    return secret.raw is not None and not (isinstance(secret.raw, str) and not secret.raw)
