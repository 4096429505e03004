"""A computational graph as a picture (SVG, PNG) and as text that others draw (Mermaid, DOT)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeAlias

from nnkit.figures.canvas import BLUE, GREY, INK, ORANGE, RED, plain, short
from nnkit.figures.layered import lay_out
from nnkit.figures.scene import Box, Scene, Words, scene_png, svg

Kind: TypeAlias = Literal["input", "layer", "loss"]

COLOURS: dict[Kind, tuple[str, str]] = {
    "input": ("#eaf1f8", BLUE),
    "layer": ("#ffffff", GREY),
    "loss": ("#fdf1e8", ORANGE),
}
"""The inside and the edge of a box."""
LETTER, LINE, PAD, MARGIN, HEADER = 5.7, 13.0, 8.0, 16.0, 46.0
"""Points: a letter of 9, a line of text, within a box, around all, and the title with what the colours mean."""
LONGEST = 76


@dataclass(frozen=True)
class Line:
    """A line in a box: something of the way forward and, in another colour, what comes back; either may be empty."""

    forward: str
    backward: str = ""


@dataclass(frozen=True)
class Vertex:
    """A box of the graph: its name, what it is, the numbers of the boxes that it reads, and its lines."""

    name: str
    type: str
    kind: Kind
    reads: Sequence[int]
    lines: Sequence[Line]


@dataclass(frozen=True)
class Graph:
    """A graph with a title and a sentence about what is seen."""

    title: str
    forward: str
    """What the values are, and what the gradients: the words of the legend."""
    backward: str
    vertices: Sequence[Vertex]

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Pairs of vertices, from what is read to what reads it."""
        return [(a, b) for b, vertex in enumerate(self.vertices) for a in vertex.reads]


def to_svg(graph: Graph) -> str:
    """Draw the graph as SVG."""
    return svg(_scene(graph))


def to_png(graph: Graph) -> bytes:
    """Draw the graph as PNG; raises ``UsageError`` where it is too large for one."""
    return scene_png(_scene(graph))


def _scene(graph: Graph) -> Scene:
    rows = [_rows(vertex) for vertex in graph.vertices]
    sizes = [_size(vertex, texts) for vertex, texts in zip(graph.vertices, rows, strict=True)]
    layout = lay_out(sizes, graph.edges)
    title = short(graph.title, LONGEST)
    legend = f"{graph.forward}   {graph.backward}"
    header = max(8 * len(title), LETTER * len(legend)) + PAD
    width, left = max(layout.width, header) + 2 * MARGIN, MARGIN + max(0.0, header - layout.width) / 2
    top = MARGIN + HEADER
    boxes, words = (
        [],
        [
            Words(MARGIN, MARGIN + 12, title, size=12),
            Words(MARGIN, MARGIN + 30, graph.forward),
            Words(MARGIN + LETTER * (len(graph.forward) + 3), MARGIN + 30, graph.backward, colour=RED),
        ],
    )
    for vertex, texts, (x, y), size in zip(graph.vertices, rows, layout.middles, sizes, strict=True):
        corner = left + x - size[0] / 2, top + y - size[1] / 2
        boxes.append(Box(*corner, *size, *COLOURS[vertex.kind], hint=_hint(vertex)))
        words += _words(vertex, texts, corner, size[0])
    arrows = [[(left + x, top + y) for x, y in path] for path in layout.paths]
    return Scene(width, layout.height + top + MARGIN, boxes, arrows, words)


def _rows(vertex: Vertex) -> list[tuple[str, str]]:
    """Return the lines of a box below its name, each with its colour: what goes forward, then what comes back."""
    pairs = ((text, colour) for line in vertex.lines for text, colour in ((line.forward, INK), (line.backward, RED)))
    return [(short(text, LONGEST), colour) for text, colour in pairs if text]


def _size(vertex: Vertex, rows: Sequence[tuple[str, str]]) -> tuple[float, float]:
    head = 1.15 * len(short(vertex.name)) + 3 + len(vertex.type)
    longest = max([head, *(len(text) for text, _ in rows)])
    return 2 * PAD + LETTER * longest, LINE * (len(rows) + 1) + 1.4 * PAD


def _words(vertex: Vertex, rows: Sequence[tuple[str, str]], corner: tuple[float, float], width: float) -> list[Words]:
    x, y = corner[0] + PAD, corner[1] + PAD + 8
    head = [
        Words(x, y, short(vertex.name), bold=True),
        Words(corner[0] + width - PAD, y, vertex.type, colour=GREY, right=True),
    ]
    return head + [Words(x, y + LINE * number, text, colour=colour) for number, (text, colour) in enumerate(rows, 1)]


def _hint(vertex: Vertex) -> str:
    """Return what a pointer over a box shows: all that is in it, however long."""
    lines = [text for line in vertex.lines for text in (line.forward, line.backward) if text]
    return "\n".join([f"{vertex.name} ({vertex.type})", *lines])


def to_mermaid(graph: Graph) -> str:
    """Write the graph as a Mermaid flowchart, as Markdown pages of many sites draw it."""
    lines = ["flowchart TD", f"    accTitle: {_mermaid(graph.title)}"]
    for number, vertex in enumerate(graph.vertices):
        text = "<br/>".join(map(_mermaid, _hint(vertex).split("\n")))
        lines.append(f'    n{number}["{text}"]:::{vertex.kind}')
    lines += [f"    n{a} --> n{b}" for a, b in graph.edges]
    lines += [f"    classDef {kind} fill:{fill},stroke:{edge},color:{INK}" for kind, (fill, edge) in COLOURS.items()]
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Write text so that Mermaid takes none of it for its own signs, which are given by their numbers."""
    return "".join(c if c.isalnum() or c in " .,/_=()[]-+:" else f"#{ord(c)};" for c in plain(text))


def to_dot(graph: Graph) -> str:
    """Write the graph in DOT, the language of Graphviz."""
    lines = [
        f"digraph {_quoted(graph.title)} {{",
        f'    label={_quoted(graph.title)}; labelloc=t; rankdir=TB; fontname="DejaVu Sans";',
        '    node [shape=box, style="rounded,filled", fontname="DejaVu Sans", fontsize=10];',
    ]
    for number, vertex in enumerate(graph.vertices):
        fill, edge = COLOURS[vertex.kind]
        lines.append(f'    n{number} [label=<{_dot_label(vertex)}>, fillcolor="{fill}", color="{edge}"];')
    lines += [f"    n{a} -> n{b};" for a, b in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _dot_label(vertex: Vertex) -> str:
    rows = [(text, colour) for line in vertex.lines for text, colour in ((line.forward, INK), (line.backward, RED))]
    parts = [f'<FONT COLOR="{colour}">{escape(plain(text))}</FONT>' for text, colour in rows if text]
    return "<BR/>".join([f"<B>{escape(plain(vertex.name))}</B> {escape(plain(vertex.type))}", *parts])


def _quoted(text: str) -> str:
    return '"' + plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


FORMATS: dict[str, Callable[[Graph], str | bytes]] = {
    "svg": to_svg,
    "png": to_png,
    "mermaid": to_mermaid,
    "dot": to_dot,
}
"""What a graph can be drawn as."""
SUFFIXES = {".svg": "svg", ".png": "png", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}
"""The format that a file's name means."""
