# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom a real Chromium trusts, and that nothing of it is left."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.transport import (
    BrowserConsole,
)
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.labels import DOCUMENTED
from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.model import (
    Account,
    ConsoleError,
    Push,
    Trust,
    UntrustedError,
)

from .fake_web import CHROMIUM, PASSWORD, PROXY_PASSWORD, USERNAME, Certified, certify, serve

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH; tools/programs installs one")

TIMEOUT = 8.0


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("tls"), "console")


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[list[str], list[str]]]]:
    """Return a look at the browser's processes and temporary files, both of which must be gone at the end of a test."""
    # Not pytest's own, which is closed to the user as whom Chromium runs where the tests run as root.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.setenv("TMPDIR", name)

        def look() -> tuple[list[str], list[str]]:
            return _processes(name), [file.name for file in folder.iterdir()]

        yield look
        deadline = time.monotonic() + 5
        while any(look()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert look() == ([], [])


def _processes(word: str) -> list[str]:
    """Return the command lines that hold a word."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line and int(process.name) != os.getpid():
            found.append(line)
    return found


def _console(port: int, trust: Trust) -> BrowserConsole:
    return BrowserConsole(
        f"https://127.0.0.1:{port}/for/checkbox/page", Account(USERNAME, PASSWORD), trust, DOCUMENTED, TIMEOUT
    )


def test_an_expected_certificate_is_accepted_and_no_secret_is_in_the_process_list(
    certified: Certified, left: Callable[[], tuple[list[str], list[str]]]
) -> None:
    with serve(certified) as web:
        console = _console(web.port, Trust(True, str(certified.file)))
        try:
            console.sign_in()
            console.save(Push(True, "192.0.2.5", 3129, "bob", PROXY_PASSWORD))
            processes, files = left()
            assert processes
            assert files
            for secret in (PASSWORD, PROXY_PASSWORD):
                assert not _processes(secret)
        finally:
            console.close()
            console.close()
        assert web.stored["password"] == PROXY_PASSWORD


def test_another_key_after_the_check_is_refused_and_nothing_is_sent_to_it(
    certified: Certified, left: Callable[[], tuple[list[str], list[str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = certify(tmp_path_factory.mktemp("tls"), "console")
    with serve(certified) as web:
        console = _console(web.port, Trust(True, fingerprint=certified.fingerprint))
        console.sign_in()
        assert left()[0]
    try:
        with serve(other, web.port) as impostor:
            with pytest.raises(ConsoleError, match=r"ERR_CERT_AUTHORITY_INVALID|certificate"):
                console.sign_in()
            assert impostor.requests == []
    finally:
        console.close()


@pytest.mark.parametrize("trust", [Trust(True), Trust(True, fingerprint="0" * 64)])
def test_an_untrusted_certificate_starts_no_browser(
    certified: Certified, left: Callable[[], tuple[list[str], list[str]]], trust: Trust
) -> None:
    with serve(certified) as web:
        console = _console(web.port, trust)
        with pytest.raises(UntrustedError):
            console.sign_in()
        assert left() == ([], [])
        assert web.requests == []
        console.close()
