# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's arguments, sentences and results, on this machine with files of the test's own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.modules import proxy_client_info

from tests.unit.rendered import squid_conf

SENSOR = "192.0.2.1"
RUN_ON = "127.0.0.2"
"""From where the test itself connects."""

Run = Callable[..., dict[str, Any]]


def _log_line(minutes_ago: int, result: str = "TCP_TUNNEL/200") -> str:
    time = datetime.now(timezone.utc) - timedelta(minutes=minutes_ago)
    return f"{time:%Y-%m-%dT%H:%M:%S%z}     41 {SENSOR} - - {result} 5 CONNECT hub.azure-devices.net:443 HIER_NONE/-\n"


@pytest.fixture
def run(run_main: Callable[..., dict[str, Any]], tmp_path: Path) -> Run:
    """Run the module on a proxy with one sensor; with these arguments on top of what it needs."""
    (tmp_path / "squid.conf").write_text(squid_conf({"sensor1": {"sensor_proxy_src": SENSOR}}))

    def run_module(**given: Any) -> dict[str, Any]:
        arguments = {
            "clients": [{"name": "sensor1", "addresses": [SENSOR]}],
            "config_path": str(tmp_path / "squid.conf"),
            "users_path": str(tmp_path / "users"),
            "log_path": str(tmp_path / "access.log"),
        }
        return run_main(proxy_client_info.main, arguments | given)

    return run_module


def test_a_result_is_what_the_documentation_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(_log_line(5) + _log_line(0, "TCP_DENIED/403"))
    result = run()
    documented = yaml.safe_load(proxy_client_info.RETURN)
    assert result.keys() - {"changed", "invocation", "warnings"} == documented.keys()
    (client,) = result["clients"]
    assert client.keys() == documented["clients"]["contains"].keys()
    assert client["rule"].keys() == documented["clients"]["contains"]["rule"]["contains"].keys()
    for entry in ("last", "last_ok"):
        described = documented["clients"]["contains"][entry]["description"]
        assert all(f"C({key})" in described or "likewise" in described for key in client[entry])
    assert (result["changed"], result["rules_problem"], result["warnings"]) == (False, None, [])
    assert (client["rule"]["action"], client["count"], client["refused"]) == ("allow", 2, 1)


def test_the_documented_options_are_those_that_it_takes(run: Run) -> None:
    documented = yaml.safe_load(proxy_client_info.DOCUMENTATION)["options"]
    arguments = run()["invocation"]["module_args"]
    assert arguments.keys() == documented.keys()
    for name in ("endpoint", "log_bytes", "since"):
        assert arguments[name] == documented[name]["default"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_only_reads(run: Run, tmp_path: Path, check_mode: bool) -> None:
    (tmp_path / "access.log").write_text(_log_line(1))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    result = run(_ansible_check_mode=check_mode)
    assert (result["changed"], result["clients"][0]["count"]) == (False, 1)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


def test_how_far_back_is_counted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(_log_line(1500) + _log_line(70) + _log_line(50))
    assert run()["clients"][0]["count"] == 2
    assert run(since=60)["clients"][0]["count"] == 1
    assert run(since=2000)["clients"][0]["count"] == 3
    assert run(log_bytes=len(_log_line(0)) + 1)["clients"][0]["count"] == 1


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        ("download.microsoft.com:443", "http_access allow sensor1"),
        ("hub.azure-devices.net", "http_access allow sensor1"),
        ("download.microsoft.com:80", "http_access deny !https_port"),
        ("example.org", "http_access deny !endpoints"),
        ("[2001:db8::1]:443", "http_access deny !endpoints"),
    ],
)
def test_the_endpoint_asked_for(run: Run, endpoint: str, text: str) -> None:
    assert run(endpoint=endpoint)["clients"][0]["rule"]["text"] == text


