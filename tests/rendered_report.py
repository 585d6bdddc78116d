# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests and screenshots of the report share."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent.parent / "roles/chain_verify/templates"
COLLECTION = "ot_security.proxy_chaining"
DOT = shutil.which("dot")


def apply(name: str, *arguments: Any) -> Any:
    """Return what a filter of the collection makes of the arguments."""
    module = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.filter.{name}")
    return module.FilterModule().filters()[name](*arguments)
