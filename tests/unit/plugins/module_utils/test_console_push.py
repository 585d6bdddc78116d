# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is sent, when it counts as proven, and what comes back when it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    ClientCertificate,
    ExpiredError,
    GoneError,
    LockedError,
    ProxySettings,
    Push,
    RejectedError,
    SignInError,
    UnreachableError,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.push import (
    Pushed,
    PushError,
    Sequence,
    Terms,
    WantedProxy,
)

from .fake_console import OFF, ON, FakeConsole, FastClock

WANTED = WantedProxy(True, "192.0.2.250", 3128, "plant-a", "right")
TERMS = Terms(wait=20, delay=5, rollback=True)
CERTIFICATE = ClientCertificate("client-0123456789ab.pem", b"PEM")


def run(
    console: FakeConsole,
    wanted: WantedProxy = WANTED,
    terms: Terms = TERMS,
    *,
    check: bool = False,
    clock: FastClock | None = None,
) -> Pushed:
    """Run the sequence as the module does, with time that costs nothing."""
    return Sequence(console, wanted, terms, clock=clock or FastClock()).run(check)


def failure(console: FakeConsole, wanted: WantedProxy = WANTED, terms: Terms = TERMS) -> PushError:
    """The failure of a run that must not pass."""
    with pytest.raises(PushError) as caught:
        run(console, wanted, terms)
    return caught.value


class TestWhatIsSent:
    """Only what differs."""

    @pytest.mark.parametrize(
        ("now", "wanted", "push", "changed"),
        [
            pytest.param(OFF, WANTED, Push(True, "192.0.2.250", 3128, "plant-a", "right"),
                         ["enabled", "host", "port", "username", "password"], id="first"),
            pytest.param(ON, WANTED, Push(True), [], id="as wanted"),
            pytest.param(replace(ON, host="192.0.2.9"), WANTED, Push(True, "192.0.2.250"), ["host"], id="host keeps password"),
            pytest.param(replace(ON, port=None), WANTED, Push(True, port=3128), ["port"], id="port"),
            pytest.param(replace(ON, host="PROXY.example"), replace(WANTED, host="proxy.EXAMPLE"), Push(True), [], id="case"),
            pytest.param(replace(ON, username="old"), WANTED, Push(True, username="plant-a", password="right"),
                         ["username", "password"], id="user brings password"),
            pytest.param(ON, replace(WANTED, always=True), Push(True, password="right"), ["password"], id="always"),
            pytest.param(replace(ON, password_set=False), WANTED, Push(True, password="right"), ["password"], id="none stored"),
            pytest.param(replace(ON, password_set=None), WANTED, Push(True), [], id="password not shown"),
            pytest.param(replace(ON, enabled=False), WANTED, Push(True, password="right"), ["enabled", "password"], id="off to on"),
            pytest.param(ON, replace(WANTED, username="", password=None), Push(True, username="", password=""),
                         ["username"], id="password goes with its user"),
            pytest.param(ON, replace(WANTED, username=None, password=None), Push(True), [], id="user left alone"),
            pytest.param(ON, WantedProxy(False), Push(False), ["enabled"], id="switch off"),
            pytest.param(OFF, WantedProxy(False), Push(False), [], id="is off"),
            pytest.param(ON, replace(WANTED, certificate=CERTIFICATE), Push(True, certificate=CERTIFICATE),
                         ["client_certificate"], id="certificate"),
            pytest.param(replace(ON, certificate=f"File: {CERTIFICATE.filename}"), replace(WANTED, certificate=CERTIFICATE),
                         Push(True), [], id="same certificate"),
            pytest.param(replace(ON, certificate="client-ffffffffffff.pem"), replace(WANTED, certificate=CERTIFICATE),
                         Push(True, certificate=CERTIFICATE), ["client_certificate"], id="other certificate"),
            pytest.param(replace(ON, certificate=None), replace(WANTED, certificate=CERTIFICATE), Push(True), [],
                         id="certificate not shown"),
            pytest.param(replace(ON, certificate=None, port=1), replace(WANTED, certificate=CERTIFICATE),
                         Push(True, port=3128, certificate=CERTIFICATE), ["port", "client_certificate"],
                         id="certificate not shown, other change"),
        ],
    )  # fmt: skip
    def test_push(self, now: ProxySettings, wanted: WantedProxy, push: Push, changed: list[str]) -> None:
        """The fields that differ, and the password only where it must be."""
        assert wanted.push(now) == (push, changed)

    def test_nothing_is_saved_when_all_is_as_wanted(self) -> None:
        """And the sensor's word is asked all the same."""
        console = FakeConsole(ON, "right")
        outcome = run(console)
        assert console.calls == ["sign_in", "read", "cloud"]
        assert outcome.changed == []
        assert outcome.cloud is not None
        assert outcome.cloud.connected

    def test_check_saves_nothing(self) -> None:
        """And says what would be."""
        console = FakeConsole()
        outcome = run(console, check=True)
        assert console.pushes == []
        assert outcome.changed == ["enabled", "host", "port", "username", "password"]
        assert outcome.after == replace(ON, certificate="")

    def test_a_second_run_changes_nothing(self) -> None:
        """Whatever the console shows of the password."""
        for settings in (OFF, replace(OFF, password_set=None, certificate=None)):
            console = FakeConsole(settings)
            wanted = replace(WANTED, certificate=CERTIFICATE)
            assert run(console, wanted).changed
            assert run(console, wanted).changed == []
            assert len(console.pushes) == 1


