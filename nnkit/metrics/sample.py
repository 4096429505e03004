"""Rows that are judged: truth and outputs side by side, and the counts that several metrics have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from nnkit.metrics.entities import EntityCounts, Sentences, entity_counts
from nnkit.metrics.yardstick import Yardstick
from nnkit.tasks import Task, of_steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Truth: TypeAlias = NDArray[np.generic]
    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Tallies:
    """For each class or label [c], the weight of the rows that are of it, are predicted to be, and are both."""

    hits: "Floats"
    predicted: "Floats"
    true: "Floats"

    @property
    def occurring(self) -> "NDArray[np.bool_]":
        """Which classes or labels any row is of, or is predicted to be."""
        found: NDArray[np.bool_] = self.predicted + self.true > 0
        return found


@dataclass(frozen=True)
class Sample:
    """At least one row, with finite outputs and weights above 0 (None: all weigh 1); arrays as in ``nnkit.tasks``.

    The words of sentences are rows of the task multiclass.
    """

    truth: "Truth"
    outputs: "Floats"
    task: Task
    weights: "Floats | None" = None
    yardstick: Yardstick | None = None
    """Of forecasts what they are measured against."""
    quantiles: Sequence[float] = ()
    spread: "Floats | None" = None
    """With quantiles the outputs for each [n, targets, quantiles]; ``outputs`` [n, targets] are those in the middle."""
    sentences: Sentences | None = None
    """Where the rows are words with tags, what sentences they are."""

    @classmethod
    def of(
        cls,
        truth: "Truth",
        outputs: "Floats",
        task: Task,
        weights: "Floats | None" = None,
        yardstick: Yardstick | None = None,
        quantiles: Sequence[float] = (),
        sentences: Sentences | None = None,
    ) -> "Sample | None":
        """Return the rows whose weight is not 0; None where there are none or an output is not a finite number."""
        import numpy as np

        if weights is not None:
            counted = weights > 0
            truth, outputs, weights = truth[counted], outputs[counted], weights[counted]
            yardstick = None if yardstick is None else yardstick[counted]
        if not len(truth) or not np.isfinite(outputs).all():
            return None
        spread = outputs.reshape(len(outputs), -1, len(quantiles)) if quantiles else None
        return cls(truth, middle(outputs, quantiles), of_steps(task), weights, yardstick, quantiles, spread, sentences)

    @property
    def classes(self) -> int:
        """How many classes or labels there are."""
        return 2 if self.task == "binary" else self.outputs.shape[1]

    @cached_property
    def decided(self) -> "Truth":
        """What the outputs decide for, in the form of the truth."""
        return predicted(self.outputs, self.task)

    @cached_property
    def entities(self) -> EntityCounts | None:
        """How many entities there are and are found; None where tags mark none."""
        if self.sentences is None or self.sentences.scheme == "none":
            return None
        return entity_counts(self.truth, self.decided, self.sentences)

    @cached_property
    def total(self) -> float:
        """The weight of all rows."""
        return float(len(self.truth)) if self.weights is None else float(self.weights.sum())

    @cached_property
    def tallies(self) -> Tallies:
        """The counts of each class or label."""
        import numpy as np

        if self.task == "multilabel":
            weights = np.ones(len(self.truth)) if self.weights is None else self.weights
            true, decided = self.truth.astype(np.float64), self.decided.astype(np.float64)
            return Tallies(weights @ (true * decided), weights @ decided, weights @ true)
        right = self.truth == self.decided
        hits = self._by_class(self.truth[right], None if self.weights is None else self.weights[right])
        return Tallies(hits, self._by_class(self.decided, self.weights), self._by_class(self.truth, self.weights))

    def _by_class(self, classes: "Truth", weights: "Floats | None") -> "Floats":
        import numpy as np

        return np.bincount(classes, weights, self.classes).astype(np.float64)

    def mean(self, rows: "NDArray[np.generic]") -> "Floats":
        """Return the weighted mean over the rows [n, ...]: [...]."""
        import numpy as np

        means: Floats = np.average(rows.astype(np.float64), axis=0, weights=self.weights)
        return means


def middle(outputs: "Floats", quantiles: Sequence[float]) -> "Floats":
    """Return of outputs [n, targets * quantiles] those of the quantile that is nearest to the median: [n, targets]."""
    if not quantiles:
        return outputs
    nearest = min(range(len(quantiles)), key=lambda place: abs(quantiles[place] - 0.5))
    return outputs[:, nearest :: len(quantiles)]


def predicted(outputs: "Floats", task: Task) -> "Truth":
    """Return what outputs decide for, in the form of the truth.

    Binary and multilabel: 1 where the probability is above 1/2. Multiclass and tagging: the index of the likeliest
    class, the first of equals. Regression: the outputs. Next: the likeliest token.
    """
    import numpy as np

    if task == "regression":
        return outputs
    if task == "next":
        return outputs[:, 1].astype(np.int64)
    if task in ("multiclass", "tagging"):
        return np.asarray(outputs.argmax(axis=1), dtype=np.int64)
    return (outputs > 0.5).astype(np.int64)


def count(truth: "Truth", decided: "Truth", classes: int, weights: "Floats | None" = None) -> "NDArray[Any]":
    """Return the rows, or their weights, by class of truth (axis 0) and of prediction (axis 1)."""
    import numpy as np

    cells = truth.astype(np.int64) * classes + decided.astype(np.int64)
    return np.bincount(cells, weights, classes * classes).reshape(classes, classes)


def one_hot(truth: "Truth", outputs: "Floats", task: Task) -> "tuple[Truth, Floats]":
    """Return truth (0 and 1) and probabilities, both [n, columns]: a column for the positive class, class or label."""
    import numpy as np

    if task == "binary":
        return truth[:, None], outputs[:, None]
    return (np.eye(outputs.shape[1])[truth.astype(np.int64)] if task == "multiclass" else truth), outputs
