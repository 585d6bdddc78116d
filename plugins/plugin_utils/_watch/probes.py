# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What blackbox_exporter asks on a proxy's host, so that each link of the chain has its own series. Private to this collection.

It sends a CONNECT and speaks TLS through it with the prober ``tcp``, since that of ``http`` can send the proof's token from 0.24 on only.
Tried with 0.23 (Debian 12) and 0.26 (Debian 13).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

from ...module_utils._probe.walk_all import split

PROOF = "@@probe-token@@"
"""Stands for what only the proxy's squid.conf holds."""

_SECONDS = "5s"
_REFUSED_LOGIN = "407"


BLACKBOX_PORT = 9115
MTAIL_PORT = 3903


class Target(TypedDict):
    """An entry of Prometheus's file_sd."""

    targets: list[str]
    labels: dict[str, str]


class Targets(TypedDict):
    """What Prometheus scrapes on one proxy."""

    probes: list[Target]
    exporters: list[Target]
    clients: list[Target]


class Probe(TypedDict):
    """One question, and by which labels its answer is known."""

    module: str
    """Its name in blackbox_exporter's configuration."""
    target: str
    config: dict[str, Any]
    labels: dict[str, str]
    """kind (self, parent, direct, or certificate, which takes any), parent, endpoint, preferred (true or false)."""


def probes_of(entry: Mapping[str, Any], own: str, endpoints: Iterable[str], ca_path: str) -> list[Probe]:
    """Return the probes of one proxy, as the proof walks: through itself, and around it over each next hop.

    Args:
        entry: what the topology has of the proxy.
        own: address at which its Squid listens to the host itself.
        endpoints: each a host or ``host:port``.
        ca_path: file of the CA certificates that sign the endpoints'; empty for the system's.

    Raises:
        ValueError: an endpoint is neither.
    """
    probes = [
        probe
        for endpoint in dict.fromkeys(endpoints)
        for probe in _of_endpoint(entry, own, *split(endpoint), {"ca_file": ca_path} if ca_path else {})
    ]
    if entry["tls_port"]:
        # Whose name is in it is not known here; that it expires is.
        labels = {"kind": "certificate", "parent": "", "endpoint": "", "preferred": "true"}
        probes.append(_probe(labels, f"{_host(own)}:{entry['tls_port']}", _tls({"insecure_skip_verify": True})))
    return probes


def targets_of(proxy: str, known_as: str, address: str, site: str, probes: Iterable[Probe]) -> Targets:
    """Return what Prometheus scrapes.

    Args:
        proxy: its name.
        known_as: by which name it is a parent; that of its pair, if it has one.
        address: where its exporters listen.
        site: the plant.
        probes: what its blackbox_exporter asks.
    """
    labels = {"site": site, "proxy": proxy, "known_as": known_as}
    host = _host(address)
    blackbox = [f"{host}:{BLACKBOX_PORT}"]
    return {
        "probes": [
            {
                "targets": blackbox,
                "labels": {
                    "__param_module": probe["module"],
                    "__param_target": probe["target"],
                    **labels,
                    **probe["labels"],
                },
            }
            for probe in probes
        ],
        "exporters": [{"targets": blackbox, "labels": labels}],
        "clients": [{"targets": [f"{host}:{MTAIL_PORT}"], "labels": labels}],
    }


def _of_endpoint(
    entry: Mapping[str, Any], own: str, host: str, port: int, authority: dict[str, Any]
) -> Iterator[Probe]:
    checked = {"server_name": host, **authority}

    def labels(kind: str, parent: str = "", preferred: bool = True) -> dict[str, str]:
        return {"kind": kind, "parent": parent, "endpoint": f"{host}:{port}", "preferred": str(preferred).lower()}

    # The second header keeps it out of the log.
    headers = {"X-Proxy-Chaining-Probe": PROOF, "X-Proxy-Chaining-Check": "1"}
    yield _probe(labels("self"), f"{_host(own)}:{entry['port']}", _connect(host, port, checked, headers))
    for number, parent in enumerate(entry["parents"]):
        if parent["tls"]:
            authorities = {"ca_file": parent["tls_ca"]} if parent["tls_ca"] else {}
            config = _connect(host, port, {"server_name": parent["tls_name"], **authorities}, inside=False)
            config["tcp"]["tls"] = True
        else:
            config = _connect(host, port, checked, inside=parent["username"] is None)
        yield _probe(
            labels("parent", parent["name"], number == 0), f"{_host(parent['address'])}:{parent['port']}", config
        )
    if not entry["parents"]:
        yield _probe(labels("direct"), f"{host}:{port}", _tls(checked))
        yield _probe(labels("certificate"), f"{host}:{port}", _tls({"server_name": host, "insecure_skip_verify": True}))


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _probe(labels: dict[str, str], target: str, config: dict[str, Any]) -> Probe:
    module = "_".join(filter(None, (labels["kind"], labels["parent"], labels["endpoint"])))
    return {"module": module, "target": target, "config": config, "labels": labels}


def _tls(tls_config: dict[str, Any]) -> dict[str, Any]:
    return {"prober": "tcp", "timeout": _SECONDS, "tcp": {"tls": True, "tls_config": tls_config}}


def _connect(
    host: str, port: int, tls_config: dict[str, Any], headers: Mapping[str, str] | None = None, *, inside: bool = True
) -> dict[str, Any]:
    """A CONNECT, and TLS inside of it; where that cannot be had, an answer is enough, also one that asks for a password.

    The exporter has no password of anybody: who may scrape it chooses where it connects.
    """
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    dialogue: list[dict[str, Any]] = [{"send": f"{line}\r"} for line in [*lines, ""]]
    wanted = "200" if inside else f"(200|{_REFUSED_LOGIN})"
    dialogue += [{"expect": rf"^HTTP/1\.[01] {wanted} "}]
    dialogue += [{"expect": "^$"}, {"starttls": True}] if inside else []
    return {"prober": "tcp", "timeout": _SECONDS, "tcp": {"query_response": dialogue, "tls_config": tls_config}}
