"""A proxy installed from nothing: package, service, files, who gets through and who does not."""

from __future__ import annotations

import re
import stat
import time

import lab
import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://proxies"]

SENSOR = {f"ot-default-proxy-{number}": f"ot-default-sensor{number}" for number in (1, 2, 3)}
STRANGER = "ot-default-stranger"


@pytest.fixture
def name(host: Host) -> str:
    return str(host.backend.get_pytest_id().rpartition("://")[2])


@pytest.fixture
def proxy(name: str) -> str:
    return f"http://{lab.address(name, 'ot-default')}:3128"


def test_package_service_and_port(host: Host) -> None:
    assert host.package("squid").is_installed
    assert host.service("squid").is_enabled
    assert host.service("squid").is_running
    assert host.socket("tcp://:::3128").is_listening or host.socket("tcp://0.0.0.0:3128").is_listening


def test_no_unit_failed(host: Host) -> None:
    assert host.check_output("systemctl is-system-running") == "running"


def test_configuration_is_readable_by_root_and_squid_only(host: Host) -> None:
    config = host.file("/etc/squid/squid.conf")
    assert (config.user, config.group, stat.S_IMODE(config.mode)) == ("root", "proxy", 0o640)


def test_nothing_but_the_factory_copy_lies_beside_it(host: Host) -> None:
    found = set(host.check_output("ls -A /etc/squid").split())
    assert found <= {
        "conf.d",
        "errorpage.css",
        "firewall.nft",
        "logrotate.factory",
        "squid.conf",
        "squid.conf.factory",
        "squid.conf.proven",
    }
    factory = host.file("/etc/squid/squid.conf.factory")
    assert factory.contains("INSERT YOUR OWN RULE")
    assert stat.S_IMODE(factory.mode) == 0o600


def test_package_keeps_its_hands_off(host: Host) -> None:
    before = host.file("/etc/squid/squid.conf").content_string
    host.run_test("DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall squid </dev/null").succeeded  # noqa: B018
    assert host.file("/etc/squid/squid.conf").content_string == before
    assert host.service("squid").is_running


def test_acl_lines(host: Host, name: str) -> None:
    sensor, address = SENSOR[name], lab.address(SENSOR[name], "ot-default")
    lines = host.file("/etc/squid/squid.conf").content_string.splitlines()
    if name == "ot-default-proxy-1":
        assert f"acl {sensor} src {address}" in lines
        assert f"http_access allow {sensor}" in lines
    else:
        assert f"acl clients src {address} # {sensor}" in lines
        assert "http_access allow clients" in lines
    rules = [line for line in lines if line.startswith("http_access")]
    assert rules[-1] == "http_access deny all"


@pytest.mark.parametrize("endpoint", ["hub.azure-devices.net", "download.microsoft.com"])
def test_sensor_reaches_an_allowed_endpoint(name: str, proxy: str, endpoint: str) -> None:
    visit = lab.visit(SENSOR[name], proxy, endpoint)
    assert (visit.connect, visit.body) == (200, f"endpoint {endpoint}")


@pytest.mark.parametrize(("endpoint", "port"), [("www.example.com", 443), ("hub.azure-devices.net", 8443)])
def test_sensor_is_refused_elsewhere(name: str, proxy: str, endpoint: str, port: int) -> None:
    direct = lab.run(SENSOR[name], "curl", "-sk", f"https://{endpoint}:{port}/")
    assert direct.stdout == f"endpoint {endpoint}{'' if port == 443 else f':{port}'}\n", (
        "the endpoint itself must answer"
    )
    visit = lab.visit(SENSOR[name], proxy, endpoint, port=port)
    assert (visit.connect, visit.body) == (403, "")


def test_plain_http_and_the_cache_manager_are_refused(name: str, proxy: str) -> None:
    for url in ("http://hub.azure-devices.net/", f"{proxy}/squid-internal-mgr/info"):
        status = lab.run(SENSOR[name], "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--proxy", proxy, url)
        assert status.stdout == "403", url


def test_stranger_is_refused(name: str, proxy: str) -> None:
    visit = lab.visit(STRANGER, proxy, "hub.azure-devices.net")
    # All have a firewall: the stranger does not even reach the port. The other scenarios have none and see a 403.
    assert (visit.connect, visit.body) == (0, "")


