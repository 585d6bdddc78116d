# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change the configuration of a running Squid: stage, validate, swap, reload, prove, and return if the proof fails.

Private to this collection.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils import _htpasswd, _squid_text
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._connect import Answer
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid_host import Host
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid_proof import Proof


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


@dataclass
class Outcome:
    """What was done."""

    changed: bool = False
    action: str = "none"
    restart_reasons: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Files:
    """The text of both files; None where a file does not exist."""

    config: str | None
    users: str | None


class Change:
    """One change on one host."""

    def __init__(self, host: Host, proof: Proof, wanted: Wanted) -> None:
        self._host = host
        self._proof = proof
        self._wanted = wanted
        self._kept = f"{wanted.path}.unproven"
        self._outcome = Outcome()

    def run(self, check_mode: bool) -> Outcome:
        """Bring the host to what is wanted, or leave it as it was.

        Raises:
            ChangeError: it is as it was, and the sentence says why.
        """
        current = _Files(self._host.read(self._wanted.path), self._host.read(self._wanted.users_path))
        token = _squid_text.token_of(current.config or "") or ""
        users = self._users(current)
        same = token != "" and current.config == self._filled(token) and users == current.users
        # The name is left only where an earlier run was killed between swap and proof: what it kept is the last good file.
        interrupted = self._host.read(self._kept)
        if same and interrupted is None:
            self._keep_alive(token, check_mode)
        else:
            self._apply(current, users, interrupted, check_mode)
        return self._outcome

    def _filled(self, token: str) -> str:
        try:
            return _squid_text.fill(self._wanted.content, {**self._wanted.secrets, _squid_text.PROBE_TOKEN: token})
        except ValueError as error:
            raise ChangeError(f"{error}; nothing was changed.") from error

    def _users(self, current: _Files) -> str | None:
        if not self._wanted.users and current.users is None:
            return None
        return _htpasswd.merge(current.users or "", self._wanted.users)

    def _keep_alive(self, token: str, check_mode: bool) -> None:
        """Nothing differs: prove that the running proxy really is the one that the file describes."""
        problem = self._proof.missing(token)
        if problem is not None:
            verb = "reload" if self._host.is_active() else "start"
            self._outcome.changed = True
            self._outcome.action = verb
            if check_mode:
                return
            complaint = self._host.systemctl(verb)
            problem = self._proof.wait(token, self._wanted.restart_timeout)
            if problem is not None:
                raise ChangeError(
                    f"the configuration is as wanted, but after a {verb} {problem}{_because(complaint)}; "
                    "see 'journalctl -u squid' on the host."
                )
        self._report(self._proof.upstream(token))

    def _apply(self, current: _Files, users: str | None, interrupted: str | None, check_mode: bool) -> None:
        # A token of its own for every configuration: the probe passes only once this very file is live.
        token = secrets.token_hex(16)
        filled = self._filled(token)
        self._describe(current, filled, users)
        if not self._host.has_squid():
            if check_mode:
                return
            raise ChangeError("Squid is not installed; install the package first. Nothing was changed.")
        staged = self._validated(filled)
        active = self._host.is_active()
        if active:
            self._outcome.restart_reasons = self._restart_reasons(current.config or "", filled)
        if check_mode:
            self._host.remove(staged)
            return
        good = _Files(interrupted if interrupted is not None else current.config, current.users)
        old_token = _squid_text.token_of(current.config or "")
        before = self._proof.upstream(old_token) if active and old_token else {}
        if current.config is not None and interrupted is None:
            self._host.keep(self._wanted.path, self._kept)
        self._swap(staged, users)
        problem = self._activate(token, before, active)
        if problem is not None:
            raise ChangeError(f"{problem}. {self._take_back(good)}")
        self._host.remove(self._kept)

    def _describe(self, current: _Files, filled: str, users: str | None) -> None:
        self._outcome.changed = True
        self._outcome.before = _squid_text.showable(current.config or "")
        self._outcome.after = _squid_text.showable(filled)
        if self._outcome.before == self._outcome.after or users != current.users:
            self._outcome.after += "# (a password or a user changes)\n"

    def _restart_reasons(self, current: str, filled: str) -> list[str]:
        package = ["the Squid package"] if self._host.runs_another_binary() else []
        return package + _squid_text.restart_reasons(current, filled)

    def _validated(self, filled: str) -> str:
        """Stage the file; it is gone again when Squid finds a fault in it."""
        staged = self._host.stage(self._wanted.path, filled)
        code, output = self._host.parse(staged)
        found = _squid_text.complaints(code, output)
        if found:
            self._host.remove(staged)
            raise ChangeError(
                f"Squid refuses the new configuration: {self._hidden('; '.join(found), staged)} The running one was not touched."
            )
        self._outcome.warnings += [self._hidden(line, staged) for line in _squid_text.warnings(output)]
        return staged

    def _hidden(self, message: str, staged: str) -> str:
        for secret in self._wanted.secrets.values():
            for form in {secret, _squid_text.fill("@@s@@", {"s": secret})} - {""}:
                message = message.replace(form, _squid_text.HIDDEN)
        return message.replace(staged, self._wanted.path)

    def _swap(self, staged: str, users: str | None) -> None:
        if users is not None and users != self._host.read(self._wanted.users_path):
            self._host.swap(self._host.stage(self._wanted.users_path, users), self._wanted.users_path)
        self._host.swap(staged, self._wanted.path)

    def _activate(self, token: str, before: Mapping[str, Answer], active: bool) -> str | None:
        """Make Squid read the file and prove it; return what is wrong."""
        verb = ("restart" if self._outcome.restart_reasons else "reload") if active else "start"
        self._outcome.action = verb
        complaint = self._host.systemctl(verb)
        problem = self._proof.wait(
            token, self._wanted.reload_timeout if verb == "reload" else self._wanted.restart_timeout
        )
        if problem is not None:
            return f"after the {verb} {problem}{_because(complaint)}"
        lost = self._proof.lost(before, token, self._wanted.reload_timeout)
        if lost:
            named = ", ".join(f"{endpoint} ({answer})" for endpoint, answer in lost.items())
            return f"what worked before no longer does after the {verb}: {named}"
        self._report(self._proof.upstream(token))
        return None

    def _take_back(self, good: _Files) -> str:
        """Bring the previous files back and say how that went."""
        if good.config is None:
            self._host.systemctl("stop")
            self._host.remove(self._wanted.path)
            return "There was no configuration before, so Squid was stopped and the file removed."
        self._swap(self._host.stage(self._wanted.path, good.config), good.users)
        if good.users is None:
            self._host.remove(self._wanted.users_path)
        verb = "reload" if self._host.is_active() and not self._outcome.restart_reasons else "restart"
        complaint = self._host.systemctl(verb)
        self._host.remove(self._kept)
        token = _squid_text.token_of(good.config)
        problem = self._proof.wait(token, self._wanted.restart_timeout) if token else None
        if problem is not None or complaint:
            return f"The previous configuration is back, but {problem or 'systemd complains'}{_because(complaint)}."
        return "The previous configuration is back and works."

    def _report(self, answers: Mapping[str, Answer]) -> None:
        self._outcome.endpoints = {endpoint: str(answer) for endpoint, answer in answers.items()}
        silent = [f"{endpoint} ({answer})" for endpoint, answer in answers.items() if answer.status != 200]
        if silent:
            self._outcome.warnings.append(f"the proxy is up, but upstream of it does not answer: {', '.join(silent)}")


def _because(complaint: str) -> str:
    return f" (systemd says: {complaint})" if complaint else ""
