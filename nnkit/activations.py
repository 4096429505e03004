"""Activations: functions of a layer's values, without weights.

Those of Keras 3 that keep the shape; its `glu` halves the last axis, so it is a layer. Left out are its sparse_plus,
sparse_sigmoid and sparsemax, which torch lacks.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from pydantic import Field, field_validator

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.shapes import Shape, place, show

if TYPE_CHECKING:
    from torch import Tensor

    Function: TypeAlias = Callable[[Tensor], Tensor]


class Activation(Piece):
    """A function of a layer's values that keeps their shape."""

    torch_name: ClassVar[str] = ""
    """The function in ``torch.nn.functional`` that this is; its arguments are the piece's options."""

    def build(self) -> "Function":
        """Return the function as torch computes it."""
        from torch.nn import functional

        function: Function = getattr(functional, self.torch_name)
        options = self.model_dump()
        return (lambda x: function(x, **options)) if options else function

    def native(self) -> tuple[float, ...]:
        """Return the options as the native kernel takes them: numbers in the order of the fields."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(math.inf if value is None else float(value) for value in values)

    def misfit(self, shape: Shape) -> str | None:
        """Return why the function cannot act on values of ``shape``, or None where it can."""
        return None


ACTIVATIONS = Registry("activations", "activation", Activation, home="nnkit.activations")
ActivationChoice: TypeAlias = Annotated[Activation, ACTIVATIONS]


@ACTIVATIONS.register("linear")
class Linear(Activation):
    """The value itself."""

    def build(self) -> "Function":
        """Return the identity."""
        return lambda x: x


@ACTIVATIONS.register("relu")
class Relu(Activation):
    """max(0, x): what is negative becomes 0 (Nair and Hinton, 2010).

    The options are Keras': `max_value` from there on, x from `threshold` on, and
    `negative_slope * (x - threshold)` below.
    """

    negative_slope: float = Field(default=0.0, ge=0, description="Slope below the threshold.")
    max_value: float | None = Field(default=None, ge=0, description="Largest value that comes out.")
    threshold: float = Field(default=0.0, ge=0, description="Where values begin to pass.")

    def build(self) -> "Function":
        """Return torch's relu, or the same with a slope, a largest value and a threshold."""
        import torch
        from torch.nn import functional

        if self == Relu():
            return functional.relu
        slope, start = self.negative_slope, self.threshold
        most = math.inf if self.max_value is None else self.max_value
        return lambda x: torch.where(x >= start, x.clamp(max=most), slope * (x - start))


@ACTIVATIONS.register("relu6")
class Relu6(Activation):
    """min(max(0, x), 6)."""

    torch_name = "relu6"


@ACTIVATIONS.register("leaky_relu")
class LeakyRelu(Activation):
    """x above 0, and a small part of it below. Keras' default slope is 0.2, torch's 0.01."""

    negative_slope: float = Field(default=0.2, ge=0, description="Slope below 0.")
    torch_name = "leaky_relu"


@ACTIVATIONS.register("elu")
class Elu(Activation):
    """x above 0, alpha * (exp(x) - 1) below (Clevert and others, 2016)."""

    alpha: float = Field(default=1.0, gt=0, description="Minus the limit far below 0.")
    torch_name = "elu"


@ACTIVATIONS.register("selu")
class Selu(Activation):
    """A scaled `elu` that keeps mean 0 and variance 1 with `lecun_normal` weights (Klambauer and others, 2017)."""

    torch_name = "selu"


@ACTIVATIONS.register("celu")
class Celu(Activation):
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron, 2017)."""

    alpha: float = Field(default=1.0, gt=0, description="Minus the limit far below 0.")
    torch_name = "celu"


@ACTIVATIONS.register("gelu")
class Gelu(Activation):
    """x times the normal distribution function of x (Hendrycks and Gimpel, 2016)."""

    approximate: bool = Field(default=False, description="Compute by tanh instead of the error function.")

    def build(self) -> "Function":
        """Return torch's gelu."""
        from torch.nn import functional

        form = "tanh" if self.approximate else "none"
        return lambda x: functional.gelu(x, approximate=form)


@ACTIVATIONS.register("silu")
class Silu(Activation):
    """x * sigmoid(x), also known as swish (Elfwing and others, 2017)."""

    torch_name = "silu"


@ACTIVATIONS.register("mish")
class Mish(Activation):
    """x * tanh(softplus(x)) (Misra, 2019)."""

    torch_name = "mish"


