# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who issued a certificate, read from its DER form, since Python tells this only of certificates that it trusts.

Private to this collection; standard library only, since it runs on targets. Structure: RFC 5280, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from .._untrusted_text import one_line

_SEQUENCE = 0x30
_VERSION = 0xA0
_UTC_TIME = 0x17
_ENCODINGS = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}
_NAMES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
}

Name = tuple[tuple[str, str], ...]
"""A distinguished name: pairs such as ("CN", "hub.example"), as they are ordered in the certificate."""


@dataclass(frozen=True)
class Certificate:
    """What a person wants to know of a certificate."""

    issuer: Name
    subject: Name
    not_after: datetime

    @property
    def authority(self) -> str:
        """The issuer's organization, or its common name where it has none."""
        names = dict(self.issuer)
        return names.get("O") or names.get("CN") or text(self.issuer)


def text(name: Name) -> str:
    """Write a name as people do: the most specific part first."""
    return one_line(", ".join(f"{key}={value}" for key, value in reversed(name)), 500)


def parse(der: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        ValueError: these bytes are no X.509 certificate.
    """
    try:
        certificate = _contents(der, _SEQUENCE)
        fields = list(_elements(_contents(certificate, _SEQUENCE)))
        if fields[0][0] == _VERSION:
            fields = fields[1:]
        _serial, _algorithm, issuer, validity, subject = (content for _tag, content in fields[:5])
        _not_before, not_after = _elements(validity)
        return Certificate(_name(issuer), _name(subject), _time(*not_after))
    except (IndexError, ValueError) as error:
        raise ValueError(f"not a certificate that can be read: {error}") from error


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element, in their order."""
    while data:
        tag, length, start = data[0], data[1], 2
        if length > 0x7F:
            start += length & 0x7F
            length = int.from_bytes(data[2:start], "big")
        if start + length > len(data):
            raise ValueError("it is cut off")
        yield tag, data[start : start + length]
        data = data[start + length :]


def _contents(data: bytes, expected: int) -> bytes:
    for tag, content in _elements(data):
        if tag == expected:
            return content
        break
    raise ValueError("its structure is another one")


def _name(data: bytes) -> Name:
    pairs = []
    for _set, members in _elements(data):
        for _sequence, pair in _elements(members):
            (_oid, oid), (tag, value) = _elements(pair)
            pairs.append(
                (_NAMES.get(oid, _dotted(oid)), one_line(value.decode(_ENCODINGS.get(tag, "utf-8"), "replace")))
            )
    return tuple(pairs)


def _dotted(oid: bytes) -> str:
    numbers = []
    value = 0
    for byte in oid:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    # The first number holds the first two; the first of them is 2 at most.
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first, *numbers[1:]]))


def _time(tag: int, data: bytes) -> datetime:
    digits = data.decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of the year: RFC 5280 has them end in 2049.
        digits = ("19" if int(digits[:2]) >= 50 else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
