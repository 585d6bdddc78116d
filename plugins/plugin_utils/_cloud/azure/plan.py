# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role azure_proxy will build, from its variables and the topology, and every mistake in them.

Private to this collection. Nothing here talks to Azure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Any

from ..._chain import hostvars as chain_hostvars
from ..._chain.inventory import sentence
from . import addresses as azure_addresses
from . import decisions, instances, parts, scale_set, summary
from . import names as azure_names
from . import values as azure_values

Json = dict[str, Any]

_OF_OTHERS = (
    "azure_proxy_subscription_id",
    "azure_proxy_resource_group",
    "azure_proxy_names",
    "azure_proxy_vnet_id",
    "azure_proxy_subnet_id",
)
_VNET = "MD4IoT-VNET"
_GROUP = re.compile(r"[\w().-]{0,89}[\w()-]")
_NAME = re.compile(r"[A-Za-z0-9]([\w.-]{0,78}\w)?", re.ASCII), "1 to 80 letters, digits, '.', '_' and '-'"
_NAMES = {
    "workspace": (re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]"), "4 to 63 letters, digits and '-'"),
    "storage_account": (re.compile(r"[a-z0-9]{3,24}"), "3 to 24 lower case letters and digits"),
    "vnet": (re.compile(r"[A-Za-z0-9][\w.-]{0,62}\w", re.ASCII), "2 to 64 letters, digits, '.', '_' and '-'"),
    "scale_set": (re.compile(r"[A-Za-z0-9]([\w.-]{0,62}\w)?", re.ASCII), "1 to 64 letters, digits, '.', '_' and '-'"),
}
"""What Azure takes as the name of a resource, where that is not what it takes for most of them."""


def plan_azure(host: str, settings: Mapping[str, Any], graph: Mapping[str, Any], hostvars: Mapping[str, Any]) -> Json:
    """Return names, ids, prefixes, rules and resources, and ``mistakes``, of which there must be none.

    Args:
        host: name of the proxy in the inventory.
        settings: the role's variables without their prefix.
        graph: the topology.
        hostvars: variables of the other proxies in Azure.
    """
    others = {
        name: chain_hostvars.read(hostvars, name, _OF_OTHERS)
        for name, proxy in graph["proxies"].items()
        if proxy["kind"] == "azure" and name != host
    }
    return _Planner(host, settings, graph, others).build()


