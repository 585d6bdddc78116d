# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of what is there: ours is brought to the plan, what others have built or set stays."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.filter.azure_plan import azure_plan
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._cloud.azure.parts import KINDS

from .test_azure_plan import HOST, HUB, NETWORK, SITE, SUBNET, SUBSCRIPTION, UBUNTU, VNET, WORKSPACE, plan

Json = dict[str, Any]
OURS = {"ot-proxy-chaining": HOST, "plant": "lab"}
TABLE = {"id": f"{NETWORK}/routeTables/to-firewall"}


def there(planned: Json, key: str, properties: Json | None = None, **more: Any) -> Json:
    """Return a part as Azure shows it."""
    state = {"provisioningState": "Succeeded"}
    found = {
        "id": planned["ids"][key],
        "location": "westeurope",
        "tags": dict(OURS),
        "properties": state | (properties or {}),
    }
    return found | more


def decide(planned: Json, *documents: Json) -> Json:
    assert planned["mistakes"] == []
    gone = [] if documents else [{"error": {"code": "ResourceGroupNotFound"}}]
    return azure_plan(planned, HOST, listed=gone, read=list(documents))


def network(planned: Json, prefixes: list[str], *subnets: Json, **more: Any) -> Json:
    return there(planned, "vnet", {"addressSpace": {"addressPrefixes": prefixes}, "subnets": list(subnets)}, **more)


def subnet(name: str, prefix: str, **more: Any) -> Json:
    return {"name": name, "properties": {"addressPrefix": prefix, **more}}


def proxies(planned: Json, **more: Any) -> Json:
    ids = planned["ids"]
    linked = {"networkSecurityGroup": {"id": ids["security_group"]}, "natGateway": {"id": ids["nat_gateway"]}}
    return subnet("ProxyserverSubnet", "10.60.0.32/27", **linked, defaultOutboundAccess=False, **more)


def test_of_nothing_all_is_new() -> None:
    planned = plan(SITE)
    found = decide(planned)
    assert found["mistakes"] == found["tags"] == found["repairs"] == []
    assert found["new"] == planned["wanted"]
    assert found["vnet_prefixes"] == ["10.60.0.0/26"]
    assert [one["name"] for one in found["subnets"]] == ["GatewaySubnet", "ProxyserverSubnet"]
    assert found["nat_gateway"]["tags"] == found["gateway"]["tags"] == OURS


def test_what_is_not_ours_is_refused_all_together() -> None:
    planned = plan()
    documents = [there(planned, key, tags={"owner": "them"}) for key in ("vnet", "workspace")]
    (mistake,) = decide(planned, *documents)["mistakes"]
    assert mistake.startswith(
        f"{HOST}: there are the Log Analytics workspace azure-proxy-logs, virtual network MD4IoT-VNET already"
    )
    assert "azure_proxy_adopt=true" in mistake
    other = there(planned, "scale_set", tags={"OT-Proxy-Chaining": "second"}, zones=["1", "2", "3"])
    (mistake,) = decide(planned, other)["mistakes"]
    assert "the scale set azure-proxy belongs to the proxy second" in mistake
    # Several proxies share a resource group that one of them has created.
    assert (
        decide(planned, there(planned, "resource_group", tags={"ot-proxy-chaining": "second", "plant": "lab"}))[
            "mistakes"
        ]
        == []
    )


def test_what_is_adopted_gets_our_tags_beside_the_others() -> None:
    planned = plan({"adopt": True})
    found = decide(planned, there(planned, "security_group", tags={"owner": "them", "PLANT": "lab"}))
    assert found["mistakes"] == []
    assert [one["tags"] for one in found["tags"]] == [{"ot-proxy-chaining": HOST}]


@pytest.mark.parametrize("tags", [OURS | {"policy": "on"}, {"Ot-Proxy-Chaining": HOST, "Plant": "lab"}])
def test_tags_of_others_are_no_difference(tags: Json) -> None:
    planned = plan()
    found = decide(planned, there(planned, "security_group", tags=tags))
    assert found["tags"] == []
    # What modules are told, since some of them take away what they are not told.
    assert found["tags_of"]["security_group"] == tags
    assert found["tags_of"]["load_balancer"] == OURS


def test_prefixes_that_others_have_added_stay() -> None:
    planned = plan()
    assert decide(planned, network(planned, ["10.60.0.0/26", "10.99.0.0/16"]))["vnet_prefixes"] == []
    wider = plan({"address_prefix": "10.60.0.0/25"})
    has = ["10.60.0.0/26", "10.99.0.0/16", "2001:db8::/48"]
    assert decide(wider, network(wider, has))["vnet_prefixes"] == ["10.99.0.0/16", "2001:db8::/48", "10.60.0.0/25"]


