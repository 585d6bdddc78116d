# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as files in a folder of the controller, and the earlier one in it. Private to this collection."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jinja2

from .._proof.model import Results
from .dot import dot
from .junit import junit
from .mermaid import mermaid
from .results import clean
from .svg import finish
from .view import view

_TEMPLATES = Path(__file__).parents[3] / "roles/chain_verify/templates"
_RESULTS = "results.json"
_PATIENCE = 60.0
"""Seconds that drawing may take."""


def earlier(folder: Path) -> str:
    """Return the text of the results that are there; empty where there are none."""
    path = folder / _RESULTS
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def write(folder: Path, results: Results) -> str:
    """Write the report, and return why it has no picture; empty where it has one.

    Raises:
        OSError: a file cannot be written.
    """
    svg, problem = drawn(results)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, content in _files(results, svg, problem):
        # Nobody finds half a file.
        fresh = folder / f".{name}.new"
        fresh.write_text(content, encoding="utf-8", errors="replace")
        fresh.chmod(0o644)
        fresh.replace(folder / name)
    if not svg:
        (folder / "topology.svg").unlink(missing_ok=True)
    return problem


def _files(results: Results, svg: str, problem: str) -> Iterator[tuple[str, str]]:
    yield _RESULTS, json.dumps(results, indent=4, sort_keys=True)
    yield "junit.xml", junit(results)
    yield "topology.mmd", mermaid(results)
    if svg:
        yield "topology.svg", svg
    yield "report.html", page(results, svg, problem)


def drawn(results: Results) -> tuple[str, str]:
    """Return the picture, or nothing and why there is none."""
    program = shutil.which("dot")
    if program is None:
        return "", "The picture needs Graphviz: install the package graphviz where Ansible runs, and verify again."
    try:
        done = subprocess.run(  # noqa: S603 -- what is drawn is its input
            [program, "-Tsvg"],
            input=dot(results),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode == 0:
            return finish(done.stdout), ""
        reason = next(iter(done.stderr.splitlines()), f"it ended with {done.returncode}")
    except subprocess.TimeoutExpired:
        reason = f"it took more than {_PATIENCE:g} s"
    except (OSError, ValueError) as error:
        reason = str(error)
    return "", f"Graphviz could not draw the picture: {clean(reason)[:200]}."


def page(results: Results, svg: str = "", problem: str = "") -> str:
    """Return the HTML report.

    Args:
        results: what it tells.
        svg: the picture; empty for none.
        problem: why there is none.
    """
    # Not Ansible's engine: what is told here was said by hosts and endpoints.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.j2").render(view=view(results), svg=svg, problem=problem)
