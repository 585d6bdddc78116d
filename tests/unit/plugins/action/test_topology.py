# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions that derive the topology once, and read it from where it is kept."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import graph_file

RunAction = Callable[..., dict[str, Any]]

HOSTVARS: dict[str, dict[str, Any]] = {
    "site": {
        "ansible_host": "10.0.0.250",
        "squid_parents": [{"host": "proxy.corp.example", "port": 8080, "username": "u", "password": "s3cret"}],
    },
    "sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_via": "site"},
    "sensor10": {"ansible_host": "10.0.0.10", "sensor_proxy_via": "site"},
}
GROUPS = {"proxies": ["site"], "sensors": ["sensor1", "sensor10"]}
PLAY = {"hostvars": HOSTVARS, "groups": GROUPS, "inventory_hostname": "site"}


class RenderedHostvars(dict[str, dict[str, Any]]):
    """Ansible's hostvars, as far as reading goes: what holds a template is rendered on access, and some names are unknown."""

    def raw_get(self, host: str) -> dict[str, Any]:
        return super().__getitem__(host)

    def __getitem__(self, host: str) -> Any:
        class Rendered(dict[str, Any]):
            def __getitem__(self, name: str) -> Any:
                value = super().__getitem__(name)
                if "{{" in str(value):
                    raise AnsibleUndefinedVariable("'vault_x' is undefined\nmore of it")
                return value

        return Rendered(super().__getitem__(host))


