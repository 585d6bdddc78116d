"""A squid.conf made by hand and the inventory that the playbook makes of it: both are asked, by the Squid of each distribution."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import lab
import play
import pytest
import yaml

PROXIES = ["ot-default-proxy-1", "ot-default-proxy-2", "ot-default-proxy-3"]
SAMPLES = Path(__file__).parents[3] / "tests/unit/data/squid_conf"
BY_HAND = "/etc/squid/by-hand.conf"
PORTS = {"before": 3901, "after": 3902}
HUB, DOWNLOAD, ELSEWHERE = "hub.azure-devices.net", "download.microsoft.com", "www.example.com"
NETWORKS = ["10.100.0.0/16", "10.104.0.0/16"]
REFUSED = (403, 407)

RENDER = """\
- hosts: proxies
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  roles: [ot_security.proxy_chaining.topology]
  post_tasks:
    - ansible.builtin.import_role: {name: ot_security.proxy_chaining.squid, tasks_from: render}
    - ansible.builtin.copy: {content: "{{ squid_rendered }}", dest: "{{ render_to }}", mode: "0600"}
"""

# Run on the proxy's host: a CONNECT from each source to each endpoint, and the status of each.
ASK = """\
import concurrent.futures, json, socket, sys
def ask(each):
    source, host = each
    with socket.create_connection(("127.0.0.1", PORT), timeout=30, source_address=(source, 0)) as stream:
        stream.sendall(f"CONNECT {host}:443 HTTP/1.1\\r\\nHost: {host}:443\\r\\n\\r\\n".encode())
        return int(stream.recv(100).split()[1])
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(ask, json.load(sys.stdin)))))
"""


class Asked:
    """One configuration made by hand, imported, with a Squid for it and a Squid for what the inventory renders."""

    def __init__(self, proxy: str, folder: Path) -> None:
        self._proxy = proxy
        self._file = folder / "inventory.yml"
        self._folder = folder
        self.output = ""
        self.sensors: dict[str, str] = {}

    def start(self, text: str) -> None:
        """Import the text and start both."""
        _write(self._proxy, BY_HAND, text)
        run = play.playbook(
            "import_squid",
            *("-e", f"import_squid_path={BY_HAND}", "-e", f"import_squid_dest={self._file}", "--limit", self._proxy),
        )
        assert run.code == 0, run.output
        assert run.changed(self._proxy) <= 1, "nothing but the file on this machine"
        self.output = run.output
        children = yaml.safe_load(self._file.read_text())["all"]["children"]
        for group in children["sensors"]["children"].values():
            self.sensors |= {name: host["sensor_proxy_src"] for name, host in group["hosts"].items()}
        self._serve("before", text)
        self._serve("after", self._rendered())

    def _rendered(self) -> str:
        playbook, rendered = self._folder / "render.yml", self._folder / "squid.conf"
        playbook.write_text(RENDER)
        secrets = dict.fromkeys(re.findall(r"\{\{ (\w+) \}\}", self._file.read_text()), "secret")
        # The lab's endpoints are inside, and a hand-made file knows no such limit.
        domains = ("*.azure-devices.net", "*.windows.net", "*.microsoft.com", "*.example.com", "*.example.net")
        private = [{"name": domain, "networks": ["10.96.0.0/11"]} for domain in domains]
        variables = json.dumps({"render_to": str(rendered), "squid_private_endpoints": private, **secrets})
        command = ["ansible-playbook", "-i", str(self._file), "-e", variables, str(playbook)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return re.sub("@@parent:[^@]*@@", "secret", re.sub("@@probe-[a-z]+@@", "0" * 32, rendered.read_text()))

    def _serve(self, name: str, text: str) -> None:
        ports = iter((PORTS[name], PORTS[name] + 100))
        text = re.sub(r"(?m)^http_port (?:\S+:)?\d+", lambda _match: f"http_port {next(ports)}", text)
        text = re.sub(r"(?m)^(access_log|pid_filename) .*$", "", text)
        more = [
            f"pid_filename /run/{name}.pid",
            f"cache_log /var/log/squid/{name}.log",
            "access_log none",
            "shutdown_lifetime 0 seconds",
        ]
        _write(self._proxy, _config(name), "\n".join([text, *more, ""]))
        lab.output(self._proxy, "squid", "-n", name, "-f", _config(name))
        deadline = time.monotonic() + 30
        while lab.run(self._proxy, "bash", "-c", f"</dev/tcp/127.0.0.1/{PORTS[name]}").returncode:
            assert time.monotonic() < deadline, lab.run(self._proxy, "cat", f"/var/log/squid/{name}.log").stdout
            time.sleep(0.2)

    def allowed(self, name: str, sources: list[str], host: str) -> set[str]:
        """Return those of the sources that the one made by hand (before), or that of the inventory (after), does not refuse."""
        script = ASK.replace("PORT", str(PORTS[name]))
        asked = lab.run(self._proxy, "python3", "-c", script, stdin=json.dumps([[source, host] for source in sources]))
        assert asked.returncode == 0, asked.stderr
        statuses = dict(zip(sources, json.loads(asked.stdout), strict=True))
        return {source for source, status in statuses.items() if status not in REFUSED}


def _config(name: str) -> str:
    return f"/etc/squid/asked-{name}.conf"


def _write(host: str, path: str, text: str) -> None:
    assert lab.run(host, "sh", "-c", f"cat >{path}", stdin=text).returncode == 0


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest) -> Iterator[str]:
    """A proxy whose host takes every address of NETWORKS for its own, so that all of them can ask."""
    host = str(request.param)
    for network in NETWORKS:
        lab.output(host, "ip", "route", "add", "local", network, "dev", "lo")
    yield host
    for network in NETWORKS:
        lab.output(host, "ip", "route", "del", "local", network, "dev", "lo")


@pytest.fixture
def asked(proxy: str, tmp_path: Path) -> Iterator[Asked]:
    yield Asked(proxy, tmp_path)
    for name in PORTS:
        lab.run(proxy, "squid", "-n", name, "-f", _config(name), "-k", "shutdown")
    deadline = time.monotonic() + 30
    while lab.run(proxy, "sh", "-c", "ls /run/before.pid /run/after.pid 2>/dev/null").stdout:
        assert time.monotonic() < deadline, "a Squid of this test does not stop"
        time.sleep(0.2)
    lab.output(proxy, "sh", "-c", f"rm -f {BY_HAND} /etc/squid/named.txt /etc/squid/asked-*.conf")


def test_the_vendors_lines_in_the_distributions_own_file(asked: Asked, proxy: str) -> None:
    factory = lab.output(proxy, "cat", "/etc/squid/squid.conf.factory")
    lines = [line for line in (SAMPLES / "vendor.conf").read_text().splitlines() if "sensor" in line]
    marker = "# INSERT YOUR OWN RULE(S) HERE TO ALLOW ACCESS FROM YOUR CLIENTS"
    assert factory.count(marker) == 1
    asked.start(factory.replace(marker, "\n".join([marker, *lines])))
    assert asked.sensors == {"sensor1": "10.100.100.1", "sensor2": "10.100.100.2"}
    sources = ["10.100.100.1", "10.100.100.2", "10.100.100.3", "10.100.100.0", "10.104.0.1"]
    for host in (HUB, DOWNLOAD):
        assert asked.allowed("before", sources, host) == asked.allowed("after", sources, host) == set(sources[:2])
    # What the vendor's lines let through and the inventory does not, and that is said.
    assert asked.allowed("before", sources, ELSEWHERE) == set(sources[:2])
    assert asked.allowed("after", sources, ELSEWHERE) == set()
    assert "it also allows any endpoint; here squid_endpoints is all." in asked.output


def test_two_hundred_sensors(asked: Asked) -> None:
    single = [f"10.100.{number // 60}.{3 * (number % 60) + 1}" for number in range(120)]
    listed = [f"10.100.10.{2 * number}" for number in range(1, 31)]
    spanned = [f"10.100.20.{number}" for number in range(100, 134)]
    network = [f"10.100.30.{number}" for number in range(32, 48)]
    lines = [f"acl sites dstdomain {HUB}", "acl sites dstdomain .microsoft.com", "http_access deny !CONNECT"]
    lines += [f"acl sensor{number} src {address}" for number, address in enumerate(single)]
    lines += [f"acl hall src {' '.join(listed[:15])} \\", f"  {' '.join(listed[15:])}"]
    lines += ["acl press src 10.100.20.100-10.100.20.133", "acl paint src 10.100.30.32/255.255.255.240"]
    lines += [f"http_access allow sensor{number} sites" for number in range(120)]
    lines += [f"http_access allow {name} sites" for name in ("hall", "press", "paint")]
    asked.start("\n".join([*lines, "http_access deny all", "http_port 3128", ""]))
    sensors = [*single, *listed, *spanned, *network]
    assert sorted(asked.sensors.values()) == sorted(sensors)
    assert len(asked.sensors) == 200
    beside = [f"10.100.20.{number}" for number in (99, 134)] + [f"10.100.30.{number}" for number in (31, 48)]
    beside += [f"10.100.0.{number}" for number in (0, 2, 3, 5, 177, 179)] + ["10.100.10.1", "10.100.10.61", "127.0.0.1"]
    for host in (HUB, DOWNLOAD):
        assert asked.allowed("before", [*sensors, *beside], host) == set(sensors)
        assert asked.allowed("after", [*sensors, *beside], host) == set(sensors)
    assert asked.allowed("before", sensors[:20], ELSEWHERE) == asked.allowed("after", sensors[:20], ELSEWHERE) == set()


def test_what_cannot_be_said_is_listed_and_lets_in_nobody(asked: Asked, proxy: str) -> None:
    _write(proxy, "/etc/squid/named.txt", "# by the file's name\n10.100.7.1\n")
    asked.start((SAMPLES / "other.conf").read_text().replace("10.101.0.11", lab.address(proxy, "ot-default")))
    carried = set(asked.sensors.values())
    # A quoted file lies on the host, so it was read.
    assert "10.100.7.1" in carried
    sources = [
        *sorted(carried),
        *("10.100.2.9", "10.100.2.12", "10.100.2.14", "10.100.1.5", "10.100.3.4", "10.100.7.2", "10.100.8.1"),
        *("10.100.8.2", "10.100.9.9", "10.100.9.10", "10.104.0.1", "10.104.7.6", "10.104.255.255", "127.0.0.1"),
    ]
    for host in (HUB, DOWNLOAD, ELSEWHERE):
        before, after = asked.allowed("before", sources, host), asked.allowed("after", sources, host)
        assert after <= before
        assert after == (carried if host != ELSEWHERE else set())
    # What was let in and is not any more is in the list, with its line.
    lost = asked.allowed("before", sources, HUB) - carried
    assert lost == {"10.100.8.2", "10.100.9.10", "10.104.0.1", "10.104.7.6", "10.104.255.255", "127.0.0.1"}
    text = re.sub(r"\s+", " ", asked.output)
    for told in (
        "acl half src: it may not reach all of squid_endpoints",
        "http_access allow plant sites: it admits 10.104.0.0-10.104.7.6, 10.104.7.8-10.104.255.255; a network of more",
        "'localhost' is neither an address, a range a-b nor a network, so it is not carried over",
        "http_access allow guest shift: shift has the type time; what only this line allows is left out",
        "http_access allow listed token: token has the type req_header; what only this line allows is left out",
    ):
        assert told in text
    assert "kX9" not in asked.output
