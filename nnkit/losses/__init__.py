"""Losses: what training makes small."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.tasks import Task

if TYPE_CHECKING:
    from torch import Tensor

    Function: TypeAlias = Callable[[Tensor, Tensor], Tensor]
    """f(outputs, targets)."""


class Loss(Piece):
    """How far outputs are from targets, a value for each row."""

    single: ClassVar[Task]
    """The task that the loss means with one target column."""
    several: ClassVar[Task | None]
    """The task that the loss means with several target columns; None where it takes only one."""
    fused: ClassVar[tuple[str, ...]] = ()
    """Names of output activations that the loss absorbs: it then takes the values before them, which is stable."""
    needs_fused: ClassVar[bool] = False
    """Whether the network must end in one of ``fused`` (its outputs would not be probabilities otherwise)."""

    def build(self, fused: bool) -> "Function":
        """Return f(outputs [n, ...], targets) -> float [n]; with ``fused`` the outputs are before the activation.

        Targets: binary and multilabel float [n, k] of 0 and 1; multiclass int64 [n]; regression float [n, k].
        """
        raise TypeError(f"{type(self).__name__} does not say what it computes")

    def probabilities(self, outputs: "Tensor") -> "Tensor":
        """Turn the network's activated outputs into probabilities (classification) or predictions (regression)."""
        return outputs


LOSSES = Registry("losses", "loss", Loss, home="nnkit.losses")
LossChoice: TypeAlias = Annotated[Loss, LOSSES]


def mean_of_rows(element: "Function") -> "Function":
    """Return the loss [n] of a function that gives a value for each output [n, ...]: the mean over a row's outputs."""
    return lambda outputs, targets: element(outputs, targets).flatten(1).mean(1)
