"""STAND-IN for an OT sensor, which cannot be had: its settings, its faults, and what was done to it.

Knows nothing of HTTP. The checks on values are invented; nobody published the real ones.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from access import Access, Rules
from agent import Agent, Way

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?")
_CERTIFICATE_BYTES = 65536


class InvalidError(Exception):
    """The console does not take a value; the text is what it shows."""


@dataclass
class Own:
    """The sensor's own network settings, which somebody who sets the proxy must leave alone."""

    ip: str
    netmask: str
    gateway: str
    dns: str
    hostname: str


@dataclass(frozen=True)
class Uploaded:
    """The client certificate."""

    name: str
    content: bytes


@dataclass
class Proxy:
    """The proxy settings as stored."""

    enabled: bool = False
    host: str = ""
    port: int | None = None
    username: str = ""
    password: str = ""
    certificate: Uploaded | None = None


@dataclass
class Faults:
    """What the sensor does wrong, on a test's order."""

    slow: float = 0.0
    """Seconds before every answer."""
    status: int | None = None
    """Answer everything with this status."""
    down: bool = False
    """Close every connection without an answer."""
    locked: bool = False
    """Let nobody sign in, as after too many failures."""
    reject: str | None = None
    """Refuse every save with this text."""
    expire_once: bool = False
    """End every session just before the next save or upload."""
    ignore_save: bool = False
    """Say that it is saved, and store nothing."""
    no_labels: bool = False
    """Give the fields of the settings screen other labels."""
    cloud: list[str] | None = None
    """The issues that the sensor reports, [] for none; None for what it finds."""

    @staticmethod
    def of(data: object) -> Faults:
        """Return the faults that a JSON object names.

        Raises:
            ValueError: it names others, or gives one a value of another type.
        """
        if not isinstance(data, dict):
            raise ValueError("the body must be a JSON object of faults")
        known = {item.name for item in dataclasses.fields(Faults)}
        if unknown := set(data) - known:
            raise ValueError(f"unknown faults {sorted(unknown)}; known are {sorted(known)}")
        for name, value in data.items():
            kind = {"slow": (int, float), "status": int, "reject": str, "cloud": list}.get(name, bool)
            if value is not None and not isinstance(value, kind):  # type: ignore[arg-type]
                raise ValueError(f"the fault {name} cannot be {value!r}")
        return Faults(**{name: value for name, value in data.items() if value is not None})


def factory(identity: int) -> Own:
    """Return the network settings that make one sensor differ from another."""
    return Own(
        ip=f"10.77.{identity // 250}.{1 + identity % 250}",
        netmask="255.255.0.0",
        gateway="10.77.255.254",
        dns=f"10.77.254.{1 + identity % 250}",
        hostname=f"sensor-{identity}",
    )