class TestProof:
    """The sensor's own word."""

    def test_it_is_not_believed_at_once(self) -> None:
        """The screen may still show what was before."""
        clock = FastClock()
        assert run(FakeConsole(), clock=clock).cloud is not None
        assert clock.time == TERMS.delay

    def test_no_delay_without_a_change(self) -> None:
        """Nothing could be out of date."""
        clock = FastClock()
        run(FakeConsole(ON, "right"), clock=clock)
        assert clock.time == 0

    def test_a_sensor_that_is_as_wanted_and_offline_fails(self) -> None:
        """With its issue, and without a change."""
        error = failure(FakeConsole(ON, "wrong"))
        assert str(error) == "the cloud was not reachable within 20 s (Proxy authentication issues)."
        assert error.outcome.changed == []
        assert not error.outcome.rolled_back

    def test_it_waits_for_a_slow_sensor(self) -> None:
        """As long as it was told to."""
        console = FakeConsole()
        clock = FastClock()

        def sleep(seconds: float) -> None:
            clock.time += seconds
            if clock.time > 15:
                console.right = "right"

        clock.sleep = sleep
        console.right = "no"
        assert run(console, clock=clock).changed
        assert 15 < clock.time < 25

    def test_a_console_without_that_screen_is_a_warning(self) -> None:
        """Not a success that nobody saw."""
        console = FakeConsole()
        console.has_cloud = False
        outcome = run(console)
        assert outcome.changed
        assert "nothing was proven" in outcome.warnings[0]

    def test_not_asked(self) -> None:
        """Then the read-back is all there is."""
        console = FakeConsole(password="")
        console.right = "never"
        assert run(console, terms=replace(TERMS, wait=None)).changed
        assert "cloud" not in console.calls

    def test_switching_off_asks_nothing(self) -> None:
        """Without a proxy the sensor is expected to be offline."""
        console = FakeConsole(ON, "right")
        run(console, WantedProxy(False))
        assert "cloud" not in console.calls

    def test_a_password_that_does_not_stick(self) -> None:
        """The sensor would ask its proxy without one."""
        console = FakeConsole()
        save = console.save
        console.save = lambda push: save(replace(push, password=None))  # type: ignore[method-assign]
        assert "does not show them: no password is stored" in str(failure(console, terms=replace(TERMS, wait=None)))

    def test_settings_that_do_not_stick(self) -> None:
        """A console that says yes and stores nothing."""
        console = FakeConsole()
        console.stores = False
        error = failure(console)
        assert "does not show them: enabled is False instead of True" in str(error)