@ACTIVATIONS.register("sigmoid")
class Sigmoid(Activation):
    """1 / (1 + exp(-x)): between 0 and 1, as a probability."""

    torch_name = "sigmoid"


@ACTIVATIONS.register("log_sigmoid")
class LogSigmoid(Activation):
    """The logarithm of the sigmoid, computed without overflow."""

    torch_name = "logsigmoid"


@ACTIVATIONS.register("hard_sigmoid")
class HardSigmoid(Activation):
    """min(max(0, x / 6 + 0.5), 1): the sigmoid in straight lines."""

    torch_name = "hardsigmoid"


@ACTIVATIONS.register("hard_silu")
class HardSilu(Activation):
    """x * hard_sigmoid(x), also known as hard swish (Howard and others, 2019)."""

    torch_name = "hardswish"


@ACTIVATIONS.register("tanh")
class Tanh(Activation):
    """The hyperbolic tangent: between -1 and 1."""

    torch_name = "tanh"


@ACTIVATIONS.register("hard_tanh")
class HardTanh(Activation):
    """x, cut off at -1 and 1."""

    torch_name = "hardtanh"


@ACTIVATIONS.register("tanh_shrink")
class TanhShrink(Activation):
    """x - tanh(x)."""

    torch_name = "tanhshrink"


@ACTIVATIONS.register("hard_shrink")
class HardShrink(Activation):
    """x where it is beyond a threshold on either side, else 0."""

    threshold: float = Field(default=0.5, ge=0, description="Values as near to 0 as this become 0.")

    def build(self) -> "Function":
        """Return torch's hardshrink."""
        from torch.nn import functional

        return lambda x: functional.hardshrink(x, self.threshold)


@ACTIVATIONS.register("soft_shrink")
class SoftShrink(Activation):
    """x moved towards 0 by a threshold, and 0 where it is nearer than that."""

    threshold: float = Field(default=0.5, ge=0, description="How far values move towards 0.")

    def build(self) -> "Function":
        """Return torch's softshrink."""
        from torch.nn import functional

        return lambda x: functional.softshrink(x, self.threshold)


@ACTIVATIONS.register("threshold")
class Threshold(Activation):
    """x above a threshold, else one number."""

    threshold: float = Field(default=0.0, description="Values up to this are replaced.")
    value: float = Field(default=0.0, description="What they are replaced by.")
    torch_name = "threshold"


@ACTIVATIONS.register("softplus")
class Softplus(Activation):
    """log(1 + exp(x)): a smooth relu."""

    torch_name = "softplus"


@ACTIVATIONS.register("softsign")
class Softsign(Activation):
    """x / (1 + abs(x))."""

    torch_name = "softsign"


@ACTIVATIONS.register("exponential")
class Exponential(Activation):
    """exp(x): positive, as a rate or a scale."""

    def build(self) -> "Function":
        """Return torch's exp."""
        import torch

        return torch.exp


@ACTIVATIONS.register("squareplus")
class Squareplus(Activation):
    """(x + sqrt(x^2 + b)) / 2: a smooth relu without exponentials (Barron, 2021)."""

    b: float = Field(default=4.0, ge=0, description="Width of the bend; 0 gives relu.")

    def build(self) -> "Function":
        """Return the formula."""
        b = self.b
        return lambda x: (x + (x.square() + b).sqrt()) / 2


class AlongAxis(Activation):
    """An activation that looks at all values along an axis."""

    axis: int = Field(default=-1, description="The axis: 1 is the first behind the batch, -1 the last.")

    @field_validator("axis")
    @classmethod
    def _not_the_batch(cls, axis: int) -> int:
        if axis == 0:
            raise ValueError("the axis 0 is the batch's; expected 1 for the first behind it, or -1 for the last")
        return axis

    def misfit(self, shape: Shape) -> str | None:
        """Return that there is no such axis in ``shape``."""
        if place(self.axis, shape) is not None:
            return None
        return f"{self.type_name} has no axis {self.axis} in {show(shape)}; -1 is the last"

    def build(self) -> "Function":
        """Return torch's function along the axis."""
        from torch.nn import functional

        function, axis = getattr(functional, self.torch_name), self.axis
        return lambda x: function(x, dim=axis)


@ACTIVATIONS.register("softmax")
class Softmax(AlongAxis):
    """exp(x) divided by its sum along an axis: probabilities of classes."""

    torch_name = "softmax"


@ACTIVATIONS.register("log_softmax")
class LogSoftmax(AlongAxis):
    """The logarithm of the softmax along an axis, computed without overflow."""

    torch_name = "log_softmax"
