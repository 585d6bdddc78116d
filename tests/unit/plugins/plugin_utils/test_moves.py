# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever changes: at every step of a run no path that is to survive is cut, and none is open that nobody declared.

The world is what each proxy's squid.conf and password file say, rendered by the role's template and judged by _squid_rules; the
run goes over it as the role's deploy.yml, sensors.yml and let_go.yml do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text as squid_text
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.acls import Request
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.rules import ALLOW, CHALLENGE, Rules
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import deployment, topology
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rendered import admitted, of_graph

Vars = Any

HUB = "hub.azure-devices.net"
PROXIES = ["p1", "p2", "p3", "p4"]
SENSORS = ["s1", "s2"]
ANYBODY = "anybody"
"""A user that nobody is: what lets it in lets in everybody who can sign in (the layout combined)."""
PEER = re.compile(r"^cache_peer (\S+) parent (\d+) .*?( tls .*?)?(?: login=(\S+?):\S+)?$", re.MULTILINE)


@dataclass
class Inventory:
    """What it says of each host, and the topology of that."""

    proxies: dict[str, Vars]
    sensors: dict[str, Vars]
    graph: Any = field(init=False)

    def __post_init__(self) -> None:
        self.graph = topology.derive({**self.proxies, **self.sensors}, list(self.proxies), list(self.sensors))
        assert self.graph["mistakes"] == []

    def logins(self, proxy: str) -> dict[str, str]:
        """Return the users that a proxy is to know, with their passwords."""
        if not self.proxies[proxy].get("squid_auth_enabled"):
            return {}
        here = [client["name"] for client in self.graph["proxies"][proxy]["clients"]]
        sensors = [self.sensors[name] for name in here if name in self.sensors]
        parents = [each for name in here if name in self.proxies for each in self.proxies[name]["squid_parents"]]
        found = {each["sensor_proxy_username"]: each["sensor_proxy_password"] for each in sensors}
        return found | {
            each["username"]: each["password"] for each in parents if each["host"] == proxy and "username" in each
        }

    def sources(self, child: str, parent: str) -> list[str]:
        """Return the addresses from which a client comes."""
        clients: list[Vars] = self.graph["proxies"][parent]["clients"]
        return next(client["addresses"] for client in clients if client["name"] == child)


@dataclass
class Squid:
    """A proxy as it runs."""

    inventory: Inventory
    """The one by which it was changed last."""

    text: str
    users: dict[str, str]
    accepted: dict[str, str] = field(default_factory=dict)
    """Passwords of before, with which clients may go on that have signed in lately."""

    def listens(self, address: str, port: int, tls: bool) -> bool:
        found = [each for each in squid_text.bound(self.text) if (each.port, each.tls) == (port, tls)]
        return any(each.address in ("", address) for each in found)

    def admits(self, source: str, user: str | None, password: str | None) -> bool:
        rules = Rules(self.text)
        if rules.decide(Request(source, HUB)).action != CHALLENGE:
            return rules.decide(Request(source, HUB)).action == ALLOW
        knows = user is not None and password in (self.users.get(user), self.accepted.get(user))
        return knows and rules.decide(Request(source, HUB, user=user)).action == ALLOW

    def opened(self) -> tuple[set[tuple[str, str | None]], set[tuple[str, int, bool]]]:
        """Return who is let in as whom, and where it listens; who comes by which port is nothing that Squid asks."""
        rules = Rules(self.text)
        sources = {word for line in re.findall(r"(?m)^acl \S+ src (.+?)(?: #.*)?$", self.text) for word in line.split()}
        users = [None, ANYBODY, *re.findall(r"(?m)^acl user:(\S+)", self.text)]
        who = {
            (source, user)
            for source, user in product(sources, users)
            if rules.decide(Request(source, HUB, user=user)).action == ALLOW
        }
        return who, {(each.address, each.port, each.tls) for each in squid_text.bound(self.text)}


