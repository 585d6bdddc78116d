"""A parent has a bad day: what the sensor gets, how soon the second parent takes over, and what each CONNECT costs then."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import lab
import play
import pytest
from failover_lab import (
    CONFIG,
    CUT_OFF_ADDRESS,
    FIRST,
    HUB,
    MOVED_ADDRESS,
    NETWORK,
    SECOND,
    SITES,
    Asker,
    behaviour,
    last_parent,
    load,
    moved,
    no_names,
    on_all,
    passes,
    refusing,
    silent,
    uses_first,
    versions,
    visit,
    wait_for,
)

TAKE_OVER_SECONDS = 5.0
HEAL_SECONDS = 60.0
FACTS = Path(__file__).parents[3] / "docs" / "squid-facts.md"
HEADING = "What the first parent does"

# What the sites are configured with ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployed() -> Iterator[dict[str, str]]:
    """The configurations as the role wrote them, which are there again in the end."""
    texts = on_all(lambda site: lab.output(site, "cat", CONFIG))
    yield texts
    on_all(lambda site: load(site, texts[site]))


def by_tls(config: str) -> str:
    return config


def plain(config: str) -> str:
    return re.sub(r" tls ssldomain=\S+ tls-cafile=\S+", "", config.replace(" parent 3129 ", " parent 3128 "))


def through_cut_off(config: str) -> str:
    return plain(config).replace("cache_peer first.plant.example ", f"cache_peer {CUT_OFF_ADDRESS} ")


def first_only(config: str) -> str:
    lines = plain(config).splitlines(keepends=True)
    return "".join(
        line for line in lines if not re.match(r"cache_peer(_access)? \S*(10.112.0.22|second)|url_rewrite", line)
    )


# What is measured ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One thing that the first parent does."""

    name: str
    fault: Callable[[], AbstractContextManager[None]]
    config: Callable[[str], str] = plain
    refusal: str = ""
    """The status that has to stay one."""


CASES = [
    *(
        Case(f"answers {status}", lambda status=status: behaviour(status))  # type: ignore[misc]
        for status in ("500", "502", "503", "504")
    ),
    Case("refuses by its policy (403)", lambda: behaviour("403"), refusal="403"),
    Case("wants another password (407)", lambda: behaviour("407"), refusal="407"),
    Case("resets the connection after the CONNECT", lambda: behaviour("reset")),
    Case("closes it after the CONNECT", lambda: behaviour("close")),
    Case("answers 200 and closes", lambda: behaviour("200-close")),
    Case("never answers the CONNECT", lambda: behaviour("mute")),
    Case("is no TLS server any more", lambda: behaviour("no-tls"), by_tls),
    Case("never answers the TLS handshake", lambda: behaviour("mute-tls"), by_tls),
    Case("never answers the CONNECT inside TLS", lambda: behaviour("mute"), by_tls),
    Case("is stopped: refuses TCP", refusing),
    Case("is silent: its packets are lost", silent),
    Case("is a Squid whose own parent is stopped", refusing, through_cut_off),
    Case("is a Squid whose own parent is silent", silent, through_cut_off),
    Case("has a name that did not resolve when Squid started", no_names),
    Case("has a name that leads elsewhere now", moved),
]


@dataclass(frozen=True)
class Measured:
    """What came of a case on one site."""

    verdict: str
    takes_over: float
    costs: float
    before: frozenset[str]
    """What the sensor got between the fault and the first CONNECT that passed, for CONNECTs made after the fault."""

    def __str__(self) -> str:
        if self.verdict != "second":
            return self.verdict
        return f"second after {self.takes_over:.1f} s, then {self.costs:.2f} s"


def measure(asker: Asker, since: float, refusal: str) -> Measured:
    if refusal:
        asker.until(lambda: asker.over(since, 3))
        # Until then a CONNECT may have been on its way, or its answer fresh.
        return Measured(", ".join(asker.others(since + 1.5, since + 2.5)), 0, 0, asker.others(since, since + 1.5))
    asker.until(lambda: bool(asker.passed(since)) or asker.over(since, 12))
    if not asker.passed(since):
        return Measured(", ".join(sorted(asker.others(since, since + 12))), 0, 0, frozenset())
    first = asker.passed(since)[0][0]
    # What was found out before counts for a second, and finding out takes two.
    settled = max(first, since + 3)
    asker.until(lambda: len(asker.passed(settled)) >= 4)
    costs = median(took for _at, took in asker.passed(settled))
    return Measured("second", first - since, costs, asker.others(since, first))


