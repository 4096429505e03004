"""Losses of numbers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from nnkit.losses import LOSSES, Loss, mean_of_rows

if TYPE_CHECKING:
    from torch import Tensor

    from nnkit.engine.native import Rule
    from nnkit.losses import Function

EPSILON = 1e-7
"""Keras' ``backend.epsilon()``: what stands in for 0 where 0 cannot be divided by, or has no logarithm."""


_Share = Annotated[float, Field(gt=0, lt=1)]


class _Numbers(Loss):
    """A loss of one or several numbers a row: the mean over them."""

    single = "regression"
    several = "regression"

    def element(self) -> "Function":
        """Return f(outputs, targets) that gives a value for each output."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")

    def build(self, fused: bool) -> "Function":
        """Return the mean over a row's outputs."""
        return mean_of_rows(self.element())


@LOSSES.register("mean_squared_error")
class MeanSquaredError(_Numbers):
    """The square of the error. Keras' mean_squared_error, torch's MSELoss."""

    native_options = ()

    def element(self) -> "Function":
        """Return the squared error."""
        return lambda outputs, targets: (outputs - targets).square()


@LOSSES.register("mean_absolute_error")
class MeanAbsoluteError(_Numbers):
    """The size of the error; outliers pull less than with squares. Keras' mean_absolute_error, torch's L1Loss."""

    native_options = ()

    def element(self) -> "Function":
        """Return the absolute error."""
        return lambda outputs, targets: (outputs - targets).abs()


@LOSSES.register("mean_absolute_percentage_error")
class MeanAbsolutePercentageError(_Numbers):
    """The size of the error in percent of the target. Keras' mean_absolute_percentage_error; torch has none.

    A target of 0 counts as 1e-7, as in Keras, which makes its error huge. The metric `mape` is a fraction, as
    scikit-learn has it, and not a percentage.
    """

    native_options = ()

    def element(self) -> "Function":
        """Return the error in percent."""
        return lambda outputs, targets: 100 * ((outputs - targets) / targets.abs().clamp_min(EPSILON)).abs()


@LOSSES.register("mean_squared_logarithmic_error")
class MeanSquaredLogarithmicError(_Numbers):
    """The square of the difference between log(1 + target) and log(1 + output), so that ratios count.

    Keras' mean_squared_logarithmic_error, which takes what is below 1e-7 as 1e-7; torch has none. A negative output has
    no gradient here: let the network end in ``softplus`` or ``exponential``.
    """

    native_options = ()

    def element(self) -> "Function":
        """Return the squared difference of the logarithms."""

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            return (outputs.clamp_min(EPSILON).log1p() - targets.clamp_min(EPSILON).log1p()).square()

        return loss


@LOSSES.register("huber")
class Huber(_Numbers):
    """Half the square of a small error, and a straight line beyond ``delta`` (Huber, 1964).

    Keras' Huber, torch's HuberLoss; torch's SmoothL1Loss with ``beta`` is this divided by ``delta``.
    """

    delta: float = Field(default=1.0, gt=0, description="Errors larger than this count in proportion to their size.")

    native_options = ("delta",)

    def element(self) -> "Function":
        """Return torch's Huber loss."""
        from torch.nn import functional

        return lambda outputs, targets: functional.huber_loss(outputs, targets, delta=self.delta, reduction="none")


@LOSSES.register("log_cosh")
class LogCosh(_Numbers):
    """The log of the hyperbolic cosine of the error: a smooth `huber`. Keras' log_cosh; torch has none."""

    native_options = ()

    def element(self) -> "Function":
        """Return log(cosh(error)), computed without overflow."""
        import math

        from torch.nn import functional

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            error = outputs - targets
            return error + functional.softplus(-2 * error) - math.log(2)

        return loss