def test_route_tables_stay() -> None:
    planned = plan()
    gateway = subnet("GatewaySubnet", "10.60.0.0/27", routeTable=TABLE)
    found = decide(planned, network(planned, ["10.60.0.0/26"], gateway, proxies(planned, routeTable=TABLE)))
    assert found["subnets"] == []
    bare = subnet("ProxyserverSubnet", "10.60.0.32/27", routeTable=TABLE)
    (written,) = decide(planned, network(planned, ["10.60.0.0/26"], gateway, bare))["subnets"]
    assert written["route_table"] == TABLE["id"]
    assert written["security_group"].endswith("/azure-proxy-nsg")


def test_a_route_table_can_be_given() -> None:
    planned = plan({"route_table_id": TABLE["id"]})
    table = {"id": TABLE["id"], "location": "westeurope"}
    gateway = subnet("GatewaySubnet", "10.60.0.0/27")
    (written,) = decide(planned, table, network(planned, ["10.60.0.0/26"], gateway, proxies(planned)))["subnets"]
    assert (written["name"], written["route_table"]) == ("ProxyserverSubnet", TABLE["id"])
    with_it = network(planned, ["10.60.0.0/26"], gateway, proxies(planned, routeTable=TABLE))
    assert decide(planned, table, with_it)["subnets"] == []
    (mistake,) = decide(planned, with_it)["mistakes"]
    assert "azure_proxy_route_table_id names the route table to-firewall, which is not there" in mistake


OF_OTHERS = {
    "vpnClientConfiguration": {"vpnClientProtocols": ["OpenVPN"]},
    "customRoutes": {"addressPrefixes": ["10.9.0.0/16"]},
}


def test_a_gateway_keeps_what_others_have_set() -> None:
    planned = plan()
    has = {
        "gatewayType": "Vpn",
        "sku": {"name": "VpnGw1AZ", "tier": "VpnGw1AZ", "capacity": 2},
        **OF_OTHERS,
        "resourceGuid": "7",
    }
    assert decide(planned, there(planned, "gateway", has, tags=OURS | {"owner": "[them]"}))["gateway"] is None
    larger = plan({"gateway_sku": "VpnGw2AZ"})
    written = decide(larger, there(larger, "gateway", has, tags=OURS | {"owner": "[them]"}))["gateway"]
    assert written["properties"] == {"gatewayType": "Vpn", "sku": {"name": "VpnGw2AZ", "tier": "VpnGw2AZ"}, **OF_OTHERS}
    # Otherwise a template would take it for an expression.
    assert written["tags"]["owner"] == "[[them]"
    other = plan({"gateway": "expressroute", "gateway_sku": "ErGw1AZ"})
    (mistake,) = decide(other, there(other, "gateway", has))["mistakes"]
    assert "is of the type Vpn, and azure_proxy_gateway wants ExpressRoute" in mistake


def test_the_nat_gateway_keeps_its_other_addresses() -> None:
    planned = plan()
    mine, more = {"id": planned["ids"]["nat_address"]}, {"id": f"{NETWORK}/publicIPAddresses/more"}
    has = {"idleTimeoutInMinutes": 30, "publicIpAddresses": [more, mine], "subnets": [{"id": SUBNET}]}
    assert decide(planned, there(planned, "nat_gateway", has))["nat_gateway"] is None
    longer = plan({"idle_timeout": 60})
    written = decide(longer, there(longer, "nat_gateway", has, sku={"name": "Standard"}))["nat_gateway"]
    assert written["properties"] == {"idleTimeoutInMinutes": 60, "publicIpAddresses": [more, mine]}


@pytest.mark.parametrize(
    ("settings", "writes"),
    [
        ({}, False),
        ({"flow_log_retention_days": 31}, True),
        ({"traffic_analytics_interval": 60}, True),
        ({"flow_log": "nsg"}, True),
        ({"flow_log": "none"}, False),
    ],
)
def test_a_flow_log_is_written_when_it_differs(settings: Json, writes: bool) -> None:
    planned = plan()
    ids = planned["ids"]
    analytics = {"enabled": True, "workspaceResourceId": ids["workspace"].upper(), "trafficAnalyticsInterval": 10}
    has = {
        "targetResourceId": ids["vnet"].upper(),
        "storageId": ids["storage_account"],
        "enabled": True,
        "retentionPolicy": {"days": 30, "enabled": True},
        "format": {"type": "JSON", "version": 2},
        "flowAnalyticsConfiguration": {"networkWatcherFlowAnalyticsConfiguration": analytics},
    }
    found = decide(plan(settings), there(planned, "flow_log", has))
    assert (found["flow_log"]["write"] is not None) is writes
    assert found["flow_log"]["remove"] is (settings.get("flow_log") in ("nsg", "none"))
    assert decide(planned)["flow_log"]["write"]
    off = has | {"format": {"type": "JSON", "version": 1}}
    assert decide(planned, there(planned, "flow_log", off))["flow_log"]["write"]


