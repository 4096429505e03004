"""The confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnkit.figures.canvas import (
    EDGE,
    GAP,
    GREY,
    INK,
    LINE,
    TITLE_BAND,
    beside,
    figure_of,
    lines,
    new_axes,
    new_figure,
    place,
    png,
    short,
    size_of,
    write,
)

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_WITH_SHARES, MOST_WITH_COUNTS, MOST_LABELS = 12, 30, 60
"""Classes up to which a cell shows its share, up to which its count, and up to which every class has its label."""
BAR, BAR_WIDTH, BAR_ROOM = 0.15, 0.22, 0.8
"""Inches: from the cells to the bar of colours, its width, and what is written beside it."""


def confusion_matrix(confusion: "NDArray[np.int64]", classes: Sequence[str]) -> bytes:
    """Draw counts [c, c] of truth (axis 0) and prediction (axis 1), coloured by each row's shares; returns PNG."""
    import numpy as np

    rows, right = int(confusion.sum()), int(np.trace(confusion))
    summary = f"{rows:,} rows, {right / rows:.1%} right" if rows else "no rows"
    figure = new_figure(1, 1, f"Confusion matrix ({summary})")
    axes, bar = new_axes(figure), new_axes(figure)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    if len(classes) <= MOST_WITH_COUNTS:
        edges = [number / len(classes) for number in range(1, len(classes))]
        lines(axes, edges, edges, color="white", linewidth=1.5)
        _write_cells(axes, confusion, shares)
    _draw_bar(bar)
    _place(axes, bar, *_name_classes(axes, classes), side=_side(len(classes)))
    return png(figure)


def _side(classes: int) -> float:
    """Return the inches of all cells together."""
    return max(0.85 * classes, 3.4) if classes <= MOST_WITH_SHARES else min(0.42 * classes, 14.0)


def _place(axes: "Axes", bar: "Axes", left: float, below: float, side: float) -> None:
    """Make the picture as large as the cells, the labels on the left and below, and the bar of colours need."""
    left, below = EDGE + LINE + GAP + left, EDGE + LINE + GAP + below
    right = BAR + BAR_WIDTH + BAR_ROOM + EDGE
    figure_of(axes).set_size_inches(left + side + right, below + side + TITLE_BAND)
    place(axes, left, below, side, side)
    place(bar, left + side + BAR, below + 0.15 * side, BAR_WIDTH, 0.7 * side)


def _name_classes(axes: "Axes", classes: Sequence[str]) -> tuple[float, float]:
    """Write the labels; returns the inches that they take on the left and below."""
    count = len(classes)
    small = 10 if count <= MOST_WITH_SHARES else 7.5
    slanted = count > MOST_WITH_SHARES or max(map(len, classes)) > 9
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {"ha": "center"}
    leftwards, downwards = beside(axes, -GAP, 0), beside(axes, 0, -GAP)
    truths, predictions = [], []
    for index in range(0, count, -(-count // MOST_LABELS)):
        name, middle = short(classes[index]), (index + 0.5) / count
        left: dict[str, Any] = {"transform": leftwards, "ha": "right", "va": "center"}
        truths.append(write(axes, 0, 1 - middle, name, fontsize=small, **left))
        predictions.append(write(axes, middle, 0, name, fontsize=small, transform=downwards, va="top", **turn))
    width, height = GAP + size_of(truths)[0], GAP + size_of(predictions)[1]
    side = beside(axes, -width - GAP, 0)
    write(
        axes,
        0,
        0.5,
        "truth",
        fontsize=11,
        transform=side,
        ha="center",
        va="bottom",
        rotation=90,
        rotation_mode="anchor",
    )
    write(axes, 0.5, 0, "predicted", fontsize=11, transform=beside(axes, 0, -height - GAP), ha="center", va="top")
    return width, height


def _draw_bar(bar: "Axes") -> None:
    """Draw what the colours mean."""
    import numpy as np

    bar.imshow(np.linspace(1, 0, 256)[:, None], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    shares = [0, 0.25, 0.5, 0.75, 1]
    for share in shares:
        write(bar, 1, share, f"{share:.0%}", transform=beside(bar, GAP, 0), va="center")
    turned: dict[str, Any] = {"rotation": 90, "rotation_mode": "anchor", "ha": "center", "va": "top"}
    write(bar, 1, 0.5, "share of the true class' rows", fontsize=10, transform=beside(bar, 0.5, 0), **turned)


def _write_cells(axes: "Axes", confusion: "NDArray[np.int64]", shares: "NDArray[np.float64]") -> None:
    higher, lower = beside(axes, 0, 5 / 72), beside(axes, 0, -10 / 72)
    for (row, column), count in _cells(confusion):
        share = float(shares[row, column])
        centre: dict[str, Any] = {
            "color": "white" if share > 0.55 else INK if count else GREY,
            "ha": "center",
            "va": "center",
        }
        x, y = (column + 0.5) / len(confusion), 1 - (row + 0.5) / len(confusion)
        if len(confusion) <= MOST_WITH_SHARES:
            written = f"{share:.1%}" if confusion[row].any() else "-"
            write(axes, x, y, f"{count:,}", fontsize=12, transform=higher, **centre)
            write(axes, x, y, written, fontsize=8.5, transform=lower, **centre)
        elif count:
            write(axes, x, y, str(count), fontsize=7 if count < 1000 else 5.5, **centre)


def _cells(confusion: "NDArray[np.int64]") -> list[tuple[tuple[int, int], int]]:
    size = range(len(confusion))
    return [((row, column), int(confusion[row, column])) for row in size for column in size]
