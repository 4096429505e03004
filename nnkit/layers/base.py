"""What every layer says of itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.initializers import Initializer
from nnkit.shapes import Shape

if TYPE_CHECKING:
    import torch


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


class Layer(Piece):
    """A step of a network, from the shapes of its inputs to one output."""

    kernels: ClassVar[tuple[str, ...]] = ()
    """The weights that ``l1``, ``l2`` and ``max_norm`` of the node act on."""

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the output's shape for these input shapes; raises ``ShapeError``. Plain Python, no torch."""
        raise TypeError(f"{type(self).__name__} does not say its output shape")

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the layer's weights by name: exactly the parameters and buffers of the built module."""
        return {}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the torch module; its parameters are allocated but not drawn (the network fills them)."""
        raise TypeError(f"{type(self).__name__} does not say what it builds")


LAYERS = Registry("layers", "layer", Layer, home="nnkit.layers")
LayerChoice: TypeAlias = Annotated[Layer, LAYERS]
