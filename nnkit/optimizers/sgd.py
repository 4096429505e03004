"""Gradient descent, and the optimizers that divide the gradient by its own size."""

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from nnkit.optimizers import EPSILON, OPTIMIZERS, WEIGHT_DECAY, Optimizer

if TYPE_CHECKING:
    from nnkit.engine.native import Rule


@OPTIMIZERS.register("sgd")
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum where it is asked for (Sutskever and others, 2013).

    Keras' default learning rate is 0.01, and its momentum takes the learning rate in: the same steps as torch's as long
    as the rate stays the same.
    """

    torch_name = "SGD"
    fused_on = ("cpu", "cuda")

    momentum: float = Field(default=0.0, ge=0, lt=1, description="Share of the last step that is made again.")
    nesterov: bool = Field(default=False, description="Look ahead by the momentum (Nesterov); needs momentum.")
    weight_decay: float = Field(default=0.0, ge=0, description=WEIGHT_DECAY)

    @model_validator(mode="after")
    def _momentum_for_nesterov(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov: true needs a momentum greater than 0, such as momentum: 0.9")
        return self

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        from nnkit.engine.native import Rule

        slots = ("momentum_buffer",) if self.momentum else ()
        return Rule("sgd", (self.weight_decay, self.momentum, float(self.nesterov)), slots=slots)


@OPTIMIZERS.register("rmsprop")
class RMSprop(Optimizer):
    """Divides the gradient by the root of the running mean of its square (Hinton, 2012).

    Keras' defaults are lr 0.001, alpha (there ``rho``) 0.9 and eps 1e-7, which it adds under the root, not to it.
    """

    torch_name = "RMSprop"

    lr: float = Field(default=1e-2, gt=0, description="Learning rate before any schedule.")
    alpha: float = Field(default=0.99, ge=0, lt=1, description="Factor of the running mean of the square.")
    eps: float = Field(default=1e-8, gt=0, description=EPSILON)
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Share of the last step that is made again.")
    centered: bool = Field(default=False, description="Divide by the running deviation instead of the mean square.")
    weight_decay: float = Field(default=0.0, ge=0, description=WEIGHT_DECAY)

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        from nnkit.engine.native import Rule

        options = (self.weight_decay, self.alpha, 0.0, self.eps, self.momentum, float(self.centered))
        momentum = ("momentum_buffer",) if self.momentum else ()
        mean = ("grad_avg",) if self.centered else ()
        return Rule("rmsprop", options, slots=("square_avg", *momentum, *mean))


@OPTIMIZERS.register("adagrad")
class Adagrad(Optimizer):
    """Divides the gradient by the root of the sum of its squares so far (Duchi and others, 2011).

    Keras' defaults are lr 0.001, a first sum of 0.1 and eps 1e-7, which it adds under the root, not to it.
    """

    torch_name = "Adagrad"
    fused_on = ("cpu",)  # On CUDA only newer releases of torch than nnkit asks for have it.

    lr: float = Field(default=1e-2, gt=0, description="Learning rate before any schedule.")
    lr_decay: float = Field(default=0.0, ge=0, description="The rate is divided by 1 + lr_decay * steps so far.")
    initial_accumulator_value: float = Field(default=0.0, ge=0, description="The sum of squares at the start.")
    eps: float = Field(default=1e-10, gt=0, description=EPSILON)
    weight_decay: float = Field(default=0.0, ge=0, description=WEIGHT_DECAY)

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        from nnkit.engine.native import Rule

        options = (self.weight_decay, self.lr_decay, 0.0, self.eps)
        return Rule("adagrad", options, slots=("sum",), start=self.initial_accumulator_value)


@OPTIMIZERS.register("adadelta")
class Adadelta(Optimizer):
    """Steps of the size of the last steps, divided by that of the last gradients (Zeiler, 2012).

    Keras' defaults are lr 0.001, rho 0.95 and eps 1e-7; the paper has no learning rate, which is lr 1.
    """

    torch_name = "Adadelta"

    lr: float = Field(default=1.0, gt=0, description="Learning rate before any schedule.")
    rho: float = Field(default=0.9, ge=0, lt=1, description="Factor of the running means.")
    eps: float = Field(default=1e-6, gt=0, description="Added under both roots, so that the first step is not 0.")
    weight_decay: float = Field(default=0.0, ge=0, description=WEIGHT_DECAY)

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        from nnkit.engine.native import Rule

        options = (self.weight_decay, self.rho, 0.0, self.eps)
        return Rule("adadelta", options, slots=("square_avg", "acc_delta"))
