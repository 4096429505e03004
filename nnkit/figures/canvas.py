"""What all pictures share: colours, labels, axes, the way to bytes; matplotlib's objects, not its global state.

A user waits for these pictures at the end of each training. matplotlib's own ticks and layout engines take most of its
time, so ``tidy`` draws grid and tick labels as a few plain lines and texts, and ``arrange`` sets margins once.
"""

import math
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.transforms import Transform
    from numpy.typing import NDArray

BLUE, ORANGE, RED, GREY, LIGHT, INK = "#3b6ea5", "#dd8452", "#b8383b", "#8a8a8a", "#e6e6e6", "#262626"
COLOURS = (BLUE, ORANGE, "#55a868", RED, "#8172b3", "#937860", "#da8bc3", "#6b6b6b", "#b5a642", "#4cb0b8")
"""Ten colours that can be told apart side by side."""
DOTS_PER_INCH = 150
LONGEST_LABEL = 28
TITLE_BAND, EDGE, GAP, LINE = 0.45, 0.1, 0.06, 0.2
"""Inches: above all panels, around them, between ticks and their labels, and for a line of text."""


@dataclass(frozen=True)
class Room:
    """The inches that labels take outside of axes."""

    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0


def new_figure(width: float, height: float, title: str) -> "Figure":
    """Return an empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import ScaledTranslation

    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor="white")
    FigureCanvasAgg(figure)
    below_top = figure.transFigure + ScaledTranslation(0, -TITLE_BAND / 2, figure.dpi_scale_trans)
    style: dict[str, Any] = {"fontsize": 12, "color": INK, "ha": "center", "va": "center", "transform": below_top}
    figure.text(0.5, 1, plain(title), parse_math=False, **style)
    return figure


def new_axes(figure: "Figure") -> "Axes":
    """Return new axes without ticks and frame, to be placed by ``arrange``."""
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_axis_off()
    return axes


def figure_of(axes: "Axes") -> "Figure":
    """Return the figure that axes were made for."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - axes are always made for a figure
    return figure


def place(axes: "Axes", left: float, bottom: float, width: float, height: float) -> None:
    """Put axes to so many inches from the figure's lower left corner."""
    whole = figure_of(axes).get_size_inches()
    axes.set_position((left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]))


@contextmanager
def _any_script() -> Iterator[None]:
    """Draw scripts that the font lacks as boxes, without a warning: they are not the user's mistake."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield


def png(figure: "Figure") -> bytes:
    """Return the figure as PNG: the same bytes for the same picture and the same matplotlib."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with _any_script():
        canvas.draw()  # type: ignore[no-untyped-call]
    return pack(np.asarray(canvas.buffer_rgba())[..., :3])  # type: ignore[no-untyped-call]


def pack(pixels: "NDArray[np.uint8]") -> bytes:
    """Return pixels [height, width, 3] as PNG (ISO/IEC 15948).

    Each row is kept as what differs from the row above (filter 2), which for drawings is nearly nothing: trying all
    filters for each row, as libraries do, takes twice the time and saves a twentieth of the size.
    """
    import numpy as np

    height, width, _ = pixels.shape
    flat = pixels.reshape(height, -1)
    rows = np.full((height, 1 + flat.shape[1]), 2, np.uint8)
    rows[0, 1:], rows[1:, 1:] = flat[0], flat[1:] - flat[:-1]
    per_metre = round(DOTS_PER_INCH / 0.0254)
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0),
        b"pHYs": struct.pack(">IIB", per_metre, per_metre, 1),
        b"IDAT": zlib.compress(rows.tobytes(), 3),
        b"IEND": b"",
    }
    body = (struct.pack(">I", len(data)) + name + data + _crc(name + data) for name, data in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def _crc(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))


