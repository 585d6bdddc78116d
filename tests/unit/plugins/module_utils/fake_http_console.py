# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Four invented web consoles on loopback, and a stand-in for the browser that records them as a HAR.

Routes, field names and schemes are made up and differ on purpose; no real console is like them.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import secrets
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

USER, PASSWORD = "operator", "S3nsor/Pass+word&1"
HOST, PORT, PROXY_USER, PROXY_PASSWORD = "proxy-a.example", 3129, "ot-user", 'Pr0xy "pass" 100%+ü/€'
CERTIFICATE = "client-a.pem"
DIALECTS = ("forms", "flat", "nested", "multipart")


@dataclass
class State:
    """One sensor."""

    dialect: str
    own: dict[str, Any]
    proxy: dict[str, Any] = field(
        default_factory=lambda: {
            "enabled": False,
            "host": "",
            "port": 3128,
            "user": "",
            "password": "",
            "certificate": "",
        }
    )
    sessions: set[str] = field(default_factory=set)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    uploaded: bytes = b""
    requests: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    cloud: list[str] = field(default_factory=list)
    sign_ins: int = 0
    answer: tuple[int, str, bytes] | None = None
    """Given instead of the answer to the next requests of `only`."""
    only: str = ""
    close_each: bool = False
    locked: bool = False


def own(number: int, dns: int = 2) -> dict[str, Any]:
    """What belongs to one sensor alone."""
    return {
        "ip": f"192.0.2.{number}",
        "mask": "255.255.255.0",
        "hostname": f"sensor-{number}",
        "dns": [f"198.51.100.{number + index}" for index in range(dns)],
        "dhcp": False,
        "mtu": 1500,
    }


