# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of the proxy in Azure: what is derived, and every mistake with its sentence."""

from __future__ import annotations

import base64
from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.filter.azure_plan import azure_plan
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import graph_file, topology
from hypothesis import example, given
from hypothesis import strategies as st

HOST = "azure-proxy"
SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
WORKSPACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/logs/providers/Microsoft.OperationalInsights/workspaces/logs"
NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/hub/providers/Microsoft.Network"
VNET = f"{NETWORK}/virtualNetworks/hub"
SUBNET = f"{VNET}/subnets/proxies"
IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
GALLERY = f"{IMAGES}/galleries/ours/images/squid"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ops"

UBUNTU = {
    "publisher": "Canonical",
    "offer": "0001-com-ubuntu-server-jammy",
    "sku": "22_04-lts-gen2",
    "version": "latest",
}


def rsa(bits: int) -> str:
    """Return a public key of that many bits; nobody has its other half."""
    fields = (b"ssh-rsa", b"\x01\x00\x01", (1 << bits - 1).to_bytes(bits // 8 + 1, "big"))
    data = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return f"ssh-rsa {base64.b64encode(data).decode()} ops"


SETTINGS: dict[str, Any] = {
    "state": "present",
    "subscription_id": SUBSCRIPTION,
    "resource_group": "ot-proxy",
    "resource_group_exists": False,
    "location": "West Europe",
    "location_is_new": False,
    "adopt": False,
    "replace": False,
    "vnet_id": "",
    "subnet_id": "",
    "gateway_id": "",
    "storage_account_id": "",
    "route_table_id": "",
    "name": HOST,
    "names": {},
    "tags": {"plant": "lab"},
    "zones": ["1", "2", "3"],
    "address_prefix": "10.60.0.0/26",
    "gateway_subnet": "",
    "proxy_subnet": "",
    "bastion_subnet": "",
    "bastion": False,
    "frontend_allocation": "static",
    "gateway": "vpn",
    "gateway_sku": "VpnGw1AZ",
    "site_address": "",
    "site_prefixes": [],
    "shared_key": "",
    "vm_size": "Standard_D2s_v5",
    # Text, as ansible-core before 2.19 leaves a number that went through a template.
    "capacity": "1",
    "overprovision": True,
    "automatic_os_upgrade": True,
    "image": UBUNTU,
    "admin_username": "azureuser",
    "ssh_public_keys": [KEY],
    "idle_timeout": "30",
    "workspace_id": "",
    "workspace_retention_days": 30,
    "storage_allowed_networks": [],
    "flow_log": "vnet",
    "flow_log_retention_days": "30",
    "traffic_analytics_interval": "10",
    "auth_enabled": False,
    "probed": ["hub.example.net"],
    "endpoints": ["hub.example.net", ".example.org"],
    "firewall": "none",
    "remote_syslog_host": "",
    "listen_addresses": [],
    "force": False,
    "protect": False,
    "hub_vnet_id": "",
    "hub_gateway": False,
    "gateway_active_active": False,
    "gateway_diagnostics": False,
    "package": "squid",
    "configuration": "http_port 3128\n# ünïcode: '[x]'\n",
    "files": [{"path": "/etc/squid/parents", "content": "one\n"}],
    "start": "#!/bin/sh\nset -eu\n",
}
SITE = {
    "gateway": "local_network",
    "site_address": "198.51.100.10",
    "site_prefixes": ["10.10.0.0/16"],
    "shared_key": "lab:shared.key#1",
}
NO_KEY = (
    "is not set, or is not 8 to 128 printable ASCII characters, of which Azure takes neither blanks nor '-' nor '~'"
)
PROXY: dict[str, Any] = {"squid_kind": "azure", "squid_addresses": ["10.60.0.40"]}
SENSORS: dict[str, Any] = {"sensor1": {"ansible_host": "10.10.0.1"}, "sensor2": {"ansible_host": "10.10.0.2"}}


def plan(
    settings: dict[str, Any] | None = None,
    proxy: dict[str, Any] | None = None,
    sensors: dict[str, Any] | None = None,
    cloud_sites: dict[str, Any] | None = None,
    others: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Plan the proxy of a small inventory."""
    hosts = {HOST: PROXY | (proxy or {}), **(others or {})}
    found = SENSORS if sensors is None else sensors
    sites = cloud_sites or {}
    hostvars = {**hosts, **found, **sites}
    graph = topology.derive(hostvars, list(hosts), list(found), cloud_sites=list(sites))
    assert graph["mistakes"] == []
    return azure_plan(SETTINGS | (settings or {}), HOST, topology={"file": graph_file.keep(graph)}, hostvars=hostvars)


def test_the_address_plan_is_derived() -> None:
    found = plan()
    assert found["mistakes"] == []
    assert found["prefixes"] == {
        "vnet": "10.60.0.0/26",
        "gateway_subnet": "10.60.0.0/27",
        "proxy_subnet": "10.60.0.32/27",
    }
    assert (found["frontend"], found["location"]) == ("10.60.0.40", "westeurope")
    wider = plan({"address_prefix": "10.60.0.0/25", "bastion": True})
    assert wider["mistakes"] == []
    assert wider["prefixes"]["bastion_subnet"] == "10.60.0.64/26"


@given(st.integers(0, 2**32 - 1), st.integers(8, 26), st.booleans())
@example(address=0xFFFFFFC0, bits=26, bastion=True)
def test_derived_subnets_lie_in_the_network_side_by_side(address: int, bits: int, bastion: bool) -> None:
    vnet = IPv4Network((address, bits), strict=False)
    found = plan({"address_prefix": str(vnet), "bastion": bastion, "frontend_allocation": "dynamic"}, sensors={})
    subnets = [IPv4Network(network) for key, network in found["prefixes"].items() if key != "vnet"]
    assert all(subnet.subnet_of(vnet) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))
    roomy = bits <= (25 if bastion else 26)
    assert (found["mistakes"] == []) == roomy


def test_the_rules_have_the_vendors_priorities() -> None:
    rules = {rule["priority"]: rule for rule in plan({"address_prefix": "10.60.0.0/25", "bastion": True})["rules"]}
    assert sorted(rules) == [100, 4094, 4095, 4096]
    assert rules[100]["source_address_prefix"] == ["10.10.0.1/32", "10.10.0.2/32"]
    assert rules[100]["destination_address_prefix"] == ["10.60.0.40/32", "10.60.0.32/27"]
    assert [rule["priority"] for rule in plan(sensors={})["rules"]] == [4095, 4096]


def test_with_a_dynamic_frontend_the_subnet_is_the_destination() -> None:
    found = plan({"frontend_allocation": "dynamic"}, {"squid_addresses": []})
    assert found["mistakes"] == []
    assert found["rules"][0]["destination_address_prefix"] == ["10.60.0.32/27"]


def test_the_scale_set_has_numbers_and_booleans_for_azure() -> None:
    body = plan()["scale_set"]
    assert body["sku"]["capacity"] == 1
    assert body["properties"]["overprovision"] is True
    profile = body["properties"]["virtualMachineProfile"]
    # Azure takes the word Standard only where a feature is registered; without any it is a standard one.
    assert "securityProfile" not in profile
    assert profile["osProfile"]["computerNamePrefix"] == "azureprox"
    assert profile["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"] == [
        {"path": "/home/azureuser/.ssh/authorized_keys", "keyData": KEY}
    ]


def test_the_storage_accounts_name_is_unique_and_stays() -> None:
    name = plan()["names"]["storage_account"]
    assert name == plan()["names"]["storage_account"] != plan({"resource_group": "other"})["names"]["storage_account"]
    assert len(name) <= 24
    assert plan({"names": {"storage_account": "otlogs1"}})["ids"]["storage_account"].endswith(
        "/storageAccounts/otlogs1"
    )


def test_each_kind_takes_its_longest_name() -> None:
    assert plan({"name": "p" * 58})["mistakes"] == []
    name = {"name": "plant_1." + "p" * 56}
    assert plan({**name, "names": {"workspace": "plant-1-logs"}})["mistakes"] == []
    # A workspace that is given is not made, so that it needs no name.
    assert plan({**name, "workspace_id": WORKSPACE})["mistakes"] == []


def lines(settings: dict[str, Any]) -> list[str]:
    return [" ".join(line.split()) for line in plan(settings)["summary"]]


def test_the_summary_says_what_would_be_created_and_by_what_it_is_billed() -> None:
    found = lines(SITE)
    assert found[:3] == [
        f"{HOST}, what it consists of and what becomes of it:",
        "WHAT NAME METERS",
        "resource group ot-proxy create westeurope",
    ]
    for words in (
        "subnet ProxyserverSubnet create 10.60.0.32/27",
        "scale set azure-proxy create 1 x Standard_D2s_v5 D2s v5, E4 LRS Disk",
        "virtual network gateway azure-proxy-gateway create VPN, VpnGw1AZ, takes about 40 minutes VpnGw1AZ",
        "connection azure-proxy-site create IPsec, IKEv2 S2S Connection",
    ):
        assert words in found, found
    assert not any(line.startswith("virtual network gateway") for line in lines({"gateway": "none"}))
    assert "Log Analytics workspace logs keep others', as azure_proxy_workspace_id says" in lines(
        {"workspace_id": WORKSPACE}
    )


def test_custom_data_is_what_cloud_init_reads() -> None:
    found = plan()
    assert found["custom_data"].startswith("#cloud-config\n")
    read = yaml.safe_load(found["custom_data"])
    assert read["packages"] == ["squid"]
    assert [(one["path"], one["permissions"], one.get("defer", False)) for one in read["write_files"]] == [
        ("/etc/squid/squid.conf", "0640", True),
        ("/etc/squid/parents", "0644", True),
        ("/usr/local/sbin/start-proxy", "0755", True),
        # Before the package, which would start Squid with its own configuration.
        ("/etc/systemd/system/squid.service.d/unproven.conf", "0644", False),
    ]
    assert read["write_files"][0]["content"] == SETTINGS["configuration"]
    changed = [plan(change)["configuration"] for change in ({"start": "#!/bin/sh\n"}, {"capacity": 2}, {})]
    assert [one == found["configuration"] for one in changed] == [False, False, True]


def test_a_probe_is_sure_if_it_is_a_name_of_the_inventory() -> None:
    assert plan()["probe"] == {"endpoint": "hub.example.net", "sure": True}
    assert plan({"probed": ["probe.example.org"]})["probe"] == {"endpoint": "probe.example.org", "sure": False}


@pytest.mark.parametrize(("subnet", "most"), [("10.60.0.32/29", 1), ("10.60.0.32/28", 5), ("10.60.0.32/27", 13)])
def test_a_subnet_has_room_for_twice_its_instances_beside_what_azure_keeps(subnet: str, most: int) -> None:
    given = {"proxy_subnet": subnet, "frontend_allocation": "dynamic"}
    assert plan({**given, "capacity": most}, sensors={})["mistakes"] == []
    (mistake,) = plan({**given, "capacity": most + 1}, sensors={})["mistakes"]
    assert f"'{subnet}' is too small for {most + 1} instances; it needs {2 * most + 3} addresses" in mistake


@pytest.mark.parametrize("number", [32, 33, 34, 35, 36, 62, 63])
def test_the_frontend_is_none_of_the_addresses_that_azure_keeps(number: int) -> None:
    mistakes = plan(proxy={"squid_addresses": [f"10.60.0.{number}"]})["mistakes"]
    assert bool(mistakes) == (number not in (36, 62))
    assert all("is kept by Azure in 10.60.0.32/27; use 10.60.0.36 to 10.60.0.62" in mistake for mistake in mistakes)


HUB = f"/subscriptions/{SUBSCRIPTION[:-1]}b/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub"

MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "two addresses for ExpressRoute": (
        {"gateway": "expressroute", "gateway_sku": "ErGw1AZ", "gateway_active_active": True},
        {},
        "azure_proxy_gateway_active_active 'True' is for a VPN gateway that this role builds",
    ),
    "logs of others' gateway": (
        {"gateway_id": f"{NETWORK}/virtualNetworkGateways/hub", "gateway_diagnostics": True},
        {},
        "azure_proxy_gateway_diagnostics 'True' is for a VPN gateway that this role builds",
    ),
    "gateway of no hub": (
        {"gateway": "none", "hub_gateway": True},
        {},
        "azure_proxy_hub_gateway 'True' needs azure_proxy_hub_vnet_id",
    ),
    "two gateways": (
        {"hub_vnet_id": HUB, "hub_gateway": True},
        {},
        "azure_proxy_hub_gateway 'True' needs azure_proxy_gateway 'none'",
    ),
    "hub of a hub": (
        {"gateway": "none", "vnet_id": VNET, "hub_vnet_id": HUB},
        {},
        "is for the VNET that this role builds; the peering of azure_proxy_vnet_id",
    ),
    "no hub": ({"hub_vnet_id": f"{HUB}/subnets/x"}, {}, "is not the id of a VNET"),
    "custom data": (
        {"configuration": "ü" * 32768},
        {},
        "bytes, and Azure takes 65535; set squid_acl_layout to combined",
    ),
    "no subscription": ({"subscription_id": ""}, {}, "azure_proxy_subscription_id is not set"),
    "no group": ({"resource_group": ""}, {}, "azure_proxy_resource_group is not set"),
    "no region": ({"location": ""}, {}, "azure_proxy_location is not set"),
    "no network": ({"address_prefix": ""}, {}, "azure_proxy_address_prefix is not set"),
    "subscription": ({"subscription_id": "mine"}, {}, "'mine' is not the number of a subscription"),
    "group": ({"resource_group": "a/b"}, {}, "azure_proxy_resource_group 'a/b' is not a name that Azure takes"),
    "network": ({"address_prefix": "10.60.0.1/26"}, {}, "'10.60.0.1/26' is not an IPv4 network such as"),
    "network too small": ({"address_prefix": "10.60.0.0/27"}, {}, "has no room for ProxyserverSubnet; a /26 is enough"),
    "subnet too small": ({"gateway_subnet": "10.60.0.0/28"}, {}, "is too small for GatewaySubnet, which needs a /27"),
    "subnet outside": ({"gateway_subnet": "10.61.0.0/27"}, {}, "'10.61.0.0/27' is not inside the VNET 10.60.0.0/26"),
    "subnets overlap": ({"proxy_subnet": "10.60.0.0/26"}, {}, "overlaps gateway_subnet 10.60.0.0/27"),
    "frontend outside": ({}, {"squid_addresses": ["10.60.0.5"]}, "squid_addresses '10.60.0.5' is not in proxy_subnet"),
    "frontend of Azure's": (
        {},
        {"squid_addresses": ["10.60.0.33"]},
        "is kept by Azure in 10.60.0.32/27; use 10.60.0.36",
    ),
    "frontend that is a name": ({}, {"squid_addresses": ["lb.example"]}, "squid_addresses 'lb.example' is not an IPv4"),
    "too many instances": ({"capacity": 20}, {}, "is too small for 20 instances; it needs 41 addresses"),
    "no instance": ({"capacity": 0}, {}, "azure_proxy_capacity '0' is not a number of instances from 1 to 100"),
    "no key": ({"ssh_public_keys": []}, {}, "azure_proxy_ssh_public_keys is empty"),
    "private key": ({"ssh_public_keys": ["-----BEGIN"]}, {}, "is not a public key of the type RSA or ED25519"),
    "fixed image": (
        {"image": {"version": "1.0"}},
        {},
        "'1.0' is a fixed version, and automatic_os_upgrade needs 'latest'",
    ),
    "managed image": ({"image": {"id": IMAGES + "/images/squid"}}, {}, "is not in a gallery, and automatic_os_upgrade"),
    "version of a gallery": (
        {"image": {"id": f"{GALLERY}/versions/1.0.0"}},
        {},
        "is a fixed version, and automatic_os_upgrade needs the image's id without /versions/",
    ),
    "image that is not upgraded": (
        {"image": {**UBUNTU, "offer": "ubuntu-24_04-lts", "sku": "server"}},
        {},
        "'Canonical:ubuntu-24_04-lts:server:latest' is an image that Azure does not upgrade by itself (as of May 2026)",
    ),
    "size of ARM64": (
        {"vm_size": "Standard_D2ps_v5"},
        {},
        "azure_proxy_vm_size 'Standard_D2ps_v5' is a size of ARM64, and the image 0001-com-ubuntu-server-jammy:22_04-lts-gen2 is for x64",
    ),
    "image of ARM64": (
        {"image": {**UBUNTU, "offer": "ubuntu-24_04-lts", "sku": "server-arm64"}},
        {},
        "'Standard_D2s_v5' is a size of x64, and the image ubuntu-24_04-lts:server-arm64 is for ARM64",
    ),
    "key that is cut off": ({"ssh_public_keys": [KEY[:40]]}, {}, "is not a whole public key; copy it again"),
    "key of another type": (
        {"ssh_public_keys": [KEY.replace("ssh-ed25519", "ssh-rsa")]},
        {},
        "is not a whole public key; copy it again",
    ),
    "short RSA key": (
        {"ssh_public_keys": [rsa(1024)]},
        {},
        "is an RSA key of 1024 bits, and Azure takes 2048 at least",
    ),
    "misspelt region": (
        {"location": "westeurop"},
        {},
        "none of the regions that Azure had in March 2026; perhaps westeurope",
    ),
    "unknown region": ({"location": "Mars"}, {}, "(a newer one needs azure_proxy_location_is_new: true)"),
    "zones where there are none": (
        {"location": "westus"},
        {},
        "azure_proxy_zones '1, 2, 3' are zones, which the region westus does not have; set it to []",
    ),
    "long retention": ({"workspace_retention_days": 9999}, {}, "'9999' is not a number from 30 to 730"),
    "tag with a slash": ({"tags": {"cost/centre": "1"}}, {}, "azure_proxy_tags 'cost/centre' has a character that"),
    "tag of Azure's": ({"tags": {"AzureOwner": "1"}}, {}, "begins with a word that Azure keeps for itself"),
    "tag of the role": ({"tags": {"OT-proxy-chaining": "1"}}, {}, "is a tag of the role itself, or named twice"),
    "tag twice": ({"tags": {"plant": "1", "Plant": "2"}}, {}, "'Plant' is a tag of the role itself, or named twice"),
    "long tag": ({"tags": {"plant": "x" * 257}}, {}, "is too long; a name has 128 characters at most, its value 256"),
    "many tags": ({"tags": {f"t{number}": "" for number in range(49)}}, {}, "'49 tags' are too many; Azure takes 50"),
    "key that is no ASCII": (SITE | {"shared_key": "schlüssel"}, {}, f"azure_proxy_shared_key {NO_KEY}"),
    "key with a blank": (SITE | {"shared_key": "lab key 1"}, {}, f"azure_proxy_shared_key {NO_KEY}"),
    "key with a hyphen": (SITE | {"shared_key": "lab-key-1"}, {}, f"azure_proxy_shared_key {NO_KEY}"),
    "VNET by its name": (
        {"vnet_id": "hub"},
        {},
        "azure_proxy_vnet_id 'hub' is not the id of a VNET, which is /subscriptions/",
    ),
    "subnet for a VNET": ({"vnet_id": SUBNET}, {}, f"azure_proxy_vnet_id '{SUBNET}' is not the id of a VNET"),
    "VNET of another subscription": (
        {"vnet_id": VNET.replace(SUBSCRIPTION, SUBSCRIPTION[:-1] + "b")},
        {},
        "is in another subscription than azure_proxy_subscription_id",
    ),
    "subnet without its network": (
        {"subnet_id": SUBNET, "gateway": "none"},
        {},
        "azure_proxy_proxy_subnet is not set, and azure_proxy_subnet_id needs the network that it has",
    ),
    "VNET and subnet": ({"vnet_id": VNET, "subnet_id": SUBNET}, {}, "is the VNET of azure_proxy_subnet_id already"),
    "gateway beside a subnet": (
        {"subnet_id": SUBNET, "proxy_subnet": "10.60.0.32/27"},
        {},
        "azure_proxy_gateway 'vpn' cannot be built in the VNET of azure_proxy_subnet_id",
    ),
    "route table for a subnet of others": (
        {"subnet_id": SUBNET, "route_table_id": f"{NETWORK}/routeTables/to-firewall"},
        {},
        "cannot be given to azure_proxy_subnet_id, which stays as it is",
    ),
    "unknown name": ({"names": {"vpn": "x"}}, {}, "azure_proxy_names 'vpn' is not the name of a resource; known are"),
    "host for a workspace": (
        {"name": "plant_1.proxy"},
        {},
        "'plant_1.proxy-logs' is not a name that Azure takes for workspace, which has 4 to 63 letters, digits and '-'; "
        "give it another by the key workspace",
    ),
    "long workspace": ({"name": "p" * 59}, {}, "for workspace, which has 4 to 63 letters"),
    "long scale set": ({"name": "p" * 65}, {}, "for scale_set, which has 1 to 64 letters, digits, '.', '_' and '-'"),
    "short network": ({"names": {"vnet": "v"}}, {}, "for vnet, which has 2 to 64 letters"),
    "long load balancer": ({"names": {"load_balancer": "b" * 81}}, {}, "for load_balancer, which has 1 to 80 letters"),
    "blank in a name": ({"names": {"site": "my site"}}, {}, "'my site' is not a name that Azure takes for site"),
    "storage name": ({"names": {"storage_account": "Ot-Logs"}}, {}, "3 to 24 lower case letters and digits"),
    "TLS": ({}, {"squid_tls_port": 3129}, "squid_tls_port '3129' cannot be had in Azure"),
    "sign-in": ({"auth_enabled": True}, {}, "squid_auth_enabled 'True' cannot be had in Azure"),
    "parent's sign-in": (
        {},
        {"squid_parents": [{"host": "proxy.corp.example", "port": 8080, "username": "u", "password": "p"}]},
        "squid_parents 'proxy.corp.example' wants a sign-in, which cannot be had in Azure",
    ),
    "parent's CA": (
        {},
        {"squid_parents": [{"host": "proxy.corp.example", "port": 8443, "tls": True, "tls_ca": "/etc/ssl/corp.pem"}]},
        "squid_parents 'proxy.corp.example' has a tls_ca, which cannot be had in Azure",
    ),
    "syslog": (
        {"remote_syslog_host": "10.10.0.9"},
        {},
        "squid_remote_syslog_host '10.10.0.9' cannot be had in Azure",
    ),
    "listening": (
        {"listen_addresses": ["10.60.0.40"]},
        {},
        "squid_listen_addresses '10.60.0.40' cannot be had in Azure",
    ),
    "firewall": ({"firewall": "ufw"}, {}, "squid_firewall 'ufw' is done by the security group in Azure"),
    "gateway of the other kind": (
        {"gateway": "expressroute"},
        {},
        "azure_proxy_gateway_sku 'VpnGw1AZ' is no size of azure_proxy_gateway 'expressroute', which has ErGw1AZ, ErGw2AZ,",
    ),
    "gateway of no size": (
        {"gateway_sku": "VpnGw9"},
        {},
        "'VpnGw9' is no size of azure_proxy_gateway 'vpn', which has",
    ),
    "storage for a host": (
        {"storage_allowed_networks": ["198.51.100.7/32"]},
        {},
        "'198.51.100.7/32' is too small for a network that Azure takes; give single addresses without a suffix",
    ),
    "storage for two": ({"storage_allowed_networks": ["198.51.100.6/31"]}, {}, "'198.51.100.6/31' is too small for a"),
    "storage for the site": (
        {"storage_allowed_networks": ["10.0.0.0/8"]},
        {},
        "'10.0.0.0/8' is private, and Azure lets",
    ),
    "storage for nobody": ({"storage_allowed_networks": ["us"]}, {}, "'us' is not a public IPv4 address or network"),
    "storage as text": (
        {"storage_allowed_networks": "198.51.100.7, 198.51.100.8"},
        {},
        "azure_proxy_storage_allowed_networks '198.51.100.7, 198.51.100.8' is text; write a list",
    ),
    "workspace's name": ({"workspace_id": "logs"}, {}, "azure_proxy_workspace_id 'logs' is not the id of a workspace"),
    "short timeout": ({"idle_timeout": 3}, {}, "azure_proxy_idle_timeout '3' is not a number from 4 to 100"),
    "long timeout": ({"idle_timeout": "101"}, {}, "azure_proxy_idle_timeout '101' is not a number from 4 to 100"),
    "short retention": (
        {"workspace_retention_days": 7},
        {},
        "azure_proxy_workspace_retention_days '7' is not a number from 30 to 730",
    ),
    "unknown zone": ({"zones": ["1", "4"]}, {}, "azure_proxy_zones '4' is none of Azure's zones 1, 2 and 3"),
    "zone twice": ({"zones": ["1", 1]}, {}, "azure_proxy_zones '1' is named twice"),
    "reserved user": ({"admin_username": "Admin"}, {}, "azure_proxy_admin_username 'Admin' is not a user that Azure"),
    "user with a blank": ({"admin_username": "plant a"}, {}, "'plant a' is not a user that Azure makes"),
    "no VPN key": (SITE | {"shared_key": ""}, {}, f"azure_proxy_shared_key {NO_KEY}"),
    "no site": (SITE | {"site_prefixes": []}, {}, "azure_proxy_site_prefixes is empty"),
    "no device": (
        SITE | {"site_address": "vpn.example"},
        {},
        "'vpn.example' is not the IPv4 address of the site's VPN",
    ),
    "sensor elsewhere": (SITE | {"site_prefixes": ["10.20.0.0/16"]}, {}, "has no network with 10.10.0.1, a client of"),
    "site is the VNET": (SITE | {"site_prefixes": ["10.0.0.0/8"]}, {}, "'10.0.0.0/8' overlaps the VNET 10.60.0.0/26"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_has_its_sentence(name: str) -> None:
    settings, proxy, sentence = MISTAKES[name]
    mistakes = plan(settings, proxy)["mistakes"]
    assert any(sentence in mistake for mistake in mistakes), mistakes
    assert all(mistake.startswith(f"{HOST}: ") and mistake.endswith(".") for mistake in mistakes)


def test_values_at_the_edge_are_taken() -> None:
    edge = {
        "idle_timeout": 100,
        "workspace_retention_days": "730",
        "zones": [],
        "storage_allowed_networks": ["198.51.100.7", "198.51.100.0/30"],
        "workspace_id": WORKSPACE.replace("resourceGroups", "resourcegroups"),
    }
    assert plan(edge)["mistakes"] == []
    assert plan({"workspace_id": WORKSPACE, "workspace_retention_days": 7})["mistakes"] == []
    assert plan({"gateway": "none", "gateway_sku": ""})["mistakes"] == []
    assert plan({"zones": [1, 2]})["scale_set"]["zones"] == ["1", "2"]


@pytest.mark.parametrize(
    "settings",
    [
        {"image": {"id": GALLERY}},
        {"image": {"id": f"{GALLERY}/versions/latest"}},
        {"image": {"communityGalleryImageId": "/communityGalleries/ours-1/images/squid"}},
        {"image": {**UBUNTU, "offer": "ubuntu-24_04-lts", "sku": "server-arm64"}, "vm_size": "Standard_D2pds_v6"},
        {"image": {**UBUNTU, "offer": "ubuntu-24_04-lts", "sku": "server"}, "automatic_os_upgrade": False},
        {"image": {"id": f"{IMAGES}/images/squid"}, "automatic_os_upgrade": False},
        {"ssh_public_keys": [rsa(2048)]},
        {"location": "Mars Central", "location_is_new": True},
        {"location": "usgovvirginia"},
        {"location": "westus", "zones": []},
        {"tags": {f"t{number}": number for number in range(48)}},
        {"subnet_id": SUBNET, "proxy_subnet": "10.60.0.32/27", "gateway": "none", "address_prefix": ""},
        {"vnet_id": VNET, "route_table_id": f"{NETWORK}/routeTables/to-firewall"},
    ],
)
def test_what_azure_takes_is_no_mistake(settings: dict[str, Any]) -> None:
    assert plan(settings)["mistakes"] == []


@pytest.mark.parametrize(
    ("zones", "location", "address", "gateway"),
    [
        (["1", "2", "3"], "westeurope", ["1", "2", "3"], ["1", "2", "3"]),
        # Asked for two, Azure gives three, and refuses two from then on.
        (["1", "2"], "westeurope", ["1", "2", "3"], ["1", "2", "3"]),
        (["2"], "westeurope", ["2"], ["2"]),
        # A gateway's address must have zones where there are some.
        ([], "westeurope", [], ["1", "2", "3"]),
        ([], "westus", [], []),
    ],
)
def test_zones_of_addresses(zones: list[str], location: str, address: list[str], gateway: list[str]) -> None:
    found = plan({"zones": zones, "location": location})
    assert found["mistakes"] == []
    assert found["zones"] == {"nat_address": address, "frontend": address, "gateway_address": gateway}
    assert found["scale_set"]["zones"] == zones


def test_an_expressroute_gateway_has_no_address_of_ours() -> None:
    found = plan({"gateway": "expressroute", "gateway_sku": "ErGw1AZ"})
    assert "gateway" in found["wanted"]
    assert "gateway_address" not in found["wanted"]
    (configuration,) = found["gateway"]["properties"]["ipConfigurations"]
    assert "publicIPAddress" not in configuration["properties"]
    assert "azure-proxy-gateway-ip" not in " ".join(found["summary"])


@pytest.mark.parametrize("variable", ["site_prefixes", "ssh_public_keys", "storage_allowed_networks", "zones"])
def test_text_instead_of_a_list_is_one_sentence(variable: str) -> None:
    mistakes = plan(SITE | {"site_prefixes": [], variable: "what, else"})["mistakes"]
    assert len([mistake for mistake in mistakes if f"azure_proxy_{variable} 'what, else' is text" in mistake]) == 1
    assert len(mistakes) <= 3, mistakes


def test_networks_are_sent_as_azure_shows_them() -> None:
    """Otherwise each run would find a difference."""
    found = plan(SITE | {"site_prefixes": ["10.10.0.1", "10.10.0.0/255.255.0.0"]})
    assert found["site_prefixes"] == ["10.10.0.1/32", "10.10.0.0/16"]
    storage = plan({"storage_allowed_networks": ["198.51.100.7", "198.51.100.0/255.255.255.0"]})["storage_rules"]
    assert [rule["value"] for rule in storage] == ["198.51.100.7", "198.51.100.0/24"]


@pytest.mark.parametrize(
    ("gateway", "size", "generation"),
    [
        ("vpn", "VpnGw1AZ", "Generation1"),
        ("vpn", "VpnGw3AZ", "Generation1"),
        ("vpn", "VpnGw4AZ", "Generation2"),
        ("local_network", "VpnGw5AZ", "Generation2"),
        ("expressroute", "ErGw1AZ", None),
    ],
)
def test_a_large_vpn_gateway_is_of_the_second_generation(gateway: str, size: str, generation: str | None) -> None:
    found = plan({**SITE, "gateway": gateway, "gateway_sku": size})
    assert found["mistakes"] == []
    assert found["gateway"]["properties"].get("vpnGatewayGeneration") == generation


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("10.60.0.50", "the address 10.60.0.50 of a client lies in the VNET 10.60.0.0/26"),
        ("2001:db8::1", "its client sensor1 has no IPv4 address, and the VNET has no IPv6"),
    ],
)
def test_a_client_that_cannot_be_answered(address: str, sentence: str) -> None:
    assert any(sentence in mistake for mistake in plan(sensors={"sensor1": {"ansible_host": address}})["mistakes"])


def test_a_client_behind_the_tunnel_of_another_site_is_not_behind_this_sites_device() -> None:
    sensors = SENSORS | {"sensor3": {"ansible_host": "10.20.0.1"}}
    site = {"multicloud_cloud": "aws", "multicloud_proxy": HOST, "multicloud_prefixes": ["10.20.0.0/16"]}
    assert plan(SITE, sensors=sensors, cloud_sites={"aws-plant": site})["mistakes"] == []
    assert "10.20.0.1, a client" in plan(SITE, sensors=sensors)["mistakes"][0]


@pytest.mark.parametrize(
    "name", ["no subscription", "no group", "no region", "subscription", "group", "unknown name", "VNET by its name"]
)
def test_what_says_where_it_is_must_be_right_to_remove_it(name: str) -> None:
    """An id of nothing is not there, which would look like success."""
    settings, _proxy, sentence = MISTAKES[name]
    mistakes = plan({"state": "absent", **settings})["mistakes"]
    assert [mistake for mistake in mistakes if sentence in mistake], mistakes


def test_what_is_built_only_does_not_keep_it_from_being_removed() -> None:
    wrong = {"ssh_public_keys": [], "address_prefix": "", "capacity": 0, "gateway": "local_network", "firewall": "ufw"}
    assert plan({"state": "absent", **wrong})["mistakes"] == []


def test_what_is_protected_is_not_removed() -> None:
    assert plan({"protect": True})["mistakes"] == []
    assert plan({"state": "absent", "protect": True})["mistakes"] == [
        f"{HOST}: azure_proxy_protect is set, so that it is not removed; set it to false in the inventory first."
    ]


def test_an_active_active_gateway_has_two_addresses() -> None:
    found = plan({"gateway_active_active": True})
    properties = found["gateway"]["properties"]
    ends = [one["properties"]["publicIPAddress"]["id"] for one in properties["ipConfigurations"]]
    assert (properties["activeActive"], ends) == (
        True,
        [found["ids"]["gateway_address"], found["ids"]["gateway_address_2"]],
    )
    assert "gateway_address_2" in found["wanted"]
    assert "activeActive" not in plan()["gateway"]["properties"]


SENSORS_OF_ONE: dict[str, Any] = {"sensor1": {"ansible_host": "10.10.0.1", "sensor_proxy_via": HOST}}
SECOND: dict[str, Any] = {
    "squid_kind": "azure",
    "squid_addresses": ["10.61.0.40"],
    "azure_proxy_subscription_id": SUBSCRIPTION.upper(),
    "azure_proxy_resource_group": "OT-proxy",
}


def test_two_proxies_do_not_share_a_network() -> None:
    """Each run would take the other's prefix away."""
    mistakes = plan(sensors=SENSORS_OF_ONE, others={"second": SECOND})["mistakes"]
    assert mistakes == [
        "azure-proxy: azure_proxy_names 'MD4IoT-VNET' is the VNET of second too, in the same resource group 'ot-proxy'; "
        "give one of them another by the key vnet, or a resource group of its own."
    ]
    alike: dict[str, Any] = {key: value for key, value in SECOND.items() if key != "azure_proxy_subscription_id"}
    assert len(plan(sensors=SENSORS_OF_ONE, others={"second": alike})["mistakes"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"azure_proxy_resource_group": "other"},
        {"azure_proxy_names": {"vnet": "second-vnet"}},
        {"azure_proxy_subscription_id": SUBSCRIPTION[:-1] + "b"},
        {"squid_kind": "host"},
    ],
)
def test_another_proxy_elsewhere_is_no_mistake(change: dict[str, Any]) -> None:
    assert plan(sensors=SENSORS_OF_ONE, others={"second": SECOND | change})["mistakes"] == []


def test_all_mistakes_are_told_together() -> None:
    mistakes = plan({"location": "", "ssh_public_keys": [], "address_prefix": "10.60.0.0/28"})["mistakes"]
    assert len(mistakes) >= 3
