# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host has of Squid and of the role squid, found in one look that changes nothing.

Private to this collection.
"""

from __future__ import annotations

import errno
import grp
import hashlib
import pwd
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .._probe.connect import Listener
from .host import Runner

_PACKAGES = ("squid", "squid-openssl", "python3-apt")
_SETTING = re.compile(r'^(\w+)="?(.*?)"?$', re.MULTILINE)


def release(os_release: str) -> str:
    """Return distribution and release as the role's documentation names them, from the text of /etc/os-release (os-release(5))."""
    values = dict(_SETTING.findall(os_release))
    # Debian's testing has no number yet.
    return f"{values.get('ID', 'Linux').capitalize()} {values.get('VERSION_ID') or values.get('VERSION_CODENAME', '')}".strip()


def packages(run: Runner) -> list[str]:
    """Return those of the packages that matter which are installed."""
    _code, out, _err = run(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *_PACKAGES])
    return [line.split()[0] for line in out.splitlines() if line.endswith(" installed")]


def diversions(run: Runner) -> list[str]:
    """Return the paths that dpkg was told to leave alone."""
    _code, out, _err = run(["dpkg-divert", "--list", "*/squid*"])
    return re.findall(r"diversion of (\S+) to ", out)


def is_enabled(run: Runner, service: str = "squid") -> bool:
    """Whether a service starts by itself after a reboot."""
    return run(["systemctl", "is-enabled", service])[1].strip() == "enabled"


def is_active(run: Runner, service: str) -> bool:
    """Whether a service runs."""
    return run(["systemctl", "is-active", service])[1].strip() == "active"


def has_ufw_rules(rules: Iterable[str] = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")) -> bool:
    """Whether ufw has rules with the role's mark; it writes a rule's comment as hexadecimal digits."""
    mark = f"comment={b'ot_proxy'.hex()}"
    return any(mark in path.read_text(encoding="utf-8") for path in map(Path, rules) if path.is_file())


def has_apparmor_rules(rules: str = "/etc/apparmor.d/local/usr.sbin.squid") -> bool:
    """Whether AppArmor's profile of Squid has the role's lines."""
    path = Path(rules)
    return path.is_file() and "# BEGIN ot_security.proxy_chaining\n" in path.read_text(
        encoding="utf-8", errors="replace"
    )


def files(paths: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return mode, owner, group and hash of those files that exist."""
    return {path: _file(Path(path)) for path in paths if Path(path).is_file()}


def _file(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {
        "mode": f"{status.st_mode & 0o7777:04o}",
        "owner": _name(pwd.getpwuid, status.st_uid),
        "group": _name(grp.getgrgid, status.st_gid),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _name(look_up: Any, number: int) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def is_here(listener: Listener) -> bool:
    """Whether this host still has a listener's address; Squid ends when it cannot bind one (measured)."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in listener.address else socket.AF_INET) as probe:
            probe.bind((listener.address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True