def test_zones_stay_as_azure_has_made_them() -> None:
    planned = plan({"zones": ["1", "2"]})
    balancer = there(
        planned, "load_balancer", {"frontendIPConfigurations": [{"name": "frontend", "zones": ["2", "1"]}]}
    )
    assert decide(planned, balancer)["frontend_zones"] == ["2", "1"]
    assert decide(planned, there(planned, "scale_set", zones=["2", "1"]))["mistakes"] == []
    (mistake,) = decide(planned, there(planned, "scale_set", zones=["1"]))["mistakes"]
    assert "since azure_proxy_zones is 1, 2, and it was made with 1, which Azure never changes" in mistake


# The scale set ------------------------------------------------------------------------------------------------------

NEWER = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
PROVEN = OURS | {"configuration": "old"}


def machines(
    planned: Json, key: str, image: Json, tags: Json | None = None, state: str = "Succeeded", user: str = "azureuser"
) -> Json:
    profile = {"storageProfile": {"imageReference": image}, "osProfile": {"adminUsername": user}}
    has = {"virtualMachineProfile": profile, "provisioningState": state}
    return there(planned, key, has, zones=["3", "2", "1"], tags=PROVEN if tags is None else tags)


def newer(**settings: Any) -> Json:
    return plan({"automatic_os_upgrade": False, "image": NEWER, **settings})


@pytest.mark.parametrize(
    ("configuration", "tags", "state", "writes", "proven"),
    [
        ("old", PROVEN, "Succeeded", False, True),
        ("new", PROVEN, "Succeeded", True, True),
        ("old", PROVEN, "Failed", True, True),
        # A run was ended before its instances were proven.
        ("old", OURS, "Succeeded", True, False),
    ],
)
def test_a_scale_set_is_written_until_it_is_proven_and_when_it_differs(
    configuration: str, tags: Json, state: str, writes: bool, proven: bool
) -> None:
    planned = plan()
    found = decide(planned | {"configuration": configuration}, machines(planned, "scale_set", UBUNTU, tags, state))
    assert found["mistakes"] == []
    one = found["scale_set"]
    assert (one["name"], "scale_set" in found["written"], one["proven"], one["old"]) == (HOST, writes, proven, None)
    nothing = decide(planned)
    assert ("scale_set" in nothing["new"], nothing["scale_set"]["proven"]) == (True, False)


@pytest.mark.parametrize(
    ("image", "user", "why"),
    [
        (UBUNTU, "azureuser", "the offer of azure_proxy_image is ubuntu-24_04-lts, and it was made with 0001-com-"),
        ({"id": "/galleries/ours/images/squid"}, "azureuser", "the publisher of azure_proxy_image is Canonical, and"),
        (NEWER, "ops", "azure_proxy_admin_username is azureuser, and it was made with ops"),
    ],
)
def test_what_azure_never_changes_is_refused_with_the_way_to_replace_it(image: Json, user: str, why: str) -> None:
    planned = newer()
    (mistake,) = decide(planned, machines(planned, "scale_set", image, user=user))["mistakes"]
    assert why in mistake
    assert "run this with -e azure_proxy_replace=true: azure-proxy-2 is built beside it" in mistake
    assert decide(planned, machines(planned, "scale_set", NEWER | {"publisher": "canonical"}))["mistakes"] == []


# Which are there, with image and tags; which one serves in the end and which one goes.
STATES: list[tuple[dict[str, tuple[Json, Json]], str, str | None]] = [
    ({"scale_set": (UBUNTU, PROVEN)}, "azure-proxy-2", "azure-proxy"),
    ({"scale_set_2": (UBUNTU, PROVEN)}, "azure-proxy", "azure-proxy-2"),
    ({"scale_set_2": (NEWER, PROVEN)}, "azure-proxy-2", None),
    # A run was ended while the new one was built, or proven, or the old one drained.
    ({"scale_set": (UBUNTU, PROVEN), "scale_set_2": (NEWER, OURS)}, "azure-proxy-2", "azure-proxy"),
    ({"scale_set": (UBUNTU, PROVEN), "scale_set_2": (NEWER, PROVEN)}, "azure-proxy-2", "azure-proxy"),
    ({"scale_set": (NEWER, OURS), "scale_set_2": (UBUNTU, PROVEN)}, "azure-proxy", "azure-proxy-2"),
    # And the inventory was set back.
    ({"scale_set": (NEWER, PROVEN), "scale_set_2": (UBUNTU, OURS)}, "azure-proxy", "azure-proxy-2"),
    ({"scale_set": (NEWER, OURS), "scale_set_2": (NEWER, PROVEN)}, "azure-proxy-2", "azure-proxy"),
    # The second one is somebody else's.
    ({"scale_set": (NEWER, PROVEN), "scale_set_2": (UBUNTU, {"owner": "them"})}, "azure-proxy", None),
]


