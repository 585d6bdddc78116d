# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walk the paths to many endpoints at once, and tell from all of them together whether TLS is inspected on the way.

Private to this collection; standard library only, since it runs on targets.
"""

from __future__ import annotations

import re
import ssl
from collections import defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .path import Hop, PathError, Probe, walk

_ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")


def split(endpoint: str) -> tuple[str, int]:
    """Split ``host`` or ``host:port``; the port is 443 where none is given.

    Raises:
        ValueError: it is neither.
    """
    match = _ENDPOINT.fullmatch(endpoint)
    port = int(match[2] or 443) if match else 0
    if match is None or not 0 < port < 65536:
        raise ValueError(f"endpoints: {endpoint!r} is neither a host name nor host:port; correct it")
    return match[1].strip("[]"), port


def walk_all(
    hops: Sequence[Hop],
    endpoints: Sequence[tuple[str, int]],
    *,
    ca_path: str = "",
    authorities: Collection[str] = (),
    timeout: float = 5.0,
    parallel: int = 8,
) -> list[Probe]:
    """Walk to every endpoint through the same hops.

    Args:
        hops: the proxies in their order.
        endpoints: host and TCP port of each.
        ca_path: a file of CA certificates; empty for the system's.
        authorities: who may issue the endpoints' certificates; empty for whoever is trusted.
        timeout: seconds for each stage.
        parallel: how many are walked to at once.

    Raises:
        ValueError: a limit is no positive number, or the file of certificates is not there or holds none.
    """
    if not 0 < timeout <= 3600 or parallel < 1:
        raise ValueError(
            f"timeout is {timeout:g} and parallel {parallel}; both must be positive, and timeout 3600 at most"
        )
    for path in filter(None, [ca_path, *(hop.tls_ca for hop in hops[:1])]):
        if not Path(path).is_file():
            raise ValueError(
                f"the file of CA certificates {path} is not on this host; put it there or correct the path"
            )
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            raise ValueError(
                f"{path} holds no CA certificates that can be read ({error.strerror}); correct the file or the path"
            ) from error
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        one = partial(_walk_one, hops, ca_path=ca_path, timeout=timeout)
        probes = list(pool.map(one, endpoints))
    _note_inspection(probes, authorities, hops[-1].name if hops else "")
    return probes


def _walk_one(hops: Sequence[Hop], endpoint: tuple[str, int], *, ca_path: str, timeout: float) -> Probe:
    return walk(hops, *endpoint, ca_path=ca_path, timeout=timeout)


def _note_inspection(probes: Sequence[Probe], authorities: Collection[str], suspect: str) -> None:
    """Tell inspection from an endpoint's own bad certificate: who inspects signs for everybody."""
    signed: dict[str, set[str]] = defaultdict(set)
    for probe in probes:
        if probe.certificate and probe.unknown_issuer:
            signed[probe.certificate.authority].add(_domain(probe.endpoint))
    for probe in probes:
        if probe.certificate is None:
            continue
        issuer = probe.certificate.authority
        untrusted = probe.unknown_issuer and len(signed[issuer]) > 1
        unexpected = authorities and issuer not in authorities
        if untrusted or unexpected:
            why = "who signs for other domains too" if untrusted else "whom 'authorities' does not name"
            probe.failure = PathError(
                "tls-inspected",
                suspect,
                f"The certificate shown for {probe.endpoint} was issued by {issuer}, {why}; something on the way opens TLS.",
            )


def _domain(endpoint: str) -> str:
    """The registrable part of a name, nearly: its last two labels."""
    return ".".join(endpoint.lower().split(".")[-2:])
