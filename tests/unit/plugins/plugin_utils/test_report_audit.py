# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes the report one that an auditor can sign: who made it with what, what is kept, and signatures that hold."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report import files
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.changes import changes
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.provenance import run_of
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.table import table

from tests.generated_site import demo

BEGAN = datetime(2026, 11, 24, 10, 38, 27, tzinfo=timezone.utc)
ENDED = BEGAN + timedelta(seconds=96)
REPOSITORY = Path(__file__).parents[4]
DOCUMENTED = re.search(r"    (ssh-keygen -Y verify .*)", (REPOSITORY / "docs/report.md").read_text())


def _run(variables: dict[str, Any] | None = None, **more: Any) -> Any:
    return run_of(variables or {}, "north", BEGAN, ENDED, **{"environment": {}, **more})


AWX = {"job_id": 42, "user_name": "anna", "job_template_name": "Verify"}


@pytest.mark.parametrize(
    ("variables", "environment", "job", "by"),
    [
        ({f"awx_{name}": value for name, value in AWX.items()}, {}, "AWX job 42 of Verify", "anna"),
        ({f"tower_{name}": value for name, value in AWX.items()}, {}, "AWX job 42 of Verify", "anna"),
        (
            {},
            {"GITLAB_CI": "true", "CI_JOB_ID": "7", "CI_PROJECT_PATH": "ot/site", "GITLAB_USER_LOGIN": "ben"},
            "GitLab job 7 of ot/site",
            "ben",
        ),
        (
            {},
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_RUN_ID": "8",
                "GITHUB_REPOSITORY": "ot/site",
                "GITHUB_ACTOR": "eve\n<b>",
            },
            "GitHub run 8 of ot/site",
            "eve <b>",
        ),
        ({}, {"GITLAB_CI": "true"}, "GitLab job ? of ?", None),
        ({}, {}, "", None),
    ],
)
def test_who_ran_it(variables: dict[str, Any], environment: dict[str, str], job: str, by: str | None) -> None:
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    run = _run(variables, environment=environment)
    assert (run["job"], run["by"]) == (job, by or me)
    assert run["controller"]


def test_when_and_with_what() -> None:
    run = _run()
    assert (run["site"], run["began"], run["seconds"]) == ("north", "2026-11-24T10:38:27+00:00", 96)
    assert run["collection"] == yaml.safe_load((REPOSITORY / "galaxy.yml").read_text())["version"]
    assert re.fullmatch(r"2\.\d+\..*", run["ansible_core"])


