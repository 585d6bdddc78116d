"""Everything that can move moves at once, under a CONNECT every 50 ms from each sensor: none is refused, and what is broken comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import lab
import pytest
from chain_lab import ENDPOINT, PARENTS, SITES, visit
from play import Run, playbook

SITE_1, SITE_2, SITE_3 = sorted(SITES)
DMZ_1, DMZ_2 = PARENTS
NEW_ADDRESS = "10.102.1.121"
MOVED = "ot-chain-sensor3"


def deploy(*options: str, **hosts: dict[str, Any]) -> Run:
    """Run the user's playbook with other variables of some hosts; sensor3 is ot-chain-sensor3, site_1 is ot-chain-site-1."""
    named = {f"ot-chain-{name.replace('_', '-')}": variables for name, variables in hosts.items()}
    sensors = {name: variables for name, variables in named.items() if name == MOVED}
    proxies = {name: variables for name, variables in named.items() if name != MOVED}
    groups = {"proxies": {"hosts": proxies}, "sensors": {"hosts": sensors}}
    return playbook("proxies", *options, change={"all": {"children": groups}})


def parent(name: str, user: str, password: str) -> dict[str, Any]:
    return {"squid_parents": [{"host": name, "username": user, "password": password}]}


def watched() -> dict[str, tuple[str, ...]]:
    return {
        sensor: (lab.address(site, "ot-chain-ot"), ENDPOINT, "0.05", *((user,) if user else ()))
        for site, (sensor, user) in SITES.items()
    }


def admits(proxy: str, client: str) -> bool:
    """Whether a proxy has a rule for a client, be it for one that is about to leave."""
    config = lab.output(proxy, "cat", "/etc/squid/squid.conf")
    return bool(re.search(rf"(?m)^(http_access allow {client}|acl leaving:\d+ src .* # {client})\b", config))


@pytest.fixture(scope="module", autouse=True)
def as_it_was() -> Iterator[None]:
    """The new address is there before the inventory says so, as whoever renumbers a proxy does it."""
    interface = lab.output(DMZ_1, "ip", "-o", "addr", "show", "to", "10.102.1.21/32").split()[1]
    lab.output(DMZ_1, "ip", "address", "replace", f"{NEW_ADDRESS}/24", "dev", interface)
    yield
    run = deploy()
    assert run.code == 0, run.output


def test_nobody_is_refused_while_all_that_can_move_moves() -> None:
    """A site gets another parent; a parent another address, another port and another password; a sensor another proxy."""
    signing_in = {"squid_auth_enabled": True}
    before = deploy(
        dmz_1=signing_in,
        dmz_2=signing_in,
        site_1=parent(DMZ_1, "site1", "old"),
        site_2=parent(DMZ_1, "site2", "old"),
        site_3=parent(DMZ_1, "site3", "old"),
    )
    assert before.code == 0, before.output
    watch = lab.Watch()
    after: dict[str, dict[str, Any]] = {
        "sensor3": {"sensor_proxy_via": SITE_2},
        "dmz_1": {**signing_in, "squid_addresses": [f"{NEW_ADDRESS}/24"], "squid_port": 3138},
        "dmz_2": signing_in,
        "site_1": parent(DMZ_2, "site1", "new"),
        "site_2": parent(DMZ_1, "site2", "new"),
        "site_3": parent(DMZ_1, "site3", "new"),
    }
    with watch.over(watched()):
        run = deploy(**after)
    assert run.code == 0, run.output
    for sensor, report in watch.reports.items():
        print(f"{sensor}: {report['attempts']} CONNECTs")
        assert report["attempts"] > 100
        assert report["failures"] == [], (sensor, run.output)
    assert f"still admits {MOVED}" in run.text
    for site in SITES:
        assert visit(site).connect == 200
        assert admits(DMZ_2, site) == (site == SITE_1)
        assert admits(DMZ_1, site) == (site != SITE_1)
    listening = lab.output(DMZ_1, "ss", "-Htln")
    assert ":3138 " in listening
    # What its workers have given up stays open until it is restarted, and nobody is behind it.
    assert "10.102.1.21:3128 is given up" in run.text or ":3128 is given up" in run.text
    assert lab.visit(SITE_1, f"http://{NEW_ADDRESS}:3128", ENDPOINT).connect == 0
    assert lab.visit(MOVED, f"http://{lab.address(SITE_2, 'ot-chain-ot')}:3128", ENDPOINT).connect == 200
    again = deploy(**after)
    assert [again.changed(host) for host in (*SITES, DMZ_1, DMZ_2)] == [0] * 5, again.output
    ended = deploy("-e", "squid_phase=whole", **after)
    assert (ended.code, ended.changed(SITE_3)) == (0, 1), ended.output
    assert visit(SITE_3).connect == 403


def test_parent_that_cannot_be_reached_cuts_nobody_off() -> None:
    nowhere = {"ansible_host": "ot-chain-nowhere", "squid_addresses": ["10.102.1.99/24"]}
    assert deploy().code == 0
    run = deploy(dmz_9=nowhere, site_1={"squid_parents": ["ot-chain-dmz-9"]}, site_2={"squid_via": False})
    assert run.code != 0
    assert "ot-chain-dmz-9: it could not be reached, and was not touched" in run.text
    assert f"{SITE_1}: it was not touched, since its parent ot-chain-dmz-9 was not brought to its state." in run.text
    assert run.changed(SITE_1) == 0
    assert "via off" in lab.output(SITE_2, "cat", "/etc/squid/squid.conf"), "what does not depend on it is done"
    for site in SITES:
        assert visit(site).connect == 200
        assert admits(DMZ_1, site)


def test_path_that_is_broken_in_the_end_comes_back() -> None:
    """Each parent proves that it works with its new list, and no site does any more."""
    assert deploy().code == 0
    other = {"squid_endpoints": ["other.azure-devices.net"], "squid_probe_endpoints": ["other.azure-devices.net"]}
    run = deploy(dmz_1=other, dmz_2=other)
    assert run.code != 0
    for site in SITES:
        assert (
            f"{site}: it reached this when the run began, and not after it: download.microsoft.com (403)." in run.text
        )
        assert visit(site).connect == 200
    assert f"What this run had changed was taken back ({DMZ_1}, {DMZ_2}). All of it is reached again." in run.text
