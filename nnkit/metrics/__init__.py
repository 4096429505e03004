"""Metrics: what is reported of a model's predictions.

Their formulas and conventions are scikit-learn's, which the tests compare with; importing it takes longer than training
a small network, so numpy computes them.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from nnkit.config.piece import Piece
from nnkit.config.registry import Registry
from nnkit.metrics.entities import Sentences
from nnkit.metrics.sample import Sample
from nnkit.metrics.sample import predicted as predicted
from nnkit.metrics.yardstick import Yardstick
from nnkit.tasks import Scheme, Task

if TYPE_CHECKING:
    from nnkit.metrics.sample import Floats, Truth


class Metric(Piece):
    """A number that says how good predictions are.

    It is undefined where there are no rows, where an output is not a finite number, and where its formula divides by
    zero, such as the precision of a class that is never predicted. Rows may have weights; those of weight 0 don't
    count.
    """

    tasks: ClassVar[frozenset[Task]]
    of_nodes: ClassVar[bool] = False
    """Whether it is about all nodes of trees, and not about rows."""
    of_entities: ClassVar[bool] = False
    """Whether it is about the entities that tags mark."""
    goal: ClassVar[Literal["max", "min"]]
    """Whether larger or smaller is better; early stopping and gates follow it."""
    of_naive: ClassVar[bool] = True
    """Whether it says something of a naive forecast, too."""

    @property
    def key(self) -> str:
        """The name in metrics.json and history: the type, with what tells two of one type apart (``f1_micro``)."""
        fields = type(self).model_fields
        options = [getattr(self, name) for name, field in fields.items() if getattr(self, name) != field.default]
        return "_".join([self.type_name, *map(str, options)])

    def lacks(self, naive: Collection[str], quantiles: Sequence[float]) -> str | None:
        """Return what the metric needs and an experiment has not, in words.

        ``naive`` are the naive forecasts that there are, ``quantiles`` those that outputs give of each target.
        """
        return None

    def compute(self, truth: "Truth", outputs: "Floats", task: Task, weights: "Floats | None" = None) -> float:
        """Compare ``truth`` with ``outputs`` (arrays as in ``nnkit.tasks``); NaN where the metric is undefined."""
        return compute_all([self], truth, outputs, task, weights)[self.key]

    def value(self, sample: Sample) -> float:
        """Return the metric of a sample; NaN where it is undefined."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


def compute_all(
    metrics: Iterable[Metric],
    truth: "Truth",
    outputs: "Floats",
    task: Task,
    weights: "Floats | None" = None,
    nodes: "tuple[Truth, Floats] | None" = None,
    *,
    yardstick: Yardstick | None = None,
    quantiles: Sequence[float] = (),
    sentences: Sentences | None = None,
) -> dict[str, float]:
    """Compare ``truth`` with ``outputs`` by several metrics, what they share counted once; NaN where undefined.

    ``nodes`` are truth and outputs of all nodes, where the rows are trees. With ``quantiles`` outputs are
    [n, targets * quantiles], and the middle one stands for all where a metric takes one. ``sentences`` says
    which rows are the words of one sentence, where they are words with tags.
    """
    import numpy as np

    rows = Sample.of(truth, outputs, task, weights, yardstick, quantiles, sentences)
    samples = {False: rows, True: None if nodes is None else Sample.of(*nodes, task)}
    with np.errstate(all="ignore"):
        return {metric.key: _value(metric, samples[metric.of_nodes]) for metric in metrics}


def _value(metric: Metric, sample: Sample | None) -> float:
    return float("nan") if sample is None else float(metric.value(sample))


METRICS = Registry("metrics", "metric", Metric, home="nnkit.metrics")
MetricChoice: TypeAlias = Annotated[Metric, METRICS]

ENTITY_SHARES = ("entity_precision", "entity_recall")

_USUAL: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc"),
    "multiclass": ("accuracy", "f1", "log_loss"),
    "multilabel": ("accuracy", "f1", "roc_auc"),
    "regression": ("mae", "rmse", "r2"),
    "next": ("log_loss", "perplexity", "accuracy"),
    "tagging": ("accuracy", "f1", "log_loss"),
    "unlabelled": (),
}


def or_defaults(
    metrics: Sequence[Metric],
    task: Task,
    naive: Collection[str] = (),
    quantiles: Sequence[float] = (),
    scheme: Scheme = "none",
) -> Sequence[Metric]:
    """Return the metrics that a spec names, or where it names none those that are usual for the task.

    ``naive`` are the naive forecasts beside those of the model, ``quantiles`` those that it gives.
    ``scheme`` is how tags mark entities.
    """
    names: list[object] = [*_USUAL[task]] if scheme == "none" else ["entity_f1", *ENTITY_SHARES, "accuracy"]
    if naive:
        names = [
            "mae",
            "rmse",
            *({"type": kind, "against": name} for name in naive for kind in ("mase", "relative_mae")),
        ]
    return metrics or [METRICS.decode(name) for name in [*names, *(["pinball", "coverage"] if quantiles else [])]]
