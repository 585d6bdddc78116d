# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The labels by which a person finds the proxy settings on a sensor's console.

Private to this collection. Source: the vendor's documentation and its screenshots, editions 2021 (10.x) to 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from .model import CONNECTED, ISSUES, UnexpectedError

Texts = tuple[str, ...]
Paths = tuple[Texts, ...]


@dataclass(frozen=True)
class Labels:
    """Every text that is looked for. Several texts for one thing are alternatives."""

    sign_in_username: Texts
    sign_in_password: Texts
    sign_in_button: Texts
    enable: Texts
    host: Texts
    port: Texts
    username: Texts
    password: Texts
    certificate: Texts
    save: Texts
    connected: Texts
    issues: Texts
    settings_paths: Paths
    """What is clicked to come to the settings, the likeliest first."""
    cloud_paths: Paths
    """What is clicked to come to the sensor's word on its cloud connection."""

    def merge(self, overrides: Mapping[str, Any]) -> Labels:
        """Return these labels with some of them replaced.

        Args:
            overrides: for each key a text or a list of texts; for the paths a list of lists of texts.

        Raises:
            UnexpectedError: a key or a value is not one.
        """
        found: dict[str, Any] = {}
        for key, value in overrides.items():
            if key not in {field.name for field in fields(self)}:
                known = ", ".join(field.name for field in fields(self))
                raise UnexpectedError(f"labels has the unknown key {key!r}; known are {known}")
            found[key] = _paths(key, value) if key.endswith("_paths") else _texts(key, value)
        return replace(self, **found)


def _texts(key: str, value: object) -> Texts:
    texts = [value] if isinstance(value, str) else value
    if (
        not isinstance(texts, Sequence)
        or not texts
        or not all(isinstance(text, str) and text.strip() for text in texts)
    ):
        raise UnexpectedError(f"labels.{key} is {value!r}; give a text, or a list of texts")
    return tuple(texts)


def _paths(key: str, value: object) -> Paths:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise UnexpectedError(f"labels.{key} is {value!r}; give a list of lists of texts")
    return tuple(_texts(key, path) for path in value)


def pattern(texts: Texts) -> re.Pattern[str]:
    """Return what matches any of the texts as a whole, whatever their case, white space and marks like ``:`` or ``(Optional)``."""
    words = ["\\s+".join(map(re.escape, text.split())) for text in texts]
    return re.compile(rf"^\s*(?:{'|'.join(words)})\s*(?:\(optional\))?\s*[:*]*\s*$", re.IGNORECASE)


DOCUMENTED = Labels(
    sign_in_username=("Username", "User name", "User"),
    sign_in_password=("Password",),
    sign_in_button=("Login", "Log in", "Sign in"),
    enable=("Enable Proxy", "Enable proxy for cloud connectivity"),
    host=("Proxy Host",),
    port=("Proxy Port",),
    username=("Proxy Username",),
    password=("Proxy Password",),
    certificate=("Client certificate",),
    save=("Save",),
    connected=(CONNECTED,),
    issues=ISSUES,
    settings_paths=(
        ("System settings", "Basic", "Sensor network settings"),
        ("Management interface",),
        ("System settings", "Network"),
    ),
    cloud_paths=(
        ("System settings", "Sensor management", "Health and troubleshooting", "Cloud connectivity troubleshooting"),
    ),
)
"""The documented generations: 23.1 and later and 22.x, the first-run wizard, 10.x."""
