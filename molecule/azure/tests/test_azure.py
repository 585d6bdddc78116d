"""The role azure_proxy from nothing to nothing, against a stand-in for Azure; the order of the tests is the story.

The modules are the real ones. What they send is compared with the vendor's seven steps, cell by cell; what an instance is given
is validated and run by the real cloud-init, and ends in a real Squid.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab
import pytest
from azure_lab import ENDPOINT, KEY, PROXY, Azure, Json

INSTANCES = ("ot-azure-instance-1", "ot-azure-instance-2")
SENSOR, STRANGER = "ot-azure-sensor1", "ot-azure-stranger"
SECOND: Json = {"all": {"children": {"sensors": {"hosts": {"sensor2": {"sensor_proxy_src": "10.106.0.2"}}}}}}
SECOND["all"]["children"]["sensors"]["hosts"]["sensor2"]["sensor_proxy_via"] = PROXY
NEXT_KEY = "next:shared.key#2"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    stand_in = Azure(tmp_path_factory.mktemp("azure"))
    yield stand_in
    violations = stand_in.violations()
    stand_in.stop()
    assert violations == []


def changed(run: Any) -> int:
    """How many tasks changed something."""
    found: int = run.changed(PROXY)
    return found


# Before anything is there ---------------------------------------------------------------------------------------


def test_a_plan_needs_no_account(azure: Azure) -> None:
    azure.faults({"kind": "wrong_secret"})
    run = azure.run("--tags", "plan")
    azure.faults()
    assert run.code == 0, run.output
    for words in (
        "since Azure refuses the sign-in",
        "So this is the plan as if nothing of it were there.",
        "virtual network MD4IoT-VNET create 10.60.0.0/25",
        "scale set azure-proxy create 1 x Standard_D2s_v5 D2s v5, E4 LRS Disk",
    ):
        assert words in run.text, run.output
    assert azure.sent() == []


MISTAKES = {
    "azure_proxy_location": ("", "azure_proxy_location is not set"),
    "azure_proxy_address_prefix": ("10.60.0.0/27", "azure_proxy_address_prefix '10.60.0.0/27' has no room for"),
    "azure_proxy_site_prefixes": (["10.60.0.0/16"], "overlaps the VNET 10.60.0.0/27"),
    "azure_proxy_ssh_public_keys": ([], "azure_proxy_ssh_public_keys is empty"),
}


def test_every_mistake_is_told_before_the_first_call(azure: Azure) -> None:
    wrong: Json = {name: value for name, (value, _sentence) in MISTAKES.items()}
    run = azure.run(key="", change={"all": {"children": {"proxies": {"hosts": {PROXY: wrong}}}}})
    assert run.code != 0
    for sentence in (*(sentence for _value, sentence in MISTAKES.values()), "azure_proxy_shared_key is not set"):
        assert sentence in run.text, run.output
    assert azure.sent() == []


def test_what_is_nowhere_is_not_taken_for_removed(azure: Azure) -> None:
    nowhere: Json = {"azure_proxy_resource_group": ""}
    change: Json = {"all": {"children": {"proxies": {"hosts": {PROXY: nowhere}}}}}
    run = azure.run("--tags", "plan", "-e", "azure_proxy_state=absent", change=change)
    assert run.code != 0
    assert "nothing was removed." in run.text
    assert "azure_proxy_resource_group is not set" in run.text, run.output


def test_check_mode_on_an_empty_subscription(azure: Azure) -> None:
    run = azure.run("--check")
    assert run.code == 0, run.output
    assert changed(run) == 1
    assert "scale set azure-proxy create" in run.text
    assert azure.written() == []


# What goes wrong, each time one sentence, and the next run goes on ---------------------------------------------------

FAULTS: list[tuple[Json, str]] = [
    (
        {"kind": "wrong_secret"},
        "azure-proxy: 'See what is there' failed, since Azure refuses the sign-in; check AZURE_CLIENT_ID",
    ),
    (
        {"kind": "forbidden", "path": "resourceGroups/ot-proxy/", "method": "GET"},
        "'See what is there' failed, since the account may not do this (Microsoft.Resources/",
    ),
    (
        {"kind": "throttled", "path": "resourceGroups/ot-proxy/", "times": 9, "seconds": 1},
        "'See what is there' failed, since Azure answers that there were too many calls; wait some minutes",
    ),
    (
        {
            "kind": "failed_operation",
            "path": "natGateways/azure-proxy-nat$",
            "message": "Out of capacity.",
            "code": "NoRoom",
        },
        "'Create the NAT gateway' failed, since Azure did not do it; mend what it says",
    ),
]


@pytest.mark.parametrize(("fault", "sentence"), FAULTS, ids=[str(fault["kind"]) for fault, _sentence in FAULTS])
def test_a_fault_is_one_sentence(azure: Azure, fault: Json, sentence: str) -> None:
    azure.faults(fault)
    try:
        run = azure.run()
    finally:
        azure.faults()
    assert run.code != 0
    assert sentence in run.text, run.output
    assert "run this again, which goes on where it stopped" in run.text


# There it is --------------------------------------------------------------------------------------------------------


def test_the_next_run_repairs_and_builds_the_rest(azure: Azure) -> None:
    run = azure.run("-vvv")
    assert run.code == 0, run.output
    assert "azure-proxy is at 10.60.0.40:3128." in run.text
    # A deployment is history, and a failed one stays.
    there = [one for one in azure.resources() if "/deployments/" not in one["id"]]
    states = {one["id"]: (one.get("properties") or {}).get("provisioningState") for one in there}
    assert set(states.values()) <= {"Succeeded", None}, states
    for secret in (KEY, "stand-in-secret"):
        assert secret not in run.output
    # Its one instance was asked for a CONNECT when all the rest was there, since the way to a parent may be a part of it.
    proofs = [one for one in azure.sent("POST") if one["path"].endswith("/virtualMachines/0/runCommand")]
    assert [one["body"]["script"][0] for one in proofs] == [f"set -- {ENDPOINT} 3128"]
    (scale_set,) = azure.find("virtualMachineScaleSets")
    assert re.fullmatch("[0-9a-f]{64}", scale_set["tags"]["configuration"])


def at(body: Any, path: str) -> Any:
    """Follow a path such as ``properties.rules[0].name``; None where it leads nowhere."""
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(body, list):
            body = body[int(part)] if int(part) < len(body) else None
        else:
            body = body.get(part) if isinstance(body, dict) else None
    return body


# Step of the vendor's page, resource, where in it, what.
TABLE: list[tuple[str, str, str, str, Any]] = [
    ("0", "resourceGroups", "ot-proxy", "location", "westeurope"),
    ("0", "resourceGroups", "ot-proxy", "tags.plant", "lab"),
    ("0", "workspaces", "azure-proxy-logs", "properties.sku.name", "PerGB2018"),
    ("1", "storageAccounts", "*", "sku.name", "Standard_LRS"),
    ("1", "storageAccounts", "*", "kind", "StorageV2"),
    ("1", "storageAccounts", "*", "properties.publicNetworkAccess", "Enabled"),
    ("2", "virtualNetworks", "MD4IoT-VNET", "properties.addressSpace.addressPrefixes", ["10.60.0.0/25"]),
    ("2", "subnets", "GatewaySubnet", "properties.addressPrefix", "10.60.0.0/27"),
    ("2", "subnets", "ProxyserverSubnet", "properties.addressPrefix", "10.60.0.32/27"),
    ("2", "subnets", "ProxyserverSubnet", "properties.defaultOutboundAccess", False),
    ("2", "subnets", "AzureBastionSubnet", "properties.addressPrefix", "10.60.0.64/26"),
    ("3", "virtualNetworkGateways", "azure-proxy-gateway", "properties.gatewayType", "Vpn"),
    ("3", "virtualNetworkGateways", "azure-proxy-gateway", "properties.vpnType", "RouteBased"),
    ("3", "virtualNetworkGateways", "azure-proxy-gateway", "properties.sku.name", "VpnGw1AZ"),
    ("3", "virtualNetworkGateways", "azure-proxy-gateway", "properties.activeActive", True),
    ("3", "publicIPAddresses", "azure-proxy-gateway-ip-2", "zones", ["1", "2", "3"]),
    ("3", "localNetworkGateways", "azure-proxy-site", "properties.gatewayIpAddress", "198.51.100.10"),
    (
        "3",
        "localNetworkGateways",
        "azure-proxy-site",
        "properties.localNetworkAddressSpace.addressPrefixes",
        ["10.106.0.0/24"],
    ),
    ("3", "connections", "azure-proxy-site", "properties.connectionType", "IPsec"),
    ("3", "connections", "azure-proxy-site", "properties.sharedKey", KEY),
    ("5", "virtualMachineScaleSets", PROXY, "sku", {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 1}),
    ("5", "virtualMachineScaleSets", PROXY, "zones", ["1", "2", "3"]),
    ("5", "virtualMachineScaleSets", PROXY, "identity", None),
    ("5", "virtualMachineScaleSets", PROXY, "properties.orchestrationMode", "Uniform"),
    ("5", "virtualMachineScaleSets", PROXY, "properties.overprovision", True),
    ("5", "virtualMachineScaleSets", PROXY, "properties.platformFaultDomainCount", 1),
    ("5", "virtualMachineScaleSets", PROXY, "properties.upgradePolicy.mode", "Automatic"),
    (
        "5",
        "virtualMachineScaleSets",
        PROXY,
        "properties.upgradePolicy.automaticOSUpgradePolicy.enableAutomaticOSUpgrade",
        True,
    ),
    # None is sent: that is standard security.
    ("5", "virtualMachineScaleSets", PROXY, "properties.virtualMachineProfile.securityProfile", None),
    (
        "5",
        "virtualMachineScaleSets",
        PROXY,
        "properties.virtualMachineProfile.diagnosticsProfile.bootDiagnostics.enabled",
        False,
    ),
    (
        "5",
        "virtualMachineScaleSets",
        PROXY,
        "properties.virtualMachineProfile.storageProfile.imageReference",
        {
            "publisher": "Canonical",
            "offer": "0001-com-ubuntu-server-jammy",
            "sku": "22_04-lts-gen2",
            "version": "latest",
        },
    ),
    ("6", "loadBalancers", "azure-proxy-lb", "sku.name", "Standard"),
    ("6", "loadBalancers", "azure-proxy-lb", "properties.frontendIPConfigurations[0].zones", ["1", "2", "3"]),
    (
        "6",
        "loadBalancers",
        "azure-proxy-lb",
        "properties.frontendIPConfigurations[0].properties.privateIPAddress",
        "10.60.0.40",
    ),
    (
        "6",
        "loadBalancers",
        "azure-proxy-lb",
        "properties.frontendIPConfigurations[0].properties.privateIPAllocationMethod",
        "Static",
    ),
    ("6", "loadBalancers", "azure-proxy-lb", "properties.loadBalancingRules[0].properties.frontendPort", 3128),
    ("6", "loadBalancers", "azure-proxy-lb", "properties.loadBalancingRules[0].properties.backendPort", 3128),
    ("6", "loadBalancers", "azure-proxy-lb", "properties.loadBalancingRules[0].properties.idleTimeoutInMinutes", 30),
    ("6", "loadBalancers", "azure-proxy-lb", "properties.loadBalancingRules[0].properties.enableTcpReset", True),
    ("6", "loadBalancers", "azure-proxy-lb", "properties.probes[0].properties.protocol", "Tcp"),
    ("6", "loadBalancers", "azure-proxy-lb", "properties.probes[0].properties.port", 3128),
    ("7", "natGateways", "azure-proxy-nat", "sku.name", "Standard"),
    ("7", "publicIPAddresses", "azure-proxy-nat-ip", "sku.name", "Standard"),
    ("7", "publicIPAddresses", "azure-proxy-nat-ip", "properties.publicIPAllocationMethod", "Static"),
]


@pytest.mark.parametrize(
    ("step", "kind", "name", "path", "wanted"), TABLE, ids=[f"{row[0]}-{row[1]}-{row[3][-40:]}" for row in TABLE]
)
def test_what_azure_has_is_what_the_seven_steps_say(
    azure: Azure, step: str, kind: str, name: str, path: str, wanted: Any
) -> None:
    """What was sent for it, with what Azure filled in."""
    found = [one for one in azure.find(kind) if name in ("*", one["name"])]
    assert len(found) == 1, f"step {step}: {kind} {name}"
    if path.endswith("sharedKey"):
        found = [azure.last(kind, name)]
    value = at(found[0], path)
    assert value == wanted or str(value).lower() == str(wanted).lower()


def test_the_security_group_admits_sensors_balancer_and_bastion_only(azure: Azure) -> None:
    (group,) = azure.find("networkSecurityGroups")
    rules = {rule["properties"]["priority"]: rule["properties"] for rule in group["properties"]["securityRules"]}
    assert sorted(rules) == [100, 4094, 4095, 4096]
    assert rules[100]["sourceAddressPrefixes"] == ["10.106.0.21/32", "10.106.0.1/32"]
    assert rules[100]["destinationAddressPrefixes"] == ["10.60.0.40/32", "10.60.0.32/27"]
    assert (rules[100]["destinationPortRange"], rules[100]["protocol"].lower()) == ("3128", "tcp")
    assert rules[4094]["sourceAddressPrefix"] == "10.60.0.64/26"
    assert rules[4094]["destinationPortRange"] == "22"
    assert rules[4095]["sourceAddressPrefix"] == "AzureLoadBalancer"
    assert (rules[4096]["access"], rules[4096]["protocol"]) == ("Deny", "*")


def test_the_subnet_keeps_group_and_nat_gateway(azure: Azure) -> None:
    """The whole subnet is written each time; the last one that was sent has both."""
    sent = azure.last("subnets", "ProxyserverSubnet")["properties"]
    assert sent["networkSecurityGroup"]["id"].endswith("/networkSecurityGroups/azure-proxy-nsg")
    assert sent["natGateway"]["id"].endswith("/natGateways/azure-proxy-nat")


def test_logs_and_metrics_go_to_the_workspace(azure: Azure) -> None:
    settings = {
        one["id"].lower().split("/providers/")[1].split("/")[1]: one["properties"]
        for one in azure.find("diagnosticSettings")
    }
    logs, metrics = settings["networksecuritygroups"], settings["loadbalancers"]
    assert [(one["categoryGroup"], one["enabled"]) for one in logs["logs"]] == [("allLogs", True)]
    assert [(one["category"], one["enabled"]) for one in metrics["metrics"]] == [("AllMetrics", True)]
    gateway = settings["virtualnetworkgateways"]
    assert [one["category"] for one in gateway["logs"]] == [
        f"{what}DiagnosticLog" for what in ("Gateway", "Tunnel", "Route", "IKE")
    ]
    assert all(one["workspaceId"].endswith("/workspaces/azure-proxy-logs") for one in (logs, metrics, gateway))


def test_flows_of_the_network_are_recorded(azure: Azure) -> None:
    (flows,) = azure.find("flowLogs")
    found = flows["properties"]
    assert found["targetResourceId"].endswith("/virtualNetworks/MD4IoT-VNET")
    assert (found["enabled"], found["format"]["version"]) == (True, 2)
    assert found["retentionPolicy"] == {"days": 30, "enabled": True}
    analytics = found["flowAnalyticsConfiguration"]["networkWatcherFlowAnalyticsConfiguration"]
    assert (analytics["enabled"], analytics["trafficAnalyticsInterval"]) == (True, 10)


def test_the_storage_account_is_closed_but_for_the_named_networks(azure: Azure) -> None:
    (account,) = azure.find("storageAccounts")
    found = account["properties"]
    assert found["networkAcls"]["defaultAction"] == "Deny"
    assert [one["value"] for one in found["networkAcls"]["ipRules"]] == ["203.0.113.0/24"]
    assert found["networkAcls"].get("virtualNetworkRules", []) == []
    assert found["routingPreference"]["routingChoice"] == "MicrosoftRouting"


# What an instance is given ------------------------------------------------------------------------------------------


STAGES = (("init", "--local"), ("init",), ("modules", "--mode", "config"), ("modules", "--mode", "final"))
# learn.microsoft.com "Automatic OS image upgrades with Azure Virtual Machine Scale Sets": an instance that is not healthy by then is
# rolled back.
SECONDS = 300
# Says with which status the first CONNECT is answered that is answered at all.
FIRST = """
import socket, sys, time
end = time.monotonic() + 300
while time.monotonic() < end:
    try:
        with socket.create_connection((sys.argv[1], 3128), 1) as proxy:
            proxy.settimeout(10)
            proxy.sendall(b"CONNECT hub.azure-devices.net:443 HTTP/1.1\\r\\nHost: hub.azure-devices.net\\r\\n\\r\\n")
            answer = proxy.recv(4096)
            if answer:
                sys.exit(answer.split()[1].decode())
    except OSError:
        time.sleep(0.05)
