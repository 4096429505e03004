"""Losses of scores: what counts is which side the score is on, and by how much."""

from typing import TYPE_CHECKING

from nnkit.losses import LOSSES, Loss, mean_of_rows

if TYPE_CHECKING:
    from torch import Tensor

    from nnkit.losses import Function, Values


class _Margin(Loss):
    """A loss of scores that should be 1 or more for a yes and -1 or less for a no."""

    single = "binary"
    several = "multilabel"

    def probabilities(self, outputs: "Values") -> "Values":
        """Return (score + 1) / 2, cut off at 0 and 1, so that a score of 0 is a probability of 1/2 (Zhang, 2004)."""
        return ((outputs + 1) / 2).clip(0, 1)


def missing_margin(scores: "Tensor", targets: "Tensor") -> "Tensor":
    """Return how far scores are from a margin of 1 on the side of targets that are 0 or 1."""
    return (1 - (2 * targets - 1) * scores).clamp_min(0)


@LOSSES.register("hinge")
class Hinge(_Margin):
    """What is missing to a score of 1 or more for a yes, -1 or less for a no: the loss of support vector machines.

    The network ends in ``linear`` or ``tanh``. Keras' hinge, which takes the targets 0 and 1 as -1 and 1, as this does;
    torch's MultiLabelMarginLoss and HingeEmbeddingLoss are other losses. The probabilities that `predict` writes are
    (score + 1) / 2 cut off at 0 and 1, and are not calibrated.
    """

    native_options = ()

    def build(self, fused: bool) -> "Function":
        """Return the mean of the missing margins."""
        return mean_of_rows(missing_margin)


@LOSSES.register("squared_hinge")
class SquaredHinge(_Margin):
    """The square of the hinge: smooth, and harder on scores that are far on the wrong side.

    The network ends in ``linear`` or ``tanh``. Keras' squared_hinge; torch has none. The best score for a probability p
    is 2 p - 1, so (score + 1) / 2, cut off at 0 and 1, is the probability that `predict` writes (Zhang, 2004).
    """

    native_options = ()

    def build(self, fused: bool) -> "Function":
        """Return the mean of the squares of the missing margins."""
        return mean_of_rows(lambda outputs, targets: missing_margin(outputs, targets).square())


@LOSSES.register("categorical_hinge")
class CategoricalHinge(Loss):
    """What is missing for the true class' score to be 1 above the best other score (Crammer and Singer, 2001).

    The network ends in ``softmax``, and the scores are the values before it; the softmax makes the probabilities that
    `predict` writes of them, which are not calibrated. Keras' categorical_hinge takes the outputs themselves as scores,
    so this is Keras' with a ``linear`` end; torch's MultiMarginLoss takes the mean over all other classes.
    """

    single = "multiclass"
    several = None
    fused = ("softmax",)
    needs_fused = True

    native_options = ()

    def build(self, fused: bool) -> "Function":
        """Return the loss on the scores; without ``fused`` the outputs are taken as the scores."""

        def loss(outputs: "Tensor", targets: "Tensor") -> "Tensor":
            index = targets.unsqueeze(-1)
            true = outputs.gather(-1, index).squeeze(-1)
            # Keras puts 0 in the place of the true class, so scores that are all negative count as 0.
            best_other = outputs.scatter(-1, index, 0.0).amax(-1)
            return (best_other - true + 1).clamp_min(0)

        return loss
