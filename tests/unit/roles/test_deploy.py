# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a run over all proxies, as Ansible really goes through the playbooks; only what changes a host is a stand-in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.rendered import ROLE

Vars = dict[str, Any]

COLLECTION = ROLE.parents[1]
STAND_IN = Path(__file__).with_name("stand_in.py")

PROXIES: dict[str, Vars] = {
    # Children come first, as in an inventory in the order of the alphabet.
    "a-plant": {"squid_addresses": ["10.0.0.3"], "squid_parents": ["dmz-1"]},
    "b-plant": {"squid_addresses": ["10.0.0.4"], "squid_parents": ["a-plant"]},
    "cloud": {"squid_addresses": ["10.60.0.1"], "squid_kind": "azure"},
    "dmz-1": {"squid_addresses": ["10.0.0.1"]},
    "dmz-2": {"squid_addresses": ["10.0.0.2"]},
}
SENSORS: dict[str, Vars] = {
    "s1": {"sensor_proxy_src": "10.0.9.1", "sensor_proxy_via": "b-plant", "sensor_proxy_console_password": "x"},
    "s2": {"sensor_proxy_src": "10.0.9.2", "sensor_proxy_via": "dmz-2", "sensor_proxy_console_password": "x"},
}
MOVED = {**PROXIES, "a-plant": {**PROXIES["a-plant"], "squid_parents": ["dmz-2"]}}


