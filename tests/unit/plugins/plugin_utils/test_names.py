# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import names
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.names import acl_name, name_problem
from hypothesis import given
from hypothesis import strategies as st

COLLECTION = Path(names.__file__).parents[3]
SQUIDS_OWN = {
    "all",
    "connect",
    "localhost",
    "manager",
    "none",
    "purge",
    "safe_ports",
    "ssl_ports",
    "to_linklocal",
    "to_localhost",
}


@pytest.mark.parametrize(
    ("name", "acl"),
    [
        ("sensor1", "sensor1"),
        ("Plant-A.Sensor_1", "plant-a.sensor_1"),
        ("2001:db8::1", "2001_db8__1"),
        ("a@b!", "a_b_"),
    ],
)
def test_acl_name_keeps_what_is_plain_and_replaces_the_rest(name: str, acl: str) -> None:
    assert acl_name(name) == acl


@pytest.mark.parametrize("name", ["sensor1", "10.0.0.1", "plant-a.sensor_1", "all2", "my_localhost", "x" * 62])
def test_usable_names(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        ("a b", "blank"),
        ("a\tb", "blank"),
        ("a\u00a0b", "blank"),
        ("a\nb", "line break"),
        ("a\r", "line break"),
        ("a\n", "line break"),
        ("a\u2028b", "ASCII"),
        ("a#b", "#"),
        ('a"b', "quote"),
        ("a'b", "quote"),
        ("a\\b", "backslash"),
        ("a%b", "%"),
        ("a\0b", "ASCII"),
        ("a\x7fb", "ASCII"),
        ("süd", "ASCII"),
        ("\u212aelvin", "ASCII"),
        ("x" * 63, "63 characters"),
    ],
)
def test_unusable_names(name: str, says: str) -> None:
    assert says in str(name_problem(name))


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
@pytest.mark.parametrize(
    "name",
    sorted(names.RESERVED | SQUIDS_OWN),
)
def test_reserved_names_in_any_case(name: str, change: type[str]) -> None:
    assert "already uses" in str(name_problem(change(name)))


def test_a_name_that_becomes_a_reserved_one_is_refused() -> None:
    assert "already uses" in str(name_problem("to:localhost"))


def test_every_acl_of_the_template_is_reserved() -> None:
    template = (COLLECTION / "roles/squid/templates/squid.conf.j2").read_text()
    ours = set(re.findall(r"^acl ([a-z_]+) ", template, re.MULTILINE))
    assert {"endpoints", "https_port"} <= ours <= names.RESERVED


@given(st.text())
def test_any_text_is_refused_or_becomes_a_safe_acl_name(name: str) -> None:
    if name_problem(name) is None:
        assert re.fullmatch(r"[a-z0-9._-]{1,62}", acl_name(name))
        assert acl_name(name) not in names.RESERVED


@given(st.text())
def test_acl_name_is_stable(name: str) -> None:
    assert acl_name(acl_name(name)) == acl_name(name)
