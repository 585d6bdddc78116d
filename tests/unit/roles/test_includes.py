# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What older ansible-cores refuse only when they come to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._roles import arguments

ROLES = Path(arguments.__file__).parents[3] / "roles"
TASKS = sorted(ROLES.glob("*/tasks/*.yml"))


def names(path: Path, keyword: str) -> list[str]:
    """Return what the tasks of a file include or import, wherever they stand in it."""
    return re.findall(rf"ansible\.builtin\.{keyword}: (.+)", path.read_text(encoding="utf-8"))


CASES = [(path, name.strip('"')) for path in TASKS for name in names(path, "include_tasks") if "{{" in name]


@pytest.mark.parametrize(("path", "name"), CASES)
def test_a_file_whose_name_is_a_variable_imports_nothing(path: Path, name: str) -> None:
    """To ansible-core 2.16 the name is not known where it reads the import: "cannot utilize host facts or variables"."""
    options = arguments.options(path.parent.parent.name).values()
    # What no specification has as a choice, a role's variables have.
    words = {str(choice) for option in options for choice in option.get("choices", ())} | {
        "push",
        "surroundings",
        "service",
        "vpn",
        "expressroute",
        "aws",
    }
    pattern = re.sub(r"\{\{.*?\}\}", f"({'|'.join(words)})", name)
    included = [other for other in path.parent.iterdir() if re.fullmatch(pattern, other.name)]
    assert included
    assert [other for other in included if names(other, "import_tasks")] == []