@pytest.mark.parametrize(("found", "name", "old"), STATES)
def test_a_replacement_goes_on_where_it_was_ended(
    found: dict[str, tuple[Json, Json]], name: str, old: str | None
) -> None:
    planned = newer(replace=True)
    documents = [machines(planned, key, image, tags) for key, (image, tags) in found.items()]
    decided = decide(planned, *documents)
    assert decided["mistakes"] == []
    one = decided["scale_set"]
    assert (one["name"], (one["old"] or {}).get("name")) == (name, old)
    assert one["id"].endswith(f"/virtualMachineScaleSets/{name}")
    # The table has the one that serves, and the other one only if it goes.
    rows = [line.split()[2:4] for line in decided["summary"] if line.startswith("scale set")]
    action = "create" if "scale_set" in decided["new"] else "change"
    assert sorted(rows) == sorted([[name, action], *([[old, "delete"]] if old else [])])
    assert decided["unforeseen"]
    mistakes = decide(newer(), *documents)["mistakes"]
    assert [("azure_proxy_replace=true" in mistake) for mistake in mistakes] == [True] * bool(old)


def test_a_third_image_waits_until_the_second_is_there() -> None:
    planned = plan({"image": UBUNTU | {"offer": "ubuntuserver"}, "replace": True})
    documents = [machines(planned, "scale_set", UBUNTU), machines(planned, "scale_set_2", NEWER, OURS)]
    (mistake,) = decide(planned, *documents)["mistakes"]
    assert "the scale sets azure-proxy and azure-proxy-2 are both there and neither has what is wanted" in mistake


def test_nobody_is_drained_that_is_being_deleted_and_nothing_of_others_is_replaced() -> None:
    planned = newer(replace=True)
    old = machines(planned, "scale_set", UBUNTU, state="Deleting")
    one = decide(planned, old, machines(planned, "scale_set_2", NEWER))["scale_set"]
    assert (one["drain"], one["old"]["name"]) == (False, "azure-proxy")
    (mistake,) = decide(planned, machines(planned, "scale_set", UBUNTU, {"owner": "them"}))["mistakes"]
    assert "which this role did not create" in mistake


def test_absent_removes_both() -> None:
    planned = newer(state="absent")
    both = [machines(planned, key, UBUNTU) for key in ("scale_set", "scale_set_2")]
    assert decide(planned, *both)["remove"] == ["scale_set_2", "scale_set"]
    # Earlier versions had no second one, so one without a tag is somebody else's.
    untagged = [{**one, "tags": {}} for one in both]
    assert decide(newer(state="absent", adopt=True), *untagged)["remove"] == ["scale_set"]
    assert decide(newer(adopt=True, replace=True), untagged[1])["scale_set"]["old"] is None
    (mistake,) = decide(newer(adopt=True, replace=True), *untagged)["mistakes"]
    assert "there are the scale set azure-proxy-2 already, which this role did not create" in mistake


def test_what_failed_is_written_once_more_as_azure_takes_it() -> None:
    planned = plan()
    group = there(
        planned,
        "security_group",
        {"securityRules": [{"name": "one", "etag": "x"}], "defaultSecurityRules": [], "provisioningState": "Failed"},
    )
    (repair,) = decide(planned, group)["repairs"]
    assert repair["body"]["properties"] == {"securityRules": [{"name": "one"}]}
    assert decide(planned, {**group, "tags": {}})["repairs"] == []


def test_in_a_vnet_of_others_only_our_subnet_is_written() -> None:
    planned = plan({"vnet_id": VNET, "workspace_id": WORKSPACE, "gateway": "none"})
    hub = network(planned, ["10.60.0.0/16"], subnet("app", "10.60.9.0/24", routeTable=TABLE), tags={"owner": "them"})
    logs = there(planned, "workspace", tags={"owner": "them"})
    found = decide(planned, hub, logs)
    assert found["mistakes"] == found["tags"] == found["vnet_prefixes"] == []
    assert [one["name"] for one in found["subnets"]] == ["ProxyserverSubnet"]
    assert planned["flow_log"]["targetResourceId"] == f"{VNET}/subnets/ProxyserverSubnet"


@pytest.mark.parametrize(
    ("prefixes", "one", "sentence"),
    [
        (
            ["10.61.0.0/16"],
            subnet("app", "10.61.0.0/24"),
            "has no prefix with ProxyserverSubnet 10.60.0.32/27; it has 10.61.0.0/16",
        ),
        (["10.60.0.0/16"], subnet("app", "10.60.0.0/24"), "overlaps the subnet app of virtual network hub"),
        (["10.60.0.0/16"], subnet("ProxyserverSubnet", "10.60.0.32/27"), "give it as azure_proxy_subnet_id"),
    ],
)
def test_what_a_vnet_of_others_has_no_room_for(prefixes: list[str], one: Json, sentence: str) -> None:
    planned = plan({"vnet_id": VNET, "gateway": "none"})
    mistakes = decide(planned, network(planned, prefixes, one, tags={}))["mistakes"]
    assert any(sentence in mistake for mistake in mistakes), mistakes


