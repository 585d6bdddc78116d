# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts and ends the headless Chromium of the browser transport; one for each process. Private to this collection."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils import _console_tls
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console import ConsoleError, Trust

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""What a system's Chromium is called. The shell, which is Chromium without its window, comes first: a sensor takes three quarters of
the time."""

FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # A console is reached directly; the environment's proxy is for something else.
    "--no-proxy-server",
)

STARTS = (30.0, 60.0)
"""Seconds within which Chromium must start, at each try; now and then one hangs, and a busy machine takes long."""


class Chromium:
    """A running browser."""

    def __init__(self, playwright: Playwright, browser: Browser, ignore_certificates: bool) -> None:
        self._playwright = playwright
        self._browser = browser
        self._ignore = ignore_certificates
        self._context: BrowserContext | None = None

    def page(self, timeout: float) -> Page:
        """Return a page without cookies; the one before it is gone.

        Args:
            timeout: seconds for whatever the page does.
        """
        if self._context is not None:
            self._context.close()
        self._context = self._browser.new_context(
            ignore_https_errors=self._ignore, viewport={"width": 1600, "height": 1200}, locale="en-US"
        )
        self._context.set_default_timeout(timeout * 1000)
        return self._context.new_page()

    def stop(self) -> None:
        """End the browser, whatever state it is in."""
        with suppress(Exception):
            self._browser.close()
        with suppress(Exception):
            self._playwright.stop()


def start(host: str, port: int, trust: Trust, timeout: float) -> Chromium:
    """Check the console's certificate and start a browser that accepts no other key from it.

    Args:
        host: the console's name or address.
        port: its port.
        trust: how to check.
        timeout: seconds for the check.

    Raises:
        ConsoleError: the certificate is not the expected one, nobody answers, or there is no browser.
    """
    flags = [*FLAGS]
    certificate = _console_tls.certificate(host, port, trust, timeout)
    if trust.validate or trust.fingerprint:
        flags.append(f"--ignore-certificate-errors-spki-list={_key_of(certificate)}")
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the other transport does without
    except ImportError:
        raise ConsoleError(
            "the Python that runs Ansible has no playwright; install it there with pip, or use transport http"
        ) from None
    playwright = sync_playwright().start()
    try:
        browser = _launch(playwright, flags)
    except Exception as error:
        playwright.stop()
        said = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise ConsoleError(
            f"Chromium did not start ({said}); install the system's chromium, or run 'playwright install chromium'"
        ) from error
    return Chromium(playwright, browser, ignore_certificates=not (trust.validate or trust.fingerprint))


def installed() -> str | None:
    """Return the path of the system's Chromium; without one, Playwright looks for its own."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def _launch(playwright: Playwright, flags: list[str]) -> Browser:
    path = installed()
    for seconds in STARTS[:-1]:
        with suppress(_timed_out()):
            return playwright.chromium.launch(executable_path=path, args=flags, timeout=seconds * 1000)
    return playwright.chromium.launch(executable_path=path, args=flags, timeout=STARTS[-1] * 1000)


def _timed_out() -> type[Exception]:
    from playwright.sync_api import TimeoutError as Late  # noqa: PLC0415 - as above

    return Late


def _key_of(certificate: bytes) -> str:
    """Return the hash of a certificate's public key as Chromium wants it."""
    from cryptography import x509  # noqa: PLC0415 - ansible-core needs it anyway
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    key = x509.load_der_x509_certificate(certificate).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()
