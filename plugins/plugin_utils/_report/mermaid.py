# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the chain as a Mermaid flowchart, for wikis. Private to this collection."""

from __future__ import annotations

import re

from .._proof.model import Results
from .picture import Edge, picture

_CLASSES = """  classDef ok fill:#dafbe1,stroke:#1a7f37,color:#1b1f24
  classDef degraded fill:#fff8c5,stroke:#9a6700,color:#1b1f24
  classDef unknown fill:#f0e9ff,stroke:#6639ba,color:#1b1f24
  classDef broken fill:#ffebe9,stroke:#cf222e,stroke-width:3px,color:#1b1f24
  classDef plain fill:#f6f8fa,stroke:#57606a,color:#1b1f24
"""
_STROKES = {"ok": "#1a7f37", "degraded": "#8a5a00", "unknown": "#6639ba", "broken": "#c2202c", "plain": "#57606a"}

_PLAIN = re.compile(r"[^\w .,:()'+-]", re.ASCII)


def mermaid(results: Results) -> str:
    """Return a flowchart with the nodes and arrows that the DOT text has too."""
    drawn = picture(results)
    lines = ["flowchart LR"]
    for place, layer in enumerate(drawn.layers):
        lines.append(f'  subgraph layer{place}["{escape(layer.caption)}"]')
        lines += [f'    {node.key}["{_text(node.lines)}"]:::{node.verdict}' for node in layer.nodes]
        lines.append("  end")
    lines += map(_arrow, drawn.edges)
    for verdict, stroke in _STROKES.items():
        numbers = [str(number) for number, edge in enumerate(drawn.edges) if edge.verdict == verdict]
        if numbers:
            width = ",stroke-width:3px,stroke-dasharray:6" if verdict == "broken" else ""
            lines.append(f"  linkStyle {','.join(numbers)} stroke:{stroke}{width}")
    return "\n".join(lines) + "\n" + _CLASSES


def escape(text: str) -> str:
    """Return text for a quoted label; whatever Mermaid, Markdown or HTML could act on becomes a number."""
    return _PLAIN.sub(lambda found: f"#{ord(found.group())};", text)


def _text(lines: list[str]) -> str:
    return "<br/>".join(map(escape, lines))


def _arrow(edge: Edge) -> str:
    label = f'|"{escape(edge.label)}"|' if edge.label else ""
    solid = edge.preferred and edge.verdict != "unknown"
    return f"  {edge.source} {'-->' if solid else '-.->'}{label} {edge.target}"
