# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the chain for Graphviz' ``dot``, which places everything in it. Private to this collection."""

from __future__ import annotations

from ...module_utils._untrusted_text import short
from .._proof.model import Results
from .picture import Edge, Layer, Node, picture

_PEN = {"ok": "#1a7f37", "degraded": "#8a5a00", "unknown": "#6639ba", "broken": "#c2202c", "plain": "#57606a"}

_HEAD = """digraph chain {
  graph [rankdir=LR, newrank=true, ranksep=1.6, nodesep=0.15, pad=0.1, bgcolor=transparent, fontname=Helvetica, fontsize=11]
  node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica, fontsize=11, margin="0.1,0.05"]
  edge [arrowsize=0.7]
"""


def dot(results: Results) -> str:
    """Return the picture as DOT text; a proxy is a box, and its tier a lane."""
    drawn = picture(results)
    names = {node.key: node.lines[0] for layer in drawn.layers for node in layer.nodes}
    for layer in drawn.layers:
        for node in layer.nodes:
            # What is said of an arrow stands in the box where it begins: on the arrow, labels lie on top of each other.
            node.lines += [
                f"to {names[edge.target]}: {edge.label}"
                for edge in drawn.edges
                if edge.source == node.key and edge.label
            ]
    parts = [_HEAD]
    for number, layer in enumerate(drawn.layers):
        parts += _lane(number, layer)
    parts += [_edge(edge) for edge in drawn.edges]
    return "".join([*parts, "}\n"])


MOST = 4000
"""Characters of one string; of four times as many dot makes an error, and no picture."""


def quote(text: str) -> str:
    """Return text as a quoted string of DOT that shows just this text, line by line."""
    safe = short(text, MOST).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + safe.replace("\n", "\\n") + '"'


def _lane(number: int, layer: Layer) -> list[str]:
    nodes = [_node(node) for node in layer.nodes]
    # Arrows that nobody sees ask for the inventory's order, which dot stacks upwards.
    order = " -> ".join(node.key for node in reversed(layer.nodes))
    return [
        f"  subgraph cluster{number} {{\n"
        f'    graph [rank=same, class="lane", style="rounded,filled", color="#d0d7de", fillcolor="#f6f8fa", '
        f"label={quote(layer.caption)}]\n",
        *nodes,
        f"    {order} [style=invis]\n" if len(nodes) > 1 else "",
        "  }\n",
    ]


def _node(node: Node) -> str:
    peripheries = ", peripheries=2" if node.kind == "sensors" else ""
    return (
        f'    {node.key} [label={quote(chr(10).join(node.lines))}, class="{node.kind} {node.verdict}", '
        f'color="{_PEN[node.verdict]}", tooltip={_tip(node.lines[0], node.tip)}{peripheries}]\n'
    )


def _edge(edge: Edge) -> str:
    kinds = [edge.verdict, *(["here"] if edge.here else []), *([] if edge.preferred else ["backup"])]
    bad = edge.verdict == "broken"
    style = "dashed" if bad else "dotted" if edge.verdict == "unknown" else "solid"
    width = 2.6 if bad and edge.here else 1.4 if edge.preferred else 0.8
    tip = _tip(edge.verdict if edge.verdict != "plain" else "", edge.tip)
    head = "" if edge.preferred else ", arrowhead=empty"
    return (
        f'  {edge.source}:e -> {edge.target}:w [class="{" ".join(kinds)}", color="{_PEN[edge.verdict]}", '
        f"style={style}, penwidth={width}, tooltip={tip}{head}]\n"
    )


def _tip(first: str, more: str) -> str:
    return quote("\n".join(filter(None, [first, more])) or " ")