class Plant:
    """Hosts that are files, and the playbooks that change them."""

    def __init__(self, folder: Path, collections: Path) -> None:
        self.folder = folder
        self.collections = collections
        (folder / "log").write_text("", encoding="utf-8")

    def run(
        self,
        proxies: dict[str, Vars],
        sensors: dict[str, Vars] | None = None,
        *options: str,
        playbook: str = "site",
        **faults: str,
    ) -> tuple[int, list[str], str]:
        """Run a playbook; return its code, what was done, in order, and what it said."""
        (self.folder / "faults").write_text(
            json.dumps({name.replace("_", "-"): fault for name, fault in faults.items()}), encoding="utf-8"
        )
        (self.folder / "log").write_text("", encoding="utf-8")
        groups = {"proxies": {"hosts": proxies}, "sensors": {"hosts": SENSORS if sensors is None else sensors}}
        common = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"children": groups, "vars": common}}), encoding="utf-8")
        ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        settings = {
            "OT_WORLD": str(self.folder),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_NOCOLOR": "1",
        }
        done = subprocess.run(
            [
                Path(sys.executable).with_name("ansible-playbook"),
                "-i",
                inventory,
                self.collections / f"{playbook}.yml",
                *("-e", f"__squid_lock_path={self.folder}/{{{{ inventory_hostname }}}}.lock"),
                *options,
            ],
            env=ours | settings,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        log = (self.folder / "log").read_text(encoding="utf-8").splitlines()
        # Ansible breaks long sentences into lines.
        return done.returncode, log, " ".join((done.stdout + done.stderr).split())

    def configurations(self) -> dict[str, str]:
        return {path.stem: path.read_text(encoding="utf-8") for path in self.folder.glob("*.conf")}


def steps(log: list[str], *sizes: int) -> list[set[str]]:
    """Return the log in groups: hosts that have their turn together do so in any order."""
    assert len(log) == sum(sizes), log
    rest = iter(log)
    return [{next(rest) for _dummy in range(size)} for size in sizes]


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the collection in which nothing reaches a host."""
    folder = tmp_path_factory.mktemp("collections")
    copy = folder / "ansible_collections/ot_security/proxy_chaining"
    shutil.copytree(COLLECTION, copy)
    for module in ("squid_info", "squid_config", "sensor_proxy"):
        shutil.copy(STAND_IN, copy / f"plugins/action/{module}.py")
    tasks = copy / "roles/squid/tasks"
    for around in ("surroundings", "service"):
        (tasks / f"{around}.yml").write_text("[]", encoding="utf-8")
    remove = {"name": "Remove it", "ot_security.proxy_chaining.squid_config": {"state": "absent"}}
    (tasks / "absent.yml").write_text(yaml.safe_dump([remove]), encoding="utf-8")
    for name in ("site", "rotate_proxy_password", "remove_sensor"):
        # The proof at the end of them has tests of its own.
        plays = yaml.safe_load((copy / f"playbooks/{name}.yml").read_text(encoding="utf-8"))
        plays = [play for play in plays if play.get("import_playbook") not in ("verify.yml", "plays/prove.yml")]
        for play in plays:
            if "import_playbook" in play:
                play["import_playbook"] = str(copy / "playbooks" / play["import_playbook"])
        (folder / f"{name}.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    for name in ("plan", "proxies", "rollback"):
        shutil.copy(copy / f"playbooks/{name}.yml", folder)
    shutil.copytree(copy / "playbooks/plays", folder / "plays")
    return folder


@pytest.fixture(scope="module")
def _deployed(tmp_path_factory: pytest.TempPathFactory, collections: Path) -> Path:
    plant = Plant(tmp_path_factory.mktemp("deployed"), collections)
    code, log, text = plant.run(PROXIES)
    assert code == 0, text
    assert steps(log, 2, 1, 1, 2) == [
        {"dmz-1 begin", "dmz-2 begin"},
        {"a-plant begin"},
        {"b-plant begin"},
        {"s1 uses 10.0.0.4", "s2 uses 10.0.0.2"},
    ]
    return plant.folder


@pytest.fixture
def plant(tmp_path: Path, _deployed: Path, collections: Path) -> Plant:
    """A plant that is as its inventory has it."""
    shutil.copytree(_deployed, tmp_path, dirs_exist_ok=True)
    return Plant(tmp_path, collections)


def test_everybody_is_let_in_where_they_arrive_before_they_are_refused_where_they_were(plant: Plant) -> None:
    proxies = {**MOVED, "dmz-1": {**PROXIES["dmz-1"], "squid_state": "absent"}}
    sensors = {**SENSORS, "s2": {**SENSORS["s2"], "sensor_proxy_via": "b-plant"}}
    code, log, text = plant.run(proxies, sensors)
    # What a proxy reached that went away is not lost.
    assert code == 0, text
    assert steps(log, 1, 1, 1, 1, 2, 1) == [
        {"dmz-2 begin"},
        {"a-plant begin"},
        {"b-plant begin"},
        {"dmz-1 absent"},
        {"s1 uses 10.0.0.4", "s2 uses 10.0.0.4"},
        {"dmz-2 finish"},
    ]
    assert "dmz-2 still admits s2 as before" in text
    assert not any("leaving:" in config for config in plant.configurations().values())


def test_a_path_that_the_second_half_breaks_brings_all_back_and_sends_no_sensor(plant: Plant) -> None:
    before = plant.configurations()
    code, log, text = plant.run(MOVED, b_plant="dmz-1 finish")
    assert code == 2
    assert steps(log, 2, 1, 1, 1, 1, 2) == [
        {"dmz-1 begin", "dmz-2 begin"},
        {"a-plant begin"},
        {"dmz-1 finish"},
        # First what the second half took, then the rest, and children before parents.
        {"dmz-1 finish"},
        {"a-plant previous"},
        {"dmz-1 previous", "dmz-2 previous"},
    ]
    assert plant.configurations() == before
    assert (
        "b-plant: it reached this when the run began, and not after it: download.microsoft.com (503). What this run had"
        in text
    )


def test_what_depends_on_a_proxy_with_a_problem_is_left_alone_and_all_else_is_done(plant: Plant) -> None:
    proxies = {name: {**given, "squid_port": 3200} for name, given in PROXIES.items()}
    sensors = {**SENSORS, "s3": {**SENSORS["s2"], "sensor_proxy_src": "10.0.9.3", "sensor_proxy_via": "dmz-1"}}
    code, log, text = plant.run(proxies, sensors, a_plant="refuses", dmz_2="unreachable")
    assert (code, log) == (2, ["dmz-1 begin", "s3 uses 10.0.0.1"])
    assert "a-plant: Squid refuses it." in text
    assert "b-plant: it was not touched, since its parent a-plant was not brought to its state." in text
    assert "dmz-2: it could not be reached, and was not touched: " in text
    assert "dmz-1 still listens at port 3128" in text


SITE: dict[str, Vars] = {"site": {"squid_addresses": ["10.0.0.1"], "squid_auth_enabled": True}}


def signing_in(*users: str) -> dict[str, Vars]:
    """Return two sensors of SITE that sign in as the first of the users, and until now as the second."""
    given = dict(zip(("sensor_proxy", "sensor_proxy_previous"), users, strict=False))
    login = {f"{name}_username": user for name, user in given.items()} | {f"{name}_password": "x" for name in given}
    common = {"sensor_proxy_via": "site", "sensor_proxy_console_password": "x", **login}
    return {f"s{number}": {"sensor_proxy_src": f"10.0.9.{number}", **common} for number in (1, 2)}


def let_in(plant: Plant) -> set[str]:
    return set(re.findall(r"^http_access allow s\S+ user:(\S+)$", plant.configurations()["site"], re.MULTILINE))


@pytest.fixture
def rotating(tmp_path: Path, collections: Path) -> Plant:
    """A plant whose sensors sign in as the user that is to go."""
    plant = Plant(tmp_path, collections)
    code, _log, text = plant.run(SITE, signing_in("former"))
    assert (code, let_in(plant)) == (0, {"former"}), text
    return plant


def test_a_rotation_lets_both_users_in_until_the_last_sensor_has_moved(rotating: Plant) -> None:
    code, log, text = rotating.run(SITE, signing_in("new", "former"), playbook="rotate_proxy_password")
    assert code == 0, text
    moved = {f"s{number} uses 10.0.0.1 as new" for number in (1, 2)}
    assert steps(log, 1, 2, 1) == [{"site begin"}, moved, {"site begin"}]
    assert let_in(rotating) == {"new"}


def test_a_rotation_of_nothing_touches_nobody(rotating: Plant) -> None:
    code, log, text = rotating.run(SITE, signing_in("new"), playbook="rotate_proxy_password")
    assert (code, log, let_in(rotating)) == (2, [], {"former"})
    assert "so there is nothing to rotate" in text


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("no screen", ()),
        ("offline", ()),
        ("offline", ("-e", "sensor_proxy_max_fail_percentage=100 sensor_proxy_serial=2")),
    ],
    ids=["its console cannot say", "it was put back", "it was put back and the others are not held up"],
)
def test_the_previous_user_stays_while_a_sensor_may_still_use_it(
    rotating: Plant, fault: str, options: tuple[str, ...]
) -> None:
    given = signing_in("new", "former")
    code, log, text = rotating.run(SITE, given, *options, playbook="rotate_proxy_password", s2=fault)
    assert code == 2
    assert log == ["site begin", "s1 uses 10.0.0.1 as new"] + ["s2 uses 10.0.0.1 as new"] * (fault == "no screen")
    assert let_in(rotating) == {"new", "former"}
    if fault == "no screen" or options:
        assert "since these sensors were not seen with their new ones: s2." in text


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("", 0, ""),
        ("offline", 2, "s2: the proxies have forgotten it, but its console still has its proxy: no cloud. Mend that"),
        (
            "gone",
            0,
            "s2: its console was taken as scrapped, since no cloud. Where it is not scrapped, it still has its proxy",
        ),
    ],
    ids=["its console is switched off", "it refuses", "it is scrapped"],
)
def test_who_is_removed_is_let_in_no_more_and_the_others_are(rotating: Plant, fault: str, code: int, said: str) -> None:
    removed = ("-e", "topology_removed_sensors=s2")
    done, log, text = rotating.run(SITE, signing_in("former"), *removed, playbook="remove_sensor", s2=fault)
    assert (done, log) == (code, ["s2 uses no proxy as former"] * (not fault) + ["site begin"])
    assert said in text
    assert re.findall(r"(?m)^acl (s\d) src", rotating.configurations()["site"]) == ["s1"]


def test_a_console_that_nobody_signs_in_at_is_left_to_a_person(rotating: Plant) -> None:
    sensors = signing_in("former")
    del sensors["s2"]["sensor_proxy_console_password"]
    done, log, text = rotating.run(SITE, sensors, "-e", "topology_removed_sensors=s2", playbook="remove_sensor")
    assert (done, log) == (0, ["site begin"]), text
    assert "s2: nobody signs in at its console; switch the proxy off there by hand." in text


def test_nobody_is_removed_where_nobody_is_named(rotating: Plant) -> None:
    code, log, text = rotating.run(
        SITE, signing_in("former"), "-e", "topology_removed_sensors=,", playbook="remove_sensor"
    )
    assert (code, log) == (2, [])
    assert "Name the sensors that go, such as -e topology_removed_sensors=sensor1,sensor2; no host was touched." in text


ONLY_S1 = {"s1": SENSORS["s1"]}
WITHOUT_B = {name: given for name, given in PROXIES.items() if name != "b-plant"}
S1_ELSEWHERE = {**SENSORS, "s1": {**SENSORS["s1"], "sensor_proxy_via": "a-plant"}}


@pytest.mark.parametrize(
    ("proxies", "sensors", "options", "playbook", "said"),
    [
        (PROXIES, ONLY_S1, (), "site", "dmz-2 admits s2"),
        (PROXIES, ONLY_S1, ("--check",), "site", "dmz-2 admits s2"),
        (PROXIES, ONLY_S1, ("--limit", "dmz-2"), "site", "dmz-2 admits s2"),
        (PROXIES, ONLY_S1, ("-e", "topology_removed_sensors=s1"), "remove_sensor", "dmz-2 admits s2"),
        (PROXIES, {}, (), "site", "b-plant admits s1; dmz-2 admits s2"),
        (WITHOUT_B, S1_ELSEWHERE, (), "site", "a-plant admits b-plant"),
        ({**PROXIES, "dmz-2": {**PROXIES["dmz-2"], "squid_state": "absent"}}, ONLY_S1, (), "site", "dmz-2 admits s2"),
    ],
    ids=["disabled", "check mode", "limit", "while another is removed", "all of them", "a child", "its proxy goes"],
)
def test_who_is_missing_from_the_inventory_is_not_cut_off(
    proxies: dict[str, Vars], sensors: dict[str, Vars], options: tuple[str, ...], playbook: str, said: str, plant: Plant
) -> None:
    before = plant.configurations()
    code, log, text = plant.run(proxies, sensors, *options, playbook=playbook)
    assert (code, log, plant.configurations()) == (2, [], before), text
    assert f"{said}, and the inventory has nobody of that name or address" in text
    assert "topology_removed_sensors" in text
    assert text.count(" admits ") == text.count(said) * said.count(" admits "), "once for all of them"


@pytest.mark.parametrize(
    ("sensors", "options", "admitted"),
    [
        (ONLY_S1, ("-e", "topology_removed_sensors=s2"), []),
        (ONLY_S1, ("-e", '{"topology_removed_sensors": ["S2", "long-gone"]}'), []),
        ({**ONLY_S1, "renamed": SENSORS["s2"]}, (), ["renamed"]),
    ],
    ids=["declared", "declared beside one that went earlier", "another name"],
)
def test_who_is_declared_gone_or_has_another_name_is_no_mistake(
    sensors: dict[str, Vars], options: tuple[str, ...], admitted: list[str], plant: Plant
) -> None:
    code, _log, text = plant.run(PROXIES, sensors, *options, playbook="site")
    assert code == 0, text
    assert re.findall(r"(?m)^http_access allow (s2|renamed)$", plant.configurations()["dmz-2"]) == admitted
    assert plant.run(PROXIES, sensors, *options)[:2] == (
        0,
        [f"{name} uses 10.0.0.{4 if name == 's1' else 2}" for name in sensors],
    )


def test_in_one_acl_for_all_a_missing_sensor_is_found_too(tmp_path: Path, collections: Path) -> None:
    combined = {"site": {**SITE["site"], "squid_acl_layout": "combined"}}
    plant = Plant(tmp_path, collections)
    sensors = signing_in("user")
    assert plant.run(combined, sensors, playbook="site")[0] == 0
    code, log, text = plant.run(combined, {"s1": sensors["s1"]}, playbook="site")
    assert (code, log) == (2, [])
    assert "site admits s2, and" in text


def test_who_is_unknown_is_not_removed(rotating: Plant) -> None:
    removed = ("-e", "topology_removed_sensors=s3")
    code, log, text = rotating.run(SITE, signing_in("former"), *removed, playbook="remove_sensor")
    assert (code, log) == (2, [])
    assert "s3: it is to be removed, and the inventory has no such sensor in the group 'sensors'" in text


def lock(plant: Plant, host: str, *, seconds: float) -> str:
    """Another run has a proxy for so long."""
    until = time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
    held = {"run": "other/run", "holder": "AWX job 7 (Deploy), launched by eve,", "since": "10:40 UTC", "until": until}
    text = json.dumps(held)
    (plant.folder / f"{host}.lock").write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize(
    ("playbook", "options"),
    [("site", ()), ("proxies", ()), ("rollback", ()), ("remove_sensor", ("-e", "topology_removed_sensors=s2"))],
)
def test_a_run_refuses_while_another_one_is_at_work(playbook: str, options: tuple[str, ...], plant: Plant) -> None:
    # So that there is something to go back to.
    plant.run(MOVED, playbook="proxies")
    before = plant.configurations()
    theirs = lock(plant, "dmz-2", seconds=600)
    code, log, text = plant.run(PROXIES, SENSORS, *options, playbook=playbook)
    assert (code, log, plant.configurations()) == (2, [], before), text
    assert (
        "AWX job 7 (Deploy), launched by eve, has been at work on dmz-2 since 10:40 UTC, and two runs must not" in text
    )
    assert "or with -e squid_break_lock=true. No host was touched." in text
    locks = {path.stem: path.read_text() for path in plant.folder.glob("*.lock")}
    assert {name: text for name, text in locks.items() if text} == {"dmz-2": theirs}
    code, log, text = plant.run(PROXIES, SENSORS, *options, "-e", "squid_break_lock=true", playbook=playbook)
    assert code == 0, text
    assert log
    assert [path.read_text() for path in plant.folder.glob("*.lock")] == [""] * 4


def test_a_dead_run_keeps_nobody_out_for_ever_and_check_mode_asks_nobody(plant: Plant) -> None:
    theirs = lock(plant, "dmz-2", seconds=600)
    assert plant.run(PROXIES, SENSORS, "--check", playbook="proxies")[0] == 0
    assert (plant.folder / "dmz-2.lock").read_text() == theirs
    for seconds in (-1, 3600):
        lock(plant, "dmz-2", seconds=seconds)
        assert plant.run(PROXIES, playbook="proxies")[0] == 0


def test_a_proxy_whose_change_fails_is_free_for_the_next_run(plant: Plant) -> None:
    code, _log, text = plant.run({**PROXIES, "dmz-2": {**PROXIES["dmz-2"], "squid_port": 3200}}, dmz_2="refuses")
    assert code == 2, text
    assert [path.read_text() for path in plant.folder.glob("*.lock")] == [""] * 4


GATED = {name: {**given, "squid_growth_gate": True} for name, given in PROXIES.items()}


def typo(**more: Any) -> dict[str, Vars]:
    """An endpoint that somebody gave to all instead of one."""
    return {name: {**given, "squid_extra_endpoints": ["extra.example.net"], **more} for name, given in GATED.items()}


@pytest.mark.parametrize("playbook", ["site", "proxies"])
def test_access_that_grows_and_was_not_declared_stops_the_run_before_any_host_is_touched(
    plant: Plant, playbook: str
) -> None:
    before = plant.configurations()
    code, log, text = plant.run(typo(), playbook=playbook)
    assert (code, log, plant.configurations()) == (2, [], before)
    assert (
        "4 clients (b-plant, s1, a-plant, ...) gain extra.example.net at their 4 proxies (a-plant, b-plant, dmz-1, ...)."
        in text
    )
    assert "squid_declared_growth" in text
    assert "No host was touched." in text
    code, log, text = plant.run(typo(squid_declared_growth=["extra.example.net"]), playbook=playbook)
    assert (code, len(plant.configurations())) == (0, 4), text
    assert all("dstdomain -n extra.example.net" in config for config in plant.configurations().values())


def test_a_gate_of_one_proxy_is_for_its_own_access_only(plant: Plant) -> None:
    proxies = {**typo(squid_growth_gate=False), "dmz-2": GATED["dmz-2"]}
    assert plant.run(proxies, playbook="proxies")[0] == 0
    proxies = {**PROXIES, "dmz-2": typo()["dmz-2"]}
    code, log, text = plant.run(proxies, playbook="proxies")
    assert (code, log) == (2, [])
    assert "s2 gains extra.example.net at dmz-2." in text


def test_a_proxy_that_cannot_be_looked_at_does_not_pass_the_gate_unless_it_is_named(plant: Plant) -> None:
    code, log, text = plant.run(typo(), playbook="proxies", dmz_2="unreachable")
    assert (code, log) == (2, [])
    assert "dmz-2's host could not be looked at, so what it admits now is not known." in text
    named = {**GATED, "dmz-2": {**GATED["dmz-2"], "squid_declared_growth": ["dmz-2"]}}
    _code, _log, text = plant.run(named, playbook="proxies", dmz_2="unreachable")
    assert "dmz-2: it could not be reached, and was not touched: " in text


def test_new_proxies_need_the_word_initial(tmp_path: Path, collections: Path) -> None:
    plant = Plant(tmp_path, collections)
    code, log, text = plant.run(GATED, playbook="proxies")
    assert (code, log) == (2, []), text
    declared = {name: {**given, "squid_declared_growth": ["initial"]} for name, given in GATED.items()}
    code, log, text = plant.run(declared, playbook="proxies")
    assert (code, len(log)) == (0, 4), text


def test_who_loses_what_it_uses_is_named_and_the_run_goes_on(plant: Plant) -> None:
    seen = {"10.0.9.2": {"hub.azure-devices.net": {"last": "2026-11-28T10:00+00:00", "tunnels": 1}}}
    (plant.folder / "dmz-2.seen").write_text(json.dumps(seen), encoding="utf-8")
    moved = {**SENSORS, "s2": {**SENSORS["s2"], "sensor_proxy_via": "b-plant"}}
    declared = {name: {**given, "squid_declared_growth": ["s2"]} for name, given in GATED.items()}
    code, _log, text = plant.run(declared, moved)
    assert code == 0, text
    said = "s2 loses at dmz-2 what it used: hub.azure-devices.net, last at 2026-11-28T10:00+00:00."
    # Ansible breaks the lines of a warning at hyphens, too.
    assert said in text.replace("- ", "-")


def test_the_plan_says_it_all_and_touches_nothing(plant: Plant) -> None:
    before = plant.configurations()
    (plant.folder / "dmz-1.open").write_text('{"10.0.0.3": 4}', encoding="utf-8")
    proxies = {name: {**given, "squid_extra_endpoints": ["extra.example.net"]} for name, given in MOVED.items()}
    proxies["dmz-1"] |= {"squid_workers": 3}
    code, log, text = plant.run(
        proxies, None, "-e", f"plan_dir={plant.folder}/plan", playbook="plan", b_plant="unreachable"
    )
    assert (code, log, plant.configurations()) == (0, [], before), text
    page = (Path(__file__).parents[3] / "docs/plan.md").read_text(encoding="utf-8")
    shown = re.search(r"could not be reached:\n\n((?:    .*\n)+)", page)
    assert shown
    assert " ".join(shown[1].split()) in " ".join(text.replace('", "', " ").split())
    assert "loses" in (plant.folder / "plan/plan.md").read_text(encoding="utf-8")
    found = json.loads((plant.folder / "plan/plan.json").read_text(encoding="utf-8"))
    assert {each["name"]: each["tunnels"] for each in found["proxies"]}["dmz-1"] == 4


def test_the_plan_says_what_a_push_would_change_where_it_is_asked_for(plant: Plant) -> None:
    by_hand = {"sensor_proxy_src": "10.0.9.3", "sensor_proxy_via": "dmz-2"}
    sensors = {**SENSORS, "s3": by_hand, "s4": {**SENSORS["s2"], "sensor_proxy_src": "10.0.9.4"}}
    options = ("-e", "plan_sensors=true", "-e", f"plan_dir={plant.folder}/plan")
    code, log, text = plant.run(PROXIES, sensors, *options, playbook="plan", s4="offline")
    assert (code, log) == (0, []), text
    assert json.loads((plant.folder / "plan/plan.json").read_text(encoding="utf-8"))["sensors"] == {
        "s1": "would be proxy 10.0.0.4:3128 (changes host); now proxy 192.0.2.9:3128",
        "s2": "would be proxy 10.0.0.2:3128 (changes host); now proxy 192.0.2.9:3128",
        "s3": "a person has to enter what changes",
        "s4": "the console could not be asked: no cloud",
    }
    assert "s3: a person has to enter what changes." in text
    assert "would be proxy" not in plant.run(PROXIES, sensors, playbook="plan")[2]
