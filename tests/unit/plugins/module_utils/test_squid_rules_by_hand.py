# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A squid.conf that somebody changed by hand is read as Squid reads it, or refused; never read as something else."""

from __future__ import annotations

import time

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._squid_rules import ALLOW, DENY, Request, Rules

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
        ("  ssl_bump bump all", "has the directive ssl_bump"),
        ("follow_x_forwarded_for allow all", "has the directive follow_x_forwarded_for"),
        ("if ${process_number} = 1", "has the directive if"),
        ("acl work time 08:00-17:00", "has an ACL of the type time"),
        ("acl net src 10.0.0.0/8", "has the source 10.0.0.0/8 instead of an address"),
        ("acl ports port 1-1024", "has the port 1-1024 instead of a number"),
        ("acl names dstdomain .example", "has dstdomain without -n"),
        ('acl names dstdomain -n "/etc/names"', 'has an ACL with "/etc/names"'),
        ("acl who proxy_auth -i carl", "has an ACL with -i"),
        ("acl one port 443", "defines the ACL one anew"),
        ("acl all src 10.0.0.1", "defines the ACL all anew"),
        ("acl empty src", "has an ACL without a value"),
        ("http_access", "has http_access without allow or deny and an ACL"),
        ("http_access permit one", "has http_access without allow or deny and an ACL"),
    ],
)
def test_what_the_role_never_writes_is_refused(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^line 4 ") as caught:
        Rules(f"{CONFIG}{line}\n")
    assert str(caught.value) == f"line 4 {problem}, which the role squid of this collection never writes"


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
