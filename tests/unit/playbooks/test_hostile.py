# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts, endpoints and sensors say is text, whatever it says, and one of them cannot take the report from the others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.rendered_report import DOT
from tests.unit.rendered import ROLE

COLLECTION = ROLE.parents[1]
LONG = "x" * 30_000

# What the module returns on the proxies is what the test says, in place of what a host would.
STAND_IN = """

import json, os
from ansible.errors import AnsibleConnectionFailure

class ActionModule(ActionModule):
    _requires_connection = False

    def _execute_module(self, module_name, module_args, task_vars):
        said = json.loads(open(os.environ["OT_SAID"]).read())
        host = said.get(task_vars["inventory_hostname"], said["all"])
        if isinstance(host, str):
            raise AnsibleConnectionFailure(host)
        if "probe" not in host:
            return host
        which = [{key: walk[key] for key in ("kind", "target", "parent")} for walk in module_args["walks"]]
        walks = [{**walk, "endpoints": [host["probe"]]} for walk in which]
        setup = {"squid_version": "6.13", "config_sha256": "", "holds": [], "holds_since": "", "learns_until": "", "others": []}
        return {"walks": walks, "clients": host["clients"], "clients_problem": None, **setup}
"""
INVENTORY = {
    "proxies": {
        "hosts": {
            "site": {"ansible_host": "10.0.0.250", "squid_parents": ["dmz"]},
            "dmz": {"ansible_host": "10.0.1.250"},
            "other": {"ansible_host": "10.0.2.250"},
        }
    },
    "sensors": {
        "hosts": {
            "sensor1": {"ansible_host": "10.0.0.1", "sensor_proxy_via": "site"},
            "sensor2": {"ansible_host": "10.0.2.1", "sensor_proxy_via": "other"},
        }
    },
}


def _probe(text: str, stage: str | None = "proxy-denied") -> dict[str, Any]:
    return {
        "endpoint": "hub.example.net",
        "port": 443,
        "verdict": "broken" if stage else "ok",
        "stage": stage,
        "hop": "dmz" if stage else None,
        "reason": f"dmz refuses CONNECT to hub.example.net:443 (403, {text})." if stage else None,
        "times": {"resolve": 0.001},
        "certificate": {"issuer": f"CN={text}", "authority": text, "subject": text, "not_after": text},
    }


def _client(name: str, text: str) -> dict[str, Any]:
    entry = {"time": "2026-11-24T10:40:00+00:00", "endpoint": text, "port": 443, "status": 403, "result": text}
    rule = {"action": "allow", "line": 3, "text": text}
    logged = {"last": entry, "last_ok": None, "refused_since_change": entry, "count": 1, "refused": 1, "open": 0}
    return {"name": name, "rule": rule, **logged}


def _said(text: str, stage: str | None = "proxy-denied") -> dict[str, Any]:
    """Return what a host says on which each text from outside is this one."""
    return {"probe": _probe(text, stage), "clients": [_client(name, text) for name in ("sensor1", "sensor2")]}


WELL = {
    "probe": _probe("Example Trust", None),
    "clients": [{**_client(name, ""), "last": None, "refused_since_change": None} for name in ("sensor1", "sensor2")],
}


@dataclass
class Verified:
    """What a run ended with."""

    code: int
    output: str
    folder: Path

    def file(self, name: str) -> str:
        """A file of the report."""
        return (self.folder / "chain-report" / name).read_text(encoding="utf-8")

    def verdicts(self) -> dict[str, str]:
        """Each sensor's verdict."""
        return {sensor["name"]: sensor["verdict"] for sensor in json.loads(self.file("results.json"))["sensors"]}


class Lab:
    """A collection whose modules say what they are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        copy = folder / "ansible_collections/ot_security/proxy_chaining"
        shutil.copytree(COLLECTION, copy)
        with (copy / "plugins/action/chain_walk.py").open("a") as action:
            action.write(STAND_IN)
        self.playbook = copy / "playbooks/verify.yml"

    def verify(self, said: dict[str, Any], *options: str, **environment: str) -> Verified:
        """Run the playbook."""
        (self.folder / "said.json").write_text(json.dumps(said))
        inventory = self.folder / "hosts.json"
        common = {"ansible_become": False, "ansible_connection": "local"}
        inventory.write_text(json.dumps({"all": {"children": INVENTORY, "vars": common}}))
        ours = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        ours |= {"ANSIBLE_COLLECTIONS_PATH": str(self.folder), "ANSIBLE_NOCOLOR": "1"}
        ours |= {"OT_SAID": str(self.folder / "said.json"), "PWD": str(self.folder), "ANSIBLE_SHOW_CUSTOM_STATS": "1"}
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), self.playbook, "-i", inventory, *options],
            env=ours | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return Verified(done.returncode, done.stdout + done.stderr, self.folder)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.mark.parametrize("stage", ["proxy-denied", None], ids=["a proxy or a certificate", "the access log"])
def test_what_was_said_is_never_evaluated(stage: str | None, lab: Lab) -> None:
    """CVE-2024-11079: cores before 2.16.14, 2.17.7 and 2.18.1 evaluate what another host's results hold."""
    traces = [lab.folder / "walked", lab.folder / "lost"]
    walked, lost = (f"{{{{ lookup('ansible.builtin.pipe', 'touch {trace}') }}}}" for trace in traces)
    # The second run compares with the first one's report, which is text too.
    for _run in range(2):
        done = lab.verify({"all": _said(walked, stage), "dmz": lost})
        assert [trace.name for trace in traces if trace.exists()] == [], done.output
        assert done.verdicts() == {"sensor1": "broken", "sensor2": "broken"}, done.output
        assert walked in done.file("results.json")


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