class _Planner:
    def __init__(
        self, host: str, settings: Mapping[str, Any], graph: Mapping[str, Any], others: Mapping[str, Json]
    ) -> None:
        self._host = host
        # Until ansible-core 2.19 a number that went through a template is text.
        self._settings = {**settings, "capacity": int(settings["capacity"])}
        self._proxy = graph["proxies"][host]
        self._others = others
        # What comes through the tunnel of a site in another cloud comes past the site's own device.
        self._tunnelled = [
            IPv4Network(prefix)
            for tunnel in graph["tunnels"].values()
            if tunnel["proxy"] == host
            for prefix in tunnel["prefixes"]
        ]
        self._mistakes: list[str] = []

    def build(self) -> Json:
        self._check_place()
        azure_values.check_existing(self._settings, self._mistake)
        found: Json = {"names": self._names(), "location": azure_names.region(self._settings["location"])}
        found["ids"] = _ids(self._settings, found["names"], found["location"])
        if self._settings["protect"] and self._settings["state"] == "absent":
            self._say("azure_proxy_protect is set, so that it is not removed; set it to false in the inventory first")
        # What is wrong with what is built does not keep it from being removed.
        of_place = list(self._mistakes)
        self._check_others(found["names"]["vnet"])
        self._read_lists()
        azure_values.check(self._settings, self._mistake)
        if not self._settings["ssh_public_keys"]:
            self._say("azure_proxy_ssh_public_keys is empty; Azure wants one key at least, even if nobody uses it")
        instances.check(self._settings, self._mistake)
        self._check_what_azure_cannot_do()
        found["sources"] = list(self._sources())
        found |= self._addresses()
        found["site_prefixes"] = self._check_far_side(found)
        found["port"] = self._proxy["port"]
        found["rules"] = _rules(found, self._settings)
        found["scale_set"] = scale_set.body(self._settings, found["ids"], found["location"])
        found["zones"] = {
            "nat_address": azure_values.zones_of_address(self._settings),
            "frontend": azure_values.zones_of_address(self._settings),
            "gateway_address": azure_values.zones_of_gateway(self._settings),
        }
        allowed = azure_values.storage_sources(self._settings["storage_allowed_networks"], self._mistake)
        found["storage_rules"] = [{"value": each, "action": "Allow"} for each in allowed]
        found |= parts.parts(self._settings, found)
        found["custom_data"] = scale_set.custom_data(self._settings)
        self._check_custom_data(len(found["custom_data"].encode()))
        endpoint = self._settings["probed"][0]
        # Of a wildcard nobody knows a name that there is.
        found["probe"] = {"endpoint": endpoint, "sure": endpoint in self._settings["endpoints"]}
        found["configuration"] = scale_set.mark(found["scale_set"], found["custom_data"])
        found["notes"] = summary.notes(self._settings, found)
        found["mistakes"] = of_place if self._settings["state"] == "absent" else self._mistakes
        # As if nothing of it were there.
        found["summary"] = [] if self._mistakes else decisions.decide(self._host, found, [], [])["summary"]
        return found

    def _check_custom_data(self, size: int) -> None:
        if size > scale_set.MOST_CUSTOM_DATA:
            self._say(
                f"its custom data would have {size} bytes, and Azure takes {scale_set.MOST_CUSTOM_DATA}; set squid_acl_layout to "
                "combined, or use several proxies"
            )

    def _say(self, problem: str) -> None:
        self._mistakes.append(f"{self._host}: {problem}.")

    def _mistake(self, variable: str, value: object, problem: str) -> None:
        name = variable if variable.startswith("squid_") else f"azure_proxy_{variable}"
        self._mistakes.append(sentence(self._host, name, str(value), problem))

    def _names(self) -> dict[str, str]:
        name = self._settings["name"]
        unique = hashlib.sha256(
            f"{self._settings['subscription_id']}/{self._settings['resource_group']}/{name}".encode()
        ).hexdigest()[:16]
        names = {
            "workspace": f"{name}-logs",
            "storage_account": f"otproxy{unique}",
            "vnet": _VNET,
            "security_group": f"{name}-nsg",
            "nat_gateway": f"{name}-nat",
            "nat_address": f"{name}-nat-ip",
            "load_balancer": f"{name}-lb",
            "scale_set": name,
            "flow_log": f"{name}-flow",
            **azure_names.gateway_names(name),
            "gateway_address_2": f"{name}-gateway-ip-2",
            "site": f"{name}-site",
            "peering": f"{name}-hub",
        }
        for key, value in self._settings["names"].items():
            if key not in names:
                self._mistake("names", key, f"is not the name of a resource; known are {', '.join(names)}")
            names[key] = str(value)
        names["scale_set_2"] = f"{names['scale_set'][:62]}-2"
        for key, value in names.items():
            pattern, rule = _NAMES.get(key, _NAME)
            # What is given needs no name.
            if not pattern.fullmatch(value) and not self._settings.get(f"{key}_id"):
                problem = (
                    f"is not a name that Azure takes for {key}, which has {rule}; give it another by the key {key}"
                )
                self._mistake("names", value, problem)
        return names

    def _check_place(self) -> None:
        settings = self._settings
        for variable in ("subscription_id", "resource_group", "location"):
            if not settings[variable]:
                self._say(f"azure_proxy_{variable} is not set")
        if settings["subscription_id"] and not azure_values.GUID.fullmatch(settings["subscription_id"]):
            self._mistake("subscription_id", settings["subscription_id"], "is not the number of a subscription")
        if settings["resource_group"] and not _GROUP.fullmatch(settings["resource_group"]):
            self._mistake("resource_group", settings["resource_group"], "is not a name that Azure takes")

    def _check_others(self, vnet: str) -> None:
        """A VNET that the role creates belongs to one proxy."""
        if self._settings["vnet_id"] or self._settings["subnet_id"]:
            return
        group, subscription = self._settings["resource_group"], self._settings["subscription_id"]
        mine = (group, subscription, vnet)
        for other, values in self._others.items():
            if values.get("azure_proxy_vnet_id") or values.get("azure_proxy_subnet_id"):
                continue
            theirs = (
                values.get("azure_proxy_resource_group", ""),
                values.get("azure_proxy_subscription_id", subscription),
                (values.get("azure_proxy_names") or {}).get("vnet", _VNET),
            )
            if group and [str(each).lower() for each in mine] == [str(each).lower() for each in theirs]:
                problem = (
                    f"is the VNET of {other} too, in the same resource group '{group}'; give one of them another by the key "
                    "vnet, or a resource group of its own"
                )
                self._mistake("names", vnet, problem)

    def _read_lists(self) -> None:
        """Text is a list of its characters for whoever goes through it."""
        for variable in azure_values.LISTS:
            value = self._settings[variable]
            if isinstance(value, str):
                self._mistake(variable, value, "is text; write a list, with '- ' before each of its elements")
                self._settings[variable] = []

    def _check_what_azure_cannot_do(self) -> None:
        """Custom data is no place for secrets, and the role brings nothing else to an instance than it."""
        if self._proxy["tls_port"]:
            self._mistake("squid_tls_port", self._proxy["tls_port"], "cannot be had in Azure; leave it at 0")
        if self._settings["auth_enabled"]:
            self._mistake(
                "squid_auth_enabled", True, "cannot be had in Azure, whose custom data is no place for passwords"
            )
        for parent in self._proxy["parents"]:
            if parent["username"]:
                problem = "wants a sign-in, which cannot be had in Azure, whose custom data is no place for passwords"
                self._mistake("squid_parents", parent["name"], problem)
            if parent["tls_ca"]:
                problem = "has a tls_ca, which cannot be had in Azure, where nobody brings the file to an instance"
                self._mistake("squid_parents", parent["name"], problem)
        if self._settings["remote_syslog_host"]:
            problem = "cannot be had in Azure, whose instances get no rsyslog configuration; leave it empty"
            self._mistake("squid_remote_syslog_host", self._settings["remote_syslog_host"], problem)
        listening = self._settings["listen_addresses"]
        if listening:
            problem = "cannot be had in Azure, where an instance has any address of the subnet; leave it empty"
            shown = listening if isinstance(listening, str) else ", ".join(map(str, listening))
            self._mistake("squid_listen_addresses", shown, problem)
        if self._settings["firewall"] != "none":
            self._mistake(
                "squid_firewall", self._settings["firewall"], "is done by the security group in Azure; use 'none'"
            )

    def _sources(self) -> Iterator[str]:
        """The clients' IPv4 addresses; the VNET has no others."""
        seen = set()
        for client in self._proxy["clients"]:
            addresses = [each for each in client["addresses"] if ip_address(each).version == 4]
            if not addresses:
                self._say(f"its client {client['name']} has no IPv4 address, and the VNET has no IPv6")
            for address in addresses:
                if address not in seen:
                    seen.add(address)
                    yield address

    def _addresses(self) -> Json:
        settings = self._settings
        static = settings["frontend_allocation"] == "static"
        frontend = next(iter(self._proxy["addresses"]), "") if static else ""
        found: Json = {"prefixes": {}, "frontend": frontend}
        if settings["subnet_id"]:
            return {**found, "prefixes": self._prefixes_of_others(frontend if static else "")}
        vnet = None
        if not settings["address_prefix"]:
            self._say("azure_proxy_address_prefix is not set")
        else:
            vnet = azure_addresses.network_of("address_prefix", settings["address_prefix"], self._mistake)
        if vnet is None:
            return found
        subnets = azure_addresses.subnets_of(vnet, settings, settings["bastion"], self._mistake)
        found["prefixes"] = {"vnet": str(vnet), **{key: str(network) for key, network in subnets.items()}}
        subnet = subnets.get("proxy_subnet")
        if subnet is not None:
            self._check_proxy_subnet(subnet, frontend)
        return found

    def _prefixes_of_others(self, frontend: str) -> dict[str, str]:
        """The subnet is there; what it is called in the inventory is compared with it later."""
        settings = self._settings
        if settings["vnet_id"]:
            self._mistake(
                "vnet_id", settings["vnet_id"], "is the VNET of azure_proxy_subnet_id already; give one of them"
            )
        if settings["route_table_id"]:
            self._mistake(
                "route_table_id",
                settings["route_table_id"],
                "cannot be given to azure_proxy_subnet_id, which stays as it is",
            )
        if settings["gateway"] != "none" and not settings["gateway_id"]:
            problem = (
                "cannot be built in the VNET of azure_proxy_subnet_id; set it to none, or give azure_proxy_gateway_id"
            )
            self._mistake("gateway", settings["gateway"], problem)
        found = {}
        for key in ("proxy_subnet", "bastion_subnet")[: 2 if settings["bastion"] else 1]:
            if not settings[key]:
                self._say(f"azure_proxy_{key} is not set, and azure_proxy_subnet_id needs the network that it has")
            elif network := azure_addresses.network_of(key, settings[key], self._mistake):
                found[key] = network
        if "proxy_subnet" in found:
            self._check_proxy_subnet(found["proxy_subnet"], frontend)
        return {key: str(network) for key, network in found.items()}

    def _check_proxy_subnet(self, subnet: IPv4Network, frontend: str) -> None:
        settings = self._settings
        if settings["frontend_allocation"] == "static":
            azure_addresses.check_frontend("squid_addresses", frontend, subnet, self._mistake)
        # An upgrade and overprovisioning may have twice the instances for a while; the load balancer has one address.
        needed = 2 * settings["capacity"] + 1
        if subnet.num_addresses - azure_addresses.RESERVED < needed:
            self._mistake(
                "proxy_subnet",
                subnet,
                f"is too small for {settings['capacity']} instances; it needs {needed} addresses",
            )

    def _check_far_side(self, found: Json) -> list[str]:
        """Return the networks of the site as Azure shows them."""
        settings = self._settings
        sites = [
            network
            for value in settings["site_prefixes"]
            if (network := azure_addresses.network_of("site_prefixes", value, self._mistake))
        ]
        if settings["gateway"] == "local_network":
            self._check_site(sites, found["sources"])
        place = found["prefixes"].get("vnet") or found["prefixes"].get("proxy_subnet")
        if place:
            vnet = IPv4Network(place)
            azure_addresses.check_far_side("site_prefixes", sites, vnet, self._mistake)
            for source in found["sources"]:
                if IPv4Address(source) in vnet:
                    self._say(
                        f"the address {source} of a client lies in the VNET {vnet}, so that answers would not leave it"
                    )
        return [str(site) for site in sites]

    def _check_site(self, sites: list[IPv4Network], sources: list[str]) -> None:
        settings = self._settings
        problem = azure_values.shared_key_problem(settings["shared_key"])
        if problem:
            self._say(f"azure_proxy_shared_key {problem}")
        if not settings["site_prefixes"]:
            self._say("azure_proxy_site_prefixes is empty; name the networks behind the site's VPN device")
        try:
            IPv4Address(settings["site_address"])
        except ValueError:
            self._mistake("site_address", settings["site_address"], "is not the IPv4 address of the site's VPN device")
        for source in sources:
            if sites and not any(IPv4Address(source) in network for network in (*sites, *self._tunnelled)):
                self._mistake(
                    "site_prefixes", ", ".join(map(str, sites)), f"has no network with {source}, a client of this proxy"
                )


