# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS of sites that do not exist, for tests of the report and its screenshots; each call gives the same."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

NOW = datetime(2026, 11, 24, 10, 40, 3, tzinfo=timezone.utc)
ENDPOINTS = ("hub.azure-devices.net", "store.blob.core.windows.net", "events.servicebus.windows.net")
BLOB = ENDPOINTS[1]
EXTERNAL = "proxy.corp.example"

Probe = dict[str, Any]
Dict = Any


def generated(plants: int = 12, sensors: int = 1000, broken: bool = True) -> Dict:
    """Return the RESULTS of plants behind two proxies of a DMZ and one of another team.

    Args:
        plants: so many, each with one proxy; four of them are needed for all faults.
        sensors: so many, spread over the plants.
        broken: whether something is wrong: plant 3 is refused one endpoint by the DMZ, plant 5's host does not answer,
            plant 7 has lost its preferred parent, and a few sensors are missing in their proxy's rules.
    """
    proxies = {f"plant-{number:02}-proxy": _proxy(1, f"10.{number}.0.250") for number in range(1, plants + 1)}
    dmz = {f"dmz-proxy-{number}": _proxy(0, f"192.0.2.{number}") for number in (1, 2)}
    external = {EXTERNAL: {"kind": "external", "tier": None, "address": EXTERNAL, "port": 8080}}
    names = list(proxies)
    faults = {"denied": names[2:3], "silent": names[4:5], "lost": names[6:7]} if broken else {}
    links = [link for name in names for link in _plant_links(name, faults)]
    for place, name in enumerate(dmz):
        links.append(_link(name, EXTERNAL, "parent", [_probe(one, 0.011 * (place + 1)) for one in ENDPOINTS]))
        links.append(_link(name, name, "self", [_probe(one, 0.012) for one in ENDPOINTS]))
    found = [_sensor(number, names[number % plants], faults) for number in range(sensors)]
    return _results({**proxies, **dmz, **external}, links, found)


def demo(broken: bool = True) -> Dict:
    """Return the RESULTS of two sensors behind a plant's proxy and one of the DMZ, which goes out by itself.

    Args:
        broken: whether the DMZ refuses one endpoint, and one sensor has no rule.
    """
    proxies = {"plant-a-proxy": _proxy(1, "10.100.100.250"), "dmz-proxy": _proxy(0, "192.0.2.10")}
    denied = _denied("dmz-proxy", BLOB, "plant-a-proxy") if broken else _probe(BLOB, 0.034)
    behind = [_probe(ENDPOINTS[0], 0.031), denied]
    links = [
        _link("plant-a-proxy", "dmz-proxy", "parent", behind),
        _link("plant-a-proxy", "plant-a-proxy", "self", behind),
        _link("dmz-proxy", "", "direct", [_probe(one, 0.02) for one in ENDPOINTS[:2]]),
        _link("dmz-proxy", "dmz-proxy", "self", [_probe(one, 0.022) for one in ENDPOINTS[:2]]),
    ]
    path = ["plant-a-proxy", "dmz-proxy"]
    first = _entry("sensor1", "10.100.100.1", path, _client("sensor1", 41, 1))
    second = _entry("sensor2", "10.100.100.2", path, _client("sensor2", 42, 0))
    if broken:
        _fail(first, "broken", "proxy-denied", "dmz-proxy", denied["reason"], [BLOB])
        second["evidence"] = _client("sensor2", 44, 0, 403)
        reason = "plant-a-proxy refuses CONNECT from sensor2 (10.100.100.2): http_access deny all, line 44."
        _fail(second, "broken", "proxy-denied", "plant-a-proxy", reason, list(ENDPOINTS[:2]))
    return _results(proxies, links, [first, second])


def _results(proxies: Dict, links: list[Dict], sensors: list[Dict]) -> Dict:
    counts = {verdict: sum(one["verdict"] == verdict for one in sensors) for verdict in _VERDICTS}
    worst = next((verdict for verdict in reversed(_VERDICTS) if counts[verdict]), "ok")
    return {
        "format": 1,
        "time": NOW.isoformat(),
        "verdict": worst,
        "counts": counts,
        "never_seen": sum(
            not one["evidence"]["open"] and one["evidence"]["last"] is None for one in sensors if one["evidence"]
        ),
        "proxies": proxies,
        "links": links,
        "sensors": sensors,
        "changes": [],
        "previous": None,
        "run": {
            "site": "north",
            "by": "anna",
            "controller": "ops-1",
            "job": "AWX job 4711 of Verify",
            "began": (NOW - timedelta(seconds=96)).isoformat(),
            "seconds": 96,
            "collection": "0.1.0",
            "ansible_core": "2.19.4",
            "inventories": [{"path": "/srv/site/inventories/north", "revision": "4be1" * 10, "modified": False}],
        },
    }


_VERDICTS = ("ok", "degraded", "unknown", "broken")


def _proxy(tier: int, address: str) -> Dict:
    digest = hashlib.sha256(address.encode()).hexdigest()
    own = {"kind": "inventory", "tier": tier, "address": address, "port": 3128}
    return {**own, "squid": "6.13", "config_sha256": digest}


