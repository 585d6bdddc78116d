# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cloud's modules say, as a sentence with what to do. Private to this collection."""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
# Refused before Azure was asked at all, whatever the module calls it.
_PROXY = re.compile(
    r"ProxyError|Tunnel connection failed|Failed to connect to proxy|ProxyConnectionError", re.IGNORECASE
)
_PROXY_STATUS = re.compile(r"Tunnel connection failed: ([^')\"]+)")
# Nobody was asked: whom Azure refuses, gets a number of its sign-in.
_NOBODY = re.compile(
    r"ManagedIdentityCredential authentication unavailable|az login|Failed to get credentials|OIDC token file"
)
_UNTRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed")
_UNREACHABLE = re.compile(
    r"NameResolutionError|Name or service not known|Temporary failure in name resolution|NewConnectionError|ConnectTimeout"
    r"|Connection refused|Network is unreachable|EndpointConnectionError|Could not connect to the endpoint"
)
_SIGN_IN = re.compile(
    r"AADSTS\d+|invalid_client|Authentication failed|ClientAuthenticationError"
    r"|ExpiredAuthenticationToken|InvalidAuthenticationToken"
    r"|AuthFailure|InvalidClientTokenId|SignatureDoesNotMatch|Unable to locate credentials|NoCredentialsError"
    r"|invalid_grant|Invalid Credentials|UNAUTHENTICATED|DefaultCredentialsError"
)
_FORBIDDEN = re.compile(
    r"AuthorizationFailed|does not have authorization|UnauthorizedOperation|AccessDenied|PERMISSION_DENIED|Required '[\w.]+' permission"
)
_TOO_MANY = re.compile(r"TooManyRequests|\(429\)|, 429\)|throttl|RequestLimitExceeded|rateLimitExceeded", re.IGNORECASE)
_POLICY = re.compile(r"RequestDisallowedByPolicy")
_POLICY_NAME = re.compile(r'"policyAssignment"\s*:\s*\{\s*"name"\s*:\s*"([^"]+)"')
_NAMESPACE = re.compile(r"not registered to use namespace '([\w.]+)'")
_OTHERS: list[tuple[re.Pattern[str], str, str]] = [
    (
        re.compile(r"ResourceGroupNotFound"),
        "the resource group is not there",
        "create it, or leave azure_proxy_resource_group_exists off",
    ),
    (re.compile(r"\bScopeLocked"), "a lock forbids it", "take the lock away"),
    (
        re.compile(r"SkuNotAvailable|AllocationFailed|OverconstrainedAllocationRequest"),
        "there is no room for this size there now",
        "take another size, other zones or another region",
    ),
    (
        re.compile(r"quota|CountLimitReached|LimitExceeded", re.IGNORECASE),
        "a quota is used up",
        "ask for more of it, or take another size or region",
    ),
    (
        re.compile(r"AnotherOperationInProgress|ReferencedResourceNotProvisioned|RetryableError|OperationInProgress"),
        "another operation on it is still running",
        "wait until it has ended",
    ),
    (
        re.compile(r"InUse|CannotBeDeleted|CannotDelete|DependencyViolation|resourceInUseByAnotherResource"),
        "something else still uses it",
        "take that away",
    ),
    (
        re.compile(r"PropertyChangeNotAllowed|CannotBeModified|InvalidResourceLocation"),
        "that cannot be changed once it is there",
        "put it back, or remove it and make it anew",
    ),
    (
        re.compile(r"SubscriptionNotFound|InvalidSubscriptionId"),
        "the account has no such subscription",
        "check AZURE_SUBSCRIPTION_ID and the role of the account there",
    ),
    (re.compile(r"ReadOnlyDisabledSubscription"), "the subscription is disabled", "have it enabled"),
    (re.compile(r"AlreadyTaken"), "somebody else in the world has this name", "choose another one"),
]
"""By the innermost error's code, or by its words where it has none."""

_CODE = re.compile(r"\(Code: \w+\)|\bCode: \w+|Message: ")
_ACTION = re.compile(
    # A linked resource's: what the account lacks comes after what it has.
    r"perform action\(s\) '(?P<linked>[^']+)' on the linked scope\(s\) '(?P<scope>[^']+)'"
    r"|perform action '([^']+)' over|perform: ([\w:]+)|Required '([\w.]+)' permission"
)
_SAID = re.compile(r"(?:^|- |\t)\(([A-Za-z]\w+)\) (.+)")
"""A code and a message as azure-core prints them, a tab deeper for each error that holds it."""
_DEPLOYED = re.compile(r"Deployment failed: (.*?) \(Code: (\w+)\)(?: \| |$)", re.DOTALL)
_STATUS = re.compile(r"\(('.*'|\".*\"), \d+\)", re.DOTALL)
"""A body and its status as azure_rm_resource prints them."""
_LONGEST = 20_000
"""Characters of a message that are looked at."""


