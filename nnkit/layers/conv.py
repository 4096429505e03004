"""Convolutions of series, pictures and volumes, channels last; options and sizes as in Keras 3."""

from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nnkit.initializers import INITIALIZERS, Initializer, InitializerChoice
from nnkit.layers.axes import Sizes, check_windows, per_axis, spatial
from nnkit.layers.base import LAYERS, Activated, Example, Kernels, ShapeError, Weight, steady
from nnkit.nn.windows import Window, count
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch

GLOROT, ZEROS = INITIALIZERS.decode("glorot_uniform"), INITIALIZERS.decode("zeros")


def kernel_weight(shape: tuple[int, ...], init: Initializer) -> Weight:
    """Return a kernel with the fans that Keras gives it: those of the last two axes times the receptive field."""
    field = prod(shape[:-2])
    return Weight(shape, init, field * shape[-2], field * shape[-1])


class Windowed(Activated):
    """A layer whose kernel moves over the axes of its input."""

    rank: ClassVar[int]
    """The number of axes that the kernel moves on."""

    kernel_size: Sizes = Field(description="Size of the kernel: a number, or one for each axis.", examples=[3])
    strides: Sizes = Field(default=1, description="Steps by which the kernel moves.")
    padding: Literal["valid", "same"] = Field(
        default="valid",
        description="`same` adds zeros so that strides alone make axes shorter, `valid` adds none.",
    )
    dilation_rate: Sizes = Field(
        default=1, description="Distance of a kernel's neighbours; together with strides too, which Keras refuses."
    )
    use_bias: bool = Field(default=True, description="Add a learned number to each output.")
    bias_init: InitializerChoice = Field(default=ZEROS, description="How the bias starts.")

    def channels(self, inputs: tuple[Shape, ...]) -> int:
        """Return the input's channels; raises ``ShapeError`` where its axes don't fit."""
        return spatial(self, inputs, (self.rank,))[1]

    def axes(self, option: str) -> tuple[int, ...]:
        """Return an option's number for each axis; raises ``ShapeError``."""
        return per_axis(self, option, getattr(self, option), self.rank)

    def places(self, inputs: tuple[Shape, ...]) -> Shape:
        """Return the number of the kernel's places on each axis; raises ``ShapeError`` where it is too large."""
        sizes, _ = spatial(self, inputs, (self.rank,))
        window = self.window()
        if self.padding == "valid":
            check_windows(self, "kernel_size", window.extents, sizes)
        if self.padding == "same" and window.strides[0] > 1:
            steady(self, inputs, "set padding: valid, or strides: 1")
        moves = zip(sizes, window.extents, window.strides, strict=True)
        return tuple(count(size, covered, stride, self.padding) for size, covered, stride in moves)

    def usual_steps(self, steps: int) -> int:
        """Return the kernel's usual number of places on an axis that varies."""
        return max(1, steps // self.axes("strides")[0])

    def window(self) -> Window:
        """Return the kernel's geometry; raises ``ShapeError`` where an option has not a number for each axis."""
        return Window(self.axes("kernel_size"), self.axes("strides"), self.axes("dilation_rate"), self.padding)

    def with_bias(self, size: int, **kernels: Weight) -> dict[str, Weight]:
        """Return the kernels, and a bias of ``size`` numbers where the layer has one."""
        return kernels | ({"bias": Weight((size,), self.bias_init, size, size)} if self.use_bias else {})


class Conv(Windowed):
    """A convolution."""

    kernels: ClassVar[Kernels] = {"kernel": (-1,)}

    filters: int = Field(gt=0, description="Number of channels that come out.")
    groups: int = Field(
        default=1, gt=0, description="Parts into which the channels are split, each with its own share of the filters."
    )
    init: InitializerChoice = Field(default=GLOROT, description="How the kernel is drawn before training.")

    @model_validator(mode="after")
    def _whole_groups(self) -> Self:
        if self.filters % self.groups:
            raise ValueError(f"expected filters that are a multiple of groups, found {self.filters} and {self.groups}")
        return self

    def channels(self, inputs: tuple[Shape, ...]) -> int:
        """Return the input's channels; raises ``ShapeError`` where they cannot be split into the groups."""
        channels = super().channels(inputs)
        if channels % self.groups:
            raise ShapeError(f"{self.type_name} cannot split {channels} channels into {self.groups} groups of one size")
        return channels

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the kernel's places on each axis, and ``filters``."""
        self.channels(inputs)
        return self.activated((*self.places(inputs), self.filters))

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return kernel and bias."""
        shape = (*self.axes("kernel_size"), self.channels(inputs) // self.groups, self.filters)
        return self.with_bias(self.filters, kernel=kernel_weight(shape, self.init))

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import conv

        return conv.Conv(self.window(), self.channels(inputs), self.filters, self.groups, self.use_bias, self.function)


@LAYERS.register("conv1d")
class Conv1D(Conv):
    """Moves a learned kernel along a series: each output is a weighted sum of neighbours in all channels.

    Input `steps x channels`, output `steps x filters`. Weights: `kernel`
    (kernel_size x channels / groups x filters) and `bias` (filters). The options mean what they mean in Keras.
    """

    rank = 1
    example = Example({"filters": 4, "kernel_size": 3}, ((8, 2),), others=(((None, 2),),))

    padding: Literal["valid", "same", "causal"] = Field(  # type: ignore[assignment]
        default="valid",
        description="`same` adds zeros so that strides alone make the axis shorter, `causal` only before it, so that "
        "no output sees what comes later; `valid` adds none.",
    )


@LAYERS.register("conv2d")
class Conv2D(Conv):
    """Moves a learned kernel over a picture: each output is a weighted sum of neighbours in all channels.

    Input `height x width x channels`, output `height x width x filters`. Weights: `kernel`
    (height x width x channels / groups x filters) and `bias` (filters). The options mean what they mean in Keras
    (LeCun and others, 1989).
    """

    rank = 2
    example = Example({"filters": 4, "kernel_size": 3}, ((6, 5, 2),), others=(((None, None, 2),),))


@LAYERS.register("conv3d")
class Conv3D(Conv):
    """Moves a learned kernel through a volume: each output is a weighted sum of neighbours in all channels.

    Input `depth x height x width x channels`, output `depth x height x width x filters`. Weights: `kernel`
    (depth x height x width x channels / groups x filters) and `bias` (filters).
    """

    rank = 3
    example = Example({"filters": 4, "kernel_size": 2}, ((3, 4, 5, 2),))
