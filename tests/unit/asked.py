# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configurations, and requests that both the evaluator and a real Squid are asked (molecule/default/tests/test_import.py)."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.acls import ANY_NAME, Request
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.rules import Evaluator

QUESTIONS = 15
PORT = 3901
INCLUDED = "/etc/squid/asked-included.conf"
LEADS = {
    "hub.azure-devices.net": "8.8.8.8",
    "download.microsoft.com": "8.8.4.4",
    "update.vendor.example": "10.9.9.9",
    "www.example.com": "8.8.8.8",
    "evil-azure-devices.net": "172.16.0.1",
    "azure-devices.net": "8.8.4.4",
}
"""Where names lead."""
LITERALS = ["8.8.8.9", "10.9.9.9", "127.0.0.1", "10.100.0.1"]
SOURCES = ["127.0.0.1", "10.100.0.1", "10.100.0.4", "10.100.0.9", "10.100.200.7", "10.104.0.1"]
USERS = [None, "plant", "office", "Carl"]
PORTS = [443, 80, 444, 8443, 22]
METHODS = ["CONNECT", "CONNECT", "CONNECT", "GET", "POST"]
HAND = (
    "http_port 3128\nauth_param basic program /bin/false\nacl user proxy_auth REQUIRED\nacl office proxy_auth office\n"
)
HAND_MADE = [
    HAND + lines + "\n"
    for lines in (
        "http_access allow all",
        "http_access deny all",
        "",
        "acl a src 10.100.0.0/16\nhttp_access deny a",
        "acl a src 10.100.0.0/16\nhttp_access allow a",
        "acl a src 10.100.0.0/16\nhttp_access allow !a",
        "acl d dstdomain .azure-devices.net\nhttp_access allow d",
        "acl d dstdomain -n .azure-devices.net\nhttp_access allow d",
        "acl d dstdomain azure-devices.net\nhttp_access allow CONNECT d",
        "acl d dstdomain AZURE-devices.NET hub.azure-devices.net\nhttp_access deny !d\nhttp_access allow all",
        "acl d dstdomain 8.8.8.9\nhttp_access allow d",
        "acl d dstdomain -n .9.9.9\nhttp_access allow d",
        "acl d dst 10.0.0.0/8\nhttp_access deny d\nhttp_access allow all",
        "acl d dst 8.8.8.8\nhttp_access allow d",
        "http_access deny to_localhost\nhttp_access allow all",
        "http_access allow to_localhost",
        "http_access allow user",
        "http_access deny !user\nhttp_access allow all",
        "http_access allow office\nhttp_access deny all",
        "http_access deny office\nhttp_access allow user",
        "acl a src 10.100.0.1\nhttp_access allow a\nhttp_access allow user",
        "acl a src 10.100.0.1\nhttp_access allow user a\nhttp_access deny all",
        "acl p port 443 8000-9000\nhttp_access deny !p\nhttp_access allow all",
        "acl p port 443\nacl p port 22\nhttp_access allow p",
        "acl g method GET POST\nhttp_access allow g",
        "http_access deny !CONNECT\nhttp_access allow all",
        "acl r dstdom_regex -i ^HUB[.]\nhttp_access allow r",
        "acl r dstdom_regex ^[0-9.]+$\nhttp_access deny r\nhttp_access allow all",
        f"acl a src 10.100.0.0/16\ninclude {INCLUDED}\nhttp_access deny all",
        "acl A src 10.100.0.1\nacl a src 10.104.0.1\nhttp_access allow a",
        "acl a src 10.100.0.1-10.100.0.5/32\nacl b src 10.104.0.0/255.255.0.0\nhttp_access allow b !a",
        "acl a src 10.100.0.1 # 10.104.0.1\nhttp_access allow a all \\\n  CONNECT",
        "acl t time 00:00-00:01\nhttp_access allow t\nhttp_access deny all",
        "acl d dstdomain www.example.com\nhttp_access allow d all\nhttp_access deny all\nhttp_access allow all",
        f"acl e dstdomain -n .azure-devices.net\nacl n dstdom_regex -n {ANY_NAME}\nhttp_access deny !e !n\nhttp_access allow all",
        "acl a src all\nhttp_access allow a localhost\nhttp_access allow localhost",
    )
]
FILES = {
    INCLUDED: "http_access allow a\n",
    "/etc/squid/asked-users.sh": 'while read user password; do [ "$password" = secret ] && echo OK || echo ERR; done\n',
    "/etc/squid/asked-hosts": "".join(f"{address} {name}\n" for name, address in LEADS.items())
    + "8.8.8.9 literal.test\n127.0.0.1 localhost\n10.100.0.1 inner.test\n",
}


