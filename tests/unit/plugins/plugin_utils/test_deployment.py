# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run over all proxies stands, by what was registered on each host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.deployment import (
    Deployment,
    deployment,
    phase_of_change,
)

Vars = Any

PROXIES: dict[str, Vars] = {
    "plant": {"squid_addresses": ["10.0.0.3"], "squid_parents": ["site"]},
    "site": {"squid_addresses": ["10.0.0.2"], "squid_parents": ["dmz", "cloud"]},
    "dmz": {"squid_addresses": ["10.0.0.1"]},
    "cloud": {"squid_addresses": ["10.60.0.1"], "squid_kind": "azure"},
}
SENSORS: dict[str, Vars] = {"s1": {"ansible_host": "10.0.9.1", "sensor_proxy_via": "plant"}}
GOOD = {"a.example": "200", "b.example": "503"}
BAD = {"a.example": "403", "b.example": "503"}


def seen(endpoints: Vars | None = None, **more: Any) -> Vars:
    return {
        "release": "Debian 12",
        "configuration": "any",
        "endpoints": GOOD if endpoints is None else endpoints,
        "reached": [name for name, answer in (GOOD if endpoints is None else endpoints).items() if answer == "200"],
        **more,
    }


def kept(*names: str, ports: tuple[int, ...] = (), patient: bool = False, whole: bool = False) -> Vars:
    return {"names": list(names), "ports": list(ports), "patient": patient, "whole": whole}


def forgotten(**facts: Any) -> Vars:
    """Return the facts of a host that was looked at, and what is known of it since."""
    begun: Vars = {"problem": "", "done": False, "changed": False, "kept": {}, "again": {}, "returned": {}}
    return {f"__squid_{name}": value for name, value in (begun | {"host": seen()} | facts).items()}


def done(**facts: Any) -> Vars:
    return forgotten(done=True, changed=True, **({"kept": kept()} | facts))


@pytest.fixture
def run(graph_of: Callable[..., Any]) -> Callable[..., Deployment]:
    """Return how a run stands; a host of which nothing is given has gone well."""

    def state(hosts: Vars | None = None, *, before_tier: int | None = None, sensors: bool = False) -> Deployment:
        hostvars = {name: done() for name in PROXIES if name != "cloud"} | {"cloud": {}, "s1": {}} | (hosts or {})
        return deployment(graph_of(PROXIES, SENSORS), hostvars, before_tier=before_tier, sensors=sensors)

    return state


@pytest.mark.parametrize(
    ("phase", "changed", "expected"),
    [
        ("whole", False, "whole"),
        ("begin", False, "begin"),
        ("finish", False, "whole"),
        # What was live before this run is what a later one goes back to.
        ("begin", True, "finish"),
        ("finish", True, "finish"),
        # A role that is called by itself is no part of such a run.
        ("whole", True, "whole"),
    ],
)
def test_what_a_change_is_to_the_way_back(phase: str, changed: bool, expected: str) -> None:
    assert phase_of_change(phase, changed=changed) == expected


def test_a_run_that_went_well(run: Callable[..., Deployment]) -> None:
    assert run() == Deployment(
        problems={},
        changed=["plant", "site", "dmz"],
        lost={},
        arrived=["dmz", "plant", "site"],
        finish=[],
        left_over=[],
        verdicts={},
        ready=["plant", "site", "dmz"],
    )


def test_a_run_that_has_just_begun(run: Callable[..., Deployment]) -> None:
    stands = run({name: forgotten() for name in ("plant", "site", "dmz")}, before_tier=0)
    assert (stands.problems, stands.changed, stands.arrived, stands.verdicts) == ({}, [], [], {})


def test_hosts_that_the_run_is_not_about_have_no_problem(run: Callable[..., Deployment]) -> None:
    stands = run({"dmz": {}, "site": {}})
    assert (stands.problems, stands.arrived) == ({}, ["plant"])


