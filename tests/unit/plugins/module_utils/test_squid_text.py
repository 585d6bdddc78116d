# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of squid.conf: secrets in, secrets never out, and what Squid's words mean."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.connect import Listener
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.text import (
    HIDDEN,
    OWNED_MARK,
    bound,
    complaints,
    fill,
    listeners,
    mark_of,
    patient,
    restart_reasons,
    showable,
    token_of,
    untoken,
    visible_hostname,
    warnings,
    without_secrets,
)
from hypothesis import given
from hypothesis import strategies as st

TOKEN = "0123456789abcdef" * 2
PROBE = f"acl probe_token req_header X-Proxy-Chaining-Probe ^{TOKEN}$\n"


def test_placeholders_are_filled_url_escaped() -> None:
    assert fill("login=u:@@parent:p1@@ x", {"parent:p1": "a b%:/@\n"}) == "login=u:a%20b%25%3A%2F%40%0A x"


def test_what_looks_like_a_placeholder_in_a_value_is_not_filled_again() -> None:
    assert "hunter2" not in fill("@@a@@", {"a": "@@b@@", "b": "hunter2"})


def test_patience_is_for_logins_alone() -> None:
    ours = "auth_param basic realm ttl\nauth_param basic credentialsttl 1 minute\nconnect_timeout 1 minute\n"
    assert patient(ours) == ours.replace("credentialsttl 1 minute", "credentialsttl 10 minutes")
    assert patient("workers 1\n") == "workers 1\n"


def test_listeners_as_they_are_written() -> None:
    text = "http_port 3128\nhttps_port [2001:db8::1]:3129 tls-cert=x\nhttp_port 10.0.0.1:3130\n# http_port 1\n"
    assert bound(text) == [
        Listener("", 3128),
        Listener("2001:db8::1", 3129, tls=True),
        Listener("10.0.0.1", 3130),
    ]
    assert bound("") == []


def test_a_placeholder_without_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"the placeholder @@other@@, and no secret of that name was given"):
        fill("@@one@@ @@other@@", {"one": "1"})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_squid_reads_back_the_very_password_and_no_more_of_the_line(password: str) -> None:
    filled = fill("login=u:@@p@@ end", {"p": password})
    value = filled.removeprefix("login=u:").removesuffix(" end")
    assert unquote(value) == password
    assert not set(value) & set(" \t\r\n#\"'@:")


def test_a_lone_at_sign_is_no_placeholder() -> None:
    text = "logformat x %ts @ @@ a@@b c@@ d\n"
    assert fill(text, {}) == text


def test_the_token_is_read_back() -> None:
    assert token_of(f"http_port 3128\n{PROBE}http_access deny all\n") == TOKEN


def test_the_mark_follows_from_the_token_and_is_a_secret_too() -> None:
    template = f'{PROBE.replace(TOKEN, "@@probe-token@@")}reply_header_add X-Proxy-Chaining-Refused "@@probe-mark@@" probe_source\n'
    filled = fill(template, {"probe-token": TOKEN})
    found = mark_of(filled)
    assert found is not None
    assert TOKEN not in found
    assert untoken(filled) == template
    assert found not in without_secrets(filled)
    assert mark_of(PROBE) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"# {PROBE}",
        PROBE.replace(TOKEN, "@@probe-token@@"),
        PROBE.replace(TOKEN, "short"),
        PROBE.replace("Chaining", "X"),
    ],
)
def test_where_there_is_no_token_none_is_read(line: str) -> None:
    assert token_of(line) is None


