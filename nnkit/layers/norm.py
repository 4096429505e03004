"""Layers that bring values to mean 0 and variance 1, and then to a learned mean and scale."""

from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.initializers import INITIALIZERS
from nnkit.layers.axes import spatial
from nnkit.layers.base import LAYERS, Example, OneInput, ShapeError, Weight, last_axis, steady
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch

    from nnkit.engine.native import Op

ZEROS, ONES = INITIALIZERS.decode("zeros"), INITIALIZERS.decode("ones")


class Norm(OneInput):
    """A layer that normalizes, then scales and shifts the values of the last axis."""

    epsilon: float = Field(default=1e-3, gt=0, description="Added to the variance. Keras' default; torch's is 1e-5.")
    center: bool = Field(default=True, description="Add a learned `beta`.")
    scale: bool = Field(default=True, description="Multiply by a learned `gamma`.")

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return gamma and beta."""
        size = last_axis(self, inputs)
        gamma = {"gamma": Weight((size,), ONES, size, size)} if self.scale else {}
        return gamma | ({"beta": Weight((size,), ZEROS, size, size)} if self.center else {})


@LAYERS.register("batch_norm")
class BatchNorm(Norm):
    """Normalizes each feature over the batch in training, by moving averages afterwards (Ioffe and Szegedy, 2015).

    Weights: `gamma`, `beta`, `moving_mean`, `moving_variance`, each as long as the last axis. Frozen
    (`trainable: false`), it uses its moving averages in training too.
    """

    example = Example({}, others=(((3, 4, 2),), ((None, 2),)))

    momentum: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Share of the moving averages that stays. Keras' sense: 1 - torch's momentum.",
    )

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return gamma, beta and the moving averages."""
        size = last_axis(self, inputs)
        mean = Weight((size,), ZEROS, size, size, trained=False)
        variance = Weight((size,), ONES, size, size, trained=False)
        return super().weights(*inputs) | {"moving_mean": mean, "moving_variance": variance}

    def native(self, *inputs: Shape) -> "list[Op]":
        """Return the normalization."""
        from nnkit.engine.native import Op

        size = last_axis(self, inputs)
        weights = ("gamma" if self.scale else "", "beta" if self.center else "", "moving_mean", "moving_variance")
        return [Op("batch_norm", size, size, weights, constants=(self.momentum, self.epsilon), trained=True)]

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import norm

        return norm.BatchNorm(last_axis(self, inputs), self.momentum, self.epsilon, self.center, self.scale)


@LAYERS.register("layer_norm")
class LayerNorm(Norm):
    """Normalizes the values of each row over the last axis (Ba and others, 2016).

    Weights: `gamma` and `beta`, each as long as the last axis.
    """

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import norm

        return norm.LayerNorm(last_axis(self, inputs), self.epsilon, self.center, self.scale)


@LAYERS.register("group_norm")
class GroupNorm(Norm):
    """Normalizes groups of channels, each row by itself and over all its axes (Wu and He, 2018).

    Weights: `gamma` and `beta`, each as long as the last axis.
    """

    example = Example({"groups": 2}, ((3, 4, 6),), others=(((8,),), ((2, 3, 4, 2),)))

    groups: int = Field(default=32, gt=0, description="Number of groups that the channels are split into.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape; raises ``ShapeError`` where its channels cannot be split into the groups."""
        shape, channels = super().out_shape(*inputs), last_axis(self, inputs)
        steady(self, inputs, "take layer_norm")
        if channels % self.groups:
            raise ShapeError(
                f"group_norm needs groups that divide the {channels} channels, found {self.groups}; 1 always does"
            )
        if shape == (self.groups,):
            raise ShapeError(f"group_norm of single values gives zeros; take fewer groups than {self.groups}")
        return shape

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import norm

        return norm.GroupNorm(last_axis(self, inputs), self.groups, self.epsilon, self.center, self.scale)


@LAYERS.register("instance_norm")
class InstanceNorm(Norm):
    """Normalizes each channel, each row by itself and over all its axes (Ulyanov and others, 2016).

    Keras' GroupNormalization with a group for each channel; torch's has no `gamma` and `beta` unless asked for. Input
    `steps x channels`, `height x width x channels` or `depth x height x width x channels`. Weights: `gamma` and `beta`,
    each as long as the last axis.
    """

    example = Example({}, ((3, 4, 2),), others=(((8, 2),), ((2, 3, 4, 2),)))

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape; raises ``ShapeError``."""
        sizes, channels = spatial(self, inputs)
        steady(self, inputs, "take layer_norm")
        return (*sizes, channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import norm

        channels = last_axis(self, inputs)
        return norm.GroupNorm(channels, channels, self.epsilon, self.center, self.scale)
