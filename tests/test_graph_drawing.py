"""Drawings of graphs: nothing overlaps, lines pass beside boxes, files are well formed whatever names are in them."""

import random
import time
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from nnkit.errors import UsageError
from nnkit.figures.graph import FORMATS, Graph, Line, Vertex, to_dot, to_mermaid, to_png, to_svg
from nnkit.figures.layered import Layout, lay_out

SVG = "{http://www.w3.org/2000/svg}"
Size = tuple[float, float]
Edges = list[tuple[int, int]]


def corners(layout: Layout, sizes: list[Size]) -> list[tuple[float, float, float, float]]:
    """Return left, top, right and bottom of each box."""
    boxes = zip(layout.middles, sizes, strict=True)
    return [(x - width / 2, y - height / 2, x + width / 2, y + height / 2) for (x, y), (width, height) in boxes]


def random_graph(seed: int) -> tuple[list[Size], Edges]:
    draw = random.Random(seed)
    count = draw.randint(1, 30)
    sizes = [(draw.uniform(20, 200), draw.uniform(20, 100)) for _ in range(count)]
    return sizes, [(draw.randrange(b), b) for b in range(1, count) for _ in range(draw.randint(0, 3))]


@pytest.mark.parametrize("seed", range(40))
def test_boxes_are_apart_and_lines_pass_beside_them(seed: int) -> None:
    sizes, edges = random_graph(seed)
    layout = lay_out(sizes, edges)
    boxes = corners(layout, sizes)
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert -0.01 <= left < right <= layout.width + 0.01
        assert -0.01 <= top < bottom <= layout.height + 0.01
        for other in boxes[:number]:
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]
    for (a, b), path in zip(edges, layout.paths, strict=True):
        assert boxes[a][3] <= boxes[b][1], "an edge goes down"
        assert path[0] == pytest.approx((layout.middles[a][0], boxes[a][3]))
        assert boxes[b][0] <= path[-1][0] <= boxes[b][2]
        assert path[-1][1] == pytest.approx(boxes[b][1])
        assert all(above[1] <= below[1] + 0.01 for above, below in pairwise(path))
        for (x, y), (_, end) in zip(path[2:-2:2], path[3:-2:2], strict=True):  # Straight past the boxes of a layer.
            assert not any(box[0] < x < box[2] and box[1] < end and box[3] > y for box in boxes)


def test_a_chain_is_a_straight_line() -> None:
    layout = lay_out([(50, 20), (80, 30), (60, 20)], [(0, 1), (1, 2)])
    assert len({x for x, _ in layout.middles}) == 1
    assert {x for path in layout.paths for x, _ in path} == {layout.middles[0][0]}


def test_an_input_stands_just_above_what_reads_it() -> None:
    """As z beside p, in the graph of p = x + y and g = p * z."""
    layout = lay_out([(50, 20)] * 5, [(0, 3), (1, 3), (3, 4), (2, 4)])
    rows = [y for _, y in layout.middles]
    assert rows[0] == rows[1] < rows[2] == rows[3] < rows[4]


def test_edges_that_can_run_without_crossing_do() -> None:
    layout = lay_out([(50, 20)] * 4, [(0, 3), (1, 2)])
    (a, b, c, d) = (x for x, _ in layout.middles)
    assert (a < b) == (d < c)


@pytest.mark.parametrize("skip", [1, 2, 999])
def test_a_thousand_layers_are_drawn_in_seconds(skip: int) -> None:
    vertices = [Vertex("input", "input", "input", [], [Line("value 1")])]
    reads = ([n - 1, max(0, n - skip)] if skip > 1 else [n - 1] for n in range(1, 1001))
    vertices += [Vertex(f"repeat_1/{n}", "add", "layer", before, []) for n, before in enumerate(reads, 1)]
    graph, began = Graph("deep", "value", "gradient", vertices), time.perf_counter()
    for form in ("svg", "mermaid", "dot"):
        assert "repeat_1/1000" in str(FORMATS[form](graph))
    assert time.perf_counter() - began < 20
    with pytest.raises(UsageError, match="draw it as SVG"):
        to_png(graph)


HOSTILE = """</text><script>"'&<!--]]>#quot;`\\ %%{init}%% $x^2$\nend \x00\x1b é 数"""


def hostile() -> Graph:
    first = Vertex(HOSTILE, HOSTILE, "input", [], [Line(HOSTILE, HOSTILE)])
    return Graph(HOSTILE, HOSTILE, HOSTILE, [first, Vertex("end", "click", "layer", [0, 0], [])])


def test_svg_is_xml_with_the_text_as_it_is() -> None:
    root = ElementTree.fromstring(to_svg(hostile()))  # noqa: S314 - our own
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "rect", "g", "path", "title", "text")
    }
    shown = [element.text for element in root.iter(f"{SVG}text")]
    assert "end" in shown
    assert any("<script>" in (text or "") for text in shown)


def test_mermaid_has_no_sign_of_its_own_from_a_text() -> None:
    lines = to_mermaid(hostile()).splitlines()
    [box] = [line for line in lines if line.startswith("    n0[")]
    assert box.startswith('    n0["')
    assert box.endswith('"]:::input')
    inside = box.removeprefix('    n0["').removesuffix('"]:::input').replace("<br/>", "")
    assert not set(inside) & set("<>\"'`%{}\\&$")
    assert "#60;#47;" not in inside
    assert "#60;/text#62;" in inside
    assert lines.count("    n0 --> n1") == 2


def test_dot_labels_are_escaped() -> None:
    title, *lines = to_dot(hostile()).splitlines()
    assert title.startswith('digraph "</text><script>\\"')
    assert title.endswith('" {')
    [label] = [line for line in lines if line.startswith("    n0 [label=<")]
    assert "<script>" not in label
    assert "&lt;script&gt;" in label
    assert lines.count("    n0 -> n1;") == 2
    assert not any("\x1b" in line for line in lines)


def test_png_is_a_png_and_holds_the_colours() -> None:
    assert to_png(hostile()).startswith(b"\x89PNG\r\n\x1a\n")


def test_long_texts_are_cut_and_shown_whole_under_the_pointer() -> None:
    vertex = Vertex("n", "dense", "layer", [], [Line("v" * 300, "g" * 300)])
    text = to_svg(Graph("t", "f", "b", [vertex]))
    assert text.count("v" * 300) == text.count("g" * 300) == 1
    assert "…" in text