@pytest.mark.parametrize("endpoint", ["", "https://a.example/", "a.example:0", "a.example:70000", "a b", "a.example:"])
def test_an_endpoint_that_is_none(run: Run, endpoint: str) -> None:
    result = run(endpoint=endpoint)
    assert result["failed"]
    assert f"{endpoint!r} is neither a host name nor host:port; correct it." in result["msg"]
    assert "exception" not in result


def test_a_proxy_that_is_not_deployed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "squid.conf").unlink()
    result = run()
    assert result["failed"]
    says = "cannot be read (No such file or directory); deploy the proxy first, and run this as root."
    assert result["msg"] == f"{tmp_path}/squid.conf {says}"
    assert "exception" not in result


def test_a_configuration_that_is_a_folder(run: Run, tmp_path: Path) -> None:
    assert run(config_path=str(tmp_path))["msg"].startswith(f"{tmp_path} cannot be read (Is a directory); ")


def test_a_configuration_made_by_hand(run: Run, tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text(_log_line(1))
    (tmp_path / "squid.conf").write_text("http_port 3128\ninclude /etc/squid/conf.d/*.conf\nhttp_access deny all\n")
    result = run()
    says = "line 2 has the directive include, which the role squid of this collection never writes"
    assert result["rules_problem"] == f"{tmp_path}/squid.conf: {says}"
    assert result["warnings"] == [
        f"{tmp_path}/squid.conf: {says}; so nobody can tell whether a refusal in the log is right."
    ]
    (client,) = result["clients"]
    assert (client["rule"], client["count"], client["last_ok"]["status"]) == (None, 1, 200)


def test_nothing_but_a_configuration(run: Run) -> None:
    (client,) = run()["clients"]
    assert (client["last"], client["count"], client["open"]) == (None, 0, 0)


def test_a_user_signs_in(run: Run, tmp_path: Path) -> None:
    login = {"sensor_proxy_username": "plant", "sensor_proxy_password": "x"}
    sensors = {"sensor1": {"sensor_proxy_src": SENSOR} | login}
    (tmp_path / "squid.conf").write_text(squid_conf(sensors, squid_auth_enabled=True))
    clients = [{"name": name, "addresses": [SENSOR], "username": name} for name in ("plant", "other")]
    clients.append({"name": "nobody", "addresses": [SENSOR]})
    found = run(clients=clients)["clients"]
    assert [client["rule"]["action"] for client in found] == ["allow", "deny", "challenge"]


@pytest.mark.parametrize(("known", "action"), [("u1", "allow"), ("u2", "allow"), ("u3", "deny")])
def test_around_a_rotation_the_proxy_may_know_either_user(run: Run, tmp_path: Path, known: str, action: str) -> None:
    login = {"sensor_proxy_username": known, "sensor_proxy_password": "x"}
    sensors = {"sensor1": {"sensor_proxy_src": SENSOR} | login}
    (tmp_path / "squid.conf").write_text(squid_conf(sensors, squid_auth_enabled=True))
    client = {"name": "sensor1", "addresses": [SENSOR], "username": "u2", "previous_username": "u1"}
    assert run(clients=[client])["clients"][0]["rule"]["action"] == action


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")],
    ids=["IPv4", "mapped"],
)
def test_a_connection_that_is_open_now(run: Run, tmp_path: Path, family: socket.AddressFamily, address: str) -> None:
    if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    clients = [{"name": "here", "addresses": [RUN_ON]}]
    with socket.create_server((address, 0), family=family, dualstack_ipv6=family == socket.AF_INET6) as server:
        server.settimeout(5)
        port = server.getsockname()[1]
        (tmp_path / "squid.conf").write_text(squid_conf({"sensor1": {"sensor_proxy_src": SENSOR}}, squid_port=port))
        assert run(clients=clients)["clients"][0]["open"] == 0
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(RUN_ON, 0)),
            server.accept()[0],
        ):
            assert run(clients=clients)["clients"][0]["open"] == 1