def said(result: object) -> str:
    """Return what a module said: its message, or of a loop that of the first item that failed."""
    if not isinstance(result, Mapping):
        return str(result)
    items = (one for one in result.get("results") or [] if isinstance(one, Mapping) and one.get("failed"))
    return str(next(items, result).get("msg", result))


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
    # amazon.aws and community.aws, google.cloud, and our own modules for these clouds.
    cloud = _CLOUDS["amazon" if "aws" in action else "google" if "google" in action else "azure"]
    code, said = _innermost(message)
    what, remedy = _reason(cloud, message, f"{code} {said}")
    shown = said.partition(" Policy identifiers:")[0][:400]
    shown += f" ({code})" if code and code not in shown else ""
    return (
        f"{host}: '{task}' failed, since {what}; {remedy} and run this again, which goes on where it stopped. "
        f"{cloud.name} says: {shown}"
    )


def _reason(cloud: _Cloud, message: str, said: str) -> tuple[str, str]:
    if _PROXY.search(message):
        status = _PROXY_STATUS.search(message)
        what = f"the network proxy on the way to {cloud.name} refuses the connection" + (
            f" ({status[1]})" if status else ""
        )
        return what, f"check HTTPS_PROXY and that it lets through {cloud.name}'s hosts"
    if _UNTRUSTED.search(message):
        what = f"{cloud.name}'s certificate is not trusted, as behind a proxy that looks into TLS"
        return what, "name its CA in REQUESTS_CA_BUNDLE"
    if _NOBODY.search(message) and "AADSTS" not in message:
        return "nothing here signs in to Azure", "sign in in one of the ways that docs/azure.md names"
    if _UNREACHABLE.search(message):
        return f"{cloud.name} cannot be reached from here", "check the name server, the firewall and HTTPS_PROXY"
    if _SIGN_IN.search(message):
        return f"{cloud.name} refuses the sign-in", f"check {cloud.variables} (a secret may have expired)"
    if _POLICY.search(said):
        name = _POLICY_NAME.search(said)
        what = "a policy forbids it" + (f" ({name[1]})" if name else "")
        return what, "give it what the policy wants, or ask for an exemption"
    if _FORBIDDEN.search(said):
        return (
            f"the account may not do this{_action(said)}",
            f"give it the action, for example by the role {cloud.role}",
        )
    if _TOO_MANY.search(said) or _TOO_MANY.search(message):
        return f"{cloud.name} answers that there were too many calls", "wait some minutes"
    namespace = _NAMESPACE.search(said)
    if namespace:
        return (
            f"the subscription does not have {namespace[1]}",
            f"register it by az provider register --namespace {namespace[1]}",
        )
    other = next(((what, remedy) for pattern, what, remedy in _OTHERS if pattern.search(said)), None)
    return other or (f"{cloud.name} did not do it", "mend what it says")


def _action(said: str) -> str:
    found = _ACTION.search(said)
    if found is None:
        return ""
    if found["linked"]:
        return f" ({found['linked']} on {found['scope']})"
    return f" ({next(filter(None, found.groups()))})"


def _innermost(message: str) -> tuple[str, str]:
    """Return code and text of the error that the others only hold; no code where there is none."""
    message = message[:_LONGEST]
    body = _STATUS.search(message)
    if body:
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            message = ast.literal_eval(body[1])
    inner = _json(message)
    if inner:
        return inner
    deployed = _DEPLOYED.search(message)
    if deployed:
        return deployed[2], _first(deployed[1])
    lines = [
        (line[: found.end(0)].count("\t"), found) for line in message.splitlines() if (found := _SAID.search(line))
    ]
    if lines:
        _depth, deepest = max(lines, key=lambda one: one[0])
        return deepest[1], deepest[2].strip()
    return "", _first(message)


def _json(message: str) -> tuple[str, str] | None:
    """Return the innermost error of the JSON in a message."""
    decoder = json.JSONDecoder()
    for start in (found.start() for found in re.finditer(r"\{", message)):
        with contextlib.suppress(ValueError, RecursionError):
            found, _end = decoder.raw_decode(message, start)
            if isinstance(found, dict):
                inner = _deepest(found)
                if inner:
                    return inner
    return None


def _deepest(found: dict[str, Any]) -> tuple[str, str] | None:
    error = found.get("error", found)
    if not isinstance(error, dict) or not error.get("message"):
        return None
    text = str(error["message"])
    details = error.get("details")
    inside = (_deepest(one) for one in details if isinstance(one, dict)) if isinstance(details, list) else iter(())
    inner = next(filter(None, inside), None) or _json(text)
    return inner or (str(error.get("code") or ""), " ".join(text.split()))


def _first(message: str) -> str:
    """The first line that says something, without the codes that are repeated in it."""
    lines = (_CODE.sub("", line).strip() for line in message.splitlines())
    return next((line for line in lines if line), "nothing")
