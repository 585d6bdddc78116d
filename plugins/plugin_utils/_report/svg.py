# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Colours of the report, light and dark, and the finishing of the SVG that ``dot`` draws. Private to this collection."""

from __future__ import annotations

import re

_LIGHT = """--page:#f6f8fa;--surface:#ffffff;--raised:#f6f8fa;--text:#1b1f24;--muted:#57606a;--line:#d0d7de;--accent:#0969da;
--ok:#1a7f37;--ok-soft:#e6f6ea;--degraded:#8a5a00;--degraded-soft:#fff6d6;--unknown:#6639ba;--unknown-soft:#f3edff;
--broken:#c2202c;--broken-soft:#ffecea;color-scheme:light;"""

_DARK = """--page:#0d1117;--surface:#161b22;--raised:#1d232c;--text:#e6edf3;--muted:#9aa4af;--line:#343b45;--accent:#58a6ff;
--ok:#46c05c;--ok-soft:#12281a;--degraded:#dfa92d;--degraded-soft:#2c2410;--unknown:#b392f5;--unknown-soft:#241b3a;
--broken:#ff7b72;--broken-soft:#331719;color-scheme:dark;"""

PALETTE = (
    f":root{{{_LIGHT}}}\n"
    f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_DARK}}}}}\n"
    f":root[data-theme=dark]{{{_DARK}}}\n"
    # Paper is white, whatever the screen is.
    f"@media print{{:root,:root:not([data-theme=light]),:root[data-theme=dark]{{{_LIGHT}}}}}\n"
).replace(";\n", ";")
"""CSS custom properties; ``data-theme`` on the root element overrides what the reader's system prefers."""

_VERDICTS = "".join(
    f".chain .node.{verdict} :is(path,polygon){{stroke:var(--{verdict});fill:var(--{verdict}-soft)}}\n"
    f".chain .edge.{verdict} path{{stroke:var(--{verdict})}}\n"
    f".chain .edge.{verdict} polygon{{stroke:var(--{verdict});fill:var(--{verdict})}}\n"
    for verdict in ("ok", "degraded", "unknown", "broken")
)

STYLE = (
    ".chain .node :is(path,polygon){fill:var(--surface);stroke:var(--muted)}\n"
    ".chain .edge path{stroke:var(--muted)}\n"
    ".chain .edge polygon{fill:var(--muted);stroke:var(--muted)}\n"
    ".chain text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif;fill:var(--text)}\n"
    f"{_VERDICTS}"
    ".chain .lane path{fill:var(--raised);stroke:var(--line)}\n"
    ".chain .lane text{fill:var(--muted);font-weight:bold;font-size:11px}\n"
    ".chain .edge.backup polygon{fill:var(--surface)}\n"
    ".chain .node.broken :is(path,polygon){stroke-width:2.2}\n"
    ".chain a{cursor:help}\n"
)
"""How the picture looks; its classes come from the DOT text."""

_TITLE = re.compile(r"<title>[^<]*</title>\s*")
_TOOLTIP = re.compile(r'<a xlink:title="([^"]*)">')
_OPEN = re.compile(r"<svg\b([^>]*)>")


def finish(svg: str, title: str = "The proxy chain") -> str:
    """Return the output of ``dot -Tsvg`` as an SVG that can stand in a page or alone.

    It has no prolog, carries its own colours, and shows the tooltips of the DOT text.

    Raises:
        ValueError: the text is no SVG.
    """
    start = _OPEN.search(svg)
    end = svg.rfind("</svg>")
    if start is None or end < start.end():
        raise ValueError("the text is not an SVG; give the output of 'dot -Tsvg'.")
    # What dot calls a title is a name in the DOT text; what browsers show is a title.
    body = _TOOLTIP.sub(r"<a><title>\1</title>", _TITLE.sub("", svg[start.end() : end]))
    attributes = f'{start.group(1)} class="chain" role="img" aria-label="{title}"'
    style = f"<style>\n{PALETTE}{STYLE}svg.chain:root{{background:var(--page)}}\n</style>"
    return f"<svg{attributes}>\n{style}{body}</svg>\n"
