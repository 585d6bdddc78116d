# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's arguments, sentences and results, with proxies of the test's own on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.modules import proxy_path_info

from tests.unit.plugins.module_utils.fake_hops import Authority, FakeProxy, closed, secure, serving
from tests.unit.rendered import PROBE_TOKEN, squid_conf

HOST = "a.one.example"
PASSWORD = "s3cret-of-the-plant"

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the tests trust."""
    return Authority(tmp_path_factory.mktemp("plant"), "Plant")


@pytest.fixture
def run(run_main: Callable[..., dict[str, Any]], plant: Authority) -> Run:
    """Run the module with these arguments on top of what it needs."""

    def run_module(**given: Any) -> dict[str, Any]:
        return run_main(proxy_path_info.main, {"endpoints": [HOST], "ca_path": str(plant.path), "timeout": 2, **given})

    return run_module


def hop(port: int, **given: Any) -> dict[str, Any]:
    return {"name": "site", "address": "127.0.0.1", "port": port, **given}


def refused(result: dict[str, Any]) -> str:
    """Return the sentence of a module that failed without a traceback."""
    assert result["failed"]
    assert "exception" not in result
    message: str = result["msg"]
    assert message.endswith(".")
    assert "Traceback" not in message
    return message


def test_a_result_is_what_the_documentation_says(run: Run, plant: Authority) -> None:
    with serving(FakeProxy(behind=secure(plant.issue()))) as port:
        result = run(hops=[hop(port)])
    documented = yaml.safe_load(proxy_path_info.RETURN)
    assert result.keys() - {"changed", "invocation", "warnings"} == documented.keys()
    (endpoint,) = result["endpoints"]
    contains = documented["endpoints"]["contains"]
    assert endpoint.keys() == contains.keys()
    assert endpoint["certificate"].keys() == contains["certificate"]["contains"].keys()
    assert all(f"RV(ignore:{stage})" in " ".join(contains["times"]["description"]) for stage in endpoint["times"])
    assert (result["changed"], result["warnings"]) == (False, [])
    assert (endpoint["verdict"], endpoint["stage"], endpoint["hop"], endpoint["reason"]) == ("ok", None, None, None)


def test_the_documented_options_are_those_that_it_takes(run: Run) -> None:
    documented = yaml.safe_load(proxy_path_info.DOCUMENTATION)["options"]
    given = {"endpoints": [], "hops": [hop(closed())], "timeout": documented["timeout"]["default"]}
    arguments = run(**given)["invocation"]["module_args"]
    assert arguments.keys() == documented.keys()
    for name in ("authorities", "parallel", "own_config"):
        assert arguments[name] == documented[name].get("default")
    assert arguments["hops"][0].keys() == documented["hops"]["suboptions"].keys()


def test_a_broken_path_is_a_result_and_no_failure(run: Run) -> None:
    port = closed()
    result = run(endpoints=[f"{HOST}:8443", "b.two.example"], hops=[hop(port)])
    assert "failed" not in result
    first, second = result["endpoints"]
    assert (first["endpoint"], first["port"], second["endpoint"], second["port"]) == (HOST, 8443, "b.two.example", 443)
    for each in (first, second):
        assert (each["verdict"], each["stage"], each["hop"]) == ("broken", "tcp", "site")
        assert each["reason"] == f"127.0.0.1:{port} refuses the connection; nothing listens there."
        assert each["certificate"] is None


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_walks_in_check_mode_too(run: Run, plant: Authority, check_mode: bool) -> None:
    proxy = FakeProxy(behind=secure(plant.issue()))
    with serving(proxy) as port:
        result = run(hops=[hop(port)], _ansible_check_mode=check_mode)
    assert (result["changed"], result["endpoints"][0]["verdict"], len(proxy.heads)) == (False, "ok", 1)


def test_without_hops_the_endpoint_is_asked_directly(run: Run, plant: Authority) -> None:
    with serving(secure(plant.issue())) as port:
        (endpoint,) = run(endpoints=[f"127.0.0.1:{port}"])["endpoints"]
    assert (endpoint["verdict"], endpoint["times"].keys()) == ("ok", {"resolve", "tcp", "tls"})


def test_a_hop_is_known_by_its_hostname_or_else_by_its_name(run: Run) -> None:
    beyond = {"address": "10.0.0.1", "port": 3128}
    with serving(FakeProxy(b"HTTP/1.1 403 No\r\nVia: 1.1 dmz (squid)\r\n\r\n")) as port:
        hops = [hop(port), {"name": "dmz", **beyond}]
        assert run(hops=hops)["endpoints"][0]["hop"] == "dmz"
        hops = [hop(port), {"name": "outer", "hostname": "dmz", **beyond}]
        assert run(hops=hops)["endpoints"][0]["hop"] == "outer"


def test_a_password_is_sent_and_never_returned(run: Run) -> None:
    proxy = FakeProxy(b"HTTP/1.1 407 No\r\n\r\n")
    with serving(proxy) as port:
        result = run(hops=[hop(port, username="plant", password=PASSWORD)])
    assert result["endpoints"][0]["stage"] == "proxy-auth"
    # base64 of plant:s3cret-of-the-plant
    encoded = "cGxhbnQ6czNjcmV0LW9mLXRoZS1wbGFudA=="
    assert f"Proxy-Authorization: Basic {encoded}".encode() in proxy.heads[0]
    assert not any(secret in json.dumps(result) for secret in (PASSWORD, encoded))


def test_only_these_authorities_may_sign(run: Run, plant: Authority) -> None:
    with serving(FakeProxy(behind=secure(plant.issue()))) as port:
        (endpoint,) = run(hops=[hop(port)], authorities=["Microsoft Corporation"])["endpoints"]
    assert (endpoint["verdict"], endpoint["stage"], endpoint["hop"]) == ("broken", "tls-inspected", "site")


# --- The proxy of this host


def test_the_proxy_of_this_host_is_asked_as_its_configuration_says(run: Run, plant: Authority, tmp_path: Path) -> None:
    proxy = FakeProxy(behind=secure(plant.issue()))
    with serving(proxy) as port:
        (tmp_path / "squid.conf").write_text(squid_conf({}, squid_port=port))
        given = hop(closed(), address="192.0.2.1")
        (endpoint,) = run(hops=[given], own_config=str(tmp_path / "squid.conf"))["endpoints"]
    assert endpoint["verdict"] == "ok"
    assert f"\r\nX-Proxy-Chaining-Probe: {PROBE_TOKEN}\r\n".encode() in proxy.heads[0]


def test_its_refusal_is_known_by_the_name_in_its_configuration(run: Run, tmp_path: Path) -> None:
    beyond = {"name": "dmz", "address": "10.0.0.1", "port": 3128}
    with serving(FakeProxy(b"HTTP/1.1 403 No\r\nVia: 1.1 own.plant (squid)\r\n\r\n")) as port:
        config = squid_conf({}, squid_port=port).replace("visible_hostname site", "visible_hostname own.plant")
        (tmp_path / "squid.conf").write_text(config)
        result = run(hops=[hop(1), beyond], own_config=str(tmp_path / "squid.conf"))
    (endpoint,) = result["endpoints"]
    assert (endpoint["stage"], endpoint["hop"]) == ("proxy-denied", "site")
    assert endpoint["reason"] == f"site, or a hop behind it, refuses CONNECT to {HOST}:443 (403)."
    assert PROBE_TOKEN not in json.dumps(result)


def test_a_proxy_that_is_not_deployed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "squid.conf"
    says = "cannot be read (No such file or directory); deploy the proxy first, and run this as root."
    assert refused(run(hops=[hop(1)], own_config=str(path))) == f"{path} {says}"
    assert refused(run(hops=[hop(1)], own_config=str(tmp_path))).startswith(f"{tmp_path} cannot be read (Is a dir")


def test_a_configuration_that_is_not_ours(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "squid.conf"
    path.write_bytes(b"http_port 3128\n# \xff\n")
    says = "has no rule for tests; deploy it with the role squid of this collection."
    assert refused(run(hops=[hop(1)], own_config=str(path))) == f"{path} {says}"


def test_the_proxy_of_this_host_is_the_first_hop(run: Run, tmp_path: Path) -> None:
    (tmp_path / "squid.conf").write_text(squid_conf({}))
    message = refused(run(own_config=str(tmp_path / "squid.conf")))
    assert message == "own_config is given and hops is empty; let hops begin with the proxy of this host."


# --- Mistakes


@pytest.mark.parametrize("endpoint", ["", "https://a.example/", "a.example:0", "a.example:70000", "a b", "::1"])
def test_an_endpoint_that_is_none(run: Run, endpoint: str) -> None:
    message = refused(run(endpoints=[HOST, endpoint]))
    assert message == f"endpoints: {endpoint!r} is neither a host name nor host:port; correct it."


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none(run: Run, port: int) -> None:
    message = refused(run(hops=[hop(1), hop(port) | {"name": "dmz"}]))
    assert message == f"hops: the port of dmz is {port}; give one from 1 to 65535."


def test_a_limit_that_is_none(run: Run) -> None:
    assert refused(run(timeout=0)) == "timeout is 0 and parallel 8; both must be positive, and timeout 3600 at most."
    assert refused(run(parallel=0)) == "timeout is 2 and parallel 0; both must be positive, and timeout 3600 at most."


@pytest.mark.parametrize("timeout", [1e12, float("inf"), float("nan")])
def test_a_time_that_no_clock_knows(run: Run, timeout: float) -> None:
    assert "timeout" in refused(run(hops=[hop(closed())], timeout=timeout))


@pytest.mark.parametrize("option", ["ca_path", "tls_ca"])
def test_a_file_of_authorities_that_is_not_there(run: Run, tmp_path: Path, option: str) -> None:
    path = str(tmp_path / "ca.pem")
    given = {"ca_path": path} if option == "ca_path" else {"hops": [hop(1, tls=True, tls_ca=path)]}
    says = "is not on this host; put it there or correct the path."
    assert refused(run(**given)) == f"the file of CA certificates {path} {says}"
