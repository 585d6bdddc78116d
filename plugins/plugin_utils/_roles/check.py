# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of one role on one host: each as its type, and every mistake in them.

Private to this collection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from ...module_utils._console import labels
from ...module_utils._console.model import UnexpectedError
from ...module_utils._probe.walk_all import split
from .._chain import addresses, endpoints
from .._chain import names as chain_names
from .._chain.inventory import sentence
from .._watch import probes
from . import arguments

Values = dict[str, Any]

PLACES = {"squid": "proxies", "proxy_vip": "proxies", "chain_watch": "proxies", "sensor_proxy": "sensors"}
"""Where the topology has the hosts of the roles that read from it."""


def check(role: str, host: str, given: Mapping[str, Any]) -> tuple[Values, list[str]]:
    """Return the typed values by their variable's name, and what is wrong with each that is not among them."""
    options = arguments.options(role)
    typed: Values = {}
    mistakes = []
    for variable, value in given.items():
        try:
            typed[variable] = _in_range(variable, arguments.convert(variable, options[variable], value))
        except ValueError as error:
            shown = "********" if options[variable].get("no_log") else value
            mistakes.append(sentence(host, variable, shown, str(error)))
    return typed, mistakes


def _in_range(variable: str, value: Any) -> Any:
    if variable in RANGES:
        low, high = RANGES[variable]
        if not low <= value <= high:
            raise ValueError(f"is out of its range; give a number from {low} to {high}")
    return value


def unset_problems(host: str, unset: Mapping[str, str]) -> list[str]:
    """Return what is wrong with variables that have a template of something that is not there."""
    problems = {name: f"{name} cannot be rendered: {problem}" for name, problem in unset.items()}
    return [f"{host}: {problem}" for problem in dict.fromkeys(problems.values())]


def decided(typed: Values) -> Values:
    """Return the values with a sensor's ``auto`` decided: a console is signed in at where somebody's password for it is known."""
    if typed.get("sensor_proxy_state") != "auto":
        return typed
    return {**typed, "sensor_proxy_state": "present" if typed["sensor_proxy_console_password"] else "handoff"}


def contradictions(role: str, host: str, typed: Values, document: object = None) -> list[str]:
    """Return what is wrong with values that are right by themselves.

    Args:
        role: name of the role.
        host: name of the host, for the sentences.
        typed: the values of all of the role's variables.
        document: what is in the endpoint file of the role squid.
    """
    return [f"{host}: {problem}" for problem in _PROBLEMS[role](typed, document)] if role in _PROBLEMS else []


def placed(
    role: str,
    typed: Values,
    entry: Mapping[str, Any] | None,
    proxies: Mapping[str, Mapping[str, Any]],
    pairs: Mapping[str, Mapping[str, Any]] | None = None,
    host: str = "",
) -> Values:
    """Return what the host's place in the topology adds, as role_arguments documents it.

    Args:
        role: name of the role.
        typed: the values of all of the role's variables.
        entry: what the topology has of the host; None where it is not in it, or there is none.
        proxies: all proxies of the topology, each with its ``addresses``.
        pairs: all pairs of the topology.
        host: name of the host.
    """
    if role == "sensor_proxy":
        hop, path = (entry or {}).get("proxy", {}), (entry or {}).get("path", [])
        return {
            "host": typed["sensor_proxy_host"] or hop.get("address", ""),
            "port": typed["sensor_proxy_port"] or hop.get("port", 0),
            "path": path,
            "first_hop": (pairs or {}).get(path[0], {"members": path[:1]})["members"] if path else [],
        }
    if entry is None:
        return {}
    if role == "proxy_vip":
        return {"pair": pairs[entry["pair"]]} if pairs and "pair" in entry else {}
    if role == "chain_watch":
        found = probes.probes_of(
            entry, typed["chain_watch_proxy_address"], typed["chain_watch_endpoints"], typed["chain_watch_ca_path"]
        )
        known_as = entry.get("pair") or host
        where = typed["chain_watch_address"], typed["chain_watch_site"]
        return {"acl": entry["acl"], "probes": found, "targets": probes.targets_of(host, known_as, *where, found)}
    parents = entry["parents"]
    proxies_own = ["127.0.0.1", *(address for each in proxies.values() for address in each["addresses"])]
    return {
        # What it has of its clients may be long, and a result is copied for each task.
        "proxy": {key: value for key, value in entry.items() if key != "clients"},
        # TLS options on the GnuTLS build are silently ignored.
        "needs_openssl": bool(typed["squid_tls_port"]) or any(parent["tls"] for parent in parents),
        "has_named_parent": not all(addresses.is_address(parent["address"]) for parent in parents),
        # Whoever has a parent looks no name up.
        "proxy_addresses": [] if parents else list(dict.fromkeys(filter(addresses.is_address, proxies_own))),
    }


