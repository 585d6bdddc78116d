# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sphinx' settings for the documentation site that tools/docs builds: the prose as it is, and the generated reference.

Nothing in it is fetched from a network, neither when it is built nor when it is read.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath

from sphinx.application import Sphinx

REPOSITORY = "https://github.com/ot-security/ansible-proxy-chaining/blob/main"
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")

project = "ot_security.proxy_chaining"
html_title = project
html_show_copyright = False
html_theme = "sphinx_rtd_theme"
html_copy_source = False
extensions = ["myst_parser", "sphinx_antsibull_ext"]
pygments_style = "ansible"
myst_heading_anchors = 3
suppress_warnings = [
    "misc.highlighting_failure",  # Mermaid and squid.conf are shown as text
    "ref.ref",  # modules and documents of Ansible itself, which are not on this site
]


def _named_in_repository(app: Sphinx, docname: str, content: list[str]) -> None:
    """Let links to files that are no pages of the site lead to the repository."""
    folder = PurePosixPath(docname).parent

    def led(match: re.Match[str]) -> str:
        target = normpath(str(folder / match[1]))
        return match[0] if (app.srcdir / target).is_file() else f"]({REPOSITORY}/{target})"

    if docname.partition("/")[0] != "reference":
        content[0] = _LINK.sub(led, content[0])


def setup(app: Sphinx) -> None:
    """Register what is above."""
    app.connect("source-read", _named_in_repository)
