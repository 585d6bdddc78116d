# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sequence of a change, on a host that fails wherever a real one can: what could leave a plant without a proxy?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid import htpasswd, text
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.change import ChangeError, Outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from .fake_squid import (
    CONFIG,
    ENDPOINTS,
    KEPT,
    KEPT_USERS,
    PREVIOUS,
    PREVIOUS_USERS,
    USERS,
    FakeHost,
    KilledError,
    change,
    config,
    go_back,
    proven,
)

OLD = proven()
"""What lies on the host and runs there."""

NEW = config(more="acl sensor2 src 10.0.0.2\n")
"""What is wanted instead."""

ANNA = "anna:$6$x$y\n"
"""A password file as it may lie on a host."""

NAMED = "cache_peer proxy.corp.example parent 8080 0 no-query\n"
"""A parent given by its name."""

FULL = OSError(28, "No space left on device")

FOREIGN = "http_port 3128\nhttp_access allow localnet\n"
"""What somebody wrote by hand: nothing in it lets the probe pass."""


def new(*faults: str, more: str = "") -> str:
    return config(*faults, more=f"acl sensor2 src 10.0.0.2\n{more}")


def refused(
    host: FakeHost,
    content: str,
    *,
    secrets: dict[str, str] | None = None,
    users: dict[str, str] | None = None,
    **more: Any,
) -> str:
    """Return the sentence with which the change fails."""
    with pytest.raises(ChangeError) as error:
        change(host, content, secrets=secrets, users=users, **more)
    return str(error.value)


def assert_is_back(host: FakeHost, previous: str = OLD) -> None:
    assert host.serves(previous)
    assert host.leftovers() == set()
    assert host.unparsed == []


def assert_is_new(host: FakeHost, content: str = NEW) -> None:
    token = text.token_of(host.files[CONFIG])
    assert token is not None
    assert host.serves(text.fill(content, {text.PROBE_TOKEN: token}))
    assert host.leftovers() == set()
    assert host.unparsed == []


def test_a_squid_that_only_seems_to_run_is_no_proof() -> None:
    host = FakeHost(OLD)
    sentence = refused(host, new("restless"))
    assert sentence.startswith("after the reload Squid keeps ending and starting again")
    assert_is_back(host)


def test_a_refusal_that_a_parent_forges_is_not_this_proxys() -> None:
    """Or one hostile parent could keep every change from being made."""
    host = FakeHost()
    outcome = change(host, config("forged"))
    assert outcome.endpoints == {"a.example": "403", "b.example": "403"}
    assert_is_new(host, config("forged"))


class TestWhatWasProvenIsRemembered:
    """So that the watch knows a file that somebody has changed by hand."""

    def test_after_a_change_and_after_a_run_that_changes_nothing(self) -> None:
        host = FakeHost(OLD)
        change(host, config())
        assert host.remembered == {CONFIG: OLD}
        change(host, NEW, users={"anna": "secret"})
        assert host.remembered == {CONFIG: host.files[CONFIG], USERS: host.files[USERS]}
        go_back(host)
        assert host.remembered == {CONFIG: host.files[CONFIG], USERS: host.files[USERS]}

    def test_not_by_a_dry_run_nor_when_it_is_taken_back(self) -> None:
        host = FakeHost(OLD)
        for content in (config(), NEW):
            change(host, content, check_mode=True)
        refused(host, new("mute"))
        assert host.remembered is None

    @pytest.mark.parametrize("content", [config(), NEW], ids=["same", "new"])
    def test_no_room_for_it_is_a_warning(self, content: str) -> None:
        host = FakeHost(OLD)
        host.broken["remember"] = FULL
        (warning,) = change(host, content).warnings
        assert warning.startswith("the configuration is proven, but the watch will call it changed by hand")
        assert host.leftovers() == set()


