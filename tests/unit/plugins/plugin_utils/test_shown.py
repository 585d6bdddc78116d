# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines in the form in which the terminal shows them unbroken."""

from __future__ import annotations

import pytest
from ansible.plugins.loader import callback_loader

from tests.rendered_report import apply


@pytest.mark.parametrize(
    ("form", "lines", "expected"),
    [
        ("yaml", ["a", "", "b c"], "a\n\nb c"),
        ("yaml", [], ""),
        ("json", ["a", "", "b c"], ["a", "", "b c"]),
        ("json", [], []),
    ],
)
def test_lines_are_one_text_only_where_results_are_yaml(
    monkeypatch: pytest.MonkeyPatch, form: str, lines: list[str], expected: object
) -> None:
    # Ansible does so before the first task; the setting is known from then on.
    callback_loader.get("default", class_only=True)
    monkeypatch.setenv("ANSIBLE_CALLBACK_RESULT_FORMAT", form)
    assert apply("shown", lines) == expected
