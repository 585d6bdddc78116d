# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run needs on the controller by what its inventory asks for. Private to this collection."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...module_utils._console.browser import chromium

Hosts = Mapping[str, Mapping[str, Any]]
"""What role_arguments returned, by host."""

_MOST = 3
"""So many names stand in one sentence."""


def missing(proxies: Hosts, sensors: Hosts, has: Callable[[str], bool] | None = None) -> list[str]:
    """Return what the controller lacks, one sentence each.

    Args:
        proxies: the variables of the role squid.
        sensors: those of the role sensor_proxy.
        has: whether the controller has a Python package, by its import's name, or ``chromium``; by default it is looked for.
    """
    found = has or _has
    browser = [
        name
        for name, given in sensors.items()
        if given.get("state") in ("present", "absent") and given.get("transport") == "browser"
    ]
    ufw = [
        name for name, given in proxies.items() if given.get("state") == "present" and given.get("firewall") == "ufw"
    ]
    other = "or set sensor_proxy_transport to http, or sensor_proxy_state to handoff"
    return [
        f"The controller lacks {what}, needed by {_some(hosts)}: {remedy}."
        for hosts, package, what, remedy in (
            (
                browser,
                "playwright",
                "the Python package playwright",
                f"{sys.executable} -m pip install playwright, {other}",
            ),
            (browser, "chromium", "Chromium", f"install chromium-headless-shell or chromium, {other}"),
            (
                ufw,
                "ansible_collections.community.general",
                "the collection community.general",
                "ansible-galaxy collection install community.general, or set squid_firewall to nftables",
            ),
        )
        if hosts and not found(package)
    ]


def _some(hosts: list[str]) -> str:
    more = f" and {len(hosts) - _MOST} more" if len(hosts) > _MOST else ""
    return f"{', '.join(hosts[:_MOST])}{more}"


def _has(package: str) -> bool:
    if package != "chromium":
        try:
            return importlib.util.find_spec(package) is not None
        except ModuleNotFoundError:
            return False
    own = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright"
    # Where it is 0, Playwright has its own within the package.
    return chromium.installed() is not None or own == "0" or any(Path(own).glob("chromium*"))
