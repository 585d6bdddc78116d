# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs that are large or cannot be read, and arguments at their limits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.clients import ProxyHost

NOW = datetime(2026, 11, 24, 10, 40, tzinfo=timezone.utc)
HUB, STORE = "hub.azure-devices.net", "store.blob.core.windows.net"


def proxy_of(folder: Path, clients: Iterable[str]) -> ProxyHost:
    """A proxy that lets these addresses reach HUB, deployed an hour ago."""
    lines = ["http_port 3128", f"acl endpoints dstdomain -n {HUB}", "http_access deny !endpoints"]
    for number, address in enumerate(clients):
        lines += [f"acl s{number} src {address}", f"http_access allow s{number}"]
    config = folder / "squid.conf"
    config.write_text("\n".join(lines) + "\n")
    then = (NOW - timedelta(hours=1)).timestamp()
    os.utime(config, (then, then))
    return ProxyHost(config, folder / "users", folder / "access.log", 1 << 24, NOW - timedelta(days=1), tables=())


def denied(client: str, target: str) -> str:
    return f"2026-11-24T10:35:00+0000      0 {client} s - TCP_DENIED/403 3939 CONNECT {target}:443 HIER_NONE/-\n"


def test_a_log_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    proxy = proxy_of(tmp_path, ["10.0.0.1"])
    proxy.log.mkdir()
    with pytest.raises(ValueError, match=r"access\.log cannot be read \(Is a directory\); run this as root$"):
        proxy.look_up([{"name": "s0", "addresses": ["10.0.0.1"]}], HUB, 443)


def test_a_client_without_addresses_has_no_line(tmp_path: Path) -> None:
    (found,) = proxy_of(tmp_path, []).look_up([{"name": "s0", "addresses": []}], HUB, 443)
    assert (found["rule"], found["last"], found["open"]) == (None, None, 0)


def test_an_unexplained_refusal_is_found_behind_explained_ones(tmp_path: Path) -> None:
    proxy = proxy_of(tmp_path, ["10.0.0.1"])
    proxy.log.write_text(denied("10.0.0.1", HUB) + 3 * denied("10.0.0.1", STORE))
    (found,) = proxy.look_up([{"name": "s0", "addresses": ["10.0.0.1"]}], HUB, 443)
    assert found["refused_since_change"]["endpoint"] == HUB


def test_many_refusals_of_many_clients_are_judged_quickly(tmp_path: Path) -> None:
    """The log is read once, and the same refusal is looked up once."""
    clients = [f"10.1.{number // 250}.{number % 250}" for number in range(1000)]
    proxy = proxy_of(tmp_path, clients)
    proxy.log.write_text("".join(denied(clients[number % 1000], STORE) for number in range(20_000)))
    start = time.process_time()
    found = proxy.look_up([{"name": address, "addresses": [address]} for address in clients], HUB, 443)
    # 0.4 s of CPU time.
    assert time.process_time() - start < 5
    assert {(client["count"], client["refused_since_change"]) for client in found} == {(20, None)}
