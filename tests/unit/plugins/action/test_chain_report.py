# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the last action of a verification makes of what was registered before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.plugins.plugin_utils.fake_found import Found, chain

RunAction = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("others", "removed", "learns_until", "said"),
    [
        ([], [], "", ""),
        ([], [], "9999-01-01", ""),
        ([], [], "2026-01-31", "squid_learn_until says, clients may reach any name at site (until 2026-01-31);"),
        (
            [["sensor2", ["10.0.0.2"]]],
            [],
            "",
            "site admits sensor2, and the inventory has nobody of that name or address.",
        ),
        ([["{{ lookup('env') }}", ["10.0.0.2"]]], [], "", "site admits ___lookup__env_____, and the inventory has"),
        ([["sensor2", ["10.0.0.2"]]], ["sensor2"], "", ""),
        # Under another name at its address, and by its name at another one.
        ([["before", ["10.0.0.1"]], ["sensor1", ["10.0.0.77"]]], [], "", ""),
        ([["dmz", ["10.0.1.250"]]], [], "", ""),
    ],
)
def test_whom_a_proxy_admits_without_the_inventory_s_word_is_told_and_no_success(
    others: list[Any], removed: list[str], learns_until: str, said: str, run_action: RunAction
) -> None:
    proxies, sensors = chain("site", "dmz", sensors=["site"])
    hostvars = {**proxies, **sensors}
    groups = {"proxies": list(proxies), "sensors": list(sensors)}
    variables: dict[str, Any] = {"hostvars": hostvars, "groups": groups, "inventory_hostname": "site"}
    topology = run_action("topology", {"whole": True, "removed_sensors": removed}, variables)
    found = Found(topology["graph"]).hostvars
    found["site"]["__chain_verify_walked"]["others"] = others
    found["site"]["__chain_verify_walked"]["learns_until"] = learns_until
    variables["inventory_hostname"] = "site"
    for name, given in found.items():
        hostvars[name] |= given
    report = {"report_dir": "", "site": "", "history": 0, "signing_key": ""}
    judged = run_action("chain_report", {"step": "judge", "topology": topology, **report}, variables)
    assert (judged["verdict"], said in judged["unknown"], bool(judged["unknown"])) == ("ok", True, bool(said))
    assert judged["ansible_stats"]["data"]["chain_verify_unknown"] == judged["unknown"]
    hostvars["site"]["chain_verify_results"] = judged
    proved = run_action("chain_report", {"step": "prove"}, variables)
    assert (proved.get("failed", False), proved.get("msg", "")) == (bool(said), judged["unknown"])


def test_what_went_wrong_at_the_proxies_stands_in_the_last_sentence(run_action: RunAction) -> None:
    """A path that is not proven ends the run, before the play that would say so."""
    outcome = {"verdicts": {"dmz": "dmz: the change was\nrefused."}}
    results = {"verdict": "broken", "sensors": [], "proxies": {"site": {}, "dmz": {}}, "unknown": ""}
    hostvars: dict[str, Any] = {
        "site": {},
        "dmz": {"__squid_outcome": outcome},
        "localhost": {"chain_verify_results": results},
    }
    proved = run_action("chain_report", {"step": "prove"}, {"hostvars": hostvars, "inventory_hostname": "localhost"})
    assert proved["msg"].startswith(
        "There is no sensor, and the proxies' paths are not proven to work (broken); the table"
    )
    assert proved["msg"].endswith("the table above says where they end. dmz: the change was refused.")