def plain(text: str) -> str:
    """Return ``text`` in one line of characters that can be drawn."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def short(text: str, longest: int = LONGEST_LABEL) -> str:
    """Return ``text`` in one line, cut in the middle where it is long."""
    text = plain(text)
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[: longest - 1 - half]}…{text[len(text) - half :]}"


def write(axes: "Axes", x: float, y: float, text: str, **options: Any) -> "Text":
    """Put text at fractions of the axes, or at what ``transform`` says."""
    from matplotlib.text import Text

    style: dict[str, Any] = {"fontsize": 9, "color": INK, "transform": axes.transAxes, "parse_math": False} | options
    written = Text(x, y, plain(text), **style)
    axes.add_artist(written).set_clip_on(False)
    return written


def beside(axes: "Axes", right: float, up: float) -> "Transform":
    """Return fractions of the axes, moved by so many inches."""
    from matplotlib.transforms import ScaledTranslation

    return axes.transAxes + ScaledTranslation(right, up, figure_of(axes).dpi_scale_trans)


def size_of(texts: Sequence["Text"]) -> tuple[float, float]:
    """Return the inches that the widest and the highest of texts take, turned as they are."""
    with _any_script():
        boxes = [text.get_window_extent() for text in texts]
    return max(box.width for box in boxes) / DOTS_PER_INCH, max(box.height for box in boxes) / DOTS_PER_INCH


def tidy(
    axes: "Axes",
    xlabel: str,
    ylabel: str,
    title: str = "",
    whole: bool = False,
    xticks: bool = True,
    steps: int = 8,
    powers: bool = False,
) -> Room:
    """Give axes, once all is drawn in them, their names, ticks, a quiet grid and a frame; return what that takes.

    With ``whole`` the ticks of x are whole numbers; without ``xticks`` they have lines and no labels; y is divided into
    ``steps`` at most. With ``powers`` what is drawn along y are the powers of ten of what is meant.
    """
    x, y = _ticks(axes.get_xlim(), 6, whole), _ticks(axes.get_ylim(), steps, powers)
    if powers:
        y = {at: f"1e{label}" for at, label in y.items()}
    axes.set_autoscale_on(False)
    lines(axes, list(x), list(y), color=LIGHT, linewidth=0.8, zorder=0.5)
    _line(axes, [(0, 1), (0, 0), (1, 0)], color=GREY, linewidth=0.8, zorder=2.5)
    left, bottom = _label_ticks(axes, x if xticks else {}, y)
    name: dict[str, Any] = {"fontsize": 10, "ha": "center"}
    if xlabel:
        write(axes, 0.5, 0, xlabel, transform=beside(axes, 0, -bottom - GAP), va="top", **name)
    if ylabel:
        name |= {"rotation": 90, "rotation_mode": "anchor", "va": "bottom"}
        write(axes, 0, 0.5, ylabel, transform=beside(axes, -left - GAP, 0), **name)
    # Without a height matplotlib would look for ticks that the title must not cover.
    axes.set_title(short(title, 60), y=1, pad=72 * GAP, fontsize=10, color=INK, parse_math=False)
    above = LINE + GAP if title else GAP
    return Room(left + LINE * bool(ylabel), 2 * GAP, above, bottom + (LINE + GAP) * bool(xlabel))


def _label_ticks(axes: "Axes", x: dict[float, str], y: dict[float, str]) -> tuple[float, float]:
    """Write labels at fractions of the axes; returns the inches that they take on the left and below."""
    below, leftwards = beside(axes, 0, -GAP), beside(axes, -GAP, 0)
    for fraction, label in x.items():
        write(axes, fraction, 0, label, transform=below, ha="center", va="top")
    texts = [write(axes, 0, at, label, transform=leftwards, ha="right", va="center") for at, label in y.items()]
    longest = [max(texts, key=lambda text: len(text.get_text()))] if texts else []
    return GAP + (size_of(longest)[0] if longest else 0.0), GAP + 0.7 * LINE if x else 0.0


def _ticks(limits: tuple[float, float], steps: int, whole: bool = False) -> dict[float, str]:
    """Return round numbers between limits, as labels by their place: 0 is the lower limit, 1 the upper."""
    from matplotlib.ticker import MaxNLocator

    low, high = limits
    values = MaxNLocator(steps, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=1).tick_values(low, high)
    slack = (high - low) * 1e-9
    shown = [float(value) for value in values if low - slack <= value <= high + slack]
    return {(value - low) / (high - low): label for value, label in zip(shown, number_labels(shown), strict=True)}


def number_labels(values: Sequence[float]) -> list[str]:
    """Write rising numbers in equal steps with as many digits as tell them apart; large and small ones as 2.5e6."""
    if not values:
        return []
    step = min((b - a for a, b in pairwise(values)), default=abs(values[0]) or 1.0)
    largest = max(map(abs, values))
    decimals = next((d for d in range(6) if all(abs(round(v, d) - v) < step / 1000 for v in values)), None)
    if largest < 1e6 and decimals is not None:
        texts = [f"{value:.{decimals}f}" for value in values]
    else:
        digits = max(math.ceil(math.log10(largest / step)) + 2, 2)
        texts = [f"{0.0 if abs(value) < step / 1000 else value:.{digits}g}" for value in values]
    return [re.sub(r"e([+-])0*", r"e\1", text).replace("e+", "e").replace("-", "−") for text in texts]


def lines(axes: "Axes", x: Sequence[float], y: Sequence[float], **style: Any) -> None:
    """Draw lines across the axes, at fractions ``x`` of their width and ``y`` of their height, all as one."""
    points = [(place, end) for place in x for end in (0.0, 1.0, math.nan)]
    points += [(end, place) for place in y for end in (0.0, 1.0, math.nan)]
    _line(axes, points, **style)


def _line(axes: "Axes", points: Sequence[tuple[float, float]], **style: Any) -> None:
    from matplotlib.lines import Line2D

    x, y = zip(*points, strict=True) if points else ((), ())
    axes.add_artist(Line2D(x, y, transform=axes.transAxes, **style)).set_clip_on(False)


def bars(axes: "Axes", counts: "NDArray[Any]", edges: "NDArray[Any]") -> None:
    """Draw counts [n] as bars between edges [n + 1]."""
    from matplotlib.collections import PolyCollection

    spans = zip(counts, edges[:-1], edges[1:], strict=True)
    corners = [[(low, 0), (low, count), (high, count), (high, 0)] for count, low, high in spans if count]
    axes.add_collection(PolyCollection(corners, facecolor=BLUE, edgecolor="white", linewidth=0.6))
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.05 * max(counts.max(), 1)))


def arrange(panels: Sequence[Sequence[tuple["Axes", Room]]], heights: Sequence[float] | None = None) -> None:
    """Place axes as lines and columns under the title, equally wide, lines as high as ``heights`` say in proportion."""
    width, height = figure_of(panels[0][0][0]).get_size_inches()
    columns = [[line[number][1] for line in panels if number < len(line)] for number in range(len(panels[0]))]
    lefts, rights = (
        [max(r.left for r in rooms) for rooms in columns],
        [max(r.right for r in rooms) for rooms in columns],
    )
    tops = [max(room.top for _, room in line) for line in panels]
    bottoms = [max(room.bottom for _, room in line) for line in panels]
    shares = heights or [1.0] * len(panels)
    wide = (width - 2 * EDGE - sum(lefts) - sum(rights) - EDGE * (len(columns) - 1)) / len(columns)
    high = (height - TITLE_BAND - EDGE * len(panels) - sum(tops) - sum(bottoms)) / sum(shares)
    top = height - TITLE_BAND
    for line, above, below, share in zip(panels, tops, bottoms, shares, strict=True):
        top -= above + share * high
        left = EDGE
        for (axes, _), before, after in zip(line, lefts, rights, strict=False):
            left += before
            place(axes, left, top, wide, share * high)
            left += wide + after + EDGE
        top -= below + EDGE


def legend(axes: "Axes", handles: Sequence[Any], labels: Sequence[str], **options: Any) -> None:
    """Name ``handles``, whatever the labels are: to matplotlib ``_`` and ``$`` in them would mean something."""
    numbers = [str(number) for number in range(len(labels))]
    box = axes.legend(handles, numbers, fontsize=9, facecolor="white", edgecolor="none", framealpha=0.85, **options)
    for text, label in zip(box.get_texts(), labels, strict=True):
        text.set_parse_math(False)
        text.set_text(plain(label))
        text.set_color(INK)


def say(axes: "Axes", text: str) -> None:
    """Write in the middle of empty axes why they are empty."""
    write(axes, 0.5, 0.5, text, fontsize=10, ha="center", va="center", backgroundcolor="white")