class TestNothingToChange:
    def test_it_only_proves(self) -> None:
        host = FakeHost(OLD)
        outcome = change(host, config())
        assert host.log == ["ask"]
        assert outcome == Outcome(endpoints={"a.example": "200", "b.example": "200"})

    def test_the_token_stays(self) -> None:
        host = FakeHost(OLD)
        change(host, config())
        assert host.files == {CONFIG: OLD}

    def test_the_second_run_of_any_change_changes_nothing(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW, users={"anna": "secret"})
        before = dict(host.files)
        assert not change(host, NEW, users={"anna": "secret"}).changed
        assert host.files == before

    def test_a_running_squid_that_has_loaded_something_else_is_reloaded(self) -> None:
        host = FakeHost(OLD)
        host.loaded = proven("1" * 32)
        outcome = change(host, config())
        assert (outcome.changed, outcome.action, host.done()[-1]) == (True, "reload", "reload")
        assert host.serves(OLD)

    def test_a_squid_that_does_not_run_is_started(self) -> None:
        host = FakeHost(OLD)
        host.loaded = None
        outcome = change(host, config())
        assert (outcome.changed, outcome.action, host.done()[-1]) == (True, "start", "start")
        assert host.serves(OLD)

    def test_a_squid_that_will_not_start_is_an_error(self) -> None:
        host = FakeHost(proven("0" * 32, "kills"))
        host.loaded = None
        sentence = refused(host, config("kills"))
        assert sentence.startswith("the files are as wanted, but after a start the service is not running")
        assert "Job for squid.service failed." in sentence

    def test_a_file_that_squid_no_longer_parses_is_not_reloaded(self) -> None:
        # Its certificate is gone, its package was upgraded: the reload would end the proxy that still serves.
        host = FakeHost(OLD)
        host.loaded = proven("1" * 32)
        host.files[CONFIG] = proven("0" * 32, "unparsable")
        sentence = refused(host, config("unparsable"))
        assert host.loaded == proven("1" * 32)
        assert host.done() == ["parse"]
        assert sentence == (
            f"Squid refuses the configuration: ERROR: unknown in {CONFIG} line 5. The running one was not touched."
        )

    def test_check_mode_says_what_it_would_do_and_does_not(self) -> None:
        host = FakeHost(OLD)
        host.loaded = None
        outcome = change(host, config(), check_mode=True)
        assert (outcome.changed, outcome.action, host.done()) == (True, "start", [])

    def test_an_endpoint_that_does_not_answer_is_a_warning(self) -> None:
        host = FakeHost(OLD)
        host.down = {"b.example"}
        outcome = change(host, config())
        assert not outcome.changed
        assert outcome.warnings == ["the proxy is up, but upstream of it does not answer: b.example (503)"]

    def test_an_endpoint_that_answers_late_is_a_warning_and_no_reason_to_reload(self) -> None:
        host = FakeHost(OLD)
        host.slow = {"a.example"}
        outcome = change(host, config())
        assert (outcome.changed, host.done()) == (False, [])
        assert "a.example (no answer within 5 s)" in outcome.warnings[0]

    def test_the_names_of_parents_are_looked_up_again_where_nothing_passes(self) -> None:
        host = FakeHost(proven(more=NAMED))
        host.unresolved = True
        outcome = change(host, config(more=NAMED))
        assert (outcome.changed, outcome.action, outcome.warnings) == (True, "reload", [])
        assert outcome.endpoints == {"a.example": "200", "b.example": "200"}
        assert not change(host, config(more=NAMED)).changed

    def test_where_that_does_not_help_it_is_a_warning_as_ever(self) -> None:
        host = FakeHost(proven(more=NAMED))
        host.down = {"a.example", "b.example"}
        outcome = change(host, config(more=NAMED))
        assert (outcome.changed, outcome.action, host.done()) == (False, "none", ["parse", "reload"])
        says = "the proxy is up, but upstream of it does not answer: a.example (503), b.example (503)"
        assert outcome.warnings == [says]

    @pytest.mark.parametrize(
        ("more", "check_mode", "down"),
        [
            (
                "cache_peer 10.0.0.9 parent 3128 0\ncache_peer 2001:db8::9 parent 3128 0\n",
                False,
                {"a.example", "b.example"},
            ),
            ("cache_peer proxy.corp.example parent 3128 0\n", True, {"a.example", "b.example"}),
            ("cache_peer proxy.corp.example parent 3128 0\n", False, {"b.example"}),
        ],
        ids=["addresses", "check mode", "one passes"],
    )
    def test_otherwise_nothing_is_reloaded(self, more: str, check_mode: bool, down: set[str]) -> None:
        host = FakeHost(proven(more=more))
        host.down = down
        outcome = change(host, config(more=more), check_mode=check_mode)
        assert (outcome.changed, host.done(), len(outcome.warnings)) == (False, [], 1)

    def test_a_file_that_squid_no_longer_parses_is_not_reloaded_for_a_name(self) -> None:
        host = FakeHost(proven(more=NAMED))
        host.unresolved = True
        host.parse_says = (0, "2026/01/01 00:00:00| ERROR: no such certificate")
        assert not change(host, config(more=NAMED)).changed
        assert host.done() == ["parse"]

    @pytest.mark.parametrize("path", [CONFIG, USERS])
    def test_a_file_that_others_may_read_or_write_is_corrected(self, path: str) -> None:
        host = FakeHost(OLD)
        change(host, config(), users={"anna": "secret"})
        hashes = host.files[USERS]
        host.public = {path}
        outcome = change(host, config(), users={"anna": "secret"})
        assert (outcome.changed, outcome.action, host.public) == (True, "reload", set())
        assert outcome.after == outcome.before + "# (a password, a user or a file's mode changes)\n"
        assert host.files[USERS] == hashes
        assert_is_new(host, config())
        assert not change(host, config(), users={"anna": "secret"}).changed

    @pytest.mark.parametrize("path", [CONFIG, USERS])
    def test_check_mode_says_that_the_mode_would_change(self, path: str) -> None:
        host = FakeHost(OLD)
        change(host, config(), users={"anna": "secret"})
        host.public = {path}
        assert change(host, config(), users={"anna": "secret"}, check_mode=True).changed
        assert host.public == {path}

    @pytest.mark.parametrize("content", [config(), NEW, new("mute"), new("unparsable")], ids=["same", *"nmu"])
    def test_what_a_killed_run_staged_or_held_is_removed(self, content: str) -> None:
        host = FakeHost(OLD)
        secrets = {f"/nowhere/squid/.{name}.x.staged": "secret" for name in ("squid.conf", "users")}
        host.files |= secrets | {KEPT_USERS: ANNA}
        with contextlib.suppress(ChangeError):
            change(host, content)
        assert host.leftovers() == set()

    def test_check_mode_leaves_it(self) -> None:
        host = FakeHost(OLD)
        host.files |= {"/nowhere/squid/.users.x.staged": "secret", KEPT_USERS: ANNA}
        files = dict(host.files)
        change(host, config(), check_mode=True)
        change(host, NEW, check_mode=True)
        assert host.files == files


