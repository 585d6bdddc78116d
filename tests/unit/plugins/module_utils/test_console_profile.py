# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The profile's form: what is read and written, the sentences about mistakes, and how placeholders are filled."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http import profile as http_profile
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http.profile import ProfileError
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http.template import (
    Placeholder,
    TemplateError,
    literal,
    render,
    render_path,
    truth,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http.tree import (
    MISSING,
    UNCHECKED,
    Page,
    find,
    pointer,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import ConsoleError
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.secrets import BLANK, blank, holds
from hypothesis import given, settings
from hypothesis import strategies as st

FULL: dict[str, Any] = {
    "format": 1,
    "constants": {"save/x": {"value": "abc-1", "confirmed": True}},
    "tokens": {"csrf": [{"cookie": "c"}, {"json": "/t", "path": "/in"}]},
    "sign_in": {
        "prepare": [{"method": "GET", "path": "/"}],
        "request": {
            "method": "POST",
            "path": "/in",
            "headers": {"X-T": "${csrf}"},
            "format": "form",
            "body": {"u": "${console_username}", "p": "${console_password}"},
        },
        "status": 302,
        "after": [{"method": "GET", "path": "/home"}],
    },
    "read": {
        "request": {"method": "GET", "path": "/net"},
        "format": "json",
        "fields": {"enabled": "/e", "host": "/h", "port": "/p"},
    },
    "save": {
        "requests": [
            {
                "method": "POST",
                "path": "/cert",
                "only_with": "certificate",
                "format": "multipart",
                "body": {"f": {"file": "${certificate}", "content_type": "text/plain"}},
            },
            {
                "method": "PUT",
                "path": "/net",
                "format": "json",
                "body": {
                    "e": "${enabled|boolean}",
                    "h": "${host}",
                    "p": "${port|integer}",
                    "ip": "${current:/ip}",
                    "x": "${constant:save/x}",
                },
            },
        ],
        "password_unchanged": "omit",
        "certificate_unchanged": "empty",
    },
    "version": {"request": {"method": "GET", "path": "/about"}, "at": "/v"},
    "cloud": {
        "request": {"method": "GET", "path": "/cloud"},
        "connected": "fine",
        "issues": {"x": "Time drift detected"},
    },
}


def test_what_is_loaded_is_what_is_dumped() -> None:
    assert http_profile.dump(http_profile.load(FULL)) == FULL


def test_a_small_profile_needs_little() -> None:
    small = {key: FULL[key] for key in ("format", "sign_in", "read", "save", "tokens", "constants")}
    profile = http_profile.load(small)
    assert (profile.version, profile.cloud) == (None, None)
    assert profile.carried == {"enabled", "host", "port", "certificate"}


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        *keys, last = path.split(".")
        where: Any = data
        for key in keys:
            where = where[int(key) if key.isdigit() else key]
        where[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_set("format", 2), "format is 2"),
        (_set("typo", 1), "unknown key 'typo'"),
        (_set("sign_in", None), "sign_in must be a mapping"),
        (_set("sign_in.status", 500), "sign_in.status"),
        (_set("sign_in.status", True), "sign_in.status"),
        (_set("sign_in.prepare", "x"), "must be a list"),
        (_set("read.request.path", "https://elsewhere.example/"), "start with one slash"),
        (_set("read.request.path", "//elsewhere.example/"), "start with one slash"),
        (_set("read.request.path", "/a b"), "without blanks"),
        (_set("read.request.path", "/a\r\nX: y"), "without blanks"),
        (_set("read.request.method", "DELETE"), "method is 'DELETE'"),
        (_set("read.request.headers", {"X": "a\nb"}), "headers"),
        (_set("read.request.format", "json"), "GET with a body"),
        (_set("read.format", "xml"), "format is 'xml'"),
        (_set("read.fields", {"host": "/h"}), "lacks enabled"),
        (_set("read.fields.gateway", "/g"), "unknown key 'gateway'"),
        (_set("save.requests", []), "save.requests is empty"),
        (_set("save.requests.1.body", {}), "carries no"),
        (_set("save.requests.1.body.z", "${nonsense}"), "has no value there"),
        (_set("save.requests.1.body.z", "${console_password}"), "has no value there"),
        (_set("save.requests.1.body.z", "${host"), "cannot be read"),
        (_set("save.requests.1.body.z", "${host|long}"), "unknown type"),
        (_set("save.requests.1.body.z", "${enabled|choice=1}"), "ON/OFF"),
        (_set("save.requests.1.body.z", "${current}"), "':'"),
        (_set("save.requests.1.body.z", "${constant:other}"), "not listed"),
        (_set("save.requests.0.body.f", {"file": "/etc/passwd"}), "no other file"),
        (_set("save.requests.0.only_with", "x"), "only_with"),
        (_set("save.password_unchanged", "keep"), "use one of"),
        (_set("save.password_unchanged", "current"), "has no password"),
        (_set("tokens.host", [{"cookie": "c"}]), "no other meaning"),
        (_set("tokens.csrf", []), "must be a list"),
        (_set("tokens.csrf", [{"cookie": "c", "meta": "m"}]), "exactly one"),
        (_set("constants.save/x", {"value": 1}), "confirmed"),
        (_set("cloud.connected", ""), "empty text"),
        (_set("version.at", 1), "version.at"),
    ],
)
def test_every_mistake_is_one_sentence(change: Callable[[dict[str, Any]], None], sentence: str) -> None:
    data = copy.deepcopy(FULL)
    change(data)
    with pytest.raises(ProfileError) as caught:
        http_profile.load(data)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConsoleError)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["${host}", "${", "GET", "/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_profile_is_a_sentence_at_worst(data: st.DataObject) -> None:
    profile = copy.deepcopy(FULL)
    where: Any = profile
    while isinstance(where, (dict, list)) and where:
        key = data.draw(st.sampled_from(list(where) if isinstance(where, dict) else list(range(len(where)))))
        if not isinstance(where[key], (dict, list)) or data.draw(st.booleans()):
            where[key] = data.draw(ANYTHING)
            break
        where = where[key]
    with contextlib.suppress(ProfileError):
        http_profile.load(profile)


def test_a_body_that_is_too_deep_is_a_mistake() -> None:
    data = copy.deepcopy(FULL)
    deep: Any = "${host}"
    for _count in range(5000):
        deep = [deep]
    data["save"]["requests"][1]["body"]["z"] = deep
    with pytest.raises(ProfileError, match="levels"):
        http_profile.load(data)


def filled(text: str, value: Any) -> Any:
    return render({"x": text}, lambda _placeholder: value).get("x", MISSING)


@pytest.mark.parametrize(
    ("text", "value", "result"),
    [
        ("${a}", "b", "b"),
        ("${a}", 5, 5),
        ("${a}", None, None),
        ("${a}", ["1", "2"], ["1", "2"]),
        ("${a}", MISSING, MISSING),
        ("${a}", UNCHECKED, MISSING),
        ("x ${a} y", True, "x true y"),
        ("$${a}", "b", "${a}"),
        ("$${${a}}", "b", "${b}"),
        ("${a|text}", 5, "5"),
        ("${a|text}", None, None),
        ("${a|integer}", "5", 5),
        ("${a|integer}", "", None),
        ("${a|integer}", True, 1),
        ("${a|boolean}", "on", True),
        ("${a|boolean}", "", False),
        ("${a|checkbox=1}", True, "1"),
        ("${a|checkbox=1}", False, MISSING),
        ("${a|checkbox=on}", UNCHECKED, MISSING),
        ("${a|choice=yes/no}", False, "no"),
        ("${a|choice=yes/no}", 1, "yes"),
        ("${a|base64}", b"\xff\0", "/wA="),
        ("${a|text}", b"PEM", "PEM"),
        ("data:${a|base64}", b"ABC", "data:QUJD"),
    ],
)
def test_placeholders_are_filled(text: str, value: Any, result: Any) -> None:
    found = filled(text, value)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("text", "value"), [("${a|integer}", "x"), ("${a|boolean}", "maybe"), ("${a|checkbox=1}", "maybe")]
)
def test_a_value_of_the_wrong_kind_is_an_error(text: str, value: Any) -> None:
    with pytest.raises(TemplateError):
        filled(text, value)


