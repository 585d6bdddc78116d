"""Doors that must stay shut, and a service that must stay up, whatever strangers and the host's own programs do."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import lab
import play
import pytest
from attack_table import answered

PROXIES = {f"ot-default-proxy-{number}": f"ot-default-sensor{number}" for number in (1, 2, 3)}
WITH_NFTABLES = sorted(PROXIES)[1:]
STRANGER = "ot-default-stranger"
TRY = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
    print("open")
except TimeoutError:
    print("dropped")
except ConnectionRefusedError:
    print("closed")
"""


@pytest.fixture(params=sorted(PROXIES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def visit(name: str, endpoint: str = "hub.azure-devices.net") -> lab.Visit:
    return lab.visit(PROXIES[name], f"http://{lab.address(name, 'ot-default')}:3128", endpoint)


def tried(name: str, port: int, ipv6: bool = False, host: str = STRANGER) -> str:
    """What a host finds at a port of a proxy."""
    address = lab.address(name, "ot-default")
    if ipv6:
        shown = lab.output(name, "ip", "-6", "-oneline", "address", "show", "dev", "eth0", "scope", "link")
        address = shown.split("inet6 ")[1].split("/")[0] + "%eth0"
    return lab.output(host, "python3", "-c", TRY, address, str(port)).strip()


def deploy(group: str = "proxies", hosts: dict[str, Any] | None = None, *options: str) -> play.Run:
    """Run the playbook for the proxies with variables of some hosts changed."""
    # What was flushed with the rules is Docker's way to a DNS server, too, so that no package source is reached.
    return play.playbook(
        "proxies",
        *options,
        change={
            "all": {"vars": {"squid_apt_cache_valid_time": 1_000_000_000}, "children": {group: {"hosts": hosts or {}}}}
        },
    )


def shut(name: str) -> bool:
    """Whether the proxy's port is shut for a stranger, and another one is not filtered."""
    return all((tried(name, 3128, ipv6), tried(name, 3333, ipv6)) == ("dropped", "closed") for ipv6 in (False, True))


@pytest.mark.parametrize("name", WITH_NFTABLES)
@pytest.mark.parametrize(
    "by",
    [
        pytest.param("systemctl restart nftables", id="the system's own rules"),
        pytest.param("systemctl reload nftables", id="their reload"),
        pytest.param("nft delete table inet ot_proxy; systemctl restart squid", id="a start of Squid"),
    ],
)
def test_the_ports_rules_survive(name: str, by: str) -> None:
    lab.output(name, "sh", "-c", by)
    assert shut(name)
    assert visit(name).connect == 200
    answered(
        "A stranger at the port, before Squid starts too, and after the system's firewall was restarted or reloaded",
        "Dropped, IPv4 and IPv6",
        "`firewall.nft`",
    )


def test_a_run_brings_rules_back_and_takes_away_what_is_wanted_no_more() -> None:
    """One run for all that a change of the firewall can be."""
    for name in WITH_NFTABLES:
        lab.output(name, "nft", "flush", "ruleset")
    first, second, third = sorted(PROXIES)
    hosts = {first: {"squid_firewall": "nftables"}, third: {"squid_firewall": "none"}}
    run = deploy(hosts=hosts)
    assert run.code == 0, run.output
    assert shut(second)
    assert "ot_proxy" not in lab.output(first, "ufw", "show", "added")
    assert "ot_proxy" not in lab.output(third, "nft", "list", "ruleset")
    assert lab.run(third, "test", "-e", "/etc/systemd/system/nftables.service.d/ot-proxy.conf").returncode == 1
    again = deploy(hosts=hosts)
    assert [again.changed(name) for name in sorted(PROXIES)] == [0, 0, 0]


def test_ufw_forgets_a_client_and_is_refused_where_it_filters_nothing() -> None:
    first = sorted(PROXIES)[0]
    back = deploy()
    assert back.code == 0, back.output
    assert "10.101.0.1 " in lab.output(first, "ufw", "show", "added")
    gone = deploy("sensors", {PROXIES[first]: {"sensor_proxy_src": "10.101.0.9"}})
    assert gone.code == 0, gone.output
    assert "10.101.0.1 " not in lab.output(first, "ufw", "show", "added")
    lab.output(first, "ufw", "disable")
    refused = deploy("proxies", {}, "--limit", first)
    assert refused.code != 0
    answered(
        "The address of a client that is gone, where ufw filters", "Its rule of ufw is deleted", "The role, at each run"
    )
    assert "squid_firewall is ufw, but ufw is not active here" in refused.text
    lab.output(first, "ufw", "--force", "enable")
    assert deploy().code == 0


INSIDE = [
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "100.64.0.1",
    "192.168.1.1",
    "224.0.0.1",
    "10.101.0.11",
    "10.101.0.12",
]
INSIDE += ["::", "::1", "::ffff:127.0.0.1", "fe80::1", "fd00::1"]


def test_no_name_leads_inside(name: str) -> None:
    """Not even to a proxy in the network where names of this domain may lead (squid_private_endpoints)."""
    names = {f"evil{number}.azure-devices.net": address for number, address in enumerate(INSIDE)}
    lines = "".join(
        f"{address} {other}\n" for other, address in [*names.items(), ("good.azure-devices.net", "10.101.0.80")]
    )
    before = lab.output(name, "cat", "/etc/hosts")
    # Docker has mounted it, so that it cannot be replaced.
    write = ["docker", "exec", "-i", name, "sh", "-c", "cat >/etc/hosts"]
    subprocess.run(write, input=before + lines, text=True, check=True)
    try:
        lab.output(name, "systemctl", "reload", "squid")
        time.sleep(1)
        assert visit(name, "good.azure-devices.net").connect == 200
        assert {other: visit(name, other).connect for other in names} == dict.fromkeys(names, 403)
        time.sleep(1)
        # Whoever hangs up on the answer is written as ABORTED.
        denied = lab.log_lines(name, "evil0.azure-devices.net")[-1].split()[5]
        assert denied.replace("_ABORTED", "") == "TCP_DENIED/403"
    finally:
        subprocess.run(write, input=before, text=True, check=True)
    answered(
        "An allowed name that leads to loopback, link-local, private or other addresses inside, IPv4 and IPv6, or to a proxy",
        "403; only networks of `squid_private_endpoints`, for their names, are let through",
        "`squid.conf` of the last hop",
        "Its access log",
    )


def test_a_full_disk_costs_lines_and_not_the_service(name: str) -> None:
    lab.run(name, "dd", "if=/dev/zero", "of=/var/log/squid/fill", "bs=64k")
    try:
        main = lab.output(name, "systemctl", "show", "--property=MainPID", "squid")
        assert [visit(name).connect for _number in range(20)] == [200] * 20
        assert lab.output(name, "systemctl", "show", "--property=MainPID", "squid") == main
        lab.output(name, "systemctl", "restart", "squid")
        assert visit(name).connect == 200
    finally:
        lab.output(name, "rm", "/var/log/squid/fill")
    lab.output(name, "systemctl", "reload", "squid")
    time.sleep(1)
    before = len(lab.log_lines(name, "hub.azure-devices.net"))
    visit(name)
    time.sleep(1)
    assert len(lab.log_lines(name, "hub.azure-devices.net")) > before
    answered(
        "A full log disk",
        "Squid works on without its log, starts without it too, and writes it again later",
        "`squid.conf`",
    )


def test_a_log_that_grows_is_rotated_the_same_day(name: str) -> None:
    assert lab.output(name, "systemctl", "is-active", "ot-proxy-logrotate.timer").strip() == "active"
    unit = lab.output(name, "systemctl", "show", "--property=Unit", "ot-proxy-logrotate.timer")
    assert unit.strip() == "Unit=logrotate.service"
    lab.output(name, "truncate", "--size", "101M", "/var/log/squid/access.log")
    lab.output(name, "systemctl", "start", "logrotate")
    assert int(lab.output(name, "stat", "--format", "%s", "/var/log/squid/access.log.1")) > 100_000_000
    lab.output(name, "rm", "/var/log/squid/access.log.1")
    assert visit(name).connect == 200
    answered(
        "Requests that make the log grow", "It is rotated at 100 MB, the same day", "logrotate, by a timer of its own"
    )


def test_a_long_target_is_cut_in_the_log(name: str) -> None:
    visit(name, "x" * 60 + ".y" * 90 + ".azure-devices.net")
    time.sleep(1)
    assert len(lab.log_lines(name, "x" * 60)[-1]) < 400
    answered("Long targets that fill the log", "Cut at 260 characters", "`squid.conf`", "Access log")


@pytest.mark.parametrize("name", WITH_NFTABLES)
def test_the_journal_keeps_no_copy_of_the_log(name: str) -> None:
    visit(name)
    time.sleep(1)
    assert "CONNECT hub" not in lab.output(name, "journalctl", "--output", "cat")