class TestProblems:
    @pytest.mark.parametrize(
        ("facts", "sentence"),
        [
            (
                {
                    "host": {"skipped": True},
                    "lock": {"unreachable": True, "msg": "Failed to connect: timed out.\nmore"},
                },
                "dmz: it could not be reached, and was not touched: Failed to connect: timed out.",
            ),
            (
                {"host": {"unreachable": True, "msg": "Failed to connect: timed out.\nmore"}},
                "dmz: it could not be reached, and was not touched: Failed to connect: timed out.",
            ),
            (
                {"host": {"failed": True, "msg": "no sudo"}},
                "dmz: it could not be looked at, and was not touched: no sudo.",
            ),
            ({"host": {"failed": True}}, "dmz: it could not be looked at, and was not touched: no reason was given."),
            ({"problem": "Squid refuses it. "}, "dmz: Squid refuses it."),
            ({}, "dmz: it was lost during its change; see what it runs, and run this again."),
        ],
        ids=["unreachable", "lost meanwhile", "failed", "silent", "refused", "lost"],
    )
    @pytest.mark.parametrize("before_tier", [1, 2, None])
    def test_what_chains_to_a_problem_is_not_touched(
        self, facts: Vars, sentence: str, before_tier: int | None, run: Callable[..., Deployment]
    ) -> None:
        hosts = {"dmz": forgotten(**facts), "site": forgotten(), "plant": forgotten()}
        stands = run(hosts, before_tier=before_tier)
        assert stands.problems == {
            "dmz": sentence,
            "site": "site: it was not touched, since its parent dmz was not brought to its state.",
            "plant": "plant: it was not touched, since its parent site was not brought to its state.",
        }
        assert stands.verdicts == stands.problems
        assert stands.arrived == []

    def test_what_had_its_turn_before_its_parent_got_a_problem_was_touched(
        self, run: Callable[..., Deployment]
    ) -> None:
        assert run({"dmz": done(problem="it has nothing to go back to.")}).problems == {
            "dmz": "dmz: it has nothing to go back to."
        }

    def test_a_tier_that_waits_for_its_turn_has_no_problem(self, run: Callable[..., Deployment]) -> None:
        hosts = {"site": forgotten(), "plant": forgotten()}
        assert run(hosts, before_tier=1).problems == {}
        assert run(hosts, before_tier=2).problems == {
            "site": "site: it was lost during its change; see what it runs, and run this again.",
            "plant": "plant: it was not touched, since its parent site was not brought to its state.",
        }

    def test_what_a_host_said_is_read_as_it_is(
        self, run: Callable[..., Deployment], graph_of: Callable[..., Any]
    ) -> None:
        class HostVars(dict[str, Vars]):
            """Ansible's, which reads what was registered as templates unless it is told not to."""

            def raw_get(self, host: str) -> Vars:
                return super().__getitem__(host)

            def __getitem__(self, host: str) -> Vars:
                raise AssertionError(host)

        hostvars = HostVars({name: done() for name in PROXIES} | {"s1": {}, "dmz": forgotten(problem="{{ 1 / 0 }}")})
        assert deployment(graph_of(PROXIES, SENSORS), hostvars, sensors=True).problems["dmz"] == "dmz: {{ 1 / 0 }}."


class TestLost:
    def test_what_was_reached_at_the_start_and_is_not_now(self, run: Callable[..., Deployment]) -> None:
        stands = run({"plant": done(again=seen(BAD), kept=kept("s1", ports=(3128,)), returned=seen(BAD))}, sensors=True)
        assert stands.lost == {"plant": ["a.example"]}
        assert stands.verdicts == {
            "plant": "plant: it reached this when the run began, and not after it: a.example (403). What this run had changed was "
            "taken back (plant, site, dmz). Still not reached: a.example."
        }
        # Nobody is where the inventory has it any more, and what was kept is there again.
        assert (stands.arrived, stands.finish, stands.left_over) == ([], [], [])

    def test_what_is_reached_again(self, run: Callable[..., Deployment]) -> None:
        stands = run({"plant": done(again=seen({}), returned=seen())})
        assert stands.verdicts["plant"].startswith(
            "plant: it reached this when the run began, and not after it: a.example (not asked). "
        )
        assert stands.verdicts["plant"].endswith("(plant, site, dmz). All of it is reached again.")

    def test_what_was_lost_with_the_second_half_alone(self, run: Callable[..., Deployment]) -> None:
        assert run({"plant": done(again=seen(BAD))}).verdicts["plant"] == (
            "plant: it reached this when the run began, and not after it: a.example (403). "
            "Those who had arrived elsewhere were let in as before."
        )

    @pytest.mark.parametrize(
        "facts",
        [
            {"again": seen()},
            {"again": {"skipped": True}},
            {"again": {"unreachable": True}},
            {"host": seen(BAD), "again": seen(BAD)},
            # It went away, as the inventory says.
            {"again": seen({}, configuration="")},
            # It was looked at once more for its second half, in vain.
            {"host": {"failed": True}, "again": seen()},
        ],
        ids=["well", "skipped", "unreachable", "never", "absent", "blind"],
    )
    def test_nothing_is_lost(self, facts: Vars, run: Callable[..., Deployment]) -> None:
        assert run({"plant": done(**facts)}).lost == {}

    def test_a_problem_of_its_own_is_said_first(self, run: Callable[..., Deployment]) -> None:
        assert run({"plant": forgotten(problem="odd", again=seen(BAD))}).verdicts == {"plant": "plant: odd."}


