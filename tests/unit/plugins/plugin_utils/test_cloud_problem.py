# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cloud's modules say when a call fails, as one sentence; those of Azure are from real runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.filter.cloud_problem import cloud_problem

Json = dict[str, Any]
CASES = {
    "Authentication failed: AADSTS7000215: Invalid client secret provided. Trace ID: 1": "Azure refuses the sign-in; check",
    "Error creating or updating virtual network X - (AuthorizationFailed) The client 'a' with object id 'b' does not have "
    "authorization to perform action 'Microsoft.Network/virtualNetworks/write' over scope '/subscriptions/x'\n"
    "Code: AuthorizationFailed\nMessage: again": "the account may not do this (Microsoft.Network/virtualNetworks/write);",
    "Error - (TooManyRequests) The request is being throttled.": "there were too many calls; wait some minutes",
    '(\'{"error": {"code": "TooManyRequests"}}\', 429)': "there were too many calls; wait some minutes",
    "Error retrieving x - (ResourceGroupNotFound) Resource group 'x' could not be found.": "the resource group is not there",
    "Deployment failed: Out of capacity (Code: NoRoom)": "Azure did not do it; mend what it says",
}


@pytest.mark.parametrize("message", CASES)
def test_a_message_becomes_a_sentence(message: str) -> None:
    sentence = cloud_problem(message, "Create the VNET", "azure-proxy")
    assert sentence.startswith("azure-proxy: 'Create the VNET' failed, since ")
    assert CASES[message] in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("part", ["x", "{", '{"error":', '{"message":{"error":', "('", "(Code: A) | ", "\t(A) "])
def test_a_long_message_is_cut(part: str) -> None:
    """And none of it is a traceback."""
    assert len(cloud_problem(part * 5000, "Create", "azure-proxy")) < 800


def test_no_message_is_said_to_be_none() -> None:
    assert cloud_problem("\n", "Create", "azure-proxy").endswith("Azure says: nothing")


OTHERS = {
    (
        "amazon.aws.ec2_vpc_vpn",
        "Failed: An error occurred (AuthFailure) when calling",
    ): "AWS refuses the sign-in; check AWS_ACCESS_KEY_ID",
    (
        "amazon.aws.ec2_vpc_vgw",
        "An error occurred (UnauthorizedOperation): You are not authorized to perform: ec2:CreateVpnGateway",
    ): "the account may not do this (ec2:CreateVpnGateway); give it the action, for example by the role AmazonVPCFullAccess",
    ("community.aws.ec2_customer_gateway", "(RequestLimitExceeded)"): "AWS answers that there were too many calls",
    (
        "google.cloud.gcp_compute_vpn_tunnel",
        "GCP returned error: Required 'compute.vpnTunnels.create' permission for x",
    ): "the account may not do this (compute.vpnTunnels.create); give it the action, for example by the role roles/compute.networkAdmin",
    # Our own modules for these clouds.
    (
        "ot_security.proxy_chaining.aws_tunnel_key",
        "(RequestLimitExceeded)",
    ): "AWS answers that there were too many calls",
    ("ot_security.proxy_chaining.google_labels", "Backend error"): "Google did not do it; mend what it says",
    ("google.cloud.gcp_compute_route", "Quota exceeded"): "a quota is used up; ask for more of it",
    (
        "amazon.aws.ec2_vpc_vpn",
        'Failed to connect to proxy URL: "http://192.0.2.1:3128"',
    ): "the network proxy on the way to AWS refuses the connection; check HTTPS_PROXY",
}


@pytest.mark.parametrize(("action", "message"), OTHERS)
def test_the_other_clouds_have_their_own_words(action: str, message: str) -> None:
    assert OTHERS[action, message] in cloud_problem(message, "Create", "aws-plant", action)


def test_a_sentence_of_ours_needs_no_other() -> None:
    ours = "aws-plant: multicloud_aws_vpc is not there."
    assert cloud_problem(ours, "Refuse it", "aws-plant", "ansible.builtin.assert") == ours


