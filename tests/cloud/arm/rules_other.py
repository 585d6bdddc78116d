"""STAND-IN for Azure: what storage, monitoring and Log Analytics refuse."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.cloud.arm.exchange import Json
from tests.cloud.arm.rules_common import refuse
from tests.cloud.arm.store import Store

_LOGS = {
    "microsoft.network/networksecuritygroups": {"NetworkSecurityGroupEvent", "NetworkSecurityGroupRuleCounter"},
    "microsoft.network/loadbalancers": {"LoadBalancerHealthEvent"},
    "microsoft.network/virtualnetworkgateways": {
        f"{what}DiagnosticLog" for what in ("Gateway", "Tunnel", "Route", "IKE", "P2S")
    },
}
"""Log categories by type of resource, where a test needs them."""


def _check_account(document: Json, _store: Store, before: Json | None) -> None:
    name = document["name"]
    if not re.fullmatch(r"[a-z0-9]{3,24}", name):
        raise refuse(
            "AccountNameInvalid",
            f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length "
            "and use numbers and lower-case letters only.",
        )
    kind = document.get("kind")
    if kind in ("BlobStorage", "Storage") and before is None:
        # That it refuses since September 2026 is documented, its words are not.
        text = f"Storage accounts of kind {kind} are retired and cannot be created. Use StorageV2."
        raise refuse("BadRequest", text)
    if not document["sku"].get("name"):
        raise refuse("InvalidRequestPropertyName", "The property 'sku.name' is required.")


def _check_diagnostics(document: Json, store: Store, _before: Json | None) -> None:
    properties = document["properties"]
    workspace = str(properties.get("workspaceId") or "")
    sinks = [workspace, properties.get("storageAccountId"), properties.get("eventHubAuthorizationRuleId")]
    if not any(sinks):
        raise refuse("BadRequest", "At least one data sink needs to be specified.")
    for sink in sinks[:2]:
        if sink and store.find(sink) is None:
            raise refuse("ResourceNotFound", f"The resource {sink} was not found.")
    scope = str(document["id"]).rsplit("/providers/", 1)[0]
    kind = "/".join(scope.split("/")[6:8]).lower()
    for log in properties["logs"]:
        if (log.get("retentionPolicy") or {}).get("days"):
            text = "Diagnostic settings does not support retention for new diagnostic settings."
            raise refuse("BadRequest", text)
        category = log.get("category")
        if category and kind in _LOGS and category not in _LOGS[kind]:
            raise refuse("BadRequest", f"Category '{category}' is not supported.")
        if not category and log.get("categoryGroup") not in ("allLogs", "audit"):
            raise refuse("BadRequest", f"Category group '{log.get('categoryGroup')}' is not supported.")


def _check_workspace(document: Json, _store: Store, _before: Json | None) -> None:
    # learn.microsoft.com "Manage data retention in a Log Analytics workspace"; the code is not published.
    days = document["properties"]["retentionInDays"]
    if not 30 <= days <= 730:
        raise refuse("BadRequest", f"'RetentionInDays' property doesn't match the SKU limits: {days} is not in 30-730.")


CHECKS: dict[str, Callable[[Json, Store, Json | None], None]] = {
    "microsoft.operationalinsights/workspaces": _check_workspace,
    "microsoft.storage/storageaccounts": _check_account,
    "microsoft.insights/diagnosticsettings": _check_diagnostics,
}
