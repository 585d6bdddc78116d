# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cloud's modules say when a call fails, as one sentence; those of Azure are from real runs."""

from __future__ import annotations

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.filter.cloud_problem import cloud_problem

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


def test_a_long_message_is_cut() -> None:
    assert len(cloud_problem("x" * 5000, "Create", "azure-proxy")) < 700


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
    ("google.cloud.gcp_compute_route", "Quota exceeded"): "Google did not do it; mend what it says",
}


@pytest.mark.parametrize(("action", "message"), OTHERS)
def test_the_other_clouds_have_their_own_words(action: str, message: str) -> None:
    assert OTHERS[action, message] in cloud_problem(message, "Create", "aws-plant", action)


def test_a_sentence_of_ours_needs_no_other() -> None:
    ours = "aws-plant: multicloud_aws_vpc is not there."
    assert cloud_problem(ours, "Refuse it", "aws-plant", "ansible.builtin.assert") == ours