def test_the_visible_hostname_is_read() -> None:
    assert visible_hostname("http_port 1\nvisible_hostname site1\n") == "site1"
    assert visible_hostname("http_port 1\n# visible_hostname no\n") == ""


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("http_port 3128\n", [Listener("127.0.0.1", 3128)]),
        ("http_port 10.0.0.1:8080\n", [Listener("10.0.0.1", 8080)]),
        ("http_port [2001:db8::1]:8080\n", [Listener("2001:db8::1", 8080)]),
        ("https_port 3129 tls-cert=/a:1 tls-key=/b:2\n", [Listener("127.0.0.1", 3129, tls=True)]),
        ("https_port [::1]:3129 tls-cert=x\n", [Listener("::1", 3129, tls=True)]),
        ("http_port proxy.example:3128 name=x\n", [Listener("proxy.example", 3128)]),
        ("http_port\t3128", [Listener("127.0.0.1", 3128)]),
        (
            "https_port 10.0.0.1:3129\nhttp_port 10.0.0.2:3128\nhttps_port 3130\nhttp_port 10.0.0.1:3128\n",
            [
                Listener("10.0.0.2", 3128),
                Listener("10.0.0.1", 3128),
                Listener("10.0.0.1", 3129, tls=True),
                Listener("127.0.0.1", 3130, tls=True),
            ],
        ),
        ("", [Listener("127.0.0.1", 3128)]),
        (
            "# http_port 1\nacl https_port port 443\nhttp_access deny !https_port\nicp_port 3130\n",
            [Listener("127.0.0.1", 3128)],
        ),
    ],
    ids=["wildcard", "address", "ipv6", "https", "https ipv6", "name", "tab", "plain first", "none", "others"],
)
def test_the_listeners_are_read_the_plain_ones_first(content: str, found: list[Listener]) -> None:
    assert listeners(content) == found


@pytest.mark.parametrize("mark", [f"{OWNED_MARK}.\n", ""], ids=["owned", "foreign"])
@pytest.mark.parametrize(
    "line",
    [
        PROBE.replace(TOKEN, "{}"),
        "cache_peer 10.0.0.1 parent 3128 0 no-query name=p login=user:{}\n",
        "cache_peer 10.0.0.1 parent 3128 0 no-query login=user:{} name=p default\n",
        "  cache_peer\t10.0.0.1 parent 3128 0 login=user:{}\n",
        "cache_peer 10.0.0.1 parent 3128 0 login=*:{}\n",
        "cachemgr_passwd {} all\n",
    ],
    ids=["token", "login", "login in the middle", "blanks", "login of the user", "cachemgr"],
)
def test_no_secret_is_shown(mark: str, line: str) -> None:
    secret = "5ec" + "0" * 29 + "e7"
    shown = showable(mark + line.format(secret))
    assert secret not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "line",
    [
        "auth_param basic program /usr/lib/squid/basic_ldap_auth -D cn=x -w hunter2 -h ldap",
        "auth_param basic program /usr/lib/squid/basic_ldap_auth -D cn=x -whunter2",
        "external_acl_type ldap ttl=60 %LOGIN /usr/lib/squid/ext_ldap_group_acl -w hunter2 -h ldap",
        "external_acl_type ldap ttl=60 %LOGIN \\\n  /usr/lib/squid/ext_ldap_group_acl -w \\\n  hunter2",
        "request_header_add X-Auth hunter2 all",
        "acl monitoring snmp_community hunter2",
        "acl ours req_header X-Auth ^hunter2$",
        "# the LDAP password is hunter2",
    ],
)
def test_no_secret_of_a_foreign_file_is_shown(line: str) -> None:
    # The first run shows as "before" whatever the plant wrote by hand until then.
    assert "hunter2" not in showable(f"{line}\n")


def test_a_foreign_files_lines_about_who_may_do_what_are_shown() -> None:
    text = "acl plant src 10.0.0.0/24 10.0.1.1\nacl CONNECT method CONNECT\nhttp_access allow plant\nhttp_port 3128\n"
    assert showable(text + "cache_mem 64 MB\n") == f"{text}cache_mem {HIDDEN}\n"


def test_the_rest_of_an_owned_file_is_shown_as_it_is() -> None:
    text = f"{OWNED_MARK}.\n\n# Who they are.\nacl sensor1 src 10.0.0.1\n"
    assert showable(text) == text


