# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's variable is what its argument specification says, whether its value came as text or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments

BOOL = {"type": "bool"}
INT = {"type": "int"}
FLOAT = {"type": "float"}
TEXTS = {"type": "list", "elements": "str"}
RAW = {"type": "list", "elements": "raw"}
WORD = {"type": "str", "choices": ["delete", "on", "off"]}


@pytest.mark.parametrize(
    ("option", "value", "typed"),
    [
        (BOOL, "false", False),
        (BOOL, "Yes", True),
        (BOOL, "0", False),
        (BOOL, 1, True),
        (INT, "3128", 3128),
        (INT, "-0", 0),
        (FLOAT, "2.5", 2.5),
        (FLOAT, 5, 5.0),
        ({"type": "str"}, None, ""),
        ({"type": "str"}, 10, "10"),
        ({"type": "path"}, "./here", "./here"),
        (WORD, False, "off"),
        (WORD, "delete", "delete"),
        (TEXTS, "a.example, b.example ,", ["a.example", "b.example"]),
        (TEXTS, "", []),
        (TEXTS, None, []),
        (TEXTS, 7, ["7"]),
        (TEXTS, ["a", 1], ["a", "1"]),
        (TEXTS, '["a,b", "c"]', ["a,b", "c"]),
        (TEXTS, "['a']", ["a"]),
        (RAW, "dmz", ["dmz"]),
        (RAW, '[{"host": "dmz"}]', [{"host": "dmz"}]),
        ({"type": "dict"}, "a=b,c=d", {"a": "b", "c": "d"}),
        ({"type": "dict"}, '{"a": 1}', {"a": 1}),
        ({"type": "dict"}, "", {}),
        ({"type": "dict"}, None, {}),
        ({"type": "int", "choices": [10, 60]}, "60", 60),
    ],
)
def test_what_a_value_becomes(option: dict[str, Any], value: object, typed: object) -> None:
    # repr, because True == 1 and 1 == 1.0.
    assert repr(arguments.convert("squid_thing", option, value)) == repr(typed)


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        (BOOL, "perhaps", "is neither true nor false"),
        (BOOL, 2, "is neither true nor false"),
        (BOOL, None, "is neither true nor false"),
        (BOOL, [True], "is neither true nor false"),
        (INT, "", "is not a whole number"),
        (INT, " 7", "is not a whole number"),
        (INT, "1_000", "is not a whole number"),
        (INT, True, "is not a whole number"),
        (INT, 1.5, "is not a whole number"),
        (INT, None, "is not a whole number"),
        (INT, "-1", "is negative"),
        (FLOAT, "nan", "is not a number"),
        (FLOAT, "soon", "is not a number"),
        (FLOAT, True, "is not a number"),
        (FLOAT, -0.5, "is negative"),
        ({"type": "str"}, ["a"], "is not text"),
        (WORD, "maybe", "is none of delete, on, off"),
        (TEXTS, {"a": 1}, "is not a list"),
        (TEXTS, True, "is not a list"),
        (TEXTS, "[a", "is not a list"),
        (TEXTS, "[]]", "is not a list"),
        (TEXTS, ["a", {"b": 1}], "has an entry that is not text"),
        ({"type": "dict"}, "a", "is not a mapping"),
        ({"type": "dict"}, '{"a"', "is not a mapping"),
        ({"type": "dict"}, ["a"], "is not a mapping"),
        ({"type": "int", "choices": [10, 60]}, "30", "is none of 10, 60"),
    ],
)
def test_what_is_refused(option: dict[str, Any], value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        arguments.convert("squid_thing", option, value)


@pytest.mark.parametrize("value", [0, "0", 65536, "99999", -1])
def test_a_port_has_a_range(value: object) -> None:
    with pytest.raises(ValueError, match="is not a port; give a number from 1 to 65535"):
        arguments.convert("squid_port", {"type": "int", "default": 3128}, value)


def test_a_port_that_may_be_none_is_zero() -> None:
    assert arguments.convert("squid_tls_port", {"type": "int", "default": 0}, "0") == 0


def test_every_role_is_known() -> None:
    folder = Path(arguments.__file__).parents[3] / "roles"
    assert sorted(arguments.ROLES) == sorted(path.name for path in folder.iterdir())
