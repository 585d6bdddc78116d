# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A misspelt variable is named, and a value of another type too, once for all hosts that have it."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments, variables

GraphOf = Callable[..., dict[str, Any]]
COLLECTION = Path(variables.__file__).parents[3]
PUBLIC = sorted(variables.declared().keys() | variables.OF_PLAYBOOKS)
LETTERS = string.ascii_lowercase + "_"

SITE = {"ansible_host": "10.0.0.250"}
SENSOR = {"ansible_host": "10.0.0.1"}


def _typos(name: str) -> Iterator[str]:
    for at in range(len(name) + 1):
        head, tail = name[:at], name[at:]
        yield from (head + letter + tail for letter in LETTERS)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in LETTERS)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_typo_of_a_variable_is_named(name: str) -> None:
    typos = set(_typos(name)) - set(PUBLIC)
    assert len(typos) > 50 * len(name)
    for typo in typos:
        problem = variables.name_problem(typo)
        assert problem is not None, typo
        # One that is as near to another variable may be taken for that one.
        (meant,) = re.findall(r"did you mean (\w+)\?$", problem)
        assert meant == name or typo in set(_typos(meant)), typo


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("squid_parent", "squid_parents"),
        ("squid_auth_enable", "squid_auth_enabled"),
        ("squid_connection_timeout", "squid_connect_timeout"),
        ("squd_parents", "squid_parents"),
        ("sensor_proxy_user", "sensor_proxy_username"),
        ("sensor_proxy_max_fail_percent", "sensor_proxy_max_fail_percentage"),
    ],
)
def test_what_is_meant(name: str, meant: str) -> None:
    problem = f"is no variable of this collection, and would be ignored; did you mean {meant}?"
    assert variables.name_problem(name) == problem


def test_a_name_that_is_like_no_other() -> None:
    problem = variables.name_problem("squid_zzzzzzzz")
    assert problem == "is no variable of this collection, and would be ignored; correct its name, or remove it."


@pytest.mark.parametrize(
    "name",
    [
        *PUBLIC,
        "ansible_host",
        "ansible_squid_port",
        "__squid",
        "__sensor_proxy_host",
        "my_squid_port",
        "groups",
        "vault_sensor_proxy_password",
        "inventory_hostname",
        "squid",
    ],
)
def test_a_name_that_is_known_or_not_ours(name: str) -> None:
    assert variables.name_problem(name) is None


def test_names_that_the_content_sets_or_reads_are_known() -> None:
    found = set()
    files = [*COLLECTION.glob("playbooks/*.yml"), *COLLECTION.glob("roles/*/tasks/*.yml")]
    for file in files:
        text = re.sub(r"(?m)#.*$", "", file.read_text(encoding="utf-8"))
        found |= set(re.findall(rf"(?<![\w./@-])((?:{'|'.join(arguments.ROLES)})_[a-z_]+)(?![\w.]*\.yml)\b", text))
    assert len(found) > 30
    assert {name: problem for name in found if (problem := variables.name_problem(name))} == {}


def test_one_sentence_for_all_hosts_with_a_misspelt_variable(graph_of: GraphOf) -> None:
    proxies = {"site": SITE | {"squid_parent": ["dmz"], "sensor_proxy_user": "bob"}}
    sensors = {f"s{number}": {"ansible_host": f"10.0.0.{number}", "sensor_proxy_user": "bob"} for number in (1, 2, 3)}
    assert graph_of(proxies, sensors)["mistakes"] == [
        "site and 3 more: sensor_proxy_user is no variable of this collection, and would be ignored; "
        "did you mean sensor_proxy_username?",
        "site: squid_parent is no variable of this collection, and would be ignored; did you mean squid_parents?",
    ]


def test_one_sentence_for_all_hosts_with_a_value_of_another_type(graph_of: GraphOf) -> None:
    labels, password = ["of a group"], ["s3cret"]
    sensors = {
        f"s{number}": {
            "ansible_host": f"10.0.0.{number}",
            "sensor_proxy_wait_for_cloud": "perhaps",
            "sensor_proxy_labels": labels,
            "sensor_proxy_browsers": "{{ 3 }}",
            "sensor_proxy_console_timeout": "20",
            "sensor_proxy_console_password": password,
        }
        for number in (1, 2)
    }
    mistakes = graph_of({"site": SITE}, sensors)["mistakes"]
    assert sorted(mistakes) == [
        "s1 and 1 more: sensor_proxy_console_password '********' is not text.",
        "s1 and 1 more: sensor_proxy_labels 'list' is not a mapping.",
        "s1 and 1 more: sensor_proxy_wait_for_cloud 'perhaps' is neither true nor false.",
    ]


def test_a_type_is_looked_at_where_the_variable_is_used(graph_of: GraphOf) -> None:
    assert graph_of({"site": SITE}, {"s1": SENSOR | {"squid_workers": "many"}})["mistakes"] == []
    (mistake,) = graph_of({"site": SITE | {"squid_workers": "many"}})["mistakes"]
    assert mistake == "site: squid_workers 'many' is not a whole number."
