# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a certificate, compared with what another implementation wrote into it."""

from __future__ import annotations

import contextlib
import functools
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._probe.certificate import parse, text
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

Pairs = list[tuple[x509.ObjectIdentifier, str]]

HUB: Pairs = [(NameOID.COMMON_NAME, "hub.example")]
PLANT: Pairs = [
    (NameOID.COUNTRY_NAME, "DE"),
    (NameOID.STATE_OR_PROVINCE_NAME, "Hessen"),
    (NameOID.LOCALITY_NAME, "Fulda"),
    (NameOID.ORGANIZATION_NAME, "Plant"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "OT"),
    (NameOID.COMMON_NAME, "Plant Root"),
]
ENDS = datetime(2031, 2, 3, 4, 5, 6, tzinfo=timezone.utc)


@functools.cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(pairs: Pairs, kind: _ASN1Type | None = None) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value, kind) for oid, value in pairs])


def signed(issuer: x509.Name, subject: x509.Name | None = None, ends: datetime = ENDS) -> x509.Certificate:
    builder = x509.CertificateBuilder(issuer, subject or name(HUB), key().public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(ends - timedelta(days=1)).not_valid_after(ends)
    return builder.sign(key(), hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


@functools.cache
def sample() -> bytes:
    return der(signed(name(PLANT)))


def element(content: bytes) -> bytes:
    """Return a sequence of more than 255 bytes."""
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def test_issuer_subject_and_end() -> None:
    found = parse(sample())
    assert found.issuer == (
        ("C", "DE"),
        ("ST", "Hessen"),
        ("L", "Fulda"),
        ("O", "Plant"),
        ("OU", "OT"),
        ("CN", "Plant Root"),
    )
    assert (found.subject, found.not_after) == ((("CN", "hub.example"),), ENDS)


def test_a_name_is_written_with_the_most_specific_part_first() -> None:
    assert text(parse(sample()).issuer) == "CN=Plant Root, OU=OT, O=Plant, L=Fulda, ST=Hessen, C=DE"


@pytest.mark.parametrize(
    ("issuer", "authority"),
    [
        (PLANT, "Plant"),
        ([pair for pair in PLANT if pair[1] != "Plant"], "Plant Root"),
        (PLANT[:2], "ST=Hessen, C=DE"),
    ],
    ids=["organization", "common name", "neither"],
)
def test_the_authority(issuer: Pairs, authority: str) -> None:
    assert parse(der(signed(name(issuer)))).authority == authority


@pytest.mark.parametrize("kind", [_ASN1Type.UTF8String, _ASN1Type.BMPString, _ASN1Type.UniversalString])
def test_letters_beyond_ascii(kind: _ASN1Type) -> None:
    assert parse(der(signed(name([(NameOID.ORGANIZATION_NAME, "Müller 工場")], kind)))).authority == "Müller 工場"


def test_the_letters_of_old_certificates() -> None:
    # The library writes no TeletexString, so one of as many bytes takes the place of its UTF8String.
    utf8, teletex = b"\x0c\x0b" + "Müller Gmb".encode(), b"\x14\x0b" + "Müller GmbH".encode("latin-1")
    certificate = der(signed(name([(NameOID.ORGANIZATION_NAME, "Müller Gmb")])))
    assert utf8 in certificate
    assert parse(certificate.replace(utf8, teletex)).authority == "Müller GmbH"


def test_a_name_longer_than_a_short_length_can_say() -> None:
    assert parse(der(signed(name([(NameOID.ORGANIZATION_NAME, "x" * 190)])))).authority == "x" * 190


def test_a_name_that_somebody_chose_is_short_and_one_line() -> None:
    shown = parse(der(signed(name([(NameOID.ORGANIZATION_NAME, "a\n\x1b[31mb" + "x" * 9000)] * 5))))
    assert shown.authority == "a [31mb" + "x" * 190 + "..."
    assert len(text(shown.issuer)) == 500


@pytest.mark.parametrize("oid", ["2.5.4.97", "0.9.2342.19200300.100.1.25", "1.3.6.1.4.1.311.60.2.1.3", "2.999.7"])
def test_a_part_without_a_short_name_is_dotted(oid: str) -> None:
    assert text(parse(der(signed(name([(x509.ObjectIdentifier(oid), "DE")])))).issuer) == f"{oid}=DE"


@pytest.mark.parametrize("year", [1999, 2049, 2050, 2999, 9999])
def test_the_end_before_and_after_2049(year: int) -> None:
    ends = ENDS.replace(year=year)
    assert parse(der(signed(name(PLANT), ends=ends))).not_after == ends


def test_a_certificate_of_version_1() -> None:
    certificate = signed(name(PLANT))
    to_sign = certificate.tbs_certificate_bytes
    assert to_sign[4:9] == b"\xa0\x03\x02\x01\x02"
    old = element(element(to_sign[9:]) + der(certificate)[4 + len(to_sign) :])
    assert x509.load_der_x509_certificate(old).version is x509.Version.v1
    assert parse(old) == parse(der(certificate))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"\x30\x00", b"\x30\x80", b"\x30\xff" + b"\xff" * 200, b"-----BEGIN CERTIFICATE-----\n"],
    ids=["nothing", "a tag", "an empty one", "no length", "a huge length", "PEM"],
)
def test_what_is_no_certificate(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not a certificate that can be read"):
        parse(data)


def test_a_certificate_that_is_cut_off() -> None:
    for length in range(len(sample())):
        with pytest.raises(ValueError, match=r"^not a certificate that can be read"):
            parse(sample()[:length])


@given(st.binary(max_size=200))
def test_garbage_is_a_value_error_or_read(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(data)


@given(st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), min_size=1, max_size=5))
def test_damage_is_a_value_error_or_read(damage: list[tuple[int, int]]) -> None:
    data = bytearray(sample())
    for position, byte in damage:
        data[position] = byte
    with contextlib.suppress(ValueError):
        found = parse(bytes(data))
        assert isinstance(found.authority + text(found.subject) + found.not_after.isoformat(), str)
