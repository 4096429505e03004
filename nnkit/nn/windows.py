"""Where windows lie on an axis: the arithmetic of convolutions and pools, as Keras pads. Plain Python, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass


def extent(kernel: int, dilation: int) -> int:
    """Return how many values a kernel covers whose weights are ``dilation`` apart."""
    return (kernel - 1) * dilation + 1


def padding(size: int, window: int, stride: int, how: str) -> tuple[int, int]:
    """Return the number of zeros before and after an axis.

    ``valid`` adds none, ``causal`` only before, and ``same`` what gives a window for every ``stride`` values that
    were begun; an odd number has one more after the axis than before it.
    """
    if how == "causal":
        return window - 1, 0
    if how == "valid":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def count(size: int | None, window: int, stride: int, how: str) -> int | None:
    """Return the number of windows on an axis; below 1 where not one fits, None where the axis varies."""
    if size is None:
        return None
    return (size + sum(padding(size, window, stride, how)) - window) // stride + 1


def transposed(size: int, window: int, stride: int, how: str, extra: int | None) -> tuple[int, int]:
    """Return where the result of a transposed convolution begins in the full one, and how long it is.

    The full one has ``(size - 1) * stride + window`` values, and zeros behind. ``extra`` is ``output_padding``: None
    for ``size * stride`` values, or for ``valid`` as many as windows at every stride reach.
    """
    full = (size - 1) * stride + window
    if how == "valid":
        return 0, full + (max(stride - window, 0) if extra is None else extra)
    length = size * stride if extra is None else (size - 1) * stride + window % 2 + extra
    return max(full - length, 0) // 2, length


@dataclass(frozen=True)
class Window:
    """A kernel's size, its strides and its dilation, a number for each axis, and how the axes are padded."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str

    @property
    def extents(self) -> tuple[int, ...]:
        """How many values of each axis the window covers."""
        return tuple(map(extent, self.kernel, self.dilation))

    def pads(self, sizes: Sequence[int]) -> list[tuple[int, int]]:
        """Return the zeros before and after axes of these sizes."""
        places = zip(sizes, self.extents, self.strides, strict=True)
        return [padding(size, window, stride, self.padding) for size, window, stride in places]