_POLICY = "Resource 'x' was disallowed by policy."
_POLICIES = ' Policy identifiers: \'[{"policyAssignment":{"name":"Only in Europe","id":"y"},"policyDefinition":{"name":"z"}}]\'.'
_LINKED = (
    "The client 'a' has permission to perform action 'Microsoft.Compute/virtualMachineScaleSets/write' on scope '/s/x'; "
    "however, it does not have permission to perform action(s) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the "
    "linked scope(s) '/s/hub'."
)
_JOIN = (
    "the account may not do this (Microsoft.Network/virtualNetworks/subnets/join/action on /s/hub); give it the action"
)
_REQUEST = "Max retries exceeded with url: /common/discovery/instance (Caused by %s)"
_REFUSED = _REQUEST % "ProxyError('Unable to connect to proxy', OSError('Tunnel connection failed: %s'))"
_NO_ROOM = "there is no room for this size there now; take another size, other zones or another region"
_QUOTA = "a quota is used up; ask for more of it"
_RUNNING = "another operation on it is still running; wait until it has ended"
_USED = "something else still uses it; take that away"
_FIXED = "that cannot be changed once it is there; put it back, or remove it and make it anew"
_NOT_DONE = "Azure did not do it; mend what it says"


def error(codes: str, message: str) -> Json:
    """Return what Azure puts under "error": each code holds the next one, in its details, or as text in its message after a <."""
    code, mark, rest_of_them = re.fullmatch(r"(\w+)([/<]?)(.*)", codes).groups()  # type: ignore[union-attr]
    if not mark:
        return {"code": code, "message": message}
    inner = error(rest_of_them, message)
    if mark == "<":
        return {"code": code, "message": json.dumps({"error": inner}, indent=2).replace("\n", "\r\n")}
    return {"code": code, "message": "At least one operation failed. Please list them for details.", "details": [inner]}


def typed(one: Json) -> str:
    """As most modules of azure.azcollection print it."""
    return f"Error creating or updating x - {_printed(one)}"


def _printed(one: Json) -> str:
    """As azure-core's ODataV4Format.__str__ has it."""
    text = f"({one['code']}) {one['message']}\nCode: {one['code']}\nMessage: {one['message']}"
    inner = ("\n".join("\t" + line for line in _printed(detail).splitlines()) for detail in one.get("details", []))
    return text + "".join(f"\nException Details:{one}" for one in inner)


def rest(one: Json) -> str:
    """As azure_rm_resource prints it."""
    return str((json.dumps({"error": one}), 400))


def deployed(one: Json) -> str:
    """As azure_rm_deployment prints it."""
    found = (f"{detail['message']} (Code: {detail['code']})" for detail in one["details"])
    return f"Deployment failed: {' | '.join(found)}"


