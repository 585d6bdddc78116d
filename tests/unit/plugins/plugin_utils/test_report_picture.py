# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture: what is drawn, that Graphviz reads it, and the SVG that comes of it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.dot import dot
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.files import drawn
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.mermaid import mermaid
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.picture import Picture, picture
from ansible_collections.ot_security.proxy_chaining.plugins.plugin_utils._report.svg import finish

from tests.generated_site import demo, generated
from tests.rendered_report import DOT

needs_dot = pytest.mark.skipif(DOT is None, reason="no dot on the PATH; tools/programs installs it")

HOSTILE = 'x"\\<b>&amp;&lt;\\N];\n|`#end\\'
SVG = "{http://www.w3.org/2000/svg}"


def _captions(found: Picture) -> list[str]:
    return [layer.caption for layer in found.layers]


def _nodes(found: Picture, layer: int) -> list[tuple[list[str], str]]:
    return [(node.lines, node.verdict) for node in found.layers[layer].nodes]


def test_the_picture_of_the_demo() -> None:
    found = picture(demo())
    assert _captions(found) == ["Sensors", "Proxies, tier 1", "Proxies, tier 0", "Endpoints"]
    assert _nodes(found, 0) == [(["sensor1", "broken"], "broken"), (["sensor2", "broken"], "broken")]
    assert _nodes(found, 1) == [(["plant-a-proxy", "10.100.100.250:3128", "fails further on"], "broken")]
    assert _nodes(found, 2) == [(["dmz-proxy", "192.0.2.10:3128"], "ok")]
    assert [(edge.source, edge.target, edge.verdict, edge.here, edge.label) for edge in found.edges] == [
        ("s0", "p0", "broken", False, ""),
        ("s1", "p0", "broken", True, "proxy-denied"),
        ("p0", "p1", "broken", True, "proxy-denied"),
        ("p1", "endpoints", "ok", False, ""),
    ]


def test_many_sensors_of_a_proxy_are_one_box() -> None:
    found = picture(generated())
    assert len(found.layers[0].nodes) == 12
    assert _nodes(found, 0)[1] == (["84 sensors", "82 ok, 1 degraded, 1 broken"], "broken")
    assert found.edges[1].label == "proxy-denied (1)"
    assert _captions(found)[-2:] == ["Other teams' proxies", "Endpoints"]
    assert [edge.preferred for edge in found.edges if edge.source == "p0"] == [True, False]


@pytest.mark.parametrize(("sensors", "boxes"), [(8, 8), (9, 1)])
def test_more_than_eight_sensors_are_many(sensors: int, boxes: int) -> None:
    assert len(picture(generated(1, sensors, broken=False)).layers[0].nodes) == boxes


def test_a_fault_behind_the_last_proxy_is_at_its_arrow_to_the_endpoints() -> None:
    results = generated(1, 2, broken=False)
    for link in results["links"]:
        link["verdict"] = "broken"
        link["endpoints"][0] |= {"verdict": "broken", "stage": "tls-inspected", "hop": "", "reason": "Inspected."}
    edges = picture(results).edges
    assert [(edge.source, edge.label) for edge in edges if edge.here] == [("p3", "tls-inspected")]


def test_a_fault_at_a_hop_that_is_not_drawn_is_still_shown() -> None:
    results = demo()
    results["links"][0]["endpoints"][1]["hop"] = "upstream.example"
    assert [edge.label for edge in picture(results).edges if edge.source == "p0"] == ["proxy-denied"]


def _mixed() -> Any:
    """Return a site in which arrows pass lanes: a sensor at the DMZ, and a plant's proxy that goes out by itself."""
    results = demo()
    results["sensors"].append({**results["sensors"][0], "name": "sensor3", "path": ["dmz-proxy"], "verdict": "ok"})
    results["links"].append({**results["links"][2], "source": "plant-a-proxy"})
    return results


def _places(results: Any) -> dict[str, tuple[float, float]]:
    """Return where dot puts the middle of each box, from the left and from the bottom."""
    text = dot(results)
    done = subprocess.run([str(DOT), "-Tplain"], input=text, capture_output=True, text=True, check=True, timeout=60)
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("node ")]
    return {key: (float(x), float(y)) for _node, key, x, y, *_rest in rows}


@needs_dot
@pytest.mark.parametrize("results", [demo(), _mixed(), generated(), generated(12, 60)])
def test_lanes_stand_side_by_side(results: Any) -> None:
    places = _places(results)
    columns = [{places[node.key][0] for node in layer.nodes} for layer in picture(results).layers]
    assert [len(column) for column in columns] == [1] * len(columns)
    lefts = [min(column) for column in columns]
    assert lefts == sorted(set(lefts))


@needs_dot
@pytest.mark.parametrize("results", [demo(), generated(), generated(broken=False), generated(12, 60)])
def test_boxes_keep_the_order_of_the_inventory(results: Any) -> None:
    """So a plant is found where it was before, whatever fails."""
    places = _places(results)
    for layer in picture(results).layers:
        heights = [places[node.key][1] for node in layer.nodes]
        assert heights == sorted(heights, reverse=True)


def _hostile() -> Any:
    results: Any = json.loads(json.dumps(_mixed()).replace("plant-a-proxy", json.dumps(HOSTILE)[1:-1]))
    return results


def _svg(results: Any) -> ET.Element:
    text, problem = drawn(results)
    assert problem == ""
    assert text.startswith("<svg ")
    return ET.fromstring(text)


