# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-cores with CVE-2024-11079 do nothing, and a sentence says so."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._cores import refuse
from packaging.specifiers import SpecifierSet

from tests.unit.rendered import ROLE

RUNTIME = yaml.safe_load((ROLE.parents[1] / "meta/runtime.yml").read_text(encoding="utf-8"))

REFUSED = ["2.15.13", *(f"2.16.{n}" for n in range(14)), *(f"2.17.{n}" for n in range(7)), "2.18.0"]
TAKEN = [
    "2.16.14",
    "2.16.18",
    "2.17.7",
    "2.17.14",
    "2.18.1",
    "2.18.19",
    "2.19.0",
    "2.19.14",
    "2.20.0",
    "2.21.5",
    "3.0.0",
]


@pytest.mark.parametrize("version", REFUSED)
def test_it_is_refused(version: str) -> None:
    with pytest.raises(AnsibleError, match=rf"^ansible-core {version} .* use 2\.16\.14, 2\.17\.7, 2\.18\.1 or a later"):
        refuse(version)
    assert version not in SpecifierSet(RUNTIME["requires_ansible"])


@pytest.mark.parametrize("version", TAKEN)
def test_it_is_taken(version: str) -> None:
    refuse(version)
    assert version in SpecifierSet(RUNTIME["requires_ansible"])


def test_a_release_to_come_counts_as_that_release() -> None:
    refuse("2.19.0b1")
    with pytest.raises(AnsibleError):
        refuse("2.18.0rc1")
