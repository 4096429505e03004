"""The layer that weighs channels by what is in all of them."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nnkit.activations import ACTIVATIONS, ActivationChoice
from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.axes import spatial
from nnkit.layers.base import LAYERS, Example, Kernels, OneInput, Weight, steady
from nnkit.layers.pool import FIXED
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch

ZEROS = INITIALIZERS.decode("zeros")


@LAYERS.register("squeeze_excite")
class SqueezeExcite(OneInput):
    """Multiplies each channel by a gate that a small dense net computes from the means of all (Hu and others, 2018).

    gate(activation(means @ reduce_kernel + reduce_bias) @ expand_kernel + expand_bias), with `channels / ratio` units
    between, at least 1. Input `steps x channels`, `height x width x channels` or `depth x height x width x channels`.
    """

    kernels: ClassVar[Kernels] = {"reduce_kernel": (-1,), "expand_kernel": (-1,)}
    example = Example({"ratio": 2, "activation": "tanh"}, ((3, 4, 6),), others=FIXED)

    ratio: int = Field(default=16, gt=0, description="How many times fewer units than channels there are between.")
    activation: ActivationChoice = Field(default=ACTIVATIONS.decode("relu"), description="Function of the units.")
    gate: ActivationChoice = Field(default=ACTIVATIONS.decode("sigmoid"), description="Function of the gates.")
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("glorot_uniform"), description="How the kernels are drawn before training."
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        sizes, channels = spatial(self, inputs)
        steady(self, inputs, "it takes the mean of all steps, padding too")
        return (*sizes, channels)

    def _sizes(self, inputs: tuple[Shape, ...]) -> tuple[int, int]:
        """Return the number of channels and of units between."""
        channels = spatial(self, inputs)[1]
        return channels, max(channels // self.ratio, 1)

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the kernels and biases of both layers of the small net."""
        channels, units = self._sizes(inputs)
        return {
            "reduce_kernel": Weight((channels, units), self.init, channels, units),
            "reduce_bias": Weight((units,), ZEROS, units, units),
            "expand_kernel": Weight((units, channels), self.init, units, channels),
            "expand_bias": Weight((channels,), ZEROS, channels, channels),
        }

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        return basic.SqueezeExcite(*self._sizes(inputs), self.activation.build(), self.gate.build())
