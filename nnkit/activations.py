"""Activations: functions of a layer's values, without weights."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from pydantic import Field

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry

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
    """max(0, x): what is negative becomes 0 (Nair and Hinton, 2010)."""

    torch_name = "relu"


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


@ACTIVATIONS.register("softmax")
class Softmax(Activation):
    """exp(x) divided by its sum over the last axis: probabilities of classes."""

    def build(self) -> "Function":
        """Return softmax over the last axis."""
        from torch.nn import functional

        return lambda x: functional.softmax(x, dim=-1)


@ACTIVATIONS.register("log_softmax")
class LogSoftmax(Activation):
    """The logarithm of the softmax over the last axis, computed without overflow."""

    def build(self) -> "Function":
        """Return log-softmax over the last axis."""
        from torch.nn import functional

        return lambda x: functional.log_softmax(x, dim=-1)