@given(st.text())
def test_a_literal_stays_what_it_is(text: str) -> None:
    assert filled(literal(text), "wrong") == text


def test_values_in_a_path_are_encoded() -> None:
    assert render_path("/a/${x}?b=${x}", lambda _placeholder: "../é&=") == "/a/..%2F%C3%A9%26%3D?b=..%2F%C3%A9%26%3D"


@given(st.lists(st.text(), max_size=4))
def test_a_place_leads_where_it_came_from_and_survives_a_placeholder(keys: list[str]) -> None:
    tree: Any = "here"
    for key in reversed(keys):
        tree = {key: tree}
    place = pointer(keys)
    assert find(tree, place) == "here"
    seen: list[Placeholder] = []

    def resolve(placeholder: Placeholder) -> str:
        seen.append(placeholder)
        return ""

    render(f"${{current:{place}|text}}", resolve)
    assert seen == [Placeholder("current", place, "text")]


def test_places_that_are_not_there() -> None:
    tree = {"a": [1, {"b": None}], "c/d": 2}
    assert find(tree, "/a/1/b") is None
    assert find(tree, "c/d") == 2
    for place in ("/a/2", "/a/x", "/a/-1", "/a/²", "/a/0/b", "/z", "z"):
        assert find(tree, place) is MISSING


