# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..module_utils._untrusted_text import one_line
from ..plugin_utils import _cores
from ..plugin_utils._chain import admissions, deployment, graph_file
from ..plugin_utils._chain import hostvars as chain_hostvars
from ..plugin_utils._columns import in_awx, shown, width
from ..plugin_utils._proof import found, verdict
from ..plugin_utils._report import brief, changes, files, provenance, table
from ..plugin_utils._report.results import many


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, without a connection; see the module's DOCUMENTATION."""

    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(("step", "topology", "report_dir", "site", "history", "signing_key"))

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do one step."""
        _cores.refuse()
        result: dict[str, Any] = super().run(tmp, task_vars) | {"changed": False}
        variables = task_vars or {}
        args = self._task.args
        if args["step"] == "history":
            problems = files.broken_history(Path(str(args["report_dir"])))
            good = f"Each of the results that are kept in {args['report_dir']} follows from the one before."
            return result | ({"failed": True, "msg": problems} if problems else {"msg": good})
        if args["step"] == "index":
            return result | _indexed(Path(str(args["report_dir"])))
        own = chain_hostvars.raw_variables(variables["hostvars"], str(variables["inventory_hostname"]))
        if args["step"] == "judge":
            started = {
                "playbooks": context.CLIARGS.get("args", ()),
                # They were read when the run began.
                "extra_vars": load_extra_vars(self._loader),
            }
            return result | _judged(variables, args, own, started)
        results = own["chain_verify_results"]
        if args["step"] == "show":
            lines = (
                [*brief.brief(results), *textwrap.wrap(results["unknown"], brief.WIDTH)]
                if in_awx()
                else results["lines"]
            )
            return result | {"msg": shown(lines), "_ansible_verbose_always": True}
        sensors = results["sensors"]
        said = (
            f"{len(_failing(results))} of {len(sensors)} sensors' paths are not proven to work"
            if sensors
            else "There is no sensor, and the proxies' paths are not proven to work"
        )
        sentence = f"{said} ({results['verdict']}); the table above says where they end."
        wrong = list(filter(None, [sentence if results["verdict"] not in _PROVEN else "", results["unknown"]]))
        if wrong:
            wrong += _changed_badly(variables["hostvars"], results["proxies"])
        return result | {"failed": True, "msg": " ".join(wrong)} if wrong else result


_PROVEN = ("ok", "degraded")


def _changed_badly(hostvars: Mapping[str, Any], proxies: Mapping[str, Any]) -> Iterator[str]:
    """What the same run has to say of proxies: with a path that is not proven it ends here."""
    for name in proxies:
        outcome = chain_hostvars.raw_variables(hostvars, name).get(deployment.OUTCOME) if name in hostvars else None
        if outcome:
            yield from (one_line(sentence, _MOST) for sentence in outcome.get("verdicts", {}).values())
            return


_MOST = 500
"""Characters of what is said of one proxy."""


def _indexed(folder: Path) -> dict[str, Any]:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        count = files.write_index(folder, now)
    except OSError as error:
        raise _unwritten(folder, error, "report_dir") from error
    if not count:
        raise AnsibleActionFail(
            f"No folder in {folder} has a report; name the folder that has one folder for each site."
        )
    return {"msg": f"{folder}/index.html shows {many(count, 'report')}."}


def _unwritten(folder: Path, error: OSError, variable: str) -> AnsibleActionFail:
    return AnsibleActionFail(f"The report cannot be written to {folder} ({error.strerror}); correct {variable}.")


def _judged(
    variables: Mapping[str, Any], args: Mapping[str, Any], own: Mapping[str, Any], started: Mapping[str, Any]
) -> dict[str, Any]:
    graph = graph_file.read(args["topology"])
    report_dir, history = str(args["report_dir"]), int(args["history"])
    now = datetime.now(timezone.utc)
    folder = Path(report_dir)
    reports = found.reports_of(graph, variables["hostvars"])
    admitted = {proxy: report.others for proxy, report in reports.items()}
    unknown = admissions.unknown(graph, admitted, args["topology"]["removed_sensors"])
    unknown = " ".join(filter(None, [unknown, verdict.overdue(reports, now.date().isoformat())]))
    judged = verdict.judge(graph, reports, now.isoformat(timespec="seconds"), found.cloud_of(own))
    # The run began when its topology was derived.
    began = datetime.fromtimestamp(graph_file.path_of(args["topology"]).stat().st_mtime, timezone.utc)
    written = [report_dir, _handoff_dir(variables["hostvars"], graph["sensors"])]
    judged["run"] = provenance.run_of(variables, str(args["site"]), began, now, written, **started)
    judged["previous_sha256"] = files.fingerprint(folder) if report_dir else None
    if report_dir and (said := files.last_plan(folder)):
        judged["plan"] = said
    results = changes.changes(judged, files.earlier(folder) if report_dir else None, history)
    lines, problem = table.table(results, width()), ""
    if unknown:
        lines += ["", *textwrap.wrap(unknown, min(table.WIDTH, width()))]
    if report_dir:
        try:
            problem = files.write(folder, results, history, str(args["signing_key"]))
        except OSError as error:
            raise _unwritten(folder, error, "chain_verify_report_dir") from error
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        lines += ["", f"The report: {report_dir}/report.html"]
    stats = {
        "chain_verify_verdict": results["verdict"],
        "chain_verify_counts": {**results["counts"], "never_seen": results["never_seen"]},
        "chain_verify_failing": _failing(results),
        "chain_verify_unknown": unknown,
        **({"chain_verify_table": lines} if in_awx() else {}),
    }
    told = {"lines": lines, "unknown": unknown, "ansible_stats": {"data": stats, "aggregate": True, "per_host": False}}
    return {**results, **told, **({"warnings": [problem]} if problem else {})}


def _handoff_dir(hostvars: Mapping[str, Any], sensors: Mapping[str, Any]) -> str:
    """Where what a person enters is written: what the first sensor has stands for all, since to ask very many takes long."""
    name = "sensor_proxy_handoff_dir"
    first = next((host for host in sensors if host in hostvars), None)
    given = chain_hostvars.read(hostvars, first, (name,), mistakes=[]) if first else {}
    return str(given.get(name) or Path(os.environ.get("PWD", "."), "handoff"))


def _failing(results: Mapping[str, Any]) -> list[str]:
    return [sensor["name"] for sensor in results["sensors"] if sensor["verdict"] not in _PROVEN]
