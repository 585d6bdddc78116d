"""What befalls a proxy: for how long its sensor gets nothing, what it gets, and whether the next run mends it (``LONG``: 20 minutes).

Each fault is made on the three sites at once, while a sensor of each makes a CONNECT every quarter of a second. docs/faults.md has the
table, which ``UPDATE_DOCS=1`` writes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import documented
import lab
import packages
import play
import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import text
from failover_lab import (
    CONFIG,
    FIRST,
    HUB,
    NAMES,
    NETWORK,
    SECOND,
    SITES,
    Asker,
    behaviour,
    each,
    moved,
    no_names,
    on_all,
    passes,
    silent,
    versions,
    wait_for,
)

pytestmark = pytest.mark.skipif("LONG" not in os.environ, reason="20 minutes; LONG=1 runs it")

Fault = Callable[[], AbstractContextManager[None]]
LOCK = "squid_break_lock=true"
CHANGED = "squid_tunnel_idle_timeout"
FULL = "dd if=/dev/zero of={folder}/fill bs=4k 2>/dev/null; test -s {folder}/fill"

MANY = """import socket, sys, time
held = [socket.socket() for _ in range(900)]
for one in held:
    one.setblocking(False)
    one.connect_ex((sys.argv[1], 3128))
time.sleep(15)
"""
TUNNELS = """import socket, sys, time
held = [socket.create_connection((sys.argv[1], 3128), source_address=("", port)) for port in range(40000, 40020)]
for one in held:
    one.sendall(b"CONNECT hub.azure-devices.net:443 HTTP/1.1\\r\\n\\r\\n")
    assert b" 200 " in one.recv(99)
time.sleep(600)
"""


@dataclass
class Wanted:
    """What the inventory says now: a change that nobody notices, beside what the scenario's own says."""

    number: int = 3600

    def more(self) -> dict[str, object]:
        """Change it once more."""
        self.number += 1
        return self.inventory()

    def inventory(self) -> dict[str, object]:
        return {"all": {"hosts": {site: {CHANGED: self.number} for site in SITES}}}


WANTED = Wanted()


def command(*words: str, undo: str = "") -> Fault:
    """Run a command on each site, and another one after the fault."""

    @contextmanager
    def everywhere() -> Iterator[None]:
        on_all(lambda site: lab.output(site, *words))
        try:
            yield
        finally:
            if undo:
                on_all(lambda site: lab.output(site, "sh", "-c", undo))

    return everywhere


def run(*options: str, change: dict[str, object] | None = None) -> play.Run:
    return play.playbook("proxies", "--limit", "sites", *options, change=change or WANTED.inventory())


@contextmanager
def full_disk_of_the_configuration() -> Iterator[None]:
    """A change comes while there is no room for it."""
    on_all(lambda site: lab.run(site, "sh", "-c", FULL.format(folder="/etc/squid")))
    try:
        failed = run(change=WANTED.more())
        assert failed.code != 0
        assert "No space left on device" in failed.text, failed.output
        yield
    finally:
        on_all(lambda site: lab.output(site, "rm", "/etc/squid/fill"))


@contextmanager
def no_descriptors() -> Iterator[None]:
    """A sensor holds more connections than a proxy of 300 descriptors has."""
    edit = f"sed -i 's/^max_filedescriptors .*/max_filedescriptors 300/' {CONFIG} && systemctl restart squid"
    on_all(lambda site: lab.output(site, "sh", "-c", edit))
    on_all(lambda site: wait_for(site, passes, 30))
    on_all(lambda site: lab.output(SITES[site], "python3", "-c", MANY, lab.address(site, NETWORK)))
    yield


@contextmanager
def flapping() -> Iterator[None]:
    """The first parent's packets are lost for three seconds of six."""
    for _time in range(4):
        with silent():
            time.sleep(3)
        time.sleep(3)
    yield


@contextmanager
def slow_names() -> Iterator[None]:
    lab.output(NAMES, "sh", "-c", "echo 0.8 >/run/delay")
    try:
        yield
    finally:
        lab.output(NAMES, "rm", "/run/delay")


@contextmanager
def all_silent() -> Iterator[None]:
    with silent(), silent(SECOND):
        yield


@contextmanager
def all_hang() -> Iterator[None]:
    with lab.paused(FIRST), lab.paused(SECOND):
        yield


def gone(site: str) -> AbstractContextManager[None]:
    """The packets of a sensor's 20 open tunnels are lost from now on; those of its other connections are not."""
    sensor, proxy = SITES[site], lab.address(site, NETWORK)
    subprocess.Popen(["docker", "exec", sensor, "python3", "-c", TUNNELS, proxy])
    wait_for(site, lambda site: half_open(site) == 20, 20)
    return lab.packets(sensor, "output", "tcp sport 40000-40019 drop")


def half_open(site: str) -> int:
    return len(lab.output(site, "ss", "-Hnt", "dport >= :40000 and dport < :40020 and sport = :3128").splitlines())