# Printed by, what was inside of what, the innermost one's message; why it failed, and what to do.
BODIES: list[tuple[Callable[[Json], str], str, str, str]] = [
    (
        typed,
        "AuthorizationFailed",
        "The client 'a' does not have authorization to perform action 'Microsoft.Network/natGateways/write' over scope 'x'.",
        "the account may not do this (Microsoft.Network/natGateways/write); give it the action",
    ),
    (typed, "LinkedAuthorizationFailed", _LINKED, _JOIN),
    (deployed, "DeploymentFailed/Forbidden<LinkedAuthorizationFailed", _LINKED, _JOIN),
    (
        deployed,
        "DeploymentFailed/Conflict<PropertyChangeNotAllowed",
        "Changing property 'imageReference.offer' is not allowed.",
        _FIXED,
    ),
    (
        deployed,
        "DeploymentFailed/BadRequest",
        "Automatic OS Upgrade is not supported for this Virtual Machine Scale Set.",
        _NOT_DONE,
    ),
    (
        deployed,
        "InvalidTemplateDeployment/SkuNotAvailable",
        "The requested VM size 'x' is currently not available in location 'y'.",
        _NO_ROOM,
    ),
    (
        typed,
        "DeploymentFailed/ResourceDeploymentFailure/ZonalAllocationFailed",
        "Allocation failed. We do not have sufficient capacity.",
        _NO_ROOM,
    ),
    (deployed, "DeploymentFailed/AllocationFailed", "Allocation failed.", _NO_ROOM),
    (rest, "DeploymentFailed/Conflict<OverconstrainedAllocationRequest", "The VM(s) cannot be allocated.", _NO_ROOM),
    (
        deployed,
        "InvalidTemplateDeployment/QuotaExceeded",
        "It results in exceeding approved standardDSv5Family Cores quota.",
        _QUOTA,
    ),
    (rest, "OperationNotAllowed", "It results in exceeding approved Total Regional Cores quota.", _QUOTA),
    (typed, "PublicIPCountLimitReached", "Cannot create more than 20 public IP addresses.", _QUOTA),
    (typed, "AnotherOperationInProgress", "Another operation on this or dependent resource is in progress.", _RUNNING),
    (
        typed,
        "RetryableError/ReferencedResourceNotProvisioned",
        "Resource x used by resource y is not in Succeeded state.",
        _RUNNING,
    ),
    (
        typed,
        "InUseSubnetCannotBeDeleted",
        "Subnet proxies is in use by /s/nic/ipConfigurations/ip and cannot be deleted.",
        _USED,
    ),
    (
        typed,
        "PublicIPAddressCannotBeDeleted",
        "Public IP address x can not be deleted since it is still allocated to y.",
        _USED,
    ),
    (
        typed,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached.",
        "there were too many calls; wait some minutes",
    ),
    (
        rest,
        "SubscriptionRequestsThrottled",
        "Number of requests exceeded the limit.",
        "there were too many calls; wait some minutes",
    ),
    (
        rest,
        "RequestDisallowedByPolicy",
        _POLICY + _POLICIES,
        "a policy forbids it (Only in Europe); give it what the policy wants, or ask for an exemption",
    ),
    (
        deployed,
        "InvalidTemplateDeployment/RequestDisallowedByPolicy",
        _POLICY + _POLICIES,
        "a policy forbids it (Only in Europe);",
    ),
    (
        typed,
        "ScopeLocked",
        "The scope 'x' cannot perform delete operation because following scope(s) are locked: 'y'.",
        "a lock forbids it; take the lock away",
    ),
    (
        typed,
        "MissingSubscriptionRegistration",
        "The subscription is not registered to use namespace 'Microsoft.Insights'.",
        "the subscription does not have Microsoft.Insights; register it by az provider register --namespace Microsoft.Insights and",
    ),
    (
        typed,
        "SubscriptionNotFound",
        "The subscription 'x' could not be found.",
        "the account has no such subscription; check AZURE_SUBSCRIPTION_ID",
    ),
    (
        typed,
        "ReadOnlyDisabledSubscription",
        "The subscription 'x' is disabled.",
        "the subscription is disabled; have it enabled",
    ),
    (
        typed,
        "StorageAccountAlreadyTaken",
        "The storage account named logs is already taken.",
        "somebody else in the world has this name; choose another one",
    ),
    (rest, "NoRegisteredProviderFound", "No registered resource provider found for API version 'y'.", _NOT_DONE),
    (rest, "InvalidRequestFormat/InvalidJson", "Could not find member 'a' on object of type 'B'.", _NOT_DONE),
    (
        typed,
        "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
        "Standard Public IPs must have zones configured.",
        _NOT_DONE,
    ),
    (
        typed,
        "ResourceAvailabilityZonesCannotBeModified",
        "Resource x has an existing availability zone constraint 1, 2, 3.",
        _FIXED,
    ),
    (rest, "ResourceNotFound", "The Resource 'Microsoft.Network/virtualNetworks/vnet-429' was not found.", _NOT_DONE),
    (
        typed,
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time is earlier than current UTC time.",
        "Azure refuses the sign-in",
    ),
    (
        rest,
        "InvalidAuthenticationTokenTenant",
        "The access token is from the wrong issuer 'x'.",
        "Azure refuses the sign-in",
    ),
]


