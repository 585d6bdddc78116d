# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Password hashes: what libcrypt itself accepts, and nothing that changes without a reason."""

from __future__ import annotations

import re

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.htpasswd import (
    libcrypt,
    merge,
    replaces,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def hashes(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines())


def test_a_hash_is_salted_sha512() -> None:
    hashed = hashes(merge("", {"anna": "secret"}))["anna"]
    assert re.fullmatch(r"\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}", hashed)


def test_libcrypt_verifies_the_hash() -> None:
    hashed = hashes(merge("", {"anna": "secret"}))["anna"]
    assert libcrypt("secret", hashed) == hashed
    assert libcrypt("Secret", hashed) != hashed


def test_the_same_password_of_two_users_has_two_hashes() -> None:
    first, second = hashes(merge("", {"anna": "secret", "berta": "secret"})).values()
    assert first != second


def test_nothing_changes_while_no_password_does() -> None:
    users = {"anna": "secret", "berta": "other"}
    text = merge("", users)
    assert merge(text, users) == text


def test_only_the_changed_password_gets_a_new_hash() -> None:
    before = hashes(merge("", {"anna": "secret", "berta": "other"}))
    after = hashes(merge("".join(f"{k}:{v}\n" for k, v in before.items()), {"anna": "new", "berta": "other"}))
    assert after["berta"] == before["berta"]
    assert libcrypt("new", after["anna"]) == after["anna"]


def test_who_is_not_wanted_leaves() -> None:
    text = merge("", {"anna": "secret", "berta": "other"})
    assert merge(text, {}) == ""
    assert list(hashes(merge(text, {"berta": "other"}))) == ["berta"]


def test_who_is_kept_stays_as_it_is() -> None:
    text = merge("", {"anna": "secret", "berta": "other"})
    before = hashes(text)
    assert merge(text, {"anna": "secret"}, kept=["berta", "carla"]) == text
    # Who is wanted is no longer only kept.
    after = hashes(merge(text, {"anna": "new"}, kept=["anna"]))
    assert list(after) == ["anna"]
    assert after["anna"] != before["anna"]


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("a:1\nb:2\n", False),
        ("a:1\n", False),
        ("", False),
        ("a:1\nb:2\nc:3\n", False),
        ("a:9\nb:2\n", True),
        ("b:9\n", True),
    ],
)
def test_a_password_is_replaced_where_a_user_stays_with_another_one(new: str, expected: bool) -> None:
    assert replaces("a:1\nb:2\n", new, ["a", "b"]) is expected
    assert not replaces("a:1\nb:2\n", new, ["c"])


def test_users_are_sorted_so_that_their_order_in_the_inventory_does_not_matter() -> None:
    assert list(hashes(merge("", {"c": "1", "a": "2", "b": "3"}))) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "line",
    [
        "no colon here",
        ":",
        "anna:",
        "anna:*",
        "anna:!",
        "anna:$6$",
        "anna:$9$x$y",
        "anna:\x00",
        "anna:grün",
        "anna:secret",
        "",
        "a:b:c",
    ],
)
def test_garbage_in_the_file_is_replaced(line: str) -> None:
    hashed = hashes(merge(f"{line}\n", {"anna": "secret"}))
    assert list(hashed) == ["anna"]
    assert libcrypt("secret", hashed["anna"]) == hashed["anna"]


def test_a_weak_hash_that_ignores_the_end_of_a_password_does_not_stay() -> None:
    # The traditional DES hash reads eight characters only, so a longer password would be changed in vain.
    old = libcrypt("longpass-old", "ab")
    assert hashes(merge(f"anna:{old}\n", {"anna": "longpass-new"}))["anna"] != old


def test_libcrypt_refuses_an_unknown_setting() -> None:
    with pytest.raises(OSError, match="refused"):
        libcrypt("secret", "*0")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), min_size=1, max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_password_keeps_its_hash(password: str) -> None:
    text = merge("", {"anna": password})
    assert merge(text, {"anna": password}) == text
    assert merge(text, {"anna": password + "x"}) != text


def test_the_hash_function_is_asked_for_a_new_hash_only_where_none_fits() -> None:
    asked: list[tuple[str, str]] = []

    def crypt(password: str, setting: str) -> str:
        asked.append((password, setting[:3]))
        return f"$6$hash-of-{password}"

    assert merge("anna:$6$hash-of-1\n", {"anna": "1", "berta": "2"}, crypt) == "anna:$6$hash-of-1\nberta:$6$hash-of-2\n"
    assert asked == [("1", "$6$"), ("2", "$6$")]
