# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each variable of each role means the same as text, and no role reads one past its check."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments, check

from tests.unit import rendered

ROLES = Path(check.__file__).parents[3] / "roles"
GraphOf = Callable[..., dict[str, Any]]


def _native(name: str, option: arguments.Option) -> Any:
    """A value that is not the default, so that one that is ignored is seen."""
    if "choices" in option:
        return next(choice for choice in option["choices"] if choice != option["default"])
    if name == "squid_addresses":
        return ["192.0.2.250/24"]
    values = {
        "bool": not option["default"],
        "int": int(check.RANGES.get(name, (0, 4711))[1]),
        "float": 2.5,
        "list": ["192.0.2.7", "2001:db8::7"] if re.search("address|src", name) else ["a.example.net", "b.example.net"],
        "dict": {"some": "thing", "other": "text"},
    }
    return values[option["type"]]


def _texts(native: Any) -> list[str]:
    """What an INI inventory, a survey and -e have for it."""
    if isinstance(native, bool):
        return ["true", "True", "yes", "1"] if native else ["false", "False", "no", "0"]
    if isinstance(native, list):
        return [",".join(native), ", ".join(native), json.dumps(native), str(native)]
    if isinstance(native, dict):
        return [json.dumps(native), str(native), ",".join(f"{key}={native[key]}" for key in native)]
    return [str(native)]


CASES = [
    pytest.param(role, name, _native(name, option), id=name)
    for role in arguments.ROLES
    for name, option in arguments.options(role).items()
    # What takes anything is converted by whoever reads it.
    if option["type"] not in ("str", "path", "raw")
]


@pytest.mark.parametrize(("role", "name", "native"), CASES)
def test_text_means_the_same(role: str, name: str, native: Any) -> None:
    as_it_is = check.check(role, "host", {name: native})
    assert as_it_is == ({name: native}, [])
    for text in _texts(native):
        assert repr(check.check(role, "host", {name: text})) == repr(as_it_is)


@pytest.mark.parametrize(("role", "name", "native"), CASES)
def test_what_cannot_be_converted_is_refused_in_a_sentence(role: str, name: str, native: Any) -> None:
    wrong: object = "[" if isinstance(native, list) else "zzz"
    typed, (mistake,) = check.check(role, "host", {name: wrong})
    assert typed == {}
    shown = "********" if arguments.options(role)[name].get("no_log") else wrong
    assert re.fullmatch(rf"host: {name} '{re.escape(str(shown))}' is [a-zA-Z0-9 ;,]+\.", mistake)


# A parent that is no host of the inventory needs a port, and a name that may lead inside its networks: neither is text.
MAPPINGS = ("squid_parents", "squid_private_endpoints")
RENDERED = [case for case in CASES if case.values[0] == "squid" and case.id not in MAPPINGS]


@pytest.mark.parametrize(("_role", "name", "native"), RENDERED)
def test_text_renders_the_same(_role: str, name: str, native: Any) -> None:
    given: dict[str, Any] = {"squid_tls_certificate": "/etc/squid/a.pem", "squid_tls_private_key": "/etc/squid/a.key"}
    # What is probed has to be allowed.
    given["squid_extra_endpoints"] = ["a.example.net", "b.example.net"]
    signs_in = {"sensor_proxy_username": "bob", "sensor_proxy_password": "secret"}
    sensors = {"sensor1": {"ansible_host": "192.0.2.1", **signs_in}}
    expected = rendered.squid_conf(sensors, **given | {name: native})
    for text in _texts(native):
        assert rendered.squid_conf(sensors, **given | {name: text}) == expected


@pytest.mark.parametrize(
    ("name", "native"),
    [
        ("squid_tls_port", 0),
        ("squid_tls_port", 8443),
        ("squid_auth_enabled", False),
        ("squid_auth_accept_previous", False),
        ("squid_parents", ["dmz"]),
        ("squid_src", ["192.0.2.251", "192.0.2.252"]),
        ("squid_addresses", ["192.0.2.250/24", "198.51.100.250/24"]),
    ],
)
def test_text_gives_the_same_topology(graph_of: GraphOf, name: str, native: Any) -> None:
    def graph(value: Any) -> dict[str, Any]:
        site = {"ansible_host": "192.0.2.250", name: value}
        dmz = {"ansible_host": "192.0.2.2"}
        return graph_of(
            {"site": site, "dmz": dmz}, {"sensor1": {"ansible_host": "192.0.2.1", "sensor_proxy_via": "site"}}
        )

    for text in _texts(native):
        assert graph(text) == graph(native)
    assert graph(native)["mistakes"] == []


