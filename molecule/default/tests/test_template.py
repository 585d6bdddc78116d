"""The template, rendered for many inventories and fed to the Squid of each distribution."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import lab
import pytest

PROXIES = ("ot-default-proxy-1", "ot-default-proxy-2", "ot-default-proxy-3")
RENDER = Path(__file__).parents[2] / "shared" / "render.yml"
USER = {"sensor_proxy_username": "Plant.A-1_x", "sensor_proxy_password": "secret"}
PARENTS: list[Any] = [
    {"host": "proxy.corp.example", "port": 8080, "username": "plant", "password": "a b#c%d"},
    {"host": "192.0.2.9", "port": 3128},
    {"host": "192.0.2.9", "port": 3129},
    {"host": "2001:db8::9", "port": 3128},
]
INVENTORIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "combined": ({"squid_acl_layout": "combined"}, {}),
    "sign in": ({"squid_auth_enabled": True}, USER),
    "combined, sign in": ({"squid_acl_layout": "combined", "squid_auth_enabled": True}, USER),
    "parents": ({"squid_parents": PARENTS}, {}),
    "addresses": (
        {"squid_listen_addresses": ["10.0.0.250", "127.0.0.1"]},
        {"sensor_proxy_src": ["10.0.0.7", "10.0.0.8"]},
    ),
    "endpoints": (
        {"squid_endpoints": ["*.example.net", "a.example.net", ".b.example.net", "https://c.example.org/x"]},
        {},
    ),
    "workers": ({"squid_workers": 2, "squid_remote_syslog_host": "192.0.2.5", "squid_forwarded_for": "on"}, {}),
}


@pytest.mark.parametrize("case", sorted(INVENTORIES))
def test_squid_takes_what_the_template_makes(case: str, tmp_path: Path) -> None:
    proxy_variables, sensor_variables = INVENTORIES[case]
    sensors = {
        "sensor1": {"sensor_proxy_src": "10.0.0.1"},
        "X" * 62: {"sensor_proxy_src": "10.0.0.2"},
        "plant:7/sensor@b": {"sensor_proxy_src": "10.0.0.3"},
        "plain": {"sensor_proxy_src": "10.0.0.4", **sensor_variables},
    }
    if USER.items() <= sensor_variables.items():
        sensors = {name: {**variables, **USER} for name, variables in sensors.items()}
    proxies = {"site": {"squid_addresses": ["10.0.0.250/24"]}}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(
        json.dumps({"all": {"children": {"proxies": {"hosts": proxies}, "sensors": {"hosts": sensors}}}})
    )
    rendered = tmp_path / "squid.conf"
    # Extra variables, since the role's defaults come as the play's variables here.
    variables = json.dumps({"render_to": str(rendered), **proxy_variables})
    done = subprocess.run(
        ["ansible-playbook", "-i", str(inventory), "-e", variables, str(RENDER)],
        env=os.environ | {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    content = re.sub("@@probe-[a-z]+@@", "0" * 32, rendered.read_text())
    content = content.replace("@@parent:proxy.corp.example@@", "a%20b")
    assert "@@" not in content
    assert ("acl clients src" in content) == ("combined" in case)
    assert ("proxy_auth" in content) == ("sign in" in case)
    assert ("never_direct allow all" in content) == (case == "parents")
    for proxy in PROXIES:
        parsed = lab.run(
            proxy, "sh", "-c", "cat >/etc/squid/test.conf; squid -k parse -f /etc/squid/test.conf", stdin=content
        )
        lab.output(proxy, "rm", "/etc/squid/test.conf")
        assert parsed.returncode == 0, parsed.stderr
        found = [line for line in parsed.stderr.splitlines() if "ERROR" in line or "FATAL" in line]
        assert found == [], f"{proxy}: {found}"