WHOLE = {"results.json", "junit.xml", "topology.mmd", "topology.svg", "report.html", "history"}


@pytest.mark.skipif(DOT is None, reason="no dot on the PATH; tools/programs installs it")
@pytest.mark.parametrize(
    "text", [LONG, "\x00\x1b[31m\n\u202e\ud800" * 50, "]]>\"'\\N{}|<b>&"], ids=["long", "controls", "markup"]
)
def test_one_hostile_parent_leaves_the_report_to_the_others(text: str, lab: Lab) -> None:
    done = lab.verify({"all": WELL, "site": _said(text), "dmz": _said(text)})
    assert _names(lab.folder / "chain-report") == WHOLE, done.output[-3000:]
    assert done.verdicts() == {"sensor1": "broken", "sensor2": "degraded"}
    assert len(done.output) < 60_000
    assert "x" * 1000 not in done.file("report.html")
    assert not any(sign in done.file("report.html") for sign in ("\x1b", "\u202e", "<b>&"))


@pytest.mark.parametrize(
    "walks", [7, None, [{}], [{"kind": "self", "target": "site", "parent": "", "endpoints": [1]}]], ids=str
)
def test_an_answer_of_another_form_is_that_hosts_own_problem(walks: Any, lab: Lab) -> None:
    setup = {
        "squid_version": "6.13",
        "config_sha256": "",
        "holds": [],
        "holds_since": "",
        "learns_until": "",
        "others": [],
    }
    odd = {"walks": walks, "clients": {"a": "b"}, "clients_problem": None, **setup}
    done = lab.verify({"all": WELL, "site": odd})
    assert done.verdicts() == {"sensor1": "unknown", "sensor2": "degraded"}, done.output[-3000:]
    assert "the form of this collection" in " ".join(done.file("results.json").split())


@pytest.mark.parametrize(
    "script", ["echo 'Error: out of ink' >&2; exit 1", "echo no picture"], ids=["error", "rubbish"]
)
def test_a_report_that_cannot_be_drawn_is_written_without_its_picture(script: str, lab: Lab) -> None:
    lab.verify({"all": WELL})
    dot = lab.folder / "bin/dot"
    dot.parent.mkdir()
    dot.write_text(f"#!/bin/sh\n{script}\n")
    dot.chmod(0o755)
    done = lab.verify({"all": WELL}, PATH=f"{dot.parent}:{os.environ['PATH']}")
    assert done.verdicts() == {"sensor1": "degraded", "sensor2": "degraded"}, done.output
    # The picture of the run before would be one of other results.
    assert _names(lab.folder / "chain-report") == WHOLE - {"topology.svg"}
    assert "Graphviz could not draw the picture: " in done.file("report.html")
    assert done.code == 0


def test_check_mode_does_the_same_and_the_workflow_is_told(lab: Lab) -> None:
    done = lab.verify({"all": WELL}, "--check", "--diff")
    assert done.code == 0, done.output
    assert {"results.json", "report.html"} <= _names(lab.folder / "chain-report")
    assert "changed=0" in done.output
    assert "changed=1" not in done.output
    told = " ".join(done.output.split("CUSTOM STATS")[1].split())
    for stat in (
        '"chain_verify_verdict": "degraded"',
        '"chain_verify_failing": []',
        '"degraded": 2',
        '"never_seen": 2',
    ):
        assert stat in told


def test_the_report_says_who_made_it_and_is_signed(lab: Lab) -> None:
    key = lab.folder / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    given = {"chain_verify_site": "North", "chain_verify_history": "2", "chain_verify_signing_key": str(key)}
    done = lab.verify(
        {"all": WELL}, "-e", json.dumps(given), CI_JOB_ID="7", GITLAB_CI="true", CI_PROJECT_PATH="ot/site"
    )
    assert done.code == 0, done.output
    results = json.loads(done.file("results.json"))
    run = results["run"]
    assert (run["site"], run["job"]) == ("North", "GitLab job 7 of ot/site")
    assert [source["path"] for source in run["inventories"]] == [str(lab.folder / "hosts.json")]
    assert 0 < run["seconds"] < 180
    assert {proxy["squid"] for proxy in results["proxies"].values()} == {"6.13"}
    assert {"report.html.sig", "results.json.sig"} <= _names(lab.folder / "chain-report")
    assert len(_names(lab.folder / "chain-report/history")) == 2
    # No host is touched for a key that is not there.
    done = lab.verify({"all": WELL}, "-e", f"chain_verify_signing_key={lab.folder}/none")
    assert done.code != 0
    assert "no such file is where Ansible runs; correct the path, or empty it." in " ".join(done.output.split())
