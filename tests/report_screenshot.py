# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a screenshot of the report of a generated site: ``python -m tests.report_screenshot FILE.png``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from ansible_collections.ot_security.proxy_chaining.plugins.module_utils._console.browser.chromium import (
    FLAGS,
    installed,
)
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report import files
from playwright.sync_api import sync_playwright

from tests.generated_site import generated

WIDTH = 1200


def main(file: str) -> None:
    """Write the upper part of the page, down to the first rows of the table of sensors."""
    results = generated(7, 280)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "report.html"
        page.write_text(files.page(results, *files.drawn(results)))
        flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=installed(), args=flags, timeout=60_000)
        tab = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        tab.goto(page.as_uri())
        height = tab.evaluate(
            "() => document.querySelector('#sensors tbody tr:nth-child(1)').getBoundingClientRect().bottom"
        )
        tab.screenshot(path=file, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
