# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrong settings of configure_awx are found together, and before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils import _awx

SETTINGS = {
    "organization": "Plants",
    "prefix": "Plant A",
    "galaxy_credentials": [],
    "vault_credentials": ["Plants vault"],
    "project_credential": "",
}
FOUND: dict[str, list[dict[str, Any]]] = {
    "organizations": [{"id": 1, "name": "Default"}, {"id": 2, "name": "Plants"}],
    "credentials": [{"name": "Plants vault"}, {"name": "Ansible Galaxy"}],
    "galaxy_credentials": [{"name": "Ansible Galaxy"}],
    "same_names": [{"name": "Plant A: plants", "organization": 2}],
}


def _begins(said: list[str]) -> list[str]:
    return [sentence.split(";")[0].split(",")[0] for sentence in said]


def test_settings_that_are_right_are_no_problem() -> None:
    assert _awx.problems(SETTINGS, FOUND) == []
    own = {"galaxy_credentials": ["Ansible Galaxy"]}
    assert _awx.problems(SETTINGS | own, FOUND | {"galaxy_credentials": []}) == []


@pytest.mark.parametrize(
    ("settings", "found", "said"),
    [
        (
            {"organization": "Nowhere", "vault_credentials": ["v1", "v2"], "project_credential": "git"},
            {"same_names": []},
            [
                "The organization 'Nowhere' is not there",
                "The credential 'v1' is not there",
                "The credential 'v2' is not there",
                "The credential 'git' is not there",
            ],
        ),
        ({"galaxy_credentials": ["hub"]}, {}, ["The credential 'hub' is not there"]),
        ({}, {"galaxy_credentials": []}, ["The organization 'Plants' has no Galaxy credential"]),
        (
            {},
            {
                "same_names": [
                    {"name": "Plant A: way back", "organization": 1},
                    {"name": "Plant A: plants", "organization": 1},
                    {"name": "Plant A: approval", "organization": None},
                    {"name": "Plant A: hidden", "organization": 9},
                ]
            },
            ["The organization 'Default' has 'Plant A: plants' already", "The organization 'another one' has"],
        ),
    ],
    ids=["all together", "Galaxy's credential", "no Galaxy credential", "another organization"],
)
def test_what_is_wrong_is_one_sentence_each(settings: Any, found: Any, said: list[str]) -> None:
    got = _begins(_awx.problems(SETTINGS | settings, FOUND | found))
    assert len(got) == len(said)
    assert [sentence[: len(want)] for sentence, want in zip(got, said, strict=True)] == said
