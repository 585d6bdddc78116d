"""STAND-INS for clouds: a CA of their own, and a certificate for the clouds' names that only their clients are told to trust."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

AUTHORITY = "ca.pem"
"""The file of the CA's certificate."""

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


def make(folder: Path, names: Sequence[str]) -> ssl.SSLContext:
    """Write the CA's certificate, and return what a server needs."""
    authority, authority_key = folder / AUTHORITY, folder / "ca.key"
    leaf, leaf_key = folder / "server.pem", folder / "server.key"
    _openssl(
        "-subj", "/CN=stand-in for clouds", "-addext", "keyUsage=critical,keyCertSign", out=(authority, authority_key)
    )
    alternatives = "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)
    signer = ("-CA", str(authority), "-CAkey", str(authority_key))
    _openssl(
        "-subj",
        f"/CN={names[0]}",
        "-addext",
        alternatives,
        "-addext",
        "basicConstraints=CA:FALSE",
        *signer,
        out=(leaf, leaf_key),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf, leaf_key)
    return context


def _openssl(*options: str, out: tuple[Path, Path]) -> None:
    files = ("-out", str(out[0]), "-keyout", str(out[1]))
    subprocess.run(["openssl", "req", "-x509", *_KEY, *options, *files], check=True, capture_output=True)
