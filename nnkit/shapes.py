"""Shapes of what flows through a network, without the batch axis."""

import math
from typing import TypeAlias

Shape: TypeAlias = tuple[int | None, ...]
"""Sizes of each axis but the batch's; ``None`` for an axis whose length varies from row to row."""


def size(shape: Shape) -> int:
    """Return the number of values in one row of ``shape``, counting a varying axis as one."""
    return math.prod(1 if axis is None else axis for axis in shape)


def place(axis: int, shape: Shape) -> int | None:
    """Return where ``axis`` is in ``shape``, counted as users do: 1 is the first behind the batch, -1 the last.

    None where there is no such axis; 0 would be the batch's.
    """
    index = axis - 1 if axis > 0 else axis + len(shape)
    return index if axis and 0 <= index < len(shape) else None


def show(shape: Shape) -> str:
    """Write ``shape`` as people read it: ``8 x 8 x 1``, ``? x 32``, or ``scalar``."""
    return " x ".join("?" if axis is None else str(axis) for axis in shape) or "scalar"


def pixels(amount: float, size: int) -> int:
    """Return how many of ``size`` pixels are meant: a whole number is that many, one below 1 a share of them."""
    return amount if isinstance(amount, int) else round(amount * size)
