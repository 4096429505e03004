"""Adam and what came of it."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from nnkit.optimizers import EPSILON, OPTIMIZERS, WEIGHT_DECAY, Optimizer, Share

if TYPE_CHECKING:
    from nnkit.engine.native import Rule

DECOUPLED = "Factor of the weights, times the learning rate, that each step takes off them."


class _Moments(Optimizer):
    """An optimizer with running means of the gradient and of its size."""

    betas: list[Share] = Field(
        default=[0.9, 0.999],
        min_length=2,
        max_length=2,
        description="Factors of the running means of the gradient and of its size.",
    )
    eps: float = Field(default=1e-8, gt=0, description=EPSILON)

    def native_rule(self, weight_decay: float, second: str, *rest: float, more: tuple[str, ...] = ()) -> "Rule":
        """Return the native kernel's rule; ``second`` is torch's name of the running size of the gradient."""
        from nnkit.engine.native import Rule

        options = (weight_decay, *self.betas, self.eps, *rest)
        return Rule(self.type_name, options, slots=("exp_avg", second, *more))


@OPTIMIZERS.register("adam")
class Adam(_Moments):
    """Running means of the gradient and of its square make each weight's step (Kingma and Ba, 2015).

    Keras' epsilon is 1e-7.
    """

    torch_name = "Adam"
    fused_on = ("cpu", "cuda")

    amsgrad: bool = Field(default=False, description="Divide by the largest mean square so far (Reddi, 2018).")
    weight_decay: float = Field(default=0.0, ge=0, description=WEIGHT_DECAY)

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        most = ("max_exp_avg_sq",) if self.amsgrad else ()
        return self.native_rule(self.weight_decay, "exp_avg_sq", 0.0, float(self.amsgrad), more=most)


@OPTIMIZERS.register("adamw")
class AdamW(_Moments):
    """Adam with weight decay that doesn't go through the running means (Loshchilov and Hutter, 2019).

    Keras' defaults are weight_decay 0.004 and eps 1e-7.
    """

    torch_name = "AdamW"
    fused_on = ("cpu", "cuda")

    amsgrad: bool = Field(default=False, description="Divide by the largest mean square so far (Reddi, 2018).")
    weight_decay: float = Field(default=1e-2, ge=0, description=DECOUPLED)

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        most = ("max_exp_avg_sq",) if self.amsgrad else ()
        return self.native_rule(self.weight_decay, "exp_avg_sq", 1.0, float(self.amsgrad), more=most)


@OPTIMIZERS.register("adamax")
class Adamax(_Moments):
    """Adam by the largest gradient instead of the mean square (Kingma and Ba, 2015).

    Keras' defaults are lr 0.001 and eps 1e-7.
    """

    torch_name = "Adamax"

    lr: float = Field(default=2e-3, gt=0, description="Learning rate before any schedule.")
    weight_decay: float = Field(default=0.0, ge=0, description=WEIGHT_DECAY)

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        return self.native_rule(self.weight_decay, "exp_inf")


@OPTIMIZERS.register("nadam")
class NAdam(_Moments):
    """Adam with Nesterov's momentum (Dozat, 2016).

    Keras' defaults are lr 0.001 and eps 1e-7.
    """

    torch_name = "NAdam"

    lr: float = Field(default=2e-3, gt=0, description="Learning rate before any schedule.")
    momentum_decay: float = Field(default=4e-3, ge=0, description="How fast the momentum comes to its full size.")
    weight_decay: float = Field(default=0.0, ge=0, description=WEIGHT_DECAY)

    def native(self) -> "Rule":
        """Return the native kernel's rule."""
        return self.native_rule(self.weight_decay, "exp_avg_sq", self.momentum_decay)


@OPTIMIZERS.register("adafactor")
class Adafactor(Optimizer):
    """Adam with the mean square of a matrix kept as one of its rows and one of its columns (Shazeer and Stern, 2018).

    It needs little memory beside the weights. Keras' defaults are lr 0.001, of which ``relative_step`` makes 1 /
    sqrt(step) where that is less, and an ``eps1`` of 1e-30; torch, and so this, always multiplies by that minimum.
    """

    torch_name = "Adafactor"

    lr: float = Field(default=1e-2, gt=0, description="Learning rate before any schedule.")
    beta2_decay: float = Field(default=-0.8, lt=0, description="The mean square's factor is 1 - step ^ beta2_decay.")
    eps1: float | None = Field(
        default=None, gt=0, description="Smallest mean square; null is the smallest step of the number type above 1."
    )
    eps2: float = Field(default=1e-3, gt=0, description="Smallest size of a weight that its step is in proportion to.")
    clip_threshold: float = Field(default=1.0, ge=1, description="Largest root mean square of a step (torch's d).")
    weight_decay: float = Field(default=0.0, ge=0, description=DECOUPLED)

    def arguments(self) -> dict[str, Any]:
        """Return the options under torch's names."""
        return {
            "lr": self.lr,
            "beta2_decay": self.beta2_decay,
            "eps": (self.eps1, self.eps2),
            "d": self.clip_threshold,
            "weight_decay": self.weight_decay,
        }
