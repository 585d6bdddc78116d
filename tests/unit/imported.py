# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A squid.conf made by hand, its import, and what the role renders of that: as printed, and after all that the output says was done."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import rules
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.acls import Request, Span, define
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.read import read
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import.access import note_insides
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import.convert import Config, convert

from tests.unit.rendered import squid_conf

SAMPLES = Path(__file__).parent / "data/squid_conf"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.conf"))
FILES = {
    "/etc/squid/conf.d/*.conf": "",
    "/etc/squid/whitelist.txt": (SAMPLES / "whitelist.txt").read_text(encoding="utf-8"),
}

NETWORKS = ["10.100.0.0/16", "10.104.0.0/16"]
"""Where the clients that ask are; 127.0.0.1 asks, too."""
HOSTS = ["hub.azure-devices.net", "download.microsoft.com", "update.vendor.example", "www.example.com", "8.8.8.9"]
USERS = [None, "plant", "office", "carl"]

Question = tuple[str, str, str | None]
"""Source, host and user of a CONNECT to port 443."""

_ENTER = re.compile(
    r"it admits (.*?); a network of more than \d+ addresses gets no hosts, so enter the sensors in it by hand"
)


@dataclass
class Moved:
    """One configuration, before and after."""

    text: str
    inventory: dict[str, Any] = field(init=False)
    left_out: list[str] = field(init=False)

    def __post_init__(self) -> None:
        config = Config("site", "squid.conf", {"squid.conf": self.text, **FILES}, "192.0.2.1")
        found = convert([config])
        self.inventory = yaml.safe_load(found.inventory)["all"]["children"]
        self.left_out = found.left_out
        self._directives = read(config.path, config.files).directives
        acls = define(self._directives)
        # The names that are asked for lead outside.
        note_insides(acls)
        self._policy = rules.Policy(self._directives, acls)
        self._pieces = list(rules.pieces(rules.values_of(acls.values())))

    def questions(self, most: int = 20) -> list[Question]:
        """Return whom to ask for: the first and last of what the ACLs tell apart, each host, and each user that matters."""
        limits = [ip_network(network) for network in NETWORKS]
        found = {"127.0.0.1": None}
        for piece in self._pieces:
            for network in limits if piece.span.version == 4 else ():
                low, high = max(piece.span.low, int(network[0])), min(piece.span.high, int(network[-1]))
                found |= dict.fromkeys(str(ip_address(each)) for each in (low, high) if low <= high)
        sources = random.Random(1).sample(list(found), min(most, len(found)))
        users = USERS if "proxy_auth" in self.text else USERS[:1]
        return [(source, host, user) for source in sources for host in HOSTS for user in users]

    def expected(self, question: Question) -> bool | None:
        """Say what Squid does by our own reading of the configuration; None for what it cannot know."""
        source, host, user = question
        number = int(ip_address(source))
        piece = next(piece for piece in self._pieces if Span(4, number, number).is_in(piece.span))
        left = self._policy.left(piece)
        verdicts = {
            self._policy.decide(left, Request(source, host, 443, user), doubt).allowed for doubt in (False, True)
        }
        return verdicts.pop() if len(verdicts) == 1 else None

    def is_listed(self, question: Question) -> bool:
        """Whether the list of losses names a line by which this was let in, or an ACL of it."""
        source, host, user = question
        number = int(ip_address(source))
        left = self._policy.left(next(piece for piece in self._pieces if Span(4, number, number).is_in(piece.span)))
        place = self._policy.decide(left, Request(source, host, 443, user), doubt=True).place
        if place < 0:
            return any("where no http_access line matches" in each for each in self.left_out)
        line = left[place].directive
        names = {word.removeprefix("!").lower() for word in line.words[1:]}
        about = [each for each in self._directives if each.name == "acl" and each.words[0].lower() in names]
        numbers = {each.line for each in [line, *about]}
        told = (match[1] for each in self.left_out if (match := re.search(r"lines? ([0-9, -]+), ", each)))
        return any(not numbers.isdisjoint(_numbers(each)) for each in told)

    def rendered(self, questions: list[Question], follow: bool) -> str:
        """Return the squid.conf of the inventory; with ``follow`` each source that asks and may be entered by hand is a sensor."""
        groups = self.inventory["sensors"]["children"].values()
        sensors = {name: {**group["vars"], **host} for group in groups for name, host in group["hosts"].items()}
        if follow:
            taken = {sensor["sensor_proxy_src"] for sensor in sensors.values()} | {"127.0.0.1"}
            variables: dict[str, str] = next((group["vars"] for group in groups), {})
            for source in dict.fromkeys(source for source, _host, _user in questions if source not in taken):
                if any(_is_named(source, match[1]) for each in self.left_out if (match := _ENTER.search(each))):
                    sensors[f"by-hand-{len(sensors)}"] = {**variables, "sensor_proxy_src": source}
        # Whoever holds the vault chooses a user that may sign in now, and passwords are one for each user.
        plain = {"{{ vault_site_sensors_username }}": "plant", "{{ vault_site_sensors_password }}": "secret"}
        sensors = {
            name: {key: plain.get(value, value) for key, value in each.items() if key != "sensor_proxy_via"}
            for name, each in sensors.items()
        }
        proxy = self.inventory["proxies"]["hosts"]["site"]
        here = {
            name: value
            for name, value in proxy.items()
            if name not in ("ansible_host", "squid_parents", "squid_listen_addresses")
        }
        return squid_conf(sensors, **here)