@contextmanager
def half_open_tunnels() -> Iterator[None]:
    with each(gone)():
        seconds = on_all(lambda site: wait_for(site, lambda site: half_open(site) == 0, 400))
        print(f"half-open tunnels are gone after {seconds}")
        yield
    on_all(lambda site: lab.run(SITES[site], "pkill", "-f", "range.40000"))


def upgraded(change: str, said: str) -> Fault:
    """Let Debian's unattended-upgrades find a newer Squid."""
    allowed = 'Unattended-Upgrade::Origins-Pattern { "site="; };'

    def upgrade(site: str) -> None:
        packages.offer_newer(site, change)
        lab.output(site, "apt-get", "-qq", "install", "-y", "--no-install-recommends", "unattended-upgrades")
        lab.output(site, "sh", "-c", f"echo '{allowed}' >/etc/apt/apt.conf.d/60lab")
        told = lab.run(site, "unattended-upgrade", "--verbose", seconds=300).stdout
        assert said in told, told

    @contextmanager
    def everywhere() -> Iterator[None]:
        on_all(upgrade)
        yield

    return everywhere


ANOTHER = "echo '# newer' >>new/etc/squid/squid.conf"


@contextmanager
def renamed() -> Iterator[None]:
    # A container may not rename itself.
    for site in SITES:
        pid = ["docker", "inspect", "--format", "{{.State.Pid}}", site]
        number = subprocess.run(pid, check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["nsenter", "--target", number, "--uts", "hostname", "other"], check=True)
    on_all(lambda site: lab.output(site, "systemctl", "reload", "squid"))
    yield


@contextmanager
def two_runs() -> Iterator[None]:
    with play.prepared("proxies", "--limit", "sites", change=WANTED.more()) as words:
        first = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        on_all(lambda site: wait_for(site, lambda site: exists(site, "/run/ot-proxy.lock"), 60))
        second = run()
        first.communicate()
        assert first.returncode == 0
    assert second.code != 0
    assert "two runs must not change a plant at the same time" in second.text
    assert "No host was touched" in second.text
    yield


def exists(site: str, path: str) -> bool:
    return lab.run(site, "test", "-e", path).returncode == 0


@contextmanager
def started() -> Iterator[subprocess.Popen[str]]:
    """Begin a run that changes the sites, in a group of its own."""
    with play.prepared("proxies", "--limit", "sites", "-e", LOCK, change=WANTED.more()) as words:
        yield subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )


@contextmanager
def killed_at_every_task() -> Iterator[None]:
    """A run is killed as soon as its first task begins, the next one at its second, and so on until one comes to its end."""
    number = 0
    while True:
        number += 1
        with started() as process:
            assert process.stdout is not None
            seen = 0
            for line in process.stdout:
                seen += line.startswith("TASK [")
                if seen == number:
                    os.killpg(process.pid, signal.SIGKILL)
                    break
            process.communicate()
        if seen < number:
            break
    assert number > 20, "a run has more tasks than that"
    print(f"killed at {number - 1} tasks")
    yield


def interrupted(what: Callable[[int], None]) -> Fault:
    """Do something once a site's new file is in place and not yet proven."""

    @contextmanager
    def fault() -> Iterator[None]:
        with started() as process:
            threading.Thread(target=process.communicate, daemon=True).start()
            site = min(SITES)
            end = time.monotonic() + 60
            while not exists(site, f"{CONFIG}.unproven"):
                assert time.monotonic() < end, "nothing was changed"
            what(process.pid)
            process.wait(120)
        time.sleep(5)
        yield

    return fault


def cut_connection(group: int) -> None:
    os.killpg(group, signal.SIGKILL)


def kill_the_change(_group: int) -> None:
    # A module comes through the interpreter's standard input, so its name is nowhere.
    killed = on_all(lambda site: lab.run(site, "pkill", "-KILL", "-f", "^/usr/bin/python3[.0-9]*$").returncode == 0)
    assert any(killed.values())


@dataclass(frozen=True)
class Case:
    """One fault."""

    name: str
    fault: Fault
    seconds: float = 3
    """How long it lasts, where that is up to the test."""

    at_most: float = 3
    """Seconds without a CONNECT that passes."""

    options: tuple[str, ...] = field(default=())
    """Of the next run."""

    next: str = "finds nothing to do"


