"""Transposed convolutions, which make axes longer; options and sizes as in Keras 3."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nnkit.initializers import InitializerChoice
from nnkit.layers.axes import Extras, per_axis, spatial
from nnkit.layers.base import LAYERS, Example, Kernels, ShapeError, Weight, steady
from nnkit.layers.conv import GLOROT, Windowed, kernel_weight
from nnkit.nn.windows import transposed
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch


class ConvTranspose(Windowed):
    """A transposed convolution."""

    kernels: ClassVar[Kernels] = {"kernel": (-2,)}

    padding: Literal["valid", "same"] = Field(
        default="valid",
        description="`same` makes axes as many times longer as `strides` says, `valid` keeps all that windows reach.",
    )
    filters: int = Field(gt=0, description="Number of channels that come out.")
    output_padding: Extras | None = Field(
        default=None,
        description="Values to add at the end of each axis, fewer than its stride; null: as many as `padding` says. "
        "With a number, `same` gives (size - 1) * strides + 1 values and these (one fewer where the kernel is even).",
    )
    init: InitializerChoice = Field(default=GLOROT, description="How the kernel is drawn before training.")

    def extra(self) -> tuple[int, ...] | None:
        """Return ``output_padding`` for each axis; raises ``ShapeError`` where it is not less than the stride."""
        if self.output_padding is None:
            return None
        extra, strides = per_axis(self, "output_padding", self.output_padding, self.rank), self.axes("strides")
        if any(more >= stride for more, stride in zip(extra, strides, strict=True)):
            raise ShapeError(
                f"{self.type_name} takes an output_padding that is less than strides on each axis, "
                f"found {show(extra)} and strides of {show(strides)}"
            )
        return extra

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the longer axes, and ``filters``; raises ``ShapeError`` where nothing would be left."""
        sizes, _ = spatial(self, inputs, (self.rank,))
        steady(self, inputs, "make rows longer by upsample and a convolution")
        window, extra = self.window(), self.extra() or (None,) * self.rank
        places = zip(sizes, window.extents, window.strides, extra, strict=True)
        axes = tuple(
            None if size is None else transposed(size, width, stride, self.padding, more)[1]
            for size, width, stride, more in places
        )
        if 0 in axes:
            raise ShapeError(
                f"{self.type_name} would give {show(axes)} for {show(sizes)}; leave output_padding out, "
                f"or take a kernel_size that is odd"
            )
        return self.activated((*axes, self.filters))

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return kernel and bias."""
        shape = (*self.axes("kernel_size"), self.filters, self.channels(inputs))
        return self.with_bias(self.filters, kernel=kernel_weight(shape, self.init))

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import conv

        channels = self.channels(inputs)
        return conv.ConvTranspose(self.window(), self.extra(), channels, self.filters, self.use_bias, self.function)


@LAYERS.register("conv1d_transpose")
class Conv1DTranspose(ConvTranspose):
    """Spreads each value of a series by a learned kernel: the way back of `conv1d`, to more steps.

    Input `steps x channels`, output `steps x filters`. Weights: `kernel` (kernel_size x filters x channels) and `bias`.
    """

    rank = 1
    example = Example({"filters": 4, "kernel_size": 3, "strides": 2}, ((5, 2),))


@LAYERS.register("conv2d_transpose")
class Conv2DTranspose(ConvTranspose):
    """Spreads each value of a picture by a learned kernel: the way back of `conv2d`, to a larger picture.

    Input `height x width x channels`, output `height x width x filters`. Weights: `kernel`
    (height x width x filters x channels) and `bias` (Zeiler and others, 2010).
    """

    rank = 2
    example = Example({"filters": 4, "kernel_size": 3, "strides": 2}, ((4, 3, 2),))


@LAYERS.register("conv3d_transpose")
class Conv3DTranspose(ConvTranspose):
    """Spreads each value of a volume by a learned kernel: the way back of `conv3d`, to a larger volume.

    Input `depth x height x width x channels`, output `depth x height x width x filters`. Weights: `kernel`
    (depth x height x width x filters x channels) and `bias`.
    """

    rank = 3
    example = Example({"filters": 3, "kernel_size": 2, "strides": 2}, ((2, 3, 2, 2),))
