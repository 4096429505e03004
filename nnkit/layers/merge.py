"""Layers with several inputs and one output."""

from functools import reduce
from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.layers.base import LAYERS, Example, Layer, ShapeError, steady
from nnkit.shapes import Shape, place, show

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PAIR = Example({}, ((8,), (8,)))


def listed(inputs: tuple[Shape, ...]) -> str:
    """Write several shapes."""
    return " and ".join(map(show, inputs))


class Elementwise(Layer):
    """A merge value by value: its inputs have one shape, but that an axis of 1 is repeated where another has more."""

    example = PAIR

    def merge(self, inputs: "tuple[Tensor, ...]") -> "Tensor":
        """Merge tensors of one shape."""
        raise TypeError(f"{type(self).__name__} does not say how it merges")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shape that all inputs have or are repeated to."""
        if len(inputs) < 2:
            raise ShapeError(f"{self.type_name} merges two or more inputs and gets {len(inputs)}; name them in inputs")
        if len({len(shape) for shape in inputs}) > 1:
            raise ShapeError(f"{self.type_name} needs inputs of one shape, got {listed(inputs)}")
        return tuple(self._axis(sizes, inputs) for sizes in zip(*inputs, strict=True))

    def _axis(self, sizes: tuple[int | None, ...], inputs: tuple[Shape, ...]) -> int | None:
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ShapeError(f"{self.type_name} needs inputs of one shape, got {listed(inputs)}")
        return wide.pop() if wide else 1

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the merge as a module."""
        from nnkit.nn import basic

        return basic.Apply(lambda *tensors: self.merge(tensors))


@LAYERS.register("add")
class Add(Elementwise):
    """Adds its inputs: with the input of a block among them, a residual connection (He and others, 2015)."""

    def merge(self, inputs: "tuple[Tensor, ...]") -> "Tensor":
        """Return the sum."""
        return reduce(lambda a, b: a + b, inputs)


@LAYERS.register("multiply")
class Multiply(Elementwise):
    """Multiplies its inputs, value by value."""

    def merge(self, inputs: "tuple[Tensor, ...]") -> "Tensor":
        """Return the product."""
        return reduce(lambda a, b: a * b, inputs)


@LAYERS.register("subtract")
class Subtract(Elementwise):
    """Subtracts the second input from the first."""

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of two inputs; raises ``ShapeError`` where there are more or less."""
        if len(inputs) != 2:
            raise ShapeError(f"subtract takes exactly two inputs and gets {len(inputs)}")
        return super().out_shape(*inputs)

    def merge(self, inputs: "tuple[Tensor, ...]") -> "Tensor":
        """Return the difference."""
        return inputs[0] - inputs[1]


@LAYERS.register("average")
class Average(Elementwise):
    """Averages its inputs, value by value."""

    def merge(self, inputs: "tuple[Tensor, ...]") -> "Tensor":
        """Return the mean."""
        return reduce(lambda a, b: a + b, inputs) / len(inputs)


@LAYERS.register("maximum")
class Maximum(Elementwise):
    """Takes the largest of its inputs, value by value."""

    def merge(self, inputs: "tuple[Tensor, ...]") -> "Tensor":
        """Return the maximum."""
        import torch

        return reduce(torch.maximum, inputs)


@LAYERS.register("minimum")
class Minimum(Elementwise):
    """Takes the smallest of its inputs, value by value."""

    def merge(self, inputs: "tuple[Tensor, ...]") -> "Tensor":
        """Return the minimum."""
        import torch

        return reduce(torch.minimum, inputs)


@LAYERS.register("concatenate")
class Concatenate(Layer):
    """Puts its inputs one behind the other along an axis; their other axes must be the same."""

    example = Example({}, ((8,), (3,)))

    axis: int = Field(default=-1, description="The axis: 1 is the first behind the batch, -1 the last.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the shape with the axes' sum; raises ``ShapeError`` where the other axes differ."""
        if len(inputs) < 2:
            raise ShapeError(f"concatenate takes two or more inputs and gets {len(inputs)}; name them in inputs")
        axis = index(self, self.axis, inputs[0])
        if axis == 0:
            steady(self, inputs, "choose another axis")
        rests = {(len(shape), shape[:axis], shape[axis + 1 :]) for shape in inputs}
        if len(rests) > 1:
            raise ShapeError(f"concatenate needs inputs that differ in axis {self.axis} alone, got {listed(inputs)}")
        sizes = [shape[axis] for shape in inputs]
        total = None if None in sizes else sum(size for size in sizes if size is not None)
        return (*inputs[0][:axis], total, *inputs[0][axis + 1 :])

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        import torch

        from nnkit.nn import basic

        axis = index(self, self.axis, inputs[0]) + 1
        return basic.Apply(lambda *tensors: torch.cat(tensors, dim=axis))


@LAYERS.register("dot")
class Dot(Layer):
    """Multiplies two inputs and sums over one axis of each: a similarity of rows, or a product of matrices."""

    example = PAIR

    axes: list[int] = Field(
        default=[-1, -1], min_length=2, max_length=2, description="Axis of each input: 1 is the first behind the batch."
    )
    normalize: bool = Field(default=False, description="Divide by the lengths along the axes: cosine similarity.")

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the axes that are not summed over, or one value; raises ``ShapeError`` where the axes differ."""
        if len(inputs) != 2:
            raise ShapeError(f"dot takes exactly two inputs and gets {len(inputs)}")
        places = [index(self, axis, shape) for axis, shape in zip(self.axes, inputs, strict=True)]
        sizes = [shape[axis] for axis, shape in zip(places, inputs, strict=True)]
        if sizes[0] != sizes[1]:
            raise ShapeError(f"dot sums over axes of one size, got {sizes[0]} and {sizes[1]} of {listed(inputs)}")
        rest = [(*shape[:axis], *shape[axis + 1 :]) for axis, shape in zip(places, inputs, strict=True)]
        return (*rest[0], *rest[1]) or (1,)

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import basic

        axes = [index(self, axis, shape) + 1 for axis, shape in zip(self.axes, inputs, strict=True)]
        return basic.Apply(basic.dot((axes[0], axes[1]), self.normalize))


def index(layer: Layer, axis: int, shape: Shape) -> int:
    """Return the place of an axis in a shape without the batch; raises ``ShapeError`` where there is none."""
    found = place(axis, shape)
    if found is None:
        raise ShapeError(f"{layer.type_name} has no axis {axis} in {show(shape)}; 1 is the first behind the batch")
    return found
