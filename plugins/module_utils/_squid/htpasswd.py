# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The password file of Squid's basic_ncsa_auth: salted hashes that change only when a password does.

Private to this collection. Python 3.13 has no crypt module, so the system's libcrypt is called, which is
also what basic_ncsa_auth itself verifies with.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hmac
import secrets
from collections.abc import Callable, Collection, Mapping

_METHOD = "$6$"
"""SHA-512, 5,000 rounds: what every libcrypt of the supported systems knows."""

_SALT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Crypt = Callable[[str, str], str]


def libcrypt(password: str, setting: str) -> str:
    """Hash a password with crypt(3).

    Raises:
        OSError: the system has no libcrypt, or it does not know the setting.
    """
    library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1", use_errno=True)
    library.crypt.restype = ctypes.c_char_p
    library.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    hashed = library.crypt(password.encode(), setting.encode())
    if hashed is None or hashed.startswith(b"*"):
        raise OSError(ctypes.get_errno(), "crypt(3) refused to hash")
    return str(hashed.decode())


def merge(current: str, users: Mapping[str, str], crypt: Crypt = libcrypt, *, kept: Collection[str] = ()) -> str:
    """Return the file's new text: the given users, and those kept as they are; a hash that still fits stays."""
    hashes = _hashes(current)
    lines = [f"{name}:{known}\n" for name, known in hashes.items() if name in kept and name not in users]
    for name, password in sorted(users.items()):
        known = hashes.get(name)
        if known is None or not _fits(password, known, crypt):
            known = crypt(password, _METHOD + "".join(secrets.choice(_SALT) for dummy in range(16)))
        lines.append(f"{name}:{known}\n")
    return "".join(sorted(lines))


def replaces(current: str, new: str, users: Collection[str]) -> bool:
    """Whether one of these users, who is in both texts, has another password in the new one."""
    before, after = _hashes(current), _hashes(new)
    return any(after.get(name, known) != known for name, known in before.items() if name in users)


def _hashes(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _fits(password: str, known: str, crypt: Crypt) -> bool:
    try:
        # An older method may look at the first eight characters only.
        return known.startswith(_METHOD) and hmac.compare_digest(crypt(password, known), known)
    except OSError:
        return False