def test_what_is_declared_must_be_there_and_fit() -> None:
    planned = plan({"vnet_id": VNET, "gateway": "none"})
    assert "azure_proxy_vnet_id names the virtual network hub, which is not there" in decide(planned)["mistakes"][0]
    elsewhere = network(planned, ["10.60.0.0/16"], location="North Europe")
    assert "is in northeurope, and azure_proxy_location is westeurope" in decide(planned, elsewhere)["mistakes"][0]
    ready = plan({"subnet_id": SUBNET, "proxy_subnet": "10.60.0.32/27", "gateway": "none"})
    hub = network(ready, ["10.60.0.0/16"], subnet("proxies", "10.60.0.64/26"))
    assert decide(ready, hub)["mistakes"] == [
        f"{HOST}: azure_proxy_proxy_subnet is 10.60.0.32/27, and the subnet has 10.60.0.64/26."
    ]


def built(planned: Json) -> dict[str, Json]:
    """Return all of it as Azure shows it when it was built, with what others have added."""
    rules = [{"name": rule["name"], "properties": shown_rule(rule)} for rule in (dict(one) for one in planned["rules"])]
    subnets = [
        subnet("GatewaySubnet", "10.60.0.0/27"),
        proxies(planned),
    ]
    properties: Json = {
        "vnet": {"addressSpace": {"addressPrefixes": ["10.60.0.0/26"]}, "subnets": subnets},
        "security_group": {"securityRules": rules},
        "nat_gateway": planned["nat_gateway"]["properties"],
        "gateway": planned["gateway"]["properties"],
        "site": planned["site"],
        "flow_log": planned["flow_log"],
        **planned["shapes"],
    }
    found = {key: there(planned, key, properties.get(key)) for key in planned["wanted"]}
    found["scale_set"] |= {"zones": ["1", "2", "3"]}
    found["scale_set"]["tags"]["configuration"] = planned["configuration"]
    return found


def shown_rule(rule: Json) -> Json:
    """Azure shows one address of a list as one."""
    sources = rule.get("source_address_prefix", "*")
    targets = rule.get("destination_address_prefix", "*")
    return {
        **{name: rule[name] for name in ("priority", "direction", "access")},
        "protocol": rule["protocol"].upper(),
        **({"sourceAddressPrefix": sources} if isinstance(sources, str) else {"sourceAddressPrefixes": sources[::-1]}),
        **(
            {"destinationAddressPrefix": targets}
            if isinstance(targets, str)
            else {"destinationAddressPrefixes": targets}
        ),
        "destinationPortRange": rule.get("destination_port_range", "*"),
        "sourcePortRange": "*",
    }


def test_of_what_is_there_nothing_is_written() -> None:
    planned = plan(SITE)
    found = decide(planned, *built(planned).values())
    assert found["mistakes"] == found["written"] == found["subnets"] == []
    assert not found["unforeseen"]
    kept = {line.split("  ")[0] for line in found["summary"][2:] if " keep " in line}
    assert kept == {"subnet", *(KINDS[key][0] for key in planned["wanted"])}
    assert len(found["summary"]) == 2 + len(planned["wanted"]) + len(planned["subnets"])
    forced = plan(SITE | {"force": True})
    assert decide(forced, *built(forced).values())["written"] == [
        "workspace",
        "storage_account",
        "security_group",
        "load_balancer",
        "scale_set",
    ]


