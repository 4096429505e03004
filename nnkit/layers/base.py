"""What every layer says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from nnkit.activations import ACTIVATIONS, Activation, ActivationChoice
from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.initializers import Initializer
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

    from nnkit.activations import Function
    from nnkit.engine.native import Op


Kernels: TypeAlias = Mapping[str, tuple[int, ...]]
"""Names of weights, each with the axes that count units."""


class ShapeError(Exception):
    """A layer cannot take the shapes it is given; the message says what it got, what it expects and the way out."""


@dataclass(frozen=True)
class Weight:
    """One array of a layer, in Keras' layout: its shape, how it starts, whether an optimizer changes it."""

    shape: tuple[int, ...]
    initializer: Initializer
    fan_in: int
    fan_out: int
    trained: bool = True

    @property
    def size(self) -> int:
        """How many numbers the array has."""
        return prod(self.shape)


@dataclass(frozen=True)
class Example:
    """What a test can build a layer from, where its defaults and one row of eight values are not enough."""

    options: dict[str, Any]
    shapes: tuple[Shape, ...] = ((8,),)
    below: int | None = None
    """Where inputs are indices: whole numbers below this."""
    others: tuple[tuple[Shape, ...], ...] = ()
    """More shapes of inputs that the layer takes: with other axes, or axes of varying length."""
    misfit: tuple[Shape, ...] | None = None
    """Inputs too many or too few, where one instead of several, or two instead of one, are right."""


class Layer(Piece):
    """A step of a network, from the shapes of its inputs to one output."""

    kernels: ClassVar[Kernels] = {}
    """The weights that ``l1``, ``l2`` and ``max_norm`` of the node act on; the last bounds the length over all axes
    but those that count units."""
    keeps_tokens: ClassVar[bool] = False
    """Whether the layer gives tokens of the same vocabulary where it gets tokens."""
    frozen: ClassVar[bool] = False
    """Whether the layer is frozen where the spec does not say ``trainable``."""
    beside: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Options of the node that the layer reads too, by the option of its own that must stand beside them."""
    example: ClassVar[Example] = Example({})

    @property
    def carries(self) -> bool:
        """Whether the layer goes on, in training, where the batch before ended."""
        return False

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the output's shape for these input shapes; raises ``ShapeError``. Plain Python, no torch."""
        raise TypeError(f"{type(self).__name__} does not say its output shape")

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the layer's weights by name: exactly the parameters and buffers of the built module."""
        return {}

    def for_vocabulary(self, size: int) -> "Layer":
        """Return the layer as it is for an input of ``size`` tokens."""
        return self

    def of_tokens(self, count: int) -> "Layer":
        """Return the layer as it is where the data has one vocabulary, of ``count`` tokens."""
        return self

    def at_rate(self, rate: int) -> "Layer":
        """Return the layer as it is where the data is sound, of so many samples a second; raises ``ShapeError``."""
        return self

    def usual_steps(self, steps: int) -> int:
        """Return how long an axis that varies usually is in the output, where it is so long in the input."""
        return steps

    def native(self, *inputs: Shape) -> "list[Op] | None":
        """Return what the native engine does for the layer, or None where it cannot; the weights have their own names.

        A layer's input is one row of values, and so is its output.
        """
        return None

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the torch module; its parameters are allocated but not drawn (the network fills them)."""
        raise TypeError(f"{type(self).__name__} does not say what it builds")


LAYERS = Registry("layers", "layer", Layer, home="nnkit.layers")
LayerChoice: TypeAlias = Annotated[Layer, LAYERS]

LINEAR: Activation = ACTIVATIONS.decode("linear")


class Activated(Layer):
    """A layer that ends in an activation, which a loss may take over."""

    activation: ActivationChoice = Field(default=LINEAR, description="Function of the layer's values.")

    @property
    def function(self) -> "Function | None":
        """The activation as torch computes it, or None for linear."""
        return None if self.activation.type_name == "linear" else self.activation.build()

    def activated(self, shape: Shape) -> Shape:
        """Return ``shape``, which the activation keeps; raises ``ShapeError`` where it cannot act on it."""
        if reason := self.activation.misfit(shape):
            raise ShapeError(reason)
        return shape

    def native_activation(self, size: int) -> "list[Op]":
        """Return the native engine's op for the activation of rows of ``size`` values; none for linear."""
        from nnkit.engine.native import Op

        kind = self.activation.type_name
        if kind == "linear":
            return []
        return [Op("activation", size, size, activation=kind, constants=self.activation.native())]

    def linear(self) -> "Activated":
        """Return the layer without its activation."""
        return self.model_copy(update={"activation": LINEAR})


class OneInput(Layer):
    """A layer with one input whose output has the same shape."""

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the input's shape."""
        return one(self, inputs)


def one(layer: Layer, inputs: tuple[Shape, ...]) -> Shape:
    """Return the only input shape; raises ``ShapeError`` where there are more."""
    if len(inputs) != 1:
        raise ShapeError(
            f"{layer.type_name} takes one input and gets {len(inputs)}; merge them first, as by concatenate"
        )
    return inputs[0]


def last_axis(layer: Layer, inputs: tuple[Shape, ...]) -> int:
    """Return the size of the only input's last axis; raises ``ShapeError`` where it has none or it varies."""
    shape = one(layer, inputs)
    if not shape or shape[-1] is None:
        raise ShapeError(f"{layer.type_name} needs a last axis of known size, got {show(shape)}")
    return shape[-1]


def fixed(layer: Layer, inputs: tuple[Shape, ...]) -> tuple[int, ...]:
    """Return the only input shape, whose sizes must all be known; raises ``ShapeError``."""
    shape = one(layer, inputs)
    sizes = tuple(axis for axis in shape if axis is not None)
    if len(sizes) < len(shape):
        raise ShapeError(f"{layer.type_name} needs axes of known size, got {show(shape)}")
    return sizes


def steady(layer: Layer, inputs: tuple[Shape, ...], way_out: str) -> None:
    """Raise ``ShapeError`` where the first axis of an input varies from row to row."""
    if any(shape and shape[0] is None for shape in inputs):
        shapes = " and ".join(map(show, inputs))
        raise ShapeError(f"{layer.type_name} needs rows of one length here, got {shapes}; {way_out}")
