"""Metrics of probabilities: how rows are ranked, and how far their probabilities can be believed."""

from typing import TYPE_CHECKING

from pydantic import Field

from nnkit.metrics import METRICS, Metric
from nnkit.metrics.ranking import area, mean_precision, precision_recall_curve, roc_curve, share_in_order
from nnkit.metrics.sample import Sample, one_hot
from nnkit.tasks import Task

if TYPE_CHECKING:
    import numpy as np

    from nnkit.metrics.sample import Floats, Truth

NAN = float("nan")


class _Ranking(Metric):
    """A metric of how rows are ranked; with several classes or labels the mean over those where it is defined."""

    tasks = frozenset({"binary", "multiclass", "multilabel", "tagging"})
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return the mean over the columns that have both rows of the class and others."""
        truths, scores = one_hot(sample.truth, sample.outputs, sample.task)
        values = [
            self.of_column(column, score, sample.weights)
            for column, score in zip(truths.T, scores.T, strict=True)
            if column.min() != column.max()
        ]
        return sum(values) / len(values) if values else NAN

    def of_column(self, truth: "Truth", scores: "Floats", weights: "Floats | None") -> float:
        """Return the metric of one class against all others."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


@METRICS.register("roc_auc")
class RocAuc(_Ranking):
    """Probability that a row of the class is ranked above another row: the area under the ROC curve.

    With several classes or labels it is the mean over them, each against the rest (macro average).
    """

    def of_column(self, truth: "Truth", scores: "Floats", weights: "Floats | None") -> float:
        """Return scikit-learn's roc_auc_score."""
        return share_in_order(truth, scores) if weights is None else area(*roc_curve(truth, scores, weights))


@METRICS.register("pr_auc")
class PrAuc(_Ranking):
    """Mean precision over the recalls of all thresholds: the area under the precision-recall curve, without lines.

    With several classes or labels it is the mean over them (macro average).
    """

    def of_column(self, truth: "Truth", scores: "Floats", weights: "Floats | None") -> float:
        """Return scikit-learn's average_precision_score."""
        return mean_precision(*precision_recall_curve(truth, scores, weights))


@METRICS.register("log_loss")
class LogLoss(Metric):
    """Mean of minus the log of the probability given to the truth; with several labels the mean over them too.

    Of a language model it is in nats a token.
    """

    tasks = frozenset({"binary", "multiclass", "multilabel", "next", "tagging"})
    goal = "min"

    def value(self, sample: Sample) -> float:
        """Return scikit-learn's log_loss, which takes probabilities of 0 and 1 for the next number to them."""
        import numpy as np

        if sample.task == "next":
            return -float(sample.mean(sample.outputs[:, 0]))
        least = np.finfo(np.float64).eps
        if sample.task == "multiclass":
            # Probabilities that were computed in float32 add up to 1 only nearly.
            of_truth = sample.outputs[np.arange(len(sample.truth)), sample.truth.astype(np.int64)]
            believed = of_truth / sample.outputs.sum(axis=1)
        else:
            believed = np.where(sample.truth.astype(bool), sample.outputs, 1 - sample.outputs)
        return float(sample.mean(-np.log(np.clip(believed, least, 1 - least))).mean())


@METRICS.register("brier")
class Brier(Metric):
    """Mean squared distance of the probabilities from the truth (Brier, 1950), from 0 to 1.

    With several classes it is the sum over the classes, from 0 to 2; with several labels the mean over them.
    """

    tasks = frozenset({"binary", "multiclass", "multilabel", "tagging"})
    goal = "min"

    def value(self, sample: Sample) -> float:
        """Return the mean of the squares."""
        import numpy as np

        truths, scores = one_hot(sample.truth, sample.outputs, sample.task)
        squares = (scores - truths.astype(np.float64)) ** 2
        return float(sample.mean(squares.sum(axis=1) if sample.task == "multiclass" else squares.mean(axis=1)))


@METRICS.register("top_k_accuracy")
class TopKAccuracy(Metric):
    """Share of the rows whose class is among the likeliest k."""

    tasks = frozenset({"multiclass"})
    goal = "max"

    k: int = Field(default=5, ge=1, description="How many of the likeliest classes are looked at.")

    def value(self, sample: Sample) -> float:
        """Return the share; among equal probabilities the first class counts as likelier, as in a prediction."""
        import numpy as np

        likeliest = np.argsort(-sample.outputs, axis=1, kind="stable")[:, : self.k]
        return float(sample.mean((likeliest == sample.truth[:, None]).any(axis=1)))


@METRICS.register("calibration_error")
class CalibrationError(Metric):
    """Mean distance between probabilities and the share of rows for which they come true (Naeini and others, 2015).

    The probabilities are put into bins of equal width: with two classes those of the positive one, with several
    classes that of the prediction, with several labels those of all labels together.
    """

    tasks = frozenset({"binary", "multiclass", "multilabel", "tagging"})
    goal = "min"

    bins: int = Field(default=10, ge=1, le=1000, description="How many bins there are from 0 to 1.")

    def value(self, sample: Sample) -> float:
        """Return the mean over the bins, each by its share of the rows."""
        import numpy as np

        believed, came_true = believed_and_true(sample.truth, sample.outputs, sample.task)
        rows = len(sample.truth)
        counts = np.repeat(np.ones(rows) if sample.weights is None else sample.weights, believed.size // rows)
        gaps = np.bincount(bins_of(believed, self.bins), counts * (believed - came_true), self.bins)
        return float(np.abs(gaps).sum() / counts.sum())


def believed_and_true(truth: "Truth", outputs: "Floats", task: Task) -> "tuple[Floats, Floats]":
    """Return probabilities and whether they came true (0 or 1), both flat, each row's values side by side."""
    import numpy as np

    if task == "multiclass":
        likeliest = outputs.argmax(axis=1)
        return outputs[np.arange(len(outputs)), likeliest], (likeliest == truth).astype(np.float64)
    return outputs.ravel(), truth.ravel().astype(np.float64)


def bins_of(probabilities: "Floats", bins: int) -> "np.typing.NDArray[np.int64]":
    """Return for each probability the bin of equal width that it is in; 1 is in the last one."""
    import numpy as np

    return np.clip((probabilities * bins).astype(np.int64), 0, bins - 1)
