# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All walks of a host in one go, with proxies of the test's own on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.modules import chain_walk

from tests.unit.plugins.module_utils.fake_hops import Authority, FakeProxy, closed, secure, serving
from tests.unit.rendered import squid_conf

HOST = "a.one.example"
PASSWORD = "s3cret-of-the-plant"
SENSORS = {"sensor1": {"sensor_proxy_src": "10.0.0.1"}, "Unknown": {"sensor_proxy_src": "10.0.0.9"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the host has of Squid."""
    monkeypatch.setattr(chain_walk, "FOLDER", tmp_path)
    monkeypatch.setattr(chain_walk, "LOG", tmp_path / "access.log")
    return tmp_path


def _walk(kind: str, *hops: dict[str, Any], parent: str = "") -> dict[str, Any]:
    return {"kind": kind, "target": kind, "parent": parent, "preferred": True, "hops": list(hops)}


def test_each_walk_is_told_apart_and_only_the_password_is_hidden(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, run_main: Callable[..., dict[str, Any]]
) -> None:
    plant = Authority(tmp_path_factory.mktemp("plant"), "Plant")
    proxy = FakeProxy(behind=secure(plant.issue()))
    with serving(proxy) as port:
        (folder / "squid.conf").write_text(squid_conf(SENSORS, squid_port=port, squid_endpoints=[HOST]))
        hop = {"name": "dmz", "address": "127.0.0.1", "port": port, "hostname": "dmz", "username": "plant"}
        walks = [
            _walk("self", {"name": "site", "address": "127.0.0.1", "port": 1}),
            _walk("parent", hop, parent="dmz"),
            _walk("parent", {**hop, "port": closed(), "username": None}, parent="edge"),
        ]
        given = {"endpoints": [HOST], "ca_path": str(plant.path), "timeout": 2, "walks": walks}
        clients = [{"name": "sensor1", "addresses": ["10.0.0.1"]}]
        result = run_main(chain_walk.main, {**given, "clients": clients, "passwords": {"dmz": PASSWORD}})
    assert [(walk["kind"], walk["parent"]) for walk in result["walks"]] == [
        ("self", ""),
        ("parent", "dmz"),
        ("parent", "edge"),
    ]
    assert [walk["endpoints"][0]["verdict"] for walk in result["walks"]] == ["ok", "ok", "broken"]
    assert [b"Authorization: Basic cGxhbnQ6czNjcmV0" in head for head in proxy.heads] == [False, True]
    assert PASSWORD not in json.dumps(result)
    assert result["clients"][0]["rule"]["action"] == "allow"
    assert result["clients_problem"] is None
    assert result["others"] == [["unknown", ["10.0.0.9"]]]


def test_a_host_without_squid_says_so_of_each(folder: Path, run_main: Callable[..., dict[str, Any]]) -> None:
    walks = [_walk("self", {"name": "site", "address": "127.0.0.1", "port": 1}), _walk("direct")]
    given = {"endpoints": ["127.0.0.1:1"], "timeout": 2, "walks": walks}
    result = run_main(chain_walk.main, given)
    sentence = (
        f"{folder}/squid.conf cannot be read (No such file or directory); deploy the proxy first, and run this as root."
    )
    assert result["walks"][0] == {"kind": "self", "target": "self", "parent": "", "msg": sentence}
    assert result["walks"][1]["endpoints"][0]["verdict"] == "broken"
    assert (result["clients"], result["clients_problem"]) == ([], sentence)


def _look(folder: Path, run_main: Callable[..., dict[str, Any]], config: str | None) -> dict[str, Any]:
    if config is not None:
        (folder / "squid.conf").write_text(config)
    return run_main(chain_walk.main, {"endpoints": ["127.0.0.1:1"], "timeout": 1, "walks": []})


def test_the_hash_of_the_configuration_tells_nothing_of_its_passwords(
    folder: Path, run_main: Callable[..., dict[str, Any]]
) -> None:
    """Whoever knows the rest of the file could try passwords against a hash of the whole."""
    parent = "cache_peer 192.0.2.1 parent 3128 0 name=dmz login=plant:@@\n"
    for config in (squid_conf(SENSORS) + parent, "# by hand\n" + parent, "# by hand\nldap_helper -w @@\n"):
        first, second = (
            _look(folder, run_main, config.replace("@@", each))["config_sha256"] for each in ("summer1", "winter22")
        )
        assert first == second
        assert len(first) == 64
        assert _look(folder, run_main, f"{config}http_access allow all\n")["config_sha256"] != first


@pytest.mark.parametrize(
    ("says", "version"), [("Squid Cache: Version 6.13\nService Name: squid", "6.13"), ("Oops", ""), (None, "")]
)
def test_the_version_is_that_of_the_installed_squid(
    says: str | None,
    version: str,
    folder: Path,
    run_main: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    squid = folder / "squid"
    monkeypatch.setattr(chain_walk, "SQUID", str(squid))
    if says:
        squid.write_text(f"#!/bin/sh\ncat <<E\n{says}\nE\n")
        squid.chmod(0o755)
    result = _look(folder, run_main, None)
    assert (result["squid_version"], result["config_sha256"]) == (version, "")


@pytest.mark.parametrize(
    ("shared", "says", "since"),
    [
        ("127.0.0.1", '{"__REALTIME_TIMESTAMP": "1795516707123456"}', "2026-11-24T10:38:27+00:00"),
        ("127.0.0.1", "", ""),
        ("192.0.2.250", '{"__REALTIME_TIMESTAMP": "1795516707123456"}', ""),
    ],
)
def test_since_when_it_has_the_addresses(
    shared: str,
    says: str,
    since: str,
    folder: Path,
    run_main: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folder / "journalctl").write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    result = run_main(chain_walk.main, {"endpoints": [HOST], "shared": [shared]})
    assert result["holds_since"] == since