def test_how_it_was_started() -> None:
    extra_vars = ["squid_port", "awx_job_id", "tower_job_id"]
    run = _run({"ansible_limit": "sensor1"}, playbooks=["site.yml"], extra_vars=extra_vars)
    assert (run["playbooks"], run["limit"], run["extra_vars"]) == (["site.yml"], "sensor1", ["squid_port"])
    results: Any = {**demo(), "run": run}
    shown = re.sub(r"<[^>]+>|\s+", " ", files.page(results))
    assert "site.yml, limited to sensor1, with extra vars: squid_port" in shown


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory in git, beside something else."""
    found = tmp_path / "inventories/plant-a/hosts.yml"
    found.parent.mkdir(parents=True)
    found.write_text("all:\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "Plant A")
    return found


def _source(path: Path, *written: str) -> Any:
    (found,) = _run({"ansible_inventory_sources": [str(path)]}, written=written)["inventories"]
    return found


def test_an_inventory_in_git_has_its_revision(inventory: Path, tmp_path: Path) -> None:
    head = _git(tmp_path, "rev-parse", "HEAD")
    assert _source(inventory) == {"path": str(inventory), "revision": head, "modified": False, "modified_files": []}
    # What is beside it is none of it, nor is what this collection writes.
    (tmp_path / "README").write_text("")
    report, handoff = (inventory.parent / name for name in ("chain-report", "handoff"))
    for folder in (report, handoff):
        folder.mkdir()
        (folder / "written").write_text("{}")
    (tmp_path / "link").symlink_to(inventory.parent)
    for path in (inventory.parent, tmp_path / "link"):
        assert _source(inventory, str(path / "chain-report"), str(path / "handoff"))["modified"] is False
    assert _source(inventory, str(report))["modified"] is True
    assert _source(inventory, "", str(handoff))["modified"] is True
    (inventory.parent / "host_vars").mkdir()
    (inventory.parent / "host_vars/new.yml").write_text("a: 1\n")
    inventory.write_text("all: {}\n")
    found = _source(inventory, str(report), str(handoff))
    name = str(inventory.relative_to(tmp_path))
    assert (found["modified"], found["modified_files"]) == (True, [name, f"{Path(name).parent}/host_vars/"])


def test_an_inventory_that_is_not_in_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere: dict[str, Any] = {"path": str(tmp_path), "revision": None, "modified": None, "modified_files": []}
    assert _source(tmp_path) == nowhere
    # What is typed in place of a path is none, though the tests run in git.
    assert _source(Path("a,b,"))["revision"] is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _source(REPOSITORY)["revision"] is None


@pytest.mark.parametrize(("given", "site"), [("north", "north"), ("", "plant-a")])
def test_a_site_without_a_name_is_called_as_its_inventory(given: str, site: str, inventory: Path) -> None:
    variables = {"ansible_inventory_sources": [str(inventory)]}
    assert run_of(variables, given, BEGAN, ENDED)["site"] == site
    assert run_of({**variables, "awx_inventory_name": "South"}, given, BEGAN, ENDED)["site"] == (given or "South")
    assert run_of({}, "", BEGAN, ENDED)["site"] == "without a name"


def test_the_page_says_it_all() -> None:
    results = demo()
    text = re.sub(r"<[^>]+>|\s+", " ", files.page(results))
    for said in (
        "north · Verified 2026-11-24 10:40 UTC",
        "anna on ops-1, AWX job 4711 of Verify",
        "2026-11-24 10:38 UTC, took 96 s",
        "ot_security.proxy_chaining 0.1.0, ansible-core 2.19.4",
        f"/srv/site/inventories/north, revision {'4be1' * 10}",
        f"192.0.2.10:3128 6.13 {results['proxies']['dmz-proxy']['config_sha256']}",
    ):
        assert said in re.sub(r"\s+", " ", text)


def _changed(change: Any) -> tuple[Any, str]:
    """Return what is told, as data and as words, when this was done to the demo."""
    now = demo(broken=False)
    change(now)
    results = changes(now, {**demo(broken=False), "time": "2026-11-23T10:40:03+00:00"})
    return results["setup_changes"], " ".join(line.strip() for line in table(results))


def _set(*keys: Any, value: Any) -> Any:
    def change(results: Any) -> None:
        for key in keys[:-1]:
            results = results[key]
        results[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "what", "words"),
    [
        (
            _set("proxies", "dmz-proxy", "config_sha256", value="0" * 64),
            "configuration",
            "another squid.conf: dmz-proxy",
        ),
        (_set("proxies", "dmz-proxy", "squid", value="7.2"), "squid", "Squid 6.13 > 7.2: dmz-proxy"),
        (
            _set("proxies", "dmz-proxy", "port", value=8080),
            "proxy",
            "address 192.0.2.10:3128 > 192.0.2.10:8080: dmz-proxy",
        ),
        (_set("proxies", "spare", value={"address": "192.0.2.9", "port": 1}), "proxy", "proxy is new: spare"),
        (_set("run", "collection", value="0.2.0"), "collection", "collection 0.1.0 > 0.2.0"),
        (_set("run", "ansible_core", value="2.21.0"), "ansible-core", "ansible-core 2.19.4 > 2.21.0"),
        (
            _set("run", "inventories", 0, "modified", value=True),
            "inventory",
            "inventory /srv/site/inventories/north: 4be14be14be1 > 4be14be14be1, modified",
        ),
        (
            _set("links", 3, "endpoints", 0, "endpoint", value="new.example"),
            "endpoints",
            "endpoint new, new.example:443; endpoint gone, hub.azure-devices.net:443: dmz-proxy",
        ),
    ],
)
def test_what_changed_around_the_verdicts(change: Any, what: str, words: str) -> None:
    told, text = _changed(change)
    assert [one["what"] for one in told] == [what]
    assert words in text


@pytest.mark.parametrize(
    "change",
    [
        _set("time", value="2026-11-24T11:00:00+00:00"),
        # What was not asked is unknown, and no change.
        _set("proxies", "dmz-proxy", "config_sha256", value=None),
        _set("links", 3, "endpoints", value=[]),
        _set("run", value=None),
    ],
)
def test_what_is_not_known_is_no_change(change: Any) -> None:
    assert _changed(change)[0] == []


@pytest.mark.parametrize(
    "damage",
    [
        {"proxies": 7},
        {"proxies": {"a": 7}},
        {"links": [7]},
        {"run": [7]},
        {"run": {"inventories": 7}},
        {"trend": 7},
        {"trend": [7, {"time": "x"}, {"time": "2026-11-23T10:40:03Z", "counts": 7}]},
    ],
)
def test_a_damaged_earlier_report_is_compared_as_far_as_it_goes(damage: Any) -> None:
    results = changes(demo(), {**demo(), "time": "2026-11-23T10:40:03+00:00", **damage})
    assert results["previous"]
    assert files.page(results)


def test_trends_are_as_long_as_what_is_kept() -> None:
    text: Any = ""
    for run in range(5):
        now: Any = {**demo(broken=run % 2 == 1), "time": f"2026-11-24T10:0{run}:00+00:00"}
        text = json.dumps(changes(now, text, 3))
    results = json.loads(text)
    assert [sensor["trend"] for sensor in results["sensors"]] == ["obo", "obo"]
    assert [one["counts"]["broken"] for one in results["trend"]] == [0, 2, 0]
    page = files.page(results)
    assert "The last 3 reports" in page
    assert page.count("2 of 3 ok") == 2


def _write(folder: Path, minute: int, history: int, key: str = "") -> None:
    before = files.fingerprint(folder)
    results: Any = {**demo(), "time": f"2026-11-24T10:{minute:02}:00+00:00", "previous_sha256": before}
    files.write(folder, changes(results, ""), history, key)


def _kept(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "history").glob("*"))


def test_the_last_results_are_kept_and_nobody_elses_file_is_removed(tmp_path: Path, key: Path) -> None:
    for minute in range(4):
        _write(tmp_path, minute, 2, str(key))
    (tmp_path / "history/notes.json").write_text("")
    _write(tmp_path, 4, 2)
    kept = ["20261124T100300Z.json", "20261124T100300Z.json.sig", "20261124T100400Z.json"]
    assert _kept(tmp_path) == [*kept, "notes.json"]
    assert json.loads((tmp_path / "history" / kept[0]).read_text())["time"] == "2026-11-24T10:03:00+00:00"
    _write(tmp_path, 5, 0)
    assert _kept(tmp_path) == ["notes.json"]


NOT_NEXT = "20261124T100300Z.json is not the one after 20261124T100200Z.json; one of the two was exchanged, or one between is gone."


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda _folder: None, []),
        # The oldest ones are forgotten in time.
        (lambda folder: (folder / "history/20261124T100100Z.json").unlink(), []),
        (
            lambda folder: (folder / "history/20261124T100200Z.json").unlink(),
            [NOT_NEXT.replace("T100200Z", "T100100Z")],
        ),
        (lambda folder: _turn(folder / "history/20261124T100200Z.json"), [NOT_NEXT]),
        (lambda folder: _turn(folder / "results.json"), ["results.json is not the newest that is kept."]),
        (
            lambda folder: (folder / "history/20261124T100400Z.json").unlink(),
            ["results.json is not the newest that is kept."],
        ),
        (lambda folder: (folder / "results.json").unlink(), ["results.json cannot be read."]),
    ],
)
def test_one_of_the_history_that_is_missing_or_exchanged_is_noticed(do: Any, said: list[str], tmp_path: Path) -> None:
    for minute in range(5):
        _write(tmp_path, minute, 4)
    do(tmp_path)
    assert files.broken_history(tmp_path) == said


def _turn(path: Path) -> None:
    path.write_text(path.read_text().replace('"ok"', '"broken"', 1))


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key without a passphrase."""
    found = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", found], check=True)
    return found


