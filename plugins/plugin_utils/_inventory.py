# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory model: what hosts say of themselves, as typed records, and every mistake in it.

Private to this collection, and the only place that knows the names of the inventory's variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _hostvars, _names
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._addresses import Address, parse_address

DEFAULT_PORT = 3128
"""TCP port of a proxy that says nothing; equal to the default of the role's squid_port."""

_PROXY_VARIABLES = (
    "ansible_host",
    "squid_addresses",
    "squid_src",
    "squid_port",
    "squid_tls_port",
    "squid_parents",
    "squid_auth_enabled",
)
_SENSOR_VARIABLES = ("ansible_host", "sensor_proxy_src", "sensor_proxy_via", "sensor_proxy_username")
_PARENT_KEYS = frozenset({"host", "port", "username", "password", "tls", "tls_ca"})


@dataclass(frozen=True, slots=True)
class Parent:
    """One entry of a proxy's squid_parents."""

    host: str
    port: int | None
    username: str | None
    tls: bool
    tls_ca: str | None


@dataclass(frozen=True, slots=True)
class Proxy:
    """A host of the proxies' group."""

    name: str
    addresses: list[Address]
    sources: list[Address] | None
    port: int
    tls_port: int | None
    parents: list[Parent]
    auth: bool


@dataclass(frozen=True, slots=True)
class Sensor:
    """A host of the sensors' group."""

    name: str
    addresses: list[Address]
    via: str | None
    username: str | None


@dataclass(slots=True)
class Inventory:
    """Everything that was read, in the order of the inventory."""

    proxies: dict[str, Proxy] = field(default_factory=dict)
    sensors: dict[str, Sensor] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)


def read_inventory(hostvars: Mapping[str, Any], proxies: Iterable[str], sensors: Iterable[str]) -> Inventory:
    """Read both groups; what cannot be used is left out and named in ``mistakes``."""
    inventory = Inventory()
    for name in proxies:
        reader = _Reader(name, _hostvars.read(hostvars, name, _PROXY_VARIABLES), inventory.mistakes)
        inventory.proxies[name] = reader.proxy()
    for name in sensors:
        reader = _Reader(name, _hostvars.read(hostvars, name, _SENSOR_VARIABLES), inventory.mistakes)
        inventory.sensors[name] = reader.sensor()
    _check_names(inventory)
    return inventory


def _check_names(inventory: Inventory) -> None:
    owner: dict[str, str] = {}
    for name in [*inventory.proxies, *inventory.sensors]:
        problem = _names.name_problem(name)
        if problem:
            inventory.mistakes.append(f"{name!r}: the host's name {problem}; rename it.")
            continue
        other = owner.setdefault(_names.acl_name(name), name)
        if other != name:
            inventory.mistakes.append(
                f"{name}: the host's name becomes {_names.acl_name(name)!r} in squid.conf, as that of {other} does; rename one."
            )
    for name in inventory.sensors:
        if name in inventory.proxies:
            inventory.mistakes.append(f"{name}: the host is in the group of proxies and in that of sensors; keep it in one.")