def _derived(run_action: RunAction, hostvars: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    return run_action("topology", args, {**PLAY, "hostvars": hostvars or HOSTVARS})


def test_what_is_registered_is_small_and_the_rest_is_kept(run_action: RunAction) -> None:
    found = _derived(run_action)
    assert found["tiers"] == [["site"]]
    assert found["proxies"] == {"site": {"kind": "host", "tier": 0, "addresses": ["10.0.0.250"], "port": 3128}}
    assert "graph" not in found
    assert Path(found["file"]).stat().st_mode & 0o77 == 0
    assert "s3cret" not in Path(found["file"]).read_text()
    assert graph_file.read(found) == _derived(run_action, whole=True)["graph"]


def test_who_needs_no_sensors_does_not_read_them(run_action: RunAction) -> None:
    found = _derived(run_action)
    whole = graph_file.read(found)
    assert whole["sensors"]
    assert graph_file.read(found, sensors=False) == {**whole, "sensors": {}}


def test_the_collector_leaves_out_what_there_was_before(run_action: RunAction) -> None:
    _derived(run_action)
    assert gc.isenabled()
    assert gc.get_freeze_count()


@pytest.mark.parametrize(("kind", "name"), [("proxies", "site"), ("sensors", "sensor1"), ("sensors", "sensor10")])
def test_one_of_many_is_found_by_itself(run_action: RunAction, kind: str, name: str) -> None:
    found = _derived(run_action)
    whole: Any = graph_file.read(found)
    assert graph_file.entry_of(found, kind, name) == whole[kind][name]


@pytest.mark.parametrize(("kind", "name"), [("proxies", "sensor1"), ("sensors", "sensor"), ("sensors", "*")])
def test_nobody_else_is_taken_for_it(run_action: RunAction, kind: str, name: str) -> None:
    assert graph_file.entry_of(_derived(run_action), kind, name) is None


def test_names_with_tabs_and_quotes() -> None:
    graph: Any = {"tiers": [], "proxies": {'a\tb"c\n': {"x\t": "\n"}}, "sensors": {"\u2028": {}}}
    result = {"file": graph_file.keep(graph)}
    assert graph_file.read(result) == graph
    assert graph_file.entry_of(result, "proxies", 'a\tb"c\n') == {"x\t": "\n"}


def test_a_file_of_another_run_is_refused(run_action: RunAction) -> None:
    found = _derived(run_action)
    Path(found["file"]).unlink()
    with pytest.raises(AnsibleError, match="run the role topology first"):
        graph_file.read(found)


@pytest.mark.parametrize("given", ["sensor1, sensor10\n", ["sensor1", "sensor10"]])
def test_removed_sensors_are_a_list_or_the_text_of_a_survey(run_action: RunAction, given: object) -> None:
    found = _derived(run_action, removed_sensors=given)
    assert found["removed_sensors"] == ["sensor1", "sensor10"]
    assert graph_file.read(found)["sensors"] == {}


def test_names_of_the_groups(run_action: RunAction) -> None:
    variables = {**PLAY, "groups": {"squids": ["site"], "probes": ["sensor1"], "proxies": ["nobody"]}}
    found = run_action("topology", {"proxies_group": "squids", "sensors_group": "probes"}, variables)
    assert (list(found["proxies"]), list(graph_file.read(found)["sensors"])) == (["site"], ["sensor1"])


def test_every_mistake_is_a_line_of_its_own(run_action: RunAction) -> None:
    wrong = {**HOSTVARS["site"], "squid_port": 0}
    found = _derived(run_action, {**HOSTVARS, "site": wrong, "sensor1": {"sensor_proxy_via": "ghost"}})
    assert found["failed"]
    first, *mistakes = found["msg"]
    assert first == "Correct the inventory; no host was touched."
    assert {mistake.split(":")[0] for mistake in mistakes} == {"site", "sensor1"}
    assert "file" not in found


def test_what_is_wrong_at_many_hosts_is_said_once(run_action: RunAction) -> None:
    wrong = {name: {**HOSTVARS[name], "sensor_proxy_via": "ghost"} for name in ("sensor1", "sensor10")}
    _first, *mistakes = _derived(run_action, {**HOSTVARS, **wrong})["msg"]
    assert [mistake.split(":")[0] for mistake in mistakes] == ["sensor1 and 1 more"]


PUT = "(leave it empty while there are none), or name another group in that variable."
ONLY_PROXIES = {"all": ["site"], "ungrouped": [], "proxies": ["site"]}


@pytest.mark.parametrize(
    ("groups", "args", "said"),
    [
        ({"proxies": []}, {}, ["the inventory's group 'proxies' has no host; put the proxies there."]),
        # As when Ansible could not read its file.
        (
            {"all": [], "ungrouped": []},
            {},
            [
                "the inventory has no host at all; where Ansible warned above that it could not parse it, mend that first.",
                "the inventory has no group 'proxies', which topology_proxies_group names; its groups are none. Put the proxies "
                f"into 'proxies' {PUT}",
            ],
        ),
        (
            {"proxi": ["site"]},
            {},
            [
                "the inventory has no group 'proxies', which topology_proxies_group names, but 'proxi'; rename one of the two.",
            ],
        ),
        (
            {"proxy": ["site"]},
            {},
            [
                "the inventory has no group 'proxies', which topology_proxies_group names, but 'proxy'; rename one of the two."
            ],
        ),
        (
            {"squids": ["site"]},
            {},
            [
                "the inventory has no group 'proxies', which topology_proxies_group names; its groups are 'squids'. Put the proxies "
                f"into 'proxies' {PUT}"
            ],
        ),
        # Who has no sensors yet may deploy the proxies, but not push to nobody or call it proven.
        (ONLY_PROXIES, {}, []),
        (ONLY_PROXIES, {"about": ["proxies"]}, []),
        ({**ONLY_PROXIES, "sensors": []}, {"about": ["proxies", "sensors"]}, []),
        (
            {**ONLY_PROXIES, "sensors": []},
            {"about": ["sensors"]},
            ["the inventory's group 'sensors' has no host; put the sensors there."],
        ),
        *(
            (
                ONLY_PROXIES,
                {"about": about},
                [
                    "the inventory has no group 'sensors', which topology_sensors_group names; its groups are 'proxies'. Put the "
                    f"sensors into 'sensors' {PUT}"
                ],
            )
            for about in (["sensors"], ["proxies", "sensors"])
        ),
        (
            {**ONLY_PROXIES, "Sensor": ["sensor1"], "servers": []},
            {},
            [
                "the inventory has no group 'sensors', which topology_sensors_group names, but 'Sensor'; rename one of the two.",
            ],
        ),
        ({**ONLY_PROXIES, "servers": []}, {}, []),
        (
            ONLY_PROXIES,
            {"cloud_sites_group": "plants"},
            [
                "the inventory has no group 'plants', which topology_cloud_sites_group names; its groups are 'proxies'. Put the "
                f"cloud_sites into 'plants' {PUT}"
            ],
        ),
        (
            {"squids": ["site"]},
            {"proxies_group": "squids", "about": ["proxies"]},
            [
                "the playbook looks for its hosts in the group 'proxies', and the inventory's variables name another one; give the "
                "topology_*_group with -e, since a variable of a host is not known yet where a play looks for its hosts."
            ],
        ),
    ],
)
def test_a_group_that_is_not_there(run_action: RunAction, groups: Any, args: Any, said: list[str]) -> None:
    found = run_action("topology", args, {**PLAY, "groups": groups})
    assert found.get("msg", [])[1:] == said


def test_what_cannot_be_rendered_is_a_mistake_among_the_others(run_action: RunAction) -> None:
    hostvars = RenderedHostvars(HOSTVARS)
    hostvars["site"] = {**HOSTVARS["site"], "squid_parents": ["{{ vault_x }}"], "squid_auth_enabled": True}
    user = {"sensor_proxy_username": "plant", "sensor_proxy_password": "{{ vault_x }}"}
    previous = {"sensor_proxy_previous_password": "{{ vault_x }}"}
    hostvars["sensor1"] = {**HOSTVARS["sensor1"], **user}
    hostvars["sensor10"] = {
        **HOSTVARS["sensor10"],
        "sensor_proxy_username": "other",
        "sensor_proxy_password": "p",
        **previous,
    }
    found = _derived(run_action, hostvars)
    because = "cannot be rendered ('vault_x' is undefined); define what it names, or correct it."
    assert f"site: squid_parents {because}" in found["msg"]
    assert f"sensor1: sensor_proxy_password {because}" in found["msg"]


def test_a_proxys_walks_are_filled_in(run_action: RunAction) -> None:
    executed: list[Any] = []
    variables = {"hostvars": HOSTVARS, "inventory_hostname": "site", graph_file.RESULT: _derived(run_action)}
    run_action("chain_walk", {"endpoints": ["hub.example.net"]}, variables, executed)
    (call,) = executed
    given = call["module_args"]
    assert given["endpoints"] == ["hub.example.net"]
    assert [walk["kind"] for walk in given["walks"]] == ["self", "parent"]
    # The password is kept from what is shown, and is for the parent alone.
    assert given["passwords"] == {given["walks"][1]["parent"]: "s3cret"}
    assert "s3cret" not in str(given["walks"])
    assert [client["name"] for client in given["clients"]] == ["sensor1", "sensor10"]


@pytest.mark.parametrize(
    ("host", "result", "said"),
    [("ghost", True, "ghost is no proxy of the topology"), ("site", False, "run the role topology first")],
)
def test_nothing_is_walked_without_a_place(run_action: RunAction, host: str, result: bool, said: str) -> None:
    variables = {"hostvars": HOSTVARS, "inventory_hostname": host}
    variables |= {graph_file.RESULT: _derived(run_action)} if result else {}
    with pytest.raises(AnsibleError, match=said):
        run_action("chain_walk", {"endpoints": []}, variables)