def derived(values: Values, document: object = None) -> Values:
    """Return what follows from the endpoints of the role squid, as role_arguments documents it.

    Raises:
        ValueError: what is wrong with the endpoints, or with those that may lead inside.
    """
    allowed = _allowed(values, document)
    named = [name for name in allowed if not name.startswith(".")]
    probed = values["squid_probe_endpoints"] or named[:2] or [f"probe{allowed[0]}"]
    return {"allowed": allowed, "inside": _inside(values), "probed": probed, "learning": _learns(values)}


def _learns(values: Values) -> bool:
    """Whether clients may ask for more than the endpoints today."""
    text = values.get("squid_learn_until")
    if not text:
        return False
    today = _today()
    try:
        # Newer Pythons read other forms too, which are in another order as texts.
        left = (date.fromisoformat(text if len(text) == 10 and text[4] == "-" == text[7] else "") - today).days
    except ValueError:
        raise ValueError(f"squid_learn_until is {text!r}; give a date like {today}, or empty it.") from None
    if left > _LONGEST_LESSON:
        raise ValueError(
            f"squid_learn_until is {text}, and a proxy learns for {_LONGEST_LESSON} days at most; give an earlier date."
        )
    return left >= 0


_LONGEST_LESSON = 92
"""Days."""


def _today() -> date:
    return datetime.now(timezone.utc).date()


def learns_blindly(host: str, values: Values, place: Mapping[str, Any]) -> list[str]:
    """Say so where nobody would see what is learned, or keep it from leading inside."""
    if not values.get("squid_learn_until") or "proxy" not in place:
        return []
    others = [parent["name"] for parent in place["proxy"]["parents"] if parent["kind"] == "external"]
    why = (
        f"its next hop {others[0]} is not in the inventory, so that no proxy here sees whether a name leads inside"
        if others
        else ""
    )
    if place["proxy"]["kind"] != "host":
        why = "it is a scale set, whose log and configuration no run reads"
    return [f"{host}: squid_learn_until is set, but {why}; empty it."] if why else []


def _allowed(values: Values, document: object) -> list[str]:
    if values["squid_endpoints_file"] and document is not None:
        names = endpoints.names_in(document)
        if not names:
            raise ValueError("the endpoint file holds no host name and no URL; download it again from the portal.")
    else:
        names = values["squid_endpoints"]
    found = endpoints.allow_list(names + values["squid_extra_endpoints"])
    if not found:
        raise ValueError("squid_endpoints is empty; name the endpoints that clients may reach.")
    return found


def _check_probes(values: Values, document: object) -> None:
    allowed = _allowed(values, document)
    refused = [
        name for name in filter(_is_probe, values["squid_probe_endpoints"]) if not endpoints.is_allowed(name, allowed)
    ]
    if refused:
        raise ValueError(
            f"squid_probe_endpoints has {', '.join(refused)}, which this proxy itself refuses, so that nothing could be proven; "
            "add it to squid_extra_endpoints, or probe another."
        )


