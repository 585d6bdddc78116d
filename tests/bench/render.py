"""Derive a topology and render squid.conf in this very process, as the role does it.

Usage: python -m tests.bench.render SENSORS LAYOUT FILE   Writes the configuration, prints seconds and memory as JSON.
A process of its own for each size, because a process never gives back its peak.
"""

from __future__ import annotations

import json
import resource
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

from tests.bench import lab

init_plugin_loader()
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import graph_file, topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import check
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._trusted import trust_as_template

ROLE = Path(topology.__file__).parents[3] / "roles/squid"


def main(count: int, layout: str, path: Path) -> None:
    """Measure once."""
    hostvars: dict[str, dict[str, Any]] = {
        name: {"sensor_proxy_src": address, "sensor_proxy_via": lab.PROXY} for name, address in lab.sensors(count)
    }
    names = list(hostvars)
    hostvars[lab.PROXY] = {"squid_addresses": ["10.109.0.1/24"]}
    variables = role_variables()
    before = peak_mb()

    start = time.perf_counter()
    graph = topology.derive(hostvars, [lab.PROXY], names)
    derived = time.perf_counter()
    result = {"file": graph_file.keep(graph), "proxies": graph["proxies"]}
    placed = check.placed("squid", {"squid_tls_port": 0}, graph["proxies"][lab.PROXY], graph["proxies"])
    variables |= {
        "squid_phase": "whole",
        "squid_arrived": [],
        "topology_result": result,
        "inventory_hostname": lab.PROXY,
        "__squid": arguments(layout) | placed,
        "__squid_admitted": trust_as_template("{{ __squid_admits }}"),
    }
    template = trust_as_template("{{ lookup('ot_security.proxy_chaining.rendered', 'squid.conf.j2') }}")
    content = Templar(loader=DataLoader(), variables=variables).template(template)
    rendered = time.perf_counter()

    if graph["mistakes"] or lab.LOAD_ADDRESS not in content:
        raise RuntimeError(f"not a usable configuration: {graph['mistakes'][:3]}")
    path.write_text(content.replace("@@probe-token@@", secrets.token_hex(16)))
    figures = {
        "derive": derived - start,
        "render": rendered - derived,
        "peak_mb": peak_mb(),
        "more_mb": peak_mb() - before,
    }
    print(json.dumps(figures))


def role_variables() -> dict[str, Any]:
    """Return what the role itself sees, on a host with Debian 13."""
    variables: dict[str, Any] = trusted(yaml.safe_load((ROLE / "vars/main.yml").read_text()))
    facts = {"distribution": "Debian", "distribution_major_version": "13", "distribution_version": "13"}
    return variables | {"ansible_facts": facts, "ansible_search_path": [str(ROLE)], "role_path": str(ROLE)}


def arguments(layout: str) -> dict[str, Any]:
    """Return what the module role_arguments makes of the role's variables."""
    given = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    given |= {"squid_acl_layout": layout, "squid_private_endpoints": lab.PRIVATE_ENDPOINTS}
    typed, _mistakes = check.check("squid", lab.PROXY, given)
    return {name.removeprefix("squid_"): typed[name] for name in typed} | check.derived(typed)


def trusted(value: Any) -> Any:
    """Mark every text in a file of the role as a template."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def peak_mb() -> float:
    """Return the largest size that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
