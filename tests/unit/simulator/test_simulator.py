# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for a sensor's console behaves as its README says, or what is tested with it proves nothing."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SIMULATOR = Path(__file__).parents[3] / "molecule" / "simulator" / "console.py"
PASSWORD = "Sensor-Pass-1"
WRONG = "The username or password is incorrect"
LOCKED = "Too many failed attempts. Your account/IP is locked"
WANTED: dict[str, Any] = {
    "enabled": True,
    "host": "192.0.2.10",
    "port": 3128,
    "username": "sensor1",
    "password": "S3cret/1",
}


@dataclass
class Simulator:
    """A running simulator."""

    ports: list[int]
    control: int
    ca: Path

    def url(self, number: int = 0) -> str:
        return f"https://127.0.0.1:{self.ports[number]}"

    def order(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            assert answer.status == 200
            return json.load(answer)

    def state(self, number: int = 0) -> Any:
        return self.order("GET", f"/state?sensor={number}")


@contextlib.contextmanager
def running(folder: Path, generation: str, *options: str) -> Iterator[Callable[[], Simulator]]:
    """Start a simulator on free ports, stop it at the end; the function that it gives waits until it is ready."""
    ports = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--state", str(folder))
    command = [sys.executable, str(SIMULATOR), "--generation", generation, *ports, *options]
    environ = os.environ | {"SIMULATOR_PASSWORD": PASSWORD}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        out = process.stdout
        assert out is not None

        def ready() -> Simulator:
            told = json.loads(out.readline())
            return Simulator(told["sensors"], told["control"], folder / "console.pem")

        try:
            yield ready
        finally:
            process.terminate()
            process.wait(10)


class Client:
    """Uses one dialect as its page does."""

    def __init__(self, simulator: Simulator, number: int = 0) -> None:
        self.http = requests.Session()
        self.http.verify = str(simulator.ca)
        self.http.trust_env = False
        self.url = simulator.url(number)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.http.request(method, self.url + path, timeout=15, **more)

    def sign_in(self, password: str = PASSWORD) -> str:
        """Return "" or what the console says."""
        raise NotImplementedError

    def get(self) -> requests.Response:
        raise NotImplementedError

    def read(self) -> dict[str, Any]:
        """Return enabled, host, port, username and password_set; None for what is not shown."""
        raise NotImplementedError

    def save(self, *, token: bool = True, ip: str | None = None, **wanted: Any) -> requests.Response:
        """Save as the page does: what is not named goes back as it was read."""
        raise NotImplementedError


class Client10(Client):
    def sign_in(self, password: str = PASSWORD) -> str:
        self.http.cookies.clear()
        data = {"form_token": hidden(self.call("GET", "/sim10/start").text), "who": "admin", "pass": password}
        answer = self.call("POST", "/sim10/sign-in", data=data)
        found = re.search(r'role="alert">([^<]*)', answer.text)
        assert bool(found) != ("data-menu" in answer.text)
        return found[1] if found else ""

    def get(self) -> requests.Response:
        return self.call("GET", "/sim10/network-form")

    def read(self) -> dict[str, Any]:
        form = inputs(self.get().text)
        return {
            "enabled": "px_on" in form,
            "host": form["px_host"],
            "port": int(form["px_port"]) if form["px_port"] else None,
            "username": form["px_user"],
            "password_set": None,
        }

    def save(self, *, token: bool = True, ip: str | None = None, **wanted: Any) -> requests.Response:
        form = inputs(self.get().text)
        form["own_address"] = form["own_address"] if ip is None else ip
        form["form_token"] = form["form_token"] if token else "x"
        if wanted.pop("enabled", "px_on" in form):
            form["px_on"] = "on"
        else:
            form = {name: value for name, value in form.items() if not name.startswith("px_")}
        names = {"host": "px_host", "port": "px_port", "username": "px_user", "password": "px_pass"}
        return self.call(
            "POST", "/sim10/network-form", data=form | {names[key]: value for key, value in wanted.items()}
        )


class Client22(Client):
    def guard(self, token: bool = True) -> dict[str, str]:
        return {"X-Sim22-Guard": self.http.cookies["sim22-guard"] or ""} if token else {}

    def sign_in(self, password: str = PASSWORD) -> str:
        self.call("GET", "/sim22/session")
        body = {"username": "admin", "password": password}
        answer = self.call("POST", "/sim22/session", json=body, headers=self.guard())
        return "" if answer.ok else str(answer.json()["detail"])

    def get(self) -> requests.Response:
        return self.call("GET", "/sim22/network-settings")

    def read(self) -> dict[str, Any]:
        data = self.get().json()
        port = data["proxyPort"]
        assert isinstance(port, str)
        return {
            "enabled": data["proxyEnabled"],
            "host": data["proxyHost"],
            "port": int(port) if port else None,
            "username": data["proxyUsername"],
            "password_set": data["proxyPasswordSet"],
        }

    def save(self, *, token: bool = True, ip: str | None = None, **wanted: Any) -> requests.Response:
        data = self.get().json()
        data["ipAddress"] = ip or data["ipAddress"]
        if "port" in wanted:
            wanted["port"] = str(wanted["port"])
        data |= {f"proxy{key.capitalize()}": value for key, value in wanted.items()}
        return self.call("PUT", "/sim22/network-settings", json=data, headers=self.guard(token))


class Client23(Client):
    def proof(self, token: bool = True) -> dict[str, str]:
        found = re.search(r'<meta name="sim23-proof" content="([^"]+)"', self.call("GET", "/").text)
        assert found
        return {"X-Sim23-Proof": found[1]} if token else {}

    def sign_in(self, password: str = PASSWORD) -> str:
        body = {"account": {"name": "admin", "secret": password}}
        answer = self.call("POST", "/sim23/sign-in", json=body, headers=self.proof())
        return "" if answer.ok else str(answer.json()["error"]["message"])

    def get(self) -> requests.Response:
        return self.call("GET", "/sim23/settings")

    def read(self) -> dict[str, Any]:
        proxy = self.get().json()["proxy"]
        assert proxy["credentials"]["password"] is None
        return {key: proxy[key] for key in ("enabled", "host", "port")} | {
            "username": proxy["credentials"]["user"],
            "password_set": proxy["credentials"]["stored"],
        }

    def save(self, *, token: bool = True, ip: str | None = None, **wanted: Any) -> requests.Response:
        data = self.get().json()
        data["network"]["address"] = ip or data["network"]["address"]
        for key, value in wanted.items():
            place = data["proxy"]["credentials"] if key in ("username", "password") else data["proxy"]
            place["user" if key == "username" else key] = value
        return self.call("PATCH", "/sim23/settings", json=data, headers=self.proof(token))

    def upload(self, name: str, content: bytes, token: bool = True) -> requests.Response:
        files = {"upload": (name, content)}
        return self.call("POST", "/sim23/settings/certificate", files=files, headers=self.proof(token))


class ClientWizard(Client):
    ticket = ""

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = super().call(method, path, **more)
        self.ticket = answer.headers.get("X-Simwizard-Ticket", self.ticket)
        return answer

    def sign_in(self, password: str = PASSWORD) -> str:
        answer = self.call("POST", "/simwizard/enter", json={"login": "admin", "passphrase": password})
        self.ticket = answer.json().get("ticket", "")
        return "" if answer.ok else str(answer.json()["message"])

    def get(self) -> requests.Response:
        return self.call("GET", "/simwizard/management-interface")

    def read(self) -> dict[str, Any]:
        data = self.get().json()["values"]
        return {
            "enabled": data["cloud_proxy"] == "yes",
            "host": data["cloud_proxy_host"],
            "port": int(data["cloud_proxy_port"]) if data["cloud_proxy_port"] else None,
            "username": data["cloud_proxy_user"],
            "password_set": data["cloud_proxy_password"] == "********",
        }

    def save(self, *, token: bool = True, ip: str | None = None, **wanted: Any) -> requests.Response:
        form = self.get().json()["values"]
        certificate = wanted.pop("certificate", ("", b""))
        ticket = wanted.pop("ticket", self.ticket)
        del form["cloud_proxy_password"], form["cloud_proxy_certificate"]
        form |= {"mgmt_ip": ip or form["mgmt_ip"], "ticket": ticket if token else "x"}
        if "enabled" in wanted:
            form["cloud_proxy"] = "yes" if wanted.pop("enabled") else "no"
        names = {"username": "user"}
        form |= {f"cloud_proxy_{names.get(key, key)}": str(value) for key, value in wanted.items()}
        parts = {name: (None, value) for name, value in form.items()} | {"cloud_proxy_certificate": certificate}
        return self.call("POST", "/simwizard/management-interface", files=parts)


CLIENTS: dict[str, type[Client]] = {"10": Client10, "22": Client22, "23": Client23, "wizard": ClientWizard}


def hidden(text: str) -> str:
    """Return the token in a form."""
    return inputs(text)["form_token"]


def inputs(text: str) -> dict[str, str]:
    """Return what a browser would send of a form."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", text):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if attributes.get("type") != "checkbox" or " checked" in tag:
            found[attributes["name"]] = attributes.get("value", "")
    return found


@pytest.fixture(scope="module")
def simulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Simulator]]:
    """One simulator of each generation, started together because that takes long."""
    folder = tmp_path_factory.mktemp("simulators")
    options = ("--lock-seconds", "0.2", "--identity", "7")
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(running(folder / name, name, *options)) for name in CLIENTS}
        yield {name: ready() for name, ready in started.items()}


@pytest.fixture(scope="module", params=CLIENTS)
def any_generation(request: pytest.FixtureRequest, simulators: dict[str, Simulator]) -> tuple[str, Simulator]:
    """Each generation in turn."""
    return request.param, simulators[request.param]


@pytest.fixture
def simulator(any_generation: tuple[str, Simulator]) -> Simulator:
    """The simulator, as new."""
    any_generation[1].order("POST", "/reset")
    return any_generation[1]


@pytest.fixture
def stranger(any_generation: tuple[str, Simulator], simulator: Simulator) -> Client:
    """A client that has not signed in."""
    return CLIENTS[any_generation[0]](simulator)


@pytest.fixture
def client(stranger: Client) -> Client:
    """A client that has."""
    assert stranger.sign_in() == ""
    return stranger


def test_without_a_session_there_is_nothing_to_read(stranger: Client) -> None:
    assert stranger.get().status_code == 401


def test_as_new_there_is_no_proxy(client: Client, simulator: Simulator) -> None:
    assert client.read() | {"password_set": None} == {
        "enabled": False,
        "host": "",
        "port": None,
        "username": "",
        "password_set": None,
    }
    assert simulator.state()["counts"]["sign_ins"] == 1


def test_what_is_saved_is_read_back(client: Client, simulator: Simulator) -> None:
    assert client.save(**WANTED).ok
    read = client.read()
    assert {key: value for key, value in read.items() if key != "password_set"} == {
        key: value for key, value in WANTED.items() if key != "password"
    }
    assert read["password_set"] in (True, None)
    state = simulator.state()
    assert state["proxy"] == WANTED | {"certificate": None}
    assert (state["counts"]["saves"], state["foreign_changed"]) == (1, [])


def test_the_password_is_never_shown_and_stays_when_it_is_not_typed(client: Client, simulator: Simulator) -> None:
    client.save(**WANTED)
    assert "S3cret" not in client.get().text + client.call("GET", "/").text
    assert client.save(host="192.0.2.20").ok
    assert simulator.state()["proxy"]["password"] == "S3cret/1"


def test_a_password_can_be_removed(client: Client, simulator: Simulator) -> None:
    client.save(**WANTED)
    wanted: dict[str, Any] = {"username": ""} if isinstance(client, Client10) else {}
    client.save(password="", **wanted)
    assert simulator.state()["proxy"]["password"] == ""


def test_switched_off_it_keeps_the_rest(client: Client, simulator: Simulator) -> None:
    client.save(**WANTED)
    client.save(enabled=False)
    assert simulator.state()["proxy"] == WANTED | {"enabled": False, "certificate": None}


def test_a_save_without_the_token_is_refused(client: Client, simulator: Simulator) -> None:
    assert client.save(token=False, **WANTED).status_code == 403
    state = simulator.state()
    assert (state["proxy"]["enabled"], state["counts"]["bad_token"]) == (False, 1)


def test_a_foreign_field_is_really_changed_and_that_is_remembered(client: Client, simulator: Simulator) -> None:
    assert simulator.state()["own"]["ip"] == "10.77.0.8"
    client.save(ip="10.77.9.9", **WANTED)
    assert simulator.state()["own"]["ip"] == "10.77.9.9"
    client.save(ip="10.77.0.8")
    assert simulator.state()["foreign_changed"] == ["ip"]


def test_a_wrong_value_is_refused_in_words(client: Client, simulator: Simulator) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"host": "a b"}, "Proxy Host"),
        ({"host": ""}, "Proxy Host"),
        ({"port": 70000}, "Proxy Port"),
        ({"ip": "x"}, "IP Address"),
    ]
    for values, label in wrong:
        answer = client.save(**(WANTED | values))
        assert 400 <= answer.status_code < 500
        assert f"Invalid value for {label}" in answer.text
    state = simulator.state()
    assert (state["proxy"]["enabled"], state["counts"]["rejected"]) == (False, len(wrong))


def test_a_wrong_password_is_said_and_the_fifth_locks_the_client_for_a_while(
    stranger: Client, simulator: Simulator
) -> None:
    assert [stranger.sign_in("guess") for _attempt in range(5)] == [WRONG] * 5
    assert stranger.sign_in() == LOCKED
    state = simulator.state()
    assert state["locked"] == ["127.0.0.1"]
    assert (state["counts"]["failures"], state["counts"]["locked_out"]) == (5, 1)
    time.sleep(0.25)
    assert stranger.sign_in() == ""


def test_a_success_starts_the_count_again(stranger: Client) -> None:
    for _round in range(2):
        assert [stranger.sign_in("guess") for _attempt in range(4)] == [WRONG] * 4
        assert stranger.sign_in() == ""


def test_faults_on_order(client: Client, simulator: Simulator) -> None:
    simulator.order("PUT", "/faults", {"status": 503})
    assert client.get().status_code == 503
    simulator.order("PUT", "/faults", {"down": True})
    with pytest.raises(requests.ConnectionError):
        client.get()
    simulator.order("PUT", "/faults", {"locked": True})
    assert client.sign_in() == LOCKED
    simulator.order("PUT", "/faults", {"slow": 0.1})
    assert client.get().elapsed.total_seconds() >= 0.1
    simulator.order("DELETE", "/faults")
    assert client.sign_in() == ""
    simulator.order("PUT", "/faults", {"reject": "Not today"})
    answer = client.save(**WANTED)
    assert answer.status_code >= 400
    assert "Not today" in answer.text
    simulator.order("PUT", "/faults", {"ignore_save": True})
    assert client.save(**WANTED).ok
    state = simulator.state()
    assert (state["proxy"]["enabled"], state["counts"]["ignored"]) == (False, 1)
    assert "saves" not in state["counts"]


def test_a_session_may_end_just_before_a_save(client: Client, simulator: Simulator) -> None:
    simulator.order("PUT", "/faults", {"expire_once": True})
    assert client.get().status_code == 200
    assert client.save(**WANTED).status_code == 401
    assert client.get().status_code == 401
    assert client.sign_in() == ""
    assert client.save(**WANTED).ok


def test_labels_may_be_missing(any_generation: tuple[str, Simulator], client: Client, simulator: Simulator) -> None:
    def seen() -> bool:
        return "Proxy Host" in (client.get() if any_generation[0] == "10" else client.call("GET", "/")).text

    assert seen()
    simulator.order("PUT", "/faults", {"no_labels": True})
    assert not seen()


def test_the_session_cookie_is_out_of_reach_of_scripts(client: Client) -> None:
    cookies = [cookie for cookie in client.http.cookies if cookie.name.endswith("-session")]
    assert [(cookie.secure, cookie.has_nonstandard_attr("HttpOnly")) for cookie in cookies] == [(True, True)]


def test_connections_are_kept(client: Client, simulator: Simulator) -> None:
    context = ssl.create_default_context(cafile=simulator.ca)
    connection = http.client.HTTPSConnection("127.0.0.1", simulator.ports[0], timeout=5, context=context)
    with contextlib.closing(connection):
        for _count in range(3):
            connection.request("GET", "/")
            assert connection.getresponse().read()
            stream = connection.sock
            assert stream is not None
        assert connection.sock is stream


def test_settings_can_be_given_and_unknown_orders_are_refused(simulator: Simulator, client: Client) -> None:
    simulator.order("POST", "/reset", {"proxy": WANTED, "own": {"dns": "10.1.1.1"}})
    assert client.get().status_code == 401
    client.sign_in()
    assert client.read()["host"] == "192.0.2.10"
    state = simulator.state()
    assert (state["own"]["dns"], state["foreign_changed"]) == ("10.1.1.1", [])
    base = f"http://127.0.0.1:{simulator.control}"
    assert requests.put(f"{base}/faults", json={"slwo": 1}, timeout=5).status_code == 400
    assert requests.put(f"{base}/faults", json={"slow": "1"}, timeout=5).status_code == 400
    assert requests.post(f"{base}/reset", json={"proxy": {"hots": ""}}, timeout=5).status_code == 400
    assert requests.get(f"{base}/state?sensor=1", timeout=5).status_code == 400


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """Two sensors of generation 23 whose sessions end quickly."""
    with running(tmp_path_factory.mktemp("two"), "23", "--count", "2", "--idle-seconds", "0.3") as ready:
        yield ready()


def test_several_sensors_in_one_process_are_independent(two: Simulator) -> None:
    two.order("POST", "/reset?sensor=all")
    client = Client23(two, 1)
    client.sign_in()
    client.save(**WANTED)
    assert [state["proxy"]["enabled"] for state in two.order("GET", "/state?sensor=all")] == [False, True]
    assert len({state["own"]["ip"] for state in two.order("GET", "/state?sensor=all")}) == 2


def test_an_idle_session_ends(two: Simulator) -> None:
    two.order("POST", "/reset?sensor=all")
    client = Client23(two)
    client.sign_in()
    assert client.get().status_code == 200
    time.sleep(0.35)
    assert client.get().status_code == 401


def test_a_certificate_is_uploaded_by_itself(two: Simulator) -> None:
    two.order("POST", "/reset?sensor=all")
    client = Client23(two)
    client.sign_in()
    assert client.upload("client-0a1b.p12", b"\x30\x82", token=False).status_code == 403
    assert client.upload("client-0a1b.p12", b"\x30\x82").json() == {"certificate": {"name": "client-0a1b.p12"}}
    assert client.get().json()["proxy"]["certificate"] == {"name": "client-0a1b.p12"}
    assert client.upload("empty.p12", b"").status_code == 422
    assert two.state()["proxy"]["certificate"]["name"] == "client-0a1b.p12"


def test_the_wizard_takes_a_certificate_in_its_form_and_each_ticket_once(simulators: dict[str, Simulator]) -> None:
    simulator = simulators["wizard"]
    simulator.order("POST", "/reset")
    client = ClientWizard(simulator)
    client.sign_in()
    first = client.ticket
    assert client.save(certificate=("c.pem", b"pem"), **WANTED).ok
    assert client.ticket != first
    assert client.save().ok
    assert simulator.state()["proxy"]["certificate"]["name"] == "c.pem"
    assert client.get().json()["values"]["cloud_proxy_certificate"] == "c.pem"
    assert client.save(ticket=first).status_code == 403


def test_a_simulator_without_a_password_does_not_start(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "SIMULATOR_PASSWORD"}
    command = [sys.executable, str(SIMULATOR), "--generation", "10", "--state", str(tmp_path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "SIMULATOR_PASSWORD" in done.stderr


# The agent: real connections through small proxies on loopback.

Script = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


@contextlib.contextmanager
def listening(script: Script) -> Iterator[int]:
    """Serve every client with the script until the end; give the port."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def accept() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError), server.accept()[0] as client:
                    client.settimeout(5)
                    script(client)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            thread.join(10)
            assert not thread.is_alive()


def head_of(client: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        received = client.recv(4096)
        assert received
        head += received
    return head


def says(answer: bytes, heard: list[bytes] | None = None) -> Script:
    def script(client: socket.socket) -> None:
        head = head_of(client)
        if heard is not None:
            heard.append(head)
        client.sendall(answer)

    return script


def made_certificate(folder: Path, name: str, days: int = 1) -> Path:
    """Make a self-signed certificate for localhost with its key in one file, valid from 30 days ago for `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return path


def tls(certificate: Path) -> Script:
    """Do the handshake, nothing more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(client: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as stream:
            stream.recv(1)

    return script


def tunnel(inner: Script, heard: list[bytes] | None = None) -> Script:
    """Open the tunnel and be its other end too."""

    def script(client: socket.socket) -> None:
        says(OK, heard)(client)
        inner(client)

    return script


@dataclass
class Lab:
    """A sensor that has to reach localhost:443 through whatever is set."""

    simulator: Simulator
    certificate: Path
    expired: Path
    folder: Path

    def verdict(self, **proxy: Any) -> Any:
        self.simulator.order("POST", "/reset", {"proxy": proxy})
        return self.simulator.order("GET", "/cloud")

    def through(self, script: Script, **more: Any) -> Any:
        with listening(script) as port:
            return self.verdict(enabled=True, host="127.0.0.1", port=port, **more)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A sensor of generation 23 with one endpoint, that trusts two certificates: a good one and an expired one."""
    folder = tmp_path_factory.mktemp("lab")
    good, expired = made_certificate(folder, "good"), made_certificate(folder, "expired", days=-1)
    ca = folder / "ca.pem"
    ca.write_text(good.read_text() + expired.read_text())
    with running(folder, "23", "--ca", str(ca), "--endpoint", "localhost:44399") as ready:
        yield Lab(ready(), good, expired, folder)


CONNECTED = {"connected": True, "issues": []}


def issue(name: str) -> dict[str, object]:
    return {"connected": False, "issues": [name]}


def test_agent_connects_with_the_credentials(lab: Lab) -> None:
    heard: list[bytes] = []
    script = tunnel(tls(lab.certificate), heard)
    assert lab.through(script, username="sensor1", password="pä:ss") == CONNECTED
    credentials = base64.b64encode("sensor1:pä:ss".encode())
    assert heard[0].startswith(b"CONNECT localhost:44399 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " + credentials + b"\r\n" in heard[0]


def test_agent_sends_no_credentials_when_there_are_none(lab: Lab) -> None:
    heard: list[bytes] = []
    assert lab.through(tunnel(tls(lab.certificate), heard)) == CONNECTED
    assert b"Proxy-Authorization" not in heard[0]


@pytest.mark.parametrize("status", [400, 403, 502, 503, 504])
def test_agent_names_a_refusal_a_general_error(lab: Lab, status: int) -> None:
    assert lab.through(says(f"HTTP/1.1 {status} No\r\n\r\n".encode())) == issue("General connection errors")


def test_agent_names_a_407_an_authentication_issue(lab: Lab) -> None:
    assert lab.through(says(b"HTTP/1.1 407 No\r\n\r\n")) == issue("Proxy authentication issues")


@pytest.mark.parametrize(
    "script",
    [lambda client: None, lambda client: client.close(), says(b"SSH-2.0\r\n\r\n")],
    ids=["end", "close", "garbage"],
)
def test_agent_names_no_answer_a_general_error(lab: Lab, script: Script) -> None:
    assert lab.through(script) == issue("General connection errors")


def test_agent_names_a_closed_port_an_unreachable_proxy(lab: Lab) -> None:
    with listening(lambda _client: None) as port:
        pass
    expected = issue("Unreachable proxy server errors")
    assert lab.verdict(enabled=True, host="127.0.0.1", port=port) == expected


def test_agent_names_an_unknown_name_a_resolution_failure(lab: Lab) -> None:
    # ".." is refused before any name server is asked.
    expected = issue("Name resolution failures")
    assert lab.verdict(enabled=True, host="proxy..invalid", port=3128) == expected


def test_agent_names_a_foreign_certificate_or_bad_tls_a_secure_connection_error(lab: Lab) -> None:
    expected = issue("Errors establishing secure connections")
    assert lab.through(tunnel(tls(made_certificate(lab.folder, "foreign")))) == expected

    def plain(client: socket.socket) -> None:
        client.recv(1)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert lab.through(tunnel(plain)) == expected


def test_agent_names_a_tunnel_that_ends_a_general_error(lab: Lab) -> None:
    assert lab.through(says(OK)) == issue("General connection errors")


def test_agent_goes_direct_without_a_proxy(lab: Lab) -> None:
    assert lab.verdict(enabled=False, host="127.0.0.1", port=1) == issue("General connection errors")


def test_agent_takes_a_certificate_out_of_its_time_for_time_drift(lab: Lab) -> None:
    assert lab.through(tunnel(tls(lab.expired))) == issue("Time drift detected")


def test_agent_looks_for_a_proxy_that_is_slow_only_once(lab: Lab) -> None:
    heard: list[bytes] = []

    def script(client: socket.socket) -> None:
        time.sleep(0.4)
        tunnel(tls(lab.certificate), heard)(client)

    with listening(script) as port:
        lab.simulator.order("POST", "/reset", {"proxy": {"enabled": True, "host": "127.0.0.1", "port": port}})
        time.sleep(0.1)
        assert lab.simulator.order("GET", "/cloud") == CONNECTED
        assert lab.simulator.order("GET", "/cloud") == CONNECTED
    assert len(heard) == 1


def test_the_screen_waits_for_the_verdict_on_what_was_just_saved(lab: Lab) -> None:
    lab.simulator.order("POST", "/reset")
    client = Client23(lab.simulator)
    client.sign_in()

    def seen() -> Any:
        return client.call("GET", "/sim23/connectivity").json()

    assert [found["title"] for found in seen()["issues"]] == ["General connection errors"]
    with listening(tunnel(tls(lab.certificate))) as port:
        client.save(enabled=True, host="127.0.0.1", port=port)
        assert seen() == {"state": "done", "summary": "The sensor is connected to cloud successfully", "issues": []}
    lab.simulator.order("PUT", "/faults", {"cloud": ["Time drift detected"]})
    assert [found["title"] for found in seen()["issues"]] == ["Time drift detected"]
    lab.simulator.order("PUT", "/faults", {"cloud": []})
    assert seen()["summary"]
