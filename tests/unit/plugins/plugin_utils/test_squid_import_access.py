# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is let in by random configurations, by a reading of Squid's rules that shares nothing with the import's, and by its inventory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import topology
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._squid_import.convert import Config, convert
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

SITE = "site"
LAST = 40
"""The sources are 10.0.0.0 to 10.0.0.LAST; values of ACLs lie among them, but for those that have a network too large."""

DEFAULTS = ["*.azure-devices.net", "*.blob.core.windows.net", "*.servicebus.windows.net", "download.microsoft.com"]
DOMAINS = ["a.example", ".a.example", "x.a.example", ".x.a.example", "b.example", ".c.example", ".windows.net"]
HOSTS = [
    *(
        "a.example",
        "x.a.example",
        "y.a.example",
        "z.x.a.example",
        "b.example",
        "y.b.example",
        "c.example",
        "y.c.example",
    ),
    *("hub.azure-devices.net", "azure-devices.net", "blob.core.windows.net", "s.blob.core.windows.net"),
    *("servicebus.windows.net", "s.servicebus.windows.net", "download.microsoft.com", "windows.net", "www.example.com"),
]
AUTH = "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/users"


@dataclass(frozen=True)
class Source:
    """A value of an ACL of sources: what is written, and whom it means."""

    text: str
    low: int
    high: int


@dataclass(frozen=True)
class Drawn:
    """A random configuration."""

    sources: dict[str, list[Source]]
    domains: dict[str, list[str]]
    rules: list[tuple[str, list[str]]]
    joined: bool
    """Whether an ACL's values stand on one line or on a line each."""

    def text(self) -> str:
        """Return it as squid.conf."""
        lines = [
            AUTH,
            "acl user proxy_auth REQUIRED",
            "acl tls port 443",
            "acl web port 80 8000-8100",
            "acl GET method GET",
        ]
        lines += ["acl night time 22:00-23:59"]
        written = {name: ("src", [value.text for value in values]) for name, values in self.sources.items()}
        written |= {name: ("dstdomain", values) for name, values in self.domains.items()}
        for name, (kind, words) in written.items():
            lines += [
                f"acl {name} {kind} {' '.join(each)}" for each in ([words] if self.joined else [[w] for w in words])
            ]
        return "\n".join([*lines, *(f"http_access {action} {' '.join(terms)}" for action, terms in self.rules), ""])

    def without_overlaps(self) -> Drawn:
        """Return it with each ACL of sources as Squid 5.7 and 6.13 have it: what overlaps a value before it is left out."""
        found: dict[str, list[Source]] = {}
        for name, values in self.sources.items():
            found[name] = []
            for value in values:
                if not any(value.low <= other.high and other.low <= value.high for other in found[name]):
                    found[name].append(value)
        return replace(self, sources=found)

    def lets_in(self, source: int, host: str, signed_in: bool, night: bool = False) -> bool:
        """Say whether a source may CONNECT to a host on port 443: the first line of which all matches decides."""
        for action, terms in self.rules:
            for term in terms:
                name = term.lstrip("!")
                if name == "user" and not signed_in:
                    return False
                if self._is(name, source, host, night) == term.startswith("!"):
                    break
            else:
                return action == "allow"
        return bool(self.rules) and self.rules[-1][0] == "deny"

    def _is(self, name: str, source: int, host: str, night: bool) -> bool:
        if name in self.sources:
            return any(value.low <= source <= value.high for value in self.sources[name])
        if name in self.domains:
            return any(
                host == each.lstrip(".") or (each[0] == "." and host.endswith(each)) for each in self.domains[name]
            )
        return {"all": True, "CONNECT": True, "tls": True, "web": False, "GET": False, "user": True, "night": night}[
            name
        ]


def _address(number: int) -> str:
    return f"10.0.0.{number}"


@st.composite
def _source(draw: st.DrawFn) -> Source:
    kind = draw(st.sampled_from(["one", "one", "range", "network", "mask", "large"]))
    low = draw(st.integers(0, LAST))
    if kind == "one":
        return Source(_address(low), low, low)
    if kind == "range":
        high = draw(st.integers(low, LAST))
        return Source(f"{_address(low)}-{_address(high)}", low, high)
    if kind == "large":
        return Source("10.0.0.0/16", 0, 65535)
    bits = draw(st.integers(0, 3))
    start = low >> bits << bits
    mask = f"255.255.255.{256 - 2**bits}" if kind == "mask" else str(32 - bits)
    return Source(f"{_address(low)}/{mask}", start, start + 2**bits - 1)


