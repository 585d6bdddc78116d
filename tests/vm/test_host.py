"""A proxy on a host with a kernel of its own, in this order: AppArmor, SSH as an ordinary user, reboots, power cuts (``make vm``)."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text
from play import Run

from .guest import Guest

SENSOR, STRANGER = "10.10.0.1", "10.10.0.9"
CUTS = int(os.environ.get("LONG", "0")) // 30 or 3
TEXT = "/etc/squid/squid.conf"

PROXY: dict[str, Any] = {
    "squid_addresses": ["10.10.0.250/24", "10.50.0.21/24"],
    "squid_parents": [
        {"host": "first.plant.example", "port": 3129, "tls": True, "tls_ca": "/etc/squid/tls/parent.pem"},
        {"host": "10.50.0.10", "port": 3128},
    ],
    "squid_probe_endpoints": ["download.microsoft.com"],
    "squid_auth_enabled": True,
    "squid_tls_port": 3130,
    "squid_tls_certificate": "/etc/squid/tls/own.pem",
    "squid_tls_private_key": "/etc/squid/tls/own.key",
    "squid_firewall": "nftables",
    "squid_native_log": True,
    "squid_remote_syslog_host": "10.50.0.10",
    "squid_apt_cache_valid_time": 1_000_000_000,
}


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    made = Guest(tmp_path_factory.mktemp("guest"))
    try:
        print(f"\nfirst boot: {made.power_on():.0f} s")
        yield made
    finally:
        made.cut_power()


def command(guest: Guest, folder: Path, more: Mapping[str, Any]) -> list[str]:
    """Return what an administrator types, who signs in as an ordinary user and has a password for sudo."""
    sensors = {"sensor1": {"sensor_proxy_src": SENSOR}}
    sensors |= {f"more{number}": {"sensor_proxy_src": f"10.10.0.{number}"} for number in more.get("sensors", [])}
    login = {"sensor_proxy_via": "proxy", "sensor_proxy_username": "sensor1", "sensor_proxy_password": "sensor-secret"}
    host = {
        "ansible_host": "127.0.0.1",
        "ansible_port": guest.port,
        "ansible_user": "engineer",
        "ansible_become_password": "lab-sudo-secret",
        "ansible_ssh_common_args": " ".join(guest.ssh("engineer")[6:]),
        "ansible_ssh_private_key_file": guest.ssh("engineer")[1],
    }
    children = {"proxies": {"hosts": {"proxy": {**host, **PROXY}}}, "sensors": {"hosts": sensors, "vars": login}}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"children": children}}))
    return ["ansible-playbook", "-i", str(folder / "hosts.yml"), "--diff", "ot_security.proxy_chaining.proxies"]


def environment(pipelining: bool) -> dict[str, str]:
    return {**os.environ, "ANSIBLE_PIPELINING": str(pipelining), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_TIMEOUT": "60"}


def play(guest: Guest, *, pipelining: bool = True, **more: Any) -> Run:
    """Run the playbook."""
    done = subprocess.run(
        command(guest, guest.folder, more),
        env=environment(pipelining),
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    run = Run(done.returncode, done.stdout + done.stderr)
    assert run.code == 0, run.output
    return run


def knocks(guest: Guest, source: str) -> list[tuple[float, str]]:
    """Return what a client has seen since this boot."""
    lines = guest.output("cat /run/knocks").splitlines()
    return [(float(second), answer) for second, who, answer in map(str.split, lines) if who == source]


def served(guest: Guest, seconds: float = 180) -> float:
    """Wait until the sensor gets through; return the second since the kernel started."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := [second for second, answer in knocks(guest, SENSOR) if answer == "200"]:
            return found[0]
        time.sleep(2)
    raise AssertionError(
        guest.output("tail -n 20 /run/knocks /var/log/squid/cache.log; journalctl -b -u squid | tail -n 30")
    )


def denied(guest: Guest) -> str:
    """Return what AppArmor has refused in this boot."""
    return guest.run("journalctl -b --quiet --no-pager -o short-monotonic --grep 'apparmor=.DENIED'").stdout


def visit(guest: Guest, proxy: str, *more: str) -> str:
    """Return the answer to the CONNECT that a client of the plant makes."""
    options = "--silent --max-time 20 --output /dev/null --proxy-insecure --insecure --write-out '%{http_connect}'"
    return guest.run(
        f"ip netns exec ot curl {options} {' '.join(more)} --proxy {proxy} https://hub.azure-devices.net"
    ).stdout


