# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the evaluator says of a request; that Squid says the same is shown by the scenario default."""

from __future__ import annotations

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.acls import Request
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.rules import DIRECT, Evaluator

from tests.unit import asked

ONE = Request("10.0.0.1", "a.example")


def of(text: str, **files: str) -> Evaluator:
    return Evaluator("squid.conf", {"squid.conf": text, **files})


@pytest.mark.parametrize(
    ("lines", "request_", "allowed"),
    [
        ("acl s src 10.0.0.0/24\nhttp_access allow s", ONE, True),
        ("acl s src 10.0.0.0/24\nhttp_access allow s", Request("10.0.1.1", "a.example"), False),
        ("acl d dst 10.9.0.0/16\nhttp_access deny d\nhttp_access allow all", Request("10.0.0.1", "10.9.0.1"), False),
        ("acl d dst 10.9.0.0/16\nhttp_access deny d\nhttp_access allow all", ONE, None),
        ("http_access deny to_localhost\nhttp_access allow all", Request("10.0.0.1", "[::1]"), False),
        ("acl d dstdomain .example\nhttp_access allow d", Request("10.0.0.1", "A.Example."), True),
        ("acl d dstdomain -n .example\nhttp_access allow d", Request("10.0.0.1", "192.0.2.1"), False),
        ("acl d dstdomain .example\nhttp_access allow d", Request("10.0.0.1", "192.0.2.1"), None),
        ("acl s src plant.example\nhttp_access allow s", ONE, None),
        ("acl u proxy_auth bob\nhttp_access allow u", Request("10.0.0.1", "a.example", user="BOB"), True),
        ("acl t time 08:00-17:00\nhttp_access allow t", ONE, None),
        ("follow_x_forwarded_for allow all\nhttp_access allow all", ONE, None),
        ("include /etc/squid/conf.d/*.conf\nhttp_access allow all", ONE, None),
        ("include /etc/squid/conf.d/*.conf\nhttp_access deny all", ONE, False),
    ],
)
def test_a_request_is_allowed_refused_or_not_to_be_judged(lines: str, request_: Request, allowed: bool | None) -> None:
    answer = of(lines + "\n").ask(request_)
    assert (answer.allowed, bool(answer.why)) == (allowed, True)


def test_what_is_not_known_is_named() -> None:
    assert of("acl t time 08:00-17:00\nhttp_access allow t\n").ask(ONE).why == "t has the type time"


@pytest.mark.parametrize(
    ("lines", "hops"),
    [
        ("", [DIRECT]),
        ("never_direct allow all", ["one", "two"]),
        ("always_direct allow all", [DIRECT]),
        ("acl d dstdomain .example\nalways_direct allow d\nnever_direct allow all", [DIRECT]),
        ("acl s src 10.0.0.0/24\ncache_peer_access one deny s\nnever_direct allow all", ["two"]),
        ("acl s src 10.0.1.0/24\ncache_peer_access one allow s\nnever_direct allow all", ["two"]),
    ],
)
def test_where_an_allowed_request_goes(lines: str, hops: list[str]) -> None:
    peers = "cache_peer 192.0.2.1 parent 3128 0 no-query name=one\ncache_peer two parent 3128 0 no-query\n"
    assert of((peers if lines else "") + lines + "\n").next_hops(ONE) == hops


def test_little_of_what_squid_is_asked_cannot_be_judged() -> None:
    texts = [*asked.HAND_MADE, *map(asked.generated, range(50))]
    answers = [
        of(text, **asked.FILES).ask(each).allowed for seed, text in enumerate(texts) for each in asked.requests(seed)
    ]
    assert len(asked.HAND_MADE) >= 30
    assert answers.count(None) < len(answers) / 10
    assert min(answers.count(True), answers.count(False)) > len(answers) / 3
