# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""squid.conf as the role renders it for an inventory, with Ansible's own filters but without its engine; for tests."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.filter import core, mathstuff
from ansible.plugins.test import core as tests
from ansible_collections.ot_security.proxy_chaining.plugins.filter.admissions import admissions
from ansible_collections.ot_security.proxy_chaining.plugins.filter.passwords import passwords
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import graph_file, topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import check
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.nativetypes import NativeEnvironment
from jinja2.sandbox import SandboxedEnvironment

ROLE = Path(topology.__file__).parents[3] / "roles/squid"
PROXY = "site"
"""Name of the proxy whose configuration it is; its address is 192.0.2.250, unless its variables say otherwise."""

PROBE_TOKEN = "0123456789abcdef" * 2

Hosts = Mapping[str, Mapping[str, Any]]


def squid_conf(sensors: Hosts, children: Hosts | None = None, **variables: Any) -> str:
    """Return the configuration of PROXY.

    Args:
        sensors: name and variables of each sensor behind it.
        children: the same of each proxy behind it.
        variables: what the inventory says of PROXY.
    """
    variables = {"squid_addresses": ["192.0.2.250/24"], **variables}
    proxies = {PROXY: variables, **(children or {})}
    sensors = {name: {"sensor_proxy_via": PROXY, **given} for name, given in sensors.items()}
    graph = topology.derive({**proxies, **sensors}, list(proxies), list(sensors))
    assert graph["mistakes"] == []
    return of_graph(graph, PROXY, **variables)


def of_graph(
    graph: Mapping[str, Any], proxy: str, *, running: Mapping[str, Any] | None = None, **variables: Any
) -> str:
    """Return the configuration of a proxy of a topology.

    Args:
        graph: the topology.
        proxy: its name.
        running: what the host runs, where who leaves is to be kept.
        variables: what the inventory says of the proxy, and what its role is given.
    """
    rendered: str = _template("squid.conf.j2").render(_known(graph, proxy, running, variables))
    return rendered.replace("@@probe-token@@", PROBE_TOKEN)


def firewall_of(graph: Mapping[str, Any], proxy: str, **variables: Any) -> str:
    """Return the rules of nftables of a proxy of a topology."""
    rendered: str = _template("firewall.nft.j2").render(_known(graph, proxy, None, variables))
    return rendered


def users_of(graph: Mapping[str, Any], proxy: str, hostvars: Hosts, **variables: Any) -> dict[str, str]:
    """Return the passwords of the users that a proxy of a topology is given, by their names."""
    known = _known(graph, proxy, None, variables) | {"hostvars": hostvars}
    return {user["username"]: user["password"] for user in _expression("__squid_users", known)}


def ufw_of(graph: Mapping[str, Any], proxy: str, shown: str, **variables: Any) -> tuple[list[Any], list[Any]]:
    """Return address and port of the rules that ufw is to have, and of those that it has of what ``ufw show added`` printed."""
    known = _known(graph, proxy, None, variables) | {"__squid_ufw": {"stdout": shown}}
    known["__squid_ufw_mark"] = _role_file("vars")["__squid_ufw_mark"]
    return _expression("__squid_ufw_wanted", known), _expression("__squid_ufw_known", known)


def unwanted_of(
    graph: Mapping[str, Any], proxy: str, files: Mapping[str, Any], phase: str, **variables: Any
) -> list[str]:
    """Return the files of those that a host has which the role removes."""
    known = _known(graph, proxy, None, variables) | {"__squid_host": {"files": files}, "squid_phase": phase}
    paths = {name: value for name, value in _role_file("vars").items() if str(value).startswith("/")}
    known["__squid_unwanted_files"] = _expression("__squid_unwanted_files", known | paths)
    found: list[str] = _expression("__squid_leftovers", known)
    return found


def admitted(
    graph: Mapping[str, Any], proxy: str, *, running: Mapping[str, Any] | None = None, **variables: Any
) -> dict[str, Any]:
    """Return whom a proxy of a topology admits, of what of_graph is given."""
    found: dict[str, Any] = _known(graph, proxy, running, variables)["__squid_admitted"]
    return found


def _known(
    graph: Mapping[str, Any], proxy: str, running: Mapping[str, Any] | None, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return those of the role's variables that the template reads."""
    entry = graph["proxies"][proxy]
    known = {"__squid": arguments(variables, graph, proxy), "__squid_proxy": entry, "__squid_host": running}
    topology_result = {"file": graph_file.keep(graph), "proxies": graph["proxies"]}
    known |= {"topology_result": topology_result, "inventory_hostname": proxy}
    known |= {"squid_phase": "begin" if running else "whole", "__squid_changed": False}
    known["squid_arrived"] = variables.get("squid_arrived", [])
    for name in ("__squid_parents_program", "__squid_guesses_program"):
        known[name] = _role_file("vars")[name]
    known["__squid_tls_options"] = _expression("__squid_tls_options", known)
    known["__squid_admitted"] = _expression("__squid_admits", known)
    return known


def _expression(name: str, known: Mapping[str, Any]) -> Any:
    return _expressions().from_string(_role_file("vars")[name].removesuffix("\n")).render(known)


def arguments(variables: Mapping[str, Any], graph: Mapping[str, Any], proxy: str) -> dict[str, Any]:
    """Return what the module role_arguments makes of the variables of the role squid."""
    typed, mistakes = check.check("squid", PROXY, {**_role_file("defaults"), **variables})
    assert mistakes + check.contradictions("squid", PROXY, typed) == []
    named = {name.removeprefix("squid_"): value for name, value in typed.items()}
    place = check.placed("squid", typed, graph["proxies"][proxy], graph["proxies"])
    return named | check.derived(typed) | place


@functools.cache
def _role_file(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLE / folder / "main.yml").read_text(encoding="utf-8"))
    return found


@functools.cache
def _expressions() -> NativeEnvironment:
    environment = NativeEnvironment(undefined=StrictUndefined)
    environment.filters |= _filters()
    environment.tests |= tests.TestModule().tests()
    return environment


@functools.cache
def _template(name: str) -> Any:
    # As Ansible's template lookup sets it.
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters |= _filters()
    environment.tests |= tests.TestModule().tests()
    environment.globals["lookup"] = lambda _plugin, name: (ROLE / "files" / name).read_text(encoding="utf-8")
    return environment.get_template(name)


def _filters() -> dict[str, Any]:
    found = {**core.FilterModule().filters(), **mathstuff.FilterModule().filters()}
    found |= {f"ansible.builtin.{name}": used for name, used in found.items()}
    ours = {"admissions": admissions, "passwords": passwords}
    return found | {f"ot_security.proxy_chaining.{name}": used for name, used in ours.items()}
