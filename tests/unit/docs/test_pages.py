# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pages name exists: files, headings, playbooks, variables, and the sentences of alarms."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import pages

ROOT = pages.ROOT
PAGES = pytest.mark.parametrize("page", pages.pages(), ids=pages.name)
COLLECTION = "ot_security.proxy_chaining"
LONGEST = 80
"""Lines of a page on a task."""

_REPOSITORY = re.compile(r"https://github\.com/ot-security/ansible-proxy-chaining/(?:blob|tree)/main/")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*_[a-z0-9_]*\*?")
_SENTENCE = re.compile(r"\.\.\.")
_SHORTEST = 8
"""Characters from which on a piece of a sentence says something."""


class _Loader(yaml.SafeLoader):
    """Reads Ansible's own tags as what they wrap."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))  # type: ignore[arg-type]


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


@PAGES
def test_links_lead_somewhere(page: Path) -> None:
    for link in pages.links(page):
        target, _sign, anchor = link.partition("#")
        if _REPOSITORY.match(target):
            there = ROOT / _REPOSITORY.sub("", target)
        elif re.match(r"\w+:", target):
            continue
        else:
            there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{pages.name(page)}: {link} leads nowhere"
        assert ROOT in [there, *there.parents], f"{pages.name(page)}: {link} leads out of the repository"
        if anchor:
            assert anchor in pages.anchors(there), f"{pages.name(page)}: {link} has no such heading"


@PAGES
def test_playbooks_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(rf"(?:ansible-playbook [^\n`]*|^\| `){COLLECTION}\.(\w+)", text, re.MULTILINE))
    named |= set(re.findall(r"(?<![\w/])playbooks/(\w+)\.yml", text))
    missing = {playbook for playbook in named if not (ROOT / f"playbooks/{playbook}.yml").exists()}
    assert not missing, f"{pages.name(page)}: there is no playbook {', '.join(sorted(missing))}"


@PAGES
def test_names_of_the_collection_exist(page: Path) -> None:
    known = _plugins() | {path.stem for path in (ROOT / "playbooks").glob("*.yml")} | {path.name for path in _roles()}
    named = set(re.findall(rf"{COLLECTION.replace('.', '[.]')}\.(\w+)", page.read_text(encoding="utf-8")))
    assert named <= known, f"{pages.name(page)}: {', '.join(sorted(named - known))} is nothing of this collection"


@PAGES
def test_what_a_page_enters_a_role_by_is_specified(page: Path) -> None:
    for role, entry in re.findall(
        rf"name: {COLLECTION.replace('.', '[.]')}[.](\w+)\n +tasks_from: (\w+)", page.read_text(encoding="utf-8")
    ):
        assert entry in _yaml(ROOT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"], f"{role}: {entry}"


@PAGES
def test_variables_exist(page: Path) -> None:
    """Each that begins with a role's name: in a role's specification, read by the topology, or set by a role or a playbook."""
    prefixes = tuple(f"{role.name}_" for role in _roles())
    known = _variables() | _plugins()
    missing = set()
    for span in pages.code(page):
        # The sentences about a misspelt one.
        said = re.sub(r"\w+ is no variable of this collection", "", span)
        for word in re.findall(r"(?<![\w.@:-])[\w.*]+", said):
            # A key or a method may follow: squid_parents.tls_ca.
            match = _IDENTIFIER.fullmatch(word.split(".")[0])
            if not match or not word.startswith(prefixes):
                continue
            stem = match[0].removesuffix("*")
            if match[0] not in known and not (match[0] != stem and any(name.startswith(stem) for name in known)):
                missing.add(word)
    assert not missing, f"{pages.name(page)}: there is no variable {', '.join(sorted(missing))}"


def test_sentences_of_alarms_are_the_real_ones() -> None:
    """Piece by piece between the dots, in the content's own text."""
    said = _said()
    spans = pages.code(ROOT / "docs/tasks/alarms.md")
    quoted = [span for span in spans if " " in span and not re.match(r"\w+_\w+: |ss |journalctl ", span)]
    assert len(quoted) > 30
    for span in quoted:
        pieces = [piece for piece in map(str.strip, _SENTENCE.split(span)) if len(piece) >= _SHORTEST]
        for piece in pieces or [span]:
            assert piece.strip("(). ") in said, f"nothing says {piece!r}"


def test_pages_on_tasks_are_short() -> None:
    for page in (ROOT / "docs/tasks").glob("*.md"):
        lines = len(page.read_text(encoding="utf-8").splitlines())
        assert lines < LONGEST, f"{pages.name(page)} has {lines} lines"


def test_every_page_is_linked() -> None:
    """From the README or from a page that is; what nobody finds, nobody reads."""
    seen, rest = set(), [ROOT / "README.md"]
    while rest:
        page = rest.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        rest += [(page.parent / link.partition("#")[0]).resolve() for link in pages.links(page) if ":" not in link]
    lost = {pages.name(page) for page in set(pages.pages()) - seen}
    assert not lost, f"no page leads to {', '.join(sorted(lost))}"


def _roles() -> list[Path]:
    return [path.parents[1] for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")]


@functools.cache
def _plugins() -> set[str]:
    return {path.stem for path in (ROOT / "plugins").glob("[mf][oi][dl]*/[a-z]*.py")}


@functools.cache
def _variables() -> set[str]:
    found: set[str] = set()
    for role in _roles():
        for spec in _yaml(role / "meta/argument_specs.yml")["argument_specs"].values():
            found |= set(spec.get("options", {}))
    for path in [*(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "playbooks").glob("*.yml")]:
        found |= set(_set_in(_yaml(path)))
        # What a playbook reads before it reads the inventory.
        found |= set(re.findall(r"\b(\w+) \| default\(", path.read_text(encoding="utf-8")))
    for path in [*(ROOT / "plugins/plugin_utils").rglob("*.py"), *(ROOT / "plugins/action").glob("*.py")]:
        found |= set(re.findall(r'"((?:squid|sensor_proxy|chain_verify)_\w+)"', path.read_text(encoding="utf-8")))
    return found


def _set_in(content: Any) -> Iterator[str]:
    if isinstance(content, list):
        for item in content:
            yield from _set_in(item)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key == "register":
                yield value
            elif key == "ansible.builtin.set_fact":
                yield from value
            elif key == "ansible.builtin.set_stats":
                yield from value["data"]
            else:
                yield from _set_in(value)


@functools.cache
def _said() -> str:
    """The content's own text and what tests heard it say, with each sentence in one piece."""
    files = [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").glob("*.yml")]
    files += (ROOT / "tests/unit/plugins").rglob("test_*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return re.sub(r"\s+", " ", re.sub(r"\"\s*\n\s*f?\"", "", text))


def test_the_changelog_has_no_markup_of_modules() -> None:
    """It is reStructuredText, which shows C(name) as it is."""
    for fragment in (ROOT / "changelogs/fragments").glob("*.yml"):
        found = re.findall(r"\b[A-Z]\([^)]*\)", fragment.read_text(encoding="utf-8"))
        assert not found, f"{fragment.name}: write ``name`` instead of {found[0]}"