_NOBODY = "nothing here signs in to Azure; sign in in one of the ways that docs/azure.md names and run this again"


@pytest.mark.parametrize(("printed", "codes", "message", "reason"), BODIES)
def test_the_innermost_error_is_said(printed: Callable[[Json], str], codes: str, message: str, reason: str) -> None:
    sentence = cloud_problem(printed(error(codes, message)), "Create the VNET", "azure-proxy")
    assert f"failed, since {reason}" in sentence.replace("Azure answers that ", "")
    said = message.removesuffix(_POLICIES)
    assert sentence.endswith(f" Azure says: {said} ({re.split('[/<]', codes)[-1]})")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            f"Authentication failed: {_REFUSED % '407 Proxy Authentication Required'}",
            "the network proxy on the way to Azure refuses the connection (407 Proxy Authentication Required); check HTTPS_PROXY",
        ),
        (
            f"ClientAuthenticationError: {_REFUSED % '403 Forbidden'}",
            "the network proxy on the way to Azure refuses the connection (403 Forbidden); check HTTPS_PROXY",
        ),
        (
            f"Authentication failed: {_REQUEST % 'NameResolutionError(x)'}",
            "Azure cannot be reached from here; check the name server, the firewall and HTTPS_PROXY",
        ),
        (
            f"Authentication failed: {_REQUEST % 'SSLError: CERTIFICATE_VERIFY_FAILED'}",
            "Azure's certificate is not trusted, as behind a proxy that looks into TLS; name its CA in REQUESTS_CA_BUNDLE",
        ),
        (
            "ClientSecretCredential authentication failed: AADSTS7000222: The provided keys are expired.",
            "Azure refuses the sign-in; check AZURE_CLIENT_ID",
        ),
        # Those of a machine without an identity, an account that did not run az login, no account at all, and a missing file.
        (
            "ManagedIdentityCredential authentication unavailable, no response from the IMDS endpoint: "
            "HTTPConnection(host='169.254.169.254', port=80): Failed to establish a new connection: [Errno 111] Connection refused",
            _NOBODY,
        ),
        ("Please run 'az login' to set up an account: Command '['/usr/bin/az', 'account']' returned 1.", _NOBODY),
        ("Failed to get credentials. Either pass as parameters, or log in with Azure CLI (`az login`).", _NOBODY),
        ("The specified OIDC token file does not exist: /var/run/token", _NOBODY),
    ],
)
def test_what_never_reached_azure_is_no_bad_sign_in(message: str, reason: str) -> None:
    assert f"failed, since {reason}" in cloud_problem(message, "Look for the resource group", "azure-proxy")


def test_a_cut_error_is_said_as_far_as_it_goes() -> None:
    """Modules cut long ones; what is left is no JSON."""
    cut = deployed(error("DeploymentFailed/Conflict<PropertyChangeNotAllowed", "Changing it is not allowed."))[:60]
    assert "Azure says: " in cloud_problem(cut, "Create", "azure-proxy")


@pytest.mark.parametrize(
    "result",
    [
        {"msg": "Out of capacity."},
        {"msg": "One or more items failed", "results": [{"msg": "ok"}, {"failed": True, "msg": "Out of capacity."}]},
        {"msg": "Out of capacity.", "results": [{"msg": "ok"}]},
    ],
)
def test_of_a_whole_result_the_first_item_that_failed_says_why(result: object) -> None:
    assert cloud_problem(result, "Create", "azure-proxy").endswith("Azure says: Out of capacity.")