class TestChange:
    def test_the_order_of_the_steps(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        before = ["stage", "parse", "ask", "keep", "swap", "reload", "ask"]
        assert host.log == [*before, "stage previous", "swap previous", "remove kept"]

    def test_the_new_file_is_live_with_a_token_of_its_own(self) -> None:
        host = FakeHost(OLD)
        outcome = change(host, NEW)
        assert_is_new(host)
        assert text.token_of(host.files[CONFIG]) != text.token_of(OLD)
        assert (outcome.changed, outcome.action, outcome.restart_reasons) == (True, "reload", [])

    def test_every_change_draws_another_token(self) -> None:
        host = FakeHost(OLD)
        tokens = set()
        for number in range(3):
            change(host, config(more=f"acl sensor{number} src 10.0.0.1\n"))
            tokens.add(text.token_of(host.files[CONFIG]))
        assert len(tokens) == 3

    def test_the_diff_shows_the_lines_and_no_secret(self) -> None:
        host = FakeHost(proven("0" * 32, more="cache_peer p parent 1 0 login=u:old-secret\n"))
        outcome = change(host, new(more="cache_peer p parent 1 0 login=u:@@p@@\n"), secrets={"p": "new-secret"})
        assert "sensor2" in outcome.after
        assert "sensor2" not in outcome.before
        token = text.token_of(host.files[CONFIG])
        for secret in ("old-secret", "new-secret", "0" * 32, str(token)):
            assert secret not in outcome.before + outcome.after

    def test_a_changed_password_shows_in_the_diff_without_being_in_it(self) -> None:
        host = FakeHost(proven("0" * 32, more="cache_peer p parent 1 0 login=u:old-secret\n"))
        outcome = change(host, config(more="cache_peer p parent 1 0 login=u:@@p@@\n"), secrets={"p": "new-secret"})
        assert outcome.after == outcome.before + "# (a password, a user or a file's mode changes)\n"

    def test_a_missing_secret_is_named_before_anything_is_done(self) -> None:
        host = FakeHost(OLD)
        assert "@@p@@" in refused(host, new(more="cache_peer p parent 1 0 login=u:@@p@@\n"))
        assert (host.log, host.files) == ([], {CONFIG: OLD})

    def test_a_host_without_squid_is_told_to_install_it(self) -> None:
        host = FakeHost()
        host.installed = False
        assert refused(host, NEW) == "Squid is not installed; install the package first. Nothing was changed."
        assert host.files == {}

    def test_the_first_configuration_starts_squid(self) -> None:
        host = FakeHost()
        outcome = change(host, NEW)
        assert_is_new(host)
        assert outcome.action == "start"

    def test_a_foreign_configuration_is_replaced(self) -> None:
        host = FakeHost(FOREIGN)
        change(host, NEW)
        assert_is_new(host)

    def test_an_upstream_that_never_worked_is_a_warning(self) -> None:
        host = FakeHost(OLD)
        host.down = set(ENDPOINTS)
        outcome = change(host, NEW)
        assert_is_new(host)
        assert outcome.warnings == [
            "the proxy is up, but upstream of it does not answer: a.example (503), b.example (503)"
        ]

    def test_an_upstream_that_answers_late_is_a_warning_too(self) -> None:
        host = FakeHost(OLD)
        host.slow = set(ENDPOINTS)
        outcome = change(host, NEW)
        assert_is_new(host)
        assert "a.example (no answer within 5 s)" in outcome.warnings[0]

    @pytest.mark.parametrize("line", ["http_port 127.0.0.1:3200", "http_port [::1]:3200", "https_port 3200 x=y"])
    def test_the_new_port_is_proven(self, line: str) -> None:
        host = FakeHost(OLD)
        content = NEW.replace("http_port 3128", line)
        outcome = change(host, content)
        assert_is_new(host, content)
        assert outcome.endpoints == {"a.example": "200", "b.example": "200"}

    def test_what_squid_warns_of_is_passed_on_without_secrets(self) -> None:
        host = FakeHost(OLD)
        host.parse_says = (0, "2026/01/01 00:00:00| WARNING: weak p%40ss in /nowhere/squid/.squid.conf.1.staged\n")
        outcome = change(host, NEW, secrets={"p": "p@ss"})
        assert outcome.warnings == [f"WARNING: weak {text.HIDDEN} in {CONFIG}"]


class TestRestart:
    @pytest.mark.parametrize("directive", ["workers 4", "max_filedescriptors 65536"])
    def test_what_a_reload_cannot_do_restarts_and_says_so(self, directive: str) -> None:
        host = FakeHost(OLD)
        outcome = change(host, config(more=f"{directive}\n"))
        assert (outcome.action, outcome.restart_reasons) == ("restart", [directive.split(maxsplit=1)[0]])
        assert host.started_with == host.loaded == host.files[CONFIG]

    def test_a_stopping_squid_waits_as_the_new_configuration_says(self) -> None:
        host = FakeHost(OLD)
        change(host, config(more="workers 4\nshutdown_lifetime 5 seconds\n"))
        assert [entry for entry in host.log if entry in ("reload", "restart")] == ["reload", "restart"]
        assert host.started_with == host.loaded == host.files[CONFIG]
        # With the lifetime that it has read already, one restart is enough.
        change(host, config(more="workers 8\nshutdown_lifetime 5 seconds\n"))
        assert [entry for entry in host.log if entry in ("reload", "restart")] == ["reload", "restart", "restart"]

    def test_a_reload_before_a_restart_that_ends_squid_changes_nothing(self) -> None:
        host = FakeHost(proven("0" * 32, "brittle"))
        outcome = change(host, config(more="workers 4\nshutdown_lifetime 5 seconds\n"))
        assert outcome.action == "restart"
        assert host.started_with == host.loaded == host.files[CONFIG]

    def test_another_binary_than_the_running_one_restarts(self) -> None:
        host = FakeHost(OLD)
        host.another_binary = True
        outcome = change(host, NEW)
        assert (outcome.action, outcome.restart_reasons) == ("restart", ["the Squid package"])

    def test_a_port_that_workers_give_up_is_said_to_stay_open(self) -> None:
        workers = "workers 2\n"
        outcome = change(FakeHost(proven(port=3129, more=workers)), config(more=workers))
        assert outcome.action == "reload"
        assert any("3129 is given up, but stays open until Squid is restarted" in each for each in outcome.warnings)
        assert change(FakeHost(proven(port=3129)), config()).warnings == []

    def test_every_worker_has_to_give_the_proof(self) -> None:
        """Each reads the file in its own time, and any of them may answer."""
        host = FakeHost(proven(more="workers 2\n"))
        host.behind = {5, 6}
        outcome = change(host, config(more="workers 2\n# new\n"))
        assert outcome.endpoints == dict.fromkeys(ENDPOINTS, "200")

    def test_nothing_else_does(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW, users={"anna": "secret"})
        assert not {"restart", "start", "stop"} & set(host.log)

    def test_a_failed_restart_is_taken_back_by_a_restart(self) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, new("mute", more="workers 4\n"))
        assert sentence.endswith("The previous configuration is back and works.")
        assert_is_back(host)
        assert host.started_with == OLD


class TestOneOfMany:
    """A change that goes over several proxies."""

    LOGIN = "auth_param basic credentialsttl 1 minute\n"
    PATIENT = "auth_param basic credentialsttl 10 minutes\n"

    def test_whoever_gets_a_new_password_after_this_goes_on_with_the_old_one(self) -> None:
        host = FakeHost(OLD)
        content = config(more=self.LOGIN)
        change(host, content, users={"anna": "old"})
        begun = change(host, content, users={"anna": "new"}, phase="begin", moving_users=["anna"])
        assert begun.patient
        assert self.PATIENT in host.files[CONFIG]
        ended = change(host, content, users={"anna": "new"}, phase="finish")
        assert (ended.changed, ended.patient) == (True, False)
        assert_is_new(host, content)

    @pytest.mark.parametrize(
        ("users", "phase", "moving"),
        [
            ({"anna": "old"}, "begin", "anna"),
            ({"anna": "old", "berta": "new"}, "begin", "anna"),
            ({}, "begin", "anna"),
            ({"anna": "new"}, "begin", "berta"),
            ({"anna": "new"}, "finish", "anna"),
            ({"anna": "new"}, "whole", "anna"),
        ],
        ids=["same", "one more", "one less", "of a sensor", "finish", "whole"],
    )
    def test_nothing_else_is_a_reason_for_patience(self, users: dict[str, str], phase: str, moving: str) -> None:
        host = FakeHost(OLD)
        change(host, config(more=self.LOGIN), users={"anna": "old"})
        assert not change(host, new(more=self.LOGIN), users=users, phase=phase, moving_users=[moving]).patient
        assert_is_new(host, new(more=self.LOGIN))

    def test_who_leaves_keeps_its_password(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW, users={"anna": "secret"})
        known = host.files[USERS]
        change(host, config(), users={"berta": "secret"}, kept_users=["anna", "carla"])
        assert known in host.files[USERS]
        assert [line.split(":")[0] for line in host.files[USERS].splitlines()] == ["anna", "berta"]
        change(host, config(), users={}, kept_users=["anna"])
        assert host.files[USERS] == known

    def test_the_second_half_goes_back_behind_the_first(self) -> None:
        host = FakeHost(OLD)
        assert change(host, NEW, phase="begin").replaced
        assert host.files[PREVIOUS] == OLD
        assert not change(host, config(more="acl sensor3 src 10.0.0.3\n"), phase="finish").replaced
        assert host.files[PREVIOUS] == OLD
        go_back(host)
        assert_is_new(host, config())

    def test_what_cannot_be_gone_back_behind_is_no_replacement(self) -> None:
        host = FakeHost()
        assert not change(host, NEW).replaced
        host.loaded = None
        assert not change(host, NEW).replaced
        host.public = {CONFIG}
        assert not change(host, NEW).replaced
        host.errors["stage previous"] = FULL
        assert not change(host, config()).replaced
        assert change(host, NEW).replaced
        assert not change(host, NEW).replaced
        assert not go_back(host).replaced

    def test_what_worked_when_the_run_began_must_work_although_another_host_has_broken_it_since(self) -> None:
        host = FakeHost(OLD)
        host.down = {"a.example"}
        sentence = refused(host, NEW, worked=["a.example"])
        assert sentence == (
            "what worked before no longer does after the reload: a.example (503). "
            "The previous configuration is back, but what worked before no longer does: a.example (503)."
        )
        assert_is_back(host)

    def test_what_the_change_makes_work_again_counts(self) -> None:
        host = FakeHost(proven("0" * 32, "loses a.example"))
        change(host, NEW, worked=["a.example"])
        assert_is_new(host)

    def test_what_is_said_after_a_return_is_measured_upstream(self) -> None:
        host = FakeHost(OLD)
        swap = host.swap

        def swap_while_the_next_hop_fails(staged: str, path: str) -> None:
            host.down = {"b.example"}
            swap(staged, path)

        host.swap = swap_while_the_next_hop_fails  # type: ignore[method-assign]
        assert refused(host, new("mute")).endswith(
            "The previous configuration is back, but what worked before no longer does: b.example (503)."
        )
        assert_is_back(host)


