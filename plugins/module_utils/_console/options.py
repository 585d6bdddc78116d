# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to a console. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import visit as console_visit
from .model import Account, Cloud, Console, ConsoleError, ProxySettings, Trust
from .push import SETTLE
from .secrets import blank

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

ARGUMENTS: dict[str, Any] = {
    "console_url": {"type": "str", "required": True},
    "console_username": {"type": "str", "required": True},
    "console_password": {"type": "str", "required": True, "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "fingerprint": {"type": "str"},
    "transport": {"type": "str", "choices": ["browser", "http"], "default": "browser"},
    "labels": {"type": "dict", "default": {}},
    "profile": {"type": "dict"},
    "timeout": {"type": "float", "default": 30},
    "evidence_dir": {"type": "path"},
}
"""The options of every module that operates a console; documented in the fragment sensor_console."""

REQUIRED_IF = [("transport", "http", ["profile"])]


_STARTS = 90.0
"""Seconds for Chromium, which may need a second try to start."""

_SCREENS = 8
"""How many screens or answers of a visit may take all the time that each may take."""


def visit(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> None:
    """Do the module's work at the console in a process of its own, bounded in time, and exit with its result.

    Args:
        module: the module.
        work: returns the module's result; with failed and msg, without the console's address, where it has failed.
    """
    params = module.params
    seconds = _STARTS + _SCREENS * params["timeout"]
    if params.get("cloud_timeout") is not None:
        # Once for the new settings, once for the previous ones.
        seconds += 2 * (SETTLE + params["cloud_delay"] + params["cloud_timeout"])
    secrets = [params[name] for name in ("console_password", "password", "previous_password") if params.get(name)]
    result: dict[str, Any] = _blanked(console_visit.within(seconds, work), secrets)
    for warning in result.pop("warnings", []):
        module.warn(f"{params['console_url']}: {warning}")
    if result.get("failed"):
        module.fail_json(**{**result, "msg": f"{params['console_url']}: {result['msg']}"})
    module.exit_json(**result)


def _blanked(value: Any, secrets: list[str]) -> Any:
    """Return a result without secrets: a console may show them as a setting, in one spelling or another."""
    if isinstance(value, str):
        return blank(value, secrets)
    if isinstance(value, dict):
        return {name: _blanked(member, secrets) for name, member in value.items()}
    return [_blanked(member, secrets) for member in value] if isinstance(value, list) else value


def open_console(params: Mapping[str, Any]) -> Console:
    """Return the console that the options describe, not signed in.

    Raises:
        ConsoleError: an option cannot be used.
    """
    url = checked_url(params["console_url"])
    for name in ("console_username", "console_password"):
        if not params[name]:
            raise ConsoleError(f"{name} is empty; give the name and password of a console user")
    account = Account(params["console_username"], params["console_password"])
    trust = Trust(params["validate_certs"], params["ca_path"], checked_fingerprint(params["fingerprint"]))
    # Only the transport that is used is loaded: a module is compiled anew for every sensor.
    if params["transport"] == "http":
        from .http import profile as http_profile
        from .http import transport as http_transport

        profile = http_profile.load(params["profile"])
        return http_transport.HttpConsole(url, account, trust, profile, params["timeout"])
    from . import labels as console_labels
    from .browser import transport

    labels = console_labels.DOCUMENTED.merge(params["labels"])
    return transport.BrowserConsole(url, account, trust, labels, params["timeout"])


def checked_url(url: str) -> str:
    """Return the console's address without a slash at its end.

    Raises:
        ConsoleError: it is not an address of a console.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username or parts.password:
        raise ConsoleError("console_url must be like https://192.0.2.10 or https://192.0.2.10:8443")
    return url.rstrip("/")


def checked_fingerprint(given: str | None) -> str | None:
    """Return the fingerprint as 64 lower-case hexadecimal digits, or None.

    Raises:
        ConsoleError: it is not one.
    """
    if not given:
        return None
    digits = re.sub(r"[:\s]", "", given).lower()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ConsoleError(
            f"the fingerprint {given!r} is not a SHA-256 fingerprint; give the 64 hexadecimal digits that "
            "'openssl x509 -noout -fingerprint -sha256' prints"
        )
    return digits


def evidence_of(console: Console, params: Mapping[str, Any]) -> Callable[[], str | None]:
    """Return what saves the console's latest screen or answer, where that is asked for, and returns the file's name."""

    def save() -> str | None:
        folder = params["evidence_dir"]
        if not folder:
            return None
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", params["console_url"].removeprefix("https://")).strip("_")
        try:
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            return console.evidence(str(Path(folder) / name))
        except OSError:
            return None

    return save


def settings_result(settings: ProxySettings) -> dict[str, Any]:
    """Return the settings as a module returns them."""
    fields = asdict(settings)
    fields["client_certificate"] = fields.pop("certificate")
    return fields


def verdict(cloud: Cloud | None) -> dict[str, Any] | None:
    """Return the sensor's word on its cloud connection as a module returns it."""
    return None if cloud is None else {"connected": cloud.connected, "issues": list(cloud.issues)}
