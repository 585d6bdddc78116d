# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds and blanks secrets in whatever spelling they come. Private to this collection."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

BLANK = "********"
"""What stands where a secret was."""

_LEAST = 8
"""Characters that an inner piece of base64, or a secret in a form that may stand there by chance, must have to say anything."""


def spellings(secret: str) -> set[str]:
    """Return the ways in which a secret may be written: plain, URL-encoded, JSON-escaped, HTML-escaped, base64, hexadecimal, backwards."""
    if not secret:
        return set()
    raw = secret.encode("utf-8", "surrogatepass")
    found = {
        secret,
        quote(raw),
        quote(raw, safe=""),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        html.escape(secret, quote=False),
    }
    for offset in range(3):
        # Inside a longer base64 text, such as that of "user:password", only whole groups of it are the secret's own.
        coded = base64.b64encode(bytes(offset) + raw).decode()
        start, end = (offset * 8 + 5) // 6, (offset + len(raw)) * 8 // 6
        piece = coded[start:end]
        if offset == 0 and len(piece) < _LEAST:
            piece = coded.rstrip("=") if len(raw) > 2 else ""
        if offset == 0 or len(piece) >= _LEAST:
            found |= {piece, piece.replace("+", "-").replace("/", "_")}
    if len(secret) >= _LEAST:
        found |= {raw.hex(), secret[::-1]}
    return found - {""}


def blank(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every spelling of every secret blanked, whatever its case, or what stands between its characters."""
    forms = sorted({form for secret in secrets for form in spellings(secret)}, key=len, reverse=True)
    if not forms:
        return text
    pattern = "|".join((r"[\W_]{0,3}" if len(form) >= _LEAST else "").join(map(re.escape, form)) for form in forms)
    return re.sub(pattern, BLANK, text, flags=re.IGNORECASE)


def holds(text: str, secret: str) -> bool:
    """Say whether a text holds the secret in any spelling."""
    lowered = text.lower()
    return any(form.lower() in lowered for form in spellings(secret))
