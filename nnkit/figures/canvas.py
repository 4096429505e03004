"""What all pictures share: colours, labels, axes, the way to bytes; matplotlib's objects, not its global state."""

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, RED, GREY, LIGHT, INK = "#3b6ea5", "#dd8452", "#b8383b", "#8a8a8a", "#e6e6e6", "#262626"
COLOURS = (BLUE, ORANGE, "#55a868", RED, "#8172b3", "#937860", "#da8bc3", "#6b6b6b", "#b5a642", "#4cb0b8")
"""Ten colours that can be told apart side by side."""
DOTS_PER_INCH = 150
LONGEST_LABEL = 28


def new_figure(width: float, height: float, title: str) -> "Figure":
    """Return an empty figure of so many inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, wspace=0.03, hspace=0.03)
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout, facecolor="white")
    figure.suptitle(plain(title), fontsize=12, color=INK, parse_math=False)
    return figure


def png(figure: "Figure") -> bytes:
    """Return the figure as PNG: the same bytes for the same picture and the same matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    data = io.BytesIO()
    with warnings.catch_warnings():
        # Scripts that the font lacks are drawn as boxes; that is not the user's mistake.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        FigureCanvasAgg(figure).print_figure(data, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return data.getvalue()


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


def tidy(axes: "Axes", xlabel: str, ylabel: str, title: str = "") -> None:
    """Give axes their names, a quiet grid and no frame on the right and at the top."""
    axes.set_xlabel(plain(xlabel), color=INK, parse_math=False)
    axes.set_ylabel(plain(ylabel), color=INK, parse_math=False)
    if title:
        axes.set_title(short(title, 60), fontsize=10, color=INK, parse_math=False)
    axes.set_facecolor("white")
    axes.grid(color=LIGHT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, color=GREY, labelcolor=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)


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
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=INK, backgroundcolor="white")