def _ids(settings: Mapping[str, Any], names: Mapping[str, str], location: str) -> dict[str, str]:
    group, network = azure_names.group_id(settings), azure_names.network_id(settings)
    workspace = f"{group}/providers/Microsoft.OperationalInsights/workspaces/{names['workspace']}"
    storage_account = f"{group}/providers/Microsoft.Storage/storageAccounts/{names['storage_account']}"
    own_vnet = f"{network}/virtualNetworks/{names['vnet']}"
    vnet = settings["subnet_id"].rpartition("/subnets/")[0] or settings["vnet_id"] or own_vnet
    gateway_ids = azure_names.gateway_ids(network, names)
    hub = settings["hub_vnet_id"]
    return {
        "resource_group": group,
        "workspace": settings["workspace_id"] or workspace,
        "storage_account": settings["storage_account_id"] or storage_account,
        "vnet": vnet,
        "gateway_subnet": f"{vnet}/subnets/GatewaySubnet",
        "proxy_subnet": settings["subnet_id"] or f"{vnet}/subnets/ProxyserverSubnet",
        "bastion_subnet": f"{vnet}/subnets/AzureBastionSubnet",
        "security_group": f"{network}/networkSecurityGroups/{names['security_group']}",
        "nat_address": f"{network}/publicIPAddresses/{names['nat_address']}",
        "nat_gateway": f"{network}/natGateways/{names['nat_gateway']}",
        "load_balancer": f"{network}/loadBalancers/{names['load_balancer']}",
        "scale_set": f"{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{names['scale_set']}",
        "scale_set_2": f"{group}/providers/Microsoft.Compute/virtualMachineScaleSets/{names['scale_set_2']}",
        **gateway_ids,
        "gateway": settings["gateway_id"] or gateway_ids["gateway"],
        "site": f"{network}/localNetworkGateways/{names['site']}",
        "connection": f"{network}/connections/{names['site']}",
        "gateway_address_2": f"{network}/publicIPAddresses/{names['gateway_address_2']}",
        "route_table": settings["route_table_id"],
        "hub_vnet": hub,
        "hub_peering": f"{hub}/virtualNetworkPeerings/{names['peering']}" if hub else "",
        "peering": f"{vnet}/virtualNetworkPeerings/{names['peering']}" if hub else "",
        "flow_log": (
            f"/subscriptions/{settings['subscription_id']}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network"
            f"/networkWatchers/NetworkWatcher_{location}/flowLogs/{names['flow_log']}"
        ),
    }


