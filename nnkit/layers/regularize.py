"""Layers that disturb their input in training and leave it alone afterwards."""

from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.layers.axes import spatial
from nnkit.layers.base import LAYERS, Example, OneInput, last_axis
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch

    from nnkit.engine.native import Op


class Rated(OneInput):
    """A layer with a rate of disturbed values."""

    example = Example({"rate": 0.4})

    rate: float = Field(ge=0, lt=1, description="Share of the values that are disturbed.")


class Dropping(Rated):
    """A layer that loses values; the native engine does so too."""

    def native(self, *inputs: Shape) -> "list[Op]":
        """Return the loss of values."""
        from nnkit.engine.native import Op

        size = last_axis(self, inputs)
        return [Op(self.type_name, size, size, constants=(self.rate,))]


@LAYERS.register("dropout")
class Dropout(Dropping):
    """Sets values to 0 in training and scales the others up, so that the mean stays (Srivastava and others, 2014)."""

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import random

        return random.Dropout(self.rate)


@LAYERS.register("input_dropout")
class InputDropout(Dropping):
    """Sets values to 0 in training and leaves the others as they are: masking noise (Vincent and others, 2008).

    Meant for a network's inputs, where 0 is the mean or stands for an unknown value; `dropout` rescales. Of tokens, put
    before their `embedding`, it makes some unknown: so a network learns what to make of words that it has never seen.
    """

    keeps_tokens = True

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import random

        return random.Dropout(self.rate, rescale=False)


@LAYERS.register("alpha_dropout")
class AlphaDropout(Dropping):
    """Dropout that keeps mean 0 and variance 1 behind `selu` (Klambauer and others, 2017)."""

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import random

        return random.AlphaDropout(self.rate)


@LAYERS.register("gaussian_dropout")
class GaussianDropout(Rated):
    """Multiplies by noise of mean 1 and deviation sqrt(rate / (1 - rate)) (Srivastava and others, 2014)."""

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import random

        return random.GaussianDropout(self.rate)


@LAYERS.register("noise")
class Noise(OneInput):
    """Adds normal noise in training: Keras' GaussianNoise."""

    example = Example({"stddev": 0.1})

    stddev: float = Field(ge=0, description="Standard deviation of the noise.")

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import random

        return random.GaussianNoise(self.stddev)


@LAYERS.register("spatial_dropout")
class SpatialDropout(Rated):
    """Sets whole channels to 0 in training and scales the others up (Tompson and others, 2015).

    For series, pictures and volumes, whose neighbours are so alike that losing single values changes little. Input
    `steps x channels`, `height x width x channels` or `depth x height x width x channels`.
    """

    example = Example({"rate": 0.4}, ((3, 4, 8),), others=(((5, 8),), ((None, 8),), ((2, 3, 4, 8),)))

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        sizes, channels = spatial(self, inputs)
        return (*sizes, channels)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import random

        return random.SpatialDropout(self.rate)
