# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts that a console's screens are searched for, and what a user may say instead."""

from __future__ import annotations

from dataclasses import fields

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.labels import (
    DOCUMENTED,
    Labels,
    pattern,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import UnexpectedError

KEYS = [field.name for field in fields(Labels)]
PATHS = [key for key in KEYS if key.endswith("_paths")]
TEXTS = [key for key in KEYS if key not in PATHS]


def test_nothing_to_replace_changes_nothing() -> None:
    assert DOCUMENTED.merge({}) == DOCUMENTED


@pytest.mark.parametrize("key", TEXTS)
@pytest.mark.parametrize("value", ["Zwischenserver", ["Zwischenserver"]])
def test_a_text_or_a_list_replaces_all_texts_of_its_key_and_no_others(key: str, value: object) -> None:
    merged = DOCUMENTED.merge({key: value})
    assert getattr(merged, key) == ("Zwischenserver",)
    assert {other for other in KEYS if getattr(merged, other) != getattr(DOCUMENTED, other)} == {key}


@pytest.mark.parametrize("key", PATHS)
def test_paths_replace_paths(key: str) -> None:
    assert getattr(DOCUMENTED.merge({key: [["Setup", "Proxy"], ["Proxy"]]}), key) == (("Setup", "Proxy"), ("Proxy",))


def test_several_keys_at_once() -> None:
    merged = DOCUMENTED.merge({"host": ["Server", "Host"], "save": "Apply"})
    assert (merged.host, merged.save, merged.port) == (("Server", "Host"), ("Apply",), DOCUMENTED.port)


def test_merging_leaves_the_documented_labels_alone() -> None:
    DOCUMENTED.merge({"host": "Server"})
    assert DOCUMENTED.host == ("Proxy Host",)


def test_an_unknown_key_is_named_with_all_that_are_known() -> None:
    with pytest.raises(UnexpectedError) as caught:
        DOCUMENTED.merge({"proxy_host": "Server"})
    assert str(caught.value) == f"labels has the unknown key 'proxy_host'; known are {', '.join(KEYS)}"


@pytest.mark.parametrize(
    "value", ["", "  ", [], None, 7, ["Server", ""], ["Server", 7], [["Server"]], {"text": "Server"}, {}, b"Server"]
)
def test_what_is_no_text_is_named_and_shown(value: object) -> None:
    with pytest.raises(UnexpectedError) as caught:
        DOCUMENTED.merge({"host": value})
    assert str(caught.value) == f"labels.host is {value!r}; give a text, or a list of texts"


@pytest.mark.parametrize("value", ["System settings", [], None, 7, {"a": "b"}])
def test_what_is_no_list_of_paths_is_named_and_shown(value: object) -> None:
    with pytest.raises(UnexpectedError) as caught:
        DOCUMENTED.merge({"settings_paths": value})
    assert str(caught.value) == f"labels.settings_paths is {value!r}; give a list of lists of texts"


@pytest.mark.parametrize("path", [[], [""], None, [7]])
def test_a_path_that_is_none_is_named(path: object) -> None:
    with pytest.raises(UnexpectedError, match=r"^labels\.cloud_paths is .*; give a"):
        DOCUMENTED.merge({"cloud_paths": [["Status"], path]})


@pytest.mark.parametrize(
    "shown",
    [
        "Proxy Host",
        "proxy host",
        "PROXY HOST",
        "  Proxy Host\n",
        "Proxy  \n Host",
        "Proxy\u00a0Host",
        "Proxy Host:",
        "Proxy Host *",
        "Proxy Host*:",
        "Proxy Host (Optional)",
        "Proxy Host (optional):",
        "Server name",
    ],
)
def test_a_label_is_known_whatever_its_case_white_space_and_marks(shown: str) -> None:
    assert pattern(("Proxy Host", "Server name")).search(shown)


@pytest.mark.parametrize(
    "shown",
    [
        "Proxy Hostname",
        "Proxy Host name",
        "The Proxy Host",
        "Proxy Host of another sensor",
        "Proxy Host (required)",
        "ProxyHost",
        "Proxy",
        "",
        ":",
    ],
)
def test_a_longer_or_shorter_text_is_another_label(shown: str) -> None:
    assert not pattern(("Proxy Host", "Server name")).search(shown)


def test_a_text_is_no_regular_expression() -> None:
    assert pattern(("Host (IP)", "a.b")).search("host (ip):")
    assert not pattern(("a.b", ".*")).search("axb")


@pytest.mark.parametrize("key", TEXTS)
def test_every_documented_text_is_known_by_its_own_pattern(key: str) -> None:
    for text in getattr(DOCUMENTED, key):
        assert pattern(getattr(DOCUMENTED, key)).search(text)


def test_the_sign_in_is_not_taken_for_the_proxys_account() -> None:
    assert not pattern(DOCUMENTED.sign_in_password).search("Proxy Password")
    assert not pattern(DOCUMENTED.sign_in_username).search("Proxy Username")
