# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done in AWS, which makes the keys and says to which addresses Azure connects. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .found import Json, Tally, lacking


def steps(tally: Tally, far: Mapping[str, Any], found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """Return the steps, and in ``tunnels`` what Azure has to know."""
    address = wanted["azure"]["address"]
    # For the same address AWS gives no second customer gateway, so that somebody else's has to do; ours is preferred.
    ends = [one for one in found["customer_gateways"] if one["ip_address"] == address]
    ends.sort(key=lambda one: not tally.is_ours(one["tags"]))
    gateway = _gateway(tally, far, found["gateways"])
    unknown = sorted(set(far["route_tables"]) - {one["route_table_id"] for one in found["tables"]})
    if unknown:
        # For one that is not there the module would make another one.
        said = f"multicloud_aws_route_tables has {', '.join(unknown)}, and the VPC {far['vpc']} has no such route table"
        tally.refuse(said)
    all_named = [one for one in found["connections"] if one["tags"].get("Name") == far["name"]]
    ours = [one for one in all_named if tally.own(_connection(one), one["tags"])]
    # A connection cannot be given other ends.
    known = [one["customer_gateway_id"] for one in ends]
    kept = [one for one in ours if one["customer_gateway_id"] in known and one.get("vpn_gateway_id") == gateway]
    old = [one for one in ours if one not in kept]
    customer = str((kept or ends or [{}])[0].get("customer_gateway_id", ""))
    attached = any(_attached_to(one) == far["vpc"] for one in found["gateways"] if one["vpn_gateway_id"] == gateway)
    steps: Json = {
        "customer_gateway": customer,
        "gateway": gateway,
        "attach": not attached,
        "old": [one["vpn_connection_id"] for one in old],
        "connection": kept[0]["vpn_connection_id"] if kept else "",
        "connect": not kept
        or {one["destination_cidr_block"] for one in kept[0].get("routes", [])} != set(far["routes"]),
        "forget": _own_addresses(tally, far, found, but=address),
        "tables": [
            one["route_table_id"]
            for one in found["tables"]
            if one["route_table_id"] in far["route_tables"]
            and gateway not in [each["gateway_id"] for each in one.get("propagating_vgws", [])]
        ],
        "tags": _tags(tally, far, [*ends, *found["gateways"], *kept]),
    }
    _say(tally, far, steps, attached)
    return {**steps, **_tunnels(tally, far, kept, wanted)}


def _say(tally: Tally, far: Mapping[str, Any], steps: Json, attached: bool) -> None:
    if not steps["customer_gateway"]:
        tally.create(f"the customer gateway {far['name']} in AWS")
    if not attached:
        verb = tally.change if steps["gateway"] else tally.create
        verb(f"the virtual private gateway {far['name']} in AWS, at the VPC {far['vpc']}")
    tally.lines += [f"remove the VPN connection {one} in AWS, whose ends have changed" for one in steps["old"]]
    if not steps["connection"]:
        tally.create(f"the VPN connection {far['name']} in AWS, with its two connections in Azure")
    elif steps["connect"]:
        tally.change(f"the routes of the VPN connection {steps['connection']} in AWS")
    tally.lines += [f"remove the customer gateway {far['name']} of {one} in AWS" for one in steps["forget"]]
    tally.lines += [f"change the route table {one} in AWS, which learns the way to Azure" for one in steps["tables"]]
    tally.lines += [f"change the tags of {one['id']} in AWS" for one in steps["tags"]]


def _gateway(tally: Tally, far: Mapping[str, Any], gateways: list[Json]) -> str:
    """Return the id of the virtual private gateway; a VPC can have one."""
    found = [one for one in gateways if one["resource_tags"].get("Name") == far["name"]]
    ours = [one for one in found if tally.own(_virtual(one), one["resource_tags"])]
    for one in gateways:
        if one not in found and _attached_to(one) == far["vpc"]:
            said = f"the VPC {far['vpc']} has the virtual private gateway {one['vpn_gateway_id']}, which this role did not make"
            tally.refuse(f"{said}, and AWS attaches no second one")
    return str(ours[0]["vpn_gateway_id"]) if ours else ""


def _attached_to(gateway: Json) -> str:
    found = [one["vpc_id"] for one in gateway.get("vpc_attachments", []) if one["state"] in ("attaching", "attached")]
    return str(found[0]) if found else ""


def _tags(tally: Tally, far: Mapping[str, Any], things: list[Json]) -> list[Json]:
    """Return what our own things lack; other tags are left alone."""
    found = []
    for one in things:
        tags = one.get("resource_tags") or one["tags"]
        names = ("vpn_connection_id", "vpn_gateway_id", "customer_gateway_id")
        if tally.is_ours(dict(tags)) and lacking(tags, far["tags"]):
            found.append({"id": next(one[name] for name in names if name in one), "tags": lacking(tags, far["tags"])})
    return found


def _own_addresses(tally: Tally, far: Mapping[str, Any], found: Mapping[str, Any], but: str = "") -> list[str]:
    """Return the addresses of our customer gateways; the module removes by nothing else, and takes whichever has it."""
    gateways = found["customer_gateways"]
    ours = [one for one in gateways if tally.is_ours(one["tags"]) and one["ip_address"] != but]
    addresses = [one["ip_address"] for one in gateways]
    return [one["ip_address"] for one in ours if addresses.count(one["ip_address"]) == 1]


def _tunnels(tally: Tally, far: Mapping[str, Any], connections: list[Json], wanted: Mapping[str, Any]) -> Json:
    if not connections:
        return {"tunnels": [], "renew": [], "up": []}
    (connection, *_others) = connections
    # In an order that stays.
    options = sorted(connection["options"]["tunnel_options"], key=lambda one: str(one["outside_ip_address"]))
    names = {one["outside_ip_address"]: f"{far['name']}-{number}" for number, one in enumerate(options, 1)}
    tunnels = [
        {
            "name": names[one["outside_ip_address"]],
            "address": one["outside_ip_address"],
            "key": one.get("pre_shared_key", ""),
        }
        for one in options
    ]
    if not all(one["key"] for one in tunnels):
        tally.refuse(f"AWS does not show the keys of the VPN connection {connection['vpn_connection_id']}")
    seen = connection.get("vgw_telemetry", [])
    up = [
        names[one["outside_ip_address"]]
        for one in seen
        if one.get("status") == "UP" and one["outside_ip_address"] in names
    ]
    renew = [
        {"name": one["name"], "address": one["address"], "is_up": one["name"] in up}
        for one in tunnels
        if wanted["rotate"]
    ]
    tally.lines += [f"change the key of the tunnel {one['name']}, in AWS and then in Azure" for one in renew]
    # What is down already comes first.
    return {"tunnels": tunnels, "renew": sorted(renew, key=lambda one: bool(one["is_up"])), "up": up}


def removed(tally: Tally, far: Mapping[str, Any], found: Mapping[str, Any]) -> Json:
    """Return ids of connections and gateways, and addresses of customer gateways."""
    name = far["name"]
    customers = _own_addresses(tally, far, found)
    for one in found["customer_gateways"]:
        what = f"the customer gateway {one['customer_gateway_id']} ({one['ip_address']}) in AWS"
        if one["ip_address"] in customers:
            tally.lines.append(f"remove {what}")
        elif tally.is_ours(one["tags"]) or one["tags"].get("Name") == name:
            tally.stays.append(f"keep {what}, which may be somebody else's")
    tally.stays.append(f"keep the VPC {far['vpc']} and its route tables in AWS")
    return {
        "connections": [
            one["vpn_connection_id"]
            for one in found["connections"]
            if one["tags"].get("Name") == name and tally.remove(_connection(one), one["tags"])
        ],
        "gateways": [
            one["vpn_gateway_id"]
            for one in found["gateways"]
            if one["resource_tags"].get("Name") == name and tally.remove(_virtual(one), one["resource_tags"])
        ],
        "customer_gateways": customers,
    }


def _connection(one: Json) -> str:
    return f"the VPN connection {one['vpn_connection_id']} in AWS"


def _virtual(one: Json) -> str:
    return f"the virtual private gateway {one['vpn_gateway_id']} in AWS"