# What is changed of a part, or of what is wanted, and which parts are written then.
CHANGES: dict[str, tuple[Json, str, Json, list[str]]] = {
    "retention": ({"workspace_retention_days": 90}, "", {}, ["workspace"]),
    "idle timeout": ({"idle_timeout": 40}, "", {}, ["nat_gateway", "load_balancer"]),
    "networks": ({"storage_allowed_networks": ["203.0.113.0/24"]}, "", {}, ["storage_account"]),
    "open storage": ({}, "storage_account", {"networkAcls": {"defaultAction": "Allow"}}, ["storage_account"]),
    "one more rule": ({}, "security_group", {"securityRules": []}, ["security_group"]),
    "size of the gateway": ({"gateway_sku": "VpnGw2AZ"}, "", {}, ["gateway"]),
    "site": ({"site_address": "198.51.100.11"}, "", {}, ["site"]),
    "flow log": ({"flow_log_retention_days": 31}, "", {}, ["flow_log"]),
    "size": ({"vm_size": "Standard_D4s_v5"}, "", {}, ["scale_set"]),
    "unfinished": ({}, "scale_set", {"provisioningState": "Failed"}, ["scale_set"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_differs_is_written_and_nothing_else(name: str) -> None:
    settings, key, properties, written = CHANGES[name]
    documents = built(plan(SITE))
    if key:
        documents[key]["properties"] |= properties
    found = decide(plan(SITE | settings), *documents.values())
    assert found["written"] == written
    changed = [line for line in found["summary"] if " change " in line]
    assert [line.split("  ")[0] for line in changed] == [KINDS[one][0] for one in written]
    assert found["unforeseen"] is bool(set(written) & {"nat_gateway", "gateway", "site", "flow_log", "scale_set"})


def test_what_is_no_longer_declared_is_said() -> None:
    documents = built(plan(SITE))
    found = decide(plan({"gateway": "none", "flow_log": "none"}), *documents.values())
    lines = rows(found)
    assert any(line.startswith("virtual network gateway azure-proxy-gateway keep no longer declared") for line in lines)
    assert "flow log azure-proxy-flow delete what was recorded stays" in lines
    assert found["flow_log"] == {"remove": True, "write": None}


def test_the_flow_log_knows_where_the_workspace_is() -> None:
    planned = plan({"workspace_id": WORKSPACE})
    found = decide(planned, there(planned, "workspace", location="North Europe"))["flow_log"]["write"]["properties"]
    analytics = found["flowAnalyticsConfiguration"]["networkWatcherFlowAnalyticsConfiguration"]
    assert (analytics["workspaceRegion"], analytics["workspaceResourceId"]) == ("northeurope", WORKSPACE)


def test_the_address_is_azures_where_it_chooses() -> None:
    planned = plan({"frontend_allocation": "dynamic"})
    assert decide(planned)["address"] == ""
    frontend = {"name": "frontend", "properties": {"privateIPAddress": "10.60.0.36"}}
    # As a module answers.
    answer = {"response": [there(planned, "load_balancer", {"frontendIPConfigurations": [frontend]})]}
    assert azure_plan(planned, HOST, listed=[], read=[{"skipped": True}, answer])["address"] == "10.60.0.36"


READS: list[tuple[str, list[Json], Json, list[str]]] = [
    ("present", [{"error": {}}], {}, ["flow_log"]),
    ("present", [], {}, ["resource_group", "flow_log"]),
    ("present", [], {"vnet_id": VNET, "gateway": "none"}, ["resource_group", "vnet", "flow_log"]),
    ("present", [{"key": "nat_gateway", "tags": OURS}], {}, ["resource_group", "nat_gateway", "flow_log"]),
    ("present", [{"key": "nat_address", "tags": OURS}], {}, ["resource_group", "flow_log"]),
    ("present", [{"key": "nat_address", "tags": None}], {}, ["resource_group", "nat_address", "flow_log"]),
    (
        "present",
        [{"key": "nat_address", "tags": OURS, "provisioningState": "Failed"}],
        {},
        ["resource_group", "nat_address", "flow_log"],
    ),
    ("absent", [{"key": "nat_gateway", "tags": OURS}], {}, ["resource_group", "flow_log"]),
]


@pytest.mark.parametrize(("state", "listed", "settings", "read"), READS)
def test_only_what_the_list_does_not_say_is_read(
    state: str, listed: list[Json], settings: Json, read: list[str]
) -> None:
    planned = plan({"state": state, **settings})
    shown = [
        {"id": planned["ids"][one["key"]].upper(), "name": one["key"], **one} if "key" in one else one for one in listed
    ]
    found = azure_plan(planned, HOST, listed=shown)
    assert [one["id"] for one in found["reads"]] == [planned["ids"][key] for key in read]
    assert found["listed"] == [one["key"] for one in listed if "key" in one]


def test_the_second_address_comes_and_goes_with_what_others_have_set() -> None:
    single, double = plan(), plan({"gateway_active_active": True})
    first, second = double["gateway"]["properties"]["ipConfigurations"]
    third = {"name": "theirs", "properties": {"publicIPAddress": {"id": f"{NETWORK}/publicIPAddresses/theirs"}}}
    kept = {**single["gateway"]["properties"], **OF_OTHERS}
    one = there(single, "gateway", {**kept, "activeActive": False})
    assert decide(single, one)["gateway"] is None
    written = decide(double, one)["gateway"]["properties"]
    assert (written["activeActive"], written["ipConfigurations"]) == (True, [first, second])
    two = there(double, "gateway", {**kept, "activeActive": True, "ipConfigurations": [first, second]})
    assert decide(double, two)["gateway"] is None
    written = decide(single, two)["gateway"]["properties"]
    assert (written["activeActive"], written["ipConfigurations"]) == (False, [first])
    assert OF_OTHERS.items() <= written.items()
    # Somebody else's second address is somebody else's wish.
    theirs = there(single, "gateway", {**kept, "activeActive": True, "ipConfigurations": [first, third]})
    assert decide(single, theirs)["gateway"] is None


PROVIDERS = (
    "Microsoft.Compute",
    "Microsoft.Insights",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Storage",
)


@pytest.mark.parametrize(
    ("states", "missing"),
    [
        ({}, []),
        ({"Microsoft.Compute": "NotRegistered", "Microsoft.Web": "NotRegistered"}, ["Microsoft.Compute"]),
        ({"Microsoft.Compute": "Registering"}, []),
        (
            {"Microsoft.Insights": "Unregistered", "Microsoft.Storage": "NotRegistered"},
            ["Microsoft.Insights", "Microsoft.Storage"],
        ),
    ],
)
def test_providers_are_registered_before_anything_is_made(states: dict[str, str], missing: list[str]) -> None:
    planned = plan()
    asked = azure_plan(planned, HOST, listed=[{"error": {}}])["asks"]
    assert [one["id"] for one in asked] == [f"/subscriptions/{SUBSCRIPTION}/providers"]
    states = dict.fromkeys(PROVIDERS, "Registered") | states
    shown = [
        {"id": f"{asked[0]['id']}/{name}", "namespace": name, "registrationState": state}
        for name, state in states.items()
    ]
    mistakes = azure_plan(planned, HOST, listed=[{"error": {}}], read=[{"response": {"value": shown}}])["mistakes"]
    commands = " && ".join(f"az provider register --subscription {SUBSCRIPTION} --namespace {one}" for one in missing)
    assert len(mistakes) == bool(missing)
    assert all(
        f"has not registered {', '.join(missing)};" in one and one.endswith(f": {commands}.") for one in mistakes
    )
    # Who may not see it, and who makes nothing.
    assert (
        azure_plan(planned, HOST, listed=[], read=[{"response": {"error": {"code": "AuthorizationFailed"}}}])[
            "mistakes"
        ]
        == []
    )
    whole = [{"id": planned["ids"][key], "name": key, "tags": OURS} for key in planned["wanted"]]
    assert azure_plan(planned, HOST, listed=whole)["asks"] == []
    less = plan({"workspace_id": WORKSPACE})
    assert "Microsoft.OperationalInsights" not in less["providers"]


def lock(scope: str, level: str = "CanNotDelete") -> Json:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/keep",
        "name": "keep",
        "properties": {"level": level},
    }


GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ot-proxy"


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        (f"/subscriptions/{SUBSCRIPTION}", "scale set azure-proxy and 2 more"),
        (GROUP.upper(), "scale set azure-proxy and 2 more"),
        (f"{GROUP}/providers/Microsoft.Network/virtualNetworks/MD4IoT-VNET", "virtual network MD4IoT-VNET"),
        (f"{GROUP}/providers/Microsoft.Network/virtualNetworks/MD4IoT-VNET/subnets/x", "virtual network MD4IoT-VNET"),
        (f"{GROUP}/providers/Microsoft.Network/virtualNetworks/MD4IoT-VNET-2", ""),
        (f"{GROUP}/providers/Microsoft.Storage/storageAccounts/theirs", ""),
        (f"{GROUP}-2", ""),
    ],
)
def test_a_lock_keeps_all_from_being_removed(scope: str, held: str) -> None:
    planned = plan({"state": "absent"})
    documents = [there(planned, key) for key in ("resource_group", "vnet", "scale_set")]
    mistakes = decide(planned, *documents, lock(scope))["mistakes"]
    assert mistakes == (
        [
            f"{HOST}: the lock keep (CanNotDelete) on {scope} keeps the {held} from being removed; take it away, or leave the proxy as "
            "it is."
        ]
        if held
        else []
    )