MENDS = "puts it right"
CASES = [
    Case(
        "Squid is killed, all of it",
        command("systemctl", "kill", "--kill-whom=all", "--signal=KILL", "squid"),
        at_most=8,
    ),
    Case("A worker of Squid is killed", command("pkill", "-KILL", "-f", "^.squid-1.")),
    Case("300 descriptors, and a sensor holds 900 connections for 15 s", no_descriptors, at_most=60, next=MENDS),
    Case(
        "The log's disk is full",
        command("sh", "-c", FULL.format(folder="/var/log/squid"), undo="rm /var/log/squid/fill"),
        10,
    ),
    Case("The disk of `/etc/squid` is full, and a change comes", full_disk_of_the_configuration, next=MENDS),
    Case(
        "The name server is silent for 20 s",
        each(lambda site: lab.packets(site, "output", "udp dport 53 drop")),
        20,
        at_most=5,
    ),
    Case("The name server is silent, and Squid starts", no_names, 15, at_most=40),
    Case("The name server needs 0.8 s for an answer", slow_names, 15, at_most=5),
    Case("The first parent has another address", moved, 20, at_most=5),
    Case("The first parent is silent for 20 s", silent, 20, at_most=5),
    Case("The first parent needs 3 s for an answer", lambda: behaviour("slow"), 15, at_most=5),
    Case("The first parent is silent for 3 s, and again, four times", flapping, at_most=5),
    Case("The first parent answers 503", lambda: behaviour("503"), 10, at_most=5),
    # A worker that nobody has asked since still takes the parents for dead, which a run that meets it reloads for.
    Case("Both parents are silent for 20 s", all_silent, 20, at_most=30, next=f"finds nothing to do, or {MENDS}"),
    Case("Both parents hang for 40 s: they take connections, and answer nothing", all_hang, 40, at_most=45),
    Case("The sensor of 20 tunnels is gone without a word", half_open_tunnels),
    Case(
        "unattended-upgrades finds a newer Squid whose `squid.conf` is another: it leaves it to a person",
        upgraded(ANOTHER, "has conffile prompt and needs to be upgraded manually"),
    ),
    Case("unattended-upgrades installs a newer Squid", upgraded("", "All upgrades installed"), at_most=15),
    Case(
        "`squid.conf` is edited by hand: everybody may",
        command("sh", "-c", f"sed -i '1i http_access allow all' {CONFIG}; systemctl reload squid"),
        next=MENDS,
    ),
    Case("The host is renamed", renamed),
    Case("A second run begins while one is at work", two_runs),
    Case("Runs are killed, at each of their tasks", killed_at_every_task, options=("-e", LOCK)),
    Case(
        "The connection to the host is cut in the middle of a change", interrupted(cut_connection), options=("-e", LOCK)
    ),
    Case(
        "A change is killed on the host, not proven yet", interrupted(kill_the_change), options=("-e", LOCK), next=MENDS
    ),
]


@pytest.fixture(scope="module")
def rows() -> list[str]:
    """The lines of the table, as the cases find them."""
    assert run().code == 0
    return []


def longest(asker: Asker, since: float, until: float) -> float:
    """Return the longest time in which no CONNECT passed."""
    passed = [since, *(at for at, _took in asker.passed(0) if since < at < until), until]
    return max(later - earlier for earlier, later in pairwise(passed))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_fault_costs_and_that_the_next_run_mends_it(case: Case, rows: list[str]) -> None:
    config = on_all(_config)
    askers = on_all(lambda site: Asker(site, HUB))
    ended = threading.Event()
    readers = [threading.Thread(target=asker.until, args=(ended.is_set,)) for asker in askers.values()]
    for reader in readers:
        reader.start()
    try:
        on_all(lambda site: wait_for(site, lambda site: bool(askers[site].passed(0)), 60))
        time.sleep(2)
        since = time.monotonic()
        with case.fault():
            time.sleep(case.seconds)
        on_all(lambda site: wait_for(site, passes, 120))
        time.sleep(3)
        until = time.monotonic()
    finally:
        ended.set()
        for reader in readers:
            reader.join()
        on_all(lambda site: askers[site].stop())
    after = run(*case.options)
    assert after.code == 0, after.output
    mended = on_all(after.changed)
    found = {MENDS if mended[site] else "finds nothing to do" for site in SITES}
    again = run()
    seconds = on_all(lambda site: longest(askers[site], since, until))
    got = sorted(set().union(*(askers[site].others(since, until - 3) for site in SITES))) or ["-"]
    numbers = " | ".join(f"{second:.1f}" for second in seconds.values())
    row = f"| {case.name} | {numbers} | {', '.join(got)} | {case.next} |"
    print(row, mended)
    assert (again.code, on_all(again.changed)) == (0, dict.fromkeys(SITES, 0)), again.output
    assert on_all(passes) == dict.fromkeys(SITES, True)
    assert {site: _without_the_change(now) for site, now in on_all(_config).items()} == {
        site: _without_the_change(was) for site, was in config.items()
    }
    assert {
        site: lab.run(site, "sh", "-c", "ls /etc/squid | grep -E 'staged|unproven'").stdout for site in SITES
    } == dict.fromkeys(SITES, "")
    assert all(each in case.next for each in found), mended
    assert max(seconds.values()) <= case.at_most, seconds
    rows.append(row)


def _config(site: str) -> str:
    return text.untoken(lab.output(site, "cat", CONFIG)) or ""


def _without_the_change(config: str) -> str:
    return re.sub(r"(?m)^read_timeout .*", "", config)


def test_the_documentations_table_is_what_was_found(rows: list[str]) -> None:
    """The seconds are another run's; faults and what the next run does are not."""
    assert len(rows) == len(CASES), "run the whole file"
    head = f"| What happens | {' | '.join(f'Squid {version}' for version in versions())} | Until then | The next run |"
    documented.table("faults.md", [head, "|---|---|---|---|---|---|", *rows], (0, -1))
