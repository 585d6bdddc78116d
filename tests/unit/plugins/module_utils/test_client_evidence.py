# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The access log as the role's logformat writes it, and the kernel's tables as proc(5) describes them."""

from __future__ import annotations

import gzip
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.evidence import (
    Entry,
    entries,
    open_connections,
    plain,
)

from tests.unit.rendered import squid_conf

SENSOR = "10.0.0.1"
HUB = "hub.azure-devices.net"
NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=timezone.utc)
ALWAYS = datetime(2000, 1, 1, tzinfo=timezone.utc)
PLENTY = 1_000_000

# What stands for each field of the template's logformat; the duration is padded to six.
FIELDS = {
    "%{%Y-%m-%dT%H:%M:%S%z}tl": "2026-11-23T13:00:00+0100",
    "%6tr": "    41",
    "%>a": SENSOR,
    "%{client}note": "sensor1",
    "%#.64un": "-",
    "%Ss/%03>Hs": "TCP_TUNNEL/200",
    "%<st": "5121",
    "%.32rm": "CONNECT",
    "%.260ru": f"{HUB}:443",
    "%Sh/%<a": "HIER_DIRECT/192.0.2.7",
}
GOOD = Entry(SENSOR, NOON, HUB, 443, 200, "TCP_TUNNEL")


def _line(changes: dict[str, str] | None = None) -> str:
    return " ".join((FIELDS | (changes or {})).values()) + "\n"


def _at(minute: int, client: str = SENSOR) -> str:
    return _line({"%{%Y-%m-%dT%H:%M:%S%z}tl": f"2026-11-23T12:{minute:02}:00+0000", "%>a": client})


def _read(log: Path, content: str, most_bytes: int = PLENTY, since: datetime = ALWAYS) -> list[Entry]:
    log.write_text(content, encoding="utf-8")
    return list(entries(log, most_bytes, since))