def _inside(values: Values) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": "", "networks": [str(network) for network in addresses.INSIDE]}]
    # The way back reads no more than it needs.
    for entry in values.get("squid_private_endpoints", []):
        if (
            not isinstance(entry, Mapping)
            or entry.keys() != {"name", "networks"}
            or not isinstance(entry["networks"], list)
        ):
            raise ValueError(f"squid_private_endpoints has {entry!r}; each entry is a name and a list of networks.")
        (name,) = endpoints.allow_list([entry["name"]])
        try:
            gaps = [ipaddress.ip_network(network) for network in entry["networks"]]
        except ValueError as error:
            raise ValueError(
                f"squid_private_endpoints, {entry['name']}: {error}; give networks like 10.1.2.0/24."
            ) from None
        found.append({"name": name, "networks": [str(network) for network in addresses.inside_without(gaps)]})
    return found


def _squid(values: Values, document: object) -> Iterator[str]:
    paths = (values["squid_tls_certificate"], values["squid_tls_private_key"])
    if values["squid_tls_port"] and not all(path.startswith("/") for path in paths):
        yield "squid_tls_port needs squid_tls_certificate and squid_tls_private_key, paths of files on the proxy."
    for derive in (lambda: _check_probes(values, document), lambda: _inside(values), lambda: _learns(values)):
        try:
            derive()
        except ValueError as error:
            yield str(error)
    for variable, (is_one, problem) in _FORMS.items():
        value = values[variable]
        if not all(map(is_one, value if isinstance(value, list) else filter(None, [value]))):
            yield f"{variable} {problem}."


def _is_path(text: str) -> bool:
    return text.startswith("/") and chain_names.text_problem(text) is None


def _is_host(text: str) -> bool:
    try:
        return "/" not in text and bool(addresses.parse_address(text))
    except ValueError:
        return False


_is_label = re.compile(r"[\w .-]{1,100}").fullmatch
_is_probe = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{,252}").fullmatch

_PATH = "must be the path of a file on the proxy, from / on, without blanks, quotes, '#', '%', '@@' and backslashes"
_FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "squid_tls_certificate": (_is_path, _PATH),
    "squid_tls_private_key": (_is_path, _PATH),
    # What stands between two @@ is replaced by a secret.
    "squid_auth_realm": (
        re.compile(r'(?!.*@@)[^#"\\]{1,200}').fullmatch,
        "must be at most 200 characters, without #, double quotes, backslashes and @@",
    ),
    "squid_listen_addresses": (addresses.is_address, "has something other than IP addresses"),
    "squid_probe_endpoints": (
        _is_probe,
        "must be host names that squid_endpoints allows, without wildcards and ports",
    ),
    "squid_remote_syslog_host": (_is_host, "must be an IP address or a host name"),
}
"""What a text that reaches a file of Squid's, or of what runs beside it, must be like."""

RANGES: dict[str, tuple[float, float]] = {
    "squid_connect_timeout": (1, 3600),
    "squid_parent_connect_timeout": (1, 60),
    "squid_parent_fail_limit": (0, 1_000_000),
    "squid_tunnel_idle_timeout": (1, 2_592_000),
    "squid_workers": (1, 64),
    # What systemd may give a service, unless the kernel was told otherwise.
    "squid_max_filedescriptors": (1024, 1_048_576),
    "squid_client_max_connections": (16, 1_048_576),
    "squid_shutdown_lifetime": (0, 3600),
    "squid_logrotate_days": (0, 3650),
    "squid_apt_cache_valid_time": (0, 2_147_483_647),
    "proxy_vip_router_id": (1, 255),
    "proxy_vip_check_seconds": (0.1, 30),
    "sensor_proxy_console_timeout": (0.1, 3600),
    "sensor_proxy_browsers": (1, 64),
    "sensor_proxy_cloud_timeout": (0, 86_400),
    "sensor_proxy_cloud_delay": (0, 3600),
    "chain_verify_timeout": (0.1, 3600),
    "chain_verify_parallel": (1, 256),
    "chain_verify_log_minutes": (0, 5_256_000),
    "chain_verify_history": (0, 1000),
    "chain_watch_silent_minutes": (0, 525_600),
    "chain_watch_certificate_days": (0, 3650),
    "azure_proxy_flow_log_retention_days": (0, 365),
    # Azure's run-command, by which instances wait, ends after 90.
    "azure_proxy_drain_minutes": (0, 60),
}
"""The least and the most of each number; what Azure sets limits to is checked with its plan."""


