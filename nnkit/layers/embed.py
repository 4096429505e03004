"""Layers that turn indices into vectors."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nnkit.config.paths import SpecPath
from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.base import LAYERS, Example, Kernels, Layer, ShapeError, Weight, one
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch


@LAYERS.register("embedding")
class Embedding(Layer):
    """Looks up a learned vector for each index, as `ordinal` and the transforms of text make them.

    Input `...` of indices from 0, output `... x output_dim`. Weight: `embeddings` (input_dim x output_dim).
    What is not a whole number from 0 to `input_dim - 1` is an error in the data.
    """

    kernels: ClassVar[Kernels] = {"embeddings": (0,)}
    example = Example({"input_dim": 4, "output_dim": 3}, ((2,),), below=4)

    input_dim: int | None = Field(
        default=None,
        gt=0,
        description="Number of vectors: one more than the largest index; default: the size of the input's vocabulary.",
    )
    output_dim: int = Field(gt=0, description="Length of a vector.")
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("uniform"), description="How the vectors are drawn before training."
    )
    vectors: SpecPath | None = Field(
        default=None,
        description="A file of word vectors that the words of the vocabulary begin with, `output_dim` numbers each, as "
        "GloVe, word2vec and fastText write them as text; words that it lacks are drawn. The run keeps what it needs.",
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape with an axis of ``output_dim`` behind it; raises ``ShapeError``."""
        if self.input_dim is None:
            raise ShapeError("embedding needs input_dim here: what it reads is no input of tokens with a vocabulary")
        return (*one(self, inputs), self.output_dim)

    def for_vocabulary(self, size: int) -> Layer:
        """Return the layer with a vector for each token, where it is not said how many."""
        return self.model_copy(update={"input_dim": size}) if self.input_dim is None else self

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the vectors."""
        count = self.input_dim or 0
        return {"embeddings": Weight((count, self.output_dim), self.init, count, self.output_dim)}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        return basic.Embedding(self.input_dim or 0, self.output_dim)


@LAYERS.register("time_embedding")
class TimeEmbedding(Layer):
    """Makes sines and cosines, of many wavelengths, of a time from 0 to 1: what the step of a diffusion is told by.

    Input `... x 1`, as `input.time` of the model `diffusion`; output `... x units` (Ho and others, 2020). No weights.
    """

    example = Example({"units": 6}, ((1,),))

    units: int = Field(gt=1, description="Number of outputs, half of them sines.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape with ``units`` as the last axis; raises ``ShapeError`` where it is not one time."""
        shape = one(self, inputs)
        if not shape or shape[-1] != 1:
            raise ShapeError(f"time_embedding reads one time, a last axis of 1, got {show(shape)}")
        return (*shape[:-1], self.units)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic
        from nnkit.nn.diffusion import time_waves

        return basic.Apply(lambda times: time_waves(times, self.units))
