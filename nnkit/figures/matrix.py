"""The confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnkit.figures.canvas import GREY, INK, new_figure, plain, png, short

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_WITH_SHARES, MOST_WITH_COUNTS, MOST_LABELS = 12, 30, 60
"""Classes up to which a cell shows its share, up to which its count, and up to which every class has its label."""


def confusion_matrix(confusion: "NDArray[np.int64]", classes: Sequence[str]) -> bytes:
    """Draw counts [c, c] of truth (axis 0) and prediction (axis 1), coloured by each row's shares; returns PNG."""
    import numpy as np

    count = len(classes)
    rows, right = int(confusion.sum()), int(np.trace(confusion))
    summary = f"{rows:,} rows, {right / rows:.1%} on the diagonal" if rows else "no rows"
    side = min(max(0.95 * count, 3.4), 0.42 * count) if count > MOST_WITH_SHARES else max(0.95 * count, 3.4)
    side = min(side, 14.0)
    figure = new_figure(side + 2.2, side + 1.5, f"Confusion matrix ({summary})")
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _name_classes(axes, classes)
    if count <= MOST_WITH_COUNTS:
        _write_cells(axes, confusion, shares)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.ax.set_yticklabels(["0%", "25%", "50%", "75%", "100%"], fontsize=9, color=INK)
    bar.set_label("share of the true class' rows", color=INK)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return png(figure)


def _name_classes(axes: "Axes", classes: Sequence[str]) -> None:
    import numpy as np

    count = len(classes)
    shown = list(range(0, count, -(-count // MOST_LABELS)))
    names = [short(classes[index]) for index in shown]
    small = 10 if count <= MOST_WITH_SHARES else 7.5
    slanted = count > MOST_WITH_SHARES or max(map(len, names)) > 9
    turn: dict[str, object] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
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
    with_shares = len(confusion) <= MOST_WITH_SHARES
    for (row, column), count in _cells(confusion):
        share = float(shares[row, column])
        colour = "white" if share > 0.55 else INK if count else GREY
        if not with_shares:
            text = f"{count}" if count else ""
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7 if count < 1000 else 5.5)
            continue
        axes.text(column, row - 0.1, f"{count:,}", ha="center", va="center", color=colour, fontsize=12)
        axes.text(column, row + 0.2, f"{share:.1%}", ha="center", va="center", color=colour, fontsize=8.5)


def _cells(confusion: "NDArray[np.int64]") -> list[tuple[tuple[int, int], int]]:
    size = range(len(confusion))
    return [((row, column), int(confusion[row, column])) for row in size for column in size]