def no_place(role: str, host: str, typed: Values, place: Mapping[str, Any], group: str | None) -> list[str]:
    """Say so where the topology has no place for a host that needs one.

    Args:
        role: name of the role.
        host: name of the host, for the sentences.
        typed: the values of all of the role's variables.
        place: what its place in the topology adds.
        group: the group that it is missing from, None where it is not.
    """
    if role != "sensor_proxy":
        return (
            [f"{host}: it is not in the group '{group}'; put it there, or do not run the role {role} on it."]
            if group
            else []
        )
    if typed["sensor_proxy_state"] == "absent" or (place["host"] and place["port"]):
        return []
    return [
        f"{host}: it is in no group of sensors, so it has no first hop; add it, or set sensor_proxy_host and sensor_proxy_port."
    ]


def _sensor_proxy(values: Values, _document: object) -> Iterator[str]:
    if values["sensor_proxy_state"] == "handoff":
        return
    if not values["sensor_proxy_console_password"]:
        yield (
            "sensor_proxy_console_password is empty; put it into a vaulted variable or into the environment variable "
            "SENSOR_CONSOLE_PASSWORD, or leave sensor_proxy_state at auto and let a person enter the proxy."
        )
    if values["sensor_proxy_transport"] == "http" and not values["sensor_proxy_profile"]:
        yield (
            "sensor_proxy_transport is http, but sensor_proxy_profile names no console profile; make one with the "
            "playbook learn_console."
        )
    try:
        labels.DOCUMENTED.merge(values["sensor_proxy_labels"])
    except UnexpectedError as error:
        yield f"sensor_proxy_{error}."


def _chain_verify(values: Values, _document: object) -> Iterator[str]:
    key = values["chain_verify_signing_key"]
    if key and not Path(key).expanduser().is_file():
        yield f"chain_verify_signing_key is {key!r}, and no such file is where Ansible runs; correct the path, or empty it."


def _chain_watch(values: Values, _document: object) -> Iterator[str]:
    site = values["chain_watch_site"]
    for variable in ("chain_watch_address", "chain_watch_proxy_address"):
        if not addresses.is_address(values[variable]):
            yield f"{variable} is {values[variable]!r}; give an IP address of the proxy's own."
    for scraper in values["chain_watch_scrapers"]:
        try:
            ipaddress.ip_network(scraper)
        except ValueError as error:
            yield f"chain_watch_scrapers has {scraper!r}: {error}; give addresses, or networks like 10.1.2.0/24."
    for endpoint in values["chain_watch_endpoints"]:
        try:
            split(endpoint)
        except ValueError as error:
            yield f"chain_watch_{error}."
    if values["chain_watch_ca_path"] and not _is_path(values["chain_watch_ca_path"]):
        yield f"chain_watch_ca_path {_PATH}."
    if not _is_label(site):
        yield f"chain_watch_site is {site!r}; give up to 100 letters, digits, blanks, dots, '-' and '_'."


def _proxy_vip(values: Values, _document: object) -> Iterator[str]:
    if values["proxy_vip_state"] == "present" and not values["proxy_vip_name"]:
        yield "proxy_vip_name is empty; give it to every member of a pair, or do not run the role proxy_vip here."


_PROBLEMS: dict[str, Callable[[Values, object], Iterator[str]]] = {
    "squid": _squid,
    "proxy_vip": _proxy_vip,
    "sensor_proxy": _sensor_proxy,
    "chain_verify": _chain_verify,
    "chain_watch": _chain_watch,
}
