# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a few variables of very many hosts quickly.

Private to this collection. ``hostvars[host]`` builds a template engine for every host, which is most of the
cost at 10,000 hosts; the raw values are read instead, and only one that holds a template goes through the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleError

LOCKED = "is vaulted, and the vault password is missing or another one; add --ask-vault-pass, or --vault-password-file"
"""What is wrong with a value that the run's passwords do not open."""

_LOCKED = re.compile("vault secrets|undecryptable|Decryption failed")


def is_locked(error: BaseException) -> bool:
    """Say whether an error is that of a vaulted value which no password of the run opens; each ansible-core wraps it another way."""
    return bool(_LOCKED.search(str(error)))


def once(mistakes: Iterable[str]) -> list[str]:
    """Return the mistakes, of those for which the vault password is missing only the first one: the others are the same."""
    found = list(dict.fromkeys(mistakes))
    locked = [mistake for mistake in found if LOCKED in mistake]
    return [mistake for mistake in found if mistake not in locked[1:]]


@dataclass(frozen=True, slots=True, eq=False)
class Secret:
    """A value that nobody has looked at: its text may have to be rendered or decrypted, and is never shown."""

    raw: object = field(default=None, repr=False)
    render: Callable[[], object] | None = field(default=None, repr=False)
    """Makes the value of a template, which may be another one for each host that has it."""

    def text(self) -> str:
        """Return the secret, empty if there is none.

        Raises:
            ValueError: it is a template of something that is not there, or vaulted with another password.
        """
        value = _rendered(self.render or (lambda: "" if self.raw is None else str(self.raw)))
        return "" if value is None else str(value)


class Opener:
    """Opens secrets, each object once: a group's vaulted password is one object for all its hosts."""

    def __init__(self) -> None:
        # With the secret itself, since an object's id is its own only as long as it lives.
        self._opened: dict[int, tuple[Secret, str]] = {}

    def text(self, secret: Secret) -> str:
        """Return the secret's text."""
        if secret.render:
            return secret.text()
        if id(secret.raw) not in self._opened:
            self._opened[id(secret.raw)] = secret, secret.text()
        return self._opened[id(secret.raw)][1]


def raw_variables(hostvars: Mapping[str, Any], host: str) -> Mapping[str, Any]:
    """Return all variables of the host as they are written, of which a template is not rendered."""
    raw_get = getattr(hostvars, "raw_get", None)
    raw: Mapping[str, Any] = raw_get(host) if raw_get else hostvars[host]
    return raw


def read(
    hostvars: Mapping[str, Any],
    host: str,
    names: tuple[str, ...],
    secrets: tuple[str, ...] = (),
    raw: Mapping[str, Any] | None = None,
    mistakes: list[str] | None = None,
) -> dict[str, Any]:
    """Return those of the named variables that the host has: ``names`` rendered, ``secrets`` each as a Secret.

    Args:
        hostvars: Ansible's hostvars, or a mapping of host to variables.
        host: name of the host.
        names: names of variables.
        secrets: names of variables that may be secret.
        raw: the host's raw_variables, if they are at hand.
        mistakes: takes a sentence for each variable that cannot be rendered, which is left out then.

    Raises:
        ValueError: one cannot be rendered, and there is no list for that.
    """
    raw_get = getattr(hostvars, "raw_get", None)
    if raw is None:
        raw = raw_variables(hostvars, host)
    found: dict[str, Any] = {}
    for name in names:
        if name in raw:
            value = raw[name]
            try:
                is_template = raw_get and _may_be_template(value)
                found[name] = _rendered(_render_later(hostvars, host, name)) if is_template else value
            except ValueError as error:
                if mistakes is None:
                    raise ValueError(f"{host}: {name} {error}.") from None
                mistakes.append(f"{host}: {name} {error}.")
    for name in secrets:
        if name in raw:
            # What is vaulted is no text, and never a template.
            is_template = raw_get and isinstance(raw[name], str) and "{" in raw[name]
            found[name] = Secret(raw[name], _render_later(hostvars, host, name) if is_template else None)
    return found


def _render_later(hostvars: Mapping[str, Any], host: str, name: str) -> Callable[[], object]:
    return lambda: hostvars[host][name]


def _rendered(render: Callable[[], object]) -> object:
    try:
        return render()
    except AnsibleError as error:
        if is_locked(error):
            raise ValueError(LOCKED) from None
        said = next(iter(str(error).splitlines()), "").rstrip(".")
        raise ValueError(f"cannot be rendered ({said}); define what it names, or correct it") from None


def _may_be_template(value: object) -> bool:
    if isinstance(value, str):
        return "{" in value
    return not (value is None or isinstance(value, bool | int | float))
