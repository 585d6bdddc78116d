# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges the fields of recorded requests: which mean the same, which are a sensor's own. Private to this collection."""

from __future__ import annotations

import math
import re

from ..http.template import truth
from ..http.tree import MISSING, UNCHECKED, Nothing, Tree, find, keys_of, nodes, pointer, text_of

HINTS = {
    "enabled": r"enabl|active|\buse|use_?proxy|toggle|proxy_?on",
    "host": r"host|addr|server|ip$|name$|url",
    "port": r"port",
    "username": r"user|login|account",
    "password": r"pass|pwd|secret",
    "certificate": r"cert|file",
}
"""What the names of fields that mean a setting tend to hold."""

_OWN = re.compile(
    r"host|name|addr|ip|dns|gateway|route|mask|mac|uuid|guid|serial|domain|site|zone|ntp|url|mail|user|"
    r"interface|nic|dev|vlan|label|descr|location|sensor|tenant|token|key|secret|pass|(^|[^a-z])id$|[a-z]Id$",
    re.IGNORECASE,
)
_WORD = re.compile(r"/?[A-Za-z]+(?:[/_-][A-Za-z]+)*/?")
_TOKEN = re.compile(r"(?=.*[0-9A-Z_-])[\x21-\x7e]{8,}")


def is_own(place: str, value: Tree) -> bool:
    """Say whether a value might be one sensor's own (an address, a name, an identifier) rather than a plain constant."""
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return False
    keys = keys_of(place)
    name = next((key for key in reversed(keys) if not key.isdigit()), "")
    if isinstance(value, (int, float)):
        return abs(value) > 9999 or math.isnan(value) or bool(_OWN.search(name))
    text = text_of(value)
    if re.fullmatch(r"[0-9]{1,4}", text):
        return bool(_OWN.search(name))
    return len(text) > 32 or not _WORD.fullmatch(text) or bool(_OWN.search(name))


def is_distinctive(value: Tree) -> bool:
    """Say whether a value tells by itself where it comes from."""
    text = text_of(value)
    return len(text) > 3 and truth(value) is None and (not text.isdigit() or len(text) > 5)


def is_token(value: str) -> bool:
    """Say whether a text may be a token: long enough and not just a word."""
    return bool(_TOKEN.fullmatch(value))


def hint(setting: str, place: str) -> int:
    """Return how much a field's name speaks for a setting of the proxy."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", "/".join(keys_of(place)))
    last = name.rpartition("/")[2]
    points = 3 if re.search(HINTS[setting], last, re.IGNORECASE) else 0
    return points + (2 if re.search(r"proxy", name, re.IGNORECASE) else 0)


def same_value(one: Tree, other: Tree) -> bool:
    """Say whether two values are one, as a form would send them; "on" and true are."""
    if isinstance(one, (dict, list)) or isinstance(other, (dict, list)):
        return type(one) is type(other) and bool(one == other)
    if isinstance(one, Nothing) or isinstance(other, Nothing):
        return one is other
    if text_of(one) == text_of(other):
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return truth(one) is not None and truth(one) == truth(other)
    return False


def likeness(one: str, other: str) -> int:
    """Return how much of their ends two places share, whatever their style: 0, or the length of the common words.

    /proxyHost, /proxy/host and /data/proxy_host are all alike.
    """
    shared = _endings(one) & _endings(other)
    return max((len(ending) for ending in shared), default=0)


def _endings(place: str) -> set[str]:
    keys = [re.sub(r"[^a-z0-9]", "", key.lower()) for key in keys_of(place)]
    return {ending for start in range(len(keys)) if not (ending := "".join(keys[start:])).isdigit()} - {""}


class Counterpart:
    """Finds in the answer of the read what a field of the save stands for."""

    def __init__(self, tree: Tree, save_anchor: str, read_anchor: str) -> None:
        """Take the tree, and the places of the proxy's host in the save and in the tree: they show how both relate."""
        self._tree = tree
        self._nodes = nodes(tree)
        here, there = keys_of(save_anchor), keys_of(read_anchor)
        while here and there and here[-1] == there[-1]:
            here.pop()
            there.pop()
        self._cut, self._root = here, there

    def mapped(self, place: str) -> str | None:
        """Return the place of the same name, where there is one: the two trees are then laid out alike."""
        keys = keys_of(place)
        if keys[: len(self._cut)] == self._cut:
            there = pointer([*self._root, *keys[len(self._cut) :]])
            if find(self._tree, there) is not MISSING:
                return there
        return None

    def like(self, place: str, value: Tree) -> str | None:
        """Return the one place whose name is most alike and that holds this value."""
        return self._best([(likeness(place, where), where) for where, node in self._nodes if same_value(node, value)])

    def alike(self, place: str) -> str | None:
        """Return the one place whose name is most alike, whatever its value."""
        return self._best(
            [(likeness(place, where), where) for where, node in self._nodes if not isinstance(node, dict)]
        )

    def holding(self, value: Tree) -> list[str]:
        """Return every place with this value."""
        return [where for where, node in self._nodes if same_value(node, value)]

    @staticmethod
    def _best(scored: list[tuple[int, str]]) -> str | None:
        top = max((score for score, _where in scored), default=0)
        best = [where for score, where in scored if score == top]
        return best[0] if top and len(best) == 1 else None


def conversion(recorded: Tree, found: Tree, form: bool) -> str:
    """Return the type that turns a value of the read into what the save sent, "" for none, with its leading bar."""
    if isinstance(recorded, (dict, list)):
        return ""
    if found is UNCHECKED or (form and text_of(recorded) == text_of(found)):
        return ""
    if isinstance(recorded, str) and isinstance(found, bool):
        return on_off(recorded, form)
    if isinstance(recorded, bool):
        return "" if isinstance(found, bool) else "|boolean"
    if isinstance(recorded, int):
        return "" if isinstance(found, int) and not isinstance(found, bool) else "|integer"
    if isinstance(recorded, str):
        return "" if isinstance(found, str) or found is None else "|text"
    return ""


_WORDS_ON_OFF = (
    "true/false",
    "on/off",
    "yes/no",
    "1/0",
    "enabled/disabled",
    "enable/disable",
    "True/False",
    "Yes/No",
    "ON/OFF",
)


def on_off(recorded: str, form: bool) -> str:
    """Return the type for a switch that was sent as this text, with its leading bar."""
    if form and recorded in ("on", "checked"):
        return f"|checkbox={recorded}"
    pair = next((pair for pair in _WORDS_ON_OFF if recorded in pair.split("/")), "true/false")
    return f"|choice={pair}"
