"""Draws what Prometheus has kept of a run: two panels of the dashboard, as an SVG. It stands in for Grafana, which Debian does not have."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parents[2] / "roles/chain_watch/files/dashboard.json"
PANELS = {"Links": "#2f9e44", "Alerts": "#e8590c"}
"""The colour of a value that is there and not 0."""

BAD = "#e03131"
LEFT, WIDTH, ROW = 470, 1000, 22
STEP = 15

Ask = Callable[[str], list[dict[str, Any]]]
"""Returns the series of an expression over the run."""


def draw(ask: Ask, start: float, end: float) -> str:
    """Return the picture."""
    panels = {one["title"]: one["targets"][0]["expr"] for one in json.loads(DASHBOARD.read_text())["panels"]}
    scale = (WIDTH - LEFT - 20) / (end - start)
    lines, y = [], 10
    for title, colour in PANELS.items():
        y += ROW + 10
        lines.append(f'<text x="10" y="{y}" font-weight="bold">{title}</text>')
        for series in sorted(ask(panels[title].replace('site=~"$site"', 'site=~".*"')), key=_name):
            y += ROW
            lines.append(f'<text x="10" y="{y}">{html.escape(_name(series))}</text>')
            for at, value in series["values"]:
                x = LEFT + (at - start) * scale
                fill = colour if float(value) else BAD
                lines.append(
                    f'<rect x="{x:.1f}" y="{y - 14}" width="{STEP * scale + 0.3:.1f}" height="16" fill="{fill}"/>'
                )
    y += ROW
    for minute in range(0, int((end - start) // 60) + 1, 2):
        lines.append(f'<text x="{LEFT + 60 * minute * scale:.1f}" y="{y}" fill="#868e96">{minute} min</text>')
    style = 'font-family="sans-serif" font-size="13"'
    box = f'<rect width="{WIDTH}" height="{y + 10}" fill="#fff"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 10}" {style}>'
    return "\n".join([head, box, *lines, "</svg>", ""])


def _name(series: dict[str, Any]) -> str:
    labels = series["metric"]
    shown = ("alertname", "proxy", "kind", "parent", "endpoint", "client")
    return " ".join(labels[name] for name in shown if labels.get(name))