@needs_dot
@pytest.mark.parametrize("results", [demo(), generated(), _mixed(), generated(0, 0)])
def test_graphviz_draws_every_box_and_arrow(results: Any) -> None:
    text = dot(results)
    # What dot warns of is wrong in the text.
    said = subprocess.run([str(DOT), "-Tsvg"], input=text, capture_output=True, text=True, check=True, timeout=60)
    assert said.stderr == ""
    svg = _svg(results)
    found = picture(results)
    groups = [str(group.get("class")).split() for group in svg.iter(f"{SVG}g")]
    kinds = {"sensor", "sensors", "proxy", "external", "endpoints"}
    assert sum(bool(kinds & set(group)) for group in groups) == sum(len(layer.nodes) for layer in found.layers)
    assert sum(group[:1] == ["edge"] for group in groups) == len(found.edges)
    texts = ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]
    for layer in found.layers:
        assert layer.caption in texts
        for node in layer.nodes:
            assert set(node.lines) <= set(texts)


@needs_dot
def test_hostile_names_in_graphviz() -> None:
    svg = _svg(_hostile())
    texts = ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]
    assert 'x"\\<b>&amp;&lt;\\N]; |`#end\\' in texts
    assert not list(svg.iter(f"{SVG}b"))


@needs_dot
def test_the_svg_stands_alone() -> None:
    text, _problem = drawn(demo())
    assert "<?xml" not in text
    assert "DOCTYPE" not in text
    assert "prefers-color-scheme:dark" in text
    assert 'role="img"' in text
    assert "xlink:title" not in text
    # Each box shows its reason, not its name in the DOT text.
    titles = [str(title.text) for title in ET.fromstring(text).iter(f"{SVG}title")]
    assert (
        "sensor2\nplant-a-proxy refuses CONNECT from sensor2 (10.100.100.2): http_access deny all, line 44." in titles
    )
    assert not [title for title in titles if re.fullmatch(r"[a-z]+\d+|.*->.*", title)]
    assert not re.search(r"(?:href|src|url\()", text)


@pytest.mark.parametrize("text", ["", "Error: no dot", "</svg><svg>"])
def test_what_is_no_svg_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an SVG"):
        finish(text)


def test_the_flowchart_of_the_demo() -> None:
    lines = mermaid(demo()).splitlines()
    assert lines[:4] == [
        "flowchart LR",
        '  subgraph layer0["Sensors"]',
        '    s0["sensor1<br/>broken"]:::broken',
        '    s1["sensor2<br/>broken"]:::broken',
    ]
    assert '  p0 -->|"proxy-denied"| p1' in lines
    assert "  linkStyle 0,1,2 stroke:#c2202c,stroke-width:3px,stroke-dasharray:6" in lines
    assert sum(line == "  end" for line in lines) == 4


def test_hostile_names_in_the_flowchart() -> None:
    text = mermaid(_hostile())
    (label,) = [line for line in text.splitlines() if "10.100.100.250" in line]
    assert "#34;#92;#60;b#62;#38;amp#59;" in label
    assert not re.search(r'[`\\|]|"[^\]]', label.split('["')[1].split("<br/>")[0])


@needs_dot
def test_any_amount_of_endpoints_and_of_words_is_drawn() -> None:
    results = demo()
    for link in results["links"]:
        for probe in link["endpoints"]:
            probe |= {"verdict": "broken", "stage": "proxy-denied", "hop": "dmz-proxy", "reason": "x" * 30_000}
    results["sensors"][0]["endpoints"] = [f"{number}.blob.core.windows.net" for number in range(2000)]
    assert _svg(results) is not None


def _fanned(sources: int = 6) -> Any:
    """Return sites each of whose parents fails in another way."""
    results = generated(sources, 30 * sources)
    stages = ("tcp", "proxy-denied", "endpoint-unreachable")
    for place, link in enumerate(results["links"]):
        if link["kind"] == "parent":
            hop, stage = link["target"], stages[place % 3]
            link["verdict"] = "broken"
            link["endpoints"] = [
                {**results["links"][-1]["endpoints"][0], "verdict": "broken", "stage": stage, "hop": hop}
            ]
    for place, sensor in enumerate(results["sensors"]):
        sensor |= {"verdict": "broken", "stage": stages[place % 2], "hop": sensor["path"][0], "reason": "So."}
    return results


def _texts(results: Any) -> list[tuple[str, float, float, float, float]]:
    """Return each line of text that dot draws, and its box in points."""
    done = subprocess.run(
        [str(DOT), "-Tjson"], input=dot(results), capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(done.stdout)
    boxes = []
    for thing in [*found["objects"], *found["edges"]]:
        for one in [each for name in ("_ldraw_", "_tldraw_") for each in thing.get(name, []) if each["op"] == "T"]:
            (x, y), width = one["pt"], one["width"]
            left = {"l": x, "c": x - width / 2, "r": x - width}[one["align"]]
            boxes.append((one["text"], left, left + width, y, y + 8))
    return boxes


@needs_dot
@pytest.mark.parametrize("results", [demo(), _mixed(), generated(), generated(12, 60), _fanned(), _fanned(12)])
def test_no_text_lies_on_another(results: Any) -> None:
    boxes = _texts(results)
    for place, (text, left, right, low, high) in enumerate(boxes):
        for other, other_left, other_right, other_low, other_high in boxes[:place]:
            apart = right <= other_left or other_right <= left or high <= other_low or other_high <= low
            assert apart, f"{text} and {other}"
    labels = [edge.label for edge in picture(results).edges if edge.label]
    told = [text.split(": ", 1)[1] for text, *_box in boxes if text.startswith("to ")]
    assert sorted(told) == sorted(labels) != []
