# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of an HTML page, and that no page costs more than its length."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.http.tree import UNCHECKED, Page, said

HOSTILE = {
    "open tags": "<a",
    "open tags with blanks": "<a ",
    "open end tags": "</a",
    "less-than": "<",
    "comments": "<!--",
    "declarations": "<!",
    "sections": "<![CDATA[",
    "instructions": "<?",
    "open quotes": "<a b='",
    "both open quotes": "<a b='\"",
    "equal signs": "<a b=",
    "scripts": "<script>",
    "script ends": "<script></script",
    "text areas": "<textarea name=a>",
    "text area ends": "<textarea name=a></textarea",
    "selects": "<select name=a><option value=b>",
    "the same field": "<input name=a>",
    "other fields": "<input name=a type=password><p role=alert>",
    "references": "&",
    "numbers": "&#1",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_page_costs_what_it_is_long(piece: str) -> None:
    """As large as an answer may be; a second is far more than it takes."""
    text = piece * (4_800_000 // len(piece))
    started = time.thread_time()
    Page(text)
    assert time.thread_time() - started < 8  # 0.1 to 2 where it was written


@pytest.mark.parametrize("piece", [" a", " a=b", "/", " value=b", " value='b'"])
def test_attributes_cost_no_memory(piece: str) -> None:
    text = f"<input name=x{piece * 100_000}>"
    tracemalloc.start()
    try:
        Page(text)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("<input name=a value=b>", {"a": "b"}),
        ("<INPUT Name='a' VALUE=\"b 'c' &amp; &#100;\">", {"a": "b 'c' & d"}),
        ("<input name = a  value = b />", {"a": "b"}),
        ("<input name=a value=b/c>", {"a": "b/c"}),
        ("<input name=a value=first value=second>", {"a": "first"}),
        ("<input name=a value='x>y'>", {"a": "x>y"}),
        ("<input name=a value=b", {}),
        ("<input name=a value='b", {}),
        ("<input name=a><input name=a value=b><input name=a value=c>", {"a": ["", "b", "c"]}),
        ("<input name=a type=checkbox checked><input name=b type=checkbox>", {"a": "on", "b": UNCHECKED}),
        ("<!-- <input name=a> --><input name=b>", {"b": ""}),
        ("<!doctype html><?x y?></3><input name=b>", {"b": ""}),
        ("<script>'<input name=a>'</script><input name=b>", {"b": ""}),
        ("<style><input name=a></STYLE ><input name=b>", {"b": ""}),
        ("<textarea name=a>\nx &lt; <b>y</b></textarea>z", {"a": "x < <b>y</b>"}),
        ("<textarea name=a>x", {"a": "x"}),
        ("<select name=a><option value=1><option value=2 selected></select>", {"a": "2"}),
        ("1 < 2 <input name=a value=&#" + "9" * 5000 + ";>", {"a": "&#" + "9" * 5000 + ";"}),
    ],
)
def test_fields(text: str, fields: dict[str, Any]) -> None:
    assert Page(text).fields == fields


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<p>a<b>b</b>\n &amp; c", "a b & c"),
        ("1 < 2 a<", "1 < 2 a<"),
        ("a<script>b</script>c<style>d</style>e<template>f</template>g<noscript>h</noscript>i", "a c e g i"),
        ("a<!-- b --!>c<!-->d<!-- e", "a c d"),
        ("a<scripty>b", "a b"),
    ],
)
def test_text(text: str, shown: str) -> None:
    assert Page(text).text == shown


def test_alerts() -> None:
    page = Page("<p>a</p><div role=alert>b <div>c</div> d</div>e<p role=alert>f</p>")
    assert page.alert == "b c d f"


def test_long_keys_cost_no_memory() -> None:
    """As places they would be repeated for each value below them."""
    tree = {"message" + "x" * 100_000: [str(number) for number in range(500)]}
    tracemalloc.start()
    try:
        assert list(said(tree)) == [(True, str(number)) for number in range(500)]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
