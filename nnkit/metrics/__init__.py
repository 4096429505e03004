"""Metrics: what is reported of a model's predictions; scikit-learn computes them wherever it can."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Truth: TypeAlias = NDArray[np.generic]
    Floats: TypeAlias = NDArray[np.float64]


class Metric(Piece):
    """A number that says how good predictions are.

    It is undefined where there are no rows, where an output is not a finite number, and where its formula divides by
    zero, such as the precision of a class that is never predicted. Rows may have weights; those of weight 0 don't
    count.
    """

    tasks: ClassVar[frozenset[Task]]
    goal: ClassVar[Literal["max", "min"]]
    """Whether larger or smaller is better; early stopping and gates follow it."""

    @property
    def key(self) -> str:
        """The name in metrics.json and history: the type, with what tells two of one type apart (``f1_micro``)."""
        fields = type(self).model_fields
        options = [getattr(self, name) for name, field in fields.items() if getattr(self, name) != field.default]
        return "_".join([self.type_name, *map(str, options)])

    def compute(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None" = None) -> float:
        """Compare ``truth`` with ``outputs`` (arrays as in ``nnkit.tasks``); NaN where the metric is undefined."""
        import numpy as np

        if weights is not None:
            counted = weights > 0
            truth, outputs, weights = truth[counted], outputs[counted], weights[counted]
        if not len(truth) or not np.isfinite(outputs).all():
            return float("nan")
        with np.errstate(all="ignore"):
            return float(self.value(truth, outputs, task, weights))

    def value(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None") -> float:
        """Return the metric of at least one row with finite outputs and weights above 0; NaN where it is undefined."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


METRICS = Registry("metrics", "metric", Metric, home="nnkit.metrics")
MetricChoice: TypeAlias = Annotated[Metric, METRICS]

_USUAL: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc"),
    "multiclass": ("accuracy", "f1", "log_loss"),
    "multilabel": ("accuracy", "f1", "roc_auc"),
    "regression": ("mae", "rmse", "r2"),
}


def or_defaults(metrics: Sequence[Metric], task: Task) -> Sequence[Metric]:
    """Return the metrics that a spec names, or where it names none those that are usual for the task."""
    return metrics or [METRICS.decode(name) for name in _USUAL[task]]


def predicted(outputs: "Floats", task: Task) -> "Truth":
    """Return what outputs decide for, in the form of the truth.

    Binary and multilabel: 1 where the probability is above 1/2. Multiclass: the index of the likeliest class, the first
    of equals. Regression: the outputs.
    """
    import numpy as np

    if task == "regression":
        return outputs
    if task == "multiclass":
        return np.asarray(outputs.argmax(axis=1), dtype=np.int64)
    return (outputs > 0.5).astype(np.int64)