def _minutes(found: list[Entry]) -> list[int]:
    return [entry.time.minute for entry in found]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the access log is to be."""
    return tmp_path / "access.log"


@pytest.mark.parametrize("layout", ["per_sensor", "combined"])
def test_these_lines_have_the_templates_format(layout: str) -> None:
    config = squid_conf({"sensor1": {"ansible_host": SENSOR}}, squid_acl_layout=layout)
    (format_line,) = [line for line in config.splitlines() if line.startswith("logformat ")]
    assert format_line == f"logformat chain {' '.join(FIELDS)}"
    until = datetime.now(timezone.utc).date()
    learning = squid_conf({"sensor1": {"ansible_host": SENSOR}}, squid_acl_layout=layout, squid_learn_until=str(until))
    assert f"{format_line} %{{list}}note\n" in learning
    # The mark by which the probe's own lines are told from a client's.
    assert "note client probe probe_source probe_token" in config


@pytest.mark.parametrize("tag", ["", " -", " learned"])
def test_a_tunnel(log: Path, tag: str) -> None:
    (entry,) = _read(log, _line().replace("\n", f"{tag}\n"))
    assert entry == GOOD
    assert (entry.passed, entry.refused_here) == (True, False)
    assert entry.as_result() == {
        "time": "2026-11-23T12:00:00+00:00",
        "endpoint": HUB,
        "port": 443,
        "status": 200,
        "result": "TCP_TUNNEL",
    }


@pytest.mark.parametrize(
    ("result", "refused_here"),
    [("TCP_DENIED/403", True), ("TCP_DENIED/407", True), ("TCP_TUNNEL/403", False), ("TCP_TUNNEL/503", False)],
)
def test_a_refusal_and_whose_it_is(log: Path, result: str, refused_here: bool) -> None:
    (entry,) = _read(log, _line({"%Ss/%03>Hs": result, "%Sh/%<a": "HIER_NONE/-"}))
    assert (entry.passed, entry.refused_here, entry.status) == (False, refused_here, int(result[-3:]))


@pytest.mark.parametrize(
    "changes",
    [
        {"%6tr": "123456789"},
        {"%{client}note": "-"},
        {"%#.64un": "plant"},
        {"%<st": "0"},
        {"%Sh/%<a": "FIRSTUP_PARENT/2001:db8::2"},
        {"%>a": f"::ffff:{SENSOR}"},
    ],
)
def test_what_else_a_line_may_hold(log: Path, changes: dict[str, str]) -> None:
    assert _read(log, _line(changes)) == [GOOD]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-23T12:00:00+0000", NOON),
        ("2026-11-23T12:00:00-0330", NOON + timedelta(hours=3, minutes=30)),
        ("2026-11-23T00:30:00+0545", NOON - timedelta(hours=17, minutes=15)),
        # The same wall clock twice, when summer time ends.
        ("2026-10-25T02:30:00+0200", datetime(2026, 10, 25, 0, 30, tzinfo=timezone.utc)),
        ("2026-10-25T02:30:00+0100", datetime(2026, 10, 25, 1, 30, tzinfo=timezone.utc)),
    ],
)
def test_time_zones(log: Path, written: str, utc: datetime) -> None:
    (entry,) = _read(log, _line({"%{%Y-%m-%dT%H:%M:%S%z}tl": written}))
    assert entry.time == utc
    assert entry.as_result()["time"] == utc.isoformat()


def test_since_goes_by_the_moment_and_not_by_the_wall_clock(log: Path) -> None:
    assert _read(log, _line(), since=NOON) == [GOOD]
    assert _read(log, _line(), since=NOON + timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "garbage\n",
        _line()[:60],
        _line().split(" ", 1)[1],
        _line({"%{client}note": "probe"}),
        _line({"%.32rm": "GET", "%.260ru": "http://a.example/"}),
        _line({"%.32rm": "connect"}),
        _line({"%.260ru": HUB}),
        _line({"%.260ru": f"{HUB}:https"}),
        _line({"%.260ru": f"{HUB}:"}),
        _line({"%Ss/%03>Hs": "TCP_TUNNEL/-"}),
        _line({"%{%Y-%m-%dT%H:%M:%S%z}tl": "2026-11-23T12:00:00"}),
        _line({"%{%Y-%m-%dT%H:%M:%S%z}tl": "2026-13-23T12:00:00+0000"}),
        # The distributions' own format, from before the role.
        f"1795435200.000     41 {SENSOR} TCP_TUNNEL/200 5121 CONNECT {HUB}:443 - HIER_DIRECT/192.0.2.7 -\n",
        "2026-11-23T12:00:00+0000      0 \x00\x00 \ufffd\n",
    ],
)
def test_what_is_no_clients_connect_is_left_out(log: Path, line: str) -> None:
    assert _read(log, f"{line}\n{_line()}") == [GOOD]


def test_bytes_that_are_no_text(log: Path) -> None:
    log.write_bytes(b"\xff\xfe\x00\n" + _line().encode() + b"\xc3")
    assert list(entries(log, PLENTY, ALWAYS)) == [GOOD]


def test_no_log(log: Path) -> None:
    assert list(entries(log, PLENTY, ALWAYS)) == []


def test_what_was_rotated_away_comes_first(log: Path) -> None:
    log.with_name("access.log.1").write_text(_at(3) + _at(4))
    for number, minute in ((2, 2), (3, 1), (10, 0)):
        log.with_name(f"access.log.{number}.gz").write_bytes(gzip.compress(_at(minute).encode()))
    log.with_name("access.log.old").write_text(_at(9))
    assert _minutes(_read(log, _at(5))) == [0, 1, 2, 3, 4, 5]
    # What was last written before is not read, whatever it says.
    os.utime(log.with_name("access.log.10.gz"), (0, 0))
    log.unlink()
    assert _minutes(list(entries(log, PLENTY, datetime.fromtimestamp(1, timezone.utc)))) == [1, 2, 3, 4]
    assert _minutes(list(entries(log, 4 * len(_at(0)) - 1, ALWAYS))) == [2, 3, 4]
    # While logrotate writes it.
    log.with_name("access.log.2.gz").write_bytes(gzip.compress(_at(2).encode())[:-9])
    assert _minutes(list(entries(log, PLENTY, ALWAYS))) == [1, 3, 4]


def test_how_much_is_read(log: Path) -> None:
    length = len(_at(0))
    log.with_name("access.log.1").write_text("".join(map(_at, range(10))))
    content = "".join(map(_at, range(10, 20)))
    read = {most: _minutes(_read(log, content, most)) for most in (0, 1, 3 * length - 1, 10 * length, 12 * length + 1)}
    assert read == {
        0: [],
        1: [],
        # Two whole lines, and the third without its first letter.
        3 * length - 1: [18, 19],
        10 * length: list(range(10, 20)),
        12 * length + 1: list(range(8, 20)),
    }


HEAD = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    "                                                     \n"
)
HEAD_6 = (
    "  sl  local_address                         remote_address                        "
    "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
)
REST = "00000000:00000000 00:00000000 00000000    13        0 4242 1 0000000000000000 20 4 30 10 -1"
ANY_6 = "0" * 32

# 3128 is 0C38, 3129 is 0C39; on a little-endian machine 10.0.0.1 is 0100000A.
TABLE = HEAD + "".join(
    f"{number:4}: {columns} {REST}\n"
    for number, columns in enumerate(
        [
            "00000000:0C38 00000000:0000 0A",  # listens
            "FA64640A:0C38 0100000A:D431 01",
            "FA64640A:0C38 0100000A:D432 01",
            "FA64640A:0C39 0200000A:D433 01",
            "FA64640A:0C38 0300000A:D434 06",  # TIME_WAIT
            "FA64640A:0C38 0300000A:D435 08",  # CLOSE_WAIT
            "FA64640A:0016 0300000A:D436 01",  # SSH
            "FA64640A:D437 0300000A:0C38 01",  # to a proxy elsewhere
            "FA64640A:0C38 010200C0:D438 01",
        ]
    )
)
TABLE_6 = HEAD_6 + "".join(
    f"{number:4}: {columns} {REST}\n"
    for number, columns in enumerate(
        [
            f"{ANY_6}:0C38 {ANY_6}:0000 0A",
            "0000000000000000FFFF0000FA64640A:0C38 0000000000000000FFFF00000100000A:D439 01",
            "B80D0120000000000000000001000000:0C38 B80D0120000000000000000002000000:D43A 01",
            "B80D0120000000000000000001000000:0C38 B80D0120CDAB341200000000785634FE:D43B 01",
            "B80D0120000000000000000001000000:0C38 B80D0120000000000000000003000000:D43C 06",
        ]
    )
)


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Both tables of the kernel's."""
    paths = [tmp_path / "tcp", tmp_path / "tcp6"]
    for path, content in zip(paths, (TABLE, TABLE_6), strict=True):
        path.write_text(content, encoding="ascii")
    return paths


