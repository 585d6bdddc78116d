# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups that the inventory lacks: a play whose group is misspelt has no host, and ends well. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

_LOOKS_LIKE = 0.8
"""From here on one name is taken for another's misspelling; sensors and servers are at 0.71."""

_PLURAL = re.compile("(ies|y|s)$")

_MOST = 8
"""So many names stand in one sentence."""


def mistakes(groups: Mapping[str, Sequence[str]], named: Mapping[str, str], about: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each group that is not there, and for each that has no host where the run is about no other.

    Args:
        groups: the hosts of each group of the inventory.
        named: which group each variable names; the first one is that of the proxies, without which there is no chain.
        about: the groups that the run is about. One of the others may be missing, unless its name looks misspelt.
    """
    proxies, *_others = named.values()
    must_have_a_host = {proxies, *(about if len(about) == 1 else ())}
    if groups.get("all") == []:
        yield "the inventory has no host at all; where Ansible warned above that it could not parse it, mend that first."
    for variable, group in named.items():
        if group in groups:
            if group in must_have_a_host and not groups[group]:
                yield f"the inventory's group '{group}' has no host; put the {_kind(variable)} there."
        elif close := [name for name in groups if _alike(name, group) >= _LOOKS_LIKE]:
            yield f"the inventory has no group '{group}', which {variable} names, but {_some(close)}; rename one of the two."
        elif group in must_have_a_host or group in about or group != _kind(variable):
            others = [name for name in groups if name not in ("all", "ungrouped")]
            yield (
                f"the inventory has no group '{group}', which {variable} names; its groups are {_some(others) or 'none'}. Put the "
                f"{_kind(variable)} into '{group}' (leave it empty while there are none), or name another group in that variable."
            )
    for group in about:
        if group not in named.values():
            yield (
                f"the playbook looks for its hosts in the group '{group}', and the inventory's variables name another one; give the "
                "topology_*_group with -e, since a variable of a host is not known yet where a play looks for its hosts."
            )


def _kind(variable: str) -> str:
    return variable.removeprefix("topology_").removesuffix("_group")


def _alike(one: str, other: str) -> float:
    # The singular is a slip as well; proxy and proxies are at 0.67.
    if _PLURAL.sub("", one.casefold()) == _PLURAL.sub("", other.casefold()):
        return 1
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(f"'{name}'" for name in names[:_MOST]) + more