def _plant_links(name: str, faults: dict[str, list[str]]) -> list[Dict]:
    if name in faults.get("silent", []):
        reason = f"The host of {name} could not be asked (no answer by SSH)."
        return [
            {**_link(name, target, kind, [], preferred), "verdict": "unknown", "reason": reason}
            for target, kind, preferred in (
                ("dmz-proxy-1", "parent", True),
                ("dmz-proxy-2", "parent", False),
                (name, "self", True),
            )
        ]
    probes = [_probe(one, 0.03 + 0.004 * place) for place, one in enumerate(ENDPOINTS)]
    first, own = probes, probes
    if name in faults.get("denied", []):
        first = own = [probes[0], _denied("dmz-proxy-1", BLOB, name), probes[2]]
    if name in faults.get("lost", []):
        reason = "dmz-proxy-1 (192.0.2.1:3128) does not accept connections from here (no answer within 5 s)."
        first = [_broken(one, "tcp", "dmz-proxy-1", reason, {"resolve": 0.001}) for one in ENDPOINTS]
    return [
        _link(name, "dmz-proxy-1", "parent", first),
        _link(name, "dmz-proxy-2", "parent", probes, False),
        _link(name, name, "self", own),
    ]


def _link(source: str, target: str, kind: str, probes: list[Probe], preferred: bool = True) -> Dict:
    verdict = "broken" if any(one["verdict"] == "broken" for one in probes) else "ok"
    found = {"source": source, "target": target, "kind": kind, "preferred": preferred, "verdict": verdict}
    return {**found, "endpoints": probes}


def _probe(endpoint: str, seconds: float) -> Probe:
    expiry = NOW + timedelta(days=17 if endpoint == ENDPOINTS[2] else 200)
    return {
        "endpoint": endpoint,
        "port": 443,
        "verdict": "ok",
        "stage": None,
        "hop": None,
        "reason": None,
        "times": {"resolve": 0.0008, "tcp": 0.0021, "connect": seconds, "tls": round(seconds * 1.4, 4)},
        "certificate": {
            "issuer": "CN=Example TLS Issuing CA 01,O=Example",
            "subject": f"CN={endpoint}",
            "not_after": expiry.isoformat(),
        },
    }


def _broken(endpoint: str, stage: str, hop: str, reason: str, times: dict[str, float]) -> Probe:
    said = {"verdict": "broken", "stage": stage, "hop": hop, "reason": reason, "times": times, "certificate": None}
    return {**_probe(endpoint, 0.0), **said}


def _denied(hop: str, endpoint: str, source: str) -> Probe:
    reason = f"{hop} refuses CONNECT to {endpoint}:443 from {source} (403, ERR_ACCESS_DENIED)."
    return _broken(endpoint, "proxy-denied", hop, reason, {"resolve": 0.0008, "tcp": 0.0021, "connect": 0.0052})


def _sensor(number: int, proxy: str, faults: dict[str, list[str]]) -> Dict:
    place = int(proxy.split("-")[1])
    name, address = f"sensor-{place:02}-{number:04}", f"10.{place}.{1 + number // 250}.{1 + number % 250}"
    open_now = number % 3 % 2
    sensor = _entry(name, address, [proxy, "dmz-proxy-1", EXTERNAL], _client(name, 40 + number % 90, open_now))
    if not faults:
        return sensor
    if proxy in faults["denied"]:
        reason = f"dmz-proxy-1 refuses CONNECT to {BLOB}:443 from {proxy} (403, ERR_ACCESS_DENIED)."
        _fail(sensor, "broken", "proxy-denied", "dmz-proxy-1", reason, [BLOB])
    elif proxy in faults["silent"]:
        _fail(sensor, "unknown", None, None, f"The host of {proxy} could not be asked (no answer by SSH).", [])
        sensor["evidence"] = None
    elif proxy in faults["lost"]:
        reason = f"{proxy} goes through dmz-proxy-2, because dmz-proxy-1 does not accept connections."
        _fail(sensor, "degraded", "tcp", "dmz-proxy-1", reason, list(ENDPOINTS))
    elif number % 331 == 1:
        reason = f"{proxy} refuses CONNECT from {name} ({address}): http_access deny all, line 140."
        sensor["evidence"] = _client(name, 140, 0, 403)
        _fail(sensor, "broken", "proxy-denied", proxy, reason, list(ENDPOINTS))
    elif number % 97 == 5:
        sensor["evidence"] = {**_client(name, 40 + number % 90, 0), "last": None, "last_ok": None, "count": 0}
        reason = "The path works, but its first hop knows of no connection of the sensor's own."
        _fail(sensor, "degraded", "not-seen", None, reason, [])
    return sensor


def _entry(name: str, address: str, path: list[str], evidence: Dict) -> Dict:
    nothing: Dict = {"since": None, "stage": None, "hop": None, "reason": None, "endpoints": [], "cloud": None}
    return {"name": name, "addresses": [address], "path": path, "verdict": "ok", "evidence": evidence, **nothing}


def _client(name: str, line: int, open_now: int, status: int = 200) -> Dict:
    last = {
        "time": (NOW - timedelta(seconds=4 * line - 50)).isoformat(),
        "endpoint": ENDPOINTS[0],
        "port": 443,
        "status": status,
        "result": "TCP_TUNNEL" if status == 200 else "TCP_DENIED",
    }
    rule = {"action": "allow", "line": line, "text": f"http_access allow {name}"}
    if status != 200:
        rule = {"action": "deny", "line": line, "text": "http_access deny all"}
    refused = 0 if status == 200 else 12
    found: Dict = {"name": name, "rule": rule, "last": last, "last_ok": last if status == 200 else None}
    return {**found, "count": 12, "refused": refused, "open": open_now}


def _fail(sensor: Dict, verdict: str, stage: str | None, hop: str | None, reason: str, endpoints: list[str]) -> None:
    since = (NOW - timedelta(minutes=25)).isoformat()
    said = {"verdict": verdict, "stage": stage, "hop": hop, "reason": reason, "endpoints": endpoints, "since": since}
    sensor.update(said)