class World:
    """All proxies, and the consoles of all sensors."""

    def __init__(self, before: Inventory, after: Inventory) -> None:
        self.after = after
        self.squids = {name: self.whole(before, name) for name in before.proxies}
        self.consoles = {name: (before, before.graph["sensors"][name]["path"][0]) for name in before.sensors}
        self.owners = {
            address.partition("/")[0]: name
            for inventory in (before, after)
            for name, variables in inventory.proxies.items()
            for address in variables["squid_addresses"]
        }
        self.may: dict[str, tuple[set[Any], set[Any]]] = {}
        for name in self.owners.values():
            ends = [self.squids[name].opened()] if name in self.squids else []
            ends += [] if self.is_absent(name) else [self.whole(after, name).opened()]
            self.may[name] = set().union(*(end[0] for end in ends)), set().union(*(end[1] for end in ends))
        self.facts: dict[str, Vars] = {name: {} for name in after.sensors}

    @staticmethod
    def whole(inventory: Inventory, name: str) -> Squid:
        text = of_graph(inventory.graph, name, **inventory.proxies[name])
        return Squid(inventory, text, inventory.logins(name))

    def is_absent(self, name: str) -> bool:
        return bool(self.after.proxies.get(name, {}).get("squid_state") == "absent")

    # What is to hold at every step ---------------------------------------------------------------------------------

    def check(self) -> None:
        for sensor in self.consoles:
            self.check_path(sensor)
        for name, squid in self.squids.items():
            who, where = squid.opened()
            allowed, listeners = self.may[name]
            for source, user in who:
                # Whoever need not sign in may, and where any user may, each may.
                as_well = {(source, user), (source, None)} | ({(source, ANYBODY)} if user else set())
                assert as_well & allowed, f"{name} is open to {source} as {user}"
            assert where <= listeners, f"{name} listens at {where - listeners}"

    def check_path(self, sensor: str) -> None:
        inventory, hop = self.consoles[sensor]
        entry, variables = inventory.graph["sensors"][sensor], inventory.sensors[sensor]
        login = variables["sensor_proxy_username"], variables["sensor_proxy_password"]
        self.check_hop(
            sensor, entry["addresses"], (hop, entry["proxy"]["address"], entry["proxy"]["port"], False), login
        )
        while peer := PEER.search(self.squids[hop].text):
            squid, child = self.squids[hop], hop
            hop = self.owners[peer[1]]
            given = next(each for each in squid.inventory.proxies[child]["squid_parents"] if each["host"] == hop)
            place = hop, peer[1], int(peer[2]), bool(peer[3])
            self.check_hop(child, squid.inventory.sources(child, hop), place, (peer[4], given.get("password")))

    def check_hop(
        self, child: str, sources: list[str], place: tuple[str, str, int, bool], login: tuple[str | None, str | None]
    ) -> None:
        name, address, port, tls = place
        assert name in self.squids, f"{child} uses {name}, which is gone"
        assert self.squids[name].listens(address, port, tls), f"{child} comes to {place}, which does not listen there"
        for source in sources:
            assert self.squids[name].admits(source, *login), f"{name} refuses {child} from {source} as {login}"

    # The run -------------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """Do what deploy.yml does: look at all, change one tier after the other, let go of who has arrived."""
        self.facts = {name: self.look(name) for name in self.after.proxies} | {name: {} for name in self.after.sensors}
        for tier in self.after.graph["tiers"]:
            for name in tier:
                self.change(name, "begin")
        self.finish(sensors=False)

    def finish(self, *, sensors: bool) -> None:
        run = deployment.deployment(self.after.graph, self.facts, sensors=sensors)
        for name in run.finish:
            self.facts[name] |= self.look(name)
            self.change(name, "finish", run.arrived)

    def push(self, sensor: str) -> None:
        place = self.after.graph["sensors"][sensor]["proxy"]
        self.consoles[sensor] = self.after, self.after.graph["sensors"][sensor]["path"][0]
        after = {"enabled": True, "host": place["address"], "port": place["port"]}
        self.facts[sensor] = {deployment.PUSHED: {"after": after}}

    def look(self, name: str) -> Vars:
        text = self.squids[name].text if name in self.squids else ""
        listeners = [vars(each) for each in squid_text.bound(text)]
        return {deployment.LOOK: {"release": "any", "endpoints": {}, "configuration": text, "listeners": listeners}}

    def change(self, name: str, phase: str, arrived: list[str] | None = None) -> None:
        """Do what main.yml does."""
        given = self.after.proxies[name] | {"squid_arrived": arrived or []}
        running = self.facts[name][deployment.LOOK]
        found = admitted(self.after.graph, name, running=running, **given)
        old = self.squids.get(name)
        patient = False
        if not self.is_absent(name):
            known = old.users if old else {}
            users = {user: known[user] for user in found["kept_users"] if user in known} | self.after.logins(name)
            new = Squid(self.after, of_graph(self.after.graph, name, running=running, **given), users)
            if phase == "begin":
                new.accepted = {user: known[user] for user in known.keys() & users.keys() if known[user] != users[user]}
                patient = bool(new.accepted)
            self.squids[name] = new
        elif old and not found["leaving"]:
            del self.squids[name]
        self.facts[name] |= {
            deployment.DONE: True,
            deployment.KEPT: {
                "names": found["leaving"],
                "ports": [] if self.is_absent(name) else [each["port"] for each in found["listeners"]],
                "patient": patient,
                "whole": self.is_absent(name) and bool(found["leaving"]),
            },
        }
        self.check()