class TestParse:
    def test_a_refused_file_leaves_everything_untouched(self) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, new("unparsable"), users={"anna": "secret"})
        assert sentence == (
            f"Squid refuses the configuration: ERROR: unknown in {CONFIG} line 5. The running one was not touched."
        )
        assert host.files == {CONFIG: OLD}
        assert host.done() == ["stage", "stage users", "parse", "remove", "remove"]

    def test_the_version_that_takes_no_name_with_a_digit_first_is_named(self) -> None:
        host = FakeHost(OLD)
        host.version_is = "7.2"
        named = NEW + "acl endpoints dstdomain -n 9a.example\nacl endpoints dstdomain -n 192.0.2.1\n"
        assert refused(host, named) == (
            "Squid 7.2 answers 400 to names that begin with a digit (its bug 5520); upgrade to 7.3 or later, for 9a.example. "
            "The running one was not touched."
        )
        assert host.files == {CONFIG: OLD}
        host.version_is = "7.3"
        assert change(host, named).warnings == []
        host = FakeHost(OLD)
        host.version_is = "7.2"
        assert "lest a wildcard lets such a name through in vain" in change(host, NEW).warnings[0]

    def test_an_exit_code_without_words_refuses_too(self) -> None:
        host = FakeHost(OLD)
        host.parse_says = (1, "")
        assert "exit code 1" in refused(host, NEW)
        assert_is_back(host)

    @pytest.mark.parametrize(
        "secrets",
        [
            {"p": "tail-of-hunter2"},
            {"p": "a b/hunter2"},
            {"p": "a%hunter2"},
            {"short": "tail", "p": "tail-of-hunter2"},
            {"p": "tail-of-hunter2", "short": "tail"},
        ],
        ids=["plain", "escaped", "percent", "one begins another", "another order"],
    )
    def test_the_sentence_hides_secrets(self, secrets: dict[str, str]) -> None:
        host = FakeHost(OLD)
        filled = text.fill("login=u:@@p@@", secrets)
        host.parse_says = (0, f"2026/01/01 00:00:00| ERROR: {filled} or {secrets['p']}\n")
        sentence = refused(host, NEW, secrets=secrets)
        assert text.HIDDEN in sentence
        assert "hunter2" not in sentence

    def test_a_warning_hides_the_token_that_goes_live(self) -> None:
        host = FakeHost(OLD)
        stage = host.stage

        def stage_and_warn(path: str, content: str, private: bool = False) -> str:
            line = next(line for line in content.splitlines() if "req_header" in line)
            host.parse_says = (0, f"2026/01/01 00:00:00| WARNING: odd: {line}\n")
            return stage(path, content, private)

        host.stage = stage_and_warn  # type: ignore[method-assign]
        outcome = change(host, NEW)
        assert str(text.token_of(host.files[CONFIG])) not in "".join(outcome.warnings)


