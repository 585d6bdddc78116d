# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which name people know a run, and why one may not begin."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._chain import begin

# What AWX 24.6.1 gives its jobs (awx/main/models/unified_jobs.py and jobs.py, awx_meta_vars).
JOB: dict[str, Any] = {"awx_job_id": 42, "awx_job_template_name": "P: Deploy", "awx_job_launch_type": "manual"}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({**JOB, "awx_user_name": "alice"}, "AWX job 42 (P: Deploy), launched by alice,"),
        ({**JOB, "awx_schedule_name": "P: Every day"}, "AWX job 42 (P: Deploy), launched by P: Every day,"),
        ({**JOB, "awx_workflow_job_name": "P: Onboard"}, "AWX job 42 (P: Deploy), launched by P: Onboard,"),
        ({"awx_job_id": 43, "awx_job_launch_type": "webhook"}, "AWX job 43 (no template), launched by webhook,"),
    ],
)
def test_a_job_is_known_by_who_launched_what(variables: dict[str, Any], said: str) -> None:
    assert begin.holder(variables) == said


def test_a_run_without_awx_is_known_by_its_user_and_process() -> None:
    assert " on " in begin.holder({})
    assert begin.holder({}).startswith("ansible-playbook of ")


def test_a_refusal_names_each_holder_once_and_what_a_host_says_is_text() -> None:
    held = {"since": "10:40 UTC", "ends": "11:10 UTC"}
    hostvars = {
        "a": {"__squid_lock": {"held_by": "Job 1,", **held}},
        "b": {"__squid_lock": {"held_by": "Job 1,", **held}},
        "c": {"__squid_lock": {"held_by": "Job 2\x1b[31m\n" + "x" * 900, **held}},
        "d": {"__squid_lock": {"failed": True, "msg": "no sudo"}},
        "e": {},
    }
    said = begin.refusal(hostvars, hostvars)
    assert said.startswith("Job 1, has been at work on a, b since 10:40 UTC; Job 2 [31m xxx")
    assert len(said) < 700
    assert begin.refusal(hostvars, ["d", "e"]) == ""
