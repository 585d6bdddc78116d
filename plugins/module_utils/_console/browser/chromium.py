# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts and ends the headless Chromium of the browser transport; one for each process. Private to this collection."""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
import shlex
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tls
from ..model import ConsoleError, Trust
from .gate import Gate

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
    "--block-new-web-contents",
    # No way around the gate.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)

STARTS = (30.0, 60.0)
"""Seconds within which Chromium must start, at each try; now and then one hangs, and a busy machine takes long."""

NOBODY = "nobody"
"""As whom Chromium runs where the play runs as root, which Chromium has no sandbox for."""


class Chromium:
    """A running browser."""

    def __init__(self, browser: Browser, gate: Gate, ends: ExitStack, ignore_certificates: bool) -> None:
        self._browser = browser
        self.gate = gate
        self._ends = ends
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
            ignore_https_errors=self._ignore,
            viewport={"width": 1600, "height": 1200},
            locale="en-US",
            accept_downloads=False,
            service_workers="block",
        )
        self._context.set_default_timeout(timeout * 1000)
        return self._context.new_page()

    def stop(self) -> None:
        """End the browser, whatever state it is in, and leave nothing of it."""
        self._ends.close()


def start(host: str, port: int, trust: Trust, timeout: float) -> Chromium:
    """Check the console's certificate and start a browser that reaches nothing else and accepts no other key from it.

    Args:
        host: the console's name or address.
        port: its port.
        trust: how to check.
        timeout: seconds for the check.

    Raises:
        ConsoleError: the certificate is not the expected one, nobody answers, or there is no browser.
    """
    certificate = tls.certificate(host, port, trust, timeout)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the other transport does without
    except ImportError:
        raise ConsoleError(
            "the Python that runs Ansible has no playwright; install it there with pip, or use transport http"
        ) from None
    with ExitStack() as ends:
        gate = Gate(host, port)
        ends.callback(gate.close)
        # The environment's proxy is for something else, and loopback is elsewhere too.
        flags = [*FLAGS, f"--proxy-server=http://127.0.0.1:{gate.port}", "--proxy-bypass-list=<-loopback>"]
        if trust.validate or trust.fingerprint:
            flags.append(f"--ignore-certificate-errors-spki-list={_key_of(certificate)}")
        folder = Path(tempfile.mkdtemp(prefix="browser-"))
        ends.callback(shutil.rmtree, folder, ignore_errors=True)
        playwright = sync_playwright().start()
        ends.callback(_quietly, playwright.stop)
        try:
            browser = _launch(playwright, folder, flags)
        except ConsoleError:
            raise
        except Exception as error:
            said = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
            raise ConsoleError(
                f"Chromium did not start ({said}); install the system's chromium, or run 'playwright install chromium'"
            ) from error
        ends.callback(_quietly, browser.close)
        kept = ends.pop_all()
    return Chromium(browser, gate, kept, ignore_certificates=not (trust.validate or trust.fingerprint))


def _quietly(end: Callable[[], object]) -> None:
    with suppress(Exception):
        end()


def _is_root() -> bool:
    return os.geteuid() == 0


def installed() -> str | None:
    """Return the path of the system's Chromium; without one, Playwright looks for its own."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def _launch(playwright: Playwright, folder: Path, flags: list[str]) -> Browser:
    path = installed()
    if _is_root():
        path = _without_rights(path or playwright.chromium.executable_path, folder)

    def launch(seconds: float, sandbox: bool = True) -> Browser:
        try:
            return playwright.chromium.launch(
                executable_path=path, args=flags, timeout=seconds * 1000, chromium_sandbox=sandbox
            )
        except Exception as error:
            if not sandbox or "sandbox" not in str(error):
                raise
            if _is_root():
                # In a container that allows none, the user without rights is what is left.
                return launch(seconds, sandbox=False)
            raise ConsoleError(
                "Chromium's sandbox cannot be used on this controller, and without it a console would have the rights of the "
                "user that runs Ansible; allow unprivileged user namespaces there, or use transport http"
            ) from error

    for seconds in STARTS[:-1]:
        with suppress(_timed_out()):
            return launch(seconds)
    return launch(STARTS[-1])


def _without_rights(path: str, folder: Path) -> str:
    """Return a program that runs Chromium as NOBODY, with a profile and an environment of its own."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ConsoleError(
            f"the play runs as root and there is no setpriv on the PATH to run Chromium as {NOBODY}; install util-linux, run "
            "the play as another user, or use transport http"
        )
    user = pwd.getpwnam(NOBODY)
    home = folder / "home"
    home.mkdir(mode=0o700)
    os.chown(home, user.pw_uid, user.pw_gid)
    folder.chmod(0o711)
    program = folder / "chromium"
    command = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    command += ["env", "-i", f"PATH={os.defpath}", f"HOME={home}", f"TMPDIR={home}", path]
    # Of two profiles the last one counts; the first is Playwright's, which only root may open.
    program.write_text(f'#!/bin/sh\ncd / && exec {shlex.join(command)} "$@" --user-data-dir={shlex.quote(str(home))}\n')
    program.chmod(0o700)
    return str(program)


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