def _rules(found: Json, settings: Mapping[str, Any]) -> list[Json]:
    """The security group's rules, as azure_rm_securitygroup takes them; priorities are the vendor's."""
    subnet = found["prefixes"].get("proxy_subnet")
    inbound = {"direction": "Inbound"}
    rules = []
    if found["sources"]:
        # Behind the load balancer a packet carries the address of the instance.
        targets = [f"{found['frontend']}/32"] if found["frontend"] else []
        rules.append(
            {
                **inbound,
                "name": "sensors",
                "priority": 100,
                "access": "Allow",
                "protocol": "Tcp",
                "source_address_prefix": [f"{source}/32" for source in found["sources"]],
                "destination_address_prefix": [*targets, subnet],
                "destination_port_range": str(found["port"]),
            }
        )
    if settings["bastion"]:
        rules.append(
            {
                **inbound,
                "name": "bastion-ssh",
                "priority": 4094,
                "access": "Allow",
                "protocol": "Tcp",
                "source_address_prefix": found["prefixes"].get("bastion_subnet"),
                "destination_address_prefix": subnet,
                "destination_port_range": "22",
            }
        )
    balancer = {
        "name": "load-balancer",
        "priority": 4095,
        "access": "Allow",
        "source_address_prefix": "AzureLoadBalancer",
    }
    rules.append({**inbound, **balancer, "protocol": "*"})
    rules.append({**inbound, "name": "deny-all", "priority": 4096, "access": "Deny", "protocol": "*"})
    return rules