def test_it_is_a_host_with_a_kernel_of_its_own(guest: Guest) -> None:
    print(guest.output("systemd-analyze; uname -r; cat /sys/kernel/security/lsm"))
    assert guest.output("cat /sys/module/apparmor/parameters/enabled").strip() == "Y"
    assert guest.output("systemd-detect-virt --container || true").strip() == "none"
    assert guest.output("ip route show default") == "", "it talks to nobody else"


def test_the_first_run_and_one_that_changes_nothing(guest: Guest) -> None:
    guest.output(
        """install -d -m 0755 /etc/squid/tls
        until [ -s /srv/parent.pem ]; do sleep 1; done
        cp /srv/parent.pem /etc/squid/tls/
        cd /etc/squid/tls
        openssl req -x509 -nodes -newkey rsa:2048 -days 9 -subj /CN=proxy -keyout own.key -out own.pem 2>/dev/null
        chgrp proxy own.key; chmod 0640 own.key"""
    )
    begun = time.monotonic()
    first = play(guest)
    print(f"first run: {time.monotonic() - begun:.0f} s")
    assert first.changed("proxy") > 5
    assert "upstream of it does not answer" not in first.text
    for pipelining in (False, True):
        begun = time.monotonic()
        assert play(guest, pipelining=pipelining).changed("proxy") == 0
        print(f"a run that changes nothing, pipelining {pipelining}: {time.monotonic() - begun:.0f} s")


def test_the_packages_profile_is_there_and_off(guest: Guest) -> None:
    assert guest.output("readlink /etc/apparmor.d/disable/usr.sbin.squid").strip() == "/etc/apparmor.d/usr.sbin.squid"
    assert "squid" not in guest.output("cat /sys/kernel/security/apparmor/profiles")


def test_with_the_profile_enforced_everything_still_works(guest: Guest) -> None:
    if guest.output("readlink -f /usr/sbin/squid").strip() != "/usr/sbin/squid":
        # Debian 13's program is a link's end, which the package's profile is not for; as somebody would mend that.
        programs = "/usr/sbin/squid{,-gnutls,-openssl} "
        guest.output(f"sed -i 's|/usr/sbin/squid |{programs}|' /etc/apparmor.d/usr.sbin.squid")
    guest.output(
        "rm /etc/apparmor.d/disable/usr.sbin.squid; apparmor_parser -r /etc/apparmor.d/usr.sbin.squid; systemctl restart squid"
    )
    assert re.search(r"/usr/sbin/squid\S* \(enforce\)", guest.output("cat /sys/kernel/security/apparmor/profiles"))
    assert "(enforce)" in guest.output("cat /proc/$(pgrep -x squid | head -n 1)/attr/current")
    assert play(guest).changed("proxy") == 0
    assert play(guest, sensors=[2]).changed("proxy") > 0
    signed = "--interface 10.10.0.1 --proxy-user sensor1:sensor-secret"
    assert visit(guest, "http://10.10.0.250:3128", signed) == "200"
    assert visit(guest, "https://10.10.0.250:3130", signed) == "200"
    assert visit(guest, "http://10.10.0.250:3128", "--interface 10.10.0.1") == "407"
    assert visit(guest, "http://10.10.0.250:3128", f"--interface {STRANGER}") == "000"
    assert guest.output("pgrep -f ot_proxy_parents.py.ask"), "what looks for a parent that works runs too"
    guest.output("logrotate --force /etc/logrotate.d/squid")
    assert visit(guest, "http://10.10.0.250:3128", signed) == "200"
    time.sleep(5)
    assert "hub.azure-devices.net" in guest.output("cat /var/log/squid/access.log")
    assert "hub.azure-devices.net" in guest.output("cat /var/tmp/lab-log")
    assert denied(guest) == ""


REBOOTS = {
    "nothing": {},
    "its addresses, 20 s": {"ADDRESSES_AFTER": 20},
    "the name server, 20 s": {"NAMES_AFTER": 20},
    "the name server, for ever": {"NAMES_AFTER": 3600},
    "the parents, 20 s": {"PARENT_AFTER": 20},
}
"""What is late when the host boots."""