def test_locks_are_asked_for_where_something_is_removed() -> None:
    planned = plan({"state": "absent", "vnet_id": VNET.replace("ot-proxy", "hub")})
    asked = azure_plan(planned, HOST, listed=[])["asks"]
    locks = "providers/Microsoft.Authorization/locks"
    assert [one["id"] for one in asked] == [f"{VNET.partition('/providers/')[0]}/{locks}", f"{GROUP}/{locks}"]
    assert azure_plan(planned, HOST, listed=[{"error": {}}])["asks"] == []


SPOKE = {"hub_vnet_id": HUB, "gateway": "none", "hub_gateway": True}


def peered(planned: Json, key: str, **more: Any) -> Json:
    """Return one side of the peering as its VNET shows it."""
    (one,) = (each for each in planned["peerings"] if each["key"] == key)
    return {
        "name": one["name"],
        "properties": {"peeringState": "Connected", "peeringSyncLevel": "FullyInSync", **one["shape"]} | more,
    }


def hub(
    *peerings: Json, prefixes: tuple[str, ...] = ("10.61.0.0/16",), subnets: tuple[str, ...] = ("GatewaySubnet",)
) -> Json:
    space = {"addressPrefixes": list(prefixes)}
    names = [{"name": name, "properties": {}} for name in subnets]
    properties = {"addressSpace": space, "subnets": names, "virtualNetworkPeerings": list(peerings)}
    return {"id": HUB, "name": "hub", "location": "westeurope", "properties": properties}


