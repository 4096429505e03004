"""Metrics: what is reported of a model's predictions; scikit-learn computes them wherever it can."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Metric(Piece):
    """A number that says how good predictions are."""

    tasks: ClassVar[frozenset[Task]]
    goal: ClassVar[Literal["max", "min"]]
    """Whether larger or smaller is better; early stopping and gates follow it."""

    @property
    def key(self) -> str:
        """The name in metrics.json and history: the type, with what tells two of one type apart (``f1_micro``)."""
        return self.type_name

    def compute(
        self,
        truth: "NDArray[np.generic]",
        outputs: "NDArray[np.float64]",
        task: Task,
        weights: "NDArray[np.float64] | None" = None,
    ) -> float:
        """Compare ``truth`` with ``outputs`` (arrays as in ``nnkit.tasks``); NaN where the metric is undefined."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


METRICS = Registry("metrics", "metric", Metric, home="nnkit.metrics")
MetricChoice: TypeAlias = Annotated[Metric, METRICS]