class _Reader:
    """Turns one host's variables into a record, noting each mistake with host, variable and value."""

    def __init__(self, host: str, values: dict[str, Any], mistakes: list[str]) -> None:
        self._host = host
        self._values = values
        self._mistakes = mistakes

    def proxy(self) -> Proxy:
        port = self._port("squid_port", self._values.get("squid_port"), DEFAULT_PORT)
        tls_port = self._port("squid_tls_port", self._values.get("squid_tls_port") or None, None)
        if port is not None and port == tls_port:
            self._mistake("squid_tls_port", port, "is also squid_port; give the TLS listener a port of its own")
        return Proxy(
            name=self._host,
            addresses=self._addresses("squid_addresses"),
            sources=self._addresses("squid_src", source=True) if self._values.get("squid_src") else None,
            port=port or DEFAULT_PORT,
            tls_port=tls_port,
            parents=self._parents(),
            auth=_is_true(self._values.get("squid_auth_enabled", False)),
        )

    def sensor(self) -> Sensor:
        via = self._values.get("sensor_proxy_via")
        return Sensor(
            name=self._host,
            addresses=self._addresses("sensor_proxy_src", source=True),
            via=str(via) if via else None,
            username=self._username("sensor_proxy_username", self._values.get("sensor_proxy_username")),
        )

    def _mistake(self, variable: str, value: object, problem: str) -> None:
        self._mistakes.append(f"{self._host}: {variable} {value!r} {problem}.")

    def _addresses(self, variable: str, source: bool = False) -> list[Address]:
        """Read a list of addresses (or one), falling back to ansible_host and then to the host's name."""
        given = self._values.get(variable)
        if not given:
            given = self._values.get("ansible_host", self._host)
            hint = f"; set {variable} to the address that its traffic has"
            variable = "ansible_host"
        else:
            hint = ""
        found = []
        for value in given if isinstance(given, list) else [given]:
            try:
                address = parse_address(value)
            except ValueError:
                self._mistake(variable, str(value), f"is not a valid address{hint}")
                continue
            problem = source_problem(address) if source else None
            if problem:
                self._mistake(variable, str(value), f"{problem}{hint}")
                continue
            found.append(address)
        return found

    def _port(self, variable: str, value: object, default: int | None) -> int | None:
        if value is None:
            return default
        try:
            port = int(str(value))
        except ValueError:
            port = 0
        if not 1 <= port <= 65535:
            self._mistake(variable, value, "is not a port; give a number from 1 to 65535")
            return default
        return port

    def _username(self, variable: str, value: object) -> str | None:
        if value is None or value == "":
            return None
        problem = username_problem(str(value))
        if problem:
            self._mistake(variable, str(value), problem)
            return None
        return str(value)

    def _parents(self) -> list[Parent]:
        given = self._values.get("squid_parents") or []
        if not isinstance(given, list):
            self._mistake("squid_parents", given if isinstance(given, str) else type(given).__name__, "is not a list")
            return []
        return [parent for entry in given if (parent := self._parent(entry)) is not None]

    def _parent(self, entry: object) -> Parent | None:
        if isinstance(entry, str):
            return Parent(host=str(entry), port=None, username=None, tls=False, tls_ca=None)
        if not isinstance(entry, Mapping) or not entry.get("host"):
            self._mistake("squid_parents", _shown(entry), "is neither a host's name nor a mapping with 'host'")
            return None
        unknown = sorted(str(key) for key in entry if key not in _PARENT_KEYS)
        if unknown:
            self._mistake(
                "squid_parents", _shown(entry), f"has the unknown key {unknown[0]!r}; known are {', '.join(sorted(_PARENT_KEYS))}"
            )
        username = self._username("squid_parents.username", entry.get("username"))
        if (username is None) != (not entry.get("password")):
            self._mistake("squid_parents", _shown(entry), "needs both username and password, or neither")
        tls_ca = entry.get("tls_ca")
        if tls_ca is not None and not (str(tls_ca).startswith("/") and not set(str(tls_ca)) & set(" \t\r\n\"'#")):
            self._mistake("squid_parents.tls_ca", str(tls_ca), "is not an absolute path without blanks and quotes")
        return Parent(
            host=str(entry["host"]),
            port=self._port("squid_parents.port", entry.get("port"), None),
            username=username,
            tls=_is_true(entry.get("tls", False)),
            tls_ca=str(tls_ca) if tls_ca else None,
        )


def source_problem(address: Address) -> str | None:
    """Say why traffic cannot come from this address, or return None."""
    if address.ip is None:
        return "is a host name, and Squid refuses its whole configuration when such a name does not resolve"
    if address.ip.is_unspecified or address.ip.is_multicast or address.ip.is_loopback:
        return "is not the address of one host"
    if "%" in address.text:
        return "has a zone, which squid.conf cannot carry"
    return None


def username_problem(username: str) -> str | None:
    """Say why Basic authentication or squid.conf cannot carry this user name, or return None."""
    if len(username) > _names.MAX_LENGTH - len("user:"):
        return f"has {len(username)} characters, and {_names.MAX_LENGTH - len('user:')} fit"
    if not username.isascii() or not username.isprintable() or set(username) & set(" :#%\"'\\"):
        return "has a blank, a colon, a quote, '#', '%', a backslash or a character beyond ASCII"
    return None


def _shown(entry: object) -> object:
    """An entry of squid_parents without its password."""
    if isinstance(entry, Mapping):
        return {str(key): "********" if key == "password" else entry[key] for key in entry}
    return entry


def _is_true(value: object) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "on", "1")