@pytest.mark.parametrize(
    ("value", "meaning"), [("On", True), (0, False), ("", False), (None, False), ("x", None), (MISSING, None)]
)
def test_on_and_off(value: Any, meaning: bool | None) -> None:
    assert truth(value) is meaning


def test_a_form_is_what_a_browser_would_send() -> None:
    page = Page(
        '<meta name=t content=v><input name=a value="1&amp;2"><input type=checkbox name=b><input type=checkbox name=c checked>'
        "<input type=radio name=d value=x><input type=radio name=d value=y checked><input type=submit name=e value=z>"
        "<select name=f><option value=1><option value=2 selected></select><textarea name=g>\nq</textarea>"
        '<input name=h value=1><input name=h value=2><input type=password name=i placeholder="***"><input type=hidden name=j value=k>'
        "<script>var hidden</script><p role=alert>No <b>way</b></p>text"
    )
    assert page.fields == {
        "a": "1&2",
        "b": UNCHECKED,
        "c": "on",
        "d": "y",
        "f": "2",
        "g": "q",
        "h": ["1", "2"],
        "i": "",
        "j": "k",
    }
    assert (page.meta, page.passwords, page.alert) == ({"t": "v"}, {"i": "***"}, "No way")
    assert page.text == "No way text"
    assert (page.hidden, page.checkboxes) == ({"j"}, {"b", "c"})


@given(st.text(), st.text(min_size=3, alphabet=st.characters(exclude_categories=["Cs"])), st.text())
def test_secrets_are_found_and_blanked_in_every_spelling(before: str, secret: str, after: str) -> None:
    from urllib.parse import quote, quote_plus

    coded = base64.b64encode(secret.encode()).decode()
    for form in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        coded.rstrip("="),
    ):
        assert holds(f"{before}{form}{after}", secret)
        if len(form) > len(BLANK):
            assert form not in blank(f"<{form}>", [secret])


def test_a_secret_inside_base64_is_found() -> None:
    for prefix in ("", "u", "us", "usr"):
        text = base64.b64encode(f"{prefix}:long-enough-secret:x".encode()).decode()
        assert holds(text, "long-enough-secret")
        assert blank(text, ["long-enough-secret"]) != text


def test_nothing_is_blanked_for_no_secret() -> None:
    assert blank("text", ["", ""]) == "text"
