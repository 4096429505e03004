"""The picture of codes: rows as dots in two dimensions, coloured by label or cluster."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnkit.figures.canvas import BLUE, COLOURS, arrange, legend, new_axes, new_figure, png, say, short, tidy

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = NDArray[np.int64]

SIZE = (6.6, 6.2)
UNNAMED = "#bdbdbd"
MOST_NAMED = len(COLOURS)
"""Groups with a colour of their own, the largest ones; all others share one."""


def codes(
    points: "Floats",
    groups: "Numbers",
    names: Sequence[str],
    title: str,
    axes_names: Sequence[str] = ("", ""),
    none: str = "none",
    of: int | None = None,
) -> bytes:
    """Draw points [n, 2], those of a group [n] (an index into ``names``, -1: ``none``) in one colour; returns PNG.

    ``axes_names`` are what both directions are; ``of`` says how many rows there were to choose the points from.
    """
    figure = new_figure(
        *SIZE, title if of is None or of <= len(points) else f"{title} ({len(points):,} of {of:,} rows)"
    )
    axes = new_axes(figure)
    if not len(points):
        say(axes, "no rows")
    else:
        _dots(axes, points, groups, names, none)
    first, second = axes_names
    arrange([[(axes, tidy(axes, short(first), short(second)))]])
    return png(figure)


def _dots(axes: "Axes", points: "Floats", groups: "Numbers", names: Sequence[str], none: str) -> None:
    import numpy as np

    _limits(axes, points)
    size = float(np.clip(9000 / len(points), 6, 30))
    if not names:
        _draw(axes, points, BLUE, size)
        return
    counts = np.bincount(groups[groups >= 0], minlength=len(names))
    shown = np.sort(np.argsort(-counts, kind="stable")[:MOST_NAMED])
    others = ~np.isin(groups, shown)
    handles, labels = [], []
    if others.any():
        handles.append(_draw(axes, points[others], UNNAMED, size))
        labels.append("others" if (groups[others] >= 0).any() else none)
    for colour, group in zip(COLOURS, shown.tolist(), strict=False):
        if counts[group]:
            handles.append(_draw(axes, points[groups == group], colour, size))
            labels.append(f"{short(names[group])} ({counts[group]:,})")
    legend(axes, handles, labels, loc="best", markerscale=1.5)


def _draw(axes: "Axes", points: "Floats", colour: str, size: float) -> Any:
    return axes.scatter(points[:, 0], points[:, 1], s=size, color=colour, linewidths=0, alpha=0.75)


def _limits(axes: "Axes", points: "Floats") -> None:
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.05 * (high - low) + 1e-9 + 0.5 * (high == low)
    axes.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
