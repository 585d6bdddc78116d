# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A squid.conf that somebody changed by hand is read as Squid reads it, or refused; never read as something else."""

from __future__ import annotations

import time

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.acls import Request
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid.rules import ALLOW, DENY, Rules

CONFIG = "acl endpoints dstdomain -n a.example\nacl one src 10.0.0.1\nhttp_access allow ONE endpoints\n"


def test_names_have_no_case_lines_may_be_indented_and_comments_end_them() -> None:
    rules = Rules(CONFIG + "\t http_access deny one # nobody else\n")
    assert rules.decide(Request("10.0.0.1", "b.example")) == (DENY, 4, "http_access deny one")
    assert rules.decide(Request("10.0.0.1", "a.example")) == (ALLOW, 3, "http_access allow ONE endpoints")


def test_where_no_line_matches_the_opposite_of_the_last_one_counts() -> None:
    stranger = Request("10.0.0.2", "a.example")
    assert Rules(CONFIG).decide(stranger)[:2] == (DENY, 0)
    assert Rules(CONFIG + "http_access deny one\n").decide(stranger)[:2] == (ALLOW, 0)
    assert Rules("").decide(stranger)[:2] == (DENY, 0)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("follow_x_forwarded_for allow all", "line 4 has the directive follow_x_forwarded_for"),
        ("if ${process_number} = 1", "line 4 has the directive if"),
        ("miss_access deny one", "line 4 has the directive miss_access"),
        ("acl one time 08:00-17:00", "line 3 uses the ACL ONE, which is defined with two types"),
        ("acl late time 08:00-17:00\nhttp_access deny late", "line 5 uses the ACL late, which has the type time"),
        (
            'acl late src "/etc/x"\nhttp_access deny late',
            "line 5 uses the ACL late, which has values that are not known here",
        ),
        (
            "acl who proxy_auth -i carl\nhttp_access allow who",
            "line 5 uses the ACL who, which has values that are not known here",
        ),
        ("http_access", "line 4 has http_access without allow or deny and an ACL"),
        ("http_access permit one", "line 4 has http_access without allow or deny and an ACL"),
    ],
)
def test_what_only_the_proxy_knows_is_refused(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^line ") as caught:
        Rules(f"{CONFIG}{line}\n")
    assert str(caught.value).lower() == f"{problem}, which the role squid of this collection never writes".lower()


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ("acl net src 10.0.0.0/8\nhttp_access deny net", 5),
        ("acl ports port 1-1024\nhttp_access deny ports", 5),
        ("acl names dstdomain .example\nhttp_access deny names", 5),
        ("acl re dstdom_regex ^[a-c]\\.\nhttp_access deny re", 5),
        ("acl ftp proto FTP\nhttp_access deny ftp\nhttp_access deny one", 6),
        ("ssl_bump bump all\nhttp_access deny one", 5),
    ],
)
def test_what_somebody_added_by_hand_is_understood(lines: str, line: int) -> None:
    rules = Rules(f"{CONFIG}{lines}\n".replace("allow ONE endpoints", "allow !ONE endpoints"))
    assert rules.decide(Request("10.0.0.1", "a.example"))[:2] == (DENY, line)


def test_each_of_many_clients_is_found_without_going_through_the_others() -> None:
    many = range(4000)
    address = "10.1.{}.{}".format
    acls = [f"acl s{n} src {address(n // 250, n % 250)}" for n in many]
    lines = [f"http_access allow s{n} endpoints" for n in many]
    rules = Rules("\n".join(["acl endpoints dstdomain -n a.example", *acls, *lines]))
    start = time.process_time()
    actions = {rules.decide(Request(address(n // 250, n % 250), "a.example")).action for n in many}
    # 0.05 s of CPU time; through the lines of all the others it is 6 s.
    assert time.process_time() - start < 1
    assert actions == {ALLOW}
