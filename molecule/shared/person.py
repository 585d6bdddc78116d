"""A person who sets a simulated sensor's proxy by hand, with the browser's network recording (HAR) on.

Stands in for the person whom docs/console-profile.md asks for one recording. Knows the screens by their labels, and nothing
of the collection's own browser transport.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), None)
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
SCREENS = {
    "10": ("System Settings", "Network"),
    "22": ("System settings", "Sensor network settings"),
    "23": ("System settings", "Basic", "Sensor network settings"),
    "wizard": ("Management interface",),
}
CLOUD = ("System settings", "Sensor management", "Health and troubleshooting", "Cloud connectivity troubleshooting")
ENABLE = {"wizard": "Enable proxy for cloud connectivity (Optional)"}
AS_FIREFOX_RECORDS = """
// Chromium's recordings lack the bodies of uploads, Firefox's have them. So a form with a file is written out as text.
const plain = window.fetch;
window.fetch = async (address, options = {}) => {
  if (!(options.body instanceof FormData)) return plain(address, options);
  const boundary = '----recording' + Math.random().toString(36).slice(2);
  let text = '';
  for (const [name, value] of options.body) {
    const file = value instanceof File;
    text += `--${boundary}\\r\\nContent-Disposition: form-data; name="${name}"` + (file ? `; filename="${value.name}"` : '')
      + (file ? `\\r\\nContent-Type: ${value.type || 'application/octet-stream'}` : '')
      + `\\r\\n\\r\\n${file ? await value.text() : value}\\r\\n`;
  }
  const headers = new Headers(options.headers);
  headers.set('Content-Type', `multipart/form-data; boundary=${boundary}`);
  return plain(address, {...options, headers, body: `${text}--${boundary}--\\r\\n`});
};
"""


@dataclass(frozen=True)
class Typed:
    """What the person types."""

    console_username: str
    console_password: str
    host: str
    port: int
    username: str
    password: str
    certificate: Path | None = None


def record(url: str, generation: str, typed: Typed, har: Path) -> None:
    """Set the proxy at a console, look at it again, and leave the recording behind."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = browser.new_context(ignore_https_errors=True, record_har_path=har, record_har_content="embed")
        context.add_init_script(AS_FIREFOX_RECORDS)
        page = context.new_page()
        page.goto(url)
        _sign_in(page, typed)
        _open(page, generation)
        _enter(page, generation, typed)
        page.reload()
        _open(page, generation)
        page.get_by_label("Proxy Host").wait_for()
        if generation == "23":
            _click(page, *CLOUD)
            page.get_by_text("The sensor is connected to cloud successfully").wait_for()
        context.close()
        browser.close()


def _sign_in(page: Page, typed: Typed) -> None:
    page.get_by_label("Username").fill(typed.console_username)
    page.get_by_label("Password").fill(typed.console_password)
    page.get_by_role("button", name="Login").click()


def _open(page: Page, generation: str) -> None:
    _click(page, *SCREENS[generation])
    # Nobody types into a screen before having looked at it.
    page.wait_for_timeout(800)


def _click(page: Page, *labels: str) -> None:
    for label in labels:
        page.get_by_text(label, exact=True).locator("visible=true").first.click()


def _enter(page: Page, generation: str, typed: Typed) -> None:
    page.get_by_label(ENABLE.get(generation, "Enable Proxy")).click()
    for label, value in (
        ("Proxy Host", typed.host),
        ("Proxy Port", str(typed.port)),
        ("Proxy Username", typed.username),
        ("Proxy Password", typed.password),
    ):
        page.get_by_label(label).fill(value)
    if typed.certificate:
        page.get_by_label("Client certificate").set_input_files(typed.certificate)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Settings saved").wait_for()
