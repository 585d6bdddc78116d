# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cloud's modules say, as a sentence with what to do. Private to this collection."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class _Cloud:
    name: str
    variables: str
    """Of the environment, with what signs in."""

    role: str
    """A role that has what is needed."""


_CLOUDS = {
    "azure": _Cloud("Azure", "AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT", "Contributor on the resource group"),
    "amazon": _Cloud("AWS", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "AmazonVPCFullAccess"),
    "google": _Cloud(
        "Google", "GCP_AUTH_KIND and GCP_SERVICE_ACCOUNT_FILE", "roles/compute.networkAdmin on the project"
    ),
}
_SIGN_IN = re.compile(
    r"AADSTS\d+|invalid_client|Authentication failed|Failed to get credentials|ClientAuthenticationError"
    r"|AuthFailure|InvalidClientTokenId|SignatureDoesNotMatch|Unable to locate credentials|NoCredentialsError"
    r"|invalid_grant|Invalid Credentials|UNAUTHENTICATED|DefaultCredentialsError"
)
_FORBIDDEN = re.compile(
    r"AuthorizationFailed|does not have authorization|UnauthorizedOperation|AccessDenied|PERMISSION_DENIED|Required '[\w.]+' permission"
)
_TOO_MANY = re.compile(r"TooManyRequests|\b429\b|throttl|RequestLimitExceeded|rateLimitExceeded", re.IGNORECASE)
_NO_GROUP = re.compile(r"ResourceGroupNotFound")
_CODE = re.compile(r"\(Code: \w+\)|\bCode: \w+|Message: ")
_ACTION = re.compile(r"perform action '([^']+)'|perform: ([\w:]+)|Required '([\w.]+)' permission")


def problem(host: str, task: str, action: str, message: str) -> str:
    """Return the sentence.

    Args:
        host: name of the proxy or the site in the inventory.
        task: name of the task that failed.
        action: full name of its module, whose namespace tells the cloud; Azure where it tells none.
        message: what the module said.
    """
    if message.startswith(f"{host}: "):
        return message  # a sentence of ours, which needs no other
    namespace = action.partition(".")[0].replace("community", "amazon")
    cloud = _CLOUDS.get(namespace, _CLOUDS["azure"])
    what, remedy = _reason(cloud, message)
    found = _ACTION.search(message)
    if found:
        what += f" ({next(filter(None, found.groups()))})"
    return (
        f"{host}: '{task}' failed, since {what}; {remedy} and run this again, which goes on where it stopped. "
        f"{cloud.name} says: {_first(message)}"
    )


def _reason(cloud: _Cloud, message: str) -> tuple[str, str]:
    if _SIGN_IN.search(message):
        return f"{cloud.name} refuses the sign-in", f"check {cloud.variables} (a secret may have expired)"
    if _FORBIDDEN.search(message):
        return "the account may not do this", f"give it the action, for example by the role {cloud.role}"
    if _TOO_MANY.search(message):
        return f"{cloud.name} answers that there were too many calls", "wait some minutes"
    if _NO_GROUP.search(message):
        return "the resource group is not there", "create it, or leave azure_proxy_resource_group_exists off"
    return f"{cloud.name} did not do it", "mend what it says"


def _first(message: str) -> str:
    """The first line that says something, without the codes that are repeated in it."""
    lines = (_CODE.sub("", line).strip() for line in message.splitlines())
    return next((line for line in lines if line), "nothing")[:400]
