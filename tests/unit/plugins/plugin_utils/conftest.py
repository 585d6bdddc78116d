# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories for the tests of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.topology import derive

Hosts = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="session")
def graph_of() -> Callable[..., Any]:
    """The graph of proxies, sensors and sites in other clouds, each given as host name to variables."""

    def graph(proxies: Hosts, sensors: Hosts | None = None, sites: Hosts | None = None) -> Any:
        sensors, sites = sensors or {}, sites or {}
        hostvars = {**proxies, **sensors, **sites}
        return derive(hostvars, list(proxies), list(sensors), cloud_sites=list(sites))

    return graph
