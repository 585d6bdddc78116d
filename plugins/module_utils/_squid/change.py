# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the configuration of a running Squid: stage, validate, swap, reload, prove, and return if the proof fails.

Private to this collection.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from .._probe.connect import Answer
from . import htpasswd
from . import text as squid_text
from .change_proof import Proof
from .host import Host

_SETTLE = 5.0
"""Seconds that a reload before a restart is given; what it does not show by then, the restart has to."""

_STEADY = 1.0
"""Seconds for which Squid must be the same processes; one whose helper cannot start ends after milliseconds (measured, 5.7)."""


class ChangeError(Exception):
    """The change was refused or taken back; the sentence says why and in which state the proxy is."""


@dataclass(frozen=True)
class Wanted:
    """What the host shall have."""

    path: str
    content: str
    secrets: Mapping[str, str]
    users_path: str
    users: Mapping[str, str]
    reload_timeout: float
    restart_timeout: float
    previous: bool = False
    """Whether the host's previous configuration shall come back, with its users; content, secrets and users are then not read."""
    kept_users: Collection[str] = ()
    """Users that stay as they are, since a client that leaves still signs in as one of them."""
    worked: Collection[str] = ()
    """Endpoints that were reached when the run began; what other hosts of the run have done since is no excuse."""
    phase: str = "whole"
    """``begin`` where ``finish`` follows once all others have had their turn: until then clients may sign in as before,
    and what was live before the beginning is what a later run goes back to."""
    moving_users: Collection[str] = ()
    """Users whose clients are given their new password between the two."""


@dataclass
class Outcome:
    """What was done, or in check mode would be."""

    changed: bool = False
    action: str = "none"
    restart_reasons: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    patient: bool = False
    """Whether logins that were accepted are kept for longer, until the clients have their new password."""
    replaced: bool = False
    """Whether what was live before is what a later run can go back to."""


@dataclass(frozen=True)
class _Texts:
    """The texts of the configuration and of the password file; None where there is no such file."""

    config: str | None
    users: str | None


