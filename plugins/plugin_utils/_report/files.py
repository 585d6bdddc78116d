# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as files in a folder of the controller, and the earlier ones in it. Private to this collection."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2

from .._proof.model import LastPlan, Results, moment
from .dot import dot
from .index import index
from .junit import junit
from .mermaid import mermaid
from .results import clean
from .signature import signature
from .svg import finish
from .view import view

_TEMPLATES = Path(__file__).parents[3] / "roles/chain_verify/templates"
_RESULTS = "results.json"
_SIGNED = (_RESULTS, "report.html")
_HISTORY = "history"
_NAME = re.compile(r"\d{8}T\d{6}Z\.json")
_PATIENCE = 60.0
"""Seconds that drawing may take."""


def earlier(folder: Path) -> str:
    """Return the text of the results that are there; empty where there are none."""
    path = folder / _RESULTS
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def last_plan(folder: Path) -> LastPlan | None:
    """Return what the last plan said, where it was written into this folder; None where it was not, or cannot be read."""
    try:
        found = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        return {"time": str(found["time"]), "sentences": list(map(str, found["sentences"]))}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fingerprint(folder: Path) -> str | None:
    """Return the SHA-256 of the results that are there; None where there are none."""
    path = folder / _RESULTS
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def broken_history(folder: Path) -> list[str]:
    """Return a sentence for each of the kept results that does not follow from the one before.

    The newest are the report's own. That the oldest are gone is no fault, since no more are kept than the role was told.
    """
    problems, before, name = [], "", ""
    for path in [*_kept(folder / _HISTORY), folder / _RESULTS]:
        try:
            content = path.read_bytes()
            said = json.loads(content).get("previous_sha256")
        except (OSError, ValueError, AttributeError):
            problems.append(f"{path.name} cannot be read.")
            continue
        found = hashlib.sha256(content).hexdigest()
        if path.name == _RESULTS and found != before:
            problems.append(f"{_RESULTS} is not the newest that is kept.")
        elif path.name != _RESULTS and before and said != before:
            problems.append(
                f"{path.name} is not the one after {name}; one of the two was exchanged, or one between is gone."
            )
        before, name = found, path.name
    return problems


def write(folder: Path, results: Results, history: int = 0, key: str = "") -> str:
    """Write the report, and return why it has no picture; empty where it has one.

    Args:
        folder: where to.
        results: what it tells.
        history: how many results are kept beside it.
        key: signs page and results; empty for no signatures.

    Raises:
        OSError: a file cannot be written.
        ValueError: it cannot be signed.
    """
    svg, problem = drawn(results)
    made = {name: content.encode("utf-8", "replace") for name, content in _files(results, svg, problem)}
    signed = {f"{name}.sig": signature(made[name], key) for name in _SIGNED} if key else {}
    _put(folder, {**made, **signed})
    if not svg:
        (folder / "topology.svg").unlink(missing_ok=True)
    # A signature of the report before would say that this one was tampered with.
    for name in [] if key else _SIGNED:
        (folder / f"{name}.sig").unlink(missing_ok=True)
    now = moment(results["time"])
    if history and now:
        kept = f"{now:%Y%m%dT%H%M%SZ}.json"
        of_results = {name: content for name, content in {**made, **signed}.items() if name.startswith(_RESULTS)}
        _put(folder / _HISTORY, {name.replace(_RESULTS, kept): content for name, content in of_results.items()})
    _forget(folder / _HISTORY, history)
    return problem


def write_index(folder: Path, now: str) -> int:
    """Write the page over the reports in the folders of a folder, if there is one, and return how many they are.

    Raises:
        OSError: it cannot be read or written.
    """
    sites = [path.parent for path in sorted(folder.glob(f"*/{_RESULTS}"))]
    texts = {site.name: earlier(site) for site in sites}
    signed = {site.name for site in sites if all((site / f"{name}.sig").is_file() for name in _SIGNED)}
    if texts:
        _put(folder, {"index.html": _rendered("index.html.j2", index(texts, signed, now)).encode("utf-8", "replace")})
    return len(texts)


def _put(folder: Path, contents: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, content in contents.items():
        # Nobody finds half a file.
        fresh = folder / f".{name}.new"
        fresh.write_bytes(content)
        fresh.chmod(0o644)
        fresh.replace(folder / name)


def _kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if _NAME.fullmatch(path.name))


def _forget(folder: Path, most: int) -> None:
    """Remove the oldest of the results that are kept, and nothing that somebody else put there."""
    kept = _kept(folder)
    for path in kept[: max(len(kept) - most, 0)]:
        path.unlink()
        path.with_name(f"{path.name}.sig").unlink(missing_ok=True)


def _files(results: Results, svg: str, problem: str) -> Iterator[tuple[str, str]]:
    yield _RESULTS, json.dumps(results, indent=1, sort_keys=True)
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
    return _rendered("report.html.j2", view(results), svg=svg, problem=problem)


def _rendered(template: str, shown: Mapping[str, Any], **more: str) -> str:
    # Not Ansible's engine: what is told here was said by hosts and endpoints.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(view=shown, **more)
