# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an instance in Azure said when it was asked by run-command, as a sentence. Private to this collection."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_CONNECT = re.compile(r"ot-proxy: CONNECT (\d{3})")
_NOTHING = "000"
"""What curl writes of a proxy that did not answer."""
_GATEWAY = ("500", "502", "503", "504")


def mistakes(host: str, plan: Mapping[str, Any], instance: str, answer: object) -> list[str]:
    """Return one sentence on why an instance is no proxy yet, nothing if it is one.

    Args:
        host: name of the proxy in the inventory.
        plan: what plan.plan_azure() returned. Of the ``probe`` that is a wildcard nobody is ``sure`` that there is such a name.
        instance: what it is called, with its scale set.
        answer: what Azure answered to prove-proxy.
    """
    problem = _problem(instance, answer, **plan["probe"])
    return [f"{host}: {problem}."] if problem else []


def _problem(instance: str, response: object, endpoint: str, sure: bool) -> str:
    found = _CONNECT.search(_text(response))
    if found is None:
        return (
            f"{instance} did not say whether its Squid works; an instance answers through Azure's agent, which needs TCP 443 out to "
            "Azure and may be at work on another command: look whether the instance has its way out, and run this again"
        )
    status = found[1]
    if status == "200" or (status in _GATEWAY and not sure):
        return ""
    if status == _NOTHING:
        return (
            f"on {instance} no Squid answers; look for the reason in its /var/log/cloud-init-output.log, where start-proxy says why, "
            "mend it, and run this again"
        )
    if status in _GATEWAY:
        return (
            f"the Squid of {instance} answers, and does not reach {endpoint}:443 ({status}); look into its /var/log/squid/cache.log, "
            "and whether NAT gateway, routes, firewalls, DNS and, if it has parents, the way to them let it through, and run this again"
        )
    return (
        f"the Squid of {instance} refuses a CONNECT to {endpoint}:443 ({status}); look into its /var/log/squid/access.log and "
        "/var/log/cloud-init-output.log, and run this again"
    )


def _text(response: Any) -> str:
    """The message lies where it does by the way that Azure reports the end; there is only one."""
    return json.dumps(response, default=str)
