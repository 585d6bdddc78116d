"""The stand-in's four consoles: what their screens are called. The labels are the documented ones; all else is invented.

Which dialect (routes, field names, form of the data) belongs to a generation is invented: see dialect_*.py.
"""

from __future__ import annotations

from typing import Any

_FIELDS = {
    "enabled": "Enable Proxy",
    "host": "Proxy Host",
    "port": "Proxy Port",
    "username": "Proxy Username",
    "password": "Proxy Password",
    "certificate": "Client certificate",
}

SCREENS: dict[str, dict[str, Any]] = {
    "10": {"version": None, "labels": _FIELDS},
    "22": {
        "version": "22.3.4",
        "labels": _FIELDS | {"username": "Proxy Username (Optional)", "password": "Proxy Password (Optional)"},
    },
    "23": {"version": "25.2.2", "labels": _FIELDS},
    "wizard": {
        "version": None,
        "labels": _FIELDS | {"enabled": "Enable proxy for cloud connectivity (Optional)"},
    },
}
"""By generation: the software's version where the console shows it, and the labels of the settings screen."""


def labels(generation: str, hidden: bool) -> dict[str, str]:
    """Return the labels of the settings screen, or labels that nobody expects."""
    known: dict[str, str] = SCREENS[generation]["labels"]
    return {name: f"Setting {number}" for number, name in enumerate(known, 1)} if hidden else known