def generated(seed: int) -> str:
    """Return a random configuration of what the evaluator claims to know, half of the lines in another order than they are used."""
    draw = random.Random(seed)
    sources = ["10.100.0.1", "10.100.0.1-10.100.0.9", "10.100.0.4/30", "10.100.0.0/16", "10.104.0.0/255.255.0.0", "all"]
    # Of one ACL none may be below another: 5.7 and 6.13 refuse that.
    domains = {
        "d0": [".azure-devices.net", "download.microsoft.com", "8.8.8.9", ".example"],
        "d1": ["hub.azure-devices.net", "www.example.com", "10.9.9.9"],
        "d2": [".com", "hub.azure-devices.net", ".vendor.example"],
    }
    acls = [
        *(
            "acl user proxy_auth REQUIRED",
            "acl office proxy_auth office carl",
            "acl tls port 400-500",
            "acl web port 80",
        ),
        *("acl GET method GET", "acl inside dst 10.0.0.0/8 127.0.0.0/8", "acl there dst 8.8.8.8"),
        "acl literal dstdom_regex -n ^[0-9.]+$",
    ]
    names = [
        "user",
        "office",
        "tls",
        "web",
        "GET",
        "inside",
        "there",
        "literal",
        "all",
        "CONNECT",
        "localhost",
        "to_localhost",
    ]
    for name in ("s0", "s1", "s2", "s0"):
        acls.append(f"acl {name} src {' '.join(draw.sample(sources, draw.randint(1, 2)))}")
    for name, pool in domains.items():
        one, *others = draw.sample(pool, 3)
        acls += [f"acl {name} dstdomain {draw.choice(['', '-n '])}{' '.join(each)}" for each in ([one], others)]
    names += ["s0", "s1", "s2", "d0", "d1", "d2"] * 3
    draw.shuffle(acls)
    rules = []
    for _number in range(draw.randint(1, 8)):
        terms = [draw.choice(["", "", "", "!"]) + draw.choice(names) for _each in range(draw.randint(1, 4))]
        rules.append(f"http_access {draw.choice(['allow', 'allow', 'deny'])} {' '.join(terms)}")
    if draw.random() < 0.3:
        rules.insert(draw.randint(0, len(rules)), f"include {INCLUDED}")
        acls.append("acl a src 10.100.0.9 10.104.0.1")
    return "\n".join([HAND.splitlines()[0], HAND.splitlines()[1], *acls, *rules, ""])


def requests(seed: int) -> list[Request]:
    """Return what is asked of a configuration."""
    draw = random.Random(f"asked {seed}")
    found = []
    for _number in range(QUESTIONS):
        host = draw.choice([*LEADS, *LEADS, *LITERALS])
        host = host.title() + "." if draw.random() < 0.1 and host in LEADS else host
        leads = LEADS.get(host.lower().rstrip("."))
        port = draw.choice([443, 443, *PORTS])
        found.append(Request(draw.choice(SOURCES), host, port, draw.choice(USERS), draw.choice(METHODS), leads))
    return found


