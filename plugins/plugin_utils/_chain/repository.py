# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the repository says, against what the run was given: AWX keeps what was added to an inventory by hand.

Private to this collection. What AWX 24.6.1 does when it reads an inventory anew, in awx/main/management/commands/inventory_import.py: only
what came from the same source is removed (line 320), and variables of the whole inventory are merged, never removed (line 458). A host
that is switched off, or in another slice, is not given to a job (awx/main/models/inventory.py, line 301).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Listed = Mapping[str, Any]

_OF_AWX = re.compile(r"remote_(tower|host)_(enabled|id)")
"""Variables that AWX gives each host (awx/main/models/inventory.py, line 376)."""


def mistakes(path: str, sources: Iterable[str]) -> list[str]:
    """Return a sentence for each difference; empty where the run was given what the repository says.

    Args:
        path: the repository's inventory, a file or a folder.
        sources: the inventories that the run was given.
    """
    if not Path(path).exists():
        return [f"topology_repository {path!r} is not in {Path.cwd()}, where the repository should be; correct it."]
    try:
        return list(differences(listed([path]), listed(sources), path))
    except ValueError as error:
        return [f"topology_repository {path!r} could not be compared with what this run was given: {error}."]


def listed(sources: Iterable[str]) -> Listed:
    """Return what ``ansible-inventory`` lists, as AWX reads it; what is encrypted stays so.

    Raises:
        ValueError: it could not be read.
    """
    options = [option for source in sources for option in ("-i", source)]
    done = subprocess.run(  # noqa: S603 - the program is our own, and no shell reads the paths
        [sys.executable, "-m", "ansible", "inventory", "--list", "--export", *options],
        env={**os.environ, "ANSIBLE_DEPRECATION_WARNINGS": "false", "ANSIBLE_NOCOLOR": "true"},
        # ansible-runner's own is one that Ansible refuses (measured).
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: Listed = json.loads(done.stdout)
    except ValueError:
        said = next((line for line in done.stderr.splitlines() if "ERROR" in line), "ansible-inventory gave no answer")
        raise ValueError(said.strip().rstrip(".")) from None
    return found


def differences(repository: Listed, given: Listed, path: str) -> Iterator[str]:
    """Yield a sentence for each difference, which shows no value.

    Args:
        repository: what is listed of the repository's inventory.
        given: what is listed of what the run was given.
        path: the repository's inventory, for the sentences.
    """
    wanted, hosts = _hosts(repository), _hosts(given)
    for host in sorted(hosts - wanted):
        yield f"{host}: this run was given it, and {path} does not have it; take it out of AWX's inventory, or add it there."
    for host in sorted(wanted - hosts):
        yield f"{host}: {path} has it, and this run was not given it; in AWX, switch it on, and use no slices."
    groups = (repository.keys() | given.keys()) - {"_meta", "all", "ungrouped"}
    for group in sorted(groups):
        mine, theirs = _members(repository, group), _members(given, group)
        for host in sorted((mine ^ theirs) & wanted & hosts):
            yield f"{host}: it is {'' if host in theirs else 'not '}in the group {group}, other than in {path}; {_MEND}."
    for group in ["all", *sorted(groups)]:
        name = "all hosts" if group == "all" else f"the group {group}"
        yield from _of_variables(name, _variables(repository, group), _variables(given, group), path)
    for host in sorted(wanted & hosts):
        yield from _of_variables(host, _of_host(repository, host), _of_host(given, host), path)


_MEND = "put it right in AWX's inventory, which keeps what was typed there, and read the source anew"


def _of_variables(name: str, mine: Mapping[str, Any], theirs: Mapping[str, Any], path: str) -> Iterator[str]:
    for variable in sorted(mine.keys() | theirs.keys()):
        if variable not in mine:
            if not _OF_AWX.fullmatch(variable):
                yield f"{name}: {variable} is set in what this run was given, and not in {path}; {_MEND}."
        elif variable not in theirs:
            yield f"{name}: {variable} is set in {path}, and not in what this run was given; {_MEND}."
        elif mine[variable] != theirs[variable]:
            yield f"{name}: {variable} is another one in {path} than in what this run was given; {_MEND}."


def _hosts(inventory: Listed) -> set[str]:
    groups = (group for name, group in inventory.items() if name != "_meta")
    return {*inventory["_meta"]["hostvars"]}.union(*(group.get("hosts", ()) for group in groups))


def _members(inventory: Listed, group: str) -> set[str]:
    entry = inventory.get(group, {})
    return {*entry.get("hosts", ())}.union(*(_members(inventory, child) for child in entry.get("children", ())))


def _variables(inventory: Listed, group: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = inventory.get(group, {}).get("vars", {})
    return found


def _of_host(inventory: Listed, host: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = inventory["_meta"]["hostvars"].get(host, {})
    return found
