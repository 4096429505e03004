"""Convolutions of each channel by itself, alone or followed by one that mixes the channels."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nnkit.initializers import InitializerChoice
from nnkit.layers.base import LAYERS, Example, Kernels, Weight
from nnkit.layers.conv import GLOROT, Windowed, kernel_weight
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch


class Depthwise(Windowed):
    """A convolution of each channel by kernels of its own."""

    kernels: ClassVar[Kernels] = {"kernel": (-2, -1)}

    depth_multiplier: int = Field(default=1, gt=0, description="Number of kernels, and so of outputs, a channel.")
    init: InitializerChoice = Field(default=GLOROT, description="How the kernel is drawn before training.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the kernel's places on each axis, and the channels times ``depth_multiplier``."""
        return self.activated((*self.places(inputs), self.channels(inputs) * self.depth_multiplier))

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return kernel and bias."""
        channels, multiplier = self.channels(inputs), self.depth_multiplier
        kernel = kernel_weight((*self.axes("kernel_size"), channels, multiplier), self.init)
        return self.with_bias(channels * multiplier, kernel=kernel)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import conv

        channels = self.channels(inputs)
        return conv.DepthwiseConv(self.window(), channels, self.depth_multiplier, self.use_bias, self.function)


@LAYERS.register("depthwise_conv1d")
class DepthwiseConv1D(Depthwise):
    """Moves along each channel of a series by a kernel of its own; the channels are not mixed.

    Input `steps x channels`, output `steps x (channels * depth_multiplier)`. Weights: `kernel`
    (kernel_size x channels x depth_multiplier) and `bias`.
    """

    rank = 1
    example = Example({"kernel_size": 3, "depth_multiplier": 2}, ((8, 2),), others=(((None, 3),),))


@LAYERS.register("depthwise_conv2d")
class DepthwiseConv2D(Depthwise):
    """Moves over each channel of a picture by a kernel of its own; the channels are not mixed.

    Input `height x width x channels`, output `height x width x (channels * depth_multiplier)`. Weights: `kernel`
    (height x width x channels x depth_multiplier) and `bias`.
    """

    rank = 2
    example = Example({"kernel_size": 3, "depth_multiplier": 2}, ((6, 5, 2),))


class Separable(Windowed):
    """A depthwise convolution, then one by a kernel of size 1."""

    kernels: ClassVar[Kernels] = {"depthwise_kernel": (-2, -1), "pointwise_kernel": (-1,)}

    filters: int = Field(gt=0, description="Number of channels that come out.")
    depth_multiplier: int = Field(default=1, gt=0, description="Number of kernels a channel in the first half.")
    depthwise_init: InitializerChoice = Field(default=GLOROT, description="How the first kernel is drawn.")
    pointwise_init: InitializerChoice = Field(default=GLOROT, description="How the second kernel is drawn.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the kernel's places on each axis, and ``filters``."""
        return self.activated((*self.places(inputs), self.filters))

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return both kernels and the bias."""
        channels, multiplier = self.channels(inputs), self.depth_multiplier
        first = (*self.axes("kernel_size"), channels, multiplier)
        second = (*[1] * self.rank, channels * multiplier, self.filters)
        return self.with_bias(
            self.filters,
            depthwise_kernel=kernel_weight(first, self.depthwise_init),
            pointwise_kernel=kernel_weight(second, self.pointwise_init),
        )

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import conv

        channels, multiplier = self.channels(inputs), self.depth_multiplier
        return conv.SeparableConv(self.window(), channels, multiplier, self.filters, self.use_bias, self.function)


@LAYERS.register("separable_conv1d")
class SeparableConv1D(Separable):
    """Moves along each channel of a series by itself, then mixes the channels: few weights for a large kernel.

    Input `steps x channels`, output `steps x filters`. Weights: `depthwise_kernel`
    (kernel_size x channels x depth_multiplier), `pointwise_kernel` (1 x channels * depth_multiplier x filters), `bias`.
    """

    rank = 1
    example = Example({"filters": 4, "kernel_size": 3}, ((8, 2),), others=(((None, 3),),))


@LAYERS.register("separable_conv2d")
class SeparableConv2D(Separable):
    """Moves over each channel of a picture by itself, then mixes the channels (Chollet, 2017).

    Input `height x width x channels`, output `height x width x filters`. Weights: `depthwise_kernel`
    (height x width x channels x depth_multiplier), `pointwise_kernel` (1 x 1 x channels * depth_multiplier x filters)
    and `bias`.
    """

    rank = 2
    example = Example({"filters": 4, "kernel_size": 3}, ((6, 5, 2),))
