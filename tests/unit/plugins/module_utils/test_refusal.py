# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is said to have refused, for what a first hop may answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.connect import Answer
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.refusal import Refusal, explain
from hypothesis import given
from hypothesis import strategies as st

TARGET = "hub.example:443"
HOPS = [("site", "site.plant"), ("dmz", "dmz.plant"), ("edge", "edge.plant")]
NOBODY: tuple[str, ...] = ()


def says(status: int, page: str = "", names: Sequence[str] = NOBODY) -> Answer:
    """Answer as Squid does, in the name of these."""
    headers = {"via": ", ".join(f"1.1 {name} (squid/6.13)" for name in names)} if names else {}
    return Answer(status, None, headers | ({"x-squid-error": f"{page} 0"} if page else {}))


def explained(answer: Answer, hops: int = 3) -> Refusal:
    found = explain(answer, HOPS[:hops], TARGET)
    assert found is not None
    return found


def test_an_open_tunnel_is_no_refusal() -> None:
    assert explain(says(200), HOPS, TARGET) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"via": "1.1 dmz.plant (squid)"},
        {"x-cache": "NONE from dmz.plant"},
        {"cache-status": "dmz.plant;detail=mismatch"},
    ],
    ids=["Via", "X-Cache", "Cache-Status"],
)
def test_the_hop_that_the_answer_names_refused(headers: dict[str, str]) -> None:
    answer = Answer(403, None, headers | {"x-squid-error": "ERR_ACCESS_DENIED 0"})
    assert explained(answer, hops=2) == (
        *("proxy-denied", "dmz"),
        f"dmz refuses CONNECT to {TARGET} (403, ERR_ACCESS_DENIED).",
    )


@pytest.mark.parametrize("status", [403, 407])
@pytest.mark.parametrize(("hop", "hostname"), HOPS)
def test_a_name_may_be_used_by_any_hop_behind_it(status: int, hop: str, hostname: str) -> None:
    """An answer is passed on as it is (measured with Squid 5.7), so a parent may speak in this proxy's name."""
    found = explained(says(status, "ERR_ACCESS_DENIED", [hostname]))
    assert (found.hop, ", or a hop behind it, " in found.reason) == (hop, hop != "edge")


@pytest.mark.parametrize("page", ["E" * 30_000, "ERR\x1b[2J\x00\u202eX"], ids=["long", "controls"])
def test_the_name_of_an_error_page_is_short_and_does_nothing(page: str) -> None:
    found = explained(says(403, page))
    assert len(found.reason) < 200
    assert found.reason.isprintable()


def test_of_several_names_the_farthest_counts() -> None:
    assert explained(says(403, names=["edge.plant", "dmz.plant", "site.plant"])).hop == "edge"


@pytest.mark.parametrize("name", ["dmz.plant2", "dmz", "my-dmz.plant", "dmz.plant.example"])
def test_a_name_that_only_looks_alike_is_nobody(name: str) -> None:
    found = explained(says(403, names=[name]))
    assert (found.hop, "or a hop behind it" in found.reason) == ("site", True)


def test_a_hop_without_a_name_is_never_the_one_that_is_named() -> None:
    found = explain(Answer(403, None, {"via": " , "}), [("site", ""), ("dmz", "")], TARGET)
    assert found is not None
    assert (found.hop, "or a hop behind it" in found.reason) == ("site", True)


def test_a_sign_in_that_is_not_accepted() -> None:
    found = explained(says(407, "ERR_CACHE_ACCESS_DENIED", ["edge.plant"]))
    reason = f"edge does not accept the sign-in for CONNECT to {TARGET} (407, ERR_CACHE_ACCESS_DENIED)."
    assert found == ("proxy-auth", "edge", reason)


@pytest.mark.parametrize(("status", "stage"), [(407, "proxy-auth"), (403, "proxy-denied"), (400, "proxy-denied")])
def test_a_nameless_no_may_be_of_a_hop_behind_where_there_is_one(status: int, stage: str) -> None:
    found = explained(says(status))
    assert found[:2] == (stage, "site")
    assert found.reason.startswith("site, or a hop behind it, ")
    alone = explained(says(status), hops=1)
    assert alone[:2] == (stage, "site")
    assert "or a hop behind it" not in alone.reason


