"""Metrics of decisions: which class was predicted, whatever its probability."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nnkit.metrics import METRICS, Metric
from nnkit.metrics.sample import Sample, Tallies, count, one_hot

if TYPE_CHECKING:
    from nnkit.metrics.sample import Floats

NAN = float("nan")


@METRICS.register("accuracy")
class Accuracy(Metric):
    """Share of the rows that are predicted right; with several labels, of the rows where every label is.

    Of a language model the share of the tokens that were its likeliest.
    """

    tasks = frozenset({"binary", "multiclass", "multilabel", "next", "tagging"})
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return scikit-learn's accuracy_score."""
        if sample.task == "multilabel":
            return float(sample.mean((sample.truth == sample.decided).all(axis=1)))
        if sample.task == "next":
            return float(sample.mean(sample.truth == sample.decided))
        return float(sample.tallies.hits.sum()) / sample.total


@METRICS.register("balanced_accuracy")
class BalancedAccuracy(Metric):
    """Mean over the classes that occur of the share of their rows that is predicted right."""

    tasks = frozenset({"binary", "multiclass", "tagging"})
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return the mean recall, which is scikit-learn's balanced_accuracy_score."""
        occurs = sample.tallies.true > 0
        return float((sample.tallies.hits[occurs] / sample.tallies.true[occurs]).mean())


class _PerClass(Metric):
    """A metric of one class, or a mean of it over several."""

    tasks = frozenset({"binary", "multiclass", "multilabel", "tagging"})
    goal = "max"

    average: Literal["macro", "micro", "weighted"] | None = Field(
        default=None,
        description="`macro`: mean over the classes; `micro`: all decisions together; `weighted`: mean by the classes' "
        "rows; null: the positive class where there are two, else macro.",
    )

    def value(self, sample: Sample) -> float:
        """Return what scikit-learn returns; in a mean, 0 for a class that the formula leaves undefined.

        As in scikit-learn, a mean leaves out classes that neither occur nor are predicted; unlike there, also labels.
        """
        tallies = sample.tallies
        if sample.task == "binary" and self.average is None:
            return float(self.shares(tallies)[1])
        import numpy as np

        classes = tallies.occurring
        if not classes.any():
            return NAN
        if self.average == "micro":
            tallies = Tallies(
                *(counts.sum(keepdims=True) for counts in (tallies.hits, tallies.predicted, tallies.true))
            )
            classes = tallies.occurring
        weights = tallies.true[classes] if self.average == "weighted" and tallies.true.any() else None
        return float(np.average(np.nan_to_num(self.shares(tallies)[classes]), weights=weights))

    def shares(self, tallies: Tallies) -> "Floats":
        """Return the metric of each class; NaN where it is undefined."""
        raise TypeError(f"{type(self).__name__} does not say what it computes")


@METRICS.register("precision")
class Precision(_PerClass):
    """Share of the rows predicted to be of a class that are."""

    def shares(self, tallies: Tallies) -> "Floats":
        """Return true positives / predicted positives."""
        return tallies.hits / tallies.predicted


@METRICS.register("recall")
class Recall(_PerClass):
    """Share of the rows of a class that are predicted to be, also known as sensitivity."""

    def shares(self, tallies: Tallies) -> "Floats":
        """Return true positives / all positives."""
        return tallies.hits / tallies.true


@METRICS.register("f1")
class F1(_PerClass):
    """The harmonic mean of precision and recall."""

    def shares(self, tallies: Tallies) -> "Floats":
        """Return 2 * true positives / (predicted positives + all positives)."""
        return 2 * tallies.hits / (tallies.predicted + tallies.true)


@METRICS.register("specificity")
class Specificity(Metric):
    """Share of the rows that are not of a class and are not predicted to be.

    Of the positive class where there are two, else the mean over the classes or labels.
    """

    tasks = frozenset({"binary", "multiclass", "multilabel", "tagging"})
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return true negatives / all negatives, the mean over the classes or labels that have negatives."""
        import numpy as np

        truth, _ = one_hot(sample.truth, sample.outputs, sample.task)
        decided, _ = one_hot(sample.decided, sample.outputs, sample.task)
        weights = np.ones(len(truth)) if sample.weights is None else sample.weights
        negatives = weights @ (1 - truth.astype(np.float64))
        shares = weights @ ((1 - truth.astype(np.float64)) * (1 - decided.astype(np.float64))) / negatives
        return float(shares[negatives > 0].mean()) if negatives.any() else NAN


@METRICS.register("hamming_loss")
class HammingLoss(Metric):
    """Share of the single labels that are predicted wrong."""

    tasks = frozenset({"multilabel"})
    goal = "min"

    def value(self, sample: Sample) -> float:
        """Return scikit-learn's hamming_loss."""
        return float(sample.mean(sample.truth != sample.decided).mean())


@METRICS.register("mcc")
class MCC(Metric):
    """Matthews' correlation between truth and prediction: 1 is perfect, 0 is as good as chance."""

    tasks = frozenset({"binary", "multiclass", "tagging"})
    goal = "max"

    def value(self, sample: Sample) -> float:
        """Return scikit-learn's matthews_corrcoef: 0 where the prediction is constant, NaN where the truth is."""
        if (sample.truth == sample.truth[0]).all():
            return NAN
        if (sample.decided == sample.decided[0]).all():
            return 0.0
        tallies, total = sample.tallies, sample.total
        spread = total**2 - float(tallies.true @ tallies.true)
        of_predictions = total**2 - float(tallies.predicted @ tallies.predicted)
        together = float(tallies.hits.sum()) * total - float(tallies.true @ tallies.predicted)
        return float(together / (spread * of_predictions) ** 0.5)


@METRICS.register("cohen_kappa")
class CohenKappa(Metric):
    """Agreement of truth and prediction beyond chance: 1 is perfect, 0 is as good as chance (Cohen, 1960)."""

    tasks = frozenset({"binary", "multiclass", "tagging"})
    goal = "max"

    weighting: Literal["linear", "quadratic"] | None = Field(
        default=None, description="Where classes are in order: how errors grow with their distance; null: all the same."
    )

    def value(self, sample: Sample) -> float:
        """Return scikit-learn's cohen_kappa_score; NaN where truth and prediction are one and the same class.

        Distances are counted in places of the list of all classes, those without rows too.
        """
        import numpy as np

        counts = count(sample.truth, sample.decided, sample.classes, sample.weights).astype(np.float64)
        by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
        places = np.arange(sample.classes)
        distance = np.abs(places[:, None] - places).astype(np.float64)
        power = {None: 0, "linear": 1, "quadratic": 2}[self.weighting]
        cost = np.where(distance > 0, distance**power, 0.0)
        expected = float((cost * by_chance).sum())
        return 1 - float((cost * counts).sum()) / expected if expected else NAN
