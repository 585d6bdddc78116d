# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML report as the role renders it, without Ansible; for tests and screenshots."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).parent.parent / "roles/chain_verify/templates"
COLLECTION = "ot_security.proxy_chaining"
DOT = shutil.which("dot")


def drawn(results: Mapping[str, Any]) -> str:
    """Return the picture, or nothing where there is no Graphviz."""
    if DOT is None:
        return ""
    text = apply("verdict_dot", results)
    svg = subprocess.run([DOT, "-Tsvg"], input=text, capture_output=True, text=True, check=True, timeout=60)
    return str(apply("verdict_svg", svg.stdout))


def rendered(results: Mapping[str, Any], svg: str = "") -> str:
    """Return the page."""
    # As Ansible's template module sets it: nothing is escaped but by the template.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters[f"{COLLECTION}.verdict_view"] = lambda value: apply("verdict_view", value)
    return environment.get_template("report.html.j2").render(results=results, svg=svg)


def apply(name: str, *arguments: Any) -> Any:
    """Return what a filter of the collection makes of the arguments."""
    module = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.filter.{name}")
    return module.FilterModule().filters()[name](*arguments)
