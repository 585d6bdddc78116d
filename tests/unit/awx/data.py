# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in the folder awx, its expressions evaluated as Ansible would; and what of the checkout it has to agree with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
_OMIT = object()
_CONTENT = re.compile(r"ot_security\.proxy_chaining\.(\w+)")
_LOOKED_UP = re.compile(r"lookup\('ansible\.builtin\.env', '(\w+)'\)")


class _Unsafe(str):
    """A value that Ansible evaluates never."""


class _Loader(yaml.SafeLoader):
    """Knows !unsafe."""


_Loader.add_constructor("!unsafe", lambda loader, node: _Unsafe(loader.construct_scalar(node)))  # type: ignore[arg-type]


def objects(environment: Mapping[str, str] | None = None, **settings: Any) -> Json:
    """Return the variables of the folder.

    Args:
        environment: what the environment has of whoever applies them.
        settings: values in place of those in settings.yml.
    """
    files = {path.stem: yaml.load(path.read_text(), Loader=_Loader) for path in sorted(ROOT.glob("awx/*.yml"))}
    known: Json = files.pop("settings") | settings
    raw = {name: value for file in files.values() for name, value in file.items()}
    environment = environment or {}
    jinja = NativeEnvironment(undefined=StrictUndefined)
    jinja.globals |= {"omit": _OMIT, "lookup": lambda _plugin, name: environment.get(name, "")}
    # Those with underscores first, which the others refer to.
    for name in sorted(raw, key=lambda name: not name.startswith("__")):
        known[name] = _evaluated(raw[name], jinja, known)
    return {name: value for name, value in known.items() if name.startswith("controller_")}


def _evaluated(value: Any, jinja: NativeEnvironment, known: Json) -> Any:
    if isinstance(value, dict):
        items = ((name, _evaluated(inner, jinja, known)) for name, inner in value.items())
        return {name: inner for name, inner in items if inner is not _OMIT}
    if isinstance(value, list):
        return [_evaluated(inner, jinja, known) for inner in value]
    if isinstance(value, str) and "{{" in value and not isinstance(value, _Unsafe):
        return jinja.from_string(value.strip()).render(known)
    return value


def options() -> Json:
    """Return the options of all roles' argument specifications."""
    specs = [
        yaml.safe_load(path.read_text())["argument_specs"] for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    ]
    return {
        name: option for spec in specs for entry in spec.values() for name, option in entry.get("options", {}).items()
    }


def _includes(task: Json, names: set[str]) -> bool:
    return any(f"ot_security.proxy_chaining.{name}'" in str(task) for name in names)


def plays(playbook: str) -> Iterator[Json]:
    """Yield the plays of a playbook, and of those that it imports."""
    path = ROOT / playbook
    for play in yaml.safe_load(path.read_text()):
        if "ansible.builtin.import_playbook" in play or "import_playbook" in play:
            imported = play.get("import_playbook") or play["ansible.builtin.import_playbook"]
            inner = plays(str((path.parent / imported).relative_to(ROOT)))
            # The check of one group runs nothing of the other's, nor of the proof.
            checked = str(play.get("vars", {}).get("ot_checked", ""))
            others = {"proxies_group": "sensor_proxy", "sensors_group": "squid"}
            left_out = {role for group, role in others.items() if group in checked} | (
                {"chain_verify"} if checked else set()
            )
            yield from (
                {**each, "tasks": [task for task in each.get("tasks", []) if not _includes(task, left_out)]}
                for each in inner
            )
        else:
            yield play


def roles(playbook: str) -> set[str]:
    """Return the roles that a playbook, or a role of it, includes."""
    text, found = yaml.safe_dump(list(plays(playbook))), set[str]()
    while new := {name for name in _CONTENT.findall(text) if (ROOT / "roles" / name).is_dir()} - found:
        found |= new
        text = "".join(path.read_text() for name in new for path in ROOT.glob(f"roles/{name}/tasks/**/*.yml"))
    return found


def looked_up(text: str) -> set[str]:
    """Return the environment variables that a text looks up, but the working directory, which is no secret."""
    return set(_LOOKED_UP.findall(text)) - {"PWD"}


def looked_up_by(names: set[str]) -> set[str]:
    """Return the environment variables that roles look up."""
    return looked_up("".join(path.read_text() for name in names for path in ROOT.glob(f"roles/{name}/**/*.yml")))