"""


@pytest.mark.parametrize("host", INSTANCES)
def test_the_real_cloud_init_makes_a_proxy_of_it(azure: Azure, host: str) -> None:
    """Its stages in their real order, as at the first boot; then a CONNECT decides."""
    data = azure.custom_data()
    place = "/var/lib/cloud/seed/nocloud"
    write = lab.run(host, "sh", "-c", f"mkdir -p {place} && cat >{place}/user-data", stdin=data)
    assert write.returncode == 0, write.stderr
    lab.output(host, "sh", "-c", f"echo instance-id: lab >{place}/meta-data")
    said = lab.output(host, "sh", "-c", f"cloud-init schema -c {place}/user-data --annotate 2>&1")
    assert "Valid" in said, said
    assert not re.search("deprecated|unexpected|error", said, re.IGNORECASE), said
    address = lab.address(host, "ot-azure")
    begun = time.monotonic()
    with subprocess.Popen(
        ["docker", "exec", SENSOR, "python3", "-c", FIRST, address], stderr=subprocess.PIPE, text=True
    ) as first:
        for stage in STAGES:
            done = lab.run(host, "cloud-init", *stage)
            assert done.returncode == 0, f"{stage}: {done.stdout}{done.stderr}"
        seconds = time.monotonic() - begun
        # As soon as the load balancer's probe is answered, so are sensors.
        assert first.communicate(timeout=30)[1].strip() == "200"
    print(f"custom data took {seconds:.0f} s on {host}")
    assert seconds < SECONDS
    proxy = f"http://{address}:3128"
    assert lab.visit(SENSOR, proxy, "hub.azure-devices.net").body == "endpoint hub.azure-devices.net"
    assert lab.visit(STRANGER, proxy, "hub.azure-devices.net").connect == 403
    assert lab.visit(SENSOR, proxy, "www.example.com").connect == 403
    assert lab.visit(SENSOR, proxy, "hub.azure-devices.net", port=8443).connect == 403
    assert lab.output(host, "stat", "-c", "%a %U %G", "/etc/squid/squid.conf").split() == ["640", "root", "proxy"]
    assert "@@" not in lab.output(host, "cat", "/etc/squid/squid.conf")


def asked(host: str, program: str, *arguments: str) -> str:
    """Return what an instance prints when Azure's run-command gives it one of the role's scripts."""
    script = (Path(__file__).parents[3] / "roles/azure_proxy/files" / program).read_text()
    done = lab.run(host, "sh", stdin=f"set -- {' '.join(arguments)}\n{script}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("host", INSTANCES)
def test_an_instance_says_what_its_own_squid_answers(host: str) -> None:
    assert asked(host, "prove-proxy", "hub.azure-devices.net", "3128") == "ot-proxy: CONNECT 200"
    assert asked(host, "prove-proxy", "www.example.com", "3128") == "ot-proxy: CONNECT 403"
    assert asked(host, "prove-proxy", "hub.azure-devices.net", "3129") == "ot-proxy: CONNECT 000"


def test_a_drained_instance_keeps_its_tunnels_and_is_not_healthy() -> None:
    """The stranger is the load balancer's probe here."""
    host, probe = INSTANCES[0], lab.address(STRANGER, "ot-azure")
    address = lab.address(host, "ot-azure")
    tunnel = ["docker", "exec", SENSOR, "python3", "-c", TUNNEL, address]
    with subprocess.Popen(tunnel, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        assert " 200 " in held.stdout.readline()
        assert asked(host, "drain-proxy", "3128", "0", probe) == "ot-proxy: 1 tunnels"
        assert lab.visit(STRANGER, f"http://{address}:3128", "hub.azure-devices.net").connect == 0
        assert lab.visit(SENSOR, f"http://{address}:3128", "hub.azure-devices.net").connect == 200
        # The time counts from the first call, and ends with the last tunnel.
        assert asked(host, "drain-proxy", "3128", "1", probe) == "ot-proxy: 1 tunnels"
        assert asked(host, "drain-proxy", "3128", "60", probe) == "ot-proxy: 0 tunnels"


TUNNEL = """
import socket, sys, time
proxy = socket.create_connection((sys.argv[1], 3128))
proxy.sendall(b"CONNECT hub.azure-devices.net:443 HTTP/1.1\\r\\n\\r\\n")
print(proxy.recv(99).split(b"\\r")[0].decode(), flush=True)
time.sleep(20)
"""


def test_top_level_keys_are_cloud_inits_own(azure: Azure) -> None:
    """An older cloud-init takes any key, and ignores the ones that it does not know."""
    keys = re.findall(r"^([a-z][a-z_ ]*):", azure.custom_data(), re.MULTILINE)
    assert sorted(keys) == sorted(set(keys))
    script = (
        "import json,glob;p=glob.glob('/usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json')[0];"
        "d=json.load(open(p))['$defs'];print(' '.join(sorted({k for v in d.values() for k in v.get('properties',{})})))"
    )
    known = lab.output(INSTANCES[1], "python3", "-c", script).split()
    assert set(keys) <= set(known)


# Again, and what changes --------------------------------------------------------------------------------------------


def others_set(azure: Azure) -> None:
    """What an engineer and a policy do to what the role has built."""
    table = {
        "id": f"/subscriptions/{azure.subscription}/resourceGroups/hub/providers/Microsoft.Network/routeTables/to-firewall"
    }
    documents = [one for one in azure.resources() if "/ot-proxy" in one["id"] and one.get("tags")] + azure.find(
        "flowLogs"
    )
    for one in documents:
        one["tags"] |= {"policy": "on"}
    (vnet,) = azure.find("virtualNetworks")
    vnet["tags"] |= {"policy": "on"}
    vnet["properties"]["addressSpace"]["addressPrefixes"].append("10.99.0.0/16")
    for subnet in vnet["properties"]["subnets"]:
        if subnet["name"] != "AzureBastionSubnet":
            subnet["properties"]["routeTable"] = dict(table)
    (gateway,) = azure.find("virtualNetworkGateways")
    gateway["tags"] |= {"policy": "on"}
    gateway["properties"] |= OF_OTHERS
    place = {"location": "westeurope", "properties": {"provisioningState": "Succeeded"}}
    azure.put({"id": table["id"].partition("/providers/")[0], "location": "westeurope"}, {"id": table["id"], **place})
    azure.put(*documents, vnet, gateway)


OF_OTHERS = {
    "vpnClientConfiguration": {"vpnClientProtocols": ["OpenVPN"]},
    "customRoutes": {"addressPrefixes": ["10.98.0.0/16"]},
}


def test_a_second_run_changes_nothing_whatever_others_have_set(azure: Azure) -> None:
    others_set(azure)
    run = azure.run()
    assert (run.code, changed(run)) == (0, 0), run.output
    assert azure.written() == []


def test_one_more_sensor_would_change_the_group_and_the_scale_set_only(azure: Azure) -> None:
    foreseen = azure.run("--check", change=SECOND)
    assert (foreseen.code, changed(foreseen)) == (0, 2), foreseen.output
    for words in (
        "virtual network MD4IoT-VNET keep",
        "security group azure-proxy-nsg change",
        "scale set azure-proxy change",
    ):
        assert words in foreseen.text, foreseen.output
    assert azure.written() == []


def test_one_more_sensor_a_new_key_a_new_tag_and_no_flow_log(azure: Azure) -> None:
    """A tag is added to each resource without writing it."""
    options = ("-e", "azure_proxy_flow_log=none", "-e", '{"azure_proxy_tags": {"plant": "lab", "line": "2"}}')
    run = azure.run(*options, key=NEXT_KEY, change=SECOND)
    assert run.code == 0, run.output
    # The deployment's module writes the resource group as well, as it is.
    written = {"default", "sharedkey", "azure-proxy-flow", "azure-proxy-nsg", PROXY}
    assert set(azure.written()) - {"ot-proxy"} == written
    assert "The instances of azure-proxy keep their configuration until they are made anew" in run.text
    assert "acl sensor2 src 10.106.0.2" in azure.custom_data()
    (gateway,) = azure.find("virtualNetworkGateways")
    assert {name: gateway["properties"].get(name) for name in OF_OTHERS} == OF_OTHERS
    (vnet,) = azure.find("virtualNetworks")
    assert [("routeTable" in one["properties"]) for one in vnet["properties"]["subnets"]] == [True, True, False]
    assert vnet["properties"]["addressSpace"]["addressPrefixes"] == ["10.60.0.0/25", "10.99.0.0/16"]
    tagged = [one["tags"] for one in azure.resources() if one["id"].lower().split("/")[-2] in TAGGED.split()]
    assert len(tagged) == len(TAGGED.split()) + 2, "three addresses"
    assert all(
        {"plant": "lab", "line": "2", "policy": "on", "ot-proxy-chaining": PROXY}.items() <= one.items()
        for one in tagged
    )
    assert azure.find("flowLogs") == []
    assert NEXT_KEY not in run.output


TAGGED = """
    workspaces storageaccounts virtualnetworks networksecuritygroups publicipaddresses natgateways loadbalancers
    virtualmachinescalesets virtualnetworkgateways localnetworkgateways connections
"""


# Gone ---------------------------------------------------------------------------------------------------------------


def test_absent_leaves_what_is_not_its_own(azure: Azure) -> None:
    """As long as something is in the resource group, that stays too."""
    (workspace,) = azure.find("workspaces")
    run = azure.run("-e", "azure_proxy_state=absent", "-e", f"azure_proxy_workspace_id={workspace['id']}")
    assert run.code == 0, run.output
    assert "The resource group ot-proxy stays, since this is in it too: azure-proxy-logs." in run.text
    assert azure.find("workspaces") == [workspace]
    assert azure.find("virtualNetworks") == azure.find("virtualMachineScaleSets") == azure.find("storageAccounts") == []
    assert len(azure.find("resourceGroups", name="ot-proxy")) == 1


def test_absent_leaves_nothing_and_again_changes_nothing(azure: Azure) -> None:
    run = azure.run("-e", "azure_proxy_state=absent")
    assert (run.code, changed(run)) == (0, 2), run.output
    assert azure.written() == ["azure-proxy-logs", "ot-proxy"]
    # Otherwise Azure keeps it for two weeks, and gives it back with its data to whoever asks for one of that name.
    assert azure.sent("DELETE")[0]["query"] == {"force": "true"}
    left = [
        one["id"]
        for kind in ("virtualNetworks", "virtualMachineScaleSets", "storageAccounts", "flowLogs", "connections")
        for one in azure.find(kind)
    ]
    assert left == []
    assert azure.find("resourceGroups", name="ot-proxy") == []
    again = azure.run("-e", "azure_proxy_state=absent")
    assert (again.code, changed(again)) == (0, 0), again.output
    assert azure.written() == []


# Another shape, in somebody else's resource group ---------------------------------------------------------------------

THEIRS = "/subscriptions/{}/resourceGroups/theirs"
HUB = "/subscriptions/{}/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub"
OTHER: Json = {
    "azure_proxy_resource_group": "theirs",
    "azure_proxy_resource_group_exists": True,
    "azure_proxy_gateway": "expressroute",
    "azure_proxy_gateway_active_active": False,
    "azure_proxy_gateway_diagnostics": False,
    "azure_proxy_frontend_allocation": "dynamic",
    "azure_proxy_storage_allowed_networks": [],
    "azure_proxy_bastion": False,
    "azure_proxy_address_prefix": "10.60.0.0/26",
    "azure_proxy_zones": ["1", "2"],
    "azure_proxy_capacity": 2,
    "azure_proxy_automatic_os_upgrade": False,
    "azure_proxy_overprovision": False,
    "azure_proxy_vm_size": "Standard_D4s_v5",
}


def other(azure: Azure, **more: Any) -> Json:
    workspace = f"{THEIRS.format(azure.subscription)}/providers/Microsoft.OperationalInsights/workspaces/their-logs"
    more |= {"azure_proxy_workspace_id": workspace, "azure_proxy_hub_vnet_id": HUB.format(azure.subscription)}
    return {"all": {"children": {"proxies": {"hosts": {PROXY: {**OTHER, **more}}}}}}


def test_the_other_shape_is_built_and_both_instances_are_proven(azure: Azure) -> None:
    group = THEIRS.format(azure.subscription)
    logs = f"{group}/providers/Microsoft.OperationalInsights/workspaces/their-logs"
    (watcher,) = azure.find("networkWatchers")
    # As if it had been there since before June 2025.
    security = f"{group}/providers/Microsoft.Network/networkSecurityGroups/azure-proxy-nsg"
    before = {"targetResourceId": security, "storageId": "/gone", "enabled": True}
    flow_log = {"id": f"{watcher['id']}/flowLogs/azure-proxy-flow", "location": "westeurope", "properties": before}
    azure.put(
        {"id": group, "location": "northeurope", "tags": {"owner": "them"}},
        {"id": logs, "location": "North Europe", "properties": {"customerId": "7", "sku": {"name": "PerGB2018"}}},
        {"id": HUB.format(azure.subscription).partition("/providers/")[0], "location": "westeurope"},
        {
            "id": HUB.format(azure.subscription),
            "location": "westeurope",
            "properties": {"addressSpace": {"addressPrefixes": ["10.61.0.0/16"]}, "subnets": []},
        },
        flow_log | {"tags": {"ot-proxy-chaining": PROXY}},
    )
    # The first instance needs a while until its Squid answers.
    azure.faults({"kind": "unhealthy", "path": "virtualMachines/0/instanceView", "times": 1})
    run = azure.run(change=other(azure))
    assert run.code == 0, run.output
    assert of_instances(azure) == ["0/instanceView", "0/instanceView", "0/runCommand", "1/instanceView", "1/runCommand"]
    (balancer,) = azure.find("loadBalancers")
    (frontend,) = balancer["properties"]["frontendIPConfigurations"]
    assert frontend["properties"]["privateIPAllocationMethod"] == "Dynamic"
    assert f"azure-proxy is at {frontend['properties']['privateIPAddress']}:3128." in run.text
    (gateway,) = azure.find("virtualNetworkGateways")
    assert (gateway["properties"]["gatewayType"], gateway["properties"]["sku"]["name"]) == ("ExpressRoute", "ErGw1AZ")
    # The address of such a gateway is Azure's own, and one in two zones comes back in all of them.
    assert "publicIPAddress" not in gateway["properties"]["ipConfigurations"][0]["properties"]
    assert [(one["name"], one["zones"]) for one in azure.find("publicIPAddresses")] == [
        ("azure-proxy-nat-ip", ["1", "2", "3"])
    ]
    assert azure.find("connections") == azure.find("localNetworkGateways") == []
    (account,) = azure.find("storageAccounts")
    assert (account["properties"]["networkAcls"]["defaultAction"], account["properties"]["networkAcls"]["ipRules"]) == (
        "Deny",
        [],
    )
    (scale_set,) = azure.find("virtualMachineScaleSets")
    assert (scale_set["sku"]["name"], scale_set["sku"]["capacity"]) == ("Standard_D4s_v5", 2)
    assert scale_set["properties"]["overprovision"] is False
    # Nothing else of it differs from the run before.
    assert scale_set["tags"]["plant"] == "lab"
    assert at(scale_set, "properties.virtualMachineProfile.storageProfile.imageReference.offer") == "ubuntu-24_04-lts"
    (workspace,) = azure.find("workspaces")
    assert workspace["name"] == "their-logs"
    assert all(one["properties"]["workspaceId"] == workspace["id"] for one in azure.find("diagnosticSettings"))
    (flows,) = azure.find("flowLogs")
    analytics = flows["properties"]["flowAnalyticsConfiguration"]["networkWatcherFlowAnalyticsConfiguration"]
    assert flows["properties"]["targetResourceId"].endswith("/virtualNetworks/MD4IoT-VNET")
    # Group and workspace are in another region than what is built.
    assert (flows["location"], analytics["workspaceRegion"]) == ("westeurope", "northeurope")
    sides = azure.find("virtualNetworkPeerings")
    assert [(one["name"], one["properties"]["peeringState"]) for one in sides] == [("azure-proxy-hub", "Connected")] * 2


def of_instances(azure: Azure) -> list[str]:
    """What was asked of which instance in the last run."""
    paths = [one["path"].partition("/virtualMachines/")[2] for one in azure.sent()]
    return [path for path in paths if path]


def test_instances_are_made_anew_one_after_the_other_and_nothing_else_changes(azure: Azure) -> None:
    run = azure.run("-e", "azure_proxy_reimage=true", change=other(azure))
    assert run.code == 0, run.output
    assert of_instances(azure) == [
        f"{one}/{what}" for one in (0, 1) for what in ("reimage", "instanceView", "runCommand")
    ]
    assert set(azure.written()) == {"reimage", "runCommand"}


def test_what_is_theirs_stays(azure: Azure) -> None:
    run = azure.run("-e", "azure_proxy_state=absent", change=other(azure))
    assert run.code == 0, run.output
    (group,) = azure.find("resourceGroups", name="theirs")
    assert (group["tags"], group["location"]) == ({"owner": "them"}, "northeurope")
    left = [one["name"] for one in azure.resources() if "/resourceGroups/theirs/" in one["id"]]
    assert left == ["their-logs"]
    assert azure.find("flowLogs") == azure.find("virtualNetworkPeerings") == []
    assert [one["name"] for one in azure.find("virtualNetworks")] == ["hub"]