@pytest.fixture(scope="module")
def table() -> dict[str, dict[str, Measured]]:
    """Case by case what was measured on each site."""
    return {}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_second_parent_takes_over_and_a_refusal_stays_one(
    case: Case, deployed: dict[str, str], table: dict[str, dict[str, Measured]]
) -> None:
    on_all(lambda site: load(site, case.config(deployed[site])))
    # A name of its own, so that nothing that was found out in another case counts.
    endpoint = f"{re.sub('[^a-z0-9]+', '-', case.name.lower())[:60].strip('-')}.case.azure-devices.net"
    on_all(lambda site: wait_for(site, lambda site: uses_first(site, endpoint), 2 * HEAL_SECONDS))
    askers = on_all(lambda site: Asker(site, endpoint))
    try:
        on_all(lambda site: askers[site].until(lambda: bool(askers[site].passed(0))))
        with case.fault():
            since = time.monotonic()
            table[case.name] = on_all(lambda site: measure(askers[site], since, case.refusal))
    finally:
        on_all(lambda site: askers[site].stop())
    print(case.name, {site: (str(measured), *measured.before) for site, measured in table[case.name].items()})
    for site, measured in table[case.name].items():
        assert measured.verdict == (case.refusal or "second"), f"{site}: {measured}"
        assert measured.takes_over <= TAKE_OVER_SECONDS, f"{site}: {measured}"
        assert measured.costs < 1, f"{site}: {measured}"


