# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sequence of a change, on a host that fails wherever a real one can: what could leave a plant without a proxy?"""

from __future__ import annotations

import contextlib

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils import _htpasswd, _squid_text
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._connect import Listener
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid_change import ChangeError, Outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from .fake_squid import CONFIG, ENDPOINTS, KEPT, USERS, FakeHost, KilledError, change, config, proven

OLD = proven()
"""What lies on the host and runs there."""

NEW = config(more="acl sensor2 src 10.0.0.2\n")
"""What is wanted instead."""

FOREIGN = "http_port 3128\nhttp_access allow localnet\n"
"""What somebody wrote by hand: nothing in it lets the probe pass."""


def new(*faults: str, more: str = "") -> str:
    return config(*faults, more=f"acl sensor2 src 10.0.0.2\n{more}")


def refused(
    host: FakeHost, content: str, *, secrets: dict[str, str] | None = None, users: dict[str, str] | None = None
) -> str:
    """Return the sentence with which the change fails."""
    with pytest.raises(ChangeError) as error:
        change(host, content, secrets=secrets, users=users)
    return str(error.value)


def assert_is_back(host: FakeHost, previous: str = OLD) -> None:
    assert host.serves(previous)
    assert host.leftovers() == set()
    assert host.unparsed == []


def assert_is_new(host: FakeHost, content: str = NEW) -> None:
    token = _squid_text.token_of(host.files[CONFIG])
    assert token is not None
    assert host.serves(_squid_text.fill(content, {_squid_text.PROBE_TOKEN: token}))
    assert host.leftovers() == set()
    assert host.unparsed == []


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
        assert sentence.startswith("the configuration is as wanted, but after a start the service is not running")
        assert "Job for squid.service failed." in sentence

    def test_a_file_that_squid_no_longer_parses_is_not_reloaded(self) -> None:
        # Its certificate is gone, its package was upgraded: the reload would end the proxy that still serves.
        host = FakeHost(OLD)
        host.loaded = proven("1" * 32)
        host.files[CONFIG] = proven("0" * 32, "unparsable")
        refused(host, config("unparsable"))
        assert host.loaded == proven("1" * 32)

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


class TestChange:
    def test_the_order_of_the_steps(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW)
        assert host.log == ["stage", "parse", "ask", "keep", "swap", "reload", "ask", "remove kept"]

    def test_the_new_file_is_live_with_a_token_of_its_own(self) -> None:
        host = FakeHost(OLD)
        outcome = change(host, NEW)
        assert_is_new(host)
        assert _squid_text.token_of(host.files[CONFIG]) != _squid_text.token_of(OLD)
        assert (outcome.changed, outcome.action, outcome.restart_reasons) == (True, "reload", [])

    def test_every_change_draws_another_token(self) -> None:
        host = FakeHost(OLD)
        tokens = set()
        for number in range(3):
            change(host, config(more=f"acl sensor{number} src 10.0.0.1\n"))
            tokens.add(_squid_text.token_of(host.files[CONFIG]))
        assert len(tokens) == 3

    def test_the_diff_shows_the_lines_and_no_secret(self) -> None:
        host = FakeHost(proven("0" * 32, more="cache_peer p parent 1 0 login=u:old-secret\n"))
        outcome = change(host, new(more="cache_peer p parent 1 0 login=u:@@p@@\n"), secrets={"p": "new-secret"})
        assert "sensor2" in outcome.after
        assert "sensor2" not in outcome.before
        token = _squid_text.token_of(host.files[CONFIG])
        for secret in ("old-secret", "new-secret", "0" * 32, str(token)):
            assert secret not in outcome.before + outcome.after

    def test_a_changed_password_shows_in_the_diff_without_being_in_it(self) -> None:
        host = FakeHost(proven("0" * 32, more="cache_peer p parent 1 0 login=u:old-secret\n"))
        outcome = change(host, config(more="cache_peer p parent 1 0 login=u:@@p@@\n"), secrets={"p": "new-secret"})
        assert outcome.after == outcome.before + "# (a password or a user changes)\n"

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

    def test_what_squid_warns_of_is_passed_on_without_secrets(self) -> None:
        host = FakeHost(OLD)
        host.parse_says = (0, "2026/01/01 00:00:00| WARNING: weak p%40ss in /nowhere/squid/.squid.conf.1\n")
        outcome = change(host, NEW, secrets={"p": "p@ss"})
        assert outcome.warnings == [f"WARNING: weak {_squid_text.HIDDEN} in {CONFIG}"]


