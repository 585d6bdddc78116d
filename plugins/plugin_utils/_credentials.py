# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The passwords of the chain, kept apart from the topology so that the latter can be shown to anybody.

Private to this collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _hostvars


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


def client_users(proxy: str, clients: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Any]) -> dict[str, str]:
    """Return user name and password of each of a proxy's clients that has one.

    Raises:
        ValueError: a client has no password, or two clients share a user name with different passwords.
    """
    users: dict[str, str] = {}
    first: dict[str, str] = {}
    for client in clients:
        name, username = client["name"], client["username"]
        if username is None:
            continue
        password = _password(proxy, client, hostvars)
        if not password:
            raise ValueError(f"{name}: sensor_proxy_password is not set, but its sensor_proxy_username is {username!r}; set both.")
        if any(character in password for character in "\r\n\0"):
            raise ValueError(f"{name}: the password of the user {username!r} has a line break; choose another.")
        if users.setdefault(username, password) != password:
            raise ValueError(
                f"{name}: the user {username!r} has another password than with {first[username]}, and {proxy} can know only one; "
                "give them the same password or names of their own."
            )
        first.setdefault(username, name)
    return users


def _password(proxy: str, client: Mapping[str, Any], hostvars: Mapping[str, Any]) -> str:
    if client["kind"] == "sensor":
        found = _hostvars.read(hostvars, client["name"], ("sensor_proxy_password",))
        return str(found.get("sensor_proxy_password") or "")
    parents = _hostvars.read(hostvars, client["name"], ("squid_parents",))["squid_parents"]
    entry = next(entry for entry in parents if isinstance(entry, Mapping) and entry["host"] == proxy)
    return str(entry["password"])
