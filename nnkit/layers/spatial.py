"""Layers that make axes of space longer or shorter without weights; options as in Keras 3."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from nnkit.layers.axes import AXES, Extra, Sizes, per_axis, spatial, wrong_count
from nnkit.layers.base import LAYERS, Example, Layer, ShapeError, steady
from nnkit.layers.pool import EVERY_RANK
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

Ends: TypeAlias = Annotated[list[Extra], Field(min_length=2, max_length=2)]
Pads: TypeAlias = Extra | Annotated[list[Extra | Ends], Field(min_length=1, max_length=3)]
"""A number for both ends of all axes, or for each axis a number or one before and one after it."""


@LAYERS.register("upsample")
class Upsample(Layer):
    """Makes each axis longer by a whole factor: Keras' UpSampling1D, 2D and 3D.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`; the output has as many
    axes. `bilinear` is for `height x width x channels`.
    """

    example = Example({}, ((3, 4, 2),))

    size: Sizes = Field(default=2, description="Factors: a number, or one for each axis.")
    interpolation: Literal["nearest", "bilinear"] = Field(
        default="nearest", description="`nearest` repeats values, `bilinear` goes from one to the next in a line."
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the axes times the factors; raises ``ShapeError`` for ``bilinear`` over other axes than two."""
        sizes, channels = spatial(self, inputs)
        if self.interpolation == "bilinear" and len(sizes) != 2:
            raise ShapeError(
                f"upsample with interpolation: bilinear needs {AXES[2]} x channels, got {show(inputs[0])}; "
                f"take interpolation: nearest"
            )
        if self.interpolation == "bilinear":
            steady(self, inputs, "take interpolation: nearest")
        factors = per_axis(self, "size", self.size, len(sizes))
        longer = (None if size is None else size * factor for size, factor in zip(sizes, factors, strict=True))
        return (*longer, channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import spatial as modules

        sizes, _ = spatial(self, inputs)
        if self.interpolation == "bilinear":
            steady(self, inputs, "take interpolation: nearest")
        factors = per_axis(self, "size", self.size, len(sizes))
        return modules.Upsample(factors, self.interpolation == "bilinear")


def pairs(layer: Layer, option: str, value: int | list[int | list[int]], rank: int) -> list[tuple[int, int]]:
    """Return the numbers before and after each axis; raises ``ShapeError`` where a list has not one for each.

    As in Keras, a list of two numbers for one axis is what comes before it and after it.
    """
    if isinstance(value, int):
        return [(value, value)] * rank
    if rank == 1 and len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], int):
        return [(value[0], value[1])]
    if len(value) != rank:
        raise ShapeError(wrong_count(layer, option, len(value), rank))
    return [(entry, entry) if isinstance(entry, int) else (entry[0], entry[1]) for entry in value]


@LAYERS.register("zero_pad")
class ZeroPad(Layer):
    """Puts zeros before and after each axis: Keras' ZeroPadding1D, 2D and 3D.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`; the output has as many
    axes. `padding: [1, 2]` puts 1 above and below and 2 left and right of a picture, `[[1, 0], [2, 3]]` 1 above, 2 left
    and 3 right; for a series, `[1, 2]` puts 1 before and 2 behind.
    """

    example = Example({}, ((3, 4, 2),), others=EVERY_RANK)

    padding: Pads = Field(
        default=1, description="Zeros at both ends: a number, or for each axis a number or a list [before, after]."
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the longer axes, and the channels."""
        sizes, channels = spatial(self, inputs)
        pads = pairs(self, "padding", self.padding, len(sizes))
        return (*(None if size is None else size + sum(pad) for size, pad in zip(sizes, pads, strict=True)), channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import spatial as modules

        sizes, _ = spatial(self, inputs)
        return modules.Pad(pairs(self, "padding", self.padding, len(sizes)))


@LAYERS.register("crop")
class Crop(Layer):
    """Takes values off before and after each axis: Keras' Cropping1D, 2D and 3D.

    Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`; the output has as many
    axes. `cropping: [1, 2]` takes 1 off above and below and 2 left and right of a picture, `[[1, 0], [2, 3]]` 1 above,
    2 left and 3 right; for a series, `[1, 2]` takes 1 off before and 2 behind.
    """

    example = Example({"cropping": 1}, ((3, 4, 2),), others=EVERY_RANK)

    cropping: Pads = Field(
        description="Values to take off at both ends: a number, or for each axis a number or a list [before, after].",
        examples=[1],
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shorter axes, and the channels; raises ``ShapeError`` where nothing would be left."""
        sizes, channels = spatial(self, inputs)
        crops = pairs(self, "cropping", self.cropping, len(sizes))
        left = [None if size is None else size - sum(crop) for size, crop in zip(sizes, crops, strict=True)]
        if any(size is not None and size < 1 for size in left):
            raise ShapeError(
                f"crop takes {show(tuple(map(sum, crops)))} off {show(sizes)}, which leaves nothing; make cropping less"
            )
        return (*left, channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import spatial as modules

        sizes, _ = spatial(self, inputs)
        crops = pairs(self, "cropping", self.cropping, len(sizes))
        return modules.Pad([(-before, -after) for before, after in crops])