def test_nftables_leaves_everything_else_alone(name: str) -> None:
    """Only the proxy's own port is filtered: other TCP ports and UDP (DNS, NTP) must pass, from anybody."""
    if name == "ot-default-proxy-1":
        pytest.skip("ufw's own default policy rules on this proxy")
    listen = (
        "import socket; u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('', 9999)); u.settimeout(20);"
        "t = socket.create_server(('', 9999)); t.settimeout(20); t.accept(); print(u.recv(9).decode(), flush=True)"
    )
    lab.output(name, "sh", "-c", f'(python3 -c "{listen}" >/tmp/other-port 2>&1 &) ; sleep 1')
    address = lab.address(name, "ot-default")
    send = (
        f"import socket; u = socket.socket(type=socket.SOCK_DGRAM); u.sendto(b'udp', ('{address}', 9999));"
        f"socket.create_connection(('{address}', 9999), timeout=10)"
    )
    lab.output(STRANGER, "python3", "-c", send)
    time.sleep(1)
    assert lab.output(name, "cat", "/tmp/other-port").strip() == "udp"


def test_knowing_of_the_probe_opens_nothing(name: str, proxy: str, host: Host) -> None:
    token = host.check_output("sed -n 's/^acl probe_token .*\\^\\(.*\\)\\$$/\\1/p' /etc/squid/squid.conf")
    assert len(token) == 32
    header = ("--proxy-header", f"X-Proxy-Chaining-Probe: {token}")
    assert lab.visit(STRANGER, proxy, "hub.azure-devices.net", options=header).connect == 0
    on_the_host = (
        "curl -s -o /dev/null -w '%{http_connect}' --proxy http://127.0.0.1:3128 https://hub.azure-devices.net/"
    )
    assert host.run(on_the_host).stdout == "403"


def test_access_log_names_the_sensor(host: Host, name: str, proxy: str) -> None:
    lab.visit(SENSOR[name], proxy, "hub.azure-devices.net")
    line = host.check_output("grep hub.azure-devices.net:443 /var/log/squid/access.log").splitlines()[-1]
    assert lab.address(SENSOR[name], "ot-default") in line
    if name == "ot-default-proxy-1":
        assert SENSOR[name] in line


def test_log_rotation_keeps_squid_writing(host: Host, name: str, proxy: str) -> None:
    host.check_output("logrotate --force /etc/logrotate.d/squid")
    lab.visit(SENSOR[name], proxy, "hub.azure-devices.net")
    time.sleep(1)
    assert host.file("/var/log/squid/access.log").contains("hub.azure-devices.net:443")
    assert host.file("/var/log/squid/access.log.1").exists


def test_remote_syslog_gets_the_log(name: str, proxy: str) -> None:
    if name == "ot-default-proxy-1":
        pytest.skip("this proxy has no remote syslog")
    listen = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(15); s.bind(('', 514));"
        "print(next(d for d in iter(lambda: s.recv(4096).decode(), '') if 'CONNECT' in d), flush=True)"
    )
    lab.output(STRANGER, "sh", "-c", f'(python3 -c "{listen}" >/tmp/syslog 2>&1 &) ; sleep 1')
    lab.visit(SENSOR[name], proxy, "hub.azure-devices.net")
    time.sleep(2)
    said = lab.output(STRANGER, "cat", "/tmp/syslog")
    address = lab.address(SENSOR[name], "ot-default")
    form = {
        # RFC 5424 has a version before the time.
        "ot-default-proxy-2": rf"<166>1 20.* {address} .* CONNECT hub.azure-devices.net:443 HIER_DIRECT/[0-9.]+\s*",
        "ot-default-proxy-3": rf"<166>[A-Z][a-z]{{2}} .* CEF:0\|squid-cache\|squid\|-\|TCP_TUNNEL/200\|proxy request\|3\|src={address} "
        r"shost=\S+ suser=- act=TCP_TUNNEL/200 in=[0-9]+ requestMethod=CONNECT request=hub.azure-devices.net:443 "
        r"cn1Label=milliseconds cn1=[0-9]+ cs1Label=nextHop cs1=HIER_DIRECT/[0-9.]+\s*",
    }
    assert re.fullmatch(form[name], said), said
    native = r"[0-9]+\.[0-9]{3} +[0-9]+ [0-9.]+ TCP_TUNNEL/200 [0-9]+ CONNECT hub.azure-devices.net:443 - HIER_DIRECT/[0-9.]+ -"
    assert (
        lab.run(
            name, "grep", "--extended-regexp", "--max-count=1", f"^{native}$", "/var/log/squid/native.log"
        ).returncode
        == 0
    )


def test_squid_comes_back_when_it_is_killed(host: Host, name: str, proxy: str) -> None:
    host.check_output("systemctl kill --kill-whom=all --signal=KILL squid")
    deadline = time.monotonic() + 30
    while lab.visit(SENSOR[name], proxy, "hub.azure-devices.net").connect != 200:
        assert time.monotonic() < deadline, "Squid did not come back within 30 s"
        time.sleep(0.5)
