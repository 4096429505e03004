"""Pools: layers that keep the largest value, or the mean, of neighbours; options and sizes as in Keras 3."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nnkit.layers.axes import Sizes, check_windows, per_axis, spatial
from nnkit.layers.base import LAYERS, Example, Layer, steady
from nnkit.nn.windows import count
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch

FIXED = (((8, 2),), ((4, 3, 5, 2),))
EVERY_RANK = (*FIXED, ((None, 2),))


class Pool(Layer):
    """A pool over windows."""

    example = Example({}, ((6, 5, 2),), others=FIXED)
    largest: ClassVar[bool]

    pool_size: Sizes = Field(default=2, description="Size of the window: a number, or one for each axis.")
    strides: Sizes | None = Field(default=None, description="Steps by which the window moves; null: the window's size.")
    padding: Literal["valid", "same"] = Field(
        default="valid",
        description="`valid` leaves out what no whole window covers, `same` lets windows hang over the ends.",
    )

    def geometry(self, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return size and strides of the window on each axis; raises ``ShapeError``."""
        size = per_axis(self, "pool_size", self.pool_size, rank)
        return size, size if self.strides is None else per_axis(self, "strides", self.strides, rank)

    def usual_steps(self, steps: int) -> int:
        """Return the usual number of windows on an axis that varies."""
        strides = self.pool_size if self.strides is None else self.strides
        return max(1, steps // (strides if isinstance(strides, int) else strides[0]))

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the number of windows on each axis, and the channels."""
        sizes, channels = spatial(self, inputs)
        windows, strides = self.geometry(len(sizes))
        if self.padding == "valid":
            check_windows(self, "pool_size", windows, sizes)
        else:
            steady(self, inputs, "set padding: valid")
        moves = zip(sizes, windows, strides, strict=True)
        return (*(count(size, window, stride, self.padding) for size, window, stride in moves), channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import pool

        sizes, _ = spatial(self, inputs)
        return pool.Pool(self.largest, *self.geometry(len(sizes)), self.padding == "same")


@LAYERS.register("max_pool")
class MaxPool(Pool):
    """Keeps the largest value of each window, channel by channel.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`; the output has as many
    axes.
    """

    largest = True


@LAYERS.register("average_pool")
class AveragePool(Pool):
    """Keeps the mean of each window, channel by channel; what hangs over the ends does not count.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`; the output has as many
    axes.
    """

    largest = False


class GlobalPool(Layer):
    """A pool over all axes."""

    example = Example({}, ((6, 5, 2),), others=EVERY_RANK)
    largest: ClassVar[bool]

    keepdims: bool = Field(default=False, description="Keep each axis, with a size of 1.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the channels, with axes of 1 before them where ``keepdims`` says so."""
        sizes, channels = spatial(self, inputs)
        return (*([1] * len(sizes) if self.keepdims else []), channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import pool

        return pool.GlobalPool(self.largest, self.keepdims)


@LAYERS.register("global_max_pool")
class GlobalMaxPool(GlobalPool):
    """Keeps the largest value of each channel.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`, output `channels`.
    """

    largest = True


@LAYERS.register("global_average_pool")
class GlobalAveragePool(GlobalPool):
    """Keeps the mean of each channel: the usual step from a picture to a row (Lin and others, 2013).

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`, output `channels`.
    """

    largest = False


class AdaptivePool(Layer):
    """A pool to axes of a wanted size."""

    example = Example({"output_size": 3}, ((7, 5, 2),), others=FIXED)
    largest: ClassVar[bool]

    output_size: Sizes = Field(description="Size of each axis that comes out: a number, or one for each.", examples=[4])

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the wanted size of each axis, and the channels."""
        sizes, channels = spatial(self, inputs)
        steady(self, inputs, "take sequence_pool, or a global pool")
        return (*per_axis(self, "output_size", self.output_size, len(sizes)), channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import pool

        return pool.AdaptivePool(self.largest, self.out_shape(*inputs)[:-1])  # type: ignore[arg-type]


@LAYERS.register("adaptive_max_pool")
class AdaptiveMaxPool(AdaptivePool):
    """Keeps the largest value of windows that are as large as it takes to get `output_size` of them.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`; the output has as many
    axes. Window i of n covers the values from floor(i * size / n) to ceil((i + 1) * size / n).
    """

    largest = True


@LAYERS.register("adaptive_average_pool")
class AdaptiveAveragePool(AdaptivePool):
    """Keeps the mean of windows that are as large as it takes to get `output_size` of them.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`; the output has as many
    axes. Window i of n covers the values from floor(i * size / n) to ceil((i + 1) * size / n).
    """

    largest = False