def _is_named(source: str, text: str) -> bool:
    """Whether a person would take an address as one of these."""
    number = int(ip_address(source))
    everything = re.search(r"every IPv4 address(?: \(but (.*?)\))?", text)
    if everything:
        return not any(_is_in(number, each) for each in (everything[1] or "").split(", ") if each)
    return any(_is_in(number, each) for each in re.split(r", | and \d+ more|every .*", text) if each)


def _numbers(text: str) -> Iterator[int]:
    for part in text.split(", "):
        low, _dash, high = part.partition("-")
        yield from range(int(low), int(high or low) + 1)


def _is_in(number: int, text: str) -> bool:
    low, _dash, high = text.partition("-")
    return ":" not in text and int(ip_address(low)) <= number <= int(ip_address(high or low))


def generated(seed: int) -> str:
    """Return a random configuration of what our reading of Squid's rules knows."""
    draw = random.Random(seed)
    sources = [
        "10.100.0.1",
        "10.100.0.1-10.100.0.9",
        "10.100.0.4/30",
        "10.100.0.0/16",
        "10.104.0.0/255.255.0.0",
        "10.100.0.8",
        "all",
    ]
    domains = [".azure-devices.net", "hub.azure-devices.net", "download.microsoft.com", ".com", ".example"]
    lines = [
        "http_port 3128",
        "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwd",
        "acl user proxy_auth REQUIRED",
        "acl office proxy_auth office carl",
        "acl tls port 400-500",
        "acl web port 80",
        "acl GET method GET",
        "acl ftp proto FTP HTTP",
        "acl path urlpath_regex .",
        "acl many maxconn 200",
        "acl literal dstdom_regex ^[0-9.]+$",
        "acl word dstdom_regex -i MICRO",
        "acl private dst 10.0.0.0/8 127.0.0.0/8",
        "acl door myportname 3129",
        "acl night time 00:00-00:01",
    ]
    for name in ("s0", "s1", "s2"):
        lines += [f"acl {name} src {value}" for value in draw.sample(sources, draw.randint(1, 2))]
    lines += [f"acl d{number} dstdomain {' '.join(draw.sample(domains[number::2], 2))}" for number in (0, 1)]
    known = [
        "s0",
        "s1",
        "s2",
        "s0",
        "s1",
        "user",
        "office",
        "all",
        "CONNECT",
        "tls",
        "web",
        "GET",
        "ftp",
        "path",
        "many",
    ]
    known += [
        "literal",
        "word",
        "private",
        "door",
        "night",
        "d0",
        "d1",
        "d0",
        "d1",
        "localhost",
        "manager",
        "to_localhost",
    ]
    for _number in range(draw.randint(2, 7)):
        terms = [draw.choice(["", "", "", "!"]) + draw.choice(known) for _each in range(draw.randint(1, 3))]
        lines.append(f"http_access {draw.choice(['allow', 'allow', 'deny'])} {' '.join(terms)}")
    return "\n".join([*lines, ""])
