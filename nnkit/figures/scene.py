"""Boxes, lines and texts in points, and the two ways to draw them: SVG as text, PNG by matplotlib."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nnkit.errors import UsageError
from nnkit.figures.canvas import DOTS_PER_INCH, GREY, INK, new_axes, new_figure, place, plain, png, write
from nnkit.figures.layered import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

INCH = 72.0
MOST_PIXELS = 65_000
"""What matplotlib can draw in one direction."""
FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
HEAD_LONG, HEAD_WIDE, ROUND = 7.0, 6.0, 5.0


@dataclass(frozen=True)
class Words:
    """A piece of text: where it begins (or ends, where ``right``) on its base line, in points from the upper left."""

    x: float
    y: float
    text: str
    size: float = 9.0
    colour: str = INK
    bold: bool = False
    right: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle by its upper left corner, with round corners and what a pointer over it shows."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    edge: str
    hint: str = ""


@dataclass(frozen=True)
class Scene:
    """A drawing; ``arrows`` are paths as ``nnkit.figures.layered.Layout`` has them."""

    width: float
    height: float
    boxes: Sequence[Box]
    arrows: Sequence[Sequence[Point]]
    words: Sequence[Words]


def svg(scene: Scene) -> str:
    """Return the drawing as SVG 1.1 of its own, without scripts, styles or links to anything outside."""
    size = f"{scene.width:.0f}", f"{scene.height:.0f}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="{FONT}">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<g fill="none" stroke="{GREY}" stroke-width="1.2">',
        *(f'<path d="{_curve(path)}"/>' for path in scene.arrows),
        "</g>",
        f'<g fill="{GREY}">',
        *(f'<path d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in _head(path))} Z"/>' for path in scene.arrows),
        "</g>",
        *map(_svg_box, scene.boxes),
        *map(_svg_words, scene.words),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _svg_box(box: Box) -> str:
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    rectangle = f'<rect {place} rx="{ROUND:g}" fill="{box.fill}" stroke="{box.edge}">'
    return f"{rectangle}<title>{_escaped(box.hint)}</title></rect>"


def _svg_words(words: Words) -> str:
    style = f'font-size="{words.size:g}" fill="{words.colour}"'
    style += ' font-weight="bold"' if words.bold else ""
    style += ' text-anchor="end"' if words.right else ""
    return f'<text x="{words.x:.1f}" y="{words.y:.1f}" {style}>{_escaped(words.text)}</text>'


def _escaped(text: str) -> str:
    return "\n".join(escape(plain(line)) for line in text.split("\n"))


def _curve(path: Sequence[Point]) -> str:
    """Return the commands of a path up to the head of its arrow."""
    commands = [f"M{path[0][0]:.1f} {path[0][1]:.1f}"]
    for number, points in enumerate(_pieces(path)):
        commands.append(("C" if number % 2 else "L") + " ".join(f"{x:.1f} {y:.1f}" for x, y in points))
    return " ".join(commands)


def _pieces(path: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the end of each straight piece and, in turn with it, the controls and the end of each Bezier curve."""
    x, y = path[-1]
    for number, (before, after) in enumerate(pairwise([*path[:-1], (x, y - HEAD_LONG)])):
        half = (before[1] + after[1]) / 2
        yield [(before[0], half), (after[0], half), after] if number % 2 else [after]


def _head(path: Sequence[Point]) -> list[Point]:
    x, y = path[-1]
    return [(x, y), (x - HEAD_WIDE / 2, y - HEAD_LONG), (x + HEAD_WIDE / 2, y - HEAD_LONG)]


def scene_png(scene: Scene) -> bytes:
    """Return the drawing as PNG; raises ``UsageError`` where it is too large for one."""
    from matplotlib.collections import PathCollection, PolyCollection

    largest = max(scene.width, scene.height) / INCH * DOTS_PER_INCH
    if largest > MOST_PIXELS:
        raise UsageError(
            f"the drawing would be {largest:,.0f} pixels high or wide, and a PNG has up to {MOST_PIXELS:,}; "
            "draw it as SVG, which has no bound"
        )
    figure = new_figure(scene.width / INCH, scene.height / INCH, "")
    axes = new_axes(figure)
    place(axes, 0, 0, scene.width / INCH, scene.height / INCH)
    axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
    style: dict[str, Any] = {"linewidth": 1.2, "edgecolor": GREY}
    axes.add_collection(PathCollection([_bezier(path) for path in scene.arrows], facecolor="none", **style))
    axes.add_collection(PolyCollection([_head(path) for path in scene.arrows], facecolor=GREY, edgecolor="none"))
    for box in scene.boxes:
        _draw_box(axes, box)
    for words in scene.words:
        _draw_words(axes, words)
    return png(figure)


def _bezier(path: Sequence[Point]) -> "Path":
    from matplotlib.path import Path

    points, codes = [path[0]], [Path.MOVETO]
    for number, piece in enumerate(_pieces(path)):
        points += piece
        codes += [Path.CURVE4] * 3 if number % 2 else [Path.LINETO]
    return Path(points, codes)


def _draw_box(axes: "Axes", box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch

    style: dict[str, Any] = {"boxstyle": f"round,pad=0,rounding_size={ROUND}", "facecolor": box.fill, "linewidth": 1}
    axes.add_artist(FancyBboxPatch((box.x, box.y), box.width, box.height, edgecolor=box.edge, **style))


def _draw_words(axes: "Axes", words: Words) -> None:
    style: dict[str, Any] = {"fontsize": words.size, "color": words.colour, "transform": axes.transData}
    style |= {"ha": "right" if words.right else "left", "fontweight": "bold" if words.bold else "normal"}
    write(axes, words.x, words.y, words.text, **style)