class TestRestart:
    @pytest.mark.parametrize("directive", ["workers 4", "max_filedescriptors 65536"])
    def test_what_a_reload_cannot_do_restarts_and_says_so(self, directive: str) -> None:
        host = FakeHost(OLD)
        outcome = change(host, config(more=f"{directive}\n"))
        assert (outcome.action, outcome.restart_reasons) == ("restart", [directive.split(maxsplit=1)[0]])
        assert host.started_with == host.loaded == host.files[CONFIG]

    def test_another_binary_than_the_running_one_restarts(self) -> None:
        host = FakeHost(OLD)
        host.another_binary = True
        outcome = change(host, NEW)
        assert (outcome.action, outcome.restart_reasons) == ("restart", ["the Squid package"])

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


class TestParse:
    def test_a_refused_file_leaves_everything_untouched(self) -> None:
        host = FakeHost(OLD)
        sentence = refused(host, new("unparsable"), users={"anna": "secret"})
        assert sentence == (
            f"Squid refuses the new configuration: ERROR: unknown in {CONFIG} line 5. The running one was not touched."
        )
        assert host.files == {CONFIG: OLD}
        assert host.done() == ["stage", "parse", "remove"]

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
        filled = _squid_text.fill("login=u:@@p@@", secrets)
        host.parse_says = (0, f"2026/01/01 00:00:00| ERROR: {filled} or {secrets['p']}\n")
        sentence = refused(host, NEW, secrets=secrets)
        assert _squid_text.HIDDEN in sentence
        assert "hunter2" not in sentence

    def test_a_warning_hides_the_token_that_goes_live(self) -> None:
        host = FakeHost(OLD)
        stage = host.stage

        def stage_and_warn(path: str, content: str) -> str:
            line = next(line for line in content.splitlines() if "req_header" in line)
            host.parse_says = (0, f"2026/01/01 00:00:00| WARNING: odd: {line}\n")
            return stage(path, content)

        host.stage = stage_and_warn  # type: ignore[method-assign]
        outcome = change(host, NEW)
        assert str(_squid_text.token_of(host.files[CONFIG])) not in "".join(outcome.warnings)


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
            ("closed", "127.0.0.1:3128 refuses a CONNECT to a.example:443 that the new configuration allows"),
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
        tls = (Listener("127.0.0.1", 3128), Listener("127.0.0.1", 3129, tls=True))
        with pytest.raises(ChangeError, match=r"127\.0\.0\.1:3129 does not answer") as error:
            change(host, NEW, listeners=tls)
        assert_is_back(host)
        # The previous configuration never had that listener, so it is not judged by it.
        assert str(error.value).endswith("The previous configuration is back and works.")

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
        refused(host, new("loses a.example", "brittle"))
        assert_is_back(host)

    def test_a_previous_file_that_squid_refuses_is_not_reloaded(self) -> None:
        # Somebody broke the file and never reloaded: Squid still serves what it loaded before.
        host = FakeHost(OLD)
        host.files[CONFIG] = proven("0" * 32, "unparsable")
        refused(host, new("loses a.example"))
        assert host.loaded is not None

    def test_a_foreign_previous_file_that_does_not_come_up_is_not_said_to_work(self) -> None:
        host = FakeHost(OLD)
        host.files[CONFIG] = f"{FOREIGN}fault kills\n"
        assert "works" not in refused(host, new("mute"))

    def test_a_full_disk_does_not_keep_the_previous_file_from_coming_back(self) -> None:
        # What was kept needs no more room than its name.
        host = FakeHost(OLD)
        stage = host.stage

        def full_after_the_first(path: str, content: str) -> str:
            if "stage" in host.log:
                raise OSError(28, "No space left on device")
            return stage(path, content)

        host.stage = full_after_the_first  # type: ignore[method-assign]
        with pytest.raises((ChangeError, OSError)):
            change(host, new("mute"))
        assert_is_back(host)

    @pytest.mark.parametrize(
        "error", [OSError(12, "Cannot allocate memory"), ValueError("odd"), SystemExit(1)], ids=repr
    )
    @pytest.mark.parametrize("step", ["reload", "is_active"])
    def test_any_error_between_swap_and_proof_takes_back(self, step: str, error: BaseException) -> None:
        # SystemExit: AnsibleModule.run_command ends the module where a command cannot be run.
        host = FakeHost(OLD)
        host.errors[step] = error
        with pytest.raises((ChangeError, type(error))):
            change(host, NEW)
        assert_is_back(host)

    @pytest.mark.parametrize("step", ["parse", "keep", "swap users", "swap"])
    def test_an_error_before_the_swap_leaves_no_copy_with_secrets(self, step: str) -> None:
        host = FakeHost(OLD)
        host.errors[step] = OSError(28, "No space left on device")
        with pytest.raises((ChangeError, OSError)):
            change(host, NEW, users={"anna": "secret"})
        assert_is_back(host)


