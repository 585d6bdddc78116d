# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The passwords of the chain, kept apart from the topology so that the latter can be shown to anybody.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _inventory
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._hostvars import Opener, Secret

Client = Mapping[str, Any]
"""One of a proxy's clients in the topology."""


def parent_passwords(given: Iterable[Any], parents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the password for each parent of the topology that has a user name, by its ACL name.

    Args:
        given: the proxy's squid_parents.
        parents: the same proxy's parents in the topology, in the same order.
    """
    return {
        parent["acl"]: str(entry["password"])
        for entry, parent in zip(given, parents, strict=True)
        if parent["username"] is not None
    }


def client_users(proxy: str, clients: Iterable[Client], hostvars: Mapping[str, Any]) -> dict[str, str]:
    """Return user name and password of each of a proxy's clients that has one.

    Raises:
        ValueError: they are not usable; all that check_users finds, in one text.
    """
    users, problems = check_users(
        proxy,
        clients,
        sensor_password=partial(_inventory.read_sensor_password, hostvars),
        proxy_parents=partial(_inventory.read_parents, hostvars),
    )
    if problems:
        raise ValueError(" ".join(problems))
    return users


def check_users(
    proxy: str,
    clients: Iterable[Client],
    sensor_password: Callable[[str], Secret],
    proxy_parents: Callable[[str], Iterable[_inventory.Parent]],
) -> tuple[dict[str, str], list[str]]:
    """Return the passwords by user name, and a sentence for each client whose login the proxy could not know.

    Args:
        proxy: name of the proxy.
        clients: its clients in the topology.
        sensor_password: gives a sensor's password by its name.
        proxy_parents: gives a child proxy's parents by its name.
    """
    opener = Opener()
    users: dict[str, str] = {}
    first: dict[str, str] = {}
    spelling: dict[str, str] = {}
    problems: list[str] = []

    def passwords(client: Client) -> Iterator[str]:
        if client["kind"] == "sensor":
            yield opener.text(sensor_password(client["name"]))
            return
        for parent in proxy_parents(client["name"]):
            if (parent.host, parent.username) == (proxy, client["username"]):
                yield opener.text(parent.password)

    for client in clients:
        name, username = client["name"], client["username"]
        if not username:
            continue
        other = spelling.setdefault(username.lower(), username)
        if username not in first and username != other:
            problems.append(
                f"{name}: {_VARIABLE[client['kind']]} {username!r} differs only by case from {other!r}, the user of "
                f"{first[other]}, and Squid would let either sign in as the other; choose another."
            )
        first.setdefault(username, name)
        for password in passwords(client):
            problem = _password_problem(client, password)
            if problem is None and users.setdefault(username, password) != password:
                problem = (
                    f"the user {username!r} has another password than with {first[username]}, and {proxy} can know "
                    "only one; give them the same password or names of their own"
                )
            if problem:
                problems.append(f"{name}: {problem}.")
    return users, problems


_VARIABLE = {"sensor": "sensor_proxy_username", "proxy": "squid_parents.username"}


def _password_problem(client: Client, password: str) -> str | None:
    variable, username = _VARIABLE[client["kind"]], client["username"]
    if not password:
        return f"{variable.replace('username', 'password')} is not set, but its {variable} is {username!r}; set both"
    if any(character in password for character in "\r\n\0"):
        return f"the password of the user {username!r} has a line break; choose another"
    return None
