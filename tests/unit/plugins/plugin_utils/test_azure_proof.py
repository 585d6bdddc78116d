# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an instance in Azure says of its proxy, and what a person reads of that."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.filter.azure_plan import azure_plan


def answer(printed: str) -> dict[str, Any]:
    """Return it as the REST reference shows it."""
    message = f"Enable succeeded: \n[stdout]\n{printed}\n\n[stderr]\n"
    return {"value": [{"code": "ProvisioningState/succeeded", "level": "Info", "message": message}]}


@pytest.mark.parametrize(
    ("response", "sure", "sentence"),
    [
        (answer("ot-proxy: CONNECT 200"), True, ""),
        # The end of an operation may have it elsewhere.
        ({"status": "Succeeded", "properties": {"output": answer("ot-proxy: CONNECT 200")}}, True, ""),
        # Of a wildcard nobody knows a name that there is.
        (answer("ot-proxy: CONNECT 503"), False, ""),
        (
            answer("ot-proxy: CONNECT 503"),
            True,
            "does not reach hub.example.net:443 (503); look into its /var/log/squid/cache.log",
        ),
        (
            answer("ot-proxy: CONNECT 403"),
            False,
            "refuses a CONNECT to hub.example.net:443 (403); look into its /var/log/squid/access.log",
        ),
        (
            answer("ot-proxy: CONNECT 000"),
            False,
            "on instance 0 no Squid answers; look for the reason in its /var/log/cloud-init-output.log",
        ),
        (answer(""), True, "instance 0 did not say whether its Squid works; an instance answers through Azure's agent"),
        (None, True, "did not say"),
        ("", True, "did not say"),
    ],
)
def test_an_answer_is_nothing_or_one_sentence(response: Any, sure: bool, sentence: str) -> None:
    plan = {"probe": {"endpoint": "hub.example.net", "sure": sure}}
    said = azure_plan(plan, "azure-proxy", asked="instance 0", answer=response)["mistakes"]
    assert [sentence in each and each.startswith("azure-proxy: ") for each in said] == [True] * bool(sentence)
