# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from functools import reduce

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain.endpoints import allow_list, names_in
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("hub.example.net", "hub.example.net"),
        ("HUB.Example.NET", "hub.example.net"),
        ("hub.example.net.", "hub.example.net"),
        ("*.example.net", ".example.net"),
        (".example.net", ".example.net"),
        ("https://hub.example.net", "hub.example.net"),
        ("https://hub.example.net:443/path?query#part", "hub.example.net"),
        ("HTTPS://user:word@Hub.Example.net/", "hub.example.net"),
        ("https://*.example.net/", ".example.net"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_under_score.example.net", "_under_score.example.net"),
    ],
)
def test_entries_become_what_dstdomain_takes(entry: str, name: str) -> None:
    assert allow_list([entry]) == [name]


@pytest.mark.parametrize(
    "entry",
    [
        "",
        ".",
        "*",
        "*.",
        "*.net",
        ".net",
        "localhost",
        "*example.net",
        "hub.*.example.net",
        "**.example.net",
        "10.0.0.1",
        "2001:db8::1",
        "https://[2001:db8::1]/",
        "https://[",
        "https://",
        "https://hub.example.net:8443/",
        "https://hub.example.net:port/",
        "http://hub.example.net/",
        "hub.example.net:443",
        "hub.example.net/path",
        "hub..example.net",
        "-hub.example.net",
        "hub-.example.net",
        "hub.example.net other.example.net",
        "hub.example.net\nhttp_access allow all",
        "hub.example.net\n",
        "hub.example.net#",
        '"hub.example.net"',
        "bücher.example",
        "x" * 64 + ".example.net",
        "x." * 126 + "net",
    ],
)
def test_what_is_no_endpoint_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="not usable as endpoints: ") as caught:
        allow_list(["good.example.net", entry])
    assert repr(entry) in str(caught.value)
    assert "good.example.net" not in str(caught.value)


def test_all_unusable_entries_are_in_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"'a b', '42'; give host names without a port, wildcards like \*\.example\.net or HTTPS URLs"
    ):
        allow_list(["a b", 42])


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ([], []),
        (["b.example.net", "a.example.net", "b.example.net"], ["a.example.net", "b.example.net"]),
        (["hub.example.net", "*.example.net"], [".example.net"]),
        (["*.example.net", "hub.example.net"], [".example.net"]),
        (["example.net", "*.example.net"], [".example.net"]),
        (["*.sub.example.net", "*.example.net", "a.b.sub.example.net"], [".example.net"]),
        (["notexample.net", "*.example.net"], [".example.net", "notexample.net"]),
        (["sub.example.net", "*.sub.example.org"], [".sub.example.org", "sub.example.net"]),
    ],
)
def test_the_list_is_sorted_and_has_no_covered_name(entries: list[str], names: list[str]) -> None:
    assert allow_list(entries) == names


LABELS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4)
ENTRIES = st.builds(lambda star, labels: star + ".".join([*labels, "net"]), st.sampled_from(["", "*.", "."]), LABELS)


def _covers(name: str, other: str) -> bool:
    """As Squid's dstdomain matches."""
    return other == name or (name.startswith(".") and f".{other.removeprefix('.')}".endswith(name))


@given(st.lists(ENTRIES, max_size=8))
def test_any_list_is_sorted_complete_minimal_and_stable(entries: list[str]) -> None:
    names = allow_list(entries)
    assert names == sorted(set(names))
    assert not [(name, other) for name in names for other in names if name != other and _covers(name, other)]
    assert all(any(_covers(name, entry.removeprefix("*")) for name in names) for entry in entries)
    assert all(any(name == entry.removeprefix("*") for entry in entries) for name in names)
    assert allow_list(names) == names
    assert allow_list(reversed(entries)) == names


@given(st.text() | st.text().map("https://{}".format) | st.text().map("hub.example.{}".format))
def test_any_text_is_refused_or_safe_on_a_line_of_squid_conf(text: str) -> None:
    try:
        (name,) = allow_list([text])
    except ValueError:
        return
    assert re.fullmatch(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)+", name)


@pytest.mark.parametrize(
    ("document", "names"),
    [
        pytest.param({"a": [{"b": "hub.azure-devices.net"}]}, ["hub.azure-devices.net"], id="nested"),
        pytest.param({"hub.azure-devices.net": 443}, ["hub.azure-devices.net"], id="key"),
        pytest.param("https://Example.net/path", ["example.net"], id="URL"),
        pytest.param("amqps://hub.example.net:5671", ["hub.example.net"], id="URL of another scheme"),
        pytest.param("hub.example.net:443", ["hub.example.net"], id="with port"),
        pytest.param("b.example.net, a.example.net;c.example.net\nb.example.net", None, id="several in one text"),
        pytest.param("*.blob.core.windows.net", [".blob.core.windows.net"], id="wildcard"),
        pytest.param("https://*.blob.core.windows.net", [".blob.core.windows.net"], id="wildcard in a URL"),
        pytest.param("endpoints.json", [], id="one dot"),
        pytest.param("1.2.3", [], id="version"),
        pytest.param("10.0.0.1", [], id="address"),
        pytest.param("Microsoft.Storage/storageAccounts", [], id="resource type"),
        pytest.param([None, True, 1, 1.5, "", []], [], id="nothing"),
    ],
)
def test_names_in_a_document(document: object, names: list[str] | None) -> None:
    expected = ["a.example.net", "b.example.net", "c.example.net"] if names is None else names
    assert names_in(document) == expected


@pytest.mark.parametrize(
    "text", ["https://[", "http://[::1", "https://[hub.example.net]", "https://a.b.example:x/", "://"]
)
def test_a_broken_url_is_passed_over(text: str) -> None:
    assert "hub.example.net" in names_in([text, "hub.example.net"])


def test_a_deep_document_is_walked() -> None:
    document = reduce(lambda inner, _level: [inner], range(5000), "hub.example.net")  # type: ignore[arg-type,return-value]
    assert names_in(document) == ["hub.example.net"]


WORDS = st.text() | st.sampled_from(
    ["https://", "hub.example.net", "[", "]", ":", "@", "%", "*.", "x" * 64, "x." * 130]
)
TEXTS = st.lists(WORDS, max_size=4).map("".join)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(DOCUMENTS)
def test_any_document_gives_only_usable_names(document: object) -> None:
    names = names_in(document)
    assert names == sorted(set(names))
    allow_list(names)