def alone(text: str) -> str:
    """A configuration that listens for this test only, goes nowhere and knows every user by one password."""
    dropped = (
        "access_log|cache_log|cache_peer|cache_peer_access|coredump_dir|https_port|never_direct|pid_filename|workers"
    )
    text = re.sub(rf"(?m)^include (?!{INCLUDED}).*$", "", text)
    text = re.sub(rf"(?m)^({dropped}|tcp_outgoing_address|http_port \S+ intercept)\b.*$", "", text)
    ports = iter(range(PORT, PORT + 100))
    text = re.sub(r"(?m)^http_port (?:\S+:)?\d+", lambda _match: f"http_port {next(ports)}", text)
    text = re.sub(
        r"(?m)^auth_param basic program .*", "auth_param basic program /bin/sh /etc/squid/asked-users.sh", text
    )
    more = [
        *("pid_filename none", "access_log none", "cache_log /dev/null", "coredump_dir /tmp", "never_direct allow all"),
        *("hosts_file /etc/squid/asked-hosts", "visible_hostname asked", "cache deny all", "pinger_enable off"),
        *("dns_nameservers 127.0.0.1", "dns_timeout 1 second"),
    ]
    return "\n".join([re.sub("@@[a-z-]+@@", "0" * 32, text), *more, ""])


SERVE = """\
import base64, concurrent.futures, json, os, socket, subprocess, sys, time
job = json.load(sys.stdin)
for path, text in job["files"].items():
    with open(path, "w") as file:
        file.write(text)
def ask(each):
    source, host, port, user, method = each
    login = "" if user is None else "Proxy-Authorization: Basic " + base64.b64encode(f"{user}:secret".encode()).decode() + "\\r\\n"
    target = f"{host}:{port}" if method == "CONNECT" else f"http://{host}:{port}/"
    body = "Content-Length: 0\\r\\n" if method == "POST" else ""
    with socket.create_connection(("127.0.0.1", PORT), timeout=30, source_address=(source, 0)) as stream:
        stream.sendall(f"{method} {target} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n{login}{body}\\r\\n".encode())
        return int(stream.recv(100).split()[1]) not in (403, 407)
def up():
    try:
        return not socket.create_connection(("127.0.0.1", PORT)).close()
    except OSError:
        return False
found = []
for config, questions in job["asked"]:
    with open("/etc/squid/asked.conf", "w") as file:
        file.write(config)
    squid = subprocess.Popen(["squid", "-N", "-n", "asked", "-f", "/etc/squid/asked.conf"], stdout=2)
    try:
        while not up():
            assert squid.poll() is None, config
            time.sleep(0.02)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found.append(list(pool.map(ask, questions)))
    finally:
        squid.kill()
        squid.wait()
for path in (*job["files"], "/etc/squid/asked.conf"):
    os.unlink(path)
print(json.dumps(found))
""".replace("PORT", str(PORT))
"""Run on a proxy's host: for each configuration a Squid, and whether it lets each request through."""


def questions(texts: list[str]) -> list[Any]:
    """Return what SERVE is to ask of each configuration."""
    return [
        (alone(text), [(each.source, each.host, each.port, each.user, each.method) for each in requests(seed)])
        for seed, text in enumerate(texts)
    ]


def disagreements(texts: list[str], answers: list[list[bool]]) -> tuple[list[str], Counter[bool | None]]:
    """Return where Squid disagrees, and how often the evaluator said what."""
    wrong, said = [], Counter[bool | None]()
    for seed, (text, got) in enumerate(zip(texts, answers, strict=True)):
        evaluator = Evaluator("squid.conf", {"squid.conf": text, **FILES})
        for request, allowed in zip(requests(seed), got, strict=True):
            answer = evaluator.ask(request)
            said[answer.allowed] += 1
            if answer.allowed not in (None, allowed):
                wrong.append(f"{text}\n{request}: {answer}, and Squid allows it: {allowed}")
    return wrong, said