class TestRollback:
    """What was before comes back, or the sentence says what did not."""

    def test_first_push_with_a_wrong_password(self) -> None:
        """The proxy is off again."""
        console = FakeConsole(right="other")
        error = failure(console)
        assert str(error) == (
            "the cloud was not reachable within 20 s (Proxy authentication issues); "
            "the previous settings (proxy off) are back."
        )
        assert console.settings.enabled is False
        assert error.outcome.rolled_back
        assert error.outcome.changed == []

    def test_previous_password(self) -> None:
        """The caller knows it, so the sensor is connected again."""
        console = FakeConsole(ON, "right")
        error = failure(
            console, replace(WANTED, password="wrong", always=True), replace(TERMS, previous_password="right")
        )
        assert str(error).endswith(
            "the previous settings (proxy 192.0.2.250:3128, user plant-a) are back and the sensor is connected again."
        )
        assert console.password == "right"

    def test_previous_password_is_for_its_user_only(self) -> None:
        """A sensor that already had the new user must not get the old one's password."""
        console = FakeConsole(ON, "right")
        terms = replace(TERMS, previous_username="plant-old", previous_password="of plant-old")
        error = failure(console, replace(WANTED, password="wrong", always=True), terms)
        assert console.password == "wrong"
        assert "without its previous password" in str(error)

    def test_rotation_that_fails(self) -> None:
        """Old user and old password."""
        console = FakeConsole(ON, "right")
        terms = replace(TERMS, previous_username="plant-a", previous_password="right")
        error = failure(console, replace(WANTED, username="plant-b", password="wrong"), terms)
        assert (console.settings.username, console.password) == ("plant-a", "right")
        assert "connected again" in str(error)

    @pytest.mark.parametrize("told", [None, "of another time"])
    def test_where_no_password_was_stored_none_stays(self, told: str | None) -> None:
        """Or the sensor would go on with the wrong one, or with one that it had forgotten."""
        console = FakeConsole(replace(ON, password_set=False))
        error = failure(console, replace(WANTED, password="wrong"), replace(TERMS, previous_password=told))
        assert (console.settings, console.password) == (replace(ON, password_set=False), "")
        assert str(error).endswith("(proxy 192.0.2.250:3128, user plant-a) are back, but it is not connected yet.")

    def test_unknown_previous_password(self) -> None:
        """It cannot be put back, and that is said."""
        error = failure(FakeConsole(ON, "right"), replace(WANTED, password="wrong", always=True))
        assert "are back, but without its previous password, which nobody told (previous_password)" in str(error)

    def test_a_host_that_does_not_work_costs_no_password(self) -> None:
        """None was sent, so none is lost."""
        console = FakeConsole(ON, "right")
        console.right = "never"
        error = failure(console, replace(WANTED, host="192.0.2.1"))
        assert console.settings == ON
        assert console.password == "right"
        assert "are back, but it is not connected yet" in str(error)

    def test_lost_certificate(self) -> None:
        """Only a hash of the previous one is known."""
        console = FakeConsole(replace(ON, certificate="old.pem"), "right")
        console.right = "never"
        error = failure(console, replace(WANTED, certificate=CERTIFICATE))
        assert "without its previous client certificate" in str(error)

    def test_switched_off(self) -> None:
        """The new settings stay, and the result says that they changed."""
        console = FakeConsole(right="never")
        error = failure(console, terms=replace(TERMS, rollback=False))
        assert "the new settings stay, since rollback is off" in str(error)
        assert error.outcome.changed
        assert console.settings.enabled

    def test_refused_values(self) -> None:
        """The console's words, and no second save."""
        console = FakeConsole()
        console.raises["save"] = [RejectedError("the console refused the values: 'Invalid value for Proxy Host'")]
        error = failure(console)
        assert str(error) == "the console refused the values: 'Invalid value for Proxy Host'; nothing was changed."
        assert console.calls.count("save") == 1

    def test_a_save_that_broke_off(self) -> None:
        """It may have been stored, so it is taken back."""
        console = FakeConsole()
        console.raises_after_save = [UnreachableError("no answer within 30 s")]
        error = failure(console)
        assert console.settings.enabled is False
        assert error.outcome.rolled_back

    def test_a_password_that_may_have_been_stored(self) -> None:
        """The settings look the same, but the password may not be."""
        console = FakeConsole(ON, "right")
        console.raises_after_save = [UnreachableError("no answer within 30 s")]
        failure(console, replace(WANTED, password="wrong", always=True), replace(TERMS, previous_password="right"))
        assert console.password == "right"

    def test_a_rollback_that_fails(self) -> None:
        """A person must go there, and is told."""
        console = FakeConsole(right="never")
        console.raises["save"] = []
        original = console.save

        def once(push: Push) -> None:
            if console.pushes:
                raise UnreachableError("nobody answers on port 443")
            original(push)

        console.save = once  # type: ignore[method-assign]
        error = failure(console)
        assert (
            "the previous settings could not be put back: nobody answers on port 443; correct it at the console"
            in str(error)
        )
        assert error.outcome.changed
        assert not error.outcome.rolled_back


class TestSession:
    """Signing in, once."""

    @pytest.mark.parametrize("kind", [SignInError, LockedError])
    def test_a_refused_sign_in_is_not_repeated(self, kind: type[SignInError]) -> None:
        """A few failures lock the client out."""
        console = FakeConsole()
        console.raises["sign_in"] = [kind("no"), kind("no")]
        error = failure(console)
        assert console.calls == ["sign_in"]
        assert error.outcome.before is None

    @pytest.mark.parametrize("step", ["sign_in", "read", "save"])
    def test_only_one_that_never_answered_is_gone(self, step: str) -> None:
        """One that took the sign-in has not been scrapped in the meantime."""
        console = FakeConsole()
        console.raises[step] = [GoneError("nobody answers on port 443"), GoneError("nobody answers on port 443")]
        assert failure(console).outcome.gone == (step == "sign_in")

    @pytest.mark.parametrize("step", ["read", "save", "cloud"])
    def test_an_expired_session_is_renewed(self, step: str) -> None:
        """Wherever it expires."""
        console = FakeConsole()
        console.raises[step] = [ExpiredError("the session is over")]
        assert run(console).changed
        assert console.calls.count("sign_in") == 2

    def test_a_session_that_always_expires_is_an_error(self) -> None:
        """Not a loop."""
        console = FakeConsole()
        console.raises["read"] = [ExpiredError("the session is over") for dummy in range(9)]
        failure(console)
        assert console.calls == ["sign_in", "read", "sign_in", "read"]

    def test_a_console_that_restarts_after_a_save(self) -> None:
        """It gets time."""
        console = FakeConsole()
        save = console.save

        def restart(push: Push) -> None:
            save(push)
            console.raises["read"] = [UnreachableError("down") for dummy in range(3)]

        console.save = restart  # type: ignore[method-assign]
        assert run(console).changed