@st.composite
def _inventories(draw: st.DrawFn) -> tuple[Inventory, Inventory]:
    stay = PROXIES[: draw(st.integers(1, 3))]
    # One may come, and one go away.
    comes, goes = (["p4"] if draw(st.booleans()) else [] for _dummy in range(2))
    sensors = SENSORS[: draw(st.integers(1, len(SENSORS)))]
    before = _inventory(draw, draw(st.permutations(stay + (["p5"] if goes else []))), sensors, None)
    after = _inventory(draw, draw(st.permutations(stay + comes)), sensors, before)
    if goes:
        gone = {**before.proxies["p5"], "squid_state": "absent", "squid_parents": []}
        after = Inventory({**after.proxies, "p5": gone}, after.sensors)
    return before, after


def _inventory(draw: st.DrawFn, order: list[str], sensors: list[str], before: Inventory | None) -> Inventory:
    """Draw one in which those that come first in the order are parents of those that come later."""
    proxies: dict[str, Vars] = {}
    depth: dict[str, int] = {}
    for name in order:
        above = [parent for parent in proxies if depth[parent] < 2]
        parents = draw(st.lists(st.sampled_from(above), unique=True, max_size=2)) if above else []
        depth[name] = 1 + max((depth[parent] for parent in parents), default=-1)
        was = before.proxies.get(name) if before else None
        proxies[name] = _proxy(draw, name, was) | {
            "squid_parents": [_parent(draw, name, proxies[parent], parent) for parent in parents]
        }
    return Inventory(proxies, {name: _sensor(draw, name, list(proxies)) for name in sensors})


def _proxy(draw: st.DrawFn, name: str, was: Vars | None) -> Vars:
    number = name[1:]
    # Whoever has an address has it before and after: nobody can admit two by one address.
    own = [f"10.0.0.{number}", f"10.0.0.10{number}", f"10.0.1.{number}"]
    addresses = draw(st.lists(st.sampled_from(own), unique=True, min_size=1, max_size=2))
    found: Vars = {
        "squid_addresses": [f"{address}/24" for address in addresses],
        "squid_src": draw(st.sampled_from([[], [], [f"10.0.2.{number}"]])),
        "squid_port": draw(st.sampled_from([3128, 3128, 3129])),
        "squid_acl_layout": draw(st.sampled_from(["per_sensor", "combined"])),
        "squid_auth_enabled": draw(st.booleans()),
        "squid_tls_certificate": "/c",
        "squid_tls_private_key": "/k",
        # A TLS listener that is given up has no certificate any more, so it cannot be kept.
        "squid_tls_port": draw(st.sampled_from([3443, 3444] if was and was["squid_tls_port"] else [0, 3443])),
    }
    # From every address to some at the same port, both cannot be there at once.
    if draw(st.booleans()) and (was is None or was.get("squid_listen_addresses")):
        found["squid_listen_addresses"] = addresses
    return found


def _parent(draw: st.DrawFn, child: str, parent: Vars, name: str) -> Vars:
    found: Vars = {"host": name, "tls": bool(parent["squid_tls_port"]) and draw(st.booleans())}
    if parent["squid_auth_enabled"] or draw(st.booleans()):
        found |= {"username": f"{child}-{draw(st.integers(1, 2))}"}
        found["password"] = draw(st.sampled_from(["old", "new"]))
    return found


def _sensor(draw: st.DrawFn, name: str, proxies: list[str]) -> Vars:
    # Its address and user stay: the one is changed by a person, and the other by a rotation (docs/rotation.md).
    login = {"sensor_proxy_username": name, "sensor_proxy_password": "secret"}
    return login | {"sensor_proxy_src": f"10.0.9.{name[1:]}", "sensor_proxy_via": draw(st.sampled_from(proxies))}


@settings(deadline=None, max_examples=60)
@given(_inventories(), st.data())
def test_nobody_is_cut_off_and_nothing_is_open_that_nobody_declared(
    both: tuple[Inventory, Inventory], data: st.DataObject
) -> None:
    world = World(*both)
    world.check()
    world.deploy()
    pushed = data.draw(st.lists(st.sampled_from(list(world.consoles)), unique=True))
    for sensor in pushed:
        world.push(sensor)
        world.check()
    world.finish(sensors=True)
    # The rest is pushed later, and a second run has nothing to keep any more.
    for sensor in world.consoles.keys() - set(pushed):
        world.push(sensor)
        world.check()
    world.finish(sensors=True)
    world.deploy()
    for sensor in world.consoles:
        world.push(sensor)
    world.finish(sensors=True)
    expected = {name: world.whole(world.after, name) for name in world.after.proxies if not world.is_absent(name)}
    assert {name: (squid.text, squid.users) for name, squid in world.squids.items()} == {
        name: (squid.text, squid.users) for name, squid in expected.items()
    }
