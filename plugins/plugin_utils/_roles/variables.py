# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every variable of very many hosts: misspelt names, and values of another type than the roles declare.

Private to this collection. What a group has is the same for all its hosts, so each name and each value is looked at once.
"""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .._chain.hostvars import once
from . import arguments

OF_PLAYBOOKS = frozenset({"sensor_proxy_serial", "sensor_proxy_max_fail_percentage", "squid_changed_proxies"})
"""What playbooks read and no role declares."""

_SET_HERE = frozenset(
    {
        "azure_proxy_address",
        "azure_proxy_planned",
        "azure_proxy_result",
        "chain_verify_counts",
        "chain_verify_failing",
        "chain_verify_results",
        "chain_verify_verdict",
        "multicloud_planned",
        "multicloud_tunnels",
        "sensor_proxy_result",
        "squid_rendered",
        "squid_rendered_files",
        "squid_rendered_package",
        "topology_result",
    }
)
"""What roles and playbooks set. A workflow of AWX hands some of it on as extra vars."""

_PREFIXES = tuple(f"{role}_" for role in arguments.ROLES)


@functools.cache
def declared() -> dict[str, arguments.Option]:
    """Return every role's variables."""
    return {name: option for role in arguments.ROLES for name, option in arguments.options(role).items()}


@functools.cache
def variables_of(*roles: str) -> frozenset[str]:
    """Return the names of these roles' variables."""
    return frozenset(name for role in roles for name in arguments.options(role))


@functools.cache
def name_problem(name: str) -> str | None:
    """Say what is wrong with the name of a variable, or return None for one that is known or none of ours."""
    public = declared().keys() | OF_PLAYBOOKS
    if name in public or name in _SET_HERE:
        return None
    meant = [known for known in public if _one_edit_apart(name, known)]
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
    if prefix and not meant:
        words = [known.removeprefix(prefix) for known in public if known.startswith(prefix)]
        meant = [prefix + word for word in get_close_matches(name.removeprefix(prefix), words, n=1)]
    if meant:
        return f"is no variable of this collection, and would be ignored; did you mean {min(meant)}?"
    return (
        "is no variable of this collection, and would be ignored; correct its name, or remove it." if prefix else None
    )


def unknown(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each name that begins as ours do, and is none: what a play has reaches no host's own variables.

    To compare all names with all of ours takes longer than a task may for each of very many hosts.
    """
    for name in names:
        if name.startswith(_PREFIXES) and (problem := name_problem(name)):
            yield f"{name} {problem}"


def _one_edit_apart(one: str, other: str) -> bool:
    """Say whether one insertion, deletion, replacement or swap of neighbours makes one of the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    return (
        one[1:] == other
        or one == other[1:]
        or one[1:] == other[1:]
        or (one[2:] == other[2:] and one[:2] == other[1::-1])
    )


class Variables:
    """Collects what is wrong with the variables of one host after the other."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._misspelt: set[str] = set()
        self._hosts: dict[str, list[str]] = {}
        # By the name and what makes one value; lists and mappings stay here, since an id is theirs only while they live.
        self._values: dict[tuple[Any, ...], _Value] = {}

    def look(self, host: str, raw: Mapping[str, Any], names: frozenset[str]) -> None:
        """Look at the variables of a host.

        Args:
            host: its name.
            raw: its variables, as they are written.
            names: those whose values are looked at.
        """
        fresh = raw.keys() - self._seen
        self._seen |= fresh
        self._misspelt |= {name for name in fresh if name_problem(name)}
        for name in sorted(self._misspelt & raw.keys()):
            self._hosts.setdefault(name, []).append(host)
        for name in sorted(names & raw.keys()):
            value = raw[name]
            key = (name, type(value), value) if isinstance(value, _SCALARS) else (name, id(value))
            if key not in self._values:
                self._values[key] = _Value(name, value, _value_problem(name, value), [])
            self._values[key].hosts.append(host)

    def mistakes(self) -> Iterator[tuple[str, str, object, str]]:
        """Yield, for each value that is not what it must be, who has it, its variable, itself and the problem."""
        for found in self._values.values():
            if found.problem:
                value = "********" if declared()[found.name].get("no_log") else found.value
                yield who(found.hosts), found.name, value, found.problem

    def misspelt(self) -> Iterator[str]:
        """Yield one sentence for each name."""
        for name, hosts in self._hosts.items():
            yield f"{who(hosts)}: {name} {name_problem(name)}"


_SCALARS = (str, bool, int, float)


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    value: object
    problem: str | None
    hosts: list[str]


def _value_problem(name: str, value: object) -> str | None:
    """Say what is wrong with a value; that of a template is known on its host only."""
    option = declared()[name]
    is_any_text = option["type"] in ("str", "path") and "choices" not in option
    if (isinstance(value, str) and ("{" in value or is_any_text)) or (is_any_text and not _is_container(value)):
        return None
    try:
        arguments.convert(name, option, value)
    except ValueError as error:
        return str(error)
    return None


def _is_container(value: object) -> bool:
    return isinstance(value, list | tuple | Mapping)


def who(hosts: list[str]) -> str:
    """Name the first of the hosts, and say how many there are."""
    return hosts[0] if len(hosts) == 1 else f"{hosts[0]} and {len(hosts) - 1} more"


def together(mistakes: Iterable[str], hosts: Container[str]) -> list[str]:
    """Return the mistakes; what is wrong at many of the hosts, each of which begins its sentence, is said once."""
    shared: dict[tuple[bool, str], list[str]] = {}
    for mistake in dict.fromkeys(mistakes):
        host, _colon, sentence = mistake.partition(": ")
        is_of_host = bool(sentence) and host in hosts
        shared.setdefault((is_of_host, sentence if is_of_host else mistake), []).append(host)
    return once(f"{who(named)}: {what}" if is_of_host else what for (is_of_host, what), named in shared.items())
