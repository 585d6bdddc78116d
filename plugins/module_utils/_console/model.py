# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sensor's web console shows and takes, whatever the transport that reaches it.

Private to this collection. The vendor documents a screen with labels and no interface; see docs/sensors.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

CONNECTED = "The sensor is connected to cloud successfully"
"""The sentence of the connectivity screen that means success (vendor's documentation)."""

ISSUES = (
    "Errors establishing secure connections",
    "General connection errors",
    "Unreachable DNS server errors",
    "Proxy authentication issues",
    "Name resolution failures",
    "Unreachable proxy server errors",
    "Time drift detected",
)
"""The issue classes of the connectivity screen (vendor's documentation)."""

BUDGET = 256 * 1024 * 1024
"""Bytes that a console may send in one visit, however many screens are looked at; a sensor's whole console is a small part of that."""


@dataclass(frozen=True)
class ProxySettings:
    """The proxy settings as a console shows them."""

    enabled: bool
    host: str = ""
    port: int | None = None
    username: str = ""

    password_set: bool | None = None
    """Whether a password is stored; None where the console does not show it. The password itself is never shown."""

    certificate: str | None = None
    """What the console shows of the client certificate, "" for none; None where it shows nothing about it."""


@dataclass(frozen=True)
class Reading:
    """One look at the console."""

    settings: ProxySettings
    version: str | None = None
    """The sensor's software version, where shown."""


@dataclass(frozen=True)
class Cloud:
    """What the sensor itself says about its way to the cloud."""

    connected: bool
    issues: tuple[str, ...] = ()
    """Issue classes in the documentation's words, such as "Proxy authentication issues"."""


@dataclass(frozen=True)
class ClientCertificate:
    """A client certificate to upload."""

    filename: str
    """Carries a part of the content's hash, so that a console that shows names tells one content from another."""

    content: bytes


@dataclass(frozen=True)
class Push:
    """What is to be entered on the screen and saved. None leaves a field as it is."""

    enabled: bool
    host: str | None = None
    port: int | None = None
    username: str | None = None
    password: str | None = None
    """ "" removes a stored password."""
    certificate: ClientCertificate | None = None


@dataclass(frozen=True)
class Account:
    """Who signs in at the console."""

    username: str
    password: str


@dataclass(frozen=True)
class Trust:
    """How the console's TLS certificate is checked."""

    validate: bool = True
    ca_path: str | None = None
    """A file of CA certificates; None for the system's."""
    fingerprint: str | None = None
    """SHA-256 of the certificate (DER), 64 lower-case hexadecimal digits. Checked instead of everything else."""


class ConsoleError(Exception):
    """Something that a person must know, in one sentence without the console's address and without a secret."""


class UnreachableError(ConsoleError):
    """Nobody answers at the address, or not as a web server, or only with errors of its own (5xx), or too late."""


class GoneError(UnreachableError):
    """Nobody at all answers at the address, as where the sensor is scrapped."""


class UntrustedError(ConsoleError):
    """The TLS certificate is not the expected one."""


class SignInError(ConsoleError):
    """The account's name or password is wrong. Must not be tried again: a few failures lock the client out."""


class LockedError(ConsoleError):
    """The console does not let this client sign in for now."""


class ExpiredError(ConsoleError):
    """The session is over; signing in once more may help."""


class UnexpectedError(ConsoleError):
    """The screen or the answer is not the one that the labels or the profile describe."""


def too_much() -> UnexpectedError:
    """Return what it means that a console has sent more than BUDGET."""
    return UnexpectedError(
        f"the console has sent more than {BUDGET // 1024 // 1024} MB in one visit; see that its address is a sensor's"
    )


class RejectedError(ConsoleError):
    """The console refused the values; its own words are in the sentence."""


class Console(Protocol):
    """A way to operate one sensor's console. Every method raises ConsoleError."""

    def sign_in(self) -> None:
        """Sign in, once; a new session if there was one."""

    def read(self) -> Reading:
        """Read the proxy settings as they are stored now."""

    def save(self, push: Push) -> None:
        """Enter and save; return when the console has taken it."""

    def cloud(self) -> Cloud | None:
        """Look once at the sensor's word on its cloud connection; None where the console has no such screen."""

    def evidence(self, path: str) -> str | None:
        """Save what may be shown of the latest screen or answer beside `path`, mode 0600; return the file's name."""

    def close(self) -> None:
        """Let go of everything. Never raises."""


def keep(file: str, content: bytes) -> str:
    """Write a file that its owner alone may read; return its name."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(content)
    return file