class TestUsers:
    def test_they_are_written_hashed(self) -> None:
        host = FakeHost(OLD)
        change(host, NEW, users={"anna": "secret"})
        name, _colon, hashed = host.files[USERS].rstrip().partition(":")
        assert (name, _htpasswd.libcrypt("secret", hashed)) == ("anna", hashed)

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
        host.files[USERS] = "anna:$6$x$y\n"
        change(host, config())
        assert host.files[USERS] == ""

    def test_the_previous_file_comes_back(self) -> None:
        host = FakeHost(OLD)
        host.files[USERS] = "anna:$6$x$y\n"
        refused(host, new("mute"), users={"berta": "secret"})
        assert_is_back(host)
        assert host.files[USERS] == "anna:$6$x$y\n"

    def test_where_there_was_none_none_stays(self) -> None:
        host = FakeHost(OLD)
        refused(host, new("mute"), users={"anna": "secret"})
        assert_is_back(host)
        assert USERS not in host.files

    def test_the_previous_file_comes_back_where_there_was_no_configuration_too(self) -> None:
        host = FakeHost()
        host.files[USERS] = "anna:$6$x$y\n"
        refused(host, new("mute"), users={"berta": "secret"})
        assert host.files == {USERS: "anna:$6$x$y\n"}


class TestCheckMode:
    @pytest.mark.parametrize(
        "content", [NEW, config(more="workers 4\n"), config("kills")], ids=["new", "restart", "kills"]
    )
    def test_it_validates_and_touches_nothing(self, content: str) -> None:
        host = FakeHost(OLD)
        outcome = change(host, content, users={"anna": "secret"}, check_mode=True)
        assert outcome.changed
        assert outcome.before != outcome.after
        assert host.done() == ["stage", "parse", "remove"]
        assert (host.files, host.loaded) == ({CONFIG: OLD}, OLD)

    def test_it_refuses_what_a_real_run_would(self) -> None:
        host = FakeHost(OLD)
        with pytest.raises(ChangeError, match="Squid refuses the new configuration"):
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
        unproven = _squid_text.fill(NEW, {_squid_text.PROBE_TOKEN: "1" * 32})
        host = self.interrupted(unproven, loaded=unproven)
        assert change(host, NEW).changed
        assert_is_new(host)

    @pytest.mark.parametrize("loaded", [OLD, proven("1" * 32, "mute"), None], ids=["not loaded", "loaded", "killed"])
    def test_what_was_kept_comes_back_when_the_next_run_fails(self, loaded: str | None) -> None:
        host = self.interrupted(proven("1" * 32, "mute"), loaded)
        refused(host, new("mute"))
        assert_is_back(host)

    @pytest.mark.parametrize("loaded", [OLD, proven("1" * 32, "mute"), None], ids=["not loaded", "loaded", "killed"])
    def test_the_next_run_that_succeeds_ends_it(self, loaded: str | None) -> None:
        host = self.interrupted(proven("1" * 32, "mute"), loaded)
        change(host, NEW)
        assert_is_new(host)

    def test_what_is_read_at_the_start_only_gets_its_restart(self) -> None:
        # Killed before the restart: the running Squid has the workers of the kept file.
        host = self.interrupted(_squid_text.fill(config(more="workers 4\n"), {"probe-token": "1" * 32}), loaded=OLD)
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


FAULTS = ["", "unparsable", "kills", "mute", "open", "closed"]
LOSSES = ["loses a.example", "loses b.example"]


def wanted(number: int, fault: str) -> str:
    return config(*[fault] if fault else [], more=f"acl sensor{number} src 10.0.0.1\nworkers {1 + number % 2}\n")


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(FAULTS + LOSSES)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_fails_the_new_one_is_proven_or_the_previous_one_runs(runs: list[tuple[int, str]]) -> None:
    host = FakeHost(OLD)
    for number, fault in runs:
        previous = host.files[CONFIG]
        content = wanted(number, fault)
        if fault:
            refused(host, content)
            assert_is_back(host, previous)
        else:
            change(host, content)
            assert_is_new(host, content)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(FAULTS), st.integers(0, 14)), max_size=5),
    st.sampled_from(FAULTS),
)
@settings(max_examples=300, deadline=None)
def test_whenever_a_run_is_killed_the_next_one_ends_with_a_proven_file(
    runs: list[tuple[int, str, int]], last_fault: str
) -> None:
    # What an endpoint answered before several kills nobody can know any more, so no run here loses one.
    host = FakeHost(OLD)
    good = {OLD}
    for number, fault, steps in runs:
        host.steps_left = steps
        with contextlib.suppress(ChangeError, KilledError):
            change(host, wanted(number, fault))
        host.steps_left = None
        if not fault:
            good.add(host.files[CONFIG])
        assert host.unparsed == []
    content = wanted(9, last_fault)
    try:
        change(host, content)
    except ChangeError:
        assert last_fault
        # Refused at once, the files stay for the next run to judge; else a good one runs.
        assert last_fault == "unparsable" or (host.loaded in good and host.serves(host.files[CONFIG]))
    else:
        assert not last_fault
        assert host.loaded == host.files[CONFIG]
    assert last_fault == "unparsable" or KEPT not in host.files
