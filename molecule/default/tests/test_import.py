"""A squid.conf made by hand and the inventory that the playbook makes of it: both are asked, by the Squid of each distribution."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab
import play
import pytest
import yaml

from tests.unit import asked as both
from tests.unit import imported

PROXIES = ["ot-default-proxy-1", "ot-default-proxy-2", "ot-default-proxy-3"]
SAMPLES = Path(__file__).parents[3] / "tests/unit/data/squid_conf"
BY_HAND = "/etc/squid/by-hand.conf"
PORTS = {"before": 3901, "after": 3911}
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


def _answers(proxy: str, asked: list[Any], more: dict[str, str]) -> list[list[bool]]:
    job = json.dumps({"asked": asked, "files": both.FILES | more})
    done = lab.run(proxy, "python3", "-c", both.SERVE, stdin=job, seconds=900)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[list[bool]] = json.loads(done.stdout)
    return found


def test_squid_and_the_evaluator_never_disagree(proxy: str) -> None:
    """The access plan says what Squid does. `make test-all` asks 200 configurations that are generated."""
    texts = [*both.HAND_MADE, *map(both.generated, range(int(os.environ.get("CONFIGURATIONS", "15"))))]
    answers = _answers(proxy, both.questions(texts), {})
    wrong, said = both.disagreements(texts, answers)
    assert wrong == []
    assert said[None] < said.total() / 10


def test_squid_agrees_and_nobody_gets_in_by_what_is_printed_or_done_after_it(proxy: str) -> None:
    """All samples, and random configurations of whatever our reading of Squid's rules knows."""
    texts = [(imported.SAMPLES / f"{name}.conf").read_text(encoding="utf-8") for name in imported.NAMES]
    moves = [imported.Moved(text) for text in [*texts, *map(imported.generated, range(12))]]
    asked = []
    for moved in moves:
        questions = moved.questions(most=12)
        for text in (moved.text, moved.rendered(questions, follow=False), moved.rendered(questions, follow=True)):
            told = [(source, host, 443, user, "CONNECT") for source, host, user in questions]
            asked.append((both.alone(text), told))
    files = {
        "/etc/squid/whitelist.txt": imported.FILES["/etc/squid/whitelist.txt"],
        # No name leads inside, and an address has a name that no file says anything of.
        "/etc/squid/asked-hosts": "".join(f"8.8.8.8 {host}\n" for host in imported.HOSTS[:-1])
        + f"{imported.HOSTS[-1]} literal.test\n",
    }
    answers = iter(_answers(proxy, asked, files))
    for moved in moves:
        questions = moved.questions(most=12)
        before, printed, followed = (dict(zip(questions, next(answers), strict=True)) for _each in range(3))
        ours = {question: moved.expected(question) for question in questions}
        assert {
            question: ours[question] for question in questions if ours[question] not in (None, before[question])
        } == {}
        assert [question for question in questions if printed[question] and not before[question]] == [], moved.text
        assert [question for question in questions if followed[question] and not before[question]] == [], moved.text
        lost = [question for question in questions if before[question] and not followed[question]]
        assert [question for question in lost if not moved.is_listed(question)] == [], moved.text


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
        "acl guest src: line 37 may or may not let it in, so it is in the group ",
        "http_access allow plant sites: it admits 10.104.0.0-10.104.255.255; a network of more",
        "'localhost' is neither an address, a range a-b nor a network, so it is not carried over",
        "http_access allow guest shift: shift has the type time; what only this line allows is not certain",
        "http_access allow listed token: token has the type req_header; what only this line allows is not certain",
    ):
        assert told in text
    assert "kX9" not in asked.output