class Sensor:
    """One sensor. Every method may be called from any thread."""

    def __init__(self, generation: str, identity: int, rules: Rules, agent: Callable[[Sensor], Agent]) -> None:
        self.generation = generation
        self.identity = identity
        self.access = Access(rules)
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._revision = 0
        self._foreign: set[str] = set()
        self.own = factory(identity)
        self._factory = dataclasses.replace(self.own)
        self.proxy = Proxy()
        self.agent = agent(self)

    def settings(self) -> tuple[Own, Proxy]:
        """Return a copy of what is stored."""
        with self._lock:
            return dataclasses.replace(self.own), dataclasses.replace(self.proxy)

    def way(self) -> tuple[int, Way | None]:
        """Return the revision of the settings and the proxy they name, None for none."""
        with self._lock:
            proxy = self.proxy
            way = Way(proxy.host, proxy.port or 0, proxy.username, proxy.password) if proxy.enabled else None
            return self._revision, way

    def save(self, own: Mapping[str, str], proxy: Mapping[str, Any]) -> None:
        """Store what a client saved; a name that is missing stays as it is.

        Raises:
            InvalidError: a value cannot be stored, so nothing was.
        """
        with self._lock:
            wanted_own = dataclasses.replace(self.own, **own)
            wanted = dataclasses.replace(self.proxy, **proxy)
            try:
                self._check(wanted_own, wanted)
            except InvalidError:
                self.counts["rejected"] += 1
                raise
            if self.faults.ignore_save:
                self.counts["ignored"] += 1
                return
            self._store(wanted_own, wanted)
            self.counts["saves"] += 1
            self.counts["uploads"] += "certificate" in proxy
        self.agent.start()

    def upload(self, name: str, content: bytes) -> None:
        """Store a client certificate by itself.

        Raises:
            InvalidError: it cannot be one.
        """
        certificate = checked_certificate(name, content)
        with self._lock:
            if self.faults.ignore_save:
                self.counts["ignored"] += 1
                return
            self.proxy.certificate = certificate
            self.counts["uploads"] += 1

    def expire_if_ordered(self) -> None:
        """Carry out the fault expire_once."""
        with self._lock:
            if self.faults.expire_once:
                self.faults.expire_once = False
                self.access.end()

    def count(self, name: str) -> None:
        """Count an event."""
        with self._lock:
            self.counts[name] += 1

    def reset(self, data: Mapping[str, Any]) -> None:
        """Become as new, or as new with the given settings: {"own": {...}, "proxy": {...}}.

        Raises:
            ValueError: there are no such settings.
        """
        try:
            own = dataclasses.replace(factory(self.identity), **data.get("own", {}))
            proxy = Proxy(**data.get("proxy", {}))
        except TypeError as error:
            raise ValueError(f"these settings do not exist: {error}") from None
        with self._lock:
            self._factory, self.own, self.proxy = dataclasses.replace(own), own, proxy
            self.faults = Faults()
            self.counts.clear()
            self._foreign.clear()
            self._revision += 1
        self.access.reset()
        self.agent.start()

    def state(self) -> dict[str, Any]:
        """Return everything, the stored password included, for a test to look at."""
        with self._lock:
            certificate = self.proxy.certificate
            shown = dataclasses.asdict(dataclasses.replace(self.proxy, certificate=None))
            if certificate:
                digest = hashlib.sha256(certificate.content).hexdigest()
                shown["certificate"] = {"name": certificate.name, "sha256": digest}
            return {
                "generation": self.generation,
                "identity": self.identity,
                "proxy": shown,
                "own": dataclasses.asdict(self.own),
                "foreign_changed": sorted(self._foreign),
                "counts": dict(self.counts),
                "faults": dataclasses.asdict(self.faults),
                "locked": self.access.locked(),
                "cloud": self.agent.latest(),
            }

    def _store(self, own: Own, proxy: Proxy) -> None:
        before, after = dataclasses.asdict(self._factory), dataclasses.asdict(own)
        self._foreign |= {name for name in after if after[name] != before[name]}
        self.own, self.proxy = own, proxy
        self._revision += 1

    def _check(self, own: Own, proxy: Proxy) -> None:
        if self.faults.reject is not None:
            raise InvalidError(self.faults.reject)
        for label, address in (("IP Address", own.ip), ("Default Gateway", own.gateway), ("DNS", own.dns)):
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise InvalidError(f"Invalid value for {label}") from None
        if (proxy.enabled or proxy.host) and not _HOST.fullmatch(proxy.host):
            raise InvalidError("Invalid value for Proxy Host")
        if (proxy.port is None and proxy.enabled) or (proxy.port is not None and not 1 <= proxy.port <= 65535):
            raise InvalidError("Invalid value for Proxy Port")


def port_of(text: object) -> int | None:
    """Return the port that a client sent, None for none.

    Raises:
        InvalidError: it is not a number.
    """
    if text is None or text == "":
        return None
    if isinstance(text, bool) or not isinstance(text, (int, str)) or not re.fullmatch(r"[0-9]{1,6}", str(text)):
        raise InvalidError("Invalid value for Proxy Port")
    return int(text)


def checked_certificate(name: str, content: bytes) -> Uploaded:
    """Return an uploaded file as the certificate; the real console's check of its content is not known.

    Raises:
        InvalidError: it is empty or too large.
    """
    if not content or len(content) > _CERTIFICATE_BYTES:
        raise InvalidError("Invalid value for Client certificate")
    return Uploaded(name, content)
