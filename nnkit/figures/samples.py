"""Samples of a generative model, drawn as what they are: pictures, or points of the plane."""

import math
from typing import TYPE_CHECKING, Any

from nnkit.figures.canvas import BLUE, arrange, new_axes, new_figure, png, tidy
from nnkit.figures.pictures import Tile, picture_grid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_SIDE = 4
"""Rows of so many times so many numbers, or of more, are drawn as square pictures."""


def picture_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return height, width and channels of rows that can be drawn as pictures, or None for others.

    A row of a square number of values, at least 16, is a grey picture of as many lines as columns.
    """
    if len(shape) == 3:
        return (shape[0], shape[1], shape[2])
    if len(shape) == 2:
        return (shape[0], shape[1], 1)
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    return (side, side, 1) if side >= LEAST_SIDE and side * side == shape[0] else None


def samples(rows: "NDArray[np.floating]", title: str, low: float = 0.0, high: float = 1.0) -> bytes | None:
    """Draw rows [n, ...] as pictures in lines of equal length, or rows of two numbers as points; returns PNG.

    In pictures, ``low`` is black and ``high`` white. None where rows are neither.
    """
    shape = picture_shape(rows.shape[1:])
    if shape is not None:
        pictures = (rows.reshape(len(rows), *shape) - low) / (high - low)
        wide = math.ceil(math.sqrt(len(rows)))
        tiles = [Tile(picture) for picture in pictures]
        return picture_grid([tiles[start : start + wide] for start in range(0, len(tiles), wide)], [], title)
    return _points(rows, title) if rows.shape[1:] == (2,) else None


def _points(rows: "NDArray[Any]", title: str) -> bytes:
    figure = new_figure(5.0, 4.6, title)
    axes = new_axes(figure)
    axes.scatter(rows[:, 0], rows[:, 1], s=9, color=BLUE, linewidths=0, alpha=0.6)
    arrange([[(axes, tidy(axes, "first value", "second value", ""))]])
    return png(figure)
