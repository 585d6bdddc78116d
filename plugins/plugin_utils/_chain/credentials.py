# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The passwords of the chain, kept apart from the topology so that the latter can be shown to anybody.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from . import inventory
from .hostvars import Opener, Secret
from .model import ClientEntry, ParentEntry


def parent_passwords(proxy: str, parents: Iterable[ParentEntry], hostvars: Mapping[str, Any]) -> dict[str, str]:
    """Return the password for each parent that has a user name, by its name in squid.conf.

    Args:
        proxy: name of the proxy.
        parents: its parents in the topology, which are in the order of its squid_parents.
        hostvars: Ansible's hostvars.

    Raises:
        ValueError: its squid_parents cannot be rendered.
    """
    given = inventory.read_parents(hostvars, proxy)
    return {
        parent["acl"]: entry.password.text()
        for entry, parent in zip(given, parents, strict=True)
        if parent["username"] is not None
    }


def client_users(
    proxy: str, clients: Iterable[ClientEntry], hostvars: Mapping[str, Any], previous: bool = True
) -> dict[str, str]:
    """Return user name and password of each of a proxy's clients that has one.

    Args:
        proxy: name of the proxy.
        clients: its clients in the topology.
        hostvars: Ansible's hostvars.
        previous: whether the users in force before a rotation are among them.

    Raises:
        ValueError: they are not usable; all that check_users finds, in one text.
    """
    users, problems = check_users(
        proxy,
        clients,
        sensor_passwords=partial(inventory.read_sensor_passwords, hostvars),
        proxy_parents=partial(inventory.read_logins, hostvars, proxy),
        previous=previous,
    )
    if problems:
        raise ValueError(" ".join(problems))
    return users


def check_users(
    proxy: str,
    clients: Iterable[ClientEntry],
    sensor_passwords: Callable[[str], tuple[Secret, Secret]],
    proxy_parents: Callable[[str], Iterable[inventory.Parent]],
    previous: bool,
) -> tuple[dict[str, str], list[str]]:
    """Return the passwords by user name, and a sentence for each client whose login the proxy could not know.

    Args:
        proxy: name of the proxy.
        clients: its clients in the topology.
        sensor_passwords: gives a sensor's password and its previous one by its name.
        proxy_parents: gives those of a child proxy's parents that are this proxy, by the child's name.
        previous: whether the users in force before a rotation are among them.
    """
    opener = Opener()

    def opened(name: str, variable: str, secret: Secret) -> str | None:
        try:
            return opener.text(secret)
        except ValueError as error:
            problems.append(f"{name}: {variable} {error}.")
            return None

    users: dict[str, str] = {}
    first: dict[str, str] = {}
    spelling: dict[str, str] = {}
    problems: list[str] = []

    def logins(client: ClientEntry) -> Iterator[_Login]:
        name, username = client["name"], client["username"]
        if client["kind"] == "proxy":
            for parent in proxy_parents(name) if username else ():
                if username and parent.username == username:
                    # With the proxy's other variables, it has been rendered before.
                    yield _Login(name, "squid_parents.username", username, opener.text(parent.password))
            return
        previous_username = client["previous_username"] if previous else None
        if not username and not previous_username:
            return
        password, previous_password = sensor_passwords(name)
        current = None
        if username and (text := opened(name, "sensor_proxy_password", password)) is not None:
            yield (current := _Login(name, "sensor_proxy_username", username, text))
        if previous_username:
            previous_text = opened(name, "sensor_proxy_previous_password", previous_password)
            if previous_text is not None:
                yield _Login(name, "sensor_proxy_previous_username", previous_username, previous_text, current)

    for login in (login for client in clients for login in logins(client)):
        name, username = login.host, login.username
        if login.successor and login.contradicts(login.successor):
            problems.append(
                f"{name}: {login.variable} {username!r} has another password than {login.successor.variable} "
                f"{login.successor.username!r}, and Squid knows one password per user name; "
                "choose another name for the new credential."
            )
            continue
        other = spelling.setdefault(username.lower(), username)
        if username not in first and username != other:
            problems.append(
                f"{name}: {login.variable} {username!r} differs only by case from {other!r}, the user of "
                f"{first[other]}, and Squid would let either sign in as the other; choose another."
            )
        first.setdefault(username, name)
        problem = login.problem()
        if problem is None and users.setdefault(username, login.password) != login.password:
            problem = (
                f"the user {username!r} has another password than with {first[username]}, and {proxy} can know "
                "only one; give them the same password or names of their own"
            )
        if problem:
            problems.append(f"{name}: {problem}.")
    return users, problems


@dataclass(frozen=True, slots=True)
class _Login:
    """As whom a client signs in."""

    host: str
    variable: str
    """Variable of the host that has the user name."""
    username: str
    password: str = field(repr=False)
    successor: _Login | None = None
    """As whom it signs in once its rotation is over."""

    def contradicts(self, other: _Login) -> bool:
        """Say whether this is the same user, as Squid compares names, with another password."""
        same = self.username.lower() == other.username.lower()
        return same and "" not in (self.password, other.password) and self.password != other.password

    def problem(self) -> str | None:
        """Say why Squid could not know the password, or return None."""
        if not self.password:
            variable = self.variable.replace("username", "password")
            return f"{variable} is not set, but its {self.variable} is {self.username!r}; set both"
        if any(character in self.password for character in "\r\n\0"):
            return f"the password of the user {self.username!r} has a line break; choose another"
        return None
