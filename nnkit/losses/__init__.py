"""Losses: what training makes small."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias, TypeVar

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from nnkit.engine.native import Rule

    Values = TypeVar("Values", Tensor, NDArray[np.float32])
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

    @property
    def quantiles(self) -> "Sequence[float]":
        """The quantiles that a network has an output for, for each target; nothing where a target has one output."""
        return ()

    native_options: ClassVar[tuple[str, ...] | None] = None
    """The options in the order of the native kernel, which has the loss under the same name; None where it lacks it."""

    def native(self, fused: bool) -> "Rule | None":
        """Return the loss as the native kernel takes it; an option that is null is -1 there."""
        from nnkit.engine.native import Rule

        if self.native_options is None:
            return None
        values = (getattr(self, name) for name in self.native_options)
        return Rule(self.type_name, tuple(-1.0 if value is None else float(value) for value in values), fused)

    def build(self, fused: bool) -> "Function":
        """Return f(outputs [n, ...], targets) -> float [n]; with ``fused`` the outputs are before the activation.

        Targets: binary and multilabel float [n, k] of 0 and 1; multiclass int64 [n]; regression float [n, k].
        """
        raise TypeError(f"{type(self).__name__} does not say what it computes")

    def probabilities(self, outputs: "Values") -> "Values":
        """Turn the network's activated outputs into probabilities (classification) or predictions (regression)."""
        return outputs


LOSSES = Registry("losses", "loss", Loss, home="nnkit.losses")
LossChoice: TypeAlias = Annotated[Loss, LOSSES]


def mean_of_rows(element: "Function") -> "Function":
    """Return the loss [n] of a function that gives a value for each output [n, ...]: the mean over a row's outputs."""
    return lambda outputs, targets: element(outputs, targets).flatten(1).mean(1)
