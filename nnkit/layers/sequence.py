"""Layers that tell steps their places, or make one vector of all steps."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.base import LAYERS, Example, Layer, OneInput, ShapeError, Weight, one
from nnkit.layers.recurrent import steps_and_features
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

SEQUENCE = Example({}, ((4, 6),))


class Positions(OneInput):
    """A layer that tells each step its place; `steps x features` keep their shape."""

    example = SEQUENCE

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape; raises ``ShapeError`` where that is no sequence of vectors."""
        return steps_and_features(self, one(self, inputs))


@LAYERS.register("position_embedding")
class PositionEmbedding(Positions):
    """Adds a learned vector to each step, by its place in the row (Gehring and others, 2017).

    Weight: `embeddings` (max_length x features).
    """

    example = Example({"max_length": 4}, ((4, 6),))

    max_length: int = Field(gt=0, description="Number of places: the steps of the longest row.")
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("uniform"), description="How the vectors are drawn before training."
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape; raises ``ShapeError`` where it has more steps than there are places."""
        steps, features = steps_and_features(self, one(self, inputs))
        if steps is not None and steps > self.max_length:
            raise ShapeError(f"position_embedding knows {self.max_length} places, got {steps} steps; set max_length")
        return steps, features

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the vectors."""
        size = steps_and_features(self, one(self, inputs))[1]
        return {"embeddings": Weight((self.max_length, size), self.init, self.max_length, size)}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import positions

        return positions.PositionEmbedding(self.max_length, steps_and_features(self, one(self, inputs))[1])


@LAYERS.register("sinusoidal_position")
class SinusoidalPosition(Positions):
    """Adds sines and cosines of each step's place, nothing learned and for any length (Vaswani and others, 2017)."""

    max_wavelength: float = Field(default=10_000.0, gt=1, description="The longest wave is 2 pi times this.")

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import positions

        return positions.SinusoidalPosition(self.max_wavelength)


@LAYERS.register("rotary_position")
class RotaryPosition(Positions):
    """Turns pairs of a step's values by an angle that grows with its place (Su and others, 2021).

    For queries and keys of an `attention`; multi_head_attention and the transformer blocks do so by `rotary: true`.
    """

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape; raises ``ShapeError`` where its features are odd in number."""
        steps, features = steps_and_features(self, one(self, inputs))
        if features % 2:
            raise ShapeError(
                f"rotary_position turns pairs of features, got {features}; make that even by a dense layer"
            )
        return steps, features

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import positions

        return positions.RotaryPosition()


class OverSteps(Layer):
    """A layer that makes one step of all: `steps x ...` becomes `...`."""

    example = SEQUENCE

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of a step; raises ``ShapeError`` where there are no steps, or steps of varying size."""
        shape = one(self, inputs)
        if len(shape) < 2 or None in shape[1:]:
            raise ShapeError(
                f"{self.type_name} needs steps and behind them axes of known size, got {show(shape)}; "
                f"a recurrent layer gives all its steps with return_sequences: true"
            )
        return shape[1:]


@LAYERS.register("last_step")
class LastStep(OverSteps):
    """Takes each row's last step; a row without steps gives zeros."""

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import positions

        return positions.LastStep()


@LAYERS.register("sequence_pool")
class SequencePool(OverSteps):
    """Brings the steps of each row together, up to its own end; a row without steps gives zeros."""

    mode: Literal["mean", "max", "sum"] = Field(default="mean", description="What is taken over the steps.")

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import positions

        return positions.SequencePool(self.mode)


@LAYERS.register("repeat_vector")
class RepeatVector(Layer):
    """Gives each row as so many equal steps: Keras' RepeatVector, by which a decoder makes a sequence of a code.

    Input `features`, output `n x features`.
    """

    example = Example({"n": 3})

    n: int = Field(gt=0, description="Number of steps.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the steps and the features; raises ``ShapeError`` where the input has other axes."""
        shape = one(self, inputs)
        if len(shape) != 1:
            raise ShapeError(
                f"repeat_vector needs one axis of features, got {show(shape)}; put a flatten in front of it"
            )
        return (self.n, *shape)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        return basic.Apply(lambda x: x[:, None].expand(-1, self.n, -1))
