"""Whoever guesses passwords. After the other files: for a minute an address that has guessed gets 403 where they expect 407."""

from __future__ import annotations

import lab
from attack_table import answered
from chain_lab import SITES, attack, visit, visits


def test_wrong_passwords_keep_nobody_from_signing_in() -> None:
    """Though they come from the same address. Of those in a minute, 20 are checked."""
    site = "ot-chain-site-1"
    assert visit(site).connect == 200
    before = len(lab.log_lines(site, " TCP_DENIED/407 "))
    with attack(SITES[site][0], "guess", site, 15, "60", "sensor1"):
        seen = visits(site, 10)
    assert [each.connect for each in seen] == [200] * 10
    assert max(each.seconds for each in seen) < 1
    assert len(lab.log_lines(site, " TCP_DENIED/407 ")) - before <= 60, (
        "20 for each of two workers; curl asks without a login first"
    )
    said = f"{lab.address(SITES[site][0], 'ot-chain-ot')}: 20 different logins within 60 s, the last one as 'sensor1'"
    assert said in lab.output(site, "cat", "/var/log/squid/cache.log")
    answered(
        "60 wrong passwords a second",
        "Each worker has 20 different logins of an address checked within a minute (407), more are refused (403); who signed in before, "
        "from the same address too, goes on within a second",
        "`ot_proxy_guesses.py`, which Squid asks",
        "`cache.log`, with address and user; access log",
    )
