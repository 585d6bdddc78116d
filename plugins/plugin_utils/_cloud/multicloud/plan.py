# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role multicloud builds for one site in another cloud: both ends from one declaration, and every mistake in it.

Private to this collection. Nothing here talks to a cloud.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

from ..._chain.inventory import sentence
from ..._roles import arguments
from .. import connectivity
from ..azure import names as azure_names
from ..azure import values as azure_values
from . import expressroute, google, ipsec
from . import found as multicloud_found

Json = dict[str, Any]

CLOUDS = ("aws", "google")
"""Where the role can build the other end of a VPN."""

METHODS = {
    "public": "public addresses over the internet; nothing is built",
    "vpn": "two VPN tunnels to Azure",
    "expressroute_customer": "an ExpressRoute circuit between the site's own routers and Azure",
    "expressroute_provider": "an ExpressRoute circuit whose routers are a cloud exchange provider's",
}

TUNNELS = (1, 2)
"""Numbers of a VPN's tunnels; both are used."""

_FAR_SIDE = {
    "aws": ("aws_region", "aws_vpc", "aws_route_tables"),
    "google": ("google_project", "google_region", "google_network"),
}
_EC2_ID = "-([0-9a-f]{8}|[0-9a-f]{17})"
_FORMS = {
    "aws_region": ("[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}", "region of AWS such as eu-central-1"),
    "aws_vpc": (f"vpc{_EC2_ID}", "id of a VPC such as vpc-0123456789abcdef0"),
    "aws_route_tables": (f"rtb{_EC2_ID}", "id of a route table such as rtb-0123456789abcdef0"),
    "google_project": (
        "([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "id of a project in Google Cloud, as it is in its links",
    ),
    "google_region": ("[a-z]+-[a-z]+[0-9]{1,2}", "region of Google Cloud such as europe-west3, without a zone"),
    "google_network": ("[a-z]([a-z0-9-]{0,61}[a-z0-9])?", "name of a network in Google Cloud"),
}
# Azure has no local network gateway for them ("Virtual network FAQ": address ranges that cannot be used).
_UNUSABLE = tuple(
    map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "224.0.0.0/4", "240.0.0.0/4"))
)
_TAGS_OF_OURS = (multicloud_found.OWNER, multicloud_found.TUNNEL)
# Azure and AWS take 50 each, of which the role needs two.
_MOST_TAGS = 48
_TEXTS = ("cloud", "proxy", *_FAR_SIDE["aws"][:2], *_FAR_SIDE["google"])
_NEEDED_OF_PROXY = ("subscription_id", "resource_group", "location", "name")
_TEXTS_OF_PROXY = (*_NEEDED_OF_PROXY, "address_prefix", "subnet_id", "proxy_subnet", "gateway_id")
_TEXT = "is not a text; put a number in quotes"
# Google is the strictest of the three about names.
# The longest that is made of it is a route of Google, which has 63 characters at most: plant-1-255-255-255-255-32.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")


def plan_connections(host: str, settings: Mapping[str, Any], graph: Mapping[str, Any]) -> Json:
    """Return the method and what it takes at both ends, and ``mistakes``, of which there must be none.

    Args:
        host: name of the site in the inventory.
        settings: the role's variables without their prefix; ``azure`` holds those of the proxy in Azure. The plan has no
            ``shared_key``.
        graph: the topology.
    """
    return _Planner(host, settings, graph).build()