@pytest.mark.parametrize("late", REBOOTS)
def test_after_a_reboot_it_serves_by_itself_and_the_firewall_is_first(guest: Guest, late: str) -> None:
    settings = REBOOTS[late]
    guest.output("cat >/etc/lab.conf", stdin="".join(f"{name}={value}\n" for name, value in settings.items()))
    guest.reboot()
    second = served(guest)
    journal = guest.output("journalctl -b -o short-monotonic --no-pager -u squid.service")
    accepts = re.search(r"\[ *([\d.]+)\].* Started squid", journal)
    assert accepts, journal
    print(f"late: {late}; started after {accepts[1]} s, 200 after {second:.1f} s of the kernel's time")
    # An emulated boot takes a minute or three; what counts is how long it takes from there, and a busy machine is slow.
    assert second < float(accepts[1]) + min(max(settings.values(), default=0), 60) + 60
    assert {answer for _second, answer in knocks(guest, STRANGER)} <= {
        "TimeoutError",
        "ConnectionRefusedError",
        "OSError",
    }
    assert guest.output("nft list table inet ot_proxy")
    assert denied(guest) == ""


@pytest.mark.parametrize("jump", ["+1 hour", "-1 hour"])
def test_a_clock_that_jumps_refuses_nobody(guest: Guest, jump: str) -> None:
    since = float(guest.output(f"cut -d' ' -f1 /proc/uptime; date --set '{jump}' >/dev/null"))
    time.sleep(60)
    answers = [answer for second, answer in knocks(guest, SENSOR) if second > since]
    assert answers == ["200"] * len(answers)
    assert answers
    print(f"the clock by {jump}: {len(answers)} CONNECTs in 60 s, all of them 200")


def change(guest: Guest, content: str) -> list[str]:
    """Return what makes the playbook's change by itself; what is around it takes minutes on an emulated machine."""
    users = [{"username": "sensor1", "password": "sensor-secret"}]
    (guest.folder / "content").write_text(content)
    # Squid's own %{...} would be taken for a template.
    read = f"{{{{ lookup('ansible.builtin.file', '{guest.folder}/content', rstrip=false) }}}}"
    # Seconds of a machine that is emulated.
    patience = {"probe_timeout": 20, "reload_timeout": 120, "restart_timeout": 120}
    arguments = {"content": read, "users": users, "probe_endpoints": PROXY["squid_probe_endpoints"], **patience}
    module = ["--become", "-m", "ot_security.proxy_chaining.squid_config", "-a", json.dumps(arguments)]
    return ["ansible", "-i", str(guest.folder / "hosts.yml"), "proxy", *module]


def changes(guest: Guest, content: str) -> bool:
    """Make a change; return whether it was one."""
    done = subprocess.run(
        change(guest, content), env=environment(True), capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.search(r"^ *changed: true$", done.stdout, re.MULTILINE) is not None


def test_power_that_is_cut_during_a_change_leaves_a_whole_file_and_the_next_run_proves(guest: Guest) -> None:
    guest.output("rm -f /etc/lab.conf")
    seed = int(time.time())
    moment = random.Random(seed)
    old = text.untoken(guest.output(f"cat {TEXT}"))
    assert old is not None
    begun = time.monotonic()
    assert changes(guest, f"{old}# changed\n")
    whole = time.monotonic() - begun
    assert changes(guest, old)
    print(f"seed {seed}; a change takes {whole:.0f} s")
    for number in range(CUTS):
        new = f"{old}# change {number}\n"
        run = subprocess.Popen(change(guest, new), env=environment(True), stdout=subprocess.DEVNULL)
        wait = moment.uniform(whole / 3, whole)
        time.sleep(wait)
        guest.cut_power()
        run.wait(300)
        guest.power_on()
        second = served(guest)
        found = text.untoken(guest.output(f"cat {TEXT}"))
        assert found in (old, new)
        left = guest.output("ls -A /etc/squid").split()
        print(f"cut after {wait:.1f} s: {'old' if found == old else 'new'}, 200 after {second:.0f} s, {left}")
        changes(guest, new)
        assert not changes(guest, new)
        assert not re.search("staged|unproven", guest.output("ls -A /etc/squid"))
        assert denied(guest) == ""
        old = new