def _configurations(*more: str) -> st.SearchStrategy[Drawn]:
    names = [f"s{number}" for number in range(4)]
    terms = st.sampled_from([*names, *names, "all", "CONNECT", "tls", "web", "GET", "d0", "d1", "user", *more])
    term = st.tuples(st.sampled_from(["", "", "", "!"]), terms).map("".join)
    rule = st.tuples(st.sampled_from(["allow", "allow", "deny"]), st.lists(term, min_size=1, max_size=3))
    return st.builds(
        Drawn,
        sources=st.fixed_dictionaries({name: st.lists(_source(), min_size=1, max_size=3) for name in names}),
        domains=st.fixed_dictionaries(
            {d: st.lists(st.sampled_from(DOMAINS), min_size=1, max_size=3) for d in ("d0", "d1")}
        ),
        rules=st.lists(rule, max_size=6),
        joined=st.booleans(),
    )


@dataclass(frozen=True)
class Inventory:
    """What was made of it: the clients as the collection derives them."""

    clients: set[str]
    hosts: list[str]
    """Those of HOSTS that they may reach."""
    auth: bool
    outvoted: bool
    """Whether somebody is left out, and named, since most others sign in otherwise."""


def _imported(drawn: Drawn) -> Inventory:
    found = convert([Config(SITE, "squid.conf", {"squid.conf": drawn.text()}, "192.0.2.1")])
    children: Any = yaml.safe_load(found.inventory)["all"]["children"]
    proxies = children["proxies"]["hosts"]
    sensors: dict[str, Any] = {}
    for group in children["sensors"]["children"].values():
        variables = {name: "plain" if "vault" in value else value for name, value in group["vars"].items()}
        sensors |= {name: {**host, **variables} for name, host in group["hosts"].items()}
    graph = topology.derive({**proxies, **sensors}, list(proxies), list(sensors))
    assert graph["mistakes"] == []
    clients = [address for client in graph["proxies"][SITE]["clients"] for address in client["addresses"]]
    assert len(clients) == len(set(clients))
    endpoints = proxies[SITE].get("squid_endpoints", DEFAULTS)
    return Inventory(
        clients=set(clients),
        hosts=[host for host in HOSTS if any(_covers(endpoint, host) for endpoint in endpoints)],
        auth=proxies[SITE].get("squid_auth_enabled", False),
        outvoted=any("and most others need not" in line for line in found.left_out),
    )


def _covers(endpoint: str, host: str) -> bool:
    return f".{host}".endswith(endpoint[1:]) if endpoint.startswith("*.") else host == endpoint


_SPLIT = Drawn(
    {f"s{number}": [Source(_address(0), 0, 0)] for number in range(4)},
    {"d0": ["a.example"], "d1": ["a.example"]},
    [("allow", ["s0", "user"]), ("allow", ["all"])],
    joined=False,
)


@settings(deadline=None, max_examples=200)
@example(_SPLIT)
@given(_configurations())
def test_the_inventory_lets_in_whom_the_configuration_lets_in(drawn: Drawn) -> None:
    drawn = drawn.without_overlaps()
    found = _imported(drawn)
    small = [value for values in drawn.sources.values() for value in values if value.high - value.low < 64]
    named = {number for value in small for number in range(value.low, value.high + 1)}
    event(f"{min(len(found.clients), 4)} clients")
    if found.clients:
        assert found.hosts
        expected = {
            _address(number)
            for number in named
            if all(drawn.lets_in(number, host, signed_in=found.auth) for host in found.hosts)
        }
        assert found.clients == expected
    else:
        # Unless what is let in are all hosts of a domain but those that an ACL names, which no list of endpoints can say, or those who
        # must sign in, while a network that gets no hosts need not.
        exact = ("a.example", "x.a.example", "b.example", "c.example", "windows.net")
        assert not any(
            drawn.lets_in(number, host, user)
            for number in named
            for host in exact
            for user in ((False,) if found.outvoted else (False, True))
        )


@settings(deadline=None, max_examples=200)
@given(_configurations("night", "night", "night"), st.booleans())
def test_what_is_not_known_lets_in_nobody(drawn: Drawn, night: bool) -> None:
    found = _imported(drawn)
    event(f"{min(len(found.clients), 4)} clients")
    # Squid 7 has all values.
    for squid in (drawn.without_overlaps(), drawn):
        for address in found.clients:
            number = int(address.rpartition(".")[2])
            assert all(squid.lets_in(number, host, found.auth, night) for host in found.hosts)
