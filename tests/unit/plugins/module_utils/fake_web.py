# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small console for a real browser, over HTTPS on loopback: one page in any of the shapes that real pages come in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.chromium import installed

CHROMIUM = installed()
USERNAME = "admin"
PASSWORD = "console-secret-7c1f"
PROXY_PASSWORD = "proxy-secret-93ab"

_PAGE = """<!doctype html><title>Console</title><body></body><script>
const [shape, kind, where, manner] = location.pathname.slice(1).split('/');
let ids = 0, fields;
const el = (name, attributes, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const named = (label, input, ...more) => {
  const id = `i${++ids}`;
  if (shape === 'for') return input.id = id, el('div', {}, el('label', {for: id}, label), input, ...more);
  if (shape === 'wrap') return el('div', {}, el('label', {}, el('span', {}, label), input), ...more);
  if (shape === 'aria-label') return input.setAttribute('aria-label', label), el('div', {}, input, ...more);
  input.setAttribute('aria-labelledby', id);
  return el('div', {}, el('span', {id}, label), input, ...more);
};
const text = (value, attributes = {}) => {
  const input = el('input', attributes);
  input.value = value;
  return input;
};
const toggle = on => {
  if (kind !== 'button') {
    const input = el('input', kind === 'switch' ? {type: 'checkbox', role: 'switch'} : {type: 'checkbox'});
    input.checked = on;
    return input;
  }
  const button = el('button', {type: 'button', role: 'switch', 'aria-checked': on});
  button.onclick = () => button.setAttribute('aria-checked', button.getAttribute('aria-checked') !== 'true');
  return button;
};
const isOn = input => kind === 'button' ? input.getAttribute('aria-checked') === 'true' : input.checked;
const call = (path, data) => fetch(path, {method: data ? 'POST' : 'GET', body: data && JSON.stringify(data)});
// Widgets come some time after what they show.
const late = work => setTimeout(work, 80);

async function start() {
  const answer = await call('/settings');
  late(() => answer.status === 401 ? signIn() : menu());
}
function signIn() {
  const username = text(''), password = text('', {type: 'password'}), button = el('button', {}, 'Log in');
  button.onclick = async () => {
    const answer = await call('/sign-in', {username: username.value, password: password.value});
    if (answer.ok) start();
    else document.body.append(el('p', {role: 'alert'}, 'Wrong'));
  };
  document.body.replaceChildren(named('User name:', username), named('Password *', password), button);
}
function menu() {
  const link = el('a', {href: '#settings'}, 'System settings');
  link.onclick = async () => {
    const stored = await (await call('/settings')).json();
    late(() => manner === 'late' ? fillLater(stored) : settings(stored));
  };
  document.body.replaceChildren(link, el('main', {}), el('footer', {}, 'Version 25.2.2'));
}
// The widgets are there at once, their values come by a request that takes its time.
async function fillLater(stored) {
  settings({enabled: false, host: '', port: '', username: ''});
  const values = await (await call('/settings-after-a-while')).json();
  fields.enabled.checked = values.enabled;
  for (const key of ['host', 'port', 'username']) fields[key].value = values[key];
}
function settings(stored) {
  const file = el('input', {type: 'file', style: 'opacity: 0; width: 1px'});
  const shown = el('span', {}, stored.certificate || 'No file chosen');
  file.onchange = () => shown.textContent = file.files[0].name;
  fields = {
    enabled: toggle(stored.enabled), host: text(stored.host), port: text(stored.port, {placeholder: '3128'}),
    username: text(stored.username),
    password: text('', {type: 'password', placeholder: stored.password ? '********' : ''}),
  };
  const save = el('button', {}, 'Save');
  save.onclick = async () => {
    const data = {certificate: shown.textContent};
    for (const [key, input] of Object.entries(fields)) data[key] = key === 'enabled' ? isOn(input) : input.value;
    if (manner === 'rejects') return box.append(el('p', {role: 'alert'}, 'Invalid value for Proxy Host'));
    if (manner === 'echoes') {
      await call('/refuse', data);
      return box.append(el('p', {role: 'alert'}, `Bad value ${data.password}`));
    }
    if (file.files[0]) data.content = await file.files[0].text();
    await call('/settings', data);
    box.append(el('p', {role: 'alert'}, 'Settings saved'));
  };
  const box = el('div', where === 'dialog' ? {role: 'dialog', 'aria-label': 'Network'} : {},
    named('Enable Proxy', fields.enabled), named('Proxy Host', fields.host), named('Proxy Port', fields.port),
    named('Proxy Username (Optional)', fields.username), named('Proxy Password (Optional)', fields.password),
    named('Client certificate', file, shown), save);
  const others = where === 'dialog' ? [named('Proxy Host', text('of the page behind')), el('button', {}, 'Save')] : [];
  document.querySelector('main').replaceChildren(...others, box);
}
start();
</script>"""


@dataclass
class Certified:
    """A self-signed certificate for 127.0.0.1 with a key of its own."""

    file: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate (DER)."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.file.read_text())).hexdigest()


def certify(folder: Path, name: str) -> Certified:
    """Make a certificate and its key."""
    made = Certified(folder / f"{name}.pem", folder / f"{name}.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(made.key), "-out", str(made.file)),
        ],
        check=True,
        capture_output=True,
        timeout=20,
    )
    return made


@dataclass
class Web:
    """The console's server."""

    port: int
    stored: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    answers: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    """Status, headers and body of what is answered to the GET of a path, instead of the console's own."""

    def url(self, path: str = "") -> str:
        """An address of the page; the path is ``shape/kind of switch/where/manner``."""
        return f"https://127.0.0.1:{self.port}/{path}"


@contextlib.contextmanager
def serve(certified: Certified, port: int = 0) -> Iterator[Web]:
    """Serve the console until the end of the block."""
    web = Web(port)
    web.stored.update(enabled=False, host="", port="", username="", password="", certificate="")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def log_message(self, *_arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            web.requests.append(self.path)
            if self.path == "/settings-after-a-while":
                time.sleep(0.6)
            if self.path in web.answers:
                status, headers, body = web.answers[self.path]
                self._answer(status, body, "text/html", headers)
            elif self.path.startswith("/settings"):
                self._answer(200 if self._signed_in() else 401, json.dumps(web.stored))
            else:
                self._answer(200, _PAGE, "text/html")

        def do_POST(self) -> None:
            web.requests.append(self.path)
            data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/sign-in":
                right = data == {"username": USERNAME, "password": PASSWORD}
                if right:
                    web.sessions.add(session := f"s{len(web.requests)}")
                self._answer(
                    200 if right else 403,
                    "{}",
                    headers={"Set-Cookie": f"session={session}; Path=/; Secure"} if right else None,
                )
            elif not self._signed_in():
                self._answer(401, "{}")
            elif self.path == "/refuse":
                self._answer(400, "{}")
            else:
                web.stored.update({key: value for key, value in data.items() if value != "" or key != "password"})
                self._answer(200, "{}")

        def _signed_in(self) -> bool:
            return (self.headers["Cookie"] or "").removeprefix("session=") in web.sessions

        def _answer(
            self, status: int, body: str, kind: str = "application/json", headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_arguments: object) -> None:
            # A browser that goes away in the middle is nothing to print.
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.file, certified.key)
    with Server(("127.0.0.1", port), Handler) as server:
        # In the thread of a connection, so that one that says nothing holds nobody up.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        web.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join(10)