def test_the_documentation_has_what_was_measured(
    table: dict[str, dict[str, Measured]], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[HEADING, *(f"Squid {version}" for version in versions()), "Before that"]]
    for name, measured in table.items():
        before = sorted(set().union(*(of_site.before for of_site in measured.values())))
        rows.append([name, *(str(of_site) for of_site in measured.values()), ", ".join(before) or "-"])
    with capsys.disabled():
        print("\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
    documented = documented_rows()
    assert list(documented) == [case.name for case in CASES]
    if len(table) == len(CASES):
        verdicts = {name: {cell.split()[0] for cell in cells} for name, cells in documented.items()}
        assert verdicts == {name: {m.verdict for m in measured.values()} for name, measured in table.items()}


def documented_rows() -> dict[str, list[str]]:
    """The rows of the table in docs/squid-facts.md."""
    body = FACTS.read_text().partition(f"| {HEADING} |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()[2:]]
    return {row[0]: row[1:-1] for row in rows}


# What else has to hold ----------------------------------------------------------------------------------------------


def test_the_first_parent_is_used_again_when_it_is_back(deployed: dict[str, str]) -> None:
    on_all(lambda site: load(site, deployed[site]))
    with silent():
        on_all(lambda site: wait_for(site, passes, 20))
        assert {last_parent(site) for site in SITES} == {"10.112.0.22"}
    seconds = on_all(lambda site: wait_for(site, uses_first, HEAL_SECONDS))
    print(f"seconds until the first parent was used again: {seconds}")


def test_what_all_parents_refuse_is_refused(deployed: dict[str, str]) -> None:
    """And what only the second refuses passes through the first."""
    on_all(lambda site: load(site, deployed[site]))
    endpoint = "refused.azure-devices.net"
    on_all(lambda site: wait_for(site, uses_first, HEAL_SECONDS))
    with behaviour("403"):
        time.sleep(2)
        statuses = on_all(lambda site: {visit(site, endpoint).connect for _number in range(3)})
    assert statuses == {site: {403} for site in SITES}


def test_dead_chain_refuses_and_leaks_nothing(deployed: dict[str, str]) -> None:
    on_all(lambda site: load(site, deployed[site]))
    for site in SITES:
        around = lab.run(site, "curl", "-sk", "-m", "5", "--resolve", f"{HUB}:443:10.112.0.80", f"https://{HUB}/")
        assert around.stdout == f"endpoint {HUB}\n", "the way around the chain must exist, else this proves nothing"
    with silent(), silent(SECOND):
        statuses = on_all(lambda site: {visit(site).connect for _number in range(2)})
    assert not [site for site in SITES if 200 in statuses[site]], statuses
    for site in SITES:
        assert lab.log_lines(site, "HIER_DIRECT") == []


def test_endpoint_that_fails_does_not_take_the_parents_down(deployed: dict[str, str]) -> None:
    """Squid counts an endpoint's failure as its parent's (measured); the others must not suffer from it."""
    on_all(lambda site: load(site, deployed[site]))
    statuses = on_all(lambda site: {visit(site, "gone.azure-devices.net").connect for _number in range(15)})
    assert not [site for site in SITES if statuses[site] & {0, 200}], statuses
    assert all(on_all(passes).values())


def helpers(site: str) -> list[str]:
    return lab.run(site, "pgrep", "-f", "^/usr/bin/python3 -I .*ot_proxy_parents.py ask").stdout.split()


@pytest.mark.parametrize("fault", ["cannot start", "is killed", "hangs"])
def test_connects_go_on_without_what_is_asked(fault: str, deployed: dict[str, str]) -> None:
    on_all(lambda site: load(site, deployed[site]))
    program = "/usr/lib/squid/ot_proxy_parents.py"

    def suffer(site: str) -> bool:
        if fault == "cannot start":
            lab.output(
                site, "sh", "-c", f"cp {program} /tmp/ && echo 'import nothing' >{program} && systemctl reload squid"
            )
            time.sleep(1)
        else:
            assert passes(site)
            lab.output(site, "kill", "-STOP" if fault == "hangs" else "-KILL", *helpers(site))
        return passes(site) and passes(site)

    try:
        assert on_all(suffer) == dict.fromkeys(SITES, True)
        for site in SITES:
            exits = lab.output(site, "grep", "-c", "helperOpenServers: Starting 1/1", "/var/log/squid/cache.log")
            assert int(exits) < 60, "Squid starts it over and over"
    finally:
        on_all(
            lambda site: lab.run(
                site, "sh", "-c", f"[ ! -e /tmp/{Path(program).name} ] || mv /tmp/{Path(program).name} {program}"
            )
        )
        on_all(lambda site: lab.run(site, "kill", "-KILL", *helpers(site)))
        on_all(lambda site: lab.output(site, "systemctl", "reload", "squid"))


def test_reloads_leave_one_helper_for_each_worker_and_keep_tunnels(deployed: dict[str, str]) -> None:
    def reload_often(site: str) -> None:
        load(site, deployed[site])
        lab.output(SITES[site], "rm", "-f", "/tmp/ended")
        held = f"sleep 60 | openssl s_client -quiet -proxy {lab.address(site, NETWORK)}:3128 -connect {HUB}:443"
        lab.output(SITES[site], "sh", "-c", f"nohup sh -c '{held}; echo ended >/tmp/ended' >/dev/null 2>&1 &")
        for _number in range(5):
            lab.output(site, "systemctl", "reload", "squid")
            assert all(passes(site) for _number in range(3))
            time.sleep(1)
        # A worker begins without one, and may take a moment to let the last one go.
        wait_for(site, lambda site: 1 <= len(helpers(site)) <= 2 and defunct(site) == 0, 10)
        assert lab.run(SITES[site], "test", "-e", "/tmp/ended").returncode == 1, "the tunnel was dropped"

    def defunct(site: str) -> int:
        return sum(state.startswith("Z") for state in lab.output(site, "ps", "-eo", "stat=").split())

    on_all(reload_often)


def test_idle_tunnel_lives_as_long_as_the_configuration_says(deployed: dict[str, str]) -> None:
    """An hour needs 3,600 seconds of read_timeout, the role's default is 3,900; here it is 6 seconds."""

    def idle(site: str) -> tuple[str, str, str]:
        config = deployed[site]
        assert "\nread_timeout 3900 seconds\n" in config
        load(site, config.replace("read_timeout 3900", "read_timeout 6"))
        proxy = f"{lab.address(site, NETWORK)}:3128"
        held = f"openssl s_client -quiet -proxy {proxy} -connect {HUB}:443"
        request = f'printf "GET / HTTP/1.1\\r\\nHost: {HUB}\\r\\n\\r\\n"'
        after = [f"(sleep {seconds}; {request}; sleep 1) | timeout 15 {held} 2>/dev/null" for seconds in (4, 9)]
        with ThreadPoolExecutor(3) as pool:
            answers = [pool.submit(lab.run, SITES[site], "sh", "-c", command) for command in after]
            time.sleep(2)
            timers = lab.output(site, "ss", "-Hnto", "state", "established", "sport", "= :3128")
            return answers[0].result().stdout, answers[1].result().stdout, timers

    for site, (within, beyond, timers) in on_all(idle).items():
        assert f"endpoint {HUB}" in within, f"{site}: a tunnel that was idle for 4 of 6 seconds is gone"
        assert "endpoint" not in beyond, f"{site}: a tunnel that was idle for 9 of 6 seconds is there"
        assert "timer:(keepalive,1min" in timers, f"{site}: a client that is gone would not be noticed: {timers}"


def test_only_parent_heals_by_itself_once_its_name_resolves(deployed: dict[str, str]) -> None:
    # Squid gives a look-up up after 30 seconds, and does not try again for an hour.
    on_all(lambda site: load(site, f"{first_only(deployed[site])}dns_timeout 3 seconds\n"))
    given_up = "DNS lookup for 'first.plant.example' failed"
    count = on_all(lambda site: lab.output(site, "cat", "/var/log/squid/cache.log").count(given_up))
    since = lab.output(FIRST, "date", "+%Y-%m-%d %H:%M:%S").strip()

    def reloads(site: str) -> int:
        log = lab.output(site, "journalctl", "--unit", "ot-proxy-parents", "--since", since)
        return log.count(": reloading Squid")

    with no_names():
        log = "/var/log/squid/cache.log"
        on_all(lambda site: wait_for(site, lambda site: lab.output(site, "cat", log).count(given_up) > count[site], 30))
        assert not any(on_all(passes).values())
    print(f"seconds from DNS being back: {on_all(lambda site: wait_for(site, passes, HEAL_SECONDS))}")
    on_all(lambda site: wait_for(site, lambda site: reloads(site) == 1, HEAL_SECONDS))
    with moved():
        print(f"seconds from the name's move: {on_all(lambda site: wait_for(site, passes, HEAL_SECONDS + 10))}")
        assert on_all(last_parent) == dict.fromkeys(SITES, MOVED_ADDRESS)
    assert on_all(reloads) == dict.fromkeys(SITES, 1)


def test_a_run_heals_a_name_at_once(deployed: dict[str, str]) -> None:
    on_all(lambda site: load(site, deployed[site]))
    on_all(lambda site: lab.output(site, "systemctl", "stop", "ot-proxy-parents"))
    with silent(SECOND):
        with no_names():
            assert not any(on_all(passes).values())
        run = play.playbook("proxies", "--limit", "sites")
        assert run.code == 0, run.output
        assert all(run.changed(site) for site in SITES), run.output
        assert all(on_all(passes).values())


def test_without_a_named_parent_or_a_choice_nothing_of_it_stays(deployed: dict[str, str]) -> None:
    change = {"all": {"hosts": {site: {"squid_parents": ["ot-failover-second"]} for site in SITES}}}
    run = play.playbook("proxies", "--limit", "sites", change=change)
    assert run.code == 0, run.output
    for site in SITES:
        files = lab.run(
            site, "ls", "/usr/lib/squid/ot_proxy_parents.py", "/etc/systemd/system/ot-proxy-parents.service"
        )
        assert files.stdout == "", files.stdout
        assert lab.run(site, "systemctl", "is-active", "ot-proxy-parents").stdout.strip() == "inactive"
        assert passes(site)