class TestTakeBack:
    @pytest.mark.parametrize("fault", ["kills", "mute", "open", "closed", "loses a.example", "loses b.example"])
    def test_what_parses_and_does_not_work_comes_back(self, fault: str) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, new(fault))
        assert_is_back(host)
        assert sentence.endswith(". The previous configuration is back and works.")

    @pytest.mark.parametrize(
        ("fault", "says"),
        [
            ("kills", "after the reload the service is not running"),
            ("mute", "after the reload 127.0.0.1:3128 does not answer (no answer within 2 s)"),
            ("open", "127.0.0.1:3128 does not refuse a CONNECT from an unknown source (it answered 200)"),
            ("closed", "127.0.0.1:3128 refuses a CONNECT to a.example:443 that the configuration allows"),
            ("loses b.example", "what worked before no longer does after the reload: b.example (503)"),
        ],
    )
    def test_the_sentence_says_what_failed(self, fault: str, says: str) -> None:
        assert says in refused(FakeHost(OLD), new(fault))

    def test_a_squid_that_was_down_and_does_not_start_is_said_so(self) -> None:
        host = FakeHost(proven("0" * 32, "kills"))
        host.loaded = None
        sentence = refused(host, new("kills"))
        assert "Job for squid.service failed." in sentence
        assert "The previous configuration is back, but the service is not running" in sentence
        assert host.files == {CONFIG: proven("0" * 32, "kills")}

    def test_a_failed_start_is_taken_back_with_what_is_read_at_the_start_only(self) -> None:
        host = FakeHost(OLD)
        host.loaded = None
        refused(host, new("mute", more="workers 4\n"))
        assert_is_back(host)
        assert host.started_with == OLD

    def test_without_a_previous_configuration_none_stays(self) -> None:
        host = FakeHost()
        sentence = refused(host, new("mute"), users={"anna": "secret"})
        assert sentence.endswith("There was no configuration before, so Squid was stopped and the file removed.")
        assert (host.files, host.loaded) == ({}, None)

    def test_a_tls_listener_that_does_not_come_up_takes_back(self) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, new("deaf 3129", more="https_port 3129\n"))
        assert "127.0.0.1:3129 does not answer" in sentence
        assert_is_back(host)
        # The previous configuration never had that listener, so it is not judged by it.
        assert sentence.endswith("The previous configuration is back and works.")

    def test_an_address_that_does_not_come_up_takes_back(self) -> None:
        host = FakeHost(OLD)
        content = new("deaf 3129", more="http_port [2001:db8::1]:3129\n")
        assert "[2001:db8::1]:3129 does not answer" in refused(host, content)
        assert_is_back(host)

    def test_what_worked_at_the_previous_port_must_work_at_the_new_one(self) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, config("loses b.example", port=3200))
        assert "what worked before no longer does after the reload: b.example (503)" in sentence
        assert_is_back(host)

    def test_a_previous_listener_that_tls_was_added_to_is_asked_as_it_was(self) -> None:
        old = proven().replace("http_port 3128", "https_port 3128")
        host = FakeHost(old)
        sentence = refused(host, new("loses b.example"))
        assert "no longer does after the reload: b.example (503)" in sentence
        assert_is_back(host, old)

    def test_the_previous_port_is_asked_when_the_previous_file_is_back(self) -> None:
        host = FakeHost(OLD)
        assert refused(host, config("mute", port=3200)).endswith("The previous configuration is back and works.")
        assert_is_back(host)

    def test_a_failed_change_of_the_name_is_judged_by_the_previous_name(self) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, config("mute", name="site2"))
        assert_is_back(host)
        assert sentence.endswith("The previous configuration is back and works.")

    def test_a_proxy_that_ends_with_the_first_tunnel_is_not_proven(self) -> None:
        host = FakeHost(OLD)
        host.down = set(ENDPOINTS)
        refused(host, new("crashes"))
        assert_is_back(host)

    def test_a_squid_that_does_not_survive_the_reload_of_the_previous_file_is_started(self) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, new("loses a.example", "brittle"))
        assert_is_back(host)
        assert host.started_with == OLD
        assert [entry for entry in host.log if entry in ("reload", "restart")] == ["reload", "reload", "restart"]
        assert sentence.endswith("The previous configuration is back and works.")

    def test_a_previous_file_that_squid_refuses_is_not_reloaded(self) -> None:
        # Somebody broke the file and never reloaded: Squid still serves what it loaded before.
        host = FakeHost(OLD)
        host.files |= {CONFIG: proven("0" * 32, "unparsable"), USERS: ANNA}
        sentence = refused(host, new("loses a.example"), users={"berta": "secret"})
        assert host.loaded is not None
        assert sentence.endswith("The previous configuration is refused by Squid itself, so the new one stays.")
        assert_is_new(host, new("loses a.example"))
        assert host.files[USERS].startswith("berta:")
        assert not {"restart", "stop"} & set(host.log)

    def test_a_previous_file_that_squid_refuses_comes_back_where_there_is_nothing_to_lose(self) -> None:
        broken = proven("0" * 32, "unparsable")
        host = FakeHost(OLD)
        host.files[CONFIG] = broken
        sentence = refused(host, new("kills"))
        assert "The previous configuration is back, but the service is not running" in sentence
        assert (host.files[CONFIG], host.leftovers()) == (broken, set())

    def test_a_foreign_previous_file_that_does_not_come_up_is_not_said_to_work(self) -> None:
        host = FakeHost(OLD)
        host.files[CONFIG] = f"{FOREIGN}fault kills\n"
        assert "works" not in refused(host, new("mute"))

    def test_a_foreign_previous_file_that_comes_up_is_said_to_work(self) -> None:
        # Nothing is known of whom it lets through, so it is judged by its ports.
        host = FakeHost(FOREIGN)
        assert refused(host, new("mute")).endswith("The previous configuration is back and works.")
        assert_is_back(host, FOREIGN)

    def test_a_full_disk_does_not_keep_the_previous_file_from_coming_back(self) -> None:
        # What was kept needs no more room than its name.
        host = FakeHost(OLD)
        stage = host.stage

        def full_after_the_first(path: str, content: str, private: bool = False) -> str:
            if "stage" in host.log:
                raise FULL
            return stage(path, content, private)

        host.stage = full_after_the_first  # type: ignore[method-assign]
        with pytest.raises((ChangeError, OSError)):
            change(host, new("mute"))
        assert_is_back(host)

    @pytest.mark.parametrize(
        "error", [OSError(12, "Cannot allocate memory"), ValueError("odd"), RuntimeError("odd")], ids=repr
    )
    @pytest.mark.parametrize("step", ["swap", "swap users", "reload", "is_active"])
    def test_any_error_between_swap_and_proof_takes_back(self, step: str, error: Exception) -> None:
        host = FakeHost(OLD)
        host.files[USERS] = ANNA
        host.errors[step] = error
        sentence = refused(host, NEW, users={"berta": "secret"})
        assert sentence == f"an unexpected error came up: {error}. The previous configuration is back and works."
        assert_is_back(host)
        assert host.files[USERS] == ANNA

    def test_the_files_come_back_although_no_command_can_be_run_any_more(self) -> None:
        host = FakeHost(OLD)
        host.files[USERS] = ANNA
        stuck = OSError(12, "Cannot allocate memory")
        host.broken = {"reload": stuck, "restart": stuck}
        parse = host.parse

        def parse_until_the_swap(path: str) -> tuple[int, str]:
            if "swap" in host.log:
                raise stuck
            return parse(path)

        host.parse = parse_until_the_swap  # type: ignore[method-assign]
        sentence = refused(host, NEW, users={"berta": "secret"})
        assert sentence == (
            f"an unexpected error came up: {stuck}. "
            f"The previous files are back, but an unexpected error came up: {stuck}."
        )
        assert host.files == {CONFIG: OLD, USERS: ANNA}
        assert host.loaded == OLD

    def test_the_first_files_go_although_squid_cannot_be_stopped(self) -> None:
        host = FakeHost()
        host.broken = {"start": FULL, "stop": FULL}
        refused(host, NEW, users={"anna": "secret"})
        assert host.files == {}

    @pytest.mark.parametrize("step", ["stage", "stage users", "parse", "keep", "keep users", "swap users", "swap"])
    @pytest.mark.parametrize("lasting", [True, False], ids=["lasting", "once"])
    def test_an_error_before_the_swap_leaves_no_copy_with_secrets(self, step: str, lasting: bool) -> None:
        host = FakeHost(OLD)
        host.files[USERS] = ANNA
        if lasting and "swap" not in step:
            host.broken[step] = FULL
        else:
            host.errors[step] = FULL
        with pytest.raises((ChangeError, OSError), match="No space left"):
            change(host, NEW, users={"berta": "secret"})
        assert_is_back(host)
        assert host.files[USERS] == ANNA

    @pytest.mark.parametrize("fault", ["kills", "mute", "open", "closed", "loses a.example"])
    def test_both_files_come_back_with_their_modes(self, fault: str) -> None:
        host = FakeHost(OLD)
        host.files[USERS] = ANNA
        host.public = {USERS}
        refused(host, new(fault), users={"berta": "secret"})
        assert_is_back(host)
        assert (host.files, host.public) == ({CONFIG: OLD, USERS: ANNA}, {USERS})

    @pytest.mark.parametrize("changed", [CONFIG, USERS])
    def test_a_change_of_one_file_gives_back_that_one_and_leaves_the_other(self, changed: str) -> None:
        host = FakeHost(OLD)
        change(host, config(), users={"anna": "secret"})
        before = dict(host.files)
        host.errors["reload"] = RuntimeError("odd")
        wanted = (config(), {"anna": "other"}) if changed == USERS else (NEW, {"anna": "secret"})
        refused(host, wanted[0], users=wanted[1])
        assert host.files == before
        assert host.loaded == before[CONFIG]