def _verifies(folder: Path, name: str, key: Path) -> bool:
    """Run the command that the documentation has for the page, for one of the files."""
    assert DOCUMENTED
    (folder / "allowed_signers").write_text(f"report {key.with_suffix('.pub').read_text()}")
    command = DOCUMENTED[1].replace("report.html", name)
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", ["report.html", "results.json", "history/20261124T100700Z.json"])
def test_a_flipped_byte_breaks_the_signature(name: str, tmp_path: Path, key: Path) -> None:
    _write(tmp_path, 7, 1, str(key))
    assert _verifies(tmp_path, name, key)
    path = tmp_path / name
    content = path.read_bytes()
    for place in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert not _verifies(tmp_path, name, key)
    path.write_bytes(content)
    assert _verifies(tmp_path, name, key)


def test_a_signature_of_the_report_before_does_not_stay(tmp_path: Path, key: Path) -> None:
    _write(tmp_path, 1, 0, str(key))
    assert (tmp_path / "report.html.sig").is_file()
    _write(tmp_path, 2, 0)
    assert not list(tmp_path.glob("*.sig"))


@pytest.mark.parametrize("passphrase", [None, "secret"])
def test_what_cannot_be_signed_is_not_written(passphrase: str | None, tmp_path: Path) -> None:
    """And nobody is asked for a passphrase."""
    path = tmp_path / "id"
    if passphrase:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path], check=True)
    with pytest.raises(
        ValueError, match=rf"^The report cannot be signed with {path} \(.+\); set chain_verify_signing_key"
    ):
        _write(tmp_path / "report", 1, 1, str(path))
    assert not (tmp_path / "report").exists()


