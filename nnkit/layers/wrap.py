"""Layers around a layer."""

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from nnkit.initializers import INITIALIZERS
from nnkit.layers.base import LAYERS, Example, Kernels, Layer, LayerChoice, ShapeError, Weight, one
from nnkit.layers.recurrent import RecurrentLayer
from nnkit.layers.repeat import Composite
from nnkit.shapes import Shape, show

if TYPE_CHECKING:
    import torch

NORMAL = INITIALIZERS.decode("normal")


@LAYERS.register("bidirectional")
class Bidirectional(Layer):
    """Reads each row in both directions, by two of one recurrent layer (Schuster and Paliwal, 1997).

    The second starts at each row's own end; its sequences are turned round again, so that both say something of the
    same step. Weights: those of the layer, as `forward_layer.kernel` and `backward_layer.kernel`.
    """

    kernels: ClassVar[Kernels] = {"forward_layer.kernel": (-1,), "backward_layer.kernel": (-1,)}
    example = Example({"layer": {"type": "lstm", "units": 3, "return_sequences": True}}, ((4, 5),))

    layer: LayerChoice = Field(
        description="The recurrent layer: simple_rnn, gru or lstm.", examples=[{"type": "lstm", "units": 64}]
    )
    merge: Literal["concatenate", "sum", "multiply", "average"] = Field(
        default="concatenate", description="How what the two directions say becomes one."
    )

    @model_validator(mode="after")
    def _is_recurrent(self) -> Self:
        if not isinstance(self.layer, RecurrentLayer):
            raise ValueError(f"bidirectional wraps simple_rnn, gru or lstm, found {self.layer.type_name}")
        for option in ("go_backwards", "stateful"):
            if getattr(self.layer, option):
                raise ValueError(f"bidirectional reads each row from both of its ends; leave {option} out of its layer")
        return self

    @property
    def directions(self) -> dict[str, RecurrentLayer]:
        """The two layers by their names."""
        layer = cast(RecurrentLayer, self.layer)
        return {"forward_layer": layer, "backward_layer": layer.model_copy(update={"go_backwards": True})}

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the layer's output shape, with twice the units where they are concatenated."""
        *steps, units = _inner(self, self.layer, one(self, inputs))
        return (*steps, 2 * cast(int, units) if self.merge == "concatenate" else units)

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the weights of both directions."""
        return {
            f"{direction}.{name}": weight
            for direction, layer in self.directions.items()
            for name, weight in layer.weights(*inputs).items()
        }

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import recurrent

        there, back = (cast(Any, layer.build(*inputs)) for layer in self.directions.values())
        return recurrent.Bidirectional(there, back, self.merge)


@LAYERS.register("time_distributed")
class TimeDistributed(Layer):
    """Applies a layer to each step by itself, as a convolution to each picture of a film.

    Input `steps x ...`, output `steps x` what the layer makes of the rest. A layer that works on the last axis, such as
    `dense`, does so without it. Weights: those of the layer, as `layer.kernel`.
    """

    example = Example({"layer": {"type": "dense", "units": 3}}, ((4, 5),))

    layer: LayerChoice = Field(description="The layer.")

    @model_validator(mode="after")
    def _is_one_layer(self) -> Self:
        if self.layer.carries:
            raise ValueError("time_distributed takes each step by itself; leave stateful out of its layer")
        if isinstance(self.layer, Composite):
            raise ValueError(f"time_distributed wraps one layer, found {self.layer.type_name}; put it into the repeat")
        return self

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the steps, and the layer's output shape of the other axes."""
        return (self._split(inputs)[0], *_inner(self, self.layer, self._split(inputs)[1]))

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the layer's weights."""
        return {f"layer.{name}": weight for name, weight in self.layer.weights(self._split(inputs)[1]).items()}

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import recurrent

        return recurrent.TimeDistributed(self.layer.build(self._split(inputs)[1]))

    def _split(self, inputs: tuple[Shape, ...]) -> tuple[int | None, Shape]:
        """Return the steps and the shape of a step."""
        shape = one(self, inputs)
        if len(shape) < 2 or None in shape[1:]:
            raise ShapeError(
                f"time_distributed needs steps and at least one more axis of known size, got {show(shape)}"
            )
        return shape[0], shape[1:]


@LAYERS.register("spectral_norm")
class SpectralNorm(Layer):
    """Divides a layer's kernel by its largest singular value, so that the layer stretches nothing (Miyato, 2018).

    It keeps the discriminator of adversarial nets from becoming too steep. The value is followed by power iteration, as
    in Keras' SpectralNormalization. Weights: those of the layer, as `layer.kernel`, and `kernel_u` (units).
    """

    example = Example({"layer": {"type": "dense", "units": 3}}, ((8,),))

    layer: LayerChoice = Field(
        description="The layer: one with kernels, such as dense or conv2d.", examples=[{"type": "dense", "units": 64}]
    )
    iterations: int = Field(default=1, gt=0, le=100, description="Steps of power iteration in each training pass.")

    @model_validator(mode="after")
    def _has_a_kernel(self) -> Self:
        kernels = [] if isinstance(self.layer, Composite | RecurrentLayer) else self.layer.kernels
        if not kernels or any("." in name for name in kernels):
            raise ValueError(
                f"spectral_norm wraps a layer with a kernel, as dense or conv2d; {self.layer.type_name} is none"
            )
        return self

    def out_shape(self, *inputs: Shape) -> Shape:
        """Return the layer's output shape."""
        return _inner(self, self.layer, one(self, inputs))

    def weights(self, *inputs: Shape) -> dict[str, Weight]:
        """Return the layer's weights, and the vector that the iteration goes on from for each kernel."""
        inner = self.layer.weights(*inputs)
        counts = {
            name: prod(inner[name].shape[axis] for axis in axes)
            for name, axes in self.layer.kernels.items()
            if name in inner
        }
        vectors = {f"{name}_u": Weight((count,), NORMAL, count, count, trained=False) for name, count in counts.items()}
        return {f"layer.{name}": weight for name, weight in inner.items()} | vectors

    def build(self, *inputs: Shape) -> "torch.nn.Module":
        """Return the module."""
        from nnkit.nn import spectral

        return spectral.SpectralNorm(self.layer.build(*inputs), self.layer.kernels, self.iterations)


def _inner(wrapper: Layer, layer: Layer, shape: Shape) -> Shape:
    try:
        return layer.out_shape(shape)
    except ShapeError as error:
        raise ShapeError(f"in {wrapper.type_name}, {error}") from error