def test_a_foreign_file_is_shown_without_its_pages_of_comments() -> None:
    assert showable("# WELCOME TO SQUID\n\n  # more\nhttp_port 3128\n") == "http_port 3128\n"


@pytest.mark.parametrize("name", ["workers", "max_filedescriptors"])
def test_what_is_read_at_the_start_only_needs_a_restart(name: str) -> None:
    assert restart_reasons(f"{name} 1\n", f"{name} 2\n") == [name]
    assert restart_reasons("", f"{name} 2\n") == [name]
    assert restart_reasons(f"{name} 1\n", "") == [name]


@pytest.mark.parametrize(
    ("old", "new"), [("http_port 1", "http_port 10.0.0.1:1"), ("https_port [2001:db8::1]:1 tls-cert=/c", "http_port 1")]
)
def test_workers_cannot_listen_on_less_or_more_of_a_port_without_a_restart(old: str, new: str) -> None:
    assert restart_reasons(f"{old}\nworkers 2\n", f"{new}\nworkers 2\n") == ["the address of port 1"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http_port 1\nworkers 2\n", "http_port 3\nworkers 2\n"),
        ("http_port 1\n", "http_port 10.0.0.1:1\n"),
        ("http_port 1\nworkers 2\n", "http_port 1 tcpkeepalive=1,2,3\nhttp_port 10.0.0.1:2\nworkers 2\n"),
        ("http_port 10.0.0.1:1\nworkers 2\n", "http_port 10.0.0.2:1\nworkers 2\n"),
        ("acl a src 10.0.0.1\n", ""),
        ("# workers 1\n", "# workers 2\n"),
        ("workers 2\n", "  workers   2 \n"),
        ("workers\t2\n", "workers 2\n"),
        ("", "cpu_affinity_map process_numbers=1 cores=2\n"),
    ],
    ids=["others", "one", "more", "moved", "sensor", "comment", "blanks", "tab", "affinity"],
)
def test_nothing_else_restarts(old: str, new: str) -> None:
    assert restart_reasons(old, new) == []


def test_errors_count_although_squid_exits_with_0() -> None:
    output = (
        "2026/11/23 20:00:00| Processing: cache_peer p parent 1 0 login=u:a b\n"
        "2026/11/23 20:00:00| ERROR: unknown cache_peer option: b\n"
        "2026/11/23 20:00:00 kid1| FATAL: Bungled squid.conf line 4: workers x\n"
        "FATAL: no clock\n"
        "Bungled squid.conf line 5: x\n"
    )
    assert complaints(0, output) == [
        "ERROR: unknown cache_peer option: b",
        "FATAL: Bungled squid.conf line 4: workers x",
        "FATAL: no clock",
        "Bungled squid.conf line 5: x",
    ]


def test_a_file_that_only_mentions_errors_has_none() -> None:
    assert complaints(0, "2026/11/23 20:00:00| Processing: acl ERROR: src 10.0.0.1 | FATAL: x\n") == []


def test_an_exit_code_without_words_is_a_fault_too() -> None:
    assert complaints(1, "2026/11/23 20:00:00| Processing: x\n") == ["squid -k parse ended with exit code 1"]
    assert complaints(-11, "") == ["squid -k parse ended with exit code -11"]


def test_a_clean_parse_has_no_complaint() -> None:
    assert complaints(0, "2026/11/23 20:00:00| Startup: Initializing Authentication Schemes ...\n") == []


def test_warnings_are_kept_except_the_one_about_missing_ipv6() -> None:
    output = (
        "2026/11/23 20:00:00| WARNING: BCP 177 violation. Detected non-functional IPv6 loopback.\n"
        "2026/11/23 20:00:00 kid1| WARNING: empty ACL: acl x\n"
    )
    assert warnings(output) == ["WARNING: empty ACL: acl x"]