def _expressions(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".j2":
        yield from re.findall(r"{[{%].*?[}%]}", text)
    elif path.suffix == ".yml":
        yield from _of_yaml(yaml.safe_load(text))


def _of_yaml(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _of_yaml(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _of_yaml(value, key)
    elif isinstance(node, str):
        bare = key in ("when", "that", "until", "failed_when", "changed_when")
        yield from [node] if bare else re.findall(r"(?s){{.*?}}", node)


@pytest.mark.parametrize("role", [role for role in arguments.ROLES if role != "topology"])
def test_a_role_reads_its_variables_from_the_check_only(role: str) -> None:
    options = arguments.options(role)
    untyped = {name for name, option in options.items() if arguments.is_secret(option)} | {"squid_endpoints_file"}
    # The role itself says where a run over several proxies is, which changes while it goes on.
    untyped |= {"squid_phase", "squid_arrived", "squid_fails_later"}
    # The way back asks nothing of the inventory that a mistake in it could spoil.
    untyped |= {"squid_kind", "squid_break_lock"}
    looked = 0
    for path in sorted((ROLES / role).glob("[tv]*/*")):
        for expression in _expressions(path):
            looked += 1
            names = set(re.findall(rf"(?<![\w.]){role}_\w+", re.sub(r"'[^']*'", "", expression)))
            assert names & options.keys() <= untyped, f"{path}: {expression}"
    assert looked > 10


def test_what_keeps_a_variable_from_being_rendered() -> None:
    problem = check.unset_problems("s", {"sensor_proxy_username": "'bob' is undefined"})
    assert problem == ["s: sensor_proxy_username cannot be rendered: 'bob' is undefined"]


@pytest.mark.parametrize(
    ("state", "password", "decided"),
    [
        ("auto", "", "handoff"),
        ("auto", "x", "present"),
        # What somebody wrote is what is meant.
        ("present", "", "present"),
        ("handoff", "x", "handoff"),
        ("absent", "", "absent"),
    ],
)
def test_who_signs_in_at_a_console(state: str, password: str, decided: str) -> None:
    typed = {"sensor_proxy_state": state, "sensor_proxy_console_password": password}
    assert check.decided(typed) == {**typed, "sensor_proxy_state": decided}


HOP = {"proxy": {"address": "10.0.0.250", "port": 3128}, "path": ["site", "dmz"]}


@pytest.mark.parametrize(
    ("given", "entry", "placed"),
    [
        ({}, HOP, ("10.0.0.250", 3128, ["site", "dmz"])),
        ({"sensor_proxy_host": "192.0.2.1"}, HOP, ("192.0.2.1", 3128, ["site", "dmz"])),
        ({"sensor_proxy_port": 8080}, HOP, ("10.0.0.250", 8080, ["site", "dmz"])),
        ({"sensor_proxy_host": "192.0.2.1", "sensor_proxy_port": 8080}, None, ("192.0.2.1", 8080, [])),
        ({"sensor_proxy_host": "192.0.2.1"}, None, None),
        ({}, {"path": []}, None),
        ({"sensor_proxy_state": "absent"}, None, ("", 0, [])),
    ],
)
def test_a_sensors_proxy_is_its_first_hop(given: dict[str, Any], entry: dict[str, Any] | None, placed: Any) -> None:
    typed = {"sensor_proxy_host": "", "sensor_proxy_port": 0, "sensor_proxy_state": "present", **given}
    found = check.placed("sensor_proxy", typed, entry, {})
    said = "s: it is in no group of sensors, so it has no first hop; add it, or set sensor_proxy_host and sensor_proxy_port."
    assert check.no_place("sensor_proxy", "s", typed, found, None) == ([said] if placed is None else [])
    assert placed is None or (found["host"], found["port"], found["path"]) == placed


def test_a_proxys_place_has_no_clients() -> None:
    entry = {"acl": "site", "clients": [{"name": "s1"}], "parents": []}
    found = check.placed("squid", {"squid_tls_port": 0}, entry, {"site": {"addresses": ["10.0.0.1", "site.example"]}})
    assert found["proxy"] == {"acl": "site", "parents": []}
    assert found["proxy_addresses"] == ["127.0.0.1", "10.0.0.1"]


@pytest.mark.parametrize(
    ("days", "learns"),
    [
        (-1, False),
        (0, True),
        (92, True),
        (93, "92 days at most"),
        ("31.12.2026", "give a date like 20"),
        ("20261214", "give a date like 20"),
        ("2026-W50-1", "give a date like 20"),
    ],
)
def test_a_proxy_learns_for_some_days(days: int | str, learns: bool | str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_today", lambda: date(2026, 11, 30))
    until = date(2026, 11, 30) + timedelta(days=days) if isinstance(days, int) else days
    defaults = {name: option.get("default") for name, option in arguments.options("squid").items()}
    # YAML reads a date as one.
    typed, mistakes = check.check("squid", "site", {**defaults, "squid_learn_until": until})
    mistakes += check.contradictions("squid", "site", typed)
    if isinstance(learns, bool):
        assert (mistakes, check.derived(typed)["learning"]) == ([], learns)
    else:
        assert [learns in each for each in mistakes] == [True]


@pytest.mark.parametrize(
    ("kind", "parent", "why"),
    [
        ("host", "inventory", None),
        ("host", "external", "its next hop proxy.corp.example is not in the inventory, so that no"),
        ("azure", "inventory", "it is a scale set, whose log and configuration no run reads; empty it."),
    ],
)
def test_who_cannot_know_where_a_name_leads_or_be_asked_does_not_learn(kind: str, parent: str, why: str | None) -> None:
    place = {"proxy": {"kind": kind, "parents": [{"name": "proxy.corp.example", "kind": parent}]}}
    found = check.learns_blindly("site", {"squid_learn_until": "2026-12-31"}, place)
    assert [f"site: squid_learn_until is set, but {why}" in each for each in found] == ([True] if why else [])
    assert check.learns_blindly("site", {"squid_learn_until": ""}, place) == []
