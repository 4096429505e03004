"""Layers that connect every value with every unit, and those that only apply a function."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from nnkit.activations import ActivationChoice
from nnkit.initializers import INITIALIZERS, InitializerChoice
from nnkit.layers.base import (
    LAYERS,
    Activated,
    Example,
    Kernels,
    Layer,
    OneInput,
    ShapeError,
    Weight,
    fixed,
    last_axis,
    one,
)
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

    from nnkit.engine.native import Op

ZEROS = INITIALIZERS.decode("zeros")


@LAYERS.register("dense")
class Dense(Activated):
    """Connects every value of the last axis with every unit: activation(x @ kernel + bias).

    Input `... x inputs`, output `... x units`. Weights: `kernel` (inputs x units) and `bias` (units).
    """

    kernels: ClassVar[Kernels] = {"kernel": (-1,)}
    example = Example({"units": 3})

    units: Annotated[int, Field(gt=0)] | Literal["vocabulary"] = Field(
        description="Number of outputs; `vocabulary`: one for each token of a language model's text, and the unknown."
    )
    use_bias: bool = Field(default=True, description="Add a learned number to each output.")
    init: InitializerChoice = Field(
        default=INITIALIZERS.decode("glorot_uniform"), description="How the kernel is drawn before training."
    )
    bias_init: InitializerChoice = Field(default=ZEROS, description="How the bias starts.")

    @property
    def size(self) -> int:
        """The number of units; raises ``ShapeError`` where it is the vocabulary's and nobody has said that."""
        if self.units == "vocabulary":
            raise ShapeError("dense counts the tokens of the data's vocabulary, and there is not one; set units")
        return self.units

    def of_tokens(self, count: int) -> Layer:
        """Return the layer with a unit for each token, where it asks for that."""
        return self.model_copy(update={"units": count}) if self.units == "vocabulary" else self

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape with the last axis of ``units``."""
        last_axis(self, inputs)
        return self.activated((*one(self, inputs)[:-1], self.size))

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return kernel and bias."""
        size, units = last_axis(self, inputs), self.size
        weights = {"kernel": Weight((size, units), self.init, size, units)}
        return weights | ({"bias": Weight((units,), self.bias_init, units, units)} if self.use_bias else {})

    def native(self, *inputs: Shape) -> "list[Op]":
        """Return a product and the activation."""
        from nnkit.engine.native import Op

        weights = ("kernel", "bias") if self.use_bias else ("kernel",)
        product = Op("dense", last_axis(self, inputs), self.size, weights, trained=True)
        return [product, *self.native_activation(self.size)]

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the dense module."""
        from nnkit.nn import basic

        return basic.Dense(last_axis(self, inputs), self.size, self.use_bias, self.function)


@LAYERS.register("activation")
class ActivationLayer(Activated):
    """Applies an activation as a layer of its own."""

    example = Example({"activation": "relu"})

    activation: ActivationChoice = Field(description="Function of the values.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        return self.activated(one(self, inputs))

    def native(self, *inputs: Shape) -> "list[Op]":
        """Return the activation."""
        return self.native_activation(last_axis(self, inputs))

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the activation as a module."""
        from nnkit.nn import basic

        return basic.Apply(self.activation.build())


@LAYERS.register("glu")
class Glu(Layer):
    """Multiplies the first half of the last axis by the sigmoid of the second (Dauphin and others, 2017).

    Input `... x 2n`, output `... x n`.
    """

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape with half the last axis; raises ``ShapeError`` where that is odd."""
        size = last_axis(self, inputs)
        if size % 2:
            raise ShapeError(f"glu halves the last axis, whose size must be even, got {show(inputs[0])}")
        return (*inputs[0][:-1], size // 2)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from torch.nn import functional

        from nnkit.nn import basic

        return basic.Apply(functional.glu)


@LAYERS.register("prelu")
class PRelu(OneInput):
    """max(0, x) + alpha * min(0, x) with an alpha learned for each value of a row (He and others, 2015)."""

    init: InitializerChoice = Field(default=ZEROS, description="How alpha starts; torch starts at 0.25, Keras at 0.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape, whose sizes must all be known."""
        return fixed(self, inputs)

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return alpha."""
        shape = fixed(self, inputs)
        return {"alpha": Weight(shape, self.init, 1, 1)}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        return basic.PRelu(fixed(self, inputs))


@LAYERS.register("scale")
class Scale(OneInput):
    """Multiplies by one number, fixed or learned."""

    factor: float = Field(default=1.0, description="The number, or what it starts from.")
    learned: bool = Field(default=False, description="Whether training changes the number.")

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the factor where it is learned."""
        start = INITIALIZERS.decode({"type": "constant", "value": self.factor})
        return {"factor": Weight((), start, 1, 1)} if self.learned else {}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        factor = self.factor
        return basic.Scale() if self.learned else basic.Apply(lambda x: x * factor)
