# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What azure.azcollection says when a call fails, as one sentence that says what to do. Private to this collection."""

from __future__ import annotations

import re

_KINDS = (
    (
        re.compile(
            r"AADSTS\d+|invalid_client|Authentication failed|Failed to get credentials|ClientAuthenticationError"
        ),
        "Azure refuses the sign-in",
        "check AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT (a secret may have expired)",
    ),
    (
        re.compile(r"AuthorizationFailed|LinkedAuthorizationFailed|does not have authorization"),
        "the account may not do this",
        "give it the action, for example by the role Contributor on the resource group",
    ),
    (
        re.compile(r"TooManyRequests|\b429\b|throttl", re.IGNORECASE),
        "Azure answers that there were too many calls",
        "wait some minutes",
    ),
    (
        re.compile(r"ResourceGroupNotFound"),
        "the resource group is not there",
        "create it, or leave azure_proxy_resource_group_exists off",
    ),
)
_OTHER = ("Azure did not do it", "mend what it says")
_CODE = re.compile(r"\(Code: \w+\)|\bCode: \w+|Message: ")
_ACTION = re.compile(r"perform action '([^']+)'")


def problem(host: str, task: str, message: str) -> str:
    """Return the sentence.

    Args:
        host: name of the proxy in the inventory.
        task: name of the task that failed.
        message: what its module said.
    """
    what, remedy = next(((what, remedy) for pattern, what, remedy in _KINDS if pattern.search(message)), _OTHER)
    action = _ACTION.search(message)
    if action:
        what += f" ({action[1]})"
    return (
        f"{host}: '{task}' failed, since {what}; {remedy} and run this again, which goes on where it stopped. "
        f"Azure says: {_first(message)}"
    )


def _first(message: str) -> str:
    """The first line that says something, without the codes that are repeated in it."""
    lines = (_CODE.sub("", line).strip() for line in message.splitlines())
    return next((line for line in lines if line), "nothing")[:400]
