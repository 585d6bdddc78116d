# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology of a run, kept in a file of the controller: as a task's result it would be copied for every host and every task.

Private to this collection. At 10,000 sensors those copies cost more than deriving it does (`make bench`, part b).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from ansible import constants
from ansible.errors import AnsibleError

from .model import Graph

RESULT = "topology_result"
"""The fact in which the role topology keeps what its module returned."""


def keep(graph: Mapping[str, Any]) -> str:
    """Write the topology into the folder that this run of Ansible has for itself and removes at its end; return the file's path."""
    with tempfile.NamedTemporaryFile(
        "w", dir=constants.DEFAULT_LOCAL_TMP, prefix="topology-", delete=False, encoding="utf-8"
    ) as file:
        # A line for each host, so that one of them is found without reading the others. Sensors are the last, and the most.
        file.write(json.dumps({**graph, "proxies": {}, "sensors": {}}) + "\n")
        many: tuple[tuple[str, Mapping[str, Any]], ...] = ("proxies", graph["proxies"]), ("sensors", graph["sensors"])
        for kind, entries in many:
            file.writelines(json.dumps([kind, name, entry]) + "\n" for name, entry in entries.items())
    return file.name


def read(result: Mapping[str, Any], *, sensors: bool = True) -> Graph:
    """Return the topology that the module topology kept.

    Args:
        result: what that module returned.
        sensors: whether its ``sensors`` are wanted, which are nearly all that there is to read.

    Raises:
        AnsibleError: it is of another run, or no such result.
    """
    with _opened(result) as file:
        graph: dict[str, Any] = json.loads(next(file))
        for line in file:
            kind, name, entry = json.loads(line)
            if kind == "sensors" and not sensors:
                break
            graph[kind][name] = entry
    return cast(Graph, graph)


def entry_of(result: Mapping[str, Any], kind: str, name: str) -> dict[str, Any] | None:
    """Return the entry of one proxy or sensor, or None if there is no such one; with many of them, sooner than read does.

    Args:
        result: what the module topology returned.
        kind: ``proxies`` or ``sensors``.
        name: of the host.

    Raises:
        AnsibleError: it is of another run, or no such result.
    """
    begin = _begin(kind, name)
    with _opened(result) as file:
        return next((json.loads(line)[2] for line in file if line.startswith(begin)), None)


def _begin(kind: str, name: str) -> str:
    return f"{json.dumps([kind, name])[:-1]}, "


def path_of(result: Mapping[str, Any]) -> Path:
    """Return the file, which was written when the run derived its topology."""
    return Path(str(result["file"]))


@contextmanager
def _opened(result: Mapping[str, Any]) -> Iterator[TextIO]:
    try:
        with path_of(result).open(encoding="utf-8") as file:
            yield file
    except (OSError, KeyError, TypeError):
        raise AnsibleError(
            f"{result!r} is not what the module topology returned in this run; run the role topology first."
        ) from None