def test_a_spoke_is_peered_with_its_hub() -> None:
    planned = plan(SPOKE)
    found = decide(planned, hub())
    assert found["mistakes"] == []
    sides = [
        (one["key"], one["subscription"], one["shape"]["allowGatewayTransit"], one["shape"]["useRemoteGateways"])
        for one in found["peerings"]
    ]
    assert sides == [("hub_peering", HUB.split("/")[2], True, False), ("peering", SUBSCRIPTION, False, True)]
    assert "peering to the hub azure-proxy-hub create Intra-Region Egress, Intra-Region Ingress" in rows(found)
    far = decide(planned, {**hub(), "location": "northeurope"})
    assert "peering to the hub azure-proxy-hub create Inter-Region Egress, Inter-Region Ingress" in rows(far)

    def spoke(**more: Any) -> Json:
        space = {"addressSpace": {"addressPrefixes": ["10.60.0.0/26"]}}
        return there(planned, "vnet", {**space, "virtualNetworkPeerings": [peered(planned, "peering", **more)]})

    whole = decide(planned, hub(peered(planned, "hub_peering")), spoke())
    assert whole["peerings"] == whole["lost_peerings"] == whole["mistakes"] == []
    # As it is after somebody has removed the hub's side.
    half = decide(planned, hub(), spoke(peeringState="Disconnected"))
    assert [one["key"] for one in half["peerings"]] == ["hub_peering", "peering"]
    assert [one["key"] for one in half["lost_peerings"]] == ["peering"]
    behind = decide(planned, hub(peered(planned, "hub_peering", peeringSyncLevel="LocalNotInSync")), spoke())
    assert [one["key"] for one in behind["peerings"]] == ["hub_peering"]


def elsewhere(prefix: str) -> Json:
    remote = {"remoteVirtualNetwork": {"id": f"{HUB}-2"}, "remoteAddressSpace": {"addressPrefixes": [prefix]}}
    return {"name": "other", "properties": remote}


@pytest.mark.parametrize(
    ("there_is", "sentence"),
    [
        (
            hub(prefixes=("10.61.0.0/16", "10.60.0.0/16")),
            "overlaps 10.60.0.0/16 of it, so that the virtual network hub cannot be peered",
        ),
        (hub(elsewhere("10.60.0.32/27")), "overlaps 10.60.0.32/27 of"),
        (hub(subnets=("app",)), "azure_proxy_hub_gateway is set, and the virtual network hub has no GatewaySubnet"),
        (
            hub({**elsewhere("10.9.0.0/16"), "name": "azure-proxy-hub"}),
            "leads to " + f"{HUB}-2; give that of this proxy another name",
        ),
        (None, "azure_proxy_hub_vnet_id names the virtual network hub, which is not there"),
    ],
)
def test_what_a_hub_cannot_be_peered_with(there_is: Json | None, sentence: str) -> None:
    documents = [there_is] if there_is else []
    (mistake,) = decide(plan(SPOKE), *documents)["mistakes"]
    assert sentence in mistake


def test_both_sides_of_the_peering_go_and_no_other() -> None:
    planned = plan({"state": "absent", **SPOKE})
    mine, theirs = (
        peered(planned, "hub_peering"),
        peered(planned, "hub_peering", remoteVirtualNetwork={"id": f"{HUB}-2"}),
    )
    vnet = there(planned, "vnet", {"virtualNetworkPeerings": [peered(planned, "peering")]})
    assert decide(planned, hub(mine), vnet)["remove"] == ["peering", "hub_peering", "vnet"]
    assert decide(planned, hub(theirs), vnet)["remove"] == ["peering", "vnet"]
    assert decide(planned, hub(mine))["remove"] == ["hub_peering"]
    assert decide(planned, hub(mine), {**vnet, "tags": {}})["remove"] == []


def rows(found: Json) -> list[str]:
    return [" ".join(line.split()) for line in found["summary"][2:]]


def test_a_removal_says_what_it_keeps_and_why() -> None:
    planned = plan({"state": "absent", "workspace_id": WORKSPACE})
    found = decide(
        planned,
        there(planned, "resource_group"),
        there(planned, "scale_set"),
        there(planned, "vnet", tags={"owner": "them"}),
        there(planned, "nat_gateway", tags=OURS | {"ot-proxy-chaining": "second"}),
    )
    assert found["remove"] == ["scale_set", "resource_group"]
    assert rows(found) == [
        "scale set azure-proxy delete created by this role",
        "NAT gateway azure-proxy-nat keep belongs to the proxy second",
        "virtual network MD4IoT-VNET keep without the tag ot-proxy-chaining, so not this role's",
        "Log Analytics workspace logs keep others', as azure_proxy_workspace_id says",
        "resource group ot-proxy delete if nothing else is in it",
    ]
    assert decide(plan({"state": "absent"}))["summary"] == [f"{HOST}: nothing of it is there."]


@pytest.mark.parametrize(("ours", "removed"), [(True, ["proxy_subnet"]), (False, [])])
def test_our_subnet_leaves_the_vnet_of_others(ours: bool, removed: list[str]) -> None:
    planned = plan({"state": "absent", "vnet_id": VNET})
    one = proxies(planned) if ours else subnet("ProxyserverSubnet", "10.60.0.32/27")
    assert decide(planned, network(planned, ["10.60.0.0/16"], one, tags={}))["remove"] == removed


def test_an_old_build_is_removed_when_it_is_declared_ours() -> None:
    planned = plan({"state": "absent"})
    old = there(planned, "storage_account", tags={"plant": "lab"})
    assert decide(planned, old)["remove"] == []
    assert decide(plan({"state": "absent", "adopt": True}), old)["remove"] == ["storage_account"]