def test_the_last_plan_is_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for odd in (None, "{", "[]", '{"time": "x"}', '{"time": "x", "sentences": 1}'):
        if odd:
            path.write_text(odd)
        assert files.last_plan(tmp_path) is None
    path.write_text(json.dumps({"time": "2026-11-26T10:40:00+00:00", "sentences": ["s1 gains <b>."] * 101}))
    results: Any = {**demo(), "plan": files.last_plan(tmp_path)}
    page = files.page(results, "", "")
    assert page.count("<li>s1 gains &lt;b&gt;.</li>") == 100
    assert "1 not shown, see plan.md" in page
    assert "last plan" not in files.page(demo(), "", "")


def test_one_page_over_many_sites(tmp_path: Path, key: Path) -> None:
    for site, broken in (("alpha", False), ("beta", True)):
        results: Any = {**demo(broken), "run": {**demo()["run"], "site": f"Plant <{site}>"}}
        files.write(tmp_path / f"{site} 1", results, 0, str(key) if broken else "")
    (tmp_path / "gamma").mkdir()
    for odd in ("{", "[]", '{"format": 9}', '{"format": 1, "counts": {"ok": "x"}}'):
        (tmp_path / "gamma/results.json").write_text(odd)
        assert files.write_index(tmp_path, "2026-11-26T10:40:00+00:00") == 3
    page = (tmp_path / "index.html").read_text()
    links = re.findall(r'href="([^"]+)">([^<]+)<', page)
    assert links == [
        ("beta%201/report.html", "Plant &lt;beta&gt;"),
        ("gamma/report.html", "gamma"),
        ("alpha%201/report.html", "Plant &lt;alpha&gt;"),
    ]
    assert "1 d ago" in page
    assert re.findall('"Signed">([^<]+)<', page) == ["yes", "no", "no"]
    assert "anna, AWX job 4711 of Verify" in page
    assert "<script" not in page
    assert "Proxy chains of 3 sites" in page


def test_the_documented_command_checks_the_history(tmp_path: Path) -> None:
    command = re.search(r"    (ansible localhost .*step=history.*)", (REPOSITORY / "docs/report.md").read_text())
    assert command
    words = shlex.split(command[1].replace("chain-report", str(tmp_path)))
    for minute, code in ((0, 0), (1, 0), (2, 2)):
        _write(tmp_path, minute, 3)
        if code:
            _turn(tmp_path / "history/20261124T100000Z.json")
        done = _ansible(words)
        assert done.returncode == code, done.stdout + done.stderr
    assert "20261124T100100Z.json is not the one after 20261124T100000Z.json" in done.stdout


def test_the_documented_command_writes_it(tmp_path: Path) -> None:
    command = re.search(r"    (ansible localhost .*step=index.*)", (REPOSITORY / "docs/report.md").read_text())
    assert command
    files.write(tmp_path / "alpha", demo())
    for folder, code in ((tmp_path, 0), (tmp_path / "beta", 2)):
        words = shlex.split(command[1].replace("/srv/reports", str(folder)))
        done = _ansible(words)
        assert done.returncode == code, done.stdout + done.stderr
        assert ("shows 1 report." if code == 0 else "No folder in") in " ".join(done.stdout.split())
    assert not (tmp_path / "beta").exists()
    assert "Proxy chains of 1 site<" in (tmp_path / "index.html").read_text()


def _ansible(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name(words[0]), *words[1:]],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(Path(files.__file__).parents[6])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
