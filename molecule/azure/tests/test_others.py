"""What the role azure_proxy did not create: it refuses to take it, uses what is declared, and removes none of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from azure_lab import ENDPOINT, PROXY, Azure, Json

HUB = "/subscriptions/{}/resourceGroups/hub"
NETWORK = "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network"
LOGS = "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights/workspaces/logs"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    stand_in = Azure(tmp_path_factory.mktemp("azure"))
    for group in ("ot-proxy", "hub"):
        stand_in.put(*theirs(stand_in, group))
    yield stand_in
    stand_in.stop()


def theirs(azure: Azure, group: str) -> list[Json]:
    """A hub as others have built it, in a resource group of that name."""
    subscription = azure.subscription
    network = NETWORK.format(subscription, group)
    place = {"location": "westeurope", "tags": {"owner": "them"}}
    state = {"provisioningState": "Succeeded"}
    firewall = {"routeTable": {"id": f"{network}/routeTables/to-firewall"}}
    vnet = f"{network}/virtualNetworks/hub"

    def subnet(name: str, prefix: str, **more: Json) -> Json:
        return {
            "id": f"{vnet}/subnets/{name}",
            "name": name,
            "properties": {"addressPrefix": prefix, **state, **more},
        }

    subnets = [
        subnet("GatewaySubnet", "10.61.0.0/24", **firewall),
        subnet("app", "10.61.1.0/24", **firewall),
        subnet("ready", "10.60.0.96/27", **firewall),
    ]
    account = (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/hubflows"
    )
    prefixes = {"addressPrefixes": ["10.61.0.0/16", "10.60.0.0/25"]}
    logs: Json = {"retentionInDays": 365, "customerId": "7", "sku": {"name": "PerGB2018"}}
    gateway: Json = {"gatewayType": "Vpn", "vpnType": "RouteBased", "sku": {"name": "VpnGw2AZ", "tier": "VpnGw2AZ"}}
    return [
        {"id": f"/subscriptions/{subscription}/resourceGroups/{group}", **place},
        {"id": f"{network}/routeTables/to-firewall", **place, "properties": dict(state)},
        {"id": vnet, **place, "properties": {"addressSpace": prefixes, "subnets": subnets, **state}},
        {"id": LOGS.format(subscription, group), **place, "properties": {**logs, **state}},
        {"id": account, **place, "kind": "StorageV2", "sku": {"name": "Standard_ZRS"}, "properties": dict(state)},
        {"id": f"{network}/virtualNetworkGateways/hub-gateway", **place, "properties": {**gateway, **state}},
    ]


def now(azure: Azure, group: str) -> list[Json]:
    """What of theirs is there now."""
    kept = {one["id"]: one for one in azure.resources()}
    ids = [one["id"] for one in theirs(azure, group)]
    return [kept[one] for one in ids if one in kept]


def essence(documents: list[Json], but: str = "") -> list[Json]:
    """What others have set of theirs, without what Azure fills in, and without a subnet."""
    found = []
    for one in documents:
        subnets = [part for part in one.get("properties", {}).get("subnets", []) if part["name"] != but]
        routes = [
            (part["name"], part["properties"]["addressPrefix"], part["properties"].get("routeTable"))
            for part in subnets
        ]
        filled = (
            "subnets",
            "resourceGuid",
            "virtualNetworkPeerings",
            "enableDdosProtection",
            "privateEndpointVNetPolicies",
        )
        rest = {name: value for name, value in one.get("properties", {}).items() if name not in filled}
        found.append({"tags": one["tags"], "subnets": routes, "properties": rest})
    return found


def of(**settings: object) -> Json:
    return {"all": {"children": {"proxies": {"hosts": {PROXY: settings}}}}}


TAKEN = of(
    azure_proxy_names={"vnet": "hub", "workspace": "logs", "storage_account": "hubflows", "gateway": "hub-gateway"}
)


def test_what_has_a_wanted_name_and_is_not_ours_is_refused_before_anything_is_changed(azure: Azure) -> None:
    before = now(azure, "ot-proxy")
    run = azure.run(change=TAKEN)
    assert run.code != 0
    assert "virtual network hub" in run.text
    assert "Log Analytics workspace logs" in run.text
    assert "run this once with -e azure_proxy_adopt=true" in run.text, run.output
    assert azure.written() == []
    assert now(azure, "ot-proxy") == before


@pytest.mark.parametrize("options", [("--tags", "plan"), ()], ids=["plan", "absent"])
def test_absent_says_what_it_keeps_and_why_and_keeps_it(azure: Azure, options: tuple[str, ...]) -> None:
    before = now(azure, "ot-proxy")
    run = azure.run(*options, "-e", "azure_proxy_state=absent", change=TAKEN)
    assert (run.code, run.changed(PROXY)) == (0, 0), run.output
    for words in ("virtual network hub keep", "workspace logs keep", "resource group ot-proxy keep"):
        assert words in run.text, run.output
    assert azure.written() == []
    assert now(azure, "ot-proxy") == before


def declared(azure: Azure, **more: object) -> Json:
    hub = NETWORK.format(azure.subscription, "hub")
    return of(
        azure_proxy_resource_group="spoke",
        azure_proxy_vnet_id=f"{hub}/virtualNetworks/hub",
        azure_proxy_workspace_id=LOGS.format(azure.subscription, "hub"),
        azure_proxy_storage_account_id=f"{HUB.format(azure.subscription)}/providers/Microsoft.Storage/storageAccounts/hubflows",
        azure_proxy_gateway_id=f"{hub}/virtualNetworkGateways/hub-gateway",
        azure_proxy_gateway_active_active=False,
        azure_proxy_gateway_diagnostics=False,
        azure_proxy_bastion=False,
        azure_proxy_proxy_subnet="10.60.0.32/27",
        azure_proxy_route_table_id=f"{hub}/routeTables/to-firewall",
        **more,
    )


def test_what_is_declared_is_used_and_stays_as_it_is(azure: Azure) -> None:
    before = now(azure, "hub")
    run = azure.run(change=declared(azure))
    assert run.code == 0, run.output
    (ours,) = azure.find("subnets", "ProxyserverSubnet")
    assert ours["properties"]["routeTable"]["id"].endswith("/to-firewall")
    group = ours["properties"]["networkSecurityGroup"]["id"]
    assert group.endswith("/spoke/providers/Microsoft.Network/networkSecurityGroups/azure-proxy-nsg")
    assert essence(now(azure, "hub"), but="ProxyserverSubnet") == essence(before)
    (connection,) = azure.find("connections")
    assert connection["properties"]["virtualNetworkGateway1"]["id"].endswith("/virtualNetworkGateways/hub-gateway")
    (flows,) = azure.find("flowLogs")
    # Not the flows of the whole hub.
    assert flows["properties"]["targetResourceId"].endswith("/virtualNetworks/hub/subnets/ProxyserverSubnet")
    assert flows["properties"]["storageId"].endswith("/storageAccounts/hubflows")


def test_what_an_earlier_version_has_built_is_adopted_once(azure: Azure) -> None:
    group = f"/subscriptions/{azure.subscription}/resourceGroups/spoke"
    ours = [one for one in azure.resources() if one["id"].startswith(group) and "tags" in one]
    ours += azure.find("flowLogs")
    assert len(ours) >= 8
    for one in ours:
        one["tags"] = {name: value for name, value in one["tags"].items() if name != "ot-proxy-chaining"}
    azure.put(*ours)
    run = azure.run("-e", "azure_proxy_adopt=true", change=declared(azure))
    assert run.code == 0, run.output
    assert set(azure.written()) == {"default"}, "only tags, and the second run of what is declared"


def test_absent_removes_ours_and_leaves_theirs(azure: Azure) -> None:
    run = azure.run("-e", "azure_proxy_state=absent", change=declared(azure))
    assert run.code == 0, run.output
    assert "virtual network hub keep" in run.text
    assert "scale set azure-proxy delete" in run.text
    assert [one["name"] for one in now(azure, "hub")[2]["properties"]["subnets"]] == ["GatewaySubnet", "app", "ready"]
    assert len(now(azure, "hub")) == len(theirs(azure, "hub"))
    assert azure.find("resourceGroups", name="spoke") == azure.find("connections") == azure.find("flowLogs") == []


def prepared(azure: Azure, **more: object) -> Json:
    """What is declared, in a subnet that others have made ready."""
    ready = f"{NETWORK.format(azure.subscription, 'hub')}/virtualNetworks/hub/subnets/ready"
    change = declared(azure, squid_addresses=["10.60.0.105"], **more)
    settings = change["all"]["children"]["proxies"]["hosts"][PROXY]
    del settings["azure_proxy_vnet_id"], settings["azure_proxy_route_table_id"]
    settings |= {
        "azure_proxy_subnet_id": ready,
        "azure_proxy_proxy_subnet": "10.60.0.96/27",
        "azure_proxy_flow_log": "none",
    }
    return change


def test_a_subnet_that_others_have_made_ready(azure: Azure) -> None:
    """It keeps its own associations: the security group is on the instances, and they go out as the subnet does."""
    before = now(azure, "hub")
    run = azure.run(change=prepared(azure))
    assert run.code == 0, run.output
    assert now(azure, "hub") == before
    assert azure.find("natGateways") == azure.find("publicIPAddresses") == []
    (scale_set,) = azure.find("virtualMachineScaleSets")
    (card,) = scale_set["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"]
    assert card["properties"]["networkSecurityGroup"]["id"].endswith("/networkSecurityGroups/azure-proxy-nsg")


def test_another_image_takes_another_scale_set_at_the_same_address(azure: Azure) -> None:
    """Asked for, ended in between, and gone on with; the rest of the second run changes nothing."""
    change = prepared(azure, azure_proxy_automatic_os_upgrade=False)
    (balancer,), (old,) = azure.find("loadBalancers"), azure.find("virtualMachineScaleSets")
    # The new instance refuses what it is to let through.
    azure.faults({"kind": "said", "path": "azure-proxy-2/", "message": "ot-proxy: CONNECT 403"})
    run = azure.run("-e", "azure_proxy_replace=true", "-e", "__azure_proxy_proof_tries=1", change=change)
    assert run.code != 0
    assert (
        f"azure-proxy: the Squid of instance 0 of azure-proxy-2 refuses a CONNECT to {ENDPOINT}:443 (403)" in run.text
    )
    assert set(azure.written()) - {"spoke"} == {"azure-proxy-2", "runCommand"}
    assert [one["name"] for one in azure.find("virtualMachineScaleSets")] == ["azure-proxy", "azure-proxy-2"]
    azure.faults()
    run = azure.run("-e", "azure_proxy_replace=true", change=change)
    assert run.code == 0, run.output
    asked = [
        one["path"].split("/")[-4:] for one in azure.sent("POST", "DELETE") if "virtualMachineScaleSets" in one["path"]
    ]
    drained = ["azure-proxy", "virtualMachines", "0", "runCommand"]
    assert asked[:3] == [["azure-proxy-2", *drained[1:]], drained, drained]
    assert asked[3][-1] == "azure-proxy"
    (new,) = azure.find("virtualMachineScaleSets")
    profiles = [one["properties"]["virtualMachineProfile"]["networkProfile"] for one in (old, new)]
    assert profiles[0] == profiles[1], "the same pool"
    assert azure.find("loadBalancers") == [balancer]


def test_absent_leaves_the_subnet_of_others(azure: Azure) -> None:
    before = now(azure, "hub")
    gone = azure.run("-e", "azure_proxy_state=absent", change=prepared(azure))
    assert gone.code == 0, gone.output
    assert now(azure, "hub") == before
    assert azure.find("resourceGroups", name="spoke") == []