class TestUsers:
    def test_they_are_written_hashed(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW, users={"anna": "secret"})
        name, _colon, hashed = host.files[USERS].rstrip().partition(":")
        assert (name, htpasswd.libcrypt("secret", hashed)) == ("anna", hashed)

    def test_no_file_is_made_without_users(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        assert USERS not in host.files

    def test_a_changed_password_alone_is_a_change(self) -> None:
        host = FakeHost(OLD)
        change(host, config(), users={"anna": "secret"})
        hashes = host.files[USERS]
        assert change(host, config(), users={"anna": "other"}).changed
        assert host.files[USERS] != hashes
        assert_is_new(host, config())

    def test_who_is_no_longer_wanted_leaves_the_file(self) -> None:
        host = FakeHost(OLD)
        host.files[USERS] = ANNA
        change(host, config())
        assert host.files[USERS] == ""

    def test_the_previous_file_comes_back(self) -> None:
        host = FakeHost(OLD)
        host.files[USERS] = ANNA
        refused(host, new("mute"), users={"berta": "secret"})
        assert_is_back(host)
        assert host.files[USERS] == ANNA

    def test_where_there_was_none_none_stays(self) -> None:
        host = FakeHost(OLD)
        refused(host, new("mute"), users={"anna": "secret"})
        assert_is_back(host)
        assert USERS not in host.files

    def test_the_previous_file_comes_back_where_there_was_no_configuration_too(self) -> None:
        host = FakeHost()
        host.files[USERS] = ANNA
        refused(host, new("mute"), users={"berta": "secret"})
        assert host.files == {USERS: ANNA}


class TestGoBack:
    """The configuration that was proven before the last change."""

    def test_it_comes_back_with_a_token_of_its_own(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        outcome = go_back(host)
        assert (outcome.changed, outcome.action) == (True, "reload")
        assert_is_new(host, config())
        assert host.files[CONFIG] != OLD

    def test_going_back_twice_is_going_back_once(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        go_back(host)
        again = go_back(host)
        assert (again.changed, again.action) == (False, "none")
        assert_is_new(host, config())

    def test_a_change_after_that_is_gone_back_from_too(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        go_back(host)
        change(host, config(more="acl sensor3 src 10.0.0.3\n"))
        go_back(host)
        assert_is_new(host, config())

    def test_its_users_come_back_too(self) -> None:
        host = FakeHost(OLD)
        change(host, config(), users={"anna": "secret"})
        hashes = host.files[USERS]
        change(host, NEW, users={"berta": "secret"})
        go_back(host)
        assert host.files[USERS] == hashes

    @pytest.mark.parametrize(
        "users", [{"anna": "other"}, {"anna": "secret", "berta": "1"}, {}], ids=["password", "more", "none"]
    )
    def test_a_change_of_users_alone_is_gone_back_from_too(self, users: dict[str, str]) -> None:
        """Who was given a wrong password, or none, signs in again."""
        host = FakeHost(OLD)
        change(host, config(), users={"anna": "secret"})
        hashes = host.files[USERS]
        assert change(host, config(), users=users).replaced
        assert host.files[USERS] != hashes
        go_back(host)
        assert host.files[USERS] == hashes

    def test_only_the_last_one_is_kept(self) -> None:
        host = FakeHost(OLD)
        for number in range(3):
            change(host, config(more=f"acl sensor{number} src 10.0.0.{number}\n"), users={"anna": str(number)})
        assert host.files.keys() == {CONFIG, USERS, PREVIOUS, PREVIOUS_USERS}
        assert "sensor1 " in host.files[PREVIOUS]

    def test_a_run_that_changes_nothing_leaves_it(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        change(host, NEW)
        assert host.files[PREVIOUS] == OLD

    def test_a_corrected_mode_alone_is_no_change_to_go_back_from(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        host.public.add(CONFIG)
        change(host, NEW)
        assert host.files[PREVIOUS] == OLD

    def test_what_failed_is_never_gone_back_to(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        refused(host, new("mute"))
        assert host.files[PREVIOUS] == OLD

    def test_what_nobody_proved_is_not_kept(self) -> None:
        host = FakeHost(FOREIGN)
        change(host, NEW)
        assert PREVIOUS not in host.files

    @pytest.mark.parametrize("content", [None, FOREIGN])
    def test_where_there_is_none_nothing_is_touched(self, content: str | None) -> None:
        host = FakeHost(OLD)
        if content is not None:
            host.files[PREVIOUS] = content
        outcome = go_back(host)
        assert not outcome.changed
        assert outcome.warnings == ["this host has no previous configuration to go back to, and stays as it is"]
        assert host.serves(OLD)

    def test_one_that_does_not_work_any_more_is_taken_back(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        live = host.files[CONFIG]
        host.files[PREVIOUS] = proven("1" * 32, "mute")
        with pytest.raises(ChangeError, match="The previous configuration is back and works"):
            go_back(host)
        assert_is_back(host, live)

    def test_what_only_the_newer_one_reaches_is_no_reason_to_stay(self) -> None:
        host = FakeHost(proven("0" * 32, f"loses {ENDPOINTS[0]}"))
        change(host, NEW)
        outcome = go_back(host)
        assert_is_new(host, config(f"loses {ENDPOINTS[0]}"))
        assert any(ENDPOINTS[0] in warning for warning in outcome.warnings)

    def test_check_mode_says_so_and_stays(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        live = dict(host.files)
        outcome = go_back(host, check_mode=True)
        assert (outcome.changed, host.files) == (True, live)
        assert "sensor2" in outcome.before
        assert "sensor2" not in outcome.after

    def test_a_full_disk_costs_the_way_back_and_not_the_change(self) -> None:
        host = FakeHost(OLD)
        host.errors["stage previous"] = FULL
        outcome = change(host, NEW)
        assert_is_new(host)
        assert any("could not be kept" in warning for warning in outcome.warnings)


class TestCheckMode:
    @pytest.mark.parametrize(
        "content", [NEW, config(more="workers 4\n"), config("kills")], ids=["new", "restart", "kills"]
    )
    def test_it_validates_and_touches_nothing(self, content: str) -> None:
        host = FakeHost(OLD)
        outcome = change(host, content, users={"anna": "secret"}, check_mode=True)
        assert outcome.changed
        assert outcome.before != outcome.after
        assert host.done() == ["stage", "stage users", "parse", "remove", "remove"]
        assert (host.files, host.loaded) == ({CONFIG: OLD}, OLD)

    def test_it_refuses_what_a_real_run_would(self) -> None:
        host = FakeHost(OLD)
        with pytest.raises(ChangeError, match="Squid refuses the configuration"):
            change(host, new("unparsable"), check_mode=True)
        assert host.files == {CONFIG: OLD}

    def test_a_host_that_has_never_seen_squid_would_change(self) -> None:
        host = FakeHost()
        host.installed = False
        outcome = change(host, NEW, users={"anna": "secret"}, check_mode=True)
        assert (outcome.changed, host.log, host.files) == (True, [], {})
        assert "sensor2" in outcome.after

    def test_it_names_the_action_that_a_real_run_would_take(self) -> None:
        assert change(FakeHost(OLD), NEW, check_mode=True).action == "reload"

    def test_it_says_that_another_binary_needs_a_restart(self) -> None:
        host = FakeHost(OLD)
        host.another_binary = True
        assert change(host, NEW, check_mode=True).restart_reasons == ["the Squid package"]

    def test_what_an_interrupted_run_kept_stays(self) -> None:
        host = FakeHost(OLD)
        host.files[KEPT] = proven("1" * 32)
        files = dict(host.files)
        assert change(host, config(), check_mode=True).changed
        assert host.files == files


class TestInterrupted:
    """A run was killed between swap and proof; the file that it kept is the last one that was proven."""

    def interrupted(self, unproven: str, loaded: str | None) -> FakeHost:
        host = FakeHost(OLD)
        host.files |= {KEPT: OLD, CONFIG: unproven}
        host.loaded = loaded
        return host

    def test_an_unproven_file_is_proven_although_it_is_as_wanted(self) -> None:
        unproven = text.fill(NEW, {text.PROBE_TOKEN: "1" * 32})
        host = self.interrupted(unproven, loaded=unproven)
        assert change(host, NEW).changed
        assert_is_new(host)

    @pytest.mark.parametrize("loaded", [OLD, proven("1" * 32, "mute"), None], ids=["not loaded", "loaded", "killed"])
    def test_what_was_kept_comes_back_when_the_next_run_fails(self, loaded: str | None) -> None:
        host = self.interrupted(proven("1" * 32, "mute"), loaded)
        assert refused(host, new("mute")).endswith("The previous configuration is back and works.")
        assert_is_back(host)

    @pytest.mark.parametrize("loaded", [OLD, proven("1" * 32, "mute"), None], ids=["not loaded", "loaded", "killed"])
    def test_the_next_run_that_succeeds_ends_it(self, loaded: str | None) -> None:
        host = self.interrupted(proven("1" * 32, "mute"), loaded)
        change(host, NEW)
        assert_is_new(host)

    def test_what_is_read_at_the_start_only_gets_its_restart(self) -> None:
        # Killed before the restart: the running Squid has the workers of the kept file.
        host = self.interrupted(text.fill(config(more="workers 4\n"), {"probe-token": "1" * 32}), loaded=OLD)
        change(host, config(more="workers 4\n"))
        assert host.started_with == host.files[CONFIG]

    def test_a_refused_candidate_does_not_lose_what_was_kept(self) -> None:
        host = self.interrupted(proven("1" * 32, "mute"), loaded=None)
        refused(host, new("unparsable"))
        assert OLD in host.files.values()

    def test_what_the_still_running_previous_one_reaches_must_not_be_lost(self) -> None:
        # Killed before the reload: Squid runs the kept file, and answers to that file's token only.
        host = self.interrupted(proven("1" * 32), loaded=OLD)
        refused(host, new("loses a.example"))
        assert_is_back(host)

    def test_a_squid_that_never_loaded_its_changed_file_must_not_lose_an_endpoint_either(self) -> None:
        host = self.interrupted(proven("1" * 32, "kills"), loaded=OLD)
        refused(host, new("loses b.example"))
        assert_is_back(host)

    @pytest.mark.parametrize("users", [{"berta": "secret"}, {"carla": "secret"}, {}], ids=["same", "others", "none"])
    def test_the_users_of_before_the_interruption_come_back_too(self, users: dict[str, str]) -> None:
        host = self.interrupted(proven("1" * 32, "mute"), loaded=OLD)
        host.files |= {KEPT_USERS: ANNA, USERS: "berta:$6$x$z\n"}
        refused(host, new("mute"), users=users)
        assert_is_back(host)
        assert host.files[USERS] == ANNA

    def test_the_next_run_that_succeeds_has_its_own_users(self) -> None:
        host = self.interrupted(proven("1" * 32), loaded=OLD)
        host.files |= {KEPT_USERS: ANNA, USERS: "berta:$6$x$z\n"}
        change(host, NEW, users={"carla": "secret"})
        assert_is_new(host)
        assert host.files[USERS].startswith("carla:")

    def test_users_that_were_back_already_stay(self) -> None:
        # Killed while the files came back: first the users, then the configuration.
        host = self.interrupted(proven("1" * 32, "mute"), loaded=proven("1" * 32, "mute"))
        host.files[USERS] = ANNA
        refused(host, new("mute"), users={"berta": "secret"})
        assert_is_back(host)
        assert host.files[USERS] == ANNA

    def test_a_previous_run_that_was_killed_while_it_held_is_none(self) -> None:
        host = FakeHost(OLD)
        host.files |= {KEPT_USERS: "berta:$6$x$z\n", USERS: ANNA}
        refused(host, new("mute"), users={"carla": "secret"})
        assert_is_back(host)
        assert host.files[USERS] == ANNA


FAULTS = ["", "unparsable", "kills", "mute", "open", "closed", "deaf"]
FAULTS_OF_A_RELOAD = ["loses a.example", "loses b.example", "brittle"]
USERS_WANTED: list[dict[str, str]] = [{}, {"anna": "1"}, {"anna": "2"}, {"anna": "1", "berta": "2"}]
STEPS = [
    "stage",
    "stage users",
    "parse",
    "keep",
    "keep users",
    "swap",
    "swap users",
    "reload",
    "restart",
    "start",
    "ask",
]
ERRORS: list[Exception] = [FULL, RuntimeError("odd")]


def wanted(number: int, fault: str) -> str:
    port = 3128 + number % 3
    lines = {"": [], "deaf": [f"deaf {port}"], "brittle": ["brittle", "mute"]}.get(fault, [fault])
    return config(*lines, port=port, more=f"acl sensor{number} src 10.0.0.1\nworkers {1 + number % 2}\n")


def assert_lets_in(host: FakeHost, users: dict[str, str]) -> None:
    """Check that these users and nobody else have their passwords in the file."""
    found = [line.split(":") for line in host.files.get(USERS, "").splitlines()]
    assert {name: hashed.rpartition("$")[2] for name, hashed in found} == users


def killed(host: FakeHost, steps: int, content: str, users: dict[str, str]) -> bool:
    """Run until that many steps were done; return whether the run ended before."""
    host.steps_left = steps
    try:
        change(host, content, users=users)
    except ChangeError:
        return True
    except KilledError:
        return False
    else:
        return True
    finally:
        host.steps_left = None


class TestWhateverFails:
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _quick_hashes(cls) -> Iterator[None]:
        """Hash without the 5,000 rounds: what is tested here is which file lies where."""
        with pytest.MonkeyPatch.context() as patch:

            def crypt(password: str, setting: str) -> str:
                return f"{'$'.join(setting.split('$')[:3])}${password}"

            patch.setattr(htpasswd.merge, "__defaults__", (crypt,))
            yield

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 3),
                st.sampled_from(FAULTS + FAULTS_OF_A_RELOAD),
                st.sampled_from(USERS_WANTED),
                st.sampled_from(["", *STEPS]),
                st.sampled_from(ERRORS),
            ),
            max_size=6,
        )
    )
    @settings(max_examples=150, deadline=None)
    def test_whatever_fails_the_new_one_is_proven_or_the_previous_one_runs(
        self,
        runs: list[tuple[int, str, dict[str, str], str, Exception]],
    ) -> None:
        host = FakeHost(OLD)
        for number, fault, users, step, error in runs:
            previous = dict(host.files)
            content = wanted(number, fault)
            host.errors = {step: error} if step else {}
            try:
                change(host, content, users=users)
            except (ChangeError, type(error)):
                assert fault or step not in host.errors
                assert host.files == previous
                if step == "restart" and host.loaded is None:
                    # The last remedy fails too; with the files back, whoever starts Squid next has the previous one.
                    host.systemctl("start")
                assert_is_back(host, previous[CONFIG])
            else:
                assert not fault
                assert_is_new(host, content)
                assert_lets_in(host, users)

    def test_a_full_disk_at_any_step_that_needs_room_changes_nothing(self) -> None:
        for step in STEPS[:5]:
            host = FakeHost(OLD)
            host.files[USERS] = ANNA
            host.broken = {step: FULL}
            with pytest.raises(OSError, match="No space left"):
                change(host, NEW, users={"berta": "secret"})
            assert host.files == {CONFIG: OLD, USERS: ANNA}
            assert host.loaded == OLD

    @pytest.mark.parametrize("number", [3, 5], ids=["restart", "reload"])
    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("then", ["again", "the old one", "another", "a broken one"])
    def test_killed_at_any_step_the_next_run_ends_new_and_proven_or_old_and_running(
        self, number: int, fault: str, then: str
    ) -> None:
        old = proven("0" * 32, more="workers 2\n")
        steps, over = 0, False
        while not over:
            host = FakeHost(old)
            host.files[USERS] = "anna:$6$x$1\n"
            over = killed(host, steps, wanted(number, fault), {"anna": "2"})
            steps += 1
            unproven = host.files[CONFIG]
            content = {
                "again": wanted(number, ""),
                "the old one": config(more="workers 2\n"),
                "another": wanted(4, ""),
                "a broken one": wanted(4, "mute"),
            }[then]
            if then == "a broken one":
                refused(host, content, users={"carla": "3"})
                assert host.loaded == host.files[CONFIG]
                assert host.loaded == old or (not fault and host.loaded == unproven)
                assert_lets_in(host, {"anna": "1" if host.loaded == old else "2"})
            else:
                change(host, content, users={"carla": "3"})
                assert_is_new(host, content)
                assert_lets_in(host, {"carla": "3"})
            assert host.leftovers() == set()
            assert host.unparsed == []
        assert steps > (4 if fault == "unparsable" else 10)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_killed_at_any_step_of_the_first_run_the_next_one_ends_new_and_proven(self, fault: str) -> None:
        steps, over = 0, False
        while not over:
            host = FakeHost()
            over = killed(host, steps, wanted(3, fault), {"anna": "2"})
            steps += 1
            change(host, NEW, users={"carla": "3"})
            assert_is_new(host)
            assert_lets_in(host, {"carla": "3"})

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 3),
                st.sampled_from(FAULTS),
                st.sampled_from(USERS_WANTED),
                st.integers(0, 24),
                st.sampled_from(["", *STEPS]),
            ),
            max_size=5,
        ),
        st.sampled_from(FAULTS),
    )
    @settings(max_examples=300, deadline=None)
    def test_whenever_runs_are_killed_the_next_one_ends_with_a_proven_file(
        self, runs: list[tuple[int, str, dict[str, str], int, str]], last_fault: str
    ) -> None:
        # What an endpoint answered before several kills nobody can know any more, so no run here loses one.
        host = FakeHost(OLD)
        host.files[USERS] = "anna:$6$x$1\n"
        seen: dict[str, dict[str, str] | None] = {OLD: {"anna": "1"}}
        for number, fault, users, steps, step in runs:
            host.errors = {step: FULL} if step else {}
            with contextlib.suppress(OSError):
                killed(host, steps, wanted(number, fault), users)
            host.errors = {}
            seen.setdefault(host.files[CONFIG], None if fault else users)
            assert host.unparsed == []
        interrupted = KEPT in host.files
        content = wanted(9, last_fault)
        try:
            change(host, content, users={"carla": "3"})
        except ChangeError:
            assert last_fault
            if last_fault == "unparsable":
                # Refused at once, the files stay for the next run to judge.
                assert host.leftovers() <= {KEPT, KEPT_USERS}
                assert (KEPT in host.files) == interrupted
            else:
                assert host.leftovers() == set()
                assert host.loaded == host.files[CONFIG]
                good = seen[host.files[CONFIG]]
                assert good is not None
                assert_lets_in(host, good)
        else:
            assert not last_fault
            assert_is_new(host, content)
            assert_lets_in(host, {"carla": "3"})
        change(host, NEW, users={"dora": "4"})
        assert_is_new(host)
        assert_lets_in(host, {"dora": "4"})