class Handler(BaseHTTPRequestHandler):
    """Serves the sensor of its server."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    state: State

    def setup(self) -> None:
        super().setup()
        self.state.connections += 1

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve(b"")

    def _with_body(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    do_POST = do_PUT = do_PATCH = _with_body  # noqa: N815

    def _serve(self, body: bytes) -> None:
        state = self.state
        self.body = body
        path = self.path.partition("?")[0]
        state.requests.append((self.command, self.path))
        state.bodies.append((path, body))
        self.cookies = dict(
            part.strip().split("=", 1) for part in self.headers.get("Cookie", "").split(";") if "=" in part
        )
        if state.answer and state.only in f"{self.command} {path}":
            status, kind, content = state.answer
            return self.reply(status, content.decode("utf-8", "replace"), kind)
        self.signed_in = self.cookies.get("sid") in state.sessions
        getattr(self, state.dialect)(f"{self.command} {path}")
        return None

    def reply(self, status: int, text: str, kind: str = "application/json", **headers: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(re.sub("[0-9]$", "", name).replace("_", "-"), value)
        if self.state.close_each:
            self.close_connection = True  # without saying so
        self.end_headers()
        self.wfile.write(content)

    def json(self, status: int, data: Any, **headers: str) -> None:
        self.reply(status, json.dumps(data), **headers)

    def admit(self, user: Any, password: Any) -> str | None:
        self.state.sign_ins += 1
        if self.state.locked or (user, password) != (USER, PASSWORD):
            return None
        sid = secrets.token_hex(12)
        self.state.sessions.add(sid)
        return f"sid={sid}; Path=/; HttpOnly; Secure"

    def renew(self) -> None:
        self.state.token = secrets.token_hex(16)

    @property
    def words(self) -> str:
        return (
            "Too many failed attempts. Your account is locked"
            if self.state.locked
            else "The username or password is incorrect"
        )

    # Urlencoded forms, a hidden field, HTML fragments.
    def forms(self, what: str) -> None:
        state, proxy = self.state, self.state.proxy
        hidden = f'<input type="hidden" name="form_key" value="{state.token}">'
        fields = dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        html = "text/html; charset=utf-8"
        if what == "GET /enter":
            return self.reply(200, f'<form>{hidden}<input name="who"><input type=password name="word"></form>', html)
        if what == "POST /enter":
            cookie = (
                self.admit(fields.get("who"), fields.get("word")) if fields.get("form_key") == state.token else None
            )
            if cookie:
                self.renew()
                return self.reply(302, "", html, Location="/inside", Set_Cookie=cookie)
            page = f'<p role="alert">{self.words}</p>{hidden}<input name="who"><input type=password name="word">'
            return self.reply(200, page, html)
        if not self.signed_in:
            return self.reply(302, "", html, Location="/enter")
        if what == "GET /inside":
            return self.reply(200, "<h1>Inside</h1>", html)
        if what == "GET /frag/network":
            checked = " checked" if proxy["enabled"] else ""
            dhcp = " checked" if state.own["dhcp"] else ""
            dns = "".join(f'<input name="dns" value="{value}">' for value in state.own["dns"])
            return self.reply(
                200,
                f'<form>{hidden}<input name="ip" value="{state.own["ip"]}"><input name="mask" value="{state.own["mask"]}">'
                f'<input name="hostname" value="{state.own["hostname"]}">{dns}<input type=checkbox name="dhcp"{dhcp}>'
                f'<input name="mtu" value="{state.own["mtu"]}"><input type=checkbox name="use_proxy" value="1"{checked}>'
                f'<input name="p_host" value="{proxy["host"]}"><input name="p_port" value="{proxy["port"]}">'
                f'<input name="p_user" value="{proxy["user"]}"><input type=password name="p_pass" value=""></form>',
                html,
            )
        if what == "POST /frag/network":
            if fields.get("form_key") != state.token:
                return self.reply(403, "<p>bad form key</p>", html)
            if " " in fields["p_host"]:
                return self.reply(
                    400, f'<div role="alert">Invalid value for Proxy Host, password {fields["p_pass"]}</div>', html
                )
            servers = [value for name, value in parse_qsl(self.body.decode()) if name == "dns"]
            state.own = {name: fields[name] for name in ("ip", "mask", "hostname")} | {
                "dns": servers,
                "dhcp": "dhcp" in fields,
                "mtu": int(fields["mtu"]),
            }
            proxy |= {
                "enabled": "use_proxy" in fields,
                "host": fields["p_host"],
                "port": int(fields["p_port"]),
                "user": fields["p_user"],
            }
            proxy["password"] = fields["p_pass"] or proxy["password"]
            self.renew()
            return self.reply(200, "<p role=status>Settings saved</p>", html)
        return self.reply(404, "", html)

    # Flat JSON, a cookie that comes back as a header, PUT of everything.
    def flat(self, what: str) -> None:
        state, proxy = self.state, self.state.proxy
        data = json.loads(self.body or b"{}")
        if what == "GET /":
            return self.reply(200, "<div id=app></div>", "text/html", Set_Cookie=f"xtok={state.token}; Path=/; Secure")
        if self.command != "GET" and not self.headers.get("X-Tok") == self.cookies.get("xtok") == state.token:
            return self.json(403, {"detail": "CSRF failed"})
        if what == "POST /session":
            cookie = self.admit(data.get("login"), data.get("secret"))
            if not cookie:
                return self.json(401, {"detail": self.words})
            self.renew()
            return self.json(
                200, {"role": "admin"}, Set_Cookie=cookie, Set_Cookie2=f"xtok={state.token}; Path=/; Secure"
            )
        if not self.signed_in:
            return self.json(401, {"detail": "sign in"})
        if what == "GET /net":
            return self.json(
                200,
                state.own
                | {"proxyEnabled": proxy["enabled"], "proxyHost": proxy["host"], "proxyPort": str(proxy["port"])}
                | {"proxyUser": proxy["user"], "proxyPasswordSet": bool(proxy["password"])},
            )
        if what == "PUT /net":
            if " " in data["proxyHost"]:
                return self.json(
                    400, {"errors": [{"message": f"Invalid value for Proxy Host {data.get('proxyPassword')}"}]}
                )
            assert isinstance(data["proxyPort"], str)
            assert isinstance(data["proxyEnabled"], bool)
            state.own = {name: data[name] for name in state.own}
            proxy |= {"enabled": data["proxyEnabled"], "host": data["proxyHost"], "port": int(data["proxyPort"])}
            proxy["user"] = data["proxyUser"]
            proxy["password"] = data.get("proxyPassword", proxy["password"])
            return self.json(200, {"ok": True})
        return self.json(404, {})

    # Nested JSON, a token in <meta>, PATCH, a separate upload, the sensor's word on the cloud.
    def nested(self, what: str) -> None:
        state, proxy = self.state, self.state.proxy
        if what == "GET /ui":
            page = f'<html><head><meta name="request-token" content="{state.token}"></head><body></body></html>'
            return self.reply(200, page, "text/html")
        if what == "POST /v9/login":
            if self.headers.get("X-Request-Token") != state.token:
                return self.json(403, {})
            data = json.loads(self.body)["auth"]
            cookie = self.admit(data["name"], data["pw"])
            if not cookie:
                return self.json(200, {"success": False, "message": self.words})
            self.renew()
            return self.json(200, {"success": True}, Set_Cookie=cookie)
        if not self.signed_in:
            return self.json(401, {})
        if self.command != "GET" and self.headers.get("X-Request-Token") != state.token:
            return self.json(403, {})
        if what == "GET /v9/about":
            return self.json(200, {"build": {"version": "25.2.2"}})
        if what == "GET /v9/settings":
            return self.json(
                200,
                {
                    "data": {
                        "network": state.own,
                        "proxy": {
                            "enabled": proxy["enabled"],
                            "host": proxy["host"] or None,
                            "port": proxy["port"],
                            "credentials": {"user": proxy["user"], "password": None, "stored": bool(proxy["password"])},
                            "certificate": {"name": proxy["certificate"]},
                        },
                    }
                },
            )
        if what == "PATCH /v9/settings":
            data = json.loads(self.body)
            if " " in data["proxy"]["host"]:
                return self.json(422, {"error": {"text": "Invalid value for Proxy Host"}})
            assert isinstance(data["proxy"]["port"], int)
            state.own = data["network"]
            given = data["proxy"]
            proxy |= {"enabled": given["enabled"], "host": given["host"], "port": given["port"]}
            proxy["user"] = given["credentials"]["user"]
            if given["credentials"]["password"] is not None:
                proxy["password"] = given["credentials"]["password"]
            return self.json(200, {"saved": True})
        if what == "POST /v9/certificate":
            match = re.search(rb'filename="([^"]*)".*?\r\n\r\n(.*)\r\n--', self.body, re.DOTALL)
            assert match
            proxy["certificate"], state.uploaded = match[1].decode(), match[2]
            return self.json(200, {})
        if what == "GET /v9/cloud":
            ok = "The sensor is connected to cloud successfully"
            return self.json(200, {"lines": [{"title": text} for text in state.cloud or [ok]]})
        return self.json(404, {})

    # One multipart form for everything, a token in JSON that each answer renews in a header.
    def multipart(self, what: str) -> None:
        state, proxy = self.state, self.state.proxy
        parts = {
            name.decode(): content
            for name, content in re.findall(
                rb'name="([^"]*)"[^\r]*(?:\r\nContent-Type[^\r]*)?\r\n\r\n(.*?)\r\n--', self.body, re.DOTALL
            )
        }
        if what == "POST /first/login":
            fields = dict(parse_qsl(self.body.decode()))
            cookie = self.admit(fields.get("u"), fields.get("p"))
            if not cookie:
                return self.json(403, {"message": self.words})
            return self.json(200, {"user": {"csrf_token": state.token}}, Set_Cookie=cookie)
        if not self.signed_in:
            return self.json(401, {})
        if what == "GET /first/data":
            return self.json(
                200,
                {
                    "management": state.own | {"dns": ",".join(state.own["dns"])},
                    "cloudProxy": {
                        "on": proxy["enabled"],
                        "address": proxy["host"],
                        "port": proxy["port"],
                        "user": proxy["user"],
                    }
                    | {
                        "passwordMask": "********" if proxy["password"] else "",
                        "certificateName": proxy["certificate"],
                    },
                },
                X_Csrf_Token=state.token,
            )
        if what == "POST /first/data":
            if parts["csrf_token"].decode() != state.token:
                return self.json(403, {})
            self.renew()
            text = {name: content.decode() for name, content in parts.items() if name != "cert"}
            if " " in text["address"]:
                return self.json(400, {"message": "Invalid value for Proxy Host"}, X_Csrf_Token=state.token)
            state.own = {name: text[name] for name in ("ip", "mask", "hostname")} | {
                "dns": text["dns"].split(","),
                "dhcp": text["dhcp"] == "true",
                "mtu": int(text["mtu"]),
            }
            proxy |= {
                "enabled": text["on"] == "true",
                "host": text["address"],
                "port": int(text["port"]),
                "user": text["user"],
            }
            proxy["password"] = text.get("proxy_password", proxy["password"])
            if "cert" in parts:
                name = re.search(rb'filename="([^"]*)"', self.body)
                assert name
                proxy["certificate"], state.uploaded = name[1].decode(), parts["cert"]
            return self.json(200, {}, X_Csrf_Token=state.token)
        return self.json(404, {})


@contextlib.contextmanager
def serve(state: State, pem: Path) -> Iterator[str]:
    """Serve a sensor over HTTPS; yield its address."""
    handler = type("Bound", (Handler,), {"state": state})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_arguments: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def make_pem(folder: Path) -> Path:
    """Return a file with a new self-signed certificate and its key."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "1", "-subj", "/CN=sensor", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=20,
    )
    (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return folder / "both.pem"


class Browser:
    """Asks a console as its page would, and records it."""

    def __init__(self, url: str, recorded_as: str = "https://192.0.2.10") -> None:
        host, port = url.removeprefix("https://").split(":")
        self._connection = http.client.HTTPSConnection(
            host,
            int(port),
            timeout=5,
            context=ssl._create_unverified_context(),
        )
        self._as = recorded_as
        self.cookies: dict[str, str] = {}
        self.entries: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.text = ""

    def ask(self, method: str, path: str, kind: str = "", body: bytes = b"", **extra: str) -> str:
        headers = {"Accept": "*/*", "User-Agent": "Mozilla/5.0", "Referer": f"{self._as}/"}
        headers |= {name.replace("_", "-"): value for name, value in extra.items()}
        if kind:
            headers["Content-Type"] = kind
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self._connection.request(method, path, body or None, headers)
        response = self._connection.getresponse()
        self.text = response.read().decode()
        answered = response.getheaders()
        self.headers = {name.lower(): value for name, value in answered}
        for name, value in answered:
            if name == "Set-Cookie":
                key, _sign, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        request: dict[str, Any] = {
            "method": method,
            "url": f"{self._as}{path}",
            "headers": [{"name": name, "value": value} for name, value in headers.items()],
            "cookies": [],
        }
        if kind:
            request["postData"] = {"mimeType": kind, "text": body.decode()}
        self.entries.append(
            {
                "request": request,
                "response": {
                    "status": response.status,
                    "headers": [{"name": name, "value": value} for name, value in answered],
                    "cookies": [],
                    "content": {"mimeType": self.headers.get("content-type", ""), "text": self.text},
                },
            }
        )
        return self.text

    @property
    def har(self) -> dict[str, Any]:
        noise = {
            "request": {"method": "GET", "url": f"{self._as}/static/app.js", "headers": []},
            "response": {
                "status": 200,
                "headers": [],
                "content": {"mimeType": "text/javascript", "text": f'var d="{HOST}"'},
            },
        }
        return {"log": {"version": "1.2", "entries": [noise, *self.entries, noise]}}

    def close(self) -> None:
        self._connection.close()


def record(state: State, pem: Path) -> dict[str, Any]:
    """Return the HAR of a person who signs in, enters the values at the top of this file and saves."""
    with serve(state, pem) as url, contextlib.closing(Browser(url)) as browser:
        {"forms": _forms, "flat": _flat, "nested": _nested, "multipart": _multipart}[state.dialect](browser)
        assert state.proxy["host"] == HOST
        assert state.proxy["password"] == PROXY_PASSWORD
        return browser.har


FORM = "application/x-www-form-urlencoded"


def _key(browser: Browser) -> str:
    match = re.search('form_key" value="([^"]*)"', browser.text)
    assert match
    return match[1]


def _forms(browser: Browser) -> None:
    browser.ask("GET", "/enter")
    browser.ask("POST", "/enter", FORM, urlencode({"form_key": _key(browser), "who": USER, "word": PASSWORD}).encode())
    browser.ask("GET", "/inside")
    page = browser.ask("GET", "/frag/network?_=1700000000000")
    values = re.findall('name="(ip|mask|hostname|dns|mtu)" value="([^"]*)"', page)
    values += [
        ("use_proxy", "1"),
        ("p_host", HOST),
        ("p_port", str(PORT)),
        ("p_user", PROXY_USER),
        ("p_pass", PROXY_PASSWORD),
    ]
    browser.ask("POST", "/frag/network", FORM, urlencode([("form_key", _key(browser)), *values]).encode())
    browser.ask("GET", "/frag/network?_=1700000000001")


def _flat(browser: Browser) -> None:
    kind = "application/json"
    browser.ask("GET", "/")
    sign_in = json.dumps({"login": USER, "secret": PASSWORD}).encode()
    browser.ask("POST", "/session", kind, sign_in, X_Tok=browser.cookies["xtok"])
    data = json.loads(browser.ask("GET", "/net"))
    del data["proxyPasswordSet"]
    data |= {"proxyEnabled": True, "proxyHost": HOST, "proxyPort": str(PORT), "proxyUser": PROXY_USER}
    data["proxyPassword"] = PROXY_PASSWORD
    browser.ask("PUT", "/net", kind, json.dumps(data).encode(), X_Tok=browser.cookies["xtok"])
    browser.ask("GET", "/net")


def _nested(browser: Browser) -> None:
    kind = "application/json"
    page = browser.ask("GET", "/ui")
    token = page.split('content="')[1].split('"')[0]
    browser.ask(
        "POST", "/v9/login", kind, json.dumps({"auth": {"name": USER, "pw": PASSWORD}}).encode(), X_Request_Token=token
    )
    token = browser.ask("GET", "/ui").split('content="')[1].split('"')[0]
    browser.ask("GET", "/v9/about")
    data = json.loads(browser.ask("GET", "/v9/settings"))["data"]
    del data["proxy"]["credentials"]["stored"], data["proxy"]["certificate"]
    data["proxy"] |= {"enabled": True, "host": HOST, "port": PORT}
    data["proxy"]["credentials"] = {"user": PROXY_USER, "password": PROXY_PASSWORD}
    boundary = "----WebKitFormBoundaryabc"
    upload = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{CERTIFICATE}"\r\n'
    upload += f"Content-Type: application/octet-stream\r\n\r\nPEM\r\n--{boundary}--\r\n"
    browser.ask(
        "POST", "/v9/certificate", f"multipart/form-data; boundary={boundary}", upload.encode(), X_Request_Token=token
    )
    browser.ask("PATCH", "/v9/settings", kind, json.dumps(data).encode(), X_Request_Token=token)
    browser.ask("GET", "/v9/settings")
    browser.ask("GET", "/v9/cloud")


def _multipart(browser: Browser) -> None:
    answer = browser.ask("POST", "/first/login", FORM, urlencode({"u": USER, "p": PASSWORD}).encode())
    token = json.loads(answer)["user"]["csrf_token"]
    data = json.loads(browser.ask("GET", "/first/data"))
    fields = {"csrf_token": token} | {
        name: str(value).replace("False", "false") for name, value in data["management"].items()
    }
    fields |= {"on": "true", "address": HOST, "port": str(PORT), "user": PROXY_USER, "proxy_password": PROXY_PASSWORD}
    boundary = "-----------------------------1234"
    text = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    text += f'--{boundary}\r\nContent-Disposition: form-data; name="cert"; filename="{CERTIFICATE}"\r\n'
    text += f"Content-Type: application/octet-stream\r\n\r\nPEM\r\n--{boundary}--\r\n"
    browser.ask("POST", "/first/data", f"multipart/form-data; boundary={boundary}", text.encode())
    browser.ask("GET", "/first/data")


def as_base64(har: dict[str, Any]) -> dict[str, Any]:
    """Return the HAR with its answers in base64, as some browsers write them."""
    copy: dict[str, Any] = json.loads(json.dumps(har))
    for entry in copy["log"]["entries"]:
        content = entry["response"]["content"]
        content["text"] = base64.b64encode(content["text"].encode()).decode()
        content["encoding"] = "base64"
    return copy