class TestFinish:
    @pytest.mark.parametrize(
        ("hosts", "expected"),
        [
            ({"dmz": done(kept=kept("plant"))}, ["dmz"]),
            ({"dmz": done(kept=kept("plant", "s1"))}, ["dmz"]),
            ({"dmz": done(kept=kept("s1"))}, []),
            ({"dmz": done(kept=kept("plant")), "plant": forgotten(problem="odd")}, []),
            # Its only client is a proxy.
            ({"dmz": done(kept=kept(ports=(3128,)))}, ["dmz"]),
            ({"dmz": done(kept=kept(ports=(3128,))), "site": forgotten(problem="odd")}, []),
            ({"dmz": done(kept=kept("s1", ports=(3128,)))}, []),
            # Its only client is a sensor, which has not been seen.
            ({"plant": done(kept=kept(ports=(3128,)))}, []),
            ({"dmz": done(kept=kept(patient=True))}, ["dmz"]),
            ({"dmz": done(kept=kept(patient=True)), "site": forgotten(problem="odd")}, []),
            # A sensor's password is moved by a rotation, not by this.
            ({"plant": done(kept=kept(patient=True))}, ["plant"]),
        ],
    )
    def test_who_has_arrived_is_let_go(self, hosts: Vars, expected: list[str], run: Callable[..., Deployment]) -> None:
        assert run(hosts).finish == expected

    def test_a_proxy_that_waits_to_go_away_has_not_arrived(self, run: Callable[..., Deployment]) -> None:
        stands = run({"dmz": done(kept=kept("plant")), "plant": done(kept=kept("s1", whole=True))})
        assert (stands.arrived, stands.finish) == (["dmz", "site"], [])

    @pytest.mark.parametrize(
        ("result", "arrived"),
        [
            ({"after": {"enabled": True, "host": "10.0.0.3", "port": 3128}}, True),
            ({"after": {"enabled": True, "host": "10.0.0.3", "port": 3128}, "failed": True}, False),
            ({"after": {"enabled": True, "host": "10.0.0.4", "port": 3128}}, False),
            ({"after": {"enabled": True, "host": "10.0.0.3", "port": 3129}}, False),
            ({"after": {"enabled": False, "host": "10.0.0.3", "port": 3128}}, False),
            ({"after": None}, False),
            ({"skipped": True}, False),
        ],
        ids=["there", "failed", "another host", "another port", "off", "nothing", "skipped"],
    )
    def test_a_sensor_has_arrived_when_its_console_says_so(
        self, result: Vars, arrived: bool, run: Callable[..., Deployment]
    ) -> None:
        hosts = {"s1": {"sensor_proxy_result": result}, "dmz": done(kept=kept("s1"))}
        stands = run(hosts, sensors=True)
        assert (("s1" in stands.arrived), stands.finish) == (arrived, ["dmz"] if arrived else [])
        assert run(hosts).finish == []

    def test_what_is_left_over_is_said_with_its_end(self, run: Callable[..., Deployment]) -> None:
        until = "This ends with a run in which they are (of sensors: sensors.yml), or with -e squid_phase=whole."
        assert run({"dmz": done(kept=kept("plant", "s1", ports=(3128, 3129)))}).left_over == [
            f"dmz still admits plant, s1 as before: they were not seen yet where the inventory has them. {until}",
            f"dmz still listens at port 3128, 3129: not all of its clients were seen at the new one. {until}",
        ]


LOGIN = {"sensor_proxy_username": "new", "sensor_proxy_password": "2"}
FORMER = {"sensor_proxy_previous_username": "former", "sensor_proxy_previous_password": "1"}
SEEN: Vars = {"after": {"enabled": True, "username": "new"}, "cloud": {"connected": True}}


class TestRotation:
    def stands(self, graph_of: Callable[..., Any], result: Vars | None, *, sensors: bool = True) -> Deployment:
        """Return how a run stands in which s1 rotates and s2 does not."""
        given = {name: {**SENSORS["s1"], "ansible_host": f"10.0.9.{name[1]}", **LOGIN} for name in ("s1", "s2")}
        given["s1"] |= FORMER
        hostvars: dict[str, Vars] = {name: {} for name in PROXIES} | {
            "s1": {} if result is None else {"sensor_proxy_result": result},
            "s2": {},
        }
        return deployment(graph_of(PROXIES, given), hostvars, sensors=sensors)

    def test_who_was_seen_with_its_new_user_needs_the_previous_one_no_more(self, graph_of: Callable[..., Any]) -> None:
        stands = self.stands(graph_of, SEEN)
        assert (stands.rotating, stands.left_behind) == (["s1"], [])

    @pytest.mark.parametrize(
        "result",
        [
            None,
            {},
            {"failed": True, "msg": "no"},
            {**SEEN, "failed": True},
            {**SEEN, "cloud": None},
            {**SEEN, "cloud": {"connected": False, "issues": []}},
            {**SEEN, "after": {"enabled": True, "username": "former"}},
            {"skipped": True},
        ],
        ids=str,
    )
    def test_everybody_else_does(self, graph_of: Callable[..., Any], result: Vars | None) -> None:
        stands = self.stands(graph_of, result)
        assert (stands.rotating, stands.left_behind) == (["s1"], ["s1"])

    def test_it_costs_nothing_where_nobody_asks(self, graph_of: Callable[..., Any]) -> None:
        stands = self.stands(graph_of, None, sensors=False)
        assert (stands.rotating, stands.left_behind) == ([], [])
