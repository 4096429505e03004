"""Layers that change the shape of a row and none of its values."""

from math import prod
from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.layers.base import LAYERS, Example, Layer, ShapeError, fixed, one, steady
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch


@LAYERS.register("flatten")
class Flatten(Layer):
    """Puts all values of a row into one axis."""

    example = Example({}, ((2, 4),))

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return one axis."""
        return (prod(fixed(self, inputs)),)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        return basic.Apply(lambda x: x.flatten(1))


@LAYERS.register("reshape")
class Reshape(Layer):
    """Gives a row another shape, the last axis running fastest."""

    example = Example({"shape": [2, -1]})

    shape: list[int] = Field(
        min_length=1, max_length=8, description="The new axes; one of them may be -1: what is left."
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the new shape; raises ``ShapeError`` where the values don't fill it."""
        old, known = prod(fixed(self, inputs)), prod(axis for axis in self.shape if axis != -1)
        if any(axis < -1 or axis == 0 for axis in self.shape) or self.shape.count(-1) > 1:
            raise ShapeError(f"reshape takes axes of 1 or more and at most one -1, got {self.shape}")
        if known != old and (-1 not in self.shape or old % known):
            raise ShapeError(f"reshape cannot put the {old} values of {show(inputs[0])} into {self.shape}")
        return tuple(old // known if axis == -1 else axis for axis in self.shape)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        shape = fixed(self, (self.out_shape(*inputs),))
        return basic.Apply(lambda x: x.reshape(len(x), *shape))


@LAYERS.register("permute")
class Permute(Layer):
    """Puts the axes of a row into another order: Keras' Permute."""

    example = Example({"dims": [2, 1]}, ((2, 4),))

    dims: list[int] = Field(
        min_length=1,
        max_length=8,
        description="The axes in their new order; 1 is the first behind the batch.",
        examples=[[2, 1]],
    )

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the axes in their new order; raises ``ShapeError`` where ``dims`` does not name each of them once."""
        shape = one(self, inputs)
        if sorted(self.dims) != list(range(1, len(shape) + 1)):
            raise ShapeError(
                f"permute needs dims that name each axis of {show(shape)} once, 1 to {len(shape)}, found {self.dims}"
            )
        if self.dims[0] != 1:
            steady(self, inputs, "leave the first axis where it is")
        return tuple(shape[axis - 1] for axis in self.dims)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        order = (0, *self.dims)
        return basic.Apply(lambda x: x.permute(order))