def test_a_last_proxy_that_cannot_look_up_the_endpoint() -> None:
    found = explained(says(503, "ERR_DNS_FAIL"), hops=1)
    assert found == ("resolve", "site", f"site cannot resolve the name of {TARGET} (503, ERR_DNS_FAIL).")


def test_a_name_that_leads_inside_is_said() -> None:
    found = explained(says(403, "ERR_CONFLICT_HOST"), hops=1)
    reason = f"site refuses CONNECT to {TARGET}, since the name leads to an address inside (403, ERR_CONFLICT_HOST)."
    assert found == ("resolve", "site", reason)


def test_a_look_up_that_failed_at_a_hop_that_is_named() -> None:
    assert explained(says(503, "ERR_DNS_FAIL", ["edge.plant"]))[:2] == ("resolve", "edge")


def test_a_nameless_look_up_that_failed_may_be_of_a_hop_behind() -> None:
    found = explained(says(503, "ERR_DNS_FAIL"))
    assert found[:2] == ("resolve", "site")
    assert found.reason.startswith("site, or a hop behind it, ")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_the_way_on_is_lost(status: int) -> None:
    said = f"({status}, ERR_CONNECT_FAIL)."
    assert explained(says(status, "ERR_CONNECT_FAIL")) == (
        *("parent-unreachable", "site"),
        f"site cannot get to {TARGET} through dmz {said}",
    )
    assert explained(says(status, "ERR_CONNECT_FAIL"), hops=1) == (
        *("endpoint-unreachable", "site"),
        f"site cannot reach {TARGET} {said}",
    )


def test_the_way_on_from_the_hop_that_is_named() -> None:
    assert explained(says(503, "ERR_CONNECT_FAIL", ["dmz.plant"])) == (
        *("parent-unreachable", "dmz"),
        f"dmz cannot get to {TARGET} through edge (503, ERR_CONNECT_FAIL).",
    )
    assert explained(says(503, "ERR_CONNECT_FAIL", ["edge.plant"])) == (
        *("endpoint-unreachable", "edge"),
        f"edge cannot reach {TARGET} (503, ERR_CONNECT_FAIL).",
    )


def test_a_last_proxy_that_has_no_way() -> None:
    found = explained(says(500, "ERR_CANNOT_FORWARD"), hops=1)
    assert found[:2] == ("endpoint-unreachable", "site")
    assert "(500, ERR_CANNOT_FORWARD)" in found.reason


def test_what_is_no_http_answer() -> None:
    found = explained(Answer(None, "closed the connection without an HTTP answer"))
    reason = f"site refuses CONNECT to {TARGET}: it closed the connection without an HTTP answer."
    assert found == ("proxy-denied", "site", reason)


@given(
    st.integers(100, 999).filter(lambda status: status != 200),
    st.sampled_from(["", "ERR_DNS_FAIL", "ERR_CANNOT_FORWARD", "ERR_ACCESS_DENIED"]) | st.text(max_size=20),
    st.lists(st.sampled_from([hostname for _name, hostname in HOPS] + ["other"]), max_size=3),
    st.integers(1, 3),
)
def test_whatever_comes_back_there_is_a_hop_and_a_sentence(status: int, page: str, names: list[str], hops: int) -> None:
    found = explained(says(status, page, names), hops)
    assert found.hop in [name for name, _hostname in HOPS[:hops]]
    assert found.reason.startswith(found.hop)
    assert found.reason.endswith(".")
    assert TARGET in found.reason
    assert str(status) in found.reason


@pytest.mark.parametrize(
    ("offered", "ways"),
    [
        ("NTLM", "NTLM"),
        ("Negotiate, NTLM", "Negotiate or NTLM"),
        ('Digest realm="Basic"', "Digest"),
        ("negotiate", "Negotiate"),
    ],
)
def test_a_parent_that_knows_no_user_and_password_is_no_wrong_password(offered: str, ways: str) -> None:
    found = explained(Answer(407, None, {"proxy-authenticate": offered}), hops=1)
    assert found.stage == "proxy-auth"
    assert (
        f"site wants a sign-in by {ways} for CONNECT to {TARGET} (407), and Squid has user and password (Basic)"
        in found.reason
    )


@pytest.mark.parametrize("offered", ['Basic realm="x"', "NTLM, Basic", ""])
def test_a_parent_that_knows_them_does_not_accept_these(offered: str) -> None:
    assert "does not accept the sign-in" in explained(Answer(407, None, {"proxy-authenticate": offered})).reason
