# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stand-in for Azure for a whole file of tests, emptied before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud.arm.service import Service

from .client import ADDRESS, BALANCER, GROUP, NAT, NET, SECURITY, Azure, balancer, network, ref, rule, subnet


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """Start it and stop it."""
    service = Service(tmp_path_factory.mktemp("arm"), seconds=0.005)
    yield Azure(service.start())
    service.stop()


@pytest.fixture
def azure(running: Azure) -> Azure:
    """Return an empty subscription with one resource group."""
    running.control("POST", "/reset")
    running.put(GROUP)
    return running


@pytest.fixture
def site(azure: Azure) -> Azure:
    """Return one with a network, its security group, a NAT gateway and a load balancer."""
    azure.put(SECURITY, {"securityRules": [rule("deny", 4096)]})
    azure.put(ADDRESS, {"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"})
    azure.put(NAT, {"publicIpAddresses": [ref(ADDRESS)]}, sku={"name": "Standard"})
    links = {"networkSecurityGroup": ref(SECURITY), "natGateway": ref(NAT)}
    azure.put(NET, network(subnet("proxies", "10.0.0.0/27", **links), subnet("GatewaySubnet", "10.0.0.32/27")))
    azure.put(BALANCER, balancer(), sku={"name": "Standard"})
    return azure
