# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles' variables: what each is by the argument specification, and its value as that type.

Private to this collection. An INI inventory, a survey and ``-e name=value`` give text where a number is meant.
"""

from __future__ import annotations

import functools
import json
import math
import re
from ast import literal_eval
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.common.yaml import yaml_load
from ansible.module_utils.parsing.convert_bool import BOOLEANS_FALSE, BOOLEANS_TRUE, boolean

ROLES = ("squid", "proxy_vip", "sensor_proxy", "chain_verify", "chain_watch", "topology", "azure_proxy", "multicloud")

_FOLDER = Path(__file__).parents[3] / "roles"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST = 4096
"""Characters of one text; a path on Linux has no more."""

Option = Mapping[str, Any]
"""One variable, as argument_specs.yml declares it."""


@functools.cache
def options(role: str) -> dict[str, Option]:
    """Return the variables of a role."""
    text = (_FOLDER / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    found: dict[str, Option] = yaml_load(text)["argument_specs"]["main"]["options"]
    return found


def is_secret(option: Option) -> bool:
    """Say whether a value may be, or hold, a secret."""
    return bool(option.get("no_log")) or option.get("elements") == "raw"


def convert(variable: str, option: Option, value: object) -> Any:
    """Return the value as the type that the option declares.

    Raises:
        ValueError: what is wrong with it, such as "is not a whole number".
    """
    if variable.endswith("_port"):
        return _port(option, value)
    typed = _CONVERTERS[option["type"]](option, value)
    if isinstance(typed, int | float) and typed < 0:
        raise ValueError("is negative")
    if "choices" in option and typed not in option["choices"]:
        raise ValueError(f"is none of {', '.join(map(str, option['choices']))}")
    return typed


def _port(option: Option, value: object) -> int:
    with suppress(ValueError):
        port = _int(option, value)
        # A listener that there may be none of has the port 0.
        if 1 <= port <= 65535 or port == option["default"]:
            return port
    raise ValueError("is not a port; give a number from 1 to 65535")


def _bool(_option: Option, value: object) -> bool:
    if isinstance(value, bool | int | float) or _is_text(value):
        try:
            return bool(boolean(value))
        except TypeError:
            pass
    raise ValueError("is neither true nor false")


def _int(_option: Option, value: object) -> int:
    # For Python, True is a number.
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if _is_text(value) and re.fullmatch("-?[0-9]+", str(value)):
        return int(str(value))
    raise ValueError("is not a whole number")


def _float(_option: Option, value: object) -> float:
    if (isinstance(value, int | float) and not isinstance(value, bool)) or _is_text(value):
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise ValueError("is not a number")


def _str(option: Option, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        # YAML reads a word like off, which is a choice, as false.
        words = BOOLEANS_TRUE if value else BOOLEANS_FALSE
        return next((choice for choice in option.get("choices", ()) if choice in words), str(value))
    if isinstance(value, list | tuple | set | Mapping):
        raise ValueError("is not text")
    text = str(value)
    if not option.get("no_log") and _CONTROL.search(text):
        raise ValueError("has a line break or another control character; take it out")
    if len(text) > _LONGEST:
        raise ValueError(f"has {len(text)} characters; {_LONGEST} are the most")
    return text


def _list(option: Option, value: object) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list | tuple):
        entries = list(value)
    elif isinstance(value, bool | set | Mapping):
        raise ValueError("is not a list")
    else:
        entries = _entries(str(value))
    return entries if option["elements"] == "raw" else [_entry(option, entry) for entry in entries]


def _entries(text: str) -> list[Any]:
    """Read what is a list in JSON or Python, or separated by commas."""
    if not text.lstrip().startswith("["):
        return [entry for part in text.split(",") if (entry := part.strip(" "))]
    for read in (json.loads, literal_eval):
        try:
            found = read(text.strip())
        except (ValueError, SyntaxError):
            continue
        if isinstance(found, list):
            return found
    raise ValueError("is not a list")


def _entry(option: Option, value: object) -> str:
    try:
        return _str({}, value)
    except ValueError as error:
        raise ValueError(f"has an entry that {error}") from error


def _dict(_option: Option, value: object) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    if isinstance(value, Mapping) or _is_text(value):
        try:
            return dict(check_type_dict(value if isinstance(value, Mapping) else str(value)))
        except TypeError:
            pass
    raise ValueError("is not a mapping")


def _is_text(value: object) -> bool:
    """Say so of what is vaulted too, which for older ansible-cores is a class of its own."""
    return not isinstance(value, bool | int | float | list | tuple | set | Mapping) and value is not None


_CONVERTERS: dict[str, Callable[[Option, object], Any]] = {
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": _str,
    "path": _str,
    "list": _list,
    "dict": _dict,
}