class _Planner:
    def __init__(self, host: str, settings: Mapping[str, Any], graph: Mapping[str, Any]) -> None:
        self._host = host
        self._settings = settings
        # Of a subnet of others, its network is all that is known of where the proxy is.
        self._place = "proxy_subnet" if settings["azure"]["subnet_id"] else "address_prefix"
        self._azure = settings["azure"]
        # Those that are no networks, the topology has named already.
        self._prefixes = graph["tunnels"].get(host, {"prefixes": []})["prefixes"]
        self._mistakes: list[str] = []

    def build(self) -> Json:
        settings = self._settings
        choice = connectivity.choose(self._host, settings["needs"], settings["method"])
        self._mistakes += choice.mistakes
        found: Json = {"method": choice.method, "mistakes": self._mistakes, "azure": {}, "far": {}, "handover": {}}
        if not choice.method:
            return {**found, "summary": []}
        found["summary"] = [f"{self._host}: {METHODS[choice.method]}", *choice.reasons, *choice.contradictions]
        if choice.method == "public":
            return found
        self._check_types()
        # What is of another type can be asked nothing else.
        if self._mistakes:
            return found
        self._check_common()
        settings = {**settings, "azure": {**self._azure, "address_prefix": self._azure[self._place]}}
        if choice.method == "vpn":
            self._check_vpn()
            if not self._mistakes:
                found |= _vpn(settings, self._prefixes)
        else:
            for variable, value, problem in expressroute.problems(settings, choice.method):
                self._mistake(variable, value, problem)
            if not self._mistakes:
                found |= expressroute.plan_circuits(settings, choice.method, azure_ids(self._azure))
        return found

    def _say(self, problem: str) -> None:
        self._mistakes.append(f"{self._host}: {problem}.")

    def _mistake(self, variable: str, value: object, problem: str) -> None:
        self._mistakes.append(sentence(self._host, f"multicloud_{variable}", value, problem))

    def _check_types(self) -> None:
        """A role's argument specification takes text for a list or a mapping too, and anything for text."""
        settings = self._settings
        for variable in _TEXTS:
            if not _is_text(settings[variable]):
                self._mistake(variable, settings[variable], _TEXT)
        for variable in ("prefixes", "aws_route_tables"):
            if not _is_list_of_texts(settings[variable]):
                self._mistake(variable, settings[variable], "is not a list of texts")
        for variable in ("ipsec", "expressroute"):
            if not isinstance(settings[variable], Mapping):
                self._mistake(variable, settings[variable], "is not a mapping")
        if not _is_mapping_of_texts(settings["tags"]):
            self._mistake("tags", settings["tags"], "is not a mapping of texts")
        for variable in _TEXTS_OF_PROXY:
            if not _is_text(self._azure[variable]):
                self._mistake_of_proxy(variable, _TEXT)
        if not _is_mapping_of_texts(self._azure["names"]):
            self._mistake_of_proxy("names", "is not a mapping of texts")

    def _mistake_of_proxy(self, variable: str, problem: str) -> None:
        whose = f"azure_proxy_{variable} of {self._settings['proxy']}"
        self._mistakes.append(sentence(self._host, whose, self._azure[variable], problem))

    def _check_common(self) -> None:
        settings = self._settings
        if not _NAME.fullmatch(str(settings["name"])):
            problem = "is no name that every cloud takes: up to 42 lower case letters, digits and '-', a letter first"
            self._mistake("name", settings["name"], problem)
        self._check_tags()
        if not settings["proxy"]:
            self._say("multicloud_proxy is not set; name the proxy in Azure that its sensors use")
            return
        # Whether it is a proxy in Azure, the topology has said already.
        for variable in (*_NEEDED_OF_PROXY, self._place):
            if not self._azure[variable]:
                self._say(f"azure_proxy_{variable} of {settings['proxy']} is not set")
        gateway, subscription = self._azure["gateway_id"], self._azure["subscription_id"]
        if gateway and (problem := azure_values.id_problem("gateway", gateway, subscription)):
            self._mistake_of_proxy("gateway_id", problem)
        vnet = _network(self._azure[self._place])
        if vnet is None and self._azure[self._place]:
            problem = "is not an IPv4 network such as 10.60.0.0/26, whose host bits are zero"
            self._mistake_of_proxy(self._place, problem)
        for prefix in self._prefixes:
            if any(IPv4Network(prefix).overlaps(network) for network in _UNUSABLE):
                self._mistake("prefixes", prefix, "holds addresses that no network behind a gateway of Azure can have")
            if vnet and vnet.overlaps(IPv4Network(prefix)):
                self._mistake("prefixes", prefix, f"overlaps the VNET {vnet} of {settings['proxy']}")
            for network in self._behind_the_device():
                if network.overlaps(IPv4Network(prefix)):
                    whose = f"{network} of azure_proxy_site_prefixes of {settings['proxy']}"
                    self._mistake("prefixes", prefix, f"overlaps {whose}, where the site's VPN device leads")

    def _check_tags(self) -> None:
        """Azure gets them in every case, AWS as tags and Google as labels."""
        tags = self._settings["tags"]
        if len(tags) > _MOST_TAGS:
            self._say(f"multicloud_tags has {len(tags)} tags; {_MOST_TAGS} are the most")
        for name, value in tags.items():
            problem = _tag_problem(name, value, self._settings["cloud"])
            if problem:
                self._mistake("tags", name, problem)
        spelt = [name.lower() for name in tags]
        twice = sorted({name for name in tags if spelt.count(name.lower()) > 1})
        if twice:
            self._mistake("tags", ", ".join(twice), "is one tag for Azure, which compares names without case")

    def _behind_the_device(self) -> list[IPv4Network]:
        """Networks into which Azure's gateway has a tunnel already; what is wrong with them, the proxy's own plan says."""
        variable = "azure_proxy_site_prefixes"
        if self._azure["gateway"] != "local_network":
            return []
        try:
            given = arguments.convert(
                variable, arguments.options("azure_proxy")[variable], self._azure["site_prefixes"]
            )
        except ValueError:
            return []
        return [network for value in given if (network := _network(value))]

    def _check_vpn(self) -> None:
        settings = self._settings
        cloud = settings["cloud"]
        if settings["proxy"] and self._azure["gateway"] not in ("vpn", "local_network"):
            problem = f"has azure_proxy_gateway {self._azure['gateway']!r}, and a VPN needs 'vpn'"
            self._mistake("proxy", settings["proxy"], problem)
        if cloud not in CLOUDS:
            problem = f"is no cloud in which the role can build the other end of a VPN; these are {', '.join(CLOUDS)}"
            self._mistake("cloud", cloud, problem)
            return
        for variable in _FAR_SIDE[cloud]:
            if not settings[variable]:
                self._say(f"multicloud_{variable} is not set")
            form, what = _FORMS[variable]
            values = settings[variable] if isinstance(settings[variable], list) else filter(None, [settings[variable]])
            for value in values:
                if not re.fullmatch(form, value):
                    self._mistake(variable, value, f"is no {what}")
        for value, problem in ipsec.problems(cloud, settings["ipsec"]):
            self._mistake("ipsec", value, problem)
        # AWS makes its own keys, and nobody needs one to remove a tunnel.
        problem = azure_values.shared_key_problem(settings["shared_key"])
        if problem and cloud == "google" and settings["state"] == "present":
            self._say(f"multicloud_shared_key {problem}")