@LOSSES.register("quantile")
class Quantile(_Numbers):
    """The pinball loss, whose best prediction is a quantile of the target (Koenker and Bassett, 1978).

    A target above the output costs ``quantile`` times the distance, one below 1 - ``quantile`` times. Neither Keras nor
    torch has it; scikit-learn's mean_pinball_loss is the same. With a list, as [0.1, 0.5, 0.9], the network has as many
    outputs for each target, side by side, and the loss is the mean over them; metrics take the middle one.
    """

    quantile: _Share | Annotated[list[_Share], Field(min_length=1, max_length=100)] = Field(
        default=0.5, description="Share of rows whose target is to lie below the output; a list has an output for each."
    )

    native_options = ("quantile",)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(low >= high for low, high in pairwise(self.quantiles)):
            raise ValueError("quantile must rise from one to the next, as in [0.1, 0.5, 0.9]")
        return self

    @property
    def quantiles(self) -> Sequence[float]:
        """Those of the list."""
        return self.quantile if isinstance(self.quantile, list) else ()

    def native(self, fused: bool) -> "Rule | None":
        """Return the loss as the native kernel takes it, which knows one quantile."""
        return None if isinstance(self.quantile, list) else super().native(fused)

    def build(self, fused: bool) -> "Function":
        """Return the pinball loss, of several quantiles the mean over outputs [n, targets * quantiles]."""
        if not isinstance(self.quantile, list):
            return super().build(fused)
        import torch

        shares = list(self.quantile)

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            above = targets.unsqueeze(-1) - outputs.reshape(*targets.shape, len(shares))
            costs: Tensor = torch.tensor(shares, dtype=above.dtype, device=above.device) * above + (-above).clamp_min(0)
            return costs.flatten(1).mean(1)

        return loss

    def element(self) -> "Function":
        """Return the pinball loss."""
        share = self.quantile
        assert not isinstance(share, list)  # noqa: S101 - build has looked

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            above = targets - outputs
            return share * above + (-above).clamp_min(0)

        return loss


@LOSSES.register("poisson")
class Poisson(_Numbers):
    """Minus the log-likelihood of a count, given its rate, less what depends on the count alone.

    The output is the rate and must be positive. A network that ends in ``exponential`` trains on the log of the rate,
    as torch's PoissonNLLLoss does by default; any other end is taken as Keras' poisson takes it, which adds 1e-7 to the
    rate before the logarithm (``softplus`` fits).
    """

    fused = ("exponential",)

    native_options = ()

    def build(self, fused: bool) -> "Function":
        """Return torch's loss on the log of the rate, or on the rate."""
        from torch.nn import functional

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            return functional.poisson_nll_loss(outputs, targets, log_input=fused, eps=EPSILON, reduction="none")

        return mean_of_rows(loss)


@LOSSES.register("kl_divergence")
class KLDivergence(_Numbers):
    """The Kullback-Leibler divergence of the output from the target, where each row of both is a distribution.

    The target is several columns that add up to 1, and the network ends in ``softmax``, whose logarithm is taken
    directly, so there is no 1e-7 as in Keras' kl_divergence. torch's KLDivLoss takes the logarithm as the output. A
    row's loss is the sum over its columns, as in Keras and in torch with ``batchmean``.
    """

    fused = ("softmax",)
    needs_fused = True

    native_options = ()

    def build(self, fused: bool) -> "Function":
        """Return torch's divergence of log-probabilities, or of probabilities (at least 1e-7)."""
        from torch.nn import functional

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            logs = outputs.log_softmax(-1) if fused else outputs.clamp_min(EPSILON).log()
            return functional.kl_div(logs, targets, reduction="none").sum(-1)

        return loss


@LOSSES.register("cosine_similarity")
class CosineSimilarity(_Numbers):
    """One minus the cosine of the angle between the row of outputs and the row of targets.

    Keras' cosine_similarity is the same without the one, so it is negative when all is well; torch's
    CosineEmbeddingLoss is the same. It looks at directions only: use it with several targets.
    """

    native_options = ()

    def build(self, fused: bool) -> "Function":
        """Return one minus torch's cosine similarity."""
        from torch.nn import functional

        return lambda outputs, targets: 1 - functional.cosine_similarity(outputs.flatten(1), targets.flatten(1))
