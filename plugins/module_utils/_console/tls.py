# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks a console's TLS certificate, by CA, by fingerprint, or not at all. Private to this collection."""

from __future__ import annotations

import errno
import hashlib
import hmac
import socket
import ssl

from .model import GoneError, Trust, UnreachableError, UntrustedError


def context_for(trust: Trust) -> ssl.SSLContext:
    """Return the context for a connection; check_fingerprint has to look at it afterwards.

    Raises:
        UntrustedError: the CA file cannot be used.
    """
    if not trust.validate or trust.fingerprint:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=trust.ca_path)
    except (OSError, ssl.SSLError) as error:
        raise UntrustedError(
            f"the CA file {trust.ca_path} cannot be used: {error}; give a file of PEM certificates"
        ) from None


def check_fingerprint(connection: ssl.SSLSocket, trust: Trust) -> None:
    """Compare the certificate of a connection with the pinned fingerprint, where there is one.

    Raises:
        UntrustedError: it is another certificate.
    """
    if not trust.fingerprint:
        return
    found = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
    if not hmac.compare_digest(found, trust.fingerprint):
        raise UntrustedError(
            f"its certificate has the SHA-256 fingerprint {found}, not the pinned {trust.fingerprint}; "
            "find out whether it was renewed before putting the new one into sensor_proxy_console_fingerprint"
        )


def refusal(error: ssl.SSLError) -> UntrustedError | UnreachableError:
    """Return what a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UntrustedError(
            f"its certificate is not trusted ({error.verify_message}); note its SHA-256 fingerprint at the sensor and put it into "
            "sensor_proxy_console_fingerprint, or name the CA that signed it in sensor_proxy_console_ca_path"
        )
    if isinstance(error, ssl.SSLEOFError):
        return UnreachableError(
            "it closes the connection and does not answer; see that the console is up and may be reached"
        )
    return UnreachableError(f"it does not speak TLS ({error.reason or error}); see that the address is the console's")


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """Connect to a console.

    Raises:
        GoneError: nobody answers at the address.
        UnreachableError: no connection for a reason that says nothing of the console, such as a name that is not found.
    """
    try:
        return socket.create_connection((host, port), timeout)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None)
        gone = isinstance(error, TimeoutError) or number in (errno.ECONNREFUSED, errno.EHOSTUNREACH)
        raise (GoneError if gone else UnreachableError)(
            f"nobody answers on port {port}: {error}; see that the console is up and may be reached"
        ) from None


def certificate(host: str, port: int, trust: Trust, timeout: float) -> bytes:
    """Connect once and return the console's certificate (DER), when it is trusted.

    Args:
        host: the console's name or address.
        port: its port.
        trust: how to check.
        timeout: seconds for each step.

    Raises:
        UntrustedError: it is not the expected certificate.
        UnreachableError: nobody answers (GoneError: nobody at all), or not with TLS.
    """
    context = context_for(trust)
    try:
        with (
            connect(host, port, timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            check_fingerprint(connection, trust)
            return connection.getpeercert(binary_form=True) or b""
    except ssl.SSLError as error:
        raise refusal(error) from None
    except OSError as error:
        raise UnreachableError(
            f"it does not answer on port {port}: {error}; see that the console is up and not overloaded"
        ) from None
