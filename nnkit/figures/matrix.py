"""The confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnkit.figures.canvas import GREY, INK, LONGEST_LABEL, new_figure, plain, png, short

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_WITH_SHARES, MOST_WITH_COUNTS, MOST_LABELS = 12, 30, 60
"""Classes up to which a cell shows its share, up to which its count, and up to which every class has its label."""


def confusion_matrix(confusion: "NDArray[np.int64]", classes: Sequence[str]) -> bytes:
    """Draw counts [c, c] of truth (axis 0) and prediction (axis 1), coloured by each row's shares; returns PNG."""
    import numpy as np

    rows, right = int(confusion.sum()), int(np.trace(confusion))
    summary = f"{rows:,} rows, {right / rows:.1%} right" if rows else "no rows"
    figure = new_figure(*_size(classes), f"Confusion matrix ({summary})")
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _name_classes(axes, classes)
    if len(classes) <= MOST_WITH_COUNTS:
        _write_cells(axes, confusion, shares)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.ax.set_yticklabels(["0%", "25%", "50%", "75%", "100%"], fontsize=9, color=INK)
    bar.set_label("share of the true class' rows", color=INK)
    bar.outline.set_visible(False)
    return png(figure)


def _size(classes: Sequence[str]) -> tuple[float, float]:
    """Return the inches that the picture needs: for the cells, the labels and the bar of colours."""
    count, longest = len(classes), min(max(map(len, classes)), LONGEST_LABEL)
    side = max(0.85 * count, 3.4) if count <= MOST_WITH_SHARES else min(0.42 * count, 14.0)
    label = longest * (0.085 if count <= MOST_WITH_SHARES else 0.065)
    return side + label + 1.6, side + (0.7 * label if _slanted(classes) else 0.2) + 1.0


def _slanted(classes: Sequence[str]) -> bool:
    return len(classes) > MOST_WITH_SHARES or max(map(len, classes)) > 9


def _name_classes(axes: "Axes", classes: Sequence[str]) -> None:
    import numpy as np

    count = len(classes)
    shown = list(range(0, count, -(-count // MOST_LABELS)))
    names = [short(classes[index]) for index in shown]
    small = 10 if count <= MOST_WITH_SHARES else 7.5
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if _slanted(classes) else {}
    axes.set_xticks(shown, names, fontsize=small, color=INK, parse_math=False, **turn)
    axes.set_yticks(shown, names, fontsize=small, color=INK, parse_math=False)
    axes.set_xlabel(plain("predicted"), fontsize=11, color=INK)
    axes.set_ylabel(plain("truth"), fontsize=11, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5 if count <= MOST_WITH_COUNTS else 0)
    axes.tick_params(which="minor", length=0)


def _write_cells(axes: "Axes", confusion: "NDArray[np.int64]", shares: "NDArray[np.float64]") -> None:
    for (row, column), count in _cells(confusion):
        share = float(shares[row, column])
        colour = "white" if share > 0.55 else INK if count else GREY
        if len(confusion) <= MOST_WITH_SHARES:
            _write(axes, (column, row), f"{count:,}", 12, 5, colour)
            _write(axes, (column, row), f"{share:.1%}" if confusion[row].any() else "-", 8.5, -10, colour)
        elif count:
            _write(axes, (column, row), str(count), 7 if count < 1000 else 5.5, 0, colour)


def _write(axes: "Axes", cell: tuple[int, int], text: str, size: float, above: float, colour: str) -> None:
    place: dict[str, Any] = {"xytext": (0, above), "textcoords": "offset points", "ha": "center", "va": "center"}
    axes.annotate(text, cell, fontsize=size, color=colour, **place)


def _cells(confusion: "NDArray[np.int64]") -> list[tuple[tuple[int, int], int]]:
    size = range(len(confusion))
    return [((row, column), int(confusion[row, column])) for row in size for column in size]