def test_connections_by_their_source(tables: list[Path]) -> None:
    assert open_connections(tables, [3128, 3129]) == {
        SENSOR: 3,  # two in one table, one in the other as an IPv4-mapped address
        "10.0.0.2": 1,
        "192.0.2.1": 1,
        "2001:db8::2": 1,
        "2001:db8:1234:abcd::fe34:5678": 1,
    }


def test_connections_to_other_ports_are_not_the_proxys(tables: list[Path]) -> None:
    assert open_connections(tables, [3129]) == {"10.0.0.2": 1}
    assert open_connections(tables, []) == {}


def test_a_kernel_without_ipv6(tables: list[Path]) -> None:
    tables[1].unlink()
    assert open_connections(tables, [3128])[SENSOR] == 2
    tables[0].write_text(HEAD)
    assert open_connections(tables, [3128]) == {}


@pytest.mark.parametrize(
    ("written", "same"),
    [
        (SENSOR, SENSOR),
        (f"::ffff:{SENSOR}", SENSOR),
        ("::FFFF:0a00:0001", SENSOR),
        ("2001:0DB8:0::0:1", "2001:db8::1"),
        ("-", "-"),
        ("sensor1", "sensor1"),
        ("", ""),
    ],
)
def test_one_spelling_of_an_address(written: str, same: str) -> None:
    assert plain(written) == same


@pytest.mark.parametrize("name", ["x" * 5000, "a\x1b[2Jb", "a\u202eb", "{{ 7 * 7 }}".replace(" ", "")])
def test_a_name_that_a_sensor_chose_is_short_and_does_nothing(name: str, tmp_path: Path) -> None:
    (found,) = _read(tmp_path / "access.log", _line({"%ru": f"{name}:443"}))
    assert len(found.host) <= 200
    assert found.host.isprintable()