def azure_ids(azure: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids of what the role azure_proxy has built or was given, and the folder of all that belongs to the network.

    A gateway that it was given has its address wherever others have put it, which is empty here.
    """
    network = azure_names.network_id(azure)
    names = {**azure_names.gateway_names(azure["name"]), **azure["names"]}
    given = {"gateway": azure["gateway_id"], "gateway_address": ""} if azure["gateway_id"] else {}
    return {"network": network, **azure_names.gateway_ids(network, names), **given}


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text)
    except ValueError:
        return None


def _tag_problem(name: str, value: str, cloud: str) -> str:
    """Return what a cloud has against a tag, empty for nothing."""
    if name.lower() in _TAGS_OF_OURS:
        return "is the role's own tag"
    # Azure's resource manager: "Use tags to organize your Azure resources", limitations.
    if not name or len(name) > 512 or len(value) > 256 or re.search(r"[<>%&\\?/\x00-\x1f]", name):
        return (
            "is no tag that Azure takes: a name of 1 to 512 characters without < > % & \\ ? / and a value of up to 256"
        )
    # Google Cloud: "Labels overview", requirements for labels.
    if cloud == "google" and not (
        re.fullmatch("[a-z][a-z0-9_-]{0,62}", name) and re.fullmatch("[a-z0-9_-]{0,63}", value)
    ):
        return "is no label that Google takes: up to 63 lower case letters, digits, '_' and '-' in name and value, a letter first"
    if cloud != "aws":
        return ""
    if name.lower().startswith("aws:") or name == "Name":
        return "is a tag that AWS or the role itself sets"
    # EC2: "Tag your Amazon EC2 resources", tag restrictions.
    if len(name) > 128 or not re.fullmatch(r"[\w .:/=+@-]*", name + value):
        return "is no tag that AWS takes: a name of up to 128 characters, and letters, digits, blanks and . : / = + - @ _ in both"
    return ""


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_mapping_of_texts(value: object) -> bool:
    return isinstance(value, Mapping) and _is_list_of_texts([*value.keys(), *value.values()])


def _vpn(settings: Mapping[str, Any], prefixes: Iterable[str]) -> Json:
    """Both ends. What one of them sends into the tunnels is what the other one has."""
    name, azure = settings["name"], settings["azure"]
    ids = azure_ids(azure)
    here = [str(IPv4Network(azure["address_prefix"]))]
    tunnels = [f"{name}-{number}" for number in TUNNELS]
    near = {
        "location": azure_names.region(azure["location"]),
        "gateway": ids["gateway"],
        "gateway_address": ids["gateway_address"],
        "local_gateways": f"{ids['network']}/localNetworkGateways",
        "connections": f"{ids['network']}/connections",
        "remote": sorted(set(prefixes)),
        "policy": ipsec.policy(settings["ipsec"]),
        "tags": multicloud_found.tags(settings),
        "tunnels": tunnels,
    }
    return {"azure": near, "far": _FAR[settings["cloud"]](settings, here, tunnels)}


def _aws(settings: Mapping[str, Any], routes: list[str], _tunnels: list[str]) -> Json:
    name = settings["name"]
    return {
        "region": settings["aws_region"],
        "vpc": settings["aws_vpc"],
        "route_tables": settings["aws_route_tables"],
        "routes": routes,
        "name": name,
        "tags": {**multicloud_found.tags(settings), "Name": name},
    }


def _google(settings: Mapping[str, Any], routes: list[str], tunnels: list[str]) -> Json:
    return {
        "project": settings["google_project"],
        "region": settings["google_region"],
        "network": settings["google_network"],
        "remote": routes,
        "tunnels": tunnels,
        "labels": dict(settings["tags"]),
        "description": google.description(settings["name"]),
    }


_FAR = {"aws": _aws, "google": _google}