class Change:
    """One change on one host."""

    def __init__(self, host: Host, proof: Proof, wanted: Wanted) -> None:
        self._host = host
        self._proof = proof
        self._wanted = wanted
        self._paths = (wanted.path, wanted.users_path)
        self._outcome = Outcome()

    def run(self, check_mode: bool) -> Outcome:
        """Bring the host to what is wanted, or leave it as it was.

        Raises:
            ChangeError: it is as it was, and the sentence says why.
            OSError: a file could not be read or written; it is as it was.
        """
        current = _Texts(self._host.read(self._wanted.path), self._host.read(self._wanted.users_path))
        # Left only where an earlier run was killed between swap and proof: the last configuration that was proven.
        interrupted = self._host.read(_kept(self._wanted.path))
        if not check_mode:
            self._sweep(interrupted)
        if self._wanted.previous and not self._want_previous():
            self._outcome.warnings.append("this host has no previous configuration to go back to, and stays as it is")
            return self._outcome
        users = self._users(current.users)
        self._be_patient(current.users, users)
        token = squid_text.token_of(current.config or "")
        same = token is not None and current == _Texts(self._filled(token), users)
        if same and interrupted is None and all(self._host.is_private(path) for path in self._paths):
            self._keep_alive(current.config or "", check_mode)
            if not check_mode:
                self._remember(current)
        else:
            self._apply(current, users, interrupted, check_mode)
        return self._outcome

    def _want_previous(self) -> bool:
        content = squid_text.untoken(self._host.read(_previous(self._wanted.path)) or "")
        if content is None:
            return False
        self._wanted = replace(self._wanted, content=content, secrets={})
        return True

    def _filled(self, token: str) -> str:
        try:
            return squid_text.fill(self._wanted.content, {**self._wanted.secrets, squid_text.PROBE_TOKEN: token})
        except ValueError as error:
            raise ChangeError(f"{error}; nothing was changed.") from error

    def _users(self, current: str | None) -> str | None:
        if self._wanted.previous:
            return self._host.read(_previous(self._wanted.users_path)) or current
        if not self._wanted.users and current is None:
            return None
        return htpasswd.merge(current or "", self._wanted.users, kept=self._wanted.kept_users)

    def _be_patient(self, current: str | None, users: str | None) -> None:
        """Keep the logins of clients that will get their new password only after this."""
        if self._wanted.phase == "begin" and htpasswd.replaces(current or "", users or "", self._wanted.moving_users):
            self._wanted = replace(self._wanted, content=squid_text.patient(self._wanted.content))
            self._outcome.patient = True

    def _sweep(self, interrupted: str | None) -> None:
        """Remove what a killed run left behind, secrets and all, and nobody needs any more."""
        for path in self._paths:
            self._host.sweep(path)
        if interrupted is None:
            self._host.remove(_kept(self._wanted.users_path))

    # Nothing differs -------------------------------------------------------------------------------------------

    def _keep_alive(self, config: str, check_mode: bool) -> None:
        """Prove that the running proxy really is the one that the files describe."""
        problem = self._proof.missing(config)
        if problem is not None:
            self._outcome.changed = True
            self._outcome.action = "reload" if self._host.is_active() else "start"
            if check_mode:
                return
            self._parse(self._wanted.path)
            complaint = self._host.systemctl(self._outcome.action)
            problem = self._proof.wait(config, self._wanted.restart_timeout)
            if problem is not None:
                raise ChangeError(
                    f"the files are as wanted, but after a {self._outcome.action} {problem}{_because(complaint)}; "
                    "see 'journalctl -u squid' on the host."
                )
        answers = self._proof.upstream(config)
        if not (check_mode or self._outcome.changed or _passing(answers)) and squid_text.has_named_parent(config):
            answers = self._look_up_parents(config, answers)
        self._report(answers)

    def _look_up_parents(self, config: str, answers: dict[str, Answer]) -> dict[str, Answer]:
        """Reload Squid, which looks its parents' names up then and once an hour; return what upstream answers after it."""
        if self._is_refused(self._wanted.path):
            return answers
        self._host.systemctl("reload")
        self._proof.wait(config, self._wanted.reload_timeout)
        worked = dict.fromkeys(answers, Answer(200))
        now = {**worked, **self._proof.lost(worked, config, _SETTLE)}
        if _passing(now):
            self._outcome.changed = True
            self._outcome.action = "reload"
        return now

    # Something differs -----------------------------------------------------------------------------------------

    def _apply(self, current: _Texts, users: str | None, interrupted: str | None, check_mode: bool) -> None:
        # A token of its own for every configuration: the probe passes only once this very file is live.
        new = _Texts(self._filled(secrets.token_hex(16)), users)
        self._describe(current, new)
        if not self._host.has_squid():
            if check_mode:
                return
            raise ChangeError("Squid is not installed; install the package first. Nothing was changed.")
        with self._staged(new) as staged:
            self._outcome.warnings += self._parse(staged[self._wanted.path])
            self._plan(current, interrupted, new)
            if not check_mode:
                self._swap_and_prove(current, interrupted, new, staged)

    def _describe(self, current: _Texts, new: _Texts) -> None:
        self._outcome.changed = True
        self._outcome.before = squid_text.showable(current.config or "")
        self._outcome.after = squid_text.showable(new.config or "")
        if self._outcome.before == self._outcome.after or new.users != current.users:
            self._outcome.after += "# (a password, a user or a file's mode changes)\n"

    def _plan(self, current: _Texts, interrupted: str | None, new: _Texts) -> None:
        """Decide how Squid will read the new files."""
        if not self._host.is_active():
            self._outcome.action = "start"
            return
        olds = [text for text in (current.config, interrupted) if text is not None]
        reasons = {reason for old in olds for reason in squid_text.restart_reasons(old, new.config or "")}
        if self._host.runs_another_binary():
            reasons.add("the Squid package")
        self._outcome.restart_reasons = sorted(reasons)
        self._outcome.action = "restart" if reasons else "reload"
        if not reasons and (left := squid_text.deserted(current.config or "", new.config or "")):
            self._outcome.warnings.append(
                f"{' and '.join(map(str, left))} is given up, but stays open until Squid is restarted: who connects there is not answered"
            )

    @contextmanager
    def _staged(self, new: _Texts) -> Iterator[dict[str, str]]:
        """Write the new texts beside their destinations; whatever is still there at the end is removed."""
        staged: dict[str, str] = {}
        try:
            for path, text in zip(self._paths, (new.config, new.users), strict=True):
                if text is not None:
                    staged[path] = self._host.stage(path, text)
            yield staged
        finally:
            for path in staged.values():
                self._host.remove(path)

    def _parse(self, path: str) -> list[str]:
        """Let Squid read a configuration; return its warnings."""
        code, output = self._host.parse(path)
        found = squid_text.complaints(code, output)
        if found:
            sentence = self._hidden("; ".join(found), path).rstrip(". ")
            raise ChangeError(f"Squid refuses the configuration: {sentence}. The running one was not touched.")
        warnings = [self._hidden(warning, path) for warning in squid_text.warnings(output)]
        if self._host.version() != squid_text.NO_DIGITS:
            return warnings
        bug = f"Squid {squid_text.NO_DIGITS} answers 400 to names that begin with a digit (its bug 5520); upgrade to 7.3 or later"
        if names := squid_text.names_with_digits(self._host.read(path) or ""):
            raise ChangeError(f"{bug}, for {', '.join(names)}. The running one was not touched.")
        return [*warnings, f"{bug}, lest a wildcard lets such a name through in vain"]

    def _hidden(self, message: str, path: str) -> str:
        forms = {form for secret in self._wanted.secrets.values() for form in (secret, squid_text.escaped(secret))}
        for form in sorted(forms - {""}, key=len, reverse=True):
            message = message.replace(form, squid_text.HIDDEN)
        return squid_text.without_secrets(message).replace(path, self._wanted.path)

    # From here on the host changes -----------------------------------------------------------------------------

    def _swap_and_prove(self, current: _Texts, interrupted: str | None, new: _Texts, staged: Mapping[str, str]) -> None:
        good = interrupted if interrupted is not None else current.config
        before = self._upstream_before(current.config, interrupted)
        self._hold(current, interrupted)
        try:
            for path, candidate in staged.items():
                self._host.swap(candidate, path)
            problem = self._activate(current.config or "", new.config or "", before)
        except Exception as error:  # whatever it is, the plant must not be left with a file that was not proven
            problem = f"an unexpected error came up: {error}"
        if problem is not None:
            raise ChangeError(f"{problem}. {self._take_back(good, before)}")
        if good is not None and self._is_worth_keeping(good, current.users, new):
            self._file_away()
        self._release()
        self._remember(new)

    def _upstream_before(self, *configs: str | None) -> dict[str, Answer]:
        """What works upstream now. After an interruption it is not known which of the configurations Squid runs."""
        worked = {endpoint: Answer(200) for endpoint in self._wanted.worked}
        # Whoever goes back wants what worked then.
        for config in configs if not self._wanted.previous else ():
            if config is not None and squid_text.token_of(config) and self._host.is_active():
                answers = self._proof.upstream(config)
                worked.update({endpoint: answer for endpoint, answer in answers.items() if answer.status == 200})
        return worked

    def _activate(self, old: str, config: str, before: Mapping[str, Answer]) -> str | None:
        """Make Squid read the files and prove them; return what is wrong."""
        verb = self._outcome.action
        if verb == "restart" and squid_text.shutdown_lifetime(old) != squid_text.shutdown_lifetime(config):
            # A stopping Squid waits as the configuration says that it has read: 30 seconds with the package's own (measured).
            self._host.systemctl("reload")
            self._proof.wait(config, _SETTLE)
        complaint = self._host.systemctl(verb)
        timeout = self._wanted.reload_timeout if verb == "reload" else self._wanted.restart_timeout
        problem = self._proof.wait(config, timeout)
        if problem is not None:
            return f"after the {verb} {problem}{_because(complaint)}"
        lost = self._lost(before, config)
        if lost:
            return f"what worked before no longer does after the {verb}: {lost}"
        self._report(self._proof.upstream(config))
        return self._restless(verb)

    def _restless(self, verb: str) -> str | None:
        """Say so if Squid only seems to run, since it is started again whenever it ends."""
        workers = self._host.workers()
        self._host.pause(_STEADY)
        if not self._host.is_active():
            return f"after the {verb} Squid ended on the first CONNECT"
        if self._host.workers() != workers:
            return f"after the {verb} Squid keeps ending and starting again; see /var/log/squid/cache.log"
        return None

    def _take_back(self, good: str | None, before: Mapping[str, Answer]) -> str:
        """Bring the previous files back and say how that went."""
        if good is not None and self._is_refused(_kept(self._wanted.path)):
            self._release()
            return "The previous configuration is refused by Squid itself, so the new one stays."
        for path in reversed(self._paths):
            self._give_back(path)
        try:
            return self._serve_again(good, before)
        except Exception as error:  # the files are back, and that is what has to be said
            return f"The previous files are back, but an unexpected error came up: {error}."

    def _is_refused(self, kept: str) -> bool:
        """Whether the previous configuration would end the Squid that runs."""
        try:
            return self._host.is_active() and bool(squid_text.complaints(*self._host.parse(kept)))
        except OSError:  # no command can be run at all
            return False

    def _serve_again(self, good: str | None, before: Mapping[str, Answer]) -> str:
        if good is None:
            self._host.systemctl("stop")
            return "There was no configuration before, so Squid was stopped and the file removed."
        # What a restart brought only a restart takes away.
        gentle = self._outcome.action == "reload" and self._host.is_active()
        problem = self._serve(good, "reload" if gentle else "restart")
        if problem is not None and gentle:
            problem = self._serve(good, "restart")
        if problem is None and (lost := self._lost(before, good)):
            problem = f"what worked before no longer does: {lost}"
        return f"The previous configuration is back{f', but {problem}' if problem else ' and works'}."

    def _lost(self, before: Mapping[str, Answer], config: str) -> str:
        """Name what worked before and does not with this configuration."""
        lost = self._proof.lost(before, config, self._wanted.reload_timeout)
        return ", ".join(f"{endpoint} ({answer})" for endpoint, answer in lost.items())

    def _serve(self, config: str, verb: str) -> str | None:
        complaint = self._host.systemctl(verb)
        problem = self._proof.wait(config, self._wanted.restart_timeout)
        return f"{problem}{_because(complaint)}" if problem is not None else None

    def _hold(self, current: _Texts, interrupted: str | None) -> None:
        """Let second names hold on to the files until the change is proven.

        The one of the configuration comes last and goes last: while it is there, the change is under way.
        """
        try:
            for path, text in ((self._wanted.users_path, current.users), (self._wanted.path, current.config)):
                # An interrupted run may have held the file already.
                if text is not None and self._host.read(_kept(path)) is None:
                    self._host.keep(path, _kept(path))
        except Exception:
            self._sweep(interrupted)
            raise

    def _give_back(self, path: str) -> None:
        # A rename needs no room on the disk.
        if self._host.read(_kept(path)) is not None:
            self._host.swap(_kept(path), path)
            self._host.remove(_kept(path))
        else:
            self._host.remove(path)

    def _is_worth_keeping(self, good: str, users: str | None, new: _Texts) -> bool:
        """Whether this was proven by an earlier run, and is another one than what is live now; going back keeps nothing."""
        proven = squid_text.untoken(good)
        if proven is None or self._wanted.previous or self._wanted.phase == "finish":
            return False
        return proven != squid_text.untoken(new.config or "") or users != new.users

    def _file_away(self) -> None:
        """Copy what was proven before to where a later run finds it; root alone may read it."""
        try:
            for path in self._paths:
                text = self._host.read(_kept(path))
                if text is None:
                    self._host.remove(_previous(path))
                else:
                    self._host.swap(self._host.stage(_previous(path), text, private=True), _previous(path))
            self._outcome.replaced = True
        except OSError as error:
            self._outcome.warnings.append(
                f"the change is live and proven, but what was there before could not be kept: {error}"
            )

    def _remember(self, proven: _Texts) -> None:
        texts = zip(self._paths, (proven.config, proven.users), strict=True)
        try:
            self._host.remember(self._wanted.path, {path: text for path, text in texts if text is not None})
        except OSError as error:
            self._outcome.warnings.append(
                f"the configuration is proven, but the watch will call it changed by hand, since that could not be kept: {error}"
            )

    def _release(self) -> None:
        for path in self._paths:
            self._host.remove(_kept(path))

    def _report(self, answers: Mapping[str, Answer]) -> None:
        self._outcome.endpoints = {endpoint: str(answer) for endpoint, answer in answers.items()}
        silent = [f"{endpoint} ({answer})" for endpoint, answer in answers.items() if answer.status != 200]
        if silent:
            self._outcome.warnings.append(f"the proxy is up, but upstream of it does not answer: {', '.join(silent)}")


def _passing(answers: Mapping[str, Answer]) -> list[str]:
    return [endpoint for endpoint, answer in answers.items() if answer.status == 200]


def _kept(path: str) -> str:
    return f"{path}.unproven"


def _previous(path: str) -> str:
    return f"{path}.previous"


def _because(complaint: str) -> str:
    return f" (systemd says: {complaint})" if complaint else ""
